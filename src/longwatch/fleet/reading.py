"""Rows of spans, gaps, what is gone and what is held, of many streams at once: what the timeline and the wide view are made of.

Each question is a range of an index: rows that begin in the window or a day before it, and those few that are longer than a day.
"""

from __future__ import annotations

import functools
import json
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from longwatch.fleet.holding import JOIN_US
from longwatch.fleet.schema import DAY_US, gaps, gone, held, posts, runs, spans, streams
from longwatch.fleet.seams import SEAM_US
from longwatch.model.causes import Cause
from longwatch.model.holds import merged
from longwatch.model.stores import Fate, GapSpan, Provenance, RecordedSpan, discarded
from longwatch.timeline.placing import split_held

ALIVE_US = 5_000_000
"""How long after an entry its post's account may still have been behind it: an open gap is known to last up to so long before it."""

_PROVENANCE = tuple(Provenance)
_CAUSE = {str(cause): cause for cause in Cause}
_new = tuple.__new__


@functools.lru_cache(4096)
def _evidence(text: str) -> dict[str, object]:
    """The same words make the same dict: nobody changes what a frozen row holds."""
    found: dict[str, object] = json.loads(text)
    return found


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A stream, and until when it is accounted for."""

    id: int
    post: int
    name: str  # of the camera, with its post's
    stream: str
    set_up_us: int | None
    until_us: int
    longest_us: int
    first_us: int | None
    last_us: int | None
    segments_here: int
    bytes_here: int


def stream_rows(
    db: sa.Connection, which: Sequence[int] | None = None, *, posts_: Sequence[int] | None = None
) -> list[StreamRow]:
    """These, or those of some posts by their numbers, or all; by camera and name."""
    query = (
        sa.select(
            streams.c.id, streams.c.post, posts.c.id.label("of"), streams.c.camera, streams.c.name, streams.c.set_up_us, streams.c.until_us,
            streams.c.open_us, posts.c.told_us, streams.c.longest_us, streams.c.first_us, streams.c.last_us, streams.c.segments_here,
            streams.c.bytes_here,
        )
        .join_from(streams, posts, posts.c.number == streams.c.post)
        .order_by(posts.c.id, streams.c.camera, streams.c.name)
    )  # fmt: skip
    if which is not None:
        query = query.where(streams.c.id.in_(which))
    if posts_ is not None:
        query = query.where(streams.c.post.in_(posts_))
    return [
        StreamRow(
            id_, post, f"{of}.{camera}", name, set_up_us, _until(until_us, open_us, told_us), longest_us, first_us, last_us, count, size
        )
        for id_, post, of, camera, name, set_up_us, until_us, open_us, told_us, longest_us, first_us, last_us, count, size in db.execute(query)
    ]  # fmt: skip


def _until(until_us: int, open_us: int | None, told_us: int) -> int:
    """A gap that is open lasts as long as the post goes on telling of other things; one that lies ahead of footage that is not sealed
    yet says nothing of that.
    """
    if open_us is not None and open_us <= until_us + SEAM_US:
        return max(until_us, told_us - ALIVE_US)
    return until_us


@dataclass(slots=True)
class Told:
    """What is known of a stream in a window."""

    spans: list[RecordedSpan] = field(default_factory=list)
    gaps: list[GapSpan] = field(default_factory=list)


def told(
    db: sa.Connection, which: Sequence[tuple[int, int]], from_us: int, to_us: int, *, evidence: bool, media: bool = True
) -> dict[int, Told]:
    """By stream: spans, cut where what is held becomes what is not, and gaps that reach into the window, by their begin.

    which: (post, stream). evidence: of the gaps too. media: spans too.
    """
    found = {stream: Told() for _, stream in which}
    ask = functools.partial(_both, db, which, from_us, to_us)
    columns: tuple[sa.Column[Any], ...] = (gaps.c.stream, gaps.c.from_us, gaps.c.to_us, gaps.c.cause, gaps.c.id)
    rows = ask(gaps, (*columns, gaps.c.evidence) if evidence else columns, gaps.c.to_us)
    for stream, begin, end, cause, number, *text in sorted(rows, key=lambda row: (row[1], row[4])):
        known = _evidence(text[0]) if text else {}
        found[stream].gaps.append(_new(GapSpan, (begin, end, _CAUSE[cause], known, number, None)))
    here: dict[tuple[int, int], list[tuple[int, int]]] = {}
    away: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    removed = ask(gone, (gone.c.stream, gone.c.run, gone.c.from_us, gone.c.to_us, gone.c.fate), gone.c.to_us)
    discards = any(row[4] == Fate.DISCARDED for row in removed)
    if media or discards:
        for stream, run, begin, end in ask(
            held, (held.c.stream, held.c.run, held.c.from_us, held.c.to_us), held.c.to_us
        ):
            here.setdefault((stream, run), []).append((begin, end))
    for stream, run, begin, end, fate in removed:
        away.setdefault((stream, run), []).append((begin, end, fate))
    if discards:
        _add_discarded(found, here, away)
    if not media:
        return found
    columns = (spans.c.stream, spans.c.from_us, spans.c.reach_us, spans.c.provenance, spans.c.run, spans.c.to_us)
    rows = ask(spans, columns, spans.c.reach_us)
    numbers = _numbers(db, {row[4] for row in rows})
    for stream, begin, end, provenance, run, sealed_us in sorted(rows, key=lambda row: (row[1], row[4])):
        span = _new(RecordedSpan, (begin, end, numbers[run], _PROVENANCE[provenance], None, None))
        key = (stream, run)
        found[stream].spans += split_held(
            span, here.get(key, ()), away.get(key, ()), near_us=JOIN_US, covers_us=end - sealed_us
        )
    return found


def without(from_us: int, to_us: int, taken: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """What of a stretch is in none of `taken`, which is sorted and without overlaps."""
    left, at_us = [], from_us
    for begin_us, end_us in taken:
        if begin_us > at_us:
            left.append((at_us, begin_us))
        at_us = max(at_us, end_us)
    return [*left, (at_us, to_us)] if at_us < to_us else left


def _add_discarded(
    found: Mapping[int, Told],
    here: Mapping[tuple[int, int], Sequence[tuple[int, int]]],
    away: Mapping[tuple[int, int], Sequence[tuple[int, int, int]]],
) -> None:
    """Gaps that the post left by discarding, where nothing of it is held here."""
    thrown: dict[int, list[tuple[int, int]]] = {}
    for key, removed in away.items():
        for begin, end, fate in removed:
            if fate == Fate.DISCARDED:
                thrown.setdefault(key[0], []).extend(without(begin, end, merged(here.get(key, ()))))
    for stream, stretches in thrown.items():
        known = found[stream].gaps
        known += [discarded(begin, end) for begin, end in merged(stretches)]
        known.sort(key=operator.itemgetter(0))


def _numbers(db: sa.Connection, wanted: set[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    ids = sorted(wanted)
    for at in range(0, len(ids), 10_000):
        rows = db.execute(sa.select(runs.c.id, runs.c.number).where(runs.c.id.in_(ids[at : at + 10_000])))
        found.update((row[0], row[1]) for row in rows)
    return found


def _both(
    db: sa.Connection, which: Sequence[tuple[int, int]], from_us: int, to_us: int, table: sa.Table, columns: Sequence[sa.Column[Any]],
    end: sa.Column[Any],
) -> list[Any]:  # fmt: skip
    """Rows of these streams that reach into the window."""
    mine: list[sa.ColumnElement[bool]] = [table.c.stream.in_([stream for _, stream in which])]
    numbers = sorted({post for post, _ in which})
    mine.append(table.c.post == numbers[0] if len(numbers) == 1 else table.c.post.in_(numbers))
    reaches = end > from_us if not end.nullable else sa.or_(end.is_(None), end > from_us)
    length = end - table.c.from_us > sa.literal_column(str(DAY_US))
    long = length if not end.nullable else sa.or_(end.is_(None), length)
    near = sa.select(*columns).where(*mine, table.c.from_us >= from_us - DAY_US, table.c.from_us < to_us, reaches)
    far = sa.select(*columns).where(*mine, table.c.from_us < from_us - DAY_US, long, reaches)
    return [tuple(row) for row in db.execute(sa.union_all(near, far))]


def chunks(which: Sequence[Any], most: int = 5_000) -> Iterator[Sequence[Any]]:
    """So many at a time: a statement takes only so many values."""
    for at in range(0, len(which), most):
        yield which[at : at + most]
