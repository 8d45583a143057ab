"""The rows of one day's `.idx`, as columns: a whole day of a camera is looked through in the time of a few pictures. Pure.

A row is 32 bytes, little endian: wall time in us (8), offset (8), bytes (4; 0: removed), CRC-32 of the picture (4), stream (4), 0 (4).
"""

from __future__ import annotations

import operator
import struct
import sys
from array import array
from bisect import bisect_left
from typing import NamedTuple

ROW = struct.Struct("<QQIIII")
MOST_PICTURE_BYTES = 1 << 20
_LOW = 0xFFFFFFFF


class Picture(NamedTuple):
    """One picture on the shelf. at_us: wall time of its sample; stream: number of the stream it was made from."""

    at_us: int
    offset: int
    size: int
    crc: int
    stream: int


class DayIndex:
    """By time. end: how long the file of pictures is; a row that points beyond it, or that was removed, is as if it were not there.
    Never changed once made.
    """

    columns: list[array[int]]
    __slots__ = ("_at", "_end", "_kinds", "_offsets", "_sizes", "columns")

    def __init__(self, data: bytes = b"", end: int = 0, before: DayIndex | None = None) -> None:
        """data: whole rows. before: the rows that stand before them in the file."""
        cells = array("Q")
        cells.frombytes(data)
        if sys.byteorder == "big":
            cells.byteswap()
        columns: list[array[int]] = [cells[n::4] for n in range(4)]
        if before is not None:
            columns = [a + b for a, b in zip(before.columns, columns, strict=True)]
        at = columns[0]
        if not all(map(operator.le, at, at[1:])):
            order = sorted(range(len(at)), key=at.__getitem__)
            columns = [array("Q", map(column.__getitem__, order)) for column in columns]
        self.columns = columns
        self._at, self._offsets, self._sizes, self._kinds = columns
        self._end = end

    def _picture(self, n: int) -> Picture | None:
        size, crc, offset = self._sizes[n] & _LOW, self._sizes[n] >> 32, self._offsets[n]
        if not 0 < size <= MOST_PICTURE_BYTES or offset + size > self._end:
            return None
        return Picture(self._at[n], offset, size, crc, self._kinds[n] & _LOW)

    def between(self, from_us: int, to_us: int) -> list[Picture]:
        """Those of [from_us, to_us)."""
        found = map(self._picture, range(bisect_left(self._at, from_us), bisect_left(self._at, to_us)))
        return [one for one in found if one is not None]

    def by_step(self, from_us: int, to_us: int, step_us: int) -> list[Picture]:
        """The first of each step; steps lie on multiples of step_us since 1970."""
        found: list[Picture] = []
        n, last = bisect_left(self._at, from_us), bisect_left(self._at, to_us)
        while n < last:
            one = self._picture(n)
            if one is None:
                n += 1
                continue
            found.append(one)
            n = bisect_left(self._at, (one.at_us // step_us + 1) * step_us, n, last)
        return found

    def first_us(self, stream: int) -> int | None:
        """When the first picture of a stream was taken."""
        n = 0
        while True:
            try:
                n = self._kinds.index(stream, n)
            except ValueError:
                return None
            if self._picture(n) is not None:
                return self._at[n]
            n += 1

    @property
    def is_empty(self) -> bool:
        """Whether there is no picture."""
        return all(self._picture(n) is None for n in range(len(self._at)))
