"""What a start finds and mends: steps R2 to R6 of docs/design/segment-lifecycle.md.

Reads what was open and nothing else, so that it takes the same time with ten million rows as with ten. Owner: the index
thread, before any tick.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from longwatch.archive import fragment_table, names
from longwatch.archive.clock_rows import placed_as, total_shift
from longwatch.archive.flushing import Flushing
from longwatch.archive.index import Index
from longwatch.archive.mending import Mended, WallEnd, mend_file
from longwatch.archive.ops import Heartbeat, SegmentOpen
from longwatch.archive.retention import Doomed, add_gone, drop_segment, take_back_gone
from longwatch.archive.rows import (
    GapPlace,
    close_gap,
    extend_span,
    insert_segment,
    note_longest,
    run_row,
    seal_rows,
    segment_flags,
)  # fmt: skip
from longwatch.archive.segment_files import SegmentState
from longwatch.archive.supply import last_mains
from longwatch.base.errors import LongwatchError
from longwatch.formats import bmff
from longwatch.ledger import kinds, segment_root
from longwatch.model.causes import Cause
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import FragmentRow, GapSpan, Provenance
from longwatch.model.surroundings import MainsState

_THREADS = 8
_HEADER_BYTES = 1 << 16
_TOLD_AT_ONCE = 90  # in one entry, which is at most 65,535 bytes
DAY_US = 86_400_000_000
_BEYOND_BEAT_US = 5_000_000  # a tick, and what recovery kept beyond it
_LATEST_US = 1 << 62
_LAST_ENTRIES = 300  # between a stop that was asked for and its end: the seals of all streams
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StreamTail:
    """Where a stream's story stands. accounted_to_us: the latest end of its spans and gaps; None where there are none.
    gaps: those that lead up to there, one after the other, the oldest first: later evidence may still refine them.
    """

    accounted_to_us: int | None
    span_end_us: int | None
    gaps: tuple[GapSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class RecoveredSegment:
    """A segment that recovery sealed. kept_bytes: whole and not acknowledged, kept. cut_bytes: torn, cut off."""

    key: StreamKey
    path: str
    from_us: int
    to_us: int
    kept_bytes: int
    cut_bytes: int
    adopted: bool


@dataclass(slots=True)
class RecoveryReport:
    """What a start found. fresh: a new data folder. rebuilt: the index was lost and made again from the files.

    entries_restored: of the ledger, taken from the published files.

    mains: what the ledger said last of the post's supply; None where it never did. stop_asked: number of the entry by which
    a person stopped the post, where that is how it ended.
    missing: acknowledged and not there (never, unless a disk lied or a person removed it). unusable: files that hold
    nothing whole; they stay. waiting: open segments on volumes that are absent.
    """

    fresh: bool = False
    rebuilt: bool = False
    entries_restored: int = 0
    heartbeat: Heartbeat | None = None
    orderly_stop: bool = False
    same_boot: bool = False
    mains: MainsState | None = None
    stop_asked: int | None = None
    streams: dict[StreamKey, StreamTail] = field(default_factory=dict)
    recovered: list[RecoveredSegment] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)
    waiting: int = 0
    removals_finished: int = 0
    warnings: list[str] = field(default_factory=list)
    open_us: int = 0
    recover_us: int = 0


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A file to mend: what the index knows of it. row: its segment row; 0 for an orphan."""

    row: int
    key: StreamKey
    boot: str
    run: int
    sequence: int
    volume: int
    path: Path
    header_sha256: bytes
    header_bytes: int
    rows: list[FragmentRow]
    wall_start_us: int
    start_90k: int
    wall_end: WallEnd
    provenance: Provenance
    damaged: bool
    shift_us: int = 0  # by how much it was placed anew: what the file says of itself is the time it was begun with


class Recovery:
    """One start. volumes: row of the index to path, of those that are present."""

    def __init__(self, index: Index, volumes: Mapping[int, Path], flushing: Flushing) -> None:
        self._index = index
        self._volumes = volumes
        self._flushing = flushing
        self.report = RecoveryReport()
        self._told: list[tuple[_Candidate, RecoveredSegment]] = []
        self._lost: list[_Candidate] = []

    def run(self, unclosed: Sequence[tuple[int, Path]] = ()) -> RecoveryReport:
        """All of it. unclosed: files that a rebuild found without a closing box. Raises sqlite3.Error, OSError."""
        db = self._index.connection
        self._read_heartbeat(db)
        self.report.mains = last_mains(db)
        candidates = list(self._open_segments(db))
        for volume, path in unclosed:
            self._take_in(path, volume, candidates)
        if not unclosed:
            self._orphans(db, {c.path for c in candidates}, candidates)
        with ThreadPoolExecutor(_THREADS, "recovery") as pool:
            mended = list(pool.map(self._mend, candidates))
        self._flushing.step("R4")
        self._flush(candidates)
        self._flushing.step("R5")
        self._commit(list(zip(candidates, mended, strict=True)))
        self._flushing.step("R6")
        self._tails(db)
        return self.report

    def _read_heartbeat(self, db: sqlite3.Connection) -> None:
        row = db.execute("SELECT boot, boot_us, wall_us, accounted_until_us, orderly FROM heartbeat").fetchone()
        if row is not None:
            self.report.heartbeat = Heartbeat(*row[:4])
            self.report.orderly_stop = bool(row[4])
            self.report.same_boot = row[0] == self._index.boot
            self.report.stop_asked = _stop_asked(db) if row[4] else None

    def _open_segments(self, db: sqlite3.Connection) -> Iterator[_Candidate]:
        """R2: the rows that no seal closed."""
        rows = db.execute(
            "SELECT s.id, st.camera, st.name, b.boot, r.number, s.sequence, s.volume_id, o.header_sha256, s.header_bytes,"
            " o.fragments, s.wall_start_us, s.start_90k, s.duration_90k, s.wall_duration_us, s.provenance, s.flags,"
            " coalesce(n.wall_us, s.wall_start_us)"
            " FROM open_segment o CROSS JOIN segment s ON s.id = o.segment_id CROSS JOIN stream st ON st.id = s.stream_id"
            " CROSS JOIN run r ON r.id = s.run_id CROSS JOIN boot b ON b.id = r.boot_id"
            " LEFT JOIN named n ON n.segment_id = s.id"
        ).fetchall()
        for row in rows:
            key = StreamKey(row[1], row[2])
            folder = self._volumes.get(row[6])
            if folder is None:
                self.report.waiting += 1
                continue
            path = folder / names.segment_path(key, row[3], row[4], row[5], row[16])
            yield _Candidate(
                row[0], key, row[3], row[4], row[5], row[6], path, row[7], row[8], fragment_table.unpack(row[9], row[8]),
                row[10], row[11], WallEnd(row[11] + row[12], row[10] + row[13], row[11]), Provenance(row[14]), bool(row[15] & 2),
                row[10] - row[16],
            )  # fmt: skip

    # -- orphans: files whose row was never committed

    def _take_in(self, path: Path, volume: int, candidates: list[_Candidate]) -> None:
        candidate = read_orphan(path, self._volumes[volume], volume)
        if candidate is None:
            self.report.unusable.append(str(path))
        else:
            candidates.append(candidate)

    def _orphans(self, db: sqlite3.Connection, taken: set[Path], candidates: list[_Candidate]) -> None:
        """R2: a cut between the flush and the commit leaves files of runs that had not ended, with sequences beyond their rows."""
        last = db.execute("SELECT max(number) FROM run").fetchone()[0] or 0
        unended = {
            (row[0][:8], row[1]): row[2]
            for row in db.execute(
                "SELECT b.boot, r.number, (SELECT max(sequence) FROM segment WHERE run_id = r.id)"
                " FROM run r CROSS JOIN boot b ON b.id = r.boot_id WHERE r.end_boot_us IS NULL"
            )
        }
        for volume, folder in self._volumes.items():
            for path in self._recent_files(db, folder):
                name = names.parse_name(path.name)
                if name is None or path in taken:
                    continue
                newest = unended.get((name.boot8, name.run))
                if (name.boot8, name.run) in unended:
                    wanted = newest is None or name.sequence > newest
                else:
                    wanted = name.run > last
                if wanted:
                    self._take_in(path, volume, candidates)

    def _recent_files(self, db: sqlite3.Connection, folder: Path) -> Iterator[Path]:
        """Files of the days that can hold an orphan: from the last heartbeat's day to this one, those of the open segments,
        and the newest of each stream.
        """
        days = {
            names.date_of(row[0])
            for row in db.execute(
                "SELECT coalesce(n.wall_us, s.wall_start_us) FROM open_segment o CROSS JOIN segment s ON s.id = o.segment_id"
                " LEFT JOIN named n ON n.segment_id = s.id"
            )
        }
        beat = self.report.heartbeat
        oldest = names.date_of(beat.wall_us - DAY_US // 24) if beat is not None else ""
        newest = names.date_of(beat.wall_us + DAY_US) if beat is not None else ""
        for stream in stream_folders(folder):
            dates = sorted(entry for entry in listed(stream) if names.is_date(entry))
            wanted = {date for date in dates if date in days or oldest <= date <= newest} | set(dates[-1:])
            for date in sorted(wanted):
                for name in sorted(listed(stream / date)):
                    yield stream / date / name

    def adopt(self, path: Path, volume: int) -> bool:
        """One orphan: mended, flushed, and its row committed with an entry."""
        candidates: list[_Candidate] = []
        self._take_in(path, volume, candidates)
        mended = [self._mend(candidate) for candidate in candidates]
        self._flush(candidates)
        with self._index.transaction() as db:
            for candidate, whole in zip(candidates, mended, strict=True):
                if whole is not None:
                    self._seal(db, candidate, whole)
            self._tell()
        return bool(self.report.recovered)

    # -- mending

    def _mend(self, candidate: _Candidate) -> Mended | None:
        try:
            return mend_file(
                candidate.path, candidate.header_bytes, candidate.rows, candidate.wall_end.moved(-candidate.shift_us), self._flushing,
                damaged=candidate.damaged,
            )  # fmt: skip
        except FileNotFoundError:
            self.report.missing.append(str(candidate.path))
            self._lost.append(candidate)
            return None
        except OSError as error:
            self.report.warnings.append(f"{candidate.path} could not be mended: {error}")
            return None

    def _flush(self, candidates: Sequence[_Candidate]) -> None:
        for folder in {candidate.path.parent for candidate in candidates if candidate.path.parent.is_dir()}:
            self._flushing.flush_directory(folder)

    # -- rows

    def _commit(self, found: Sequence[tuple[_Candidate, Mended | None]]) -> None:
        """R6: seals, spans, gaps and runs, with one entry, in one transaction."""
        with self._index.transaction() as db:
            for candidate, mended in found:
                if mended is not None:
                    self._seal(db, candidate, mended)
                elif candidate.row and not candidate.path.exists():
                    self._drop_missing(db, candidate)
            self._end_gaps(db)
            beat = self.report.heartbeat
            if beat is not None:
                db.execute("UPDATE run SET end_boot_us = ?, detail = 'cut' WHERE end_boot_us IS NULL", (beat.boot_us,))
            self._tell()

    def _tell(self) -> None:
        """What was open as the last tick left it, and what became of it: sealed, adopted, cut back, or not there. As many entries as it
        takes.
        """
        for first in range(0, max(len(self._told), len(self._lost)), _TOLD_AT_ONCE):
            told = self._told[first : first + _TOLD_AT_ONCE]
            self._index.append(
                kinds.SEGMENTS_RECOVERED,
                {
                    "segments": len(told), "adopted": sum(s.adopted for _, s in told),
                    "kept_bytes": sum(s.kept_bytes for _, s in told), "cut_bytes": sum(s.cut_bytes for _, s in told),
                    "runs": [
                        {**_as_left(c), "kept_bytes": s.kept_bytes, "cut_bytes": s.cut_bytes, "from_us": s.from_us, "to_us": s.to_us}
                        for c, s in told
                    ],
                    "missing": [_as_left(c) for c in self._lost[first : first + _TOLD_AT_ONCE]],
                },
            )  # fmt: skip

    def _seal(self, db: sqlite3.Connection, c: _Candidate, m: Mended) -> None:
        stream = _stream(db, c.key)
        run = run_row(db, c.boot, c.run, stream, None)
        if not m.rows and not c.row:
            self.report.unusable.append(str(c.path))
            return
        named_us, shift_us = c.wall_start_us, 0 if c.row else total_shift(db, run)
        if shift_us:  # a file of a run that was placed anew came back
            moved_us = named_us + shift_us
            c = replace(c, wall_start_us=moved_us, wall_end=c.wall_end.moved(shift_us), provenance=placed_as(db, run))
        wall_end_us = c.wall_end.of(m.rows)
        opened = SegmentOpen(0, c.key, c.run, c.sequence, c.start_90k, c.wall_start_us, c.provenance, b"")
        state = SegmentState(
            0, opened, c.boot, c.volume, c.header_sha256, c.header_bytes, m.end, m.file_bytes,
            m.rows[-1].end_90k if m.rows else c.start_90k, wall_end_us, fragment_table.pack(m.rows, c.header_bytes), len(m.rows),
            m.damaged, True, segment_root(c.header_sha256, (row.sha256 for row in m.rows)), recovered=not m.whole,
            closing_sha256=m.closing_sha256,
        )  # fmt: skip
        segment = c.row or insert_segment(db, state, stream, run, segment_flags(state))
        if shift_us:
            db.execute("INSERT INTO named VALUES (?, ?)", (segment, named_us))
        db.execute(
            "UPDATE segment SET flags = ?, fragments = ?, durable_bytes = ?, file_bytes = ?, duration_90k = ?,"
            " wall_duration_us = ? WHERE id = ?",
            (
                segment_flags(state), state.count, state.durable_bytes, state.file_bytes, state.end_90k - c.start_90k,
                max(0, wall_end_us - c.wall_start_us), segment,
            ),
        )  # fmt: skip
        note_longest(db, wall_end_us - c.wall_start_us)
        seal_rows(self._index, db, segment, state, stream)
        if m.rows:
            cover(db, stream, run, c.wall_start_us, wall_end_us, int(c.provenance))
            self._yield_gap(db, stream, c.wall_start_us)
            db.execute("UPDATE stream SET set_up_us = coalesce(set_up_us, ?) WHERE id = ?", (c.wall_start_us, stream))
            take_back_gone(db, run, c.sequence, c.wall_start_us, wall_end_us)
        sealed = RecoveredSegment(
            c.key, str(c.path), c.wall_start_us, wall_end_us, m.kept_bytes, m.cut_bytes, not c.row
        )
        self.report.recovered.append(sealed)
        self._told.append((c, sealed))
        if m.lost_bytes:
            self.report.missing.append(str(c.path))
            self._lost.append(c)

    def _yield_gap(self, db: sqlite3.Connection, stream: int, from_us: int) -> None:
        """An open gap ends where media, whose rows the cut took, began."""
        for gap, start in db.execute(
            "SELECT id, from_us FROM gap WHERE stream_id = ? AND to_us IS NULL AND from_us <= ?", (stream, from_us)
        ).fetchall():
            close_gap(self._index, db, GapPlace(gap, stream, start), from_us)

    def _drop_missing(self, db: sqlite3.Connection, c: _Candidate) -> None:
        """The file of an open segment is not there (a person removed it): its row would point at nothing. What was recorded
        is gone, and not here.
        """
        stream = _stream(db, c.key)
        doomed = Doomed(
            c.row, stream, c.key, run_row(db, c.boot, c.run, stream, None), c.sequence, c.volume, str(c.path),
            c.wall_start_us, c.wall_end.of(c.rows), 0, confirmed=False, why="missing",
        )  # fmt: skip
        drop_segment(db, c.row)
        if doomed.to_us > doomed.from_us:
            add_gone(db, doomed)

    def _end_gaps(self, db: sqlite3.Connection) -> None:
        """Gaps left open end where the last recorder had accounted to; their tokens died with it."""
        if self.report.heartbeat is None:
            return
        until_us = self.report.heartbeat.accounted_until_us
        rows = db.execute("SELECT id, stream_id, from_us FROM gap WHERE to_us IS NULL").fetchall()
        for gap, stream, from_us in rows:
            close_gap(self._index, db, GapPlace(gap, stream, from_us), until_us)

    def _tails(self, db: sqlite3.Connection) -> None:
        """Where each stream's account stands. What lies beyond the last heartbeat was told by a clock that has been put back since:
        the account goes on from what the last clock told.
        """
        beat = self.report.heartbeat
        last_us = _LATEST_US if beat is None else max(beat.wall_us, beat.accounted_until_us) + _BEYOND_BEAT_US
        for stream, camera, name in db.execute("SELECT id, camera, name FROM stream").fetchall():
            spans = db.execute(
                "SELECT max(to_us) FROM (SELECT to_us FROM recorded_span WHERE stream_id = ?1 AND from_us <= ?2"
                " ORDER BY from_us DESC LIMIT 20) WHERE to_us <= ?2",
                (stream, last_us),
            ).fetchone()[0]
            gaps = [
                GapSpan(row[0], row[1], Cause(row[2]), json.loads(row[3]), row[4])
                for row in db.execute(
                    "SELECT from_us, to_us, cause, evidence, id FROM gap WHERE stream_id = ? AND from_us <= ?"
                    " ORDER BY from_us DESC LIMIT 20",
                    (stream, last_us),
                )
                if row[1] is not None and row[1] <= last_us
            ]
            ends = [end for end in (spans, *(gap.to_us for gap in gaps)) if end is not None]
            end_us = max(ends) if ends else self._end_beyond(db, stream)
            self.report.streams[StreamKey(camera, name)] = StreamTail(end_us, spans, _leading_to(end_us, gaps))

    def _end_beyond(self, db: sqlite3.Connection, stream: int) -> int | None:
        """Of a stream that only a clock that was put back since told of: up to the last heartbeat. None for one that nothing was told of."""
        told = db.execute(
            "SELECT 1 FROM recorded_span WHERE stream_id = ?1 UNION ALL SELECT 1 FROM gap WHERE stream_id = ?1 LIMIT 1",
            (stream,),
        ).fetchone()
        return None if told is None or self.report.heartbeat is None else self.report.heartbeat.accounted_until_us


def _stop_asked(db: sqlite3.Connection) -> int | None:
    """The entry `stop_asked` that led to the stop with which the ledger ends; None where nobody asked."""
    rows = db.execute("SELECT seq, entry FROM ledger ORDER BY seq DESC LIMIT ?", (_LAST_ENTRIES,))
    for seq, entry in rows:
        kind = json.loads(entry)["kind"]
        if kind == kinds.STOP_ASKED:
            return int(seq)
        if kind == kinds.START:
            return None
    return None


def _leading_to(end_us: int | None, newest_first: Sequence[GapSpan]) -> tuple[GapSpan, ...]:
    """The gaps that end at end_us, without anything between them; the oldest first."""
    leading: list[GapSpan] = []
    for gap in newest_first:
        if gap.to_us != end_us:
            break
        leading.insert(0, gap)
        end_us = gap.from_us
    return tuple(leading)


def _as_left(c: _Candidate) -> dict[str, object]:
    """A segment as the index knew it: what of it was acknowledged, by the root of its leaves. An adopted one had no row."""
    return {
        "camera": c.key.camera, "stream": c.key.stream, "boot": c.boot, "run": c.run, "sequence": c.sequence,
        "acknowledged_bytes": c.rows[-1].offset + c.rows[-1].size if c.rows else 0, "fragments": len(c.rows),
        "root": segment_root(c.header_sha256, (row.sha256 for row in c.rows)).hex() if c.row else "",
    }  # fmt: skip


def _stream(db: sqlite3.Connection, key: StreamKey) -> int:
    db.execute("INSERT OR IGNORE INTO stream (camera, name) VALUES (?, ?)", key)
    return int(db.execute("SELECT id FROM stream WHERE camera = ? AND name = ?", key).fetchone()[0])


def listed(folder: Path) -> list[str]:
    """Names in a folder; none where it is not there."""
    try:
        return [entry.name for entry in os.scandir(folder)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def stream_folders(volume: Path) -> Iterator[Path]:
    """media/<camera>/<stream> of a volume, in order."""
    media = volume / "media"
    for camera in sorted(listed(media)):
        for stream in sorted(listed(media / camera)):
            yield media / camera / stream


_BEGINS_WITHIN_US = 100_000


def cover(db: sqlite3.Connection, stream: int, run: int, from_us: int, to_us: int, provenance: int) -> None:
    """The run's recorded spans cover [from_us, to_us): the last one is drawn out, or a new one made."""
    row = db.execute(
        "SELECT from_us, to_us, provenance FROM recorded_span WHERE stream_id = ? AND from_us <= ? AND run_id = ?"
        " ORDER BY from_us DESC LIMIT 1",
        (stream, to_us, run),
    ).fetchone()
    if row is None or row[1] < from_us:
        extend_span(db, stream, run, from_us, to_us, provenance)
    elif row[1] < to_us and row[2] != provenance and row[0] < from_us and row[1] - from_us < _BEGINS_WITHIN_US:
        extend_span(db, stream, run, row[0], from_us, row[2])  # its time is believed otherwise from here on
        extend_span(db, stream, run, from_us, to_us, provenance)
    elif row[1] < to_us:
        extend_span(db, stream, run, row[0], to_us, row[2])


def read_orphan(path: Path, folder: Path, volume: int) -> _Candidate | None:
    """A file without a row, from its own header; None where it is torn, or not where its identity says it belongs."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.pread(descriptor, _HEADER_BYTES, 0)
        finally:
            os.close(descriptor)
        header = bmff.parse_header(data)
        identity = header.identity
        key = StreamKey(identity.camera, identity.stream)
        home = names.segment_path(key, identity.boot, identity.run, identity.sequence, identity.wall_start_us)
        provenance = Provenance(identity.provenance)
    except (OSError, ValueError, LongwatchError):
        return None
    if folder / home != path:
        return None
    digest = hashlib.sha256(data[: header.header_bytes]).digest()
    return _Candidate(
        0, key, identity.boot, identity.run, identity.sequence, volume, path, digest, header.header_bytes, [],
        identity.wall_start_us, identity.start_90k, WallEnd(identity.start_90k, identity.wall_start_us, identity.start_90k),
        provenance, False,
    )  # fmt: skip


def adopt(index: Index, volumes: Mapping[int, Path], volume: int, path: Path) -> bool:
    """Mend one file without a row and give it one. False where nothing of it is whole. Raises sqlite3.Error."""
    recovery = Recovery(index, volumes, Flushing())
    return recovery.adopt(path, volume)
