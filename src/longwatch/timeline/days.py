"""The tiles of a day that is over, as bytes, and days laid one after another.

What `tile` says of a day, clipped to it, is all that a longer tiling says of that day; so days that are joined are the tiling of
the whole. A property test holds them against each other.
"""

from __future__ import annotations

import functools
import json
import operator
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from longwatch.model.causes import Cause
from longwatch.model.stores import Held, Provenance
from longwatch.timeline.tiling import State, Tile
from longwatch.timeline.wide import CAUSES, CODE_OF, DAY_US, GONE, PENDING, POST, RECORDED

MOST_TILES = 400
"""Of one day. What has more is read from its rows: a row of a table that is read by the month is to stay small."""

_PACKED, _TOO_MANY = 1, 0
READABLE = bytes((_PACKED,))
"""How a day begins that can be unpacked; any other is read from its rows."""
_HEAD = struct.Struct("<BH")
_RECORD = struct.Struct("<QqH")  # begin in the day | kind << 40; run, or id of the gap, or none; which of the words
_KIND_SHIFT = 40
_BEGIN_MASK = (1 << _KIND_SHIFT) - 1
_NO_NUMBER = -1
_CODE_OF_HELD = {Held.HERE: RECORDED, Held.GONE: GONE, Held.POST: POST}
_HELD_OF_CODE = {code: held for held, code in _CODE_OF_HELD.items()}
_CONFIRMED = (None, False, True)
_NOTHING: Mapping[str, object] = {}
_NO_WORDS: Sequence[Any] = (None,)
_begin, _end = operator.itemgetter(0), operator.itemgetter(1)
_new = tuple.__new__  # as in tiling.py: thousands are made at once


def pack(tiles: Sequence[Tile], day_us: int) -> bytes:
    """The tiling of the day that begins at day_us. Equal tiles give equal bytes."""
    if len(tiles) > MOST_TILES:
        return bytes((_TOO_MANY,))
    records = bytearray()
    words: list[str] = []
    places: dict[str, int] = {}
    for tile in tiles:
        said: object = list(tile.also) or dict(tile.evidence)
        place = 0
        if said:
            text = _text(said)
            place = places.setdefault(text, len(places) + 1)
            if place > len(words):
                words.append(text)
        number = tile.run if tile.state is State.RECORDED else tile.gap
        number = _NO_NUMBER if number is None else number
        records += _RECORD.pack((tile.from_us - day_us) | _kind_of(tile) << _KIND_SHIFT, number, place)
    return _HEAD.pack(_PACKED, len(tiles)) + bytes(records) + (f"[{','.join(words)}]".encode() if words else b"")


def _text(said: object) -> str:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def _kind_of(tile: Tile) -> int:
    """What it is, in sixteen bits: code | provenance << 8 | confirmed << 12."""
    if tile.state is State.PENDING:
        return PENDING
    if tile.state is State.GAP:
        assert tile.cause is not None
        return CODE_OF[tile.cause]
    assert tile.held is not None
    assert tile.provenance is not None
    return _CODE_OF_HELD[tile.held] | int(tile.provenance) << 8 | _CONFIRMED.index(tile.confirmed) << 12


_Kind = tuple[State, Cause | None, Held | None, Provenance | None, bool | None, bool]


class _Kinds(dict[int, _Kind]):
    """state, cause, held, provenance, confirmed, and whether its number is a run; of each kind that was ever asked for."""

    def __missing__(self, kind: int) -> _Kind:
        code, provenance, confirmed = kind & 0xFF, kind >> 8 & 0xF, kind >> 12
        found: _Kind
        if code == PENDING and kind == code:
            found = State.PENDING, None, None, None, None, False
        elif code > POST and kind == code:
            found = State.GAP, CAUSES[code - POST - 1], None, None, None, False
        else:
            found = State.RECORDED, None, _HELD_OF_CODE[code], Provenance(provenance), _CONFIRMED[confirmed], True
        self[kind] = found
        return found


_KINDS = _Kinds()


def _words(text: bytes) -> list[Any]:
    """Evidence of gaps as dicts, other runs as tuples; the first is none at all."""
    return [None, *(tuple(item) if isinstance(item, list) else item for item in json.loads(text))]


_words_known = functools.lru_cache(1024)(
    _words
)  # the same words make the same objects: nobody changes what a frozen row holds
_SHORT_BYTES = 512


def unpack(days: Iterable[tuple[int, bytes]]) -> list[Tile]:
    """The tiling of days that follow each other, each its begin and what `pack` made of it: what goes on over midnight is one tile. Raises
    ValueError for what `pack` did not make, a day that has too many tiles among it.
    """
    try:
        return _unpacked(days)
    except (struct.error, LookupError) as error:
        raise ValueError("these are no tiles of a day") from error


def _unpacked(days: Iterable[tuple[int, bytes]]) -> list[Tile]:
    tiles: list[Tile] = []
    lay = tiles.append
    begin_us = end_us = -1
    kind = number = -1  # of the tile that is still open
    said: Any = None
    for day_us, blob in days:
        known, count = _HEAD.unpack_from(blob)
        end_of_records = _HEAD.size + count * _RECORD.size
        if known != _PACKED or len(blob) < end_of_records:
            raise ValueError("these are no tiles of a day")
        words = _NO_WORDS
        if len(blob) > end_of_records:
            text = blob[end_of_records:]
            words = (_words_known if len(text) <= _SHORT_BYTES else _words)(text)
        for word, new_number, place in _RECORD.iter_unpack(blob[_HEAD.size : end_of_records]):
            new_kind, new_said = word >> _KIND_SHIFT, words[place]
            if new_kind == kind and new_number == number and new_said == said:
                continue  # it goes on from the day before: within a day neighbours differ
            at_us = day_us + (word & _BEGIN_MASK)
            if kind >= 0:
                lay(_tile(begin_us, at_us, kind, number, said))
            begin_us, kind, number, said = at_us, new_kind, new_number, new_said
        end_us = day_us + DAY_US
    if kind >= 0:
        lay(_tile(begin_us, end_us, kind, number, said))
    return tiles


def _tile(begin_us: int, end_us: int, kind: int, number: int, said: Any) -> Tile:
    state, cause, held, provenance, confirmed, is_run = _KINDS[kind]
    fields: tuple[Any, ...]
    if is_run:
        fields = (begin_us, end_us, state, None, _NOTHING, held, provenance, number, said or (), None, confirmed)
    else:
        gap = None if number == _NO_NUMBER else number
        fields = (begin_us, end_us, state, cause, said or _NOTHING, None, None, None, (), gap, None)
    return _new(Tile, fields)


def joined(parts: Iterable[Sequence[Tile]]) -> list[Tile]:
    """Tilings of one stretch after another, as one: what goes on over a seam is one tile. Within a part neighbours differ."""
    found: list[Tile] = []
    for part in parts:
        if found and part and found[-1][2:] == part[0][2:]:
            found[-1] = found[-1]._replace(to_us=part[0].to_us)
            found += part[1:]
        else:
            found += part
    return found


def clipped(tiles: Sequence[Tile], from_us: int, to_us: int) -> list[Tile]:
    """What of a tiling lies in the stretch."""
    found = list(tiles[bisect_right(tiles, from_us, key=_end) : bisect_left(tiles, to_us, key=_begin)])
    if found and found[0].from_us < from_us:
        found[0] = found[0]._replace(from_us=from_us)
    if found and found[-1].to_us > to_us:
        found[-1] = found[-1]._replace(to_us=to_us)
    return found
