"""What moved where, kept for a week in hours: a grid of tenths of a second for each clock hour. Pure, and without NumPy: the server keeps it.

The grids come from a process that decodes a stranger's stream: they can say that more moved than did, and nothing else. What is kept is bounded by `HOURS` grids.
"""

from __future__ import annotations

import base64
import binascii
import json
import sys
import zlib
from array import array

from longwatch.model.watching import Moved

COLUMNS, ROWS = 64, 36
CELLS = COLUMNS * ROWS
HOURS = 7 * 24
"""So many are kept, each with what moved in it."""
MOST_TENTHS = 0xFFFF
HOUR_US = 3_600_000_000
MOST_BYTES = 2 << 20
"""Of a week, written down: each grid is a few hundred bytes where little moves, and at most 6 KB."""
_IN_AN_HOUR = 36_000
_SOME = 10
"""Tenths: a part in which less moved in an hour is one in which nothing did."""
_FORMAT = 1


class HeatHours:
    """Of one camera. Owner of its hours. `within` and `saved` may run in a thread of their own beside `add`."""

    def __init__(self) -> None:
        self._hours: dict[int, tuple[int, bytes]] = {}

    def add(self, now_us: int, looked: int, cells: bytes) -> None:
        """looked: tenths of a second looked at. cells: as `Heat.told` gives them, empty where nothing moved. Raises ValueError for a grid of another size."""
        if len(cells) not in (0, 2 * CELLS) or looked < 0:
            raise ValueError("a heat map of another size")
        hour = now_us // HOUR_US
        looked_before, packed = self._hours.get(hour, (0, b""))
        if cells:
            known, more = _unpacked(packed), _numbers(cells)
            packed = _packed(array("H", (min(_IN_AN_HOUR, a + b) for a, b in zip(known, more, strict=True))))
        self._hours[hour] = (min(_IN_AN_HOUR, looked_before + looked), packed)
        while (
            len(self._hours) > HOURS
        ):  # the farthest: a clock that begins in 1970, or ran ahead for a while, takes no more than those few hours
            del self._hours[max(self._hours, key=lambda each: abs(each - hour))]

    def within(self, now_us: int, hours: int) -> Moved:
        """What moved in the hour that is now and so many before it, less one."""
        last = now_us // HOUR_US
        tenths, often = [0] * CELLS, [0] * CELLS
        looked = looked_hours = 0
        for hour, (looked_then, packed) in list(self._hours.items()):
            if not last - hours < hour <= last:
                continue
            looked += looked_then
            looked_hours += looked_then > 0
            if packed:
                for at, value in enumerate(_unpacked(packed)):
                    if value:
                        tenths[at] += value
                        often[at] += value >= _SOME
        return Moved(COLUMNS, ROWS, looked / 10, looked_hours, tuple(each / 10 for each in tenths), tuple(often))

    def saved(self) -> bytes:
        """For `restored`."""
        hours = [
            [hour, looked, base64.b64encode(packed).decode()] for hour, (looked, packed) in list(self._hours.items())
        ]
        return json.dumps({"format": _FORMAT, "grid": [COLUMNS, ROWS], "hours": hours}).encode()

    @classmethod
    def restored(cls, data: bytes) -> HeatHours:
        """Back from `saved`. Raises ValueError for what is not of this form."""
        made = cls()
        try:
            told = json.loads(data)
            if (told["format"], told["grid"]) != (_FORMAT, [COLUMNS, ROWS]) or len(told["hours"]) > HOURS:
                raise ValueError("a heat map of another form")
            for hour, looked, text in told["hours"]:
                packed = base64.b64decode(text, validate=True)
                _unpacked(packed)
                if type(hour) is not int or type(looked) is not int or not 0 <= looked <= _IN_AN_HOUR:
                    raise ValueError("an hour of another form")
                made._hours[hour] = (looked, packed)
        except (KeyError, TypeError, binascii.Error, RecursionError, zlib.error) as error:
            raise ValueError("a heat map that cannot be read") from error
        return made


def _numbers(cells: bytes) -> array[int]:
    made = array("H", cells)
    if sys.byteorder == "big":
        made.byteswap()
    return made


def _packed(cells: array[int]) -> bytes:
    if sys.byteorder == "big":
        cells.byteswap()
    return zlib.compress(cells.tobytes(), 6)


def _unpacked(packed: bytes) -> array[int]:
    """Raises ValueError or zlib.error for what is no grid."""
    if not packed:
        return array("H", bytes(2 * CELLS))
    inflate = zlib.decompressobj()
    cells = inflate.decompress(packed, 2 * CELLS)
    if len(cells) != 2 * CELLS or inflate.decompress(inflate.unconsumed_tail, 1):
        raise ValueError("a grid of another size")
    return _numbers(cells)
