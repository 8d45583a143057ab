"""New cells to blobs: what hangs together, is large enough for where it stands, and is a thing rather than light. Pure.

Light on the ground (headlights, a torch, a cloud's shadow) changes grey values as a thing does, but it leaves the texture beneath it in place and ends softly.
A thing hides the texture and ends sharply. So each blob is asked: how many of its cells have another gradient than the background has there, against how
many cells its outline has; and how alike are the gradients inside it before and after, whatever their strength (normalised correlation).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longwatch.detection import planes
from longwatch.detection.planes import F32, U8

MOST_BLOBS = 24
BESIDE = 4
"""Cells beside what is new that are looked at with it: as far as its gradients and means reach."""
LEAST_CELLS = 5.0
"""At a sensitivity of 0.5, in the middle of the picture; see `least_cells`."""
SHARP = 0.22
"""Of a blob's contrast: the change of gradient from cell to cell that is an edge."""
GLOWING, SOFT, SOFTISH = 0.97, 0.33, 0.4
BENDS, SOFT_RIM, SOFT_WITHIN, LEAST_GLOW, MOST_GLOW = 1 / 3, 0.45, 0.42, 30, 1000
"""A cell bends if by more than this part of the contrast. A glow that drops or flakes fall before bends in fewer cells of its rim, and of all of it, than these parts: each drop bends so
much that a mean is the drops' alone. A thing bends nearly all along its rim, and a car in its own light within. Cells: what is smaller is all rim; what is larger no spider makes, nor with flakes beside it.
"""
BEAM, BEAM_SOFT, BEAM_EDGE = 0.03, 0.2, 2.5
"""Part of the picture, and bounds of `sharp` and `edge`: what is larger, everywhere brighter and this soft is the pool of headlights that come in, by day and in a lit street too. Of seen scenes such
light has less than 1.9 of changed edge cells per cell of outline, and things 3.2 and more."""
FLOODED, DAZZLING = 0.15, 0.2
"""Part of the picture, and part of the blob that is burnt out: what is so large, and everywhere brighter, is such a pool though it be less soft (headlights into a room), or however sharply it ends where the sensor gives up."""
LEAST_EDGE = 0.35
"""Cells with a changed edge, per cell of outline."""
SAME_TEXTURE = 0.8
"""In one look; over a track less is asked for (`tracking.SAME_TEXTURE`)."""
PLAIN = 1.5
"""Levels per cell: ground with less gradient has no texture that could be the same."""
STEEPEST = 20.0
"""Levels per cell: a steeper gradient counts as one so steep, or a fence before which somebody passes would speak for all the ground that he hides."""
BURNT, BURNT_PART = 238.0, 0.5
"""Levels, and the part of a blob that is so bright: there the sensor tells nothing, and what ends there is light rather than a thing."""


@dataclass(frozen=True, slots=True)
class Blob:
    """left, top, width, height and centre in cells. contrast: mean difference from the background, in grey levels. edge: changed edge cells per cell of outline.
    texture: likeness of the gradients inside, -1..1. before, after: strength of the gradients inside, in the background and now. sharp: how sharply what is new stands out of
    what is beside it (root mean square of the Laplacian), in its contrast; bends, rim: the part of its cells, and of those at its rim, in which it does
    (BENDS), of what may be a glow. brighter: the part of its cells that are lighter than the background; burnt: that are burnt out.
    """

    left: int
    top: int
    width: int
    height: int
    x: float
    y: float
    cells: int
    contrast: float
    edge: float
    texture: float
    before: float
    after: float
    sharp: float = 1.0
    bends: float = 1.0
    rim: float = 1.0
    brighter: float = 0.5
    burnt: float = 0.0

    @property
    def is_light(self) -> bool:
        """Whether it is rather light that fell on something than something."""
        same = self.texture > SAME_TEXTURE and self.before > PLAIN and self.cells > 12
        return same or self.edge < LEAST_EDGE or self.burnt > BURNT_PART

    @property
    def is_glow(self) -> bool:
        """Whether it is something out of focus that shines in the camera's own infra-red: a spider on the lens. Everywhere brighter, and nowhere sharp."""
        return self.brighter > GLOWING and self.sharp < SOFT and self.cells > 12

    def is_wet_glow(self, *, dense: bool) -> bool:
        """The same where drops or flakes before it, or its own legs, are sharp here and there. dense: so many fall that it may be sharp on average."""
        soft = self.rim < SOFT_RIM and self.bends < SOFT_WITHIN and (dense or self.sharp < SOFTISH)
        return soft and self.brighter > GLOWING and LEAST_GLOW <= self.cells <= MOST_GLOW

    def is_pool(self, all_cells: int) -> bool:
        """Whether it is everywhere brighter and so large that a lamp throws it: soft, or larger still and less soft, or burnt out."""
        floods = self.cells > FLOODED * all_cells
        soft = self.cells > BEAM * all_cells and self.sharp < (SOFT if floods else BEAM_SOFT)
        burnt = floods and self.burnt > DAZZLING
        return self.brighter > GLOWING and ((soft and self.edge < BEAM_EDGE) or burnt)


def cleaned(new: U8) -> U8:
    """Without cells that stand alone (noise, drops), and with small holes closed."""
    if not planes.count(new):
        return new
    lonely = planes.near(new) < 4
    return planes.closed(planes.both(new, (~lonely).view(np.uint8)))


def least_cells(bottom: float, sensitivity: float) -> float:
    """How many cells a blob needs that stands at `bottom` (0 top .. 1 bottom): what is lower is nearer, and looks larger."""
    return LEAST_CELLS * (0.5 + bottom) * math.exp2(1.0 - 2.0 * sensitivity)


def blobs(new: U8, picture: F32, usual: F32, sensitivity: float, seen: F32 | None = None) -> list[Blob]:
    """The largest first, at most MOST_BLOBS. new: cleaned. picture, usual: what is seen and what usually is, in the same light. seen: the picture in its own."""
    crop = planes.around(new, BESIDE)
    if crop is None:
        return []
    field = _Field(new.shape[0], sensitivity, crop, picture[crop], usual[crop], None if seen is None else seen[crop])
    return field.blobs(new[crop])


class _Field:
    """The part of one picture in which something is new."""

    def __init__(
        self, rows: int, sensitivity: float, crop: tuple[slice, slice], picture: F32, usual: F32, seen: F32 | None
    ) -> None:
        self.rows, self.least = rows, least_cells(0.5, sensitivity)
        self.left, self.top = crop[1].start, crop[0].start
        self.picture, self.usual, self.seen = picture, usual, seen

    def blobs(self, mask: U8) -> list[Blob]:
        """What hangs together in it and is large enough."""
        _, labels, stats, centres = planes.pieces(mask)
        stats[:, :2] += (self.left, self.top)
        centres += (self.left, self.top)
        bottoms = (stats[:, 1] + stats[:, 3]) / self.rows
        areas = stats[:, 4]
        enough = areas >= (0.5 + bottoms) * self.least
        enough[0] = False
        if not enough.any():
            return []
        sums = self._sums(*self._cut(labels, mask, stats[enough]), enough)
        order = sorted(np.flatnonzero(enough), key=lambda k: (-int(areas[k]), int(k)))[:MOST_BLOBS]
        return [_blob(int(k), stats, centres, sums) for k in order]

    def _cut(
        self, labels: NDArray[np.int32], mask: U8, large: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """To where the large ones are: all that follows is asked there alone."""
        left, top = int(large[:, 0].min()) - self.left - BESIDE, int(large[:, 1].min()) - self.top - BESIDE
        right, bottom = int((large[:, 0] + large[:, 2]).max()), int((large[:, 1] + large[:, 3]).max())
        crop = (
            slice(max(top, 0), bottom - self.top + BESIDE),
            slice(max(left, 0), right - self.left + BESIDE),
        )
        self.picture, self.usual = self.picture[crop], self.usual[crop]
        self.seen = None if self.seen is None else self.seen[crop]
        return labels[crop], mask[crop].view(np.bool_)

    def _sums(
        self, labels: NDArray[np.int32], mask: NDArray[np.bool_], enough: NDArray[np.bool_]
    ) -> dict[str, NDArray[np.float64]]:
        """Sums over the cells of each blob that is large enough."""
        at = np.flatnonzero(mask)
        here = labels.ravel()[at].astype(np.intp)
        large = enough[here]
        at, here = at[large], here[large]
        count = len(enough)
        kept = np.flatnonzero(enough)
        belongs = None if kept.size == 1 else (here[:, None] == kept).astype(np.float64)

        def totals(**values: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
            """By one product of matrices: a tenth of what one sum after another costs."""
            rows = np.empty((len(values), here.size))
            for row, each in zip(rows, values.values(), strict=True):
                row[:] = each
            made = np.zeros((len(values), count))
            made[:, kept] = rows.sum(axis=1, keepdims=True) if belongs is None else rows @ belongs
            return dict(zip(values, made, strict=True))

        def those(plane: NDArray[Any]) -> NDArray[Any]:
            picked: NDArray[Any] = plane.ravel()[at]
            return picked

        apart = planes.absdiff(self.picture, self.usual)
        nx, ny, wx, wy = (those(each) for each in (*planes.gradient(self.picture), *planes.gradient(self.usual)))
        dx, dy = nx - wx, ny - wy
        changed = np.sqrt(dx * dx + dy * dy)
        edge = changed > np.maximum(those(planes.blurred(apart, 5)) * np.float32(SHARP), np.float32(1.5))
        now2, was2 = nx * nx + ny * ny, wx * wx + wy * wy
        even = np.minimum(STEEPEST**2 / (np.maximum(now2, was2) + np.float32(1e-6)), 1)
        curved = those(planes.curved(self.picture - self.usual))
        burnt = {} if self.seen is None else {"burnt": those(self.seen) > BURNT}
        sums = totals(
            contrast=those(apart), edge=edge, now2=even * now2, was2=even * was2, both=even * (nx * wx + ny * wy),
            curved2=curved * curved, brighter=those(self.picture) > those(self.usual), **burnt,
        )  # fmt: skip
        cells = np.bincount(here, minlength=count)
        if np.any((sums["brighter"] > GLOWING * cells) & (cells >= LEAST_GLOW) & (cells <= MOST_GLOW)):
            bends = np.abs(curved) > (BENDS * sums["contrast"] / np.maximum(cells, 1))[here]
            rim = those(planes.near(mask.view(np.uint8))) < 9
            sums |= totals(bends=bends, rim=rim, rim_bends=bends & rim)
        return sums


def _blob(k: int, stats: NDArray[np.int32], centres: NDArray[np.float64], sums: dict[str, NDArray[np.float64]]) -> Blob:
    left, top, width, height, cells = (int(value) for value in stats[k])
    outline = 2.0 * (width + height)
    now2, was2 = float(sums["now2"][k]), float(sums["was2"][k])
    likeness = float(sums["both"][k]) / ((now2 * was2) ** 0.5 + 1e-6)
    return Blob(
        left, top, width, height, float(centres[k][0]), float(centres[k][1]), cells,
        contrast=float(sums["contrast"][k]) / cells,
        edge=float(sums["edge"][k]) / min(outline, float(cells)),
        texture=likeness,
        before=(was2 / cells) ** 0.5,
        after=(now2 / cells) ** 0.5,
        sharp=(float(sums["curved2"][k]) / cells) ** 0.5 / (float(sums["contrast"][k]) / cells + 1e-6),
        bends=float(sums["bends"][k]) / cells if "bends" in sums else 1.0,
        rim=float(sums["rim_bends"][k]) / max(float(sums["rim"][k]), 1.0) if "rim" in sums else 1.0,
        brighter=float(sums["brighter"][k]) / cells,
        burnt=float(sums["burnt"][k]) / cells if "burnt" in sums else 0.0,
    )  # fmt: skip
