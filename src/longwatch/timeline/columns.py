"""A tiling in columns: thousands of tiles as three arrays, and a `Tile` made of one where somebody looks at it.

A month of a hundred cameras is twelve thousand tiles. As objects they cost twice what reading them costs, and as much again when Python
looks through them for garbage; as columns they are copied from the days that were kept (days.py), and hold nothing to look through.
"""

from __future__ import annotations

import functools
import itertools
import json
import operator
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

from longwatch.model.causes import Cause
from longwatch.model.stores import Held, Provenance
from longwatch.timeline.tiling import State, Tile
from longwatch.timeline.wide import CAUSES, CODE_OF, GONE, PENDING, POST, RECORDED

_NO_NUMBER = -1
_PLACE_SHIFT = 16
_KIND_MASK = MOST_WORDS = (1 << _PLACE_SHIFT) - 1
_CODE_MASK = 0xFF
_CODE_OF_HELD = {Held.HERE: RECORDED, Held.GONE: GONE, Held.POST: POST}
_HELD_OF_CODE = {code: held for held, code in _CODE_OF_HELD.items()}
_CONFIRMED = (None, False, True)
_NOTHING: Mapping[str, object] = {}
_new = tuple.__new__  # as in tiling.py: thousands are made at once

Words = bytes | Sequence[Any]
"""What tiles are said to be, evidence of gaps and other runs of what is recorded, from place 1 on: itself, or the JSON of it, which is
read where somebody looks."""


def kind_of(tile: Tile) -> int:
    """What it is, in sixteen bits: code | provenance << 8 | confirmed << 12."""
    if tile.state is State.PENDING:
        return PENDING
    if tile.state is State.GAP:
        assert tile.cause is not None
        return CODE_OF[tile.cause]
    assert tile.held is not None
    assert tile.provenance is not None
    return _CODE_OF_HELD[tile.held] | int(tile.provenance) << 8 | _CONFIRMED.index(tile.confirmed) << 12


def number_of(tile: Tile) -> int:
    """The run of what is recorded, or the gap's row; -1 for neither."""
    number = tile.run if tile.state is State.RECORDED else tile.gap
    return _NO_NUMBER if number is None else number


def said_of(tile: Tile) -> object:
    """Evidence of a gap, or other runs; something empty where there is neither."""
    return tile.also or tile.evidence


_Kind = tuple[State, Cause | None, Held | None, Provenance | None, bool | None, bool]


class _Kinds(dict[int, _Kind]):
    """state, cause, held, provenance, confirmed, and whether its number is a run; of each kind that was ever asked for."""

    def __missing__(self, kind: int) -> _Kind:
        code, provenance, confirmed = kind & _CODE_MASK, kind >> 8 & 0xF, kind >> 12
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


@functools.lru_cache(1024)
def _read(text: bytes) -> Sequence[Any]:
    """Evidence of gaps as dicts, other runs as tuples; the first is none at all. The same words make the same objects: nobody changes what
    a frozen row holds.
    """
    if not text:
        return (None,)
    return [None, *(tuple(item) if isinstance(item, list) else item for item in json.loads(text))]


def _tile(begin_us: int, end_us: int, what: int, number: int, said: Any) -> Tile:
    state, cause, held, provenance, confirmed, is_run = _KINDS[what & _KIND_MASK]
    fields: tuple[Any, ...]
    if is_run:
        fields = (begin_us, end_us, state, None, _NOTHING, held, provenance, number, said or (), None, confirmed)
    else:
        gap = None if number == _NO_NUMBER else number
        fields = (begin_us, end_us, state, cause, said or _NOTHING, None, None, None, (), gap, None)
    return _new(Tile, fields)


class Tiling(Sequence[Tile]):
    """Tiles that follow each other without a hole, neighbours differ. Equal to any sequence of the same tiles.

    begins_us; numbers: of the run or of the gap's row; whats: kind | place of its words << 16. words: for the tiles from each of
    `firsts` on. What another version or a damaged disk made of them raises ValueError where it is looked at.
    """

    __slots__ = ("begins_us", "end_us", "firsts", "numbers", "whats", "words")
    __hash__ = None  # type: ignore[assignment]  # equal to lists, which have none

    def __init__(
        self, begins_us: array[int], numbers: array[int], whats: array[int], firsts: list[int], words: list[Words], end_us: int
    ) -> None:  # fmt: skip
        self.begins_us = begins_us
        self.numbers = numbers
        self.whats = whats
        self.firsts = firsts
        self.words = words
        self.end_us = end_us

    @classmethod
    def of(cls, tiles: Sequence[Tile]) -> Tiling:
        """The same in columns."""
        whats = array("I")
        firsts: list[int] = []
        words: list[Words] = []
        here: list[Any] = []
        for n, tile in enumerate(tiles):
            said, place = said_of(tile), 0
            if said:
                if not here or len(here) > MOST_WORDS:
                    here = [None]
                    firsts.append(n)
                    words.append(here)
                place = len(here)
                here.append(said)
            whats.append(kind_of(tile) | place << _PLACE_SHIFT)
        begins_us = array("q", [tile.from_us for tile in tiles])
        return cls(begins_us, array("q", map(number_of, tiles)), whats, firsts, words, tiles[-1].to_us if tiles else 0)

    def __len__(self) -> int:
        return len(self.begins_us)

    @overload
    def __getitem__(self, n: int) -> Tile: ...
    @overload
    def __getitem__(self, n: slice) -> list[Tile]: ...
    def __getitem__(self, n: int | slice) -> Tile | list[Tile]:
        if isinstance(n, slice):
            return [self[m] for m in range(*n.indices(len(self)))]
        n = range(len(self))[n]
        end_us = self.begins_us[n + 1] if n + 1 < len(self) else self.end_us
        return self._made(n, self.begins_us[n], end_us, self.whats[n], self.numbers[n])

    def __iter__(self) -> Iterator[Tile]:
        ends_us = itertools.chain(itertools.islice(self.begins_us, 1, None), (self.end_us,))
        return map(self._made, itertools.count(), self.begins_us, ends_us, self.whats, self.numbers)

    def gaps(self) -> Iterator[Tile]:
        """Those of its tiles that are gaps; no other is made."""
        return (self[n] for n, what in enumerate(self.whats) if POST < what & _KIND_MASK <= _CODE_MASK)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(operator.eq, self, other))

    def __repr__(self) -> str:
        return f"Tiling({list(self)!r})"

    def _made(self, n: int, begin_us: int, end_us: int, what: int, number: int) -> Tile:
        try:
            return _tile(begin_us, end_us, what, number, self._said(n) if what > _KIND_MASK else None)
        except (LookupError, TypeError) as error:
            raise ValueError("these are no tiles of a day") from error

    def _said(self, n: int) -> Any:
        return said(self.firsts, self.words, self.whats, n)

    def clipped(self, from_us: int, to_us: int) -> Tiling:
        """What of it lies in the stretch."""
        begins_us = self.begins_us
        first = max(0, bisect_right(begins_us, from_us) - 1) if from_us < self.end_us else len(self)
        last = bisect_left(begins_us, to_us)
        begins_us = begins_us[first:last]
        if begins_us and begins_us[0] < from_us:
            begins_us[0] = from_us
        return Tiling(
            begins_us, self.numbers[first:last], self.whats[first:last], [n - first for n in self.firsts], self.words,
            min(to_us, self.end_us),
        )  # fmt: skip

    @staticmethod
    def joined(parts: Iterable[Tiling]) -> Tiling:
        """Of one stretch after another, as one: what goes on over a seam is one tile."""
        found = Tiling(array("q"), array("q"), array("I"), [], [], 0)
        for part in parts:
            if not part:
                continue
            seam = len(found)
            found.firsts += [seam + n for n in part.firsts]
            found.words += part.words
            found.begins_us += part.begins_us
            found.numbers += part.numbers
            found.whats += part.whats
            found.end_us = part.end_us
            if seam and goes_on(found.numbers, found.whats, found.firsts, found.words, seam):
                del found.begins_us[seam], found.numbers[seam], found.whats[seam]
                found.firsts = [first - (first > seam) for first in found.firsts]
        return found


def gaps_in(tiles: Sequence[Tile]) -> Iterator[Tile]:
    """Those of a tiling's tiles that are gaps."""
    return tiles.gaps() if isinstance(tiles, Tiling) else (tile for tile in tiles if tile.state is State.GAP)


def said(firsts: Sequence[int], words: Sequence[Words], whats: Sequence[int], n: int) -> Any:
    """What the n-th tile is said to be; None: nothing. Raises LookupError and ValueError."""
    place = whats[n] >> _PLACE_SHIFT
    if not place:
        return None
    of = words[bisect_right(firsts, n) - 1]
    return (_read(of) if isinstance(of, bytes) else of)[place]


def goes_on(
    numbers: Sequence[int], whats: Sequence[int], firsts: Sequence[int], words: Sequence[Words], n: int
) -> bool:
    """Whether the n-th tile differs from the one before in nothing but time. Raises LookupError and ValueError."""
    a, b = whats[n - 1], whats[n]
    if (a ^ b) & _KIND_MASK or numbers[n - 1] != numbers[n]:
        return False
    if a <= _KIND_MASK >= b:
        return True
    return bool(said(firsts, words, whats, n - 1) == said(firsts, words, whats, n))
