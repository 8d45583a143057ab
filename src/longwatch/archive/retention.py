"""What may no longer be kept, or no longer fits: chosen, marked, removed, and told.

Order of precedence (SEMANTICS): `max_age` is the law; then sizes: of what a hub holds before of what it does not, oldest first.
Nothing expires by age while time is not trusted, and more than a day at once waits for an operator or an hour of agreeing NTP.
Removal is steps D1 to D4 of docs/design/segment-lifecycle.md: mark row, unlink, flush directory, drop row; what was recorded
stays recorded, and is `gone`.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from longwatch.archive import names
from longwatch.archive.index import Index
from longwatch.archive.options import DAY_US, Options
from longwatch.archive.rows import hold
from longwatch.ledger import kinds
from longwatch.model.sessions import StreamKey

BATCH = 64
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class RetentionTime:
    """What the caller knows of now. trusted: the clock was set by NTP, RTCP or a person, not guessed. agreed_for_us: how long
    NTP has agreed with it without a break. approved: an operator said yes to a large step.
    """

    wall_us: int
    trusted: bool
    agreed_for_us: int = 0
    approved: bool = False


@dataclass(slots=True)
class RetentionReport:
    """What was removed. held_back: why nothing went by age, "" where it could. unconfirmed: segments that no hub holds.

    problem: the disk's or the index's words where it stopped half way; what was marked is finished later.
    """

    removed: int = 0
    bytes: int = 0
    unconfirmed: int = 0
    by_why: dict[str, int] = field(default_factory=dict)
    held_back: str = ""
    problem: str = ""
    decided: bool = False


@dataclass(frozen=True, slots=True)
class Removal:
    """One file that goes next. why: max_age, max_size or keep_free. due_us: when, by age; None where it goes now."""

    key: StreamKey
    path: str
    from_us: int
    to_us: int
    bytes: int
    why: str
    due_us: int | None = None


@dataclass(frozen=True, slots=True)
class Doomed:
    """A segment that is marked."""

    id: int
    stream: int
    key: StreamKey
    run: int
    sequence: int
    volume: int
    path: str
    from_us: int
    to_us: int
    bytes: int
    confirmed: bool
    why: str


_SELECT = (
    "SELECT s.id, s.stream_id, st.camera, st.name, s.run_id, r.number, b.boot, s.sequence, s.volume_id, s.wall_start_us,"
    " s.wall_duration_us, s.file_bytes, s.confirmed FROM segment s CROSS JOIN stream st ON st.id = s.stream_id"
    " CROSS JOIN run r ON r.id = s.run_id CROSS JOIN boot b ON b.id = r.boot_id WHERE s.flags & 1 AND "
)
_MARKED = _SELECT + "s.id IN (SELECT segment_id FROM removal) LIMIT 10000"  # noqa: S608  # two constants of this page


class Keeper:
    """Retention of one folder. volumes: row to path. Every method but `unlink` is called on the index thread."""

    def __init__(self, index: Index, volumes: Mapping[int, Path], options: Options) -> None:
        self._index = index
        self._volumes = dict(volumes)
        self._rules = options.retention
        self._flushing = options.flushing

    # -- D1

    def mark(self, now: RetentionTime, sizes: Mapping[int, tuple[int, int]], report: RetentionReport) -> list[Doomed]:
        """D1: choose a batch and mark its rows. sizes: of each volume, bytes free and all. Empty where nothing must go."""
        db = self._index.connection
        if not report.decided:
            report.decided = True
            report.held_back = self._why_not_by_age(db, now)
        batch = self._choose(db, now, sizes, by_age=not report.held_back, limit=BATCH)
        if batch:
            with self._index.transaction():
                db.executemany("INSERT OR REPLACE INTO removal VALUES (?, ?)", [(d.id, d.why) for d in batch])
            self._flushing.step("D1")
        return batch

    def _choose(
        self,
        db: sqlite3.Connection,
        now: RetentionTime,
        sizes: Mapping[int, tuple[int, int]],
        *,
        by_age: bool,
        limit: int,
    ) -> list[Doomed]:
        if by_age:
            batch = list(self._by_age(db, now.wall_us, sizes, limit))
            if batch:
                return batch
        return self._by_size(db, sizes, limit) or self._by_room(db, sizes, limit)

    def _why_not_by_age(self, db: sqlite3.Connection, now: RetentionTime) -> str:
        due_us = 0
        for stream, age_us in self._ages(db):
            oldest = db.execute("SELECT min(wall_start_us) FROM segment WHERE stream_id = ?", (stream,)).fetchone()[0]
            if oldest is not None:
                due_us = max(due_us, now.wall_us - age_us - oldest)
        if due_us <= 0:
            return ""
        if not now.trusted:
            return "the time is not trusted: waits for NTP, a camera's clock that agrees, or an operator"
        if due_us > DAY_US and not now.approved and now.agreed_for_us < _HOUR_US:
            return "more than a day would expire at once: waits for an operator, or for an hour of agreeing NTP"
        return ""

    def _ages(self, db: sqlite3.Connection) -> Iterator[tuple[int, int]]:
        """Each stream with the strictest age that holds for it."""
        for stream, camera in db.execute("SELECT id, camera FROM stream").fetchall():
            own = self._rules.cameras.get(camera)
            ages = [age for age in (self._rules.max_age_us, own.max_age_us if own else None) if age is not None]
            if ages:
                yield stream, min(ages)

    def _by_age(
        self, db: sqlite3.Connection, wall_us: int, sizes: Mapping[int, tuple[int, int]], limit: int
    ) -> Iterator[Doomed]:
        for stream, age_us in self._ages(db):
            rows = db.execute(
                _SELECT + "s.stream_id = ? AND s.wall_start_us < ? ORDER BY s.wall_start_us LIMIT ?",
                (stream, wall_us - age_us, limit),
            )
            for row in rows.fetchall():
                if row[8] in sizes:
                    yield self._doomed(row, "max_age")
                    limit -= 1
            if limit <= 0:
                return

    def _by_size(self, db: sqlite3.Connection, sizes: Mapping[int, tuple[int, int]], limit: int) -> list[Doomed]:
        for camera, own in self._rules.cameras.items():
            if own.max_size_bytes is not None:
                held = db.execute(
                    "SELECT coalesce(sum(bytes), 0) FROM holding WHERE stream_id IN (SELECT id FROM stream WHERE camera = ?)",
                    (camera,),
                ).fetchone()[0]
                if held > own.max_size_bytes:
                    streams = [r[0] for r in db.execute("SELECT id FROM stream WHERE camera = ?", (camera,))]
                    found = self._oldest_of_streams(db, streams, limit)
                    return self._until(found, held - own.max_size_bytes, sizes)
        if self._rules.max_size_bytes is not None:
            held = db.execute("SELECT coalesce(sum(bytes), 0) FROM holding").fetchone()[0]
            if held > self._rules.max_size_bytes:
                found = self._oldest_of_volumes(db, list(sizes), limit, "max_size")
                return self._until(found, held - self._rules.max_size_bytes, sizes)
        return []

    def _by_room(self, db: sqlite3.Connection, sizes: Mapping[int, tuple[int, int]], limit: int) -> list[Doomed]:
        for volume, (free, size) in sizes.items():
            wanted = max(self._rules.keep_free_bytes or 0, int(size * self._rules.keep_free_fraction))
            if free < wanted:
                batch = self._until(self._oldest_of_volumes(db, [volume], limit, "keep_free"), wanted - free, sizes)
                if batch:
                    return batch
        return []

    def _oldest_of_streams(self, db: sqlite3.Connection, streams: Sequence[int], limit: int) -> list[Doomed]:
        found = [
            self._doomed(row, "max_size")
            for stream in streams
            for row in db.execute(
                _SELECT + "s.stream_id = ? ORDER BY s.wall_start_us LIMIT ?", (stream, limit)
            ).fetchall()
        ]
        return heapq.nsmallest(limit, found, key=lambda d: d.from_us)

    def _oldest_of_volumes(self, db: sqlite3.Connection, volumes: Sequence[int], limit: int, why: str) -> list[Doomed]:
        """What a hub holds first, then the rest, each oldest first."""
        found = [
            self._doomed(row, why)
            for volume in volumes
            for confirmed in (1, 0)
            for row in db.execute(
                _SELECT + "s.volume_id = ? AND s.confirmed = ? ORDER BY s.wall_start_us LIMIT ?",
                (volume, confirmed, limit),
            ).fetchall()
        ]
        return heapq.nsmallest(limit, found, key=lambda d: (not d.confirmed, d.from_us))

    @staticmethod
    def _until(found: Sequence[Doomed], too_much: int, sizes: Mapping[int, tuple[int, int]]) -> list[Doomed]:
        batch = []
        for doomed in found:
            if too_much <= 0:
                break
            if doomed.volume in sizes:
                batch.append(doomed)
                too_much -= doomed.bytes
        return batch

    def _doomed(self, row: Sequence[object], why: str) -> Doomed:
        key = StreamKey(str(row[2]), str(row[3]))
        number = [int(str(row[n])) for n in (0, 1, 4, 5, 7, 8, 9, 10, 11)]
        segment, stream, run, run_number, sequence, volume, start, length, size = number
        path = names.segment_path(key, str(row[6]), run_number, sequence, start)
        return Doomed(
            segment, stream, key, run, sequence, volume, path, start, start + length, size, bool(row[12]), why
        )  # fmt: skip

    # -- D2, D3

    def unlink(self, batch: Sequence[Doomed]) -> None:
        """D2 and D3, on the volume's thread: the files go, then their directories are flushed. Raises OSError."""
        folders = set()
        for doomed in batch:
            path = self._volumes[doomed.volume] / doomed.path
            self._flushing.unlink(path)
            folders.add(path.parent)
            self._flushing.step("D2")
        for folder in folders:
            if folder.is_dir():
                self._flushing.flush_directory(folder)
        self._flushing.step("D3")

    # -- D4

    def drop(self, batch: Sequence[Doomed], report: RetentionReport) -> None:
        """D4: the rows go, what they said becomes `gone`, and the ledger is told, in one transaction."""
        with self._index.transaction() as db:
            for doomed in batch:
                drop_segment(db, doomed.id)
                hold(db, doomed.stream, doomed.volume, -1, -doomed.bytes)
                add_gone(db, doomed)
            self._index.append(kinds.SEGMENTS_REMOVED, _story(batch))
        self._flushing.step("D4")
        for doomed in batch:
            report.removed += 1
            report.bytes += doomed.bytes
            report.unconfirmed += not doomed.confirmed
            report.by_why[doomed.why] = report.by_why.get(doomed.why, 0) + 1

    def finish(self) -> int:
        """What a cut left between D1 and D4: removed now. Says how many."""
        db = self._index.connection
        report = RetentionReport()
        while True:
            rows = db.execute(_MARKED).fetchall()
            whys = dict(db.execute("SELECT segment_id, why FROM removal"))
            batch = [self._doomed(row, str(whys[row[0]])) for row in rows if row[8] in self._volumes][:BATCH]
            if not batch:
                return report.removed
            self.unlink(batch)
            self.drop(batch, report)

    # -- preview

    def preview(self, now: RetentionTime, sizes: Mapping[int, tuple[int, int]], limit: int) -> list[Removal]:
        """What goes now, then what goes next by age."""
        db = self._index.connection
        by_age = not self._why_not_by_age(db, now)
        first = self._choose(db, now, sizes, by_age=by_age, limit=limit)
        listed = [_removal(d, self._volumes, None) for d in first]
        seen = {d.id for d in first}
        later = []
        for stream, age_us in self._ages(db):
            rows = db.execute(_SELECT + "s.stream_id = ? ORDER BY s.wall_start_us LIMIT ?", (stream, limit)).fetchall()
            later += [(self._doomed(row, "max_age"), age_us) for row in rows if row[0] not in seen]
        for doomed, age_us in heapq.nsmallest(limit - len(listed), later, key=lambda item: item[0].from_us + item[1]):
            listed.append(_removal(doomed, self._volumes, doomed.from_us + age_us))
        return listed


def _removal(doomed: Doomed, volumes: Mapping[int, Path], due_us: int | None) -> Removal:
    folder = volumes.get(doomed.volume, Path())
    return Removal(
        doomed.key, str(folder / doomed.path), doomed.from_us, doomed.to_us, doomed.bytes, doomed.why, due_us
    )


def _story(batch: Sequence[Doomed]) -> dict[str, object]:
    """The body of `segments_removed`: by stream, what went and why."""
    streams: dict[tuple[StreamKey, str], list[Doomed]] = {}
    for doomed in batch:
        streams.setdefault((doomed.key, doomed.why), []).append(doomed)
    return {
        "streams": [
            {
                "camera": key.camera, "stream": key.stream, "why": why, "segments": len(gone),
                "bytes": sum(d.bytes for d in gone), "from_us": min(d.from_us for d in gone),
                "to_us": max(d.to_us for d in gone), "unconfirmed": sum(not d.confirmed for d in gone),
            }
            for (key, why), gone in streams.items()
        ]
    }  # fmt: skip


def drop_segment(db: sqlite3.Connection, segment: int) -> None:
    """Every row that speaks of a segment's bytes."""
    for table in ("removal", "fragment_table", "open_segment"):
        db.execute(f"DELETE FROM {table} WHERE segment_id = ?", (segment,))  # noqa: S608  # names of our own, from this line
    db.execute("DELETE FROM segment WHERE id = ?", (segment,))


def add_gone(db: sqlite3.Connection, doomed: Doomed) -> None:
    """What was held is gone: one row for a stretch of one run, drawn out at either end."""
    first, last, from_us, to_us = doomed.sequence, doomed.sequence, doomed.from_us, doomed.to_us
    confirmed = int(doomed.confirmed)
    neighbours = db.execute(
        "SELECT from_us, to_us, first_sequence, last_sequence FROM gone_span WHERE run_id = ? AND confirmed = ?"
        " AND first_sequence IN ((SELECT max(first_sequence) FROM gone_span WHERE run_id = ? AND first_sequence < ?), ?)",
        (doomed.run, confirmed, doomed.run, doomed.sequence, doomed.sequence + 1),
    ).fetchall()
    for other_from, other_to, other_first, other_last in neighbours:
        if other_last + 1 == doomed.sequence or other_first == doomed.sequence + 1:
            db.execute("DELETE FROM gone_span WHERE run_id = ? AND first_sequence = ?", (doomed.run, other_first))
            first, last = min(first, other_first), max(last, other_last)
            from_us, to_us = min(from_us, other_from), max(to_us, other_to)
    db.execute(
        "INSERT OR REPLACE INTO gone_span VALUES (?, ?, ?, ?, ?, ?, ?)",
        (doomed.stream, from_us, doomed.run, to_us, first, last, confirmed),
    )


def take_back_gone(db: sqlite3.Connection, run: int, sequence: int, from_us: int, to_us: int) -> None:
    """A segment that was gone is there again, from from_us to to_us (a person put its file back): what lies beside it stays gone."""
    row = db.execute(
        "SELECT stream_id, from_us, to_us, first_sequence, last_sequence, confirmed FROM gone_span"
        " WHERE run_id = ? AND first_sequence <= ? ORDER BY first_sequence DESC LIMIT 1",
        (run, sequence),
    ).fetchone()
    if row is None or row[4] < sequence:
        return
    stream, gone_from_us, gone_to_us, first, last, confirmed = row
    db.execute("DELETE FROM gone_span WHERE run_id = ? AND first_sequence = ?", (run, first))
    pieces = (
        (gone_from_us, from_us, first, max(first, sequence - 1)),
        (to_us, gone_to_us, min(last, sequence + 1), last),
    )
    for piece_from_us, piece_to_us, piece_first, piece_last in pieces:
        if piece_from_us < piece_to_us:
            db.execute(
                "INSERT OR REPLACE INTO gone_span VALUES (?, ?, ?, ?, ?, ?, ?)",
                (stream, piece_from_us, run, piece_to_us, piece_first, piece_last, confirmed),
            )
