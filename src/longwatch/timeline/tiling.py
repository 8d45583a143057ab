"""Every microsecond of an interval, once: recorded, a gap with its cause, or pending.

What wins where several things are known of one moment, best first: the best placed recorded span; `pending`, after
`accounted_until`; a gap whose cause is known; a gap of cause `unknown`; what was discarded without an event; and where nothing at all is known, `never_recorded`
before the stream was set up and `unknown` after. Recorded spans beat even `pending`: after a step of the host's clock
footage may lie in what the clock now calls the future, and it is never hidden.
"""

from __future__ import annotations

import enum
import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from longwatch.model.causes import Cause
from longwatch.model.stores import GapSpan, Held, Provenance, RecordedSpan


class State(enum.StrEnum):
    """What is known of a stretch of time."""

    RECORDED = "recorded"
    GAP = "gap"
    PENDING = "pending"


_NO_EVIDENCE: Mapping[str, object] = {}
_RECORDED, _GAP = State.RECORDED, State.GAP


class Tile(NamedTuple):
    """A stretch [from_us, to_us) of one state.

    cause, evidence: of a gap. held, provenance, run: of what is recorded. also: the runs that claim the same time with
    a worse placement, playable by `run=`. gap: the id of the gap's row; None where it is derived.
    """

    from_us: int
    to_us: int
    state: State
    cause: Cause | None = None
    evidence: Mapping[str, object] = _NO_EVIDENCE
    held: Held | None = None
    provenance: Provenance | None = None
    run: int | None = None
    also: tuple[int, ...] = ()
    gap: int | None = None
    confirmed: bool | None = None


def precedence(provenance: Provenance, run: int) -> tuple[int, int]:
    """Sorts placements, the better first: by provenance, then the later run, since a step of the clock is a correction."""
    return int(provenance), -run


_T = TypeVar("_T")
_Claim = tuple[int, int, _T, int]
"""[from_us, to_us), who claims it, and its place among those who do: of equals the first wins."""

_Piece = tuple[int, int, _T, tuple[_T, ...]]
"""[from_us, to_us), who has it, and who else claims it. Plain tuples: a month of a hundred cameras makes thousands at once."""

_begin = operator.itemgetter(0)
_end = operator.itemgetter(1)


def _resolve(claims: list[_Claim[_T]], rank: Callable[[_T], tuple[int, int]]) -> list[_Piece[_T]]:
    """Claims to pieces without overlap, in order; where several overlap the lowest rank has it, the rest are the others."""
    claims.sort(key=_begin)
    if all(map(operator.le, map(_end, claims), map(_begin, itertools.islice(claims, 1, None)))):
        return [(from_us, to_us, what, ()) for from_us, to_us, what, _ in claims]  # nothing overlaps, as nearly always
    pieces: list[_Piece[_T]] = []
    active: list[_Claim[_T]] = []
    at_us = 0
    for number, claim in enumerate(claims, 1):
        if active:
            _retire(active, at_us, claim[0], rank, pieces)
        at_us, end_us, what, _ = claim
        if not active and (number == len(claims) or claims[number][0] >= end_us):
            pieces.append((at_us, end_us, what, ()))  # alone, as nearly all are
        else:
            active.append(claim)
    if active:
        _retire(active, at_us, max(claim[1] for claim in active), rank, pieces)
    return pieces


def _retire(
    active: list[_Claim[_T]], at_us: int, until_us: int, rank: Callable[[_T], tuple[int, int]], pieces: list[_Piece[_T]]
) -> None:
    """Write out the pieces of [at_us, until_us) and forget the claims that end in it."""
    while active and at_us < until_us:
        end_us = min(until_us, *(claim[1] for claim in active))
        best, *others = [claim[2] for claim in sorted(active, key=lambda claim: (rank(claim[2]), claim[3]))]
        pieces.append((at_us, end_us, best, tuple(others)))
        at_us = end_us
        active[:] = [claim for claim in active if claim[1] > at_us]


def _rank_of_span(span: RecordedSpan) -> tuple[int, int]:
    return precedence(span.provenance, span.run)


def _rank_of_gap(gap: GapSpan) -> tuple[int, int]:
    """What discarded footage left is told last: a hole that was in it has a cause of its own."""
    return (2 if gap.id is None else 1 if gap.cause is Cause.UNKNOWN else 0, 0)


def tile(
    spans: Sequence[RecordedSpan],
    gaps: Sequence[GapSpan],
    from_us: int,
    to_us: int,
    accounted_until_us: int | None,
    set_up_us: int | None,
) -> list[Tile]:
    """The tiles of [from_us, to_us): in order, each begins where the one before ends, neighbours differ.

    Any spans and gaps will do: in any order, overlapping, empty, reaching beyond the interval; an open gap lasts until
    accounted_until_us. None for accounted_until_us: nothing is accounted for yet. None for set_up_us: the stream was
    never set up. from_us >= to_us gives no tile.
    """
    if from_us >= to_us:
        return []
    known_us = from_us if accounted_until_us is None else max(from_us, min(to_us, accounted_until_us))
    covered: list[_Claim[RecordedSpan]] = []
    for order, span in enumerate(spans):
        begin_us, end_us = span.from_us, span.to_us
        if begin_us < to_us and end_us > from_us and begin_us < end_us:
            covered.append((max(from_us, begin_us), min(to_us, end_us), span, order))
    missing = _resolve(_gap_claims(gaps, from_us, known_us), _rank_of_gap)
    painter = _Painter(missing, known_us, to_us if set_up_us is None else set_up_us)
    at_us = from_us
    for piece in _resolve(covered, _rank_of_span):
        if at_us < piece[0]:
            painter.bare(at_us, piece[0])
        painter.recorded(piece)
        at_us = piece[1]
    if at_us < to_us:
        painter.bare(at_us, to_us)
    return painter.tiles


def _gap_claims(gaps: Sequence[GapSpan], from_us: int, known_us: int) -> list[_Claim[GapSpan]]:
    claims = []
    for order, gap in enumerate(gaps):
        begin_us, end_us = gap.from_us, gap.to_us
        if end_us is None or end_us > known_us:
            end_us = known_us
        if begin_us < end_us and end_us > from_us:
            claims.append((max(from_us, begin_us), end_us, gap, order))
    return claims


_new = tuple.__new__
"""A named tuple made without its own `__new__`, which costs as much again. Every field is given, in order."""


class _Painter:
    """Lays tiles one after another and joins equal neighbours."""

    def __init__(self, missing: list[_Piece[GapSpan]], known_us: int, set_up_us: int) -> None:
        self.tiles: list[Tile] = []
        self._missing = missing
        self._next = 0
        self._known_us = known_us
        self._set_up_us = set_up_us

    def recorded(self, piece: _Piece[RecordedSpan]) -> None:
        from_us, to_us, span, others = piece
        also = tuple(sorted({other.run for other in others} - {span.run})) if others else ()
        tile = _new(
            Tile,
            (from_us, to_us, _RECORDED, None, _NO_EVIDENCE, span.held, span.provenance, span.run, also, None, span.confirmed),
        )  # fmt: skip
        if self.tiles and self.tiles[-1].state is _RECORDED:
            self._lay(tile)
        else:
            self.tiles.append(tile)

    def bare(self, from_us: int, to_us: int) -> None:
        """[from_us, to_us) has no recorded span: gaps, then what follows from nothing being known, then pending."""
        missing = self._missing
        at_us = from_us
        while self._next < len(missing):
            begin_us, end_us, gap, _ = missing[self._next]
            if end_us <= at_us:
                self._next += 1
                continue
            if begin_us >= to_us:
                break
            if at_us < begin_us:
                self._derived(at_us, begin_us)
                at_us = begin_us
            end_us = min(end_us, to_us)
            tile = _new(Tile, (at_us, end_us, _GAP, gap.cause, gap.evidence, None, None, None, (), gap.id, None))
            if self.tiles and self.tiles[-1].state is _GAP:
                self._lay(tile)
            else:
                self.tiles.append(tile)
            at_us = end_us
            if at_us >= to_us:
                return
        if at_us < to_us:
            self._derived(at_us, to_us)

    def _derived(self, from_us: int, to_us: int) -> None:
        known_us = max(from_us, min(to_us, self._known_us))
        set_up_us = max(from_us, min(known_us, self._set_up_us))
        if from_us < set_up_us:
            self._lay(Tile(from_us, set_up_us, State.GAP, Cause.NEVER_RECORDED, _NO_EVIDENCE))
        if set_up_us < known_us:
            self._lay(Tile(set_up_us, known_us, State.GAP, Cause.UNKNOWN, _NO_EVIDENCE))
        if known_us < to_us:
            self._lay(Tile(known_us, to_us, State.PENDING))

    def _lay(self, new: Tile) -> None:
        """Add a tile; where it differs from its neighbour in nothing but time, the neighbour grows."""
        if self.tiles and self.tiles[-1][2:] == new[2:]:
            self.tiles[-1] = self.tiles[-1]._replace(to_us=new.to_us)
        else:
            self.tiles.append(new)
