"""What a start finds and mends: steps R2 to R6 of docs/design/segment-lifecycle.md.

Reads what was open and nothing else, so that it takes the same time with ten million rows as with ten. Owner: the index
thread, before any tick.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from longwatch.archive import fragment_table, names
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
from longwatch.base.errors import LongwatchError
from longwatch.formats import bmff
from longwatch.ledger import kinds, segment_root
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import FragmentRow, Provenance

_THREADS = 8
_HEADER_BYTES = 1 << 16
DAY_US = 86_400_000_000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StreamTail:
    """Where a stream's story stands. accounted_to_us: the latest end of its spans and gaps; None where there are none."""

    accounted_to_us: int | None
    span_end_us: int | None


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

    missing: acknowledged and not there (never, unless a disk lied or a person removed it). unusable: files that hold
    nothing whole; they stay. waiting: open segments on volumes that are absent.
    """

    fresh: bool = False
    rebuilt: bool = False
    heartbeat: Heartbeat | None = None
    orderly_stop: bool = False
    same_boot: bool = False
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


class Recovery:
    """One start. volumes: row of the index to path, of those that are present."""

    def __init__(self, index: Index, volumes: Mapping[int, Path], flushing: Flushing) -> None:
        self._index = index
        self._volumes = volumes
        self._flushing = flushing
        self.report = RecoveryReport()

    def run(self, unclosed: Sequence[tuple[int, Path]] = ()) -> RecoveryReport:
        """All of it. unclosed: files that a rebuild found without a closing box. Raises sqlite3.Error, OSError."""
        db = self._index.connection
        self._read_heartbeat(db)
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

    def _open_segments(self, db: sqlite3.Connection) -> Iterator[_Candidate]:
        """R2: the rows that no seal closed."""
        rows = db.execute(
            "SELECT s.id, st.camera, st.name, b.boot, r.number, s.sequence, s.volume_id, o.header_sha256, s.header_bytes,"
            " o.fragments, s.wall_start_us, s.start_90k, s.duration_90k, s.wall_duration_us, s.provenance, s.flags"
            " FROM open_segment o CROSS JOIN segment s ON s.id = o.segment_id CROSS JOIN stream st ON st.id = s.stream_id"
            " CROSS JOIN run r ON r.id = s.run_id CROSS JOIN boot b ON b.id = r.boot_id"
        ).fetchall()
        for row in rows:
            key = StreamKey(row[1], row[2])
            folder = self._volumes.get(row[6])
            if folder is None:
                self.report.waiting += 1
                continue
            path = folder / names.segment_path(key, row[3], row[4], row[5], row[10])
            yield _Candidate(
                row[0], key, row[3], row[4], row[5], row[6], path, row[7], row[8], fragment_table.unpack(row[9], row[8]),
                row[10], row[11], WallEnd(row[11] + row[12], row[10] + row[13], row[11]), Provenance(row[14]), bool(row[15] & 2),
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
                "SELECT s.wall_start_us FROM open_segment o CROSS JOIN segment s ON s.id = o.segment_id"
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
            if self.report.recovered:
                self._index.append(kinds.SEGMENTS_RECOVERED, self._story())
        return bool(self.report.recovered)

    # -- mending

    def _mend(self, candidate: _Candidate) -> Mended | None:
        try:
            return mend_file(
                candidate.path, candidate.header_bytes, candidate.rows, candidate.wall_end, self._flushing,
                damaged=candidate.damaged,
            )  # fmt: skip
        except FileNotFoundError:
            self.report.missing.append(str(candidate.path))
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
            if self.report.recovered or self.report.missing:
                self._index.append(kinds.SEGMENTS_RECOVERED, self._story())

    def _story(self) -> dict[str, object]:
        recovered = self.report.recovered
        return {
            "segments": len(recovered), "adopted": sum(s.adopted for s in recovered),
            "kept_bytes": sum(s.kept_bytes for s in recovered), "cut_bytes": sum(s.cut_bytes for s in recovered),
            "missing": [Path(path).name for path in self.report.missing],
        }  # fmt: skip

    def _seal(self, db: sqlite3.Connection, c: _Candidate, m: Mended) -> None:
        stream = _stream(db, c.key)
        run = run_row(db, c.boot, c.run, stream, None)
        if not m.rows and not c.row:
            self.report.unusable.append(str(c.path))
            return
        wall_end_us = c.wall_end.of(m.rows)
        opened = SegmentOpen(0, c.key, c.run, c.sequence, c.start_90k, c.wall_start_us, c.provenance, b"")
        state = SegmentState(
            0, opened, c.boot, c.volume, c.header_sha256, c.header_bytes, m.end, m.file_bytes,
            m.rows[-1].end_90k if m.rows else c.start_90k, wall_end_us, fragment_table.pack(m.rows, c.header_bytes), len(m.rows),
            m.damaged, True, segment_root(c.header_sha256, (row.sha256 for row in m.rows)), recovered=not m.whole,
        )  # fmt: skip
        segment = c.row or insert_segment(db, state, stream, run, segment_flags(state))
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
        self.report.recovered.append(
            RecoveredSegment(c.key, str(c.path), c.wall_start_us, wall_end_us, m.kept_bytes, m.cut_bytes, not c.row)
        )
        if m.lost_bytes:
            self.report.missing.append(str(c.path))

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
        for stream, camera, name in db.execute("SELECT id, camera, name FROM stream").fetchall():
            spans = db.execute(
                "SELECT max(to_us) FROM (SELECT to_us FROM recorded_span WHERE stream_id = ? ORDER BY from_us DESC LIMIT 20)",
                (stream,),
            ).fetchone()[0]
            gaps = db.execute(
                "SELECT max(to_us) FROM (SELECT to_us FROM gap WHERE stream_id = ? ORDER BY from_us DESC LIMIT 20)",
                (stream,),
            ).fetchone()[0]
            ends = [end for end in (spans, gaps) if end is not None]
            self.report.streams[StreamKey(camera, name)] = StreamTail(max(ends) if ends else None, spans)


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


def cover(db: sqlite3.Connection, stream: int, run: int, from_us: int, to_us: int, provenance: int) -> None:
    """The run's recorded spans cover [from_us, to_us): the last one is drawn out, or a new one made."""
    row = db.execute(
        "SELECT from_us, to_us, provenance FROM recorded_span WHERE stream_id = ? AND from_us <= ? AND run_id = ?"
        " ORDER BY from_us DESC LIMIT 1",
        (stream, to_us, run),
    ).fetchone()
    if row is None or row[1] < from_us:
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
