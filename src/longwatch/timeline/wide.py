"""The wide view: what is known of a long stretch, a step of time at a time, so that one picture can hold a hundred cameras.

A step says the worst of what lies in it, and how much of it is absent where something is there too: a gap that is narrower
than a step is never hidden. Steps lie on multiples of their length since 1970 UTC, so that a view that is moved never flickers.

What it works on is pieces: whatever is *not* held footage, in order and without overlap; what no piece covers was recorded.
"""

from __future__ import annotations

import itertools
import math
import operator
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from longwatch.model.causes import Cause
from longwatch.model.stores import Held
from longwatch.timeline.tiling import State, Tile

PENDING, RECORDED, GONE, POST = range(4)
CAUSES = (
    Cause.NOT_SCHEDULED, Cause.POWER_PLAN, Cause.PAUSED_BY_OPERATOR, Cause.CAMERA_SWITCHED_OFF, Cause.CAMERA_UNREACHABLE,
    Cause.CAMERA_REFUSED, Cause.STREAM_STALLED, Cause.PACKETS_LOST, Cause.POST_POWER_LOST, Cause.POST_STOPPED,
    Cause.RECORDER_FAILED, Cause.STORAGE_FULL, Cause.STORAGE_FAILED, Cause.PRIVACY_PAUSE, Cause.NEVER_RECORDED, Cause.UNKNOWN,
)  # fmt: skip
CODES = ("pending", "recorded", "gone", "post", *map(str, CAUSES))
"""What a code means, by its number. Numbers stand in the index (`wide_day`): new ones come at the end, none is used again."""

CODE_OF = {cause: 4 + n for n, cause in enumerate(CAUSES)}
_WORST_FIRST = (
    Cause.STORAGE_FAILED, Cause.STORAGE_FULL, Cause.RECORDER_FAILED, Cause.UNKNOWN, Cause.CAMERA_SWITCHED_OFF,
    Cause.CAMERA_REFUSED, Cause.CAMERA_UNREACHABLE, Cause.STREAM_STALLED, Cause.POST_POWER_LOST, Cause.POST_STOPPED,
    Cause.PACKETS_LOST, Cause.PRIVACY_PAUSE, Cause.PAUSED_BY_OPERATOR, Cause.POWER_PLAN, Cause.NOT_SCHEDULED,
    Cause.NEVER_RECORDED,
)  # fmt: skip
BADNESS = (0, 1, 3, 2, *(100 - _WORST_FIRST.index(cause) for cause in CAUSES))
"""By code: of two in one step the greater is told. What was planned is less bad than what failed."""

SHARES = (1, 10, 25, 50, 75, 99)
"""Percentages: how much of a mixed step is absent, rounded up to one of these."""

_SECONDS = (1, 5, 15, 60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400)
STEPS_US = (1, 1_000, 10_000, 100_000, *(seconds * 1_000_000 for seconds in _SECONDS))
"""Lengths of a step, each a multiple of the one before, up to a day."""

DAY_US = 86_400_000_000
QUARTER_US = 900_000_000
MOST_PIECES = 400
_HEAD = struct.Struct("<B")
_PIECE = struct.Struct("<QQ")  # begin in the day; length | code << 48
_CODE_SHIFT = 48
_LENGTH_MASK = (1 << _CODE_SHIFT) - 1

Piece = tuple[int, int, int]
"""[from_us, to_us) and the code of what is there instead of footage."""


class Runs(NamedTuple):
    """Steps of one kind, run after run, in columns: a month of a hundred cameras makes thousands. begins: the step that each begins with, counted from the
    begin of the view; it ends with the next. kinds: code << 8 | share. share: where something is there too, at most so many percent of it are
    absent.
    """

    begins: list[int]
    kinds: list[int]


def _without_seams(runs: Runs) -> Runs:
    """Neighbours differ."""
    begins, kinds = runs
    if not any(map(operator.eq, kinds, itertools.islice(kinds, 1, None))):
        return runs
    first = [n == 0 or kind != kinds[n - 1] for n, kind in enumerate(kinds)]
    return Runs(list(itertools.compress(begins, first)), list(itertools.compress(kinds, first)))


def step_for(from_us: int, to_us: int, width: int) -> int:
    """The longest step that is no longer than a pixel of a view so wide."""
    pixel_us = (to_us - from_us) // max(1, width)
    return max((step for step in STEPS_US if step <= pixel_us), default=1)


def on_grid(from_us: int, to_us: int, step_us: int) -> tuple[int, int]:
    """The stretch, rounded outwards to whole steps."""
    return from_us // step_us * step_us, -(-to_us // step_us) * step_us


def pieces_of(tiles: Iterable[Tile]) -> list[Piece]:
    """What is not held footage in a tiling. Neighbours of one code are joined."""
    pieces: list[Piece] = []
    for tile in tiles:
        if tile.state is State.RECORDED:
            if tile.held is Held.HERE:
                continue
            code = GONE if tile.held is Held.GONE else POST
        elif tile.state is State.PENDING:
            code = PENDING
        else:
            assert tile.cause is not None
            code = CODE_OF[tile.cause]
        if pieces and pieces[-1][2] == code and pieces[-1][1] == tile.from_us:
            pieces[-1] = (pieces[-1][0], tile.to_us, code)
        else:
            pieces.append((tile.from_us, tile.to_us, code))
    return pieces


def joined(parts: Iterable[Sequence[Piece]]) -> list[Piece]:
    """Pieces of one stretch after another, as one list: what goes on over a seam is one piece. Within a part neighbours differ."""
    found: list[Piece] = []
    for part in parts:
        if found and part and found[-1][1] == part[0][0] and found[-1][2] == part[0][2]:
            found[-1] = (found[-1][0], part[0][1], part[0][2])
            found += part[1:]
        else:
            found += part
    return found


def clipped(pieces: Sequence[Piece], from_us: int, to_us: int) -> list[Piece]:
    """What of them lies in the stretch."""
    found = list(pieces[bisect_right(pieces, from_us, key=_end) : bisect_left(pieces, to_us, key=_begin)])
    if found:
        begin_us, end_us, code = found[0]
        found[0] = (max(begin_us, from_us), end_us, code)
        begin_us, end_us, code = found[-1]
        found[-1] = (begin_us, min(end_us, to_us), code)
    return found


_RECORDED = RECORDED << 8
_begin, _end = operator.itemgetter(0), operator.itemgetter(1)
_SHARE_OF = tuple(next((share for share in SHARES if percent <= share), SHARES[-1]) for percent in range(101))


def share_of(absent_us: int, known_us: int) -> int:
    """The percentage that is told; 0 where all that is known of it is absent, or nothing is."""
    if absent_us <= 0 or absent_us >= known_us:
        return 0
    return _SHARE_OF[-(-100 * absent_us // known_us)]


def _part(code: int, absent_us: int, pending_us: int, rest_us: int, step_us: int) -> int:
    """A step of several things: code << 8 | share. code: the worst of them, PENDING where nothing else was added; rest_us: what no piece covers."""
    if code == PENDING and rest_us:
        code = RECORDED
    return code << 8 | share_of(absent_us, step_us - pending_us)


def reduce(
    pieces: Sequence[Piece], from_us: int, to_us: int, step_us: int
) -> Runs:  # one loop: it runs for each gap of a view
    """The view of [from_us, to_us), both on the grid of step_us: runs that differ from their neighbours, the first at 0.

    A step tells the worst code of anything in it, and pending only where there is nothing else. Where part of what is known of
    it is there, share says how much is not.
    """
    begins: list[int] = []
    kinds: list[int] = []
    done = 0  # steps told
    part = -1  # the step that pieces lie in only in part, and what is known of it
    worst = absent_us = pending_us = rest_us = 0
    length_us = to_us - from_us
    for begin_us, end_us, code in pieces:
        a = begin_us - from_us if begin_us > from_us else 0
        b = end_us - from_us if end_us < to_us else length_us
        at = a // step_us
        while a < b:
            until = at * step_us + step_us
            if part != at:
                if part >= 0:
                    begins.append(part)
                    kinds.append(_part(worst, absent_us, pending_us, rest_us, step_us))
                    done, part = part + 1, -1
                if done < at:
                    begins.append(done)
                    kinds.append(_RECORDED)
                    done = at
                if b >= until and a == until - step_us:
                    begins.append(at)
                    kinds.append(code << 8)
                    done = b // step_us
                    a, at = done * step_us, done
                    continue
                part, worst, absent_us, pending_us, rest_us = at, PENDING, 0, 0, step_us
            took_us = min(b, until) - a
            rest_us -= took_us
            if code > POST or code == GONE:
                absent_us += took_us
            elif code == PENDING:
                pending_us += took_us
            if BADNESS[code] > BADNESS[worst]:
                worst = code
            a, at = until, at + 1
    if part >= 0:
        begins.append(part)
        kinds.append(_part(worst, absent_us, pending_us, rest_us, step_us))
        done = part + 1
    if done < length_us // step_us:
        begins.append(done)
        kinds.append(_RECORDED)
    return _without_seams(Runs(begins, kinds))


def quarters(pieces: Iterable[Piece]) -> list[Piece]:
    """The same a quarter of an hour at a time: in each, how long each code lasted, laid one after another. The same view at any step of
    whole quarters of an hour, and the same sums.
    """
    sums: dict[int, dict[int, int]] = {}
    found: list[Piece] = []
    for begin_us, end_us, code in pieces:
        at = begin_us
        while at < end_us:
            quarter = at // QUARTER_US
            until = min(end_us, (quarter + 1) * QUARTER_US)
            of = sums.setdefault(quarter, {})
            of[code] = of.get(code, 0) + until - at
            at = until
    for quarter in sorted(sums):
        at = quarter * QUARTER_US
        for code, length in sorted(sums[quarter].items()):
            found.append((at, at + length, code))
            at += length
    return joined([piece] for piece in found)


def pack(pieces: Sequence[Piece], day_us: int) -> bytes:
    """The pieces of the day that begins at day_us: exact, or by quarters of an hour where they are very many."""
    exact = len(pieces) <= MOST_PIECES
    numbers: list[int] = []
    for begin_us, end_us, code in pieces if exact else quarters(pieces):
        numbers += (begin_us - day_us, (end_us - begin_us) | code << _CODE_SHIFT)
    return _HEAD.pack(0 if exact else 1) + struct.pack(f"<{len(numbers)}Q", *numbers)


def unpack(blob: bytes, day_us: int) -> tuple[bool, list[Piece]]:
    """Whether they are exact, and the pieces. Raises ValueError for what `pack` did not make."""
    if len(blob) % _PIECE.size != 1 or blob[0] > 1:
        raise ValueError("these are no pieces of a day")
    return blob[0] == 0, [
        (begin + day_us, begin + day_us + (length & _LENGTH_MASK), length >> _CODE_SHIFT)
        for begin, length in _PIECE.iter_unpack(blob[1:])
    ]


class Sums(NamedTuple):
    """Microseconds of one stretch, by code; what is not in there was recorded and is held."""

    by_code: dict[int, int]
    length_us: int

    @property
    def recorded_us(self) -> int:
        return self.length_us - sum(self.by_code.values())

    @property
    def worst(self) -> Cause | None:
        """The worst cause of a gap in it."""
        code = max((code for code in self.by_code if code > POST), key=lambda code: BADNESS[code], default=None)
        return None if code is None else CAUSES[code - 4]


def summed(pieces: Sequence[Piece], edges_us: Sequence[int]) -> list[Sums]:
    """What lies between each two neighbouring edges, in order."""
    found = [Sums({}, b - a) for a, b in itertools.pairwise(edges_us)]
    n = 0
    for begin_us, end_us, code in pieces:
        at, last = max(begin_us, edges_us[0]), min(end_us, edges_us[-1])
        while at < last:
            while edges_us[n + 1] <= at:
                n += 1
            until = min(last, edges_us[n + 1])
            of = found[n].by_code
            of[code] = of.get(code, 0) + until - at
            at = until
    return found


def is_whole_quarters(*times_us: int) -> bool:
    """Whether all of them lie on quarters of an hour."""
    return math.gcd(*times_us, QUARTER_US) == QUARTER_US


@dataclass(frozen=True, slots=True)
class WideRows:
    """What is known of some streams in one stretch, as of one moment. pieces: by stream, in the order asked."""

    accounted_until_us: int
    pieces: list[list[Piece]]
