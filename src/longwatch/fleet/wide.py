"""Wide views over many posts: days that are over are kept packed (timeline/wide.py), the rest is read from the rows themselves.

A row of `wide_days` is nothing but what spans, gaps, removals and pieces of that day say; every change of those drops it, in its own
transaction. Where there is none the answer is the same, and only slower.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa

from longwatch.fleet.engine import FleetDb
from longwatch.fleet.reading import StreamRow, chunks, stream_rows, told
from longwatch.fleet.schema import streams, wide_days
from longwatch.timeline import Tile, tile
from longwatch.timeline.wide import DAY_US, Piece, WideRows, clipped, joined, pack, pieces_of, unpack

_AT_ONCE = 200
_SLICE_S = 0.1


def exact(db: sa.Connection, rows: Sequence[StreamRow], from_us: int, to_us: int) -> list[list[Piece]]:
    """The pieces of one stretch of many streams, from the rows that the timeline is made of."""
    return [pieces_of(tiles) for tiles in tiled(db, rows, from_us, to_us, evidence=False)]


def tiled(
    db: sa.Connection, rows: Sequence[StreamRow], from_us: int, to_us: int, *, evidence: bool
) -> Iterator[list[Tile]]:
    """The tiling of one stretch of many streams, from the same rows, in their order."""
    for some in chunks(rows):
        known = told(db, [(row.post, row.id) for row in some], from_us, to_us, evidence=evidence)
        for row in some:
            set_up_us = row.first_us if row.set_up_us is None else row.set_up_us
            mine = known[row.id]
            yield tile(mine.spans, mine.gaps, from_us, to_us, row.until_us, set_up_us)


def read_wide(
    db: sa.Connection, asked: Sequence[StreamRow | int], from_us: int, to_us: int, *, whole_quarters: bool
) -> WideRows:
    """The pieces of [from_us, to_us) of each stream; one that is not known (up to when its post is) never recorded. whole_quarters: as archive/wide_days.py."""
    first, last = from_us // DAY_US, -(-to_us // DAY_US)
    rows = [row for row in asked if isinstance(row, StreamRow)]
    packed = _packed(db, rows, first, last, whole_quarters=whole_quarters)
    parts: list[dict[int, list[Piece]]] = [{} for _ in asked]
    wanting: dict[tuple[int, int], list[int]] = {}  # by stretch: those that have to be read exactly
    for n, row in enumerate(asked):
        if isinstance(row, int):
            parts[n][first] = pieces_of(tile([], [], from_us, to_us, row, None))
            continue
        days = packed.get(row.id, {})
        for day, blob in days.items():
            if len(blob) > 1:
                parts[n][day] = unpack(blob, day * DAY_US)[1]
        for begin, end in _without(days, first, last):
            wanting.setdefault((begin, end), []).append(n)
    for (begin, end), numbers in wanting.items():
        of = [row for n in numbers if isinstance(row := asked[n], StreamRow)]
        low, high = max(from_us, begin * DAY_US), min(to_us, end * DAY_US)
        for n, pieces in zip(numbers, exact(db, of, low, high), strict=True):
            parts[n][begin] = pieces
    found = []
    for part in parts:
        pieces = joined(part[begin] for begin in sorted(part))
        found.append(clipped(pieces, from_us, to_us) if from_us % DAY_US or to_us % DAY_US else pieces)
    return WideRows(max((row.until_us for row in rows), default=0), found)


def _packed(
    db: sa.Connection, rows: Sequence[StreamRow], first: int, last: int, *, whole_quarters: bool
) -> dict[int, dict[int, bytes]]:
    """By stream and day: days that are over, and packed."""
    found: dict[int, dict[int, bytes]] = {}
    until = {row.id: row.until_us // DAY_US for row in rows}
    for some in chunks(rows):
        query = sa.select(wide_days.c.day, wide_days.c.stream, wide_days.c.pieces).where(
            wide_days.c.day >= first, wide_days.c.day < last, wide_days.c.stream.in_([row.id for row in some]),
            wide_days.c.post.in_({row.post for row in some}),
        )  # fmt: skip
        for day, stream, blob in db.execute(query):
            if day < until[stream] and (whole_quarters or not blob[0]):
                found.setdefault(stream, {})[day] = bytes(blob)
    return found


def _without(days: Mapping[int, bytes], first: int, last: int) -> Iterator[tuple[int, int]]:
    """The stretches of [first, last) that are not among the days."""
    begin = first
    for day in sorted(days):
        if day > begin:
            yield begin, day
        begin = day + 1
    if begin < last:
        yield begin, last


class WideDays:
    """Makes the rows that are wanting, the newest days first, a little at a time. Run by `FleetDb.call`, every few seconds."""

    def __init__(self, db: FleetDb) -> None:
        self._db = db
        self._next: int | None = None

    def step(self) -> bool:
        """One short transaction. False where there is nothing left to do for a while."""
        began = time.monotonic()
        with self._db.write() as db:
            rows = stream_rows(db)
            newest = max((row.until_us for row in rows), default=0) // DAY_US - 1
            oldest = db.execute(sa.select(sa.func.min(streams.c.set_up_us))).scalar()
            if newest < 0 or oldest is None:
                return False
            day = newest if self._next is None else min(newest, self._next)
            while day >= max(0, oldest // DAY_US) and time.monotonic() - began < _SLICE_S:
                if not self._make(db, rows, day):
                    day -= 1
            self._next = day if day >= oldest // DAY_US else None
        return self._next is not None

    def _make(self, db: sa.Connection, rows: Sequence[StreamRow], day: int) -> bool:
        """Some of a day's rows. False where none is wanting."""
        known = set(db.execute(sa.select(wide_days.c.stream).where(wide_days.c.day == day)).scalars())
        low, high = day * DAY_US, (day + 1) * DAY_US
        wanting = [
            row for row in rows
            if row.id not in known and row.until_us >= high and row.set_up_us is not None and row.set_up_us < high
        ][:_AT_ONCE]  # fmt: skip
        if not wanting:
            return False
        values = [
            {"post": row.post, "day": day, "stream": row.id, "pieces": pack(pieces, low)}
            for row, pieces in zip(wanting, exact(db, wanting, low, high), strict=True)
        ]
        db.execute(self._db.upsert(wide_days, ("post", "day", "stream")), values)
        return True
