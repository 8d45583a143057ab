"""What each cell of the picture looks like when nothing is there: learnt, small, saved as bytes. Pure.

A cell has three *states* (as in the mixture of Stauffer and Grimson, CVPR 1999), so that a leaf before the sky is both, one *spread* and one
*flicker* rate. Each state has a mean and a weight: the part of the last minutes in which the cell looked so. A cell is *new* when it lies in none of the
states that hold for a while. The threshold grows with the spread and with the flicker, as SuBSENSE's does with blinking pixels (St-Charles et al., IEEE TIP 2015):
where rain, leaves or water keep shining up, more is asked for.

All rates are in time and not in pictures, since pictures come every 4 s or five times a second.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longwatch.detection import planes
from longwatch.detection.planes import F32, U8

STATES = 3
MEAN_S, SPREAD_S, WEIGHT_S, FLICKER_S = 12.0, 20.0, 100.0, 45.0
"""Time constants. A parked car is part of the background after HOLDS x WEIGHT_S, about 22 s."""
HOLDS = 0.2
YOUNG_S = 30.0
"""What is younger learns a new state as if it were so old: a visitor in the first minute is no part of the background before 6.5 s have passed, however many looks fall into them."""
BASE = 5.0
"""Grey levels, by spreads and by flicker: the threshold is BASE + PER_SPREAD x spread + PER_FLICKER x flicker."""
PER_SPREAD = 2.6
PER_FLICKER = 60.0
FIRST_SPREAD = 4.0
LEAST_SPREAD, MOST_SPREAD = 0.4, 24.0
FASTEST = 0.35
SPREAD_STEPS = 10.0
"""To one grey level, as spreads are saved."""


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """apart: how far each cell lies from its first state. first: where it lies in it. at: numbers of the cells that do not, with how far they lie from the other states (asides), and whether they lie in them (hits)."""

    apart: F32
    first: NDArray[np.bool_]
    at: NDArray[np.intp]
    asides: list[F32]
    hits: list[NDArray[np.bool_]]


class Background:
    """One camera's. Grey levels in the light in which they were learnt; the caller takes out what the light has changed since."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.looks = 0
        self.age_s = 0.0
        self._means = [np.zeros(shape, np.float32) for _ in range(STATES)]
        self._weights = [np.zeros(shape, np.float32) for _ in range(STATES)]
        self._spread = np.full(shape, FIRST_SPREAD, np.float32)
        self._flicker = np.zeros(shape, np.float32)
        self._compared: _Compared | None = None

    @property
    def usual(self) -> F32:
        """What each cell looks like most of the time."""
        return self._means[0]

    @property
    def spread(self) -> F32:
        """Of each cell around its states, in grey levels (mean absolute difference, scaled to a standard deviation)."""
        return self._spread

    @property
    def flicker(self) -> F32:
        """The part of the last looks in which each cell was new, though nothing was there."""
        return self._flicker

    def begin(self, picture: F32) -> None:
        """Take the picture as it is for the background. What is known of spread and flicker stays."""
        for mean in self._means:
            mean[:] = picture
        for weight in self._weights:
            weight[:] = 0
        self._weights[0][:] = 1
        self.looks = 1
        self.age_s = 0.0

    def relight(self, gain: float, offset: float) -> None:
        """Move all states to a new light."""
        for k in range(STATES):
            self._means[k] *= np.float32(gain)
            self._means[k] += np.float32(offset)

    def compare(self, picture: F32, factor: float = 1.0) -> U8:
        """1 where a cell is new. factor: on the threshold; below 1 is more sensitive. `learn` goes on from here, once."""
        threshold = self.threshold(factor)
        apart = planes.absdiff(picture, self._means[0])
        first = apart < threshold
        new = ~first
        at = np.flatnonzero(new)  # mostly few: what the other states say is asked there alone
        seen, least = picture.ravel()[at], threshold.ravel()[at]
        asides = [np.abs(seen - mean.ravel()[at]) for mean in self._means[1:]]
        hits = [aside < least for aside in asides]
        known = np.zeros(at.size, np.bool_)
        for hit, weight in zip(hits, self._weights[1:], strict=True):
            known |= hit & (weight.ravel()[at] > HOLDS)
        new.ravel()[at[known]] = False
        self._compared = _Compared(apart, first, at, asides, hits)
        return new.view(np.uint8)

    def threshold(self, factor: float = 1.0) -> F32:
        """Grey levels by which a cell must differ from each of its states to be new."""
        return planes.sum_of(self._spread, factor * PER_SPREAD, self._flicker, factor * PER_FLICKER, factor * BASE)

    def learn(self, picture: F32, new: U8, passed_s: float, held: U8 | None) -> None:
        """Go on learning from the picture that was just compared. passed_s: since the picture before. held: 1 where something is followed; nothing is learnt there."""
        free = None if held is None else planes.not_of(held)
        early = 1 / (self.looks + 1)
        mean_rate, spread_rate = (
            max(min(1 - math.exp(-passed_s / constant), FASTEST), min(early, FASTEST))
            for constant in (MEAN_S, SPREAD_S)
        )
        weight = min(1 - math.exp(-passed_s / min(max(self.age_s, YOUNG_S), WEIGHT_S)), FASTEST)
        made, self._compared = self._compared, None
        if made is None:
            raise ValueError("learning goes on from a comparison")
        best, hit = made.apart, made.first
        first = hit.view(np.uint8)
        masks = [first.copy() if made.at.size else first]
        some = [made.at.size < first.size]
        missing = made.at.size
        for aside, near in zip(made.asides, made.hits, strict=True):
            mask = np.zeros(self.shape, np.uint8)
            if missing:
                nearest = near & ~hit.ravel()[made.at]
                here = made.at[nearest]
                mask.ravel()[here] = 1
                best.ravel()[here], hit.ravel()[here] = aside[nearest], True
                missing -= here.size
                some.append(here.size > 0)
            else:
                some.append(False)
            masks.append(mask)
        for k, mask in enumerate(masks):
            planes.nearer(mask, self._weights[k], weight, free)
            if some[k]:
                planes.nearer(picture, self._means[k], mean_rate, mask if free is None else planes.both(mask, free))
        known = hit.view(np.uint8)
        best *= np.float32(1.25)
        planes.nearer(best, self._spread, spread_rate, known if free is None else planes.both(known, free))
        planes.clip(self._spread, LEAST_SPREAD, MOST_SPREAD)
        planes.nearer(new, self._flicker, min(1 - math.exp(-passed_s / FLICKER_S), FASTEST), free)
        if missing:
            missed = planes.not_of(known) if free is None else planes.both(planes.not_of(known), free)
            planes.copied(picture, missed, self._means[-1])
            planes.copied(np.full(self.shape, weight, np.float32), missed, self._weights[-1])
        self._sort()
        self.looks += 1
        self.age_s += passed_s

    def _sort(self) -> None:
        for low, high in ((1, 2), (0, 1)):
            swap = (self._weights[high] > self._weights[low]).view(np.uint8)
            if not planes.count(swap):
                continue
            for pair in (self._means, self._weights):
                lower = pair[low].copy()
                planes.copied(pair[high], swap, pair[low])
                planes.copied(lower, swap, pair[high])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is saved: ten bytes a cell, since of the least state a whole level is enough."""
        saved: dict[str, NDArray[Any]] = {
            f"mean{k}": mean.astype(np.float16) for k, mean in enumerate(self._means[:-1])
        }
        saved[f"mean{STATES - 1}"] = _bytes(self._means[-1], 1.0)
        saved |= {f"weight{k}": _bytes(weight, 255.0) for k, weight in enumerate(self._weights)}
        return saved | {"spread": _bytes(self._spread, SPREAD_STEPS), "flicker": _bytes(self._flicker, 255.0)}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], looks: int, age_s: float = WEIGHT_S) -> Background:
        """Back from `arrays`. Raises KeyError or ValueError where they are of another form."""
        shape = arrays["spread"].shape
        if len(shape) != 2:
            raise ValueError("a background has two dimensions")
        made = cls((shape[0], shape[1]))
        made.looks, made.age_s = max(looks, 1), max(age_s, 0.0)
        for k in range(STATES):
            made._means[k] = _read(arrays[f"mean{k}"], shape, 1.0)
            made._weights[k] = _read(arrays[f"weight{k}"], shape, 255.0)
        made._spread = np.maximum(_read(arrays["spread"], shape, SPREAD_STEPS), np.float32(LEAST_SPREAD))
        made._flicker = _read(arrays["flicker"], shape, 255.0)
        return made


def _bytes(plane: F32, steps: float) -> U8:
    levels: F32 = np.clip(np.rint(plane * np.float32(steps)), 0, 255)
    return levels.astype(np.uint8)


def _read(array: NDArray[Any], shape: tuple[int, ...], steps: float) -> F32:
    if array.shape != shape:
        raise ValueError("the parts of a background differ in size")
    read = np.nan_to_num(array.astype(np.float32), nan=0.0, posinf=255.0, neginf=0.0)
    return read / np.float32(steps)
