"""What may no longer be kept, or no longer fits: chosen, marked, removed, and told.

Order of precedence (SEMANTICS, "What gives way to what"): recording goes on; `max_age` is the law, and a hold that names its authority
and its own end is above it; holds, and what exports are made of; then sizes: of what a hub holds before of what it does not, oldest
first. So held footage is never taken for `max_size` or `keep_free`, and is taken for the sake of recording alone: last of all, where no
volume has room for the next minutes, and what no authority protects before what one does (docs/design/holds.md).
Nothing expires by age while time is not trusted, and more than a day at once waits for an operator or an hour of agreeing NTP.
Removal is steps D1 to D4 of docs/design/segment-lifecycle.md: mark row, unlink, flush directory, drop row; what was recorded
stays recorded, and is `gone`.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from longwatch.archive import hold_rows, names
from longwatch.archive.hold_rows import FAR_US, Held, Stretch, is_held, windows
from longwatch.archive.index import Index
from longwatch.archive.options import DAY_US, Options
from longwatch.archive.rows import hold
from longwatch.ledger import kinds
from longwatch.model.holds import Guard, Hold
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import NO_EVENT, Fate, Provenance

BATCH = 64
RECORDING = "recording"
"""Why held footage goes: there is no room to record, and nothing else to take."""
_ROOM_BYTES = 256 << 20  # for recording until retention comes again; of a small volume the fiftieth part
_ROOM_PART = 50
SEAM_US = 1_000_000
_PAGE = 2_000  # rows looked at in one step, where held ones are passed over: ticks wait for the same thread
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

    kept_back_bytes: what is above a size and stays, since it is held. overruled: holds that footage was taken from, with why.
    problem: the disk's or the index's words where it stopped half way; what was marked is finished later.
    """

    removed: int = 0
    bytes: int = 0
    unconfirmed: int = 0
    by_why: dict[str, int] = field(default_factory=dict)
    held_back: str = ""
    problem: str = ""
    decided: bool = False
    kept_back_bytes: int = 0
    overruled: list[tuple[int, str]] = field(default_factory=list)
    more: bool = False  # `mark` chose nothing yet, and is not through


@dataclass(frozen=True, slots=True)
class Removal:
    """One file that goes next. why: max_age, max_size, keep_free, no_event or recording. due_us: when, by age; None where it goes now. holds: those
    that it stands under, and that do not keep it.
    """

    key: StreamKey
    path: str
    from_us: int
    to_us: int
    bytes: int
    why: str
    due_us: int | None = None
    holds: tuple[int, ...] = ()


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

    @property
    def fate(self) -> Fate:
        """As `gone_span` has it."""
        if self.why == NO_EVENT:
            return Fate.DISCARDED
        return Fate.CONFIRMED if self.confirmed else Fate.LOST

    @property
    def is_lost(self) -> bool:
        """Nobody holds what somebody wanted."""
        return self.fate is Fate.LOST


@dataclass(frozen=True, slots=True)
class Discard:
    """Footage of a camera that was looked at, and that no event needs: [from_us, to_us) on the wall."""

    camera: str
    from_us: int
    to_us: int


_SELECT = (
    "SELECT s.id, s.stream_id, st.camera, st.name, s.run_id, r.number, b.boot, s.sequence, s.volume_id, s.wall_start_us,"
    " s.wall_duration_us, s.file_bytes, s.confirmed, coalesce(n.wall_us, s.wall_start_us)"
    " FROM segment s CROSS JOIN stream st ON st.id = s.stream_id CROSS JOIN run r ON r.id = s.run_id"
    " CROSS JOIN boot b ON b.id = r.boot_id LEFT JOIN named n ON n.segment_id = s.id WHERE s.flags & 1 AND "
)
_MARKED = _SELECT + "s.id IN (SELECT segment_id FROM removal) LIMIT 10000"  # noqa: S608  # two constants of this page


_AGREES_US, _AGREES_FOR_90K = 2_000_000, 24 * 3_600 * 90_000
"""So near the host's clock a camera's own has to place footage, and so long after the begin of a run that is believed: two clocks drift apart by seconds a day."""
_AGREES = (
    "SELECT 1 FROM run r CROSS JOIN clock c ON c.seq = (SELECT max(seq) FROM clock WHERE boot_id = r.boot_id AND boot_us <= r.start_boot_us)"
    " WHERE r.id = s.run_id AND s.start_90k - (SELECT min(at_90k) FROM placement WHERE run_id = r.id) BETWEEN 0 AND ?6"
    " AND abs(s.wall_start_us - r.start_boot_us - c.offset_us"
    " - (s.start_90k - (SELECT min(at_90k) FROM placement WHERE run_id = r.id)) * 100 / 9) <= ?5"
)
_ELSEWHERE = (
    "SELECT 1 FROM segment s WHERE s.id = ?1 AND (s.provenance = ?2 AND NOT EXISTS ("  # noqa: S608 - two constants of this page
    + _AGREES
    + ") OR EXISTS (SELECT 1 FROM named n WHERE n.segment_id = s.id)"
    " OR EXISTS (SELECT 1 FROM segment o WHERE o.stream_id = s.stream_id AND o.run_id <> s.run_id AND o.wall_start_us > ?3 - 300000000"
    " AND o.wall_start_us < ?4 AND o.wall_start_us + o.wall_duration_us > ?3))"
)


def _surely_seen(db: sqlite3.Connection, doomed: Doomed) -> bool:
    """Whether what was seen at those times was seen in this footage. Looks are placed by the host's clock as it stood: not so footage that a camera's own
    clock places elsewhere, that was moved by a correction, or that shares its time with another run.
    """
    told = (doomed.id, int(Provenance.RTCP), doomed.from_us, doomed.to_us, _AGREES_US, _AGREES_FOR_90K)
    return db.execute(_ELSEWHERE, told).fetchone() is None


class Keeper:
    """Retention of one folder. volumes: row to path. Every method but `unlink` is called on the index thread."""

    def __init__(self, index: Index, volumes: Mapping[int, Path], options: Options) -> None:
        self._index = index
        self._volumes = dict(volumes)
        self._rules = options.retention
        self._flushing = options.flushing
        self._held = Held()
        self._passed: dict[tuple[int, int], tuple[int, int]] = {}  # by volume and confirmed: up to where all is held

    def look_again(self) -> None:
        """Marks have changed: what was passed over may stand elsewhere now."""
        self._passed.clear()

    # -- D1

    def mark(
        self,
        now: RetentionTime,
        sizes: Mapping[int, tuple[int, int]],
        report: RetentionReport,
        guards: Sequence[Guard] = (),
    ) -> list[Doomed]:
        """D1: choose a batch and mark its rows. sizes: of each volume, bytes free and all. guards: what exports are made of. Empty where
        nothing must go, or, with `report.more`, where nothing was found yet.
        """
        db = self._index.connection
        self._look(db, guards, anew=not report.decided)
        if not report.decided:
            report.decided = True
            report.held_back = self._why_not_by_age(db, now)
        report.more, report.kept_back_bytes = False, 0
        batch = self._choose(db, now, sizes, report, by_age=not report.held_back, limit=BATCH)
        if batch:
            with self._index.transaction():
                db.executemany("INSERT OR REPLACE INTO removal VALUES (?, ?)", [(d.id, d.why) for d in batch])
                self._overrule(batch, report)
            self._flushing.step("D1")
        return batch

    def mark_discarded(self, looked: Discard, guards: Sequence[Guard] = ()) -> list[Doomed]:
        """D1 for what no event needs: segments that lie wholly in the stretch and that nobody holds, the oldest first. Empty: that was all."""
        db = self._index.connection
        self._look(db, guards, anew=True)
        batch: list[Doomed] = []
        for (stream,) in db.execute("SELECT id FROM stream WHERE camera = ? ORDER BY id", (looked.camera,)).fetchall():
            kept = self._held.every.get(stream, ())
            # A segment reaches beyond the stretch where it is the last that begins in it: one more is asked for.
            found = self._window(db, stream, kept, looked.from_us, looked.to_us, BATCH - len(batch) + 1, NO_EVENT)
            whole = [doomed for doomed in found if doomed.to_us <= looked.to_us and doomed.volume in self._volumes]
            batch += [doomed for doomed in whole if _surely_seen(db, doomed)]
        batch = batch[:BATCH]
        if batch:
            with self._index.transaction():
                db.executemany("INSERT OR REPLACE INTO removal VALUES (?, ?)", [(d.id, d.why) for d in batch])
            self._flushing.step("D1")
        return batch

    def _look(self, db: sqlite3.Connection, guards: Sequence[Guard], *, anew: bool) -> None:
        """Holds are read before each batch: one that was placed since counts, and one that ended too."""
        held = hold_rows.look(db, guards)
        if anew or held.every != self._held.every:
            self._passed = {}
        self._held = held

    def _overrule(self, batch: Sequence[Doomed], report: RetentionReport) -> None:
        """Before footage of a hold goes, its entry says so, once for each reason."""
        said = {(h.id, why) for h in self._held.holds for why in h.overruled}
        for doomed in batch:
            for over in self._held.over(*doomed.key, doomed.from_us, doomed.to_us):
                if (over.id, doomed.why) not in said:
                    said.add((over.id, doomed.why))
                    hold_rows.overrule(self._index, over, doomed.why, doomed.from_us)
                    report.overruled.append((over.id, doomed.why))

    def _choose(
        self,
        db: sqlite3.Connection,
        now: RetentionTime,
        sizes: Mapping[int, tuple[int, int]],
        report: RetentionReport,
        *,
        by_age: bool,
        limit: int,
    ) -> list[Doomed]:
        if by_age:
            batch = list(self._by_age(db, now.wall_us, sizes, limit))
            if batch:
                return batch
        for choose in (self._by_size, self._by_room, self._by_need):
            batch = choose(db, sizes, limit, report)
            if batch or report.more:
                return batch
        return []

    def _why_not_by_age(self, db: sqlite3.Connection, now: RetentionTime) -> str:
        due_us = 0
        for stream, age_us in self._ages(db):
            oldest = self._of_stream(db, stream, self._held.firm.get(stream, ()), FAR_US, 1, "max_age")
            if oldest:
                due_us = max(due_us, now.wall_us - age_us - oldest[0].from_us)
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

    def law(self, given: Hold) -> tuple[int | None, int | None]:
        """From when on max_age takes from a hold, and when nothing of it is left; None, None where it never does."""
        ages = [age_us for stream, age_us in self._ages(self._index.connection) if given.covers(*self._key_of(stream))]
        if given.firm or not ages:
            return None, None
        return given.from_us + min(ages), given.to_us + max(ages)

    def _key_of(self, stream: int) -> StreamKey:
        row = self._index.connection.execute("SELECT camera, name FROM stream WHERE id = ?", (stream,)).fetchone()
        return StreamKey(str(row[0]), str(row[1]))

    def _by_age(
        self, db: sqlite3.Connection, wall_us: int, sizes: Mapping[int, tuple[int, int]], limit: int
    ) -> Iterator[Doomed]:
        """The law. Only what an authority holds until a day of its own is kept."""
        for stream, age_us in self._ages(db):
            firm = self._held.firm.get(stream, ())
            for doomed in self._of_stream(db, stream, firm, wall_us - age_us, limit, "max_age"):
                if doomed.volume in sizes:
                    yield doomed
                    limit -= 1
            if limit <= 0:
                return

    def _by_size(
        self, db: sqlite3.Connection, sizes: Mapping[int, tuple[int, int]], limit: int, report: RetentionReport
    ) -> list[Doomed]:
        for camera, own in self._rules.cameras.items():
            if own.max_size_bytes is not None:
                held = db.execute(
                    "SELECT coalesce(sum(bytes), 0) FROM holding WHERE stream_id IN (SELECT id FROM stream WHERE camera = ?)",
                    (camera,),
                ).fetchone()[0]
                if held > own.max_size_bytes:
                    streams = [r[0] for r in db.execute("SELECT id FROM stream WHERE camera = ?", (camera,))]
                    batch = self._until(self._oldest_of_streams(db, streams, limit), held - own.max_size_bytes, sizes)
                    if batch:
                        return batch
                    report.kept_back_bytes += held - own.max_size_bytes
        if self._rules.max_size_bytes is not None:
            held = db.execute("SELECT coalesce(sum(bytes), 0) FROM holding").fetchone()[0]
            if held > self._rules.max_size_bytes:
                found = self._oldest_of_volumes(db, list(sizes), limit, "max_size", report)
                batch = self._until(found, held - self._rules.max_size_bytes, sizes)
                if not batch and not report.more:
                    report.kept_back_bytes += held - self._rules.max_size_bytes
                return batch
        return []

    def _by_room(
        self, db: sqlite3.Connection, sizes: Mapping[int, tuple[int, int]], limit: int, report: RetentionReport
    ) -> list[Doomed]:
        for volume, (free, size) in sizes.items():
            wanted = max(self._rules.keep_free_bytes or 0, int(size * self._rules.keep_free_fraction))
            if free < wanted:
                found = self._oldest_of_volumes(db, [volume], limit, "keep_free", report)
                batch = self._until(found, wanted - free, sizes)
                if batch or report.more:
                    return batch
                if self._held:
                    report.kept_back_bytes += wanted - free
        return []

    def _by_need(
        self, db: sqlite3.Connection, sizes: Mapping[int, tuple[int, int]], limit: int, report: RetentionReport
    ) -> list[Doomed]:
        """Recording goes on: where holds filled every volume, the oldest goes, of what no authority protects first."""
        if not self._held or not sizes:
            return []
        lacks = {volume: min(_ROOM_BYTES, size // _ROOM_PART) - free for volume, (free, size) in sizes.items()}
        if min(lacks.values()) <= 0:
            return []
        volume = min(lacks, key=lambda row: lacks[row])
        found = self._oldest_of_volumes(db, [volume], limit, RECORDING, report)
        if not found and not report.more:
            found = self._oldest_held(db, volume, limit)
        return self._until(found, lacks[volume], sizes)

    def _oldest_held(self, db: sqlite3.Connection, volume: int, limit: int) -> list[Doomed]:
        """Footage of this volume that is held, the oldest first; what is held firmly comes after all else."""
        rest: list[Doomed] = []
        for firm in (False, True):
            for stream, stretches in self._held.every.items():
                keep = () if firm else self._held.firm.get(stream, ())
                for from_us, to_us in stretches:
                    rest += self._window(db, stream, keep, _early(db, from_us), to_us, limit, RECORDING, volume)
            if rest:
                break
        return heapq.nsmallest(limit, {d.id: d for d in rest}.values(), key=lambda d: d.from_us)

    def _of_stream(
        self, db: sqlite3.Connection, stream: int, kept: Sequence[Stretch], until_us: int, limit: int, why: str
    ) -> list[Doomed]:
        """What of a stream begins before until_us and stands in none of the stretches `kept`, the oldest first."""
        found: list[Doomed] = []
        for from_us, to_us in windows(kept):
            if len(found) >= limit or from_us >= until_us:
                break
            found += self._window(db, stream, kept, from_us, min(to_us, until_us), limit - len(found), why)
        return found

    def _window(
        self,
        db: sqlite3.Connection,
        stream: int,
        kept: Sequence[Stretch],
        from_us: int,
        to_us: int,
        limit: int,
        why: str,
        volume: int | None = None,
    ) -> list[Doomed]:
        """What begins in a window and reaches into none of `kept`. A page may be held to its last row: then the next is read."""
        found: list[Doomed] = []
        after = from_us
        where = "s.stream_id = ? AND s.wall_start_us >= ? AND s.wall_start_us < ? AND s.volume_id = coalesce(?, s.volume_id)"
        while len(found) < limit:
            rows = db.execute(
                _SELECT + where + " ORDER BY s.wall_start_us LIMIT ?", (stream, after, to_us, volume, limit + 4)
            ).fetchall()
            page = [self._doomed(row, why) for row in rows]
            known = {doomed.id for doomed in found}
            new = [d for d in page if d.id not in known and not is_held(kept, d.from_us, d.to_us)]
            found += new
            if len(rows) < limit + 4 or (not new and page[-1].from_us == after):
                break
            after = page[-1].from_us
        return found[:limit]

    def _oldest_of_streams(self, db: sqlite3.Connection, streams: Sequence[int], limit: int) -> list[Doomed]:
        found = [
            doomed
            for stream in streams
            for doomed in self._of_stream(db, stream, self._held.every.get(stream, ()), FAR_US, limit, "max_size")
        ]
        return heapq.nsmallest(limit, found, key=lambda d: d.from_us)

    def _oldest_of_volumes(
        self, db: sqlite3.Connection, volumes: Sequence[int], limit: int, why: str, report: RetentionReport
    ) -> list[Doomed]:
        """What a hub holds first, then the rest, each oldest first; what is held never."""
        found = [
            doomed
            for volume in volumes
            for confirmed in (1, 0)
            for doomed in self._oldest_of_volume(db, volume, confirmed, limit, why, report)
        ]
        return heapq.nsmallest(limit, found, key=lambda d: (not d.confirmed, d.from_us))

    def _oldest_of_volume(
        self, db: sqlite3.Connection, volume: int, confirmed: int, limit: int, why: str, report: RetentionReport
    ) -> list[Doomed]:
        where = "s.volume_id = ? AND s.confirmed = ? AND (s.wall_start_us, s.id) > (?, ?) ORDER BY s.wall_start_us, s.id LIMIT ?"
        if not self._held:
            rows = db.execute(_SELECT + where, (volume, confirmed, -FAR_US, 0, limit)).fetchall()
            return [self._doomed(row, why) for row in rows]
        found: list[Doomed] = []
        after = self._passed.get((volume, confirmed), (-FAR_US, 0))
        rows = db.execute(_SELECT + where, (volume, confirmed, *after, _PAGE)).fetchall()
        for row in rows:
            if not is_held(self._held.every.get(row[1], ()), row[9], row[9] + row[10]):
                found.append(self._doomed(row, why))
                if len(found) >= limit:
                    break
            elif not found:
                self._passed[volume, confirmed] = (row[9], row[0])
        report.more = report.more or (not found and len(rows) == _PAGE)
        return found

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
        path = names.segment_path(key, str(row[6]), run_number, sequence, int(str(row[13])))
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
            told = []
            for marked in batch:
                drop_segment(db, marked.id)
                hold(db, marked.stream, marked.volume, -1, -marked.bytes)
                doomed = marked if marked.why != NO_EVENT else _to_its_end(db, marked)
                add_gone(db, doomed)
                told.append(doomed)
            tell_removed(self._index, told)
        self._flushing.step("D4")
        for doomed in batch:
            report.removed += 1
            report.bytes += doomed.bytes
            report.unconfirmed += doomed.is_lost
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

    def preview(
        self, now: RetentionTime, sizes: Mapping[int, tuple[int, int]], limit: int, guards: Sequence[Guard] = ()
    ) -> list[Removal]:
        """What goes now, then what goes next by age."""
        db = self._index.connection
        self._look(db, guards, anew=True)
        by_age, report = not self._why_not_by_age(db, now), RetentionReport()
        first = self._choose(db, now, sizes, report, by_age=by_age, limit=limit)
        listed = [self._removal(d, None) for d in first]
        seen = {d.id for d in first}
        later = []
        for stream, age_us in self._ages(db):
            firm = self._held.firm.get(stream, ())
            oldest = self._of_stream(db, stream, firm, FAR_US, limit, "max_age")
            later += [(doomed, age_us) for doomed in oldest if doomed.id not in seen]
        for doomed, age_us in heapq.nsmallest(limit - len(listed), later, key=lambda item: item[0].from_us + item[1]):
            listed.append(self._removal(doomed, doomed.from_us + age_us))
        return listed

    def _removal(self, doomed: Doomed, due_us: int | None) -> Removal:
        folder = self._volumes.get(doomed.volume, Path())
        over = tuple(h.id for h in self._held.over(*doomed.key, doomed.from_us, doomed.to_us))
        return Removal(
            doomed.key, str(folder / doomed.path), doomed.from_us, doomed.to_us, doomed.bytes, doomed.why, due_us, over
        )  # fmt: skip


def _early(db: sqlite3.Connection, from_us: int) -> int:
    """Before a moment by the length of the longest segment: what reaches into it begins after that."""
    row = db.execute("SELECT value FROM meta WHERE name = 'longest_segment_us'").fetchone()
    return from_us - (int(row[0]) if row is not None else 0) - 1


def _to_its_end(db: sqlite3.Connection, doomed: Doomed) -> Doomed:
    """The last sample of a run covers a moment that its segment does not: that goes with it, and no sliver stays recorded."""
    later = "SELECT 1 FROM segment WHERE run_id = ? AND sequence > ? LIMIT 1"
    if db.execute(later, (doomed.run, doomed.sequence)).fetchone() is not None:
        return doomed
    row = db.execute(
        "SELECT max(to_us) FROM recorded_span WHERE stream_id = ? AND run_id = ? AND to_us > ? AND to_us <= ?",
        (doomed.stream, doomed.run, doomed.to_us, doomed.to_us + SEAM_US),
    ).fetchone()
    return doomed if row[0] is None else replace(doomed, to_us=int(row[0]))


def tell_removed(index: Index, batch: Sequence[Doomed]) -> None:
    """One `segments_removed` entry for a batch: by run, exactly which segments went and why, so that what expired can be told from what
    is missing.
    """
    runs: dict[tuple[int, str], list[Doomed]] = {}
    for doomed in batch:
        runs.setdefault((doomed.run, doomed.why), []).append(doomed)
    told = []
    for (run, why), gone in sorted(runs.items()):
        boot, number = index.connection.execute(
            "SELECT b.boot, r.number FROM run r JOIN boot b ON b.id = r.boot_id WHERE r.id = ?", (run,)
        ).fetchone()
        told.append({
            "boot": boot, "run": number, "camera": gone[0].key.camera, "stream": gone[0].key.stream, "why": why,
            "sequences": stretches(d.sequence for d in gone), "segments": len(gone), "bytes": sum(d.bytes for d in gone),
            "from_us": min(d.from_us for d in gone), "to_us": max(d.to_us for d in gone),
            "unconfirmed": sum(d.is_lost for d in gone),
        })  # fmt: skip
    index.append(kinds.SEGMENTS_REMOVED, {"runs": told})


def stretches(numbers: Iterable[int]) -> list[list[int]]:
    """Numbers as [first, last] of each unbroken row of them."""
    found: list[list[int]] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


def drop_segment(db: sqlite3.Connection, segment: int) -> None:
    """Every row that speaks of a segment's bytes."""
    for table in ("removal", "fragment_table", "open_segment", "named"):
        db.execute(f"DELETE FROM {table} WHERE segment_id = ?", (segment,))  # noqa: S608  # names of our own, from this line
    db.execute("DELETE FROM segment WHERE id = ?", (segment,))


def add_gone(db: sqlite3.Connection, doomed: Doomed) -> None:
    """What was held is gone: one row for a stretch of one run, drawn out at either end."""
    first, last, from_us, to_us = doomed.sequence, doomed.sequence, doomed.from_us, doomed.to_us
    neighbours = db.execute(
        "SELECT from_us, to_us, first_sequence, last_sequence FROM gone_span WHERE run_id = ? AND fate = ?"
        " AND first_sequence IN ((SELECT max(first_sequence) FROM gone_span WHERE run_id = ? AND first_sequence < ?), ?)",
        (doomed.run, int(doomed.fate), doomed.run, doomed.sequence, doomed.sequence + 1),
    ).fetchall()
    if len(neighbours) == 1 and neighbours[0][3] + 1 == doomed.sequence and neighbours[0][0] <= from_us:
        db.execute(  # in place, as with nearly every removal: days before its end are not told anew
            "UPDATE gone_span SET to_us = max(to_us, ?), last_sequence = ? WHERE run_id = ? AND first_sequence = ?",
            (to_us, last, doomed.run, neighbours[0][2]),
        )
        return
    for other_from, other_to, other_first, other_last in neighbours:
        if other_last + 1 == doomed.sequence or other_first == doomed.sequence + 1:
            db.execute("DELETE FROM gone_span WHERE run_id = ? AND first_sequence = ?", (doomed.run, other_first))
            first, last = min(first, other_first), max(last, other_last)
            from_us, to_us = min(from_us, other_from), max(to_us, other_to)
    db.execute(
        "INSERT OR REPLACE INTO gone_span VALUES (?, ?, ?, ?, ?, ?, ?)",
        (doomed.stream, from_us, doomed.run, to_us, first, last, int(doomed.fate)),
    )


def take_back_gone(db: sqlite3.Connection, run: int, sequence: int, from_us: int, to_us: int) -> None:
    """A segment that was gone is there again, from from_us to to_us (a person put its file back): what lies beside it stays gone."""
    row = db.execute(
        "SELECT stream_id, from_us, to_us, first_sequence, last_sequence, fate FROM gone_span"
        " WHERE run_id = ? AND first_sequence <= ? ORDER BY first_sequence DESC LIMIT 1",
        (run, sequence),
    ).fetchone()
    if row is None or row[4] < sequence:
        return
    stream, gone_from_us, gone_to_us, first, last, fate = row
    db.execute("DELETE FROM gone_span WHERE run_id = ? AND first_sequence = ?", (run, first))
    pieces = (
        (gone_from_us, from_us, first, max(first, sequence - 1)),
        (to_us, gone_to_us, min(last, sequence + 1), last),
    )
    for piece_from_us, piece_to_us, piece_first, piece_last in pieces:
        if piece_from_us < piece_to_us:
            db.execute(
                "INSERT OR REPLACE INTO gone_span VALUES (?, ?, ?, ?, ?, ?, ?)",
                (stream, piece_from_us, run, piece_to_us, piece_first, piece_last, fate),
            )
