"""The few calls of OpenCV that the looking is made of, with types: its own stubs know neither float32 nor scalars. Pure.

A *plane* is rows x columns of float32, a *mask* rows x columns of bytes that are 0 or 1. OpenCV runs on one thread here: the processes are the unit that is shared out.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

_cv: Final[Any] = cv2
cv2.setNumThreads(1)
_LINE: Final = 64


def shrunk(plane: NDArray[Any], width: int, height: int) -> F32:
    """The mean over each cell of a grid of this size."""
    small: NDArray[Any] = _cv.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32, copy=False)


def enlarged(plane: F32, width: int, height: int) -> F32:
    """Of a coarse grid, each cell of a finer one: between the means around it."""
    large: F32 = _cv.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
    return large


def averaged(plane: F32, width: int, height: int) -> F32:
    """As `shrunk`, by two products of matrices: a quarter of its cost where the sides do not divide, and dearer where they do."""
    rows, columns = plane.shape
    made: F32 = np.dot(np.dot(_parts(rows, height), plane), _parts(columns, width).T)
    return made


@lru_cache(maxsize=32)
def _parts(many: int, few: int) -> F32:
    """Few x many: how much of each of many equal lengths lies in each of few, the rows adding up to 1."""
    edges = np.arange(few + 1) * (many / few)
    from_, to = edges[:-1, None], edges[1:, None]
    at = np.arange(many)[None]
    inside = np.minimum(at + 1, to) - np.maximum(at, from_)
    made: F32 = (np.clip(inside, 0, None) * (few / many)).astype(np.float32)
    return made


def strength(plane: F32) -> float:
    """The sum of how far its cells lie from 0."""
    return float(_cv.norm(plane, cv2.NORM_L1))


def absdiff(a: F32, b: F32) -> F32:
    """|a - b|."""
    made: F32 = _cv.absdiff(a, b)
    return made


def clipped(plane: F32, least: float, most: float) -> F32:
    """Between two values."""
    made: F32 = np.clip(plane, np.float32(least), np.float32(most))
    return made


def sum_of(a: F32, of_a: float, b: F32, of_b: float, more: float) -> F32:
    """of_a x a + of_b x b + more."""
    made: F32 = _cv.addWeighted(a, of_a, b, of_b, more)
    return made


def blurred(plane: F32, side: int) -> F32:
    """The mean over a square."""
    made: F32 = _cv.blur(plane, (side, side), borderType=cv2.BORDER_REFLECT)
    return made


def gradient(plane: F32) -> tuple[F32, F32]:
    """To the right and down, in levels per cell (Sobel)."""
    x: F32 = _cv.Sobel(plane, cv2.CV_32F, 1, 0, scale=0.125)
    y: F32 = _cv.Sobel(plane, cv2.CV_32F, 0, 1, scale=0.125)
    return x, y


def curved(plane: F32) -> F32:
    """How sharply each cell stands out of its four neighbours (Laplacian)."""
    made: F32 = _cv.Laplacian(plane, cv2.CV_32F)
    return made


def magnitude(x: F32, y: F32) -> F32:
    """Lengths of vectors. The last bit of some depends on where the result lies in memory, so it always begins where a line of the cache does: the same pictures give the same sightings."""
    made: F32 = _cv.magnitude(x, y, _aligned(x.shape))
    return made


def _aligned(shape: tuple[int, ...]) -> F32:
    raw = np.empty(math.prod(shape) * 4 + _LINE, np.uint8)
    begin = -raw.ctypes.data % _LINE
    made: F32 = raw[begin : begin + math.prod(shape) * 4].view(np.float32).reshape(shape)
    return made


def nearer(source: F32 | U8, target: F32, part: float, where: U8 | None) -> None:
    """Move the target by this part of the way towards the source, where `where` is not 0, or everywhere."""
    _cv.accumulateWeighted(source, target, part, mask=where)


def clip(plane: F32, least: float, most: float) -> None:
    """Bring a plane between two values, in place."""
    np.clip(plane, np.float32(least), np.float32(most), out=plane)


def count(mask: U8) -> int:
    """How many cells are not 0."""
    return int(_cv.countNonZero(mask))


def not_of(mask: U8) -> U8:
    """1 where it is 0, and 0 where it is 1."""
    return mask ^ np.uint8(1)


def mean(plane: F32 | U8) -> float:
    """Of all its cells."""
    return float(_cv.mean(plane)[0])


def copied(source: F32, where: U8, target: F32) -> None:
    """Write source into target where `where` is not 0."""
    _cv.copyTo(source, where, target)


def shifted(plane: F32, dx: float, dy: float) -> F32:
    """What lies dx right of and dy below each cell comes to it; what was outside is repeated from the border."""
    height, width = plane.shape
    move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    made: F32 = _cv.warpAffine(plane, move, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return made


def spectrum(plane: F32) -> NDArray[np.complex64]:
    """Of a plane under a Hanning window: the half of it that is not the mirror of the other."""
    down, across = _turns(*plane.shape)
    half = np.dot(plane * _window(*plane.shape), across)
    made: NDArray[np.complex64] = np.dot(down, half.view(np.complex64))
    return made


def correlated(
    reference: NDArray[np.complex64], current: NDArray[np.complex64], shape: tuple[int, int]
) -> tuple[float, float, float]:
    """Phase correlation of two spectra of planes of this shape: (cells right, cells down, height of the peak 0..1) by which current lies off reference.
    As `cv2.phaseCorrelate`, which has no way to keep the spectrum of the reference: the centre of 5 x 5 cells about the peak, and their sum.
    """
    height, width = shape
    cross = current * reference.conj()
    cross *= 1 / (np.abs(cross) + np.float32(1e-12))
    down, across = _waves(*shape)
    half = np.dot(down, cross)
    peaks = np.dot(half.view(np.float32), across)
    row, column = divmod(int(peaks.argmax()), width)
    rows, columns = (row + _NEAR) % height, (column + _NEAR) % width
    near = peaks[rows[:, None], columns].astype(np.float64)
    total = float(near.sum()) or 1.0
    x, y = column + float(near.sum(axis=0) @ _NEAR) / total, row + float(near.sum(axis=1) @ _NEAR) / total
    return x - width if x > width / 2 else x, y - height if y > height / 2 else y, total


@lru_cache(maxsize=4)
def _turns(height: int, width: int) -> tuple[NDArray[np.complex64], F32]:
    """What makes half a spectrum of a plane: the way back from `_waves`, as cheap."""
    rows, columns, count = np.arange(height), np.arange(width), width // 2 + 1
    down = np.exp(-2j * np.pi * np.outer(rows, rows) / height)
    turns = np.exp(-2j * np.pi * np.outer(columns, np.arange(count)) / width)
    across = np.empty((width, 2 * count), np.float32)
    across[:, 0::2], across[:, 1::2] = turns.real, turns.imag
    return down.astype(np.complex64), across


@lru_cache(maxsize=4)
def _waves(height: int, width: int) -> tuple[NDArray[np.complex64], F32]:
    """What makes a plane of half a spectrum by two products of matrices: for planes as small as these a third of the cost of a fast transform (`numpy.fft.irfft2`)."""
    rows, columns, count = np.arange(height), np.arange(width), width // 2 + 1
    down = np.exp(2j * np.pi * np.outer(rows, rows) / height) / height
    twice = np.where((np.arange(count) == 0) | (2 * np.arange(count) == width), 1.0, 2.0)[:, None] / width
    turns = np.exp(2j * np.pi * np.outer(np.arange(count), columns) / width) * twice
    across = np.empty((2 * count, width), np.float32)
    across[0::2], across[1::2] = turns.real, -turns.imag
    return down.astype(np.complex64), across


@lru_cache(maxsize=4)
def _window(height: int, width: int) -> F32:
    made: F32 = _cv.createHanningWindow((width, height), cv2.CV_32F)
    return made


def near(mask: U8) -> U8:
    """How many of the nine cells around each are 1."""
    made: U8 = _cv.boxFilter(mask, cv2.CV_8U, (3, 3), normalize=False)
    return made


def closed(mask: U8) -> U8:
    """With holes and gaps of up to two cells filled."""
    made: U8 = _cv.morphologyEx(mask, cv2.MORPH_CLOSE, _ROUND)
    return made


def both(a: U8, b: U8) -> U8:
    """1 where both are."""
    made: U8 = _cv.bitwise_and(a, b)
    return made


def filled(mask: U8, corners: NDArray[np.int32], value: int) -> None:
    """Draw a polygon into the mask."""
    _cv.fillPoly(mask, [corners], (value,))


def around(mask: U8, beside: int) -> tuple[slice, slice] | None:
    """The rows and columns in which a mask is not 0, and so many beside them; None where it is 0 everywhere."""
    left, top, width, height = (int(side) for side in _cv.boundingRect(mask))
    if not width:
        return None
    return slice(max(top - beside, 0), top + height + beside), slice(max(left - beside, 0), left + width + beside)


def pieces(mask: U8) -> tuple[int, NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """What hangs together, diagonals included: (count with the ground, number of each cell, left top width height cells of each, centres). By blocks of 2 x 2, which is the cheapest of OpenCV's ways."""
    count, labels, stats, centres = _cv.connectedComponentsWithStatsWithAlgorithm(mask, 8, cv2.CV_32S, cv2.CCL_GRANA)
    return int(count), labels, stats, centres


_NEAR = np.arange(-2, 3)
_ROUND = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))


def apart(a: U8, b: U8) -> U8:
    """|a - b| of bytes."""
    made: U8 = _cv.absdiff(a, b)
    return made
