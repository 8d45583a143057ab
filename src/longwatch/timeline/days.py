"""The tiles of a day that is over, as bytes, and days laid one after another.

What `tile` says of a day, clipped to it, is all that a longer tiling says of that day; so days that are joined are the tiling of
the whole. A property test holds them against each other. They are kept in columns as a `Tiling` holds them: nothing is done for a tile alone
when a month of them is read.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterable, Sequence

from longwatch.timeline.columns import Tiling, Words, goes_on, kind_of, number_of, said_of
from longwatch.timeline.tiling import Tile
from longwatch.timeline.wide import DAY_US

MOST_TILES = 400
"""Of one day. What has more is read from its rows: a row of a table that is read by the month is to stay small."""

_TOO_MANY = 0
_PACKED = 2 if sys.byteorder == "little" else 3  # 1: a record a tile, which versions before this one made
READABLE = bytes((_PACKED,))
"""How a day begins that can be unpacked; any other is read from its rows."""
OURS = bytes((_TOO_MANY, _PACKED))
"""How a day begins that `pack` made. Any other is of another version: it is not judged, and made anew."""
_HEAD_BYTES = 3  # what it is, and how many tiles
_LONG, _SHORT = 8, 4  # bytes of a begin and of a number; of what it is


def pack(tiles: Sequence[Tile]) -> bytes:
    """The tiling of a day. Equal tiles give equal bytes."""
    if len(tiles) > MOST_TILES:
        return bytes((_TOO_MANY,))
    words: list[str] = []
    places: dict[str, int] = {}
    whats = array("I")
    for tile in tiles:
        place = 0
        if found := said_of(tile):
            text = json.dumps(found, ensure_ascii=False, separators=(",", ":"), default=dict)
            place = places.setdefault(text, len(places) + 1)
            if place > len(words):
                words.append(text)
        whats.append(kind_of(tile) | place << 16)
    begins = array("q", [tile.from_us for tile in tiles])
    columns = begins.tobytes() + array("q", map(number_of, tiles)).tobytes() + whats.tobytes()
    head = bytes((_PACKED,)) + len(tiles).to_bytes(2, "little")
    return head + columns + (f"[{','.join(words)}]".encode() if words else b"")


def unpack(days: Iterable[tuple[int, bytes]]) -> Tiling:
    """The tiling of days that follow each other, each its begin and what `pack` made of it: what goes on over midnight is one tile. Raises
    ValueError for what `pack` did not make, a day that has too many tiles among it; at once, or where it is looked at.
    """
    try:
        return _unpacked(days)
    except LookupError as error:
        raise ValueError("these are no tiles of a day") from error


def _unpacked(days: Iterable[tuple[int, bytes]]) -> Tiling:
    begins_us, numbers, whats = array("q"), array("q"), array("I")
    firsts: list[int] = []
    words: list[Words] = []
    length = end_us = 0
    for day_us, blob in days:
        count = blob[1] | blob[2] << 8
        begins_end = _HEAD_BYTES + _LONG * count
        numbers_end = begins_end + _LONG * count
        end = numbers_end + _SHORT * count
        if blob[0] != _PACKED or len(blob) < end:
            raise ValueError("these are no tiles of a day")
        begins_us.frombytes(blob[_HEAD_BYTES:begins_end])
        numbers.frombytes(blob[begins_end:numbers_end])
        whats.frombytes(blob[numbers_end:end])
        firsts.append(length)
        words.append(blob[end:])
        if length and count and goes_on(numbers, whats, firsts, words, length):  # within a day neighbours differ
            del begins_us[length], numbers[length], whats[length]
            count -= 1
        length += count
        end_us = day_us + DAY_US
    return Tiling(begins_us, numbers, whats, firsts, words, end_us)
