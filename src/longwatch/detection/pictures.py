"""One picture that is to be looked at: small, grey, with the wall time it was taken at. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_SIDE = 32
MOST_SIDE = 1024
"""Pixels. What is larger is made smaller by whoever decodes; nothing here needs more."""


DARKEST, WIDE_LEVELS, MOST_LEVELS_A_COUNT = 45.0, 150.0, 0.25
GREY = 2.0
"""Mean distance of the colour planes from grey."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """luma: height x width, about 320 wide. wall_us: when it was taken. key: it came from a sync sample, so that it does not lean on pictures before it.
    chroma: two planes of half the size, where they are at hand. raw: the 16-bit values of a thermal camera, in the size of luma.
    """

    luma: NDArray[np.uint8]
    wall_us: int
    key: bool = True
    chroma: NDArray[np.uint8] | None = None
    raw: NDArray[np.uint16] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return int(self.luma.shape[1]), int(self.luma.shape[0])


@dataclass(frozen=True, slots=True)
class Span:
    """Which 16-bit values of a thermal camera are looked at as which levels: level = DARKEST + scale x (value - low). Fixed once, so that a scene that warms up does not
    change its own contrast; what it drifts is taken out as a change of light.
    """

    low: float
    scale: float

    @classmethod
    def of(cls, raw: NDArray[np.uint16]) -> Span:
        """For a camera whose first picture this is: from the coolest to the warmest hundredth, but no finer than noise allows."""
        low, high = (float(each) for each in np.percentile(raw[::4, ::4], (1, 99)))
        return cls(low, min(WIDE_LEVELS / max(high - low, 1.0), MOST_LEVELS_A_COUNT))

    def levels(self, raw: NDArray[np.uint16]) -> NDArray[np.float32]:
        """As grey levels, which may lie outside 0..255."""
        return (raw.astype(np.float32) - np.float32(self.low)) * np.float32(self.scale) + np.float32(DARKEST)


def is_grey(picture: Picture) -> bool:
    """Whether a picture has no colours, though it could: by infra-red, or of the dark."""
    if picture.chroma is None:
        return False
    some = picture.chroma[:, ::4, ::4].astype(np.int16) - np.int16(128)
    return int(np.abs(some).sum()) < GREY * some.size


def wrong_with(picture: Picture) -> str:
    """What is wrong with a picture's form, in words; "" where nothing is."""
    luma = picture.luma
    if luma.ndim != 2 or luma.dtype != np.uint8:
        return "the luma of a picture is one plane of bytes"
    if not all(LEAST_SIDE <= side <= MOST_SIDE for side in luma.shape):
        return f"a picture has from {LEAST_SIDE} to {MOST_SIDE} pixels a side, and this one {luma.shape[1]} x {luma.shape[0]}"
    raw = picture.raw
    if raw is not None and (raw.shape != luma.shape or raw.dtype != np.uint16):
        return "raw values have 16 bits and the size of the luma"
    return ""
