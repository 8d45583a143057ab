"""What is held here, as the timeline tells it: worked out from the pieces whenever some come or go.

A stretch is held where it can be played: closing box, header and its fragments are here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from longwatch.fleet.engine import FleetDb
from longwatch.fleet.schema import DAY_US, held, objects, pieces, segments, streams, wide_days
from longwatch.formats.bmff.closing import Closing

JOIN_US = 60_000  # between two segments of a run: slew, and rounding


class Leaves(NamedTuple):
    """Of which segment."""

    post: int
    run: int
    sequence: int

    @property
    def where(self) -> tuple[sa.ColumnElement[bool], ...]:
        return segments.c.post == self.post, segments.c.run == self.run, segments.c.sequence == self.sequence


def stretches(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """[first, last] ranges of leaves, both ends in, joined."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def leaves_of(db: sa.Connection, which: Leaves) -> list[tuple[int, int]]:
    """Which leaves are here."""
    rows = db.execute(
        sa.select(pieces.c.first, pieces.c.last).where(
            pieces.c.post == which.post, pieces.c.run == which.run, pieces.c.sequence == which.sequence
        )
    )
    return stretches((row.first, row.last) for row in rows)


def wall_of(row: Any, closing: Closing, first: int, last: int) -> tuple[int, int]:
    """Where the fragments [first, last] (from 1) stand on the wall. row: of the segment. A second of media is a second of wall."""
    rows = closing.fragments
    start_90k = rows[0].start_90k
    from_us = row.from_us + (rows[first - 1].start_90k - start_90k) * 100 // 9
    to_us = row.to_us if last == len(rows) else row.from_us + (rows[last - 1].end_90k - start_90k) * 100 // 9
    return from_us, max(from_us, min(to_us, row.to_us))


def note_segment(
    fleet: FleetDb, db: sa.Connection, which: Leaves, closing: Closing, *, header_bytes: int | None = None
) -> None:
    """Pieces of a segment came: its counters, and what of its time is held."""
    row = db.execute(sa.select(segments).where(*which.where)).one()
    ranges = leaves_of(db, which)
    count = sum(last - first + 1 for first, last in ranges)
    size = db.execute(
        sa.select(sa.func.coalesce(sa.func.sum(pieces.c.size), 0)).where(
            pieces.c.post == which.post, pieces.c.run == which.run, pieces.c.sequence == which.sequence
        )
    ).scalar_one()
    values: dict[str, Any] = {"leaves_here": count, "bytes_here": size}
    if header_bytes is not None:
        values["header_bytes"] = header_bytes
    db.execute(sa.update(segments).where(*which.where).values(**values))
    _count(db, row.stream, (count > 0) - (row.leaves_here > 0), int(size) - row.bytes_here)
    if not ranges or ranges[0][0] != 0:
        return
    for first, last in ranges:
        if last >= 1:
            add_held(fleet, db, which.post, row.stream, which.run, *wall_of(row, closing, max(1, first), last))


def _count(db: sa.Connection, stream: int, segments_more: int, bytes_more: int) -> None:
    if segments_more or bytes_more:
        db.execute(
            sa.update(streams)
            .where(streams.c.id == stream)
            .values(segments_here=streams.c.segments_here + segments_more, bytes_here=streams.c.bytes_here + bytes_more)
        )


def add_held(fleet: FleetDb, db: sa.Connection, post: int, stream: int, run: int, from_us: int, to_us: int) -> None:
    """A stretch of a run is here: joined with what lies beside it."""
    if to_us <= from_us:
        return
    mine = (held.c.post == post, held.c.run == run)
    beside = db.execute(
        sa.select(held.c.from_us, held.c.to_us).where(
            *mine, held.c.from_us <= to_us + JOIN_US, held.c.to_us >= from_us - JOIN_US
        )
    ).all()
    if any(row.from_us <= from_us and row.to_us >= to_us for row in beside):
        return
    _drop_days(db, post, stream, from_us - JOIN_US, to_us + JOIN_US)
    if beside:
        db.execute(sa.delete(held).where(*mine, held.c.from_us.in_([row.from_us for row in beside])))
        from_us = min(from_us, *(row.from_us for row in beside))
        to_us = max(to_us, *(row.to_us for row in beside))
    values = {"post": post, "stream": stream, "from_us": from_us, "run": run, "to_us": to_us}
    db.execute(fleet.upsert(held, ("post", "stream", "from_us", "run")), values)


def closing_ref(run: int, sequence: int) -> str:
    """As `objects.ref` says it."""
    return f"closing/{run}/{sequence}"


def piece_ref(run: int, sequence: int) -> str:
    """As `objects.ref` says it: of all pieces of a segment."""
    return f"piece/{run}/{sequence}"


def drop_segment(fleet: FleetDb, db: sa.Connection, which: Leaves) -> list[tuple[bytes, str]]:
    """All pieces of a segment go, and its closing box. Gives what they were as objects: hash and ref."""
    row = db.execute(sa.select(segments).where(*which.where)).one()
    mine = (pieces.c.post == which.post, pieces.c.run == which.run, pieces.c.sequence == which.sequence)
    refs = [piece_ref(which.run, which.sequence), closing_ref(which.run, which.sequence)]
    named = sa.select(objects.c.sha256, objects.c.ref).where(objects.c.post == which.post, objects.c.ref.in_(refs))
    gone = [(bytes(sha256), ref) for sha256, ref in db.execute(named)]
    db.execute(sa.delete(pieces).where(*mine))
    values = {"closing_here": 0, "leaves_here": 0, "bytes_here": 0, "header_bytes": None}
    db.execute(sa.update(segments).where(*which.where).values(**values))
    _count(db, row.stream, -(row.leaves_here > 0), -row.bytes_here)
    _take_held(fleet, db, which.post, row.stream, which.run, row.from_us - JOIN_US, row.to_us + JOIN_US, row)
    return gone


def _take_held(
    fleet: FleetDb, db: sa.Connection, post: int, stream: int, run: int, low: int, high: int, row: Any
) -> None:
    """The segment's own stretch is held no more; what lies beside it stays."""
    mine = (held.c.post == post, held.c.run == run)
    over = db.execute(
        sa.select(held.c.from_us, held.c.to_us).where(*mine, held.c.from_us < row.to_us, held.c.to_us > row.from_us)
    ).all()
    for each in over:
        db.execute(sa.delete(held).where(*mine, held.c.from_us == each.from_us))
        for from_us, to_us in ((each.from_us, row.from_us), (row.to_us, each.to_us)):
            if from_us < to_us:
                values = {"post": post, "stream": stream, "from_us": from_us, "run": run, "to_us": to_us}
                db.execute(fleet.upsert(held, ("post", "stream", "from_us", "run")), values)
    _drop_days(db, post, stream, low, high)


def _drop_days(db: sa.Connection, post: int, stream: int, from_us: int, to_us: int) -> None:
    db.execute(
        sa.delete(wide_days).where(
            wide_days.c.post == post, wide_days.c.stream == stream,
            wide_days.c.day.between(from_us // DAY_US, to_us // DAY_US),
        )
    )  # fmt: skip


def held_leaves(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Of ranges of leaves, those of fragments: [first, last] from 1; empty where the header is not here."""
    if not ranges or ranges[0][0] != 0:
        return []
    return [(max(1, first), last) for first, last in ranges if last >= 1]
