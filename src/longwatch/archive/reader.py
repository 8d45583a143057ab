"""The index and the media for everyone who only reads: the server, playback, verbs.

Each call is one short read transaction on a connection of its thread, mode=ro; nothing here can change a byte. The timeline
never scans segments: spans, gaps and what is gone have tables of their own, and each question is one range of an index.
"""

from __future__ import annotations

import operator
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

from longwatch.archive import act_rows, fragment_table, hold_rows, names
from longwatch.archive.mentions import find
from longwatch.archive.rows import DAMAGED, RECOVERED, SEALED, UNVERIFIED
from longwatch.archive.time_review import Doubt, review
from longwatch.archive.volumes import INDEX, read_identity
from longwatch.archive.wide_days import read_tiles, read_wide, told_evidence
from longwatch.base.errors import LongwatchError
from longwatch.model.alarms import Alarm
from longwatch.model.audit import Mention, Question
from longwatch.model.causes import Cause
from longwatch.model.holds import Hold, merged
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import FragmentRow, GapSpan, Held, Provenance, RecordedSpan, SegmentRow, discarded
from longwatch.timeline import Tiling
from longwatch.timeline.placing import best_placed, by_precedence, split
from longwatch.timeline.wide import WideRows

DAY_US = 86_400_000_000
_SEGMENT = (
    "SELECT s.id, b.boot, r.number, s.sequence, s.volume_id, s.flags, s.provenance, s.fragments, s.header_bytes, s.durable_bytes,"
    " s.start_90k, s.duration_90k, s.wall_start_us, s.wall_duration_us, coalesce(n.wall_us, s.wall_start_us)"
    " FROM segment s CROSS JOIN run r ON r.id = s.run_id CROSS JOIN boot b ON b.id = r.boot_id"
    " LEFT JOIN named n ON n.segment_id = s.id WHERE "
)


# a month of a hundred cameras makes thousands of rows, and a named tuple's own __new__ costs as much again
_new = tuple.__new__
_HERE = Held.HERE
_PROVENANCE = tuple(Provenance)
_CAUSE = {str(cause): cause for cause in Cause}


_Asked = tuple[int, int | None]
_T = TypeVar("_T")


class CameraRow(NamedTuple):
    """A stream that the archive knows. set_up_us: None where it is known from its media alone."""

    camera: str
    stream: str
    set_up_us: int | None


@dataclass(frozen=True, slots=True)
class StreamStats:
    """What is held of a stream: sealed segments and their bytes; begin of the first and end of the last."""

    bytes: int
    segments: int
    first_us: int | None
    last_us: int | None


class VolumeRow(NamedTuple):
    """A volume as seen from here. present: its identity was found at its path. Bytes are 0 where it was not."""

    id: str
    path: str
    present: bool
    free_bytes: int
    size_bytes: int
    segments: int
    held_bytes: int


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One entry: its number, its leaf hash and its canonical bytes."""

    seq: int
    leaf: bytes
    entry: bytes = field(repr=False)


class NotReadyError(LongwatchError):
    """There is no index yet, or one without its tables: the recorder has not begun, or is just making it. Worth another try."""


def _unreadable(error: sqlite3.Error) -> LongwatchError:
    return LongwatchError("the index cannot be read", why=str(error), remedy="is the recorder running?")


class ArchiveReader:
    """Implements model.stores.SegmentSource. volumes: as for `Archive.open`, the first holds the index.

    Thread-safe: one connection a thread. Raises NotReadyError where there is no index yet, LongwatchError where it cannot be read.
    """

    def __init__(self, volumes: Sequence[Path]) -> None:
        self._paths = tuple(volumes)
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._folders: dict[int, Path] = {}

    def _db(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = connect_to_read(self._paths[0] / INDEX)
            self._local.db = db
            with self._lock:
                self._open.append(db)
        return db

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._db().execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise _unreadable(error) from error

    def close(self) -> None:
        """Close every thread's connection."""
        with self._lock:
            for db in self._open:
                db.close()
            self._open.clear()
        self._local = threading.local()

    # -- segments

    def segments(self, key: StreamKey, from_us: int, to_us: int, run: int | None = None) -> list[SegmentRow]:
        """See SegmentSource. A segment that is only in part better placed by another stays; one that is wholly covered by better
        ones is left out, unless `run` names it.
        """
        stream = self._stream(key)
        if stream is None:
            return []
        longest = self._rows("SELECT value FROM meta WHERE name = 'longest_segment_us'")
        earliest = from_us - (longest[0][0] if longest else 0)
        rows = self._rows(
            _SEGMENT + "s.stream_id = ? AND s.wall_start_us >= ? AND s.wall_start_us < ?"
            " AND s.wall_start_us + s.wall_duration_us > ? AND s.fragments > 0 ORDER BY s.wall_start_us, s.id",
            (stream, earliest, to_us, from_us),
        )
        found = [self._segment(key, row) for row in rows]
        if run is not None:
            return [segment for segment in found if segment.run == run]
        return best_placed(found)

    def _segment(self, key: StreamKey, row: Sequence[Any]) -> SegmentRow:
        (
            segment,
            boot,
            run,
            sequence,
            volume,
            flags,
            provenance,
            count,
            header,
            durable,
            start,
            length,
            wall,
            wall_length,
            named_us,
        ) = row
        path = self._folder(volume) / names.segment_path(key, boot, run, sequence, named_us)
        return SegmentRow(
            segment, key, boot, run, sequence, str(path), bool(flags & SEALED), header, durable, start, start + length, wall,
            wall + wall_length, Provenance(provenance), b"", count, bool(flags & DAMAGED), bool(flags & RECOVERED),
            not flags & UNVERIFIED,
        )  # fmt: skip

    def _folder(self, volume: int) -> Path:
        """Where a volume is mounted: by its identity, whatever the order of the settings."""
        folder = self._folders.get(volume)
        if folder is None:
            row = self._rows("SELECT uuid, path FROM volume WHERE id = ?", (volume,))
            folder = Path(row[0][1])
            for path in self._paths:
                identity = _identity(path)
                if identity == row[0][0]:
                    folder = path
            self._folders[volume] = folder
        return folder

    def fragments(self, segment: SegmentRow) -> list[FragmentRow]:
        """See SegmentSource. Of a segment still open as `segment` was read: those within its durable_bytes."""
        row = self._rows("SELECT fragments FROM fragment_table WHERE segment_id = ?", (segment.id,)) or self._rows(
            "SELECT fragments FROM open_segment WHERE segment_id = ?", (segment.id,)
        )
        if not row:
            return []
        rows = fragment_table.unpack(row[0][0], segment.header_bytes)
        return [fragment for fragment in rows if fragment.offset + fragment.size <= segment.durable_bytes]

    def segment_named(self, key: StreamKey, boot: str, run: int, sequence: int) -> SegmentRow | None:
        """A segment by its identity; None where it is not here (any more)."""
        stream = self._stream(key)
        rows = self._rows(
            _SEGMENT + "b.boot = ? AND r.number = ? AND s.sequence = ? AND s.stream_id = ? AND s.fragments > 0",
            (boot, run, sequence, -1 if stream is None else stream),
        )
        return self._segment(key, rows[0]) if rows else None

    def unconfirmed(self, after: int, limit: int) -> list[SegmentRow]:
        """Sealed segments that no hub is known to hold, of all streams, in order of their rows, from row `after` on."""
        names = {row[0]: StreamKey(row[1], row[2]) for row in self._rows("SELECT id, camera, name FROM stream")}
        rows = self._rows(
            _SEGMENT.replace("SELECT s.id", "SELECT s.stream_id, s.id")
            + "s.id > ? AND s.confirmed = 0 AND s.flags & ? AND s.fragments > 0 ORDER BY s.id LIMIT ?",
            (after, SEALED, limit),
        )
        return [self._segment(names[row[0]], row[1:]) for row in rows]

    def root(self, segment: SegmentRow) -> bytes:
        """The RFC 6962 root of a sealed segment's leaves, as sealed; b"" where it is open or gone."""
        row = self._rows("SELECT root FROM fragment_table WHERE segment_id = ?", (segment.id,))
        return bytes(row[0][0]) if row else b""

    def read(self, segment: SegmentRow, offset: int, size: int) -> bytes:
        """See SegmentSource. Of a sealed segment also the closing box, so it may be short at the end of the file."""
        end = offset + size if segment.sealed else min(offset + size, segment.durable_bytes)
        try:
            descriptor = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                return os.pread(descriptor, max(0, end - offset), offset)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise LongwatchError(f"{segment.path} cannot be read", why=error.strerror or str(error)) from error

    def sync_before(self, key: StreamKey, at_us: int) -> SegmentRow | None:
        """See SegmentSource: every segment begins with a sync sample, so it is the last that begins by then."""
        stream = self._stream(key)
        if stream is None:
            return None
        rows = self._rows(
            _SEGMENT
            + "s.stream_id = ? AND s.wall_start_us <= ? AND s.fragments > 0 ORDER BY s.wall_start_us DESC LIMIT 8",
            (stream, at_us),
        )
        found = [self._segment(key, row) for row in rows]
        holding = [segment for segment in found if segment.wall_end_us > at_us]
        if holding:
            return min(holding, key=by_precedence)
        return found[0] if found else None

    # -- the timeline

    def cameras(self) -> list[CameraRow]:
        """Every stream that the archive knows, by camera and name."""
        return [
            CameraRow(*row) for row in self._rows("SELECT camera, name, set_up_us FROM stream ORDER BY camera, name")
        ]

    def set_up_us(self, key: StreamKey) -> int | None:
        """Since when one of them is set up; None where that is not known."""
        row = self._rows("SELECT set_up_us FROM stream WHERE camera = ? AND name = ?", (key.camera, key.stream))
        return None if not row or row[0][0] is None else int(row[0][0])

    def _stream(self, key: StreamKey) -> int | None:
        known: dict[StreamKey, int] | None = getattr(self._local, "streams", None)
        if known is None or key not in known:
            known = {StreamKey(row[1], row[2]): row[0] for row in self._rows("SELECT id, camera, name FROM stream")}
            self._local.streams = known
        return known.get(key)

    def recorded_spans(self, key: StreamKey, from_us: int, to_us: int) -> list[RecordedSpan]:
        """Spans that reach into the window, whole, by their begin; cut where what is held becomes what is gone."""
        stream = self._stream(key)
        if stream is None:
            return []
        window = (stream, from_us - DAY_US, to_us, from_us, stream, from_us - DAY_US, from_us)
        rows = self._rows(
            "SELECT d.from_us, d.to_us, d.provenance, d.run_id, r.number FROM ("
            " SELECT from_us, to_us, provenance, run_id FROM recorded_span NOT INDEXED"
            " WHERE stream_id = ? AND from_us >= ? AND from_us < ? AND to_us > ?"
            " UNION ALL"
            " SELECT from_us, to_us, provenance, run_id FROM recorded_span INDEXED BY recorded_span_long"
            " WHERE stream_id = ? AND from_us < ? AND to_us - from_us > 86400000000 AND to_us > ?"
            ") d CROSS JOIN run r ON r.id = d.run_id ORDER BY d.from_us, d.run_id",
            window,
        )
        gone: dict[int, list[tuple[int, int, int]]] = {}
        for run, first, last, fate in self._rows(
            "SELECT run_id, from_us, to_us, fate FROM gone_span NOT INDEXED"
            " WHERE stream_id = ? AND from_us >= ? AND from_us < ? AND to_us > ?"
            " UNION ALL"
            " SELECT run_id, from_us, to_us, fate FROM gone_span INDEXED BY gone_span_long"
            " WHERE stream_id = ? AND from_us < ? AND to_us - from_us > 86400000000 AND to_us > ?",
            window,
        ):
            gone.setdefault(run, []).append((first, last, fate))
        spans: list[RecordedSpan] = []
        for first, last, provenance, run, number in rows:
            span = _new(RecordedSpan, (first, last, number, _PROVENANCE[provenance], _HERE, None))
            if run in gone:
                spans += split(span, gone[run])
            else:
                spans.append(span)
        return spans

    def gaps(self, camera: str | None, from_us: int, to_us: int) -> list[tuple[StreamKey, GapSpan]]:
        """Gaps of all streams of a camera (None: of every camera) that reach into the window, by their begin."""
        streams = self._rows("SELECT id, camera, name FROM stream WHERE ? IS NULL OR camera = ?", (camera, camera))
        found: list[tuple[StreamKey, GapSpan]] = []
        for stream, of, name in streams:
            key = StreamKey(of, name)
            found += [(key, gap) for gap in self._gaps_of(stream, from_us, to_us)]
        return sorted(found, key=lambda item: (item[1].from_us, item[0]))

    def gaps_of(self, key: StreamKey, from_us: int, to_us: int) -> list[GapSpan]:
        """Gaps of one stream that reach into the window, by their begin."""
        stream = self._stream(key)
        return [] if stream is None else self._gaps_of(stream, from_us, to_us)

    def _gaps_of(self, stream: int, from_us: int, to_us: int) -> list[GapSpan]:
        rows = self._rows(
            "SELECT from_us, to_us, cause, evidence, id FROM gap NOT INDEXED"
            " WHERE stream_id = ? AND from_us >= ? AND from_us < ? AND (to_us IS NULL OR to_us > ?)"
            " UNION ALL"
            " SELECT from_us, to_us, cause, evidence, id FROM gap INDEXED BY gap_long"
            " WHERE stream_id = ? AND from_us < ? AND (to_us IS NULL OR to_us - from_us > 86400000000) AND (to_us IS NULL OR to_us > ?)"
            " ORDER BY from_us, id",
            (stream, from_us - DAY_US, to_us, from_us, stream, from_us - DAY_US, from_us),
        )
        gaps = [
            _new(GapSpan, (from_us, to_us, _CAUSE[cause], told_evidence(text), gap, None))
            for from_us, to_us, cause, text, gap in rows
        ]
        thrown = self._discarded(stream, from_us, to_us)
        return sorted(gaps + thrown, key=operator.itemgetter(0)) if thrown else gaps

    def _discarded(self, stream: int, from_us: int, to_us: int) -> list[GapSpan]:
        """Gaps that footage left which no event needed, by their begin; stretches that touch, of one run after another too, are one."""
        rows = self._rows(
            "SELECT from_us, to_us FROM gone_span INDEXED BY gone_span_discarded"
            " WHERE stream_id = ? AND from_us >= ? AND from_us < ? AND to_us > ? AND fate = 2"
            " UNION ALL"
            " SELECT from_us, to_us FROM gone_span INDEXED BY gone_span_long"
            " WHERE stream_id = ? AND from_us < ? AND to_us - from_us > 86400000000 AND to_us > ? AND fate = 2"
            " ORDER BY 1",
            (stream, from_us - DAY_US, to_us, from_us, stream, from_us - DAY_US, from_us),
        )
        return [discarded(begin, end) for begin, end in merged(rows)]

    def wide(self, keys: Sequence[StreamKey], from_us: int, to_us: int, *, whole_quarters: bool = False) -> WideRows:
        """What of a stretch is not held footage, for many streams at once (wide_days.read_wide); those that the archive does not know
        never recorded. What the exact timeline says, without evidence and runs.
        """
        return self._asked_of_all(
            keys, lambda db, asked: read_wide(db, asked, from_us, to_us, whole_quarters=whole_quarters)
        )

    def _asked_of_all(self, keys: Sequence[StreamKey], read: Callable[[sqlite3.Connection, list[_Asked]], _T]) -> _T:
        """In one transaction. Streams are handed on by their ids, and since when they are set up; 0 is one that is not known."""
        known = {StreamKey(row[1], row[2]): row for row in self._rows("SELECT id, camera, name, set_up_us FROM stream")}
        asked = [(0, None) if key not in known else (known[key][0], self._set_up(key, known[key][3])) for key in keys]
        db = self._db()
        try:
            db.execute("BEGIN")
            try:
                return read(db, asked)
            finally:
                db.execute("COMMIT")
        except sqlite3.Error as error:
            raise _unreadable(error) from error

    def tilings(self, keys: Sequence[StreamKey], from_us: int, to_us: int) -> list[tuple[int, Tiling]]:
        """Of each stream up to when it is accounted for, and its exact timeline, as of one moment: what `tile` makes of its spans and gaps.
        Of many streams from days that were made beforehand (wide_days.read_tiles).
        """
        until_us, tilings = self._asked_of_all(keys, lambda db, asked: read_tiles(db, asked, from_us, to_us))
        return [(until_us, tiles) for tiles in tilings]

    def _set_up(self, key: StreamKey, set_up_us: int | None) -> int | None:
        """Of an index that was rebuilt from files the first footage is all there is to go by."""
        return self.stats(key).first_us if set_up_us is None else set_up_us

    def gone(self, key: StreamKey, from_us: int, to_us: int) -> list[tuple[int, int]]:
        """What retention removed of the stretch, by its begin."""
        stream = self._stream(key)
        if stream is None:
            return []
        window = (stream, from_us - DAY_US, to_us, from_us, stream, from_us - DAY_US, from_us)
        rows = self._rows(
            "SELECT from_us, to_us FROM gone_span NOT INDEXED WHERE stream_id = ? AND from_us >= ? AND from_us < ? AND to_us > ?"
            " UNION ALL SELECT from_us, to_us FROM gone_span INDEXED BY gone_span_long"
            " WHERE stream_id = ? AND from_us < ? AND to_us - from_us > 86400000000 AND to_us > ? ORDER BY 1",
            window,
        )
        return [(row[0], row[1]) for row in rows]

    def accounted_until_us(self, key: StreamKey | None = None) -> int:  # noqa: ARG002 - at a post it is one for all
        """Up to when the recorder has accounted for every second; 0 before its first word."""
        row = self._rows("SELECT accounted_until_us FROM heartbeat")
        return int(row[0][0]) if row else 0

    def doubts(self) -> list[Doubt]:
        """What stands where no good clock put it (time_review.py)."""
        try:
            return review(self._db())
        except sqlite3.Error as error:
            raise LongwatchError(
                "the index cannot be read", why=str(error), remedy="is the recorder running?"
            ) from error

    # -- figures

    def stats(self, key: StreamKey) -> StreamStats:
        """What is held of a stream, from the counters that every seal and removal keeps."""
        stream = self._stream(key)
        if stream is None:
            return StreamStats(0, 0, None, None)
        held = self._rows(
            "SELECT coalesce(sum(bytes), 0), coalesce(sum(segments), 0) FROM holding WHERE stream_id = ?", (stream,)
        )
        first = self._rows(
            "SELECT wall_start_us FROM segment WHERE stream_id = ? ORDER BY wall_start_us LIMIT 1", (stream,)
        )
        last = self._rows(
            "SELECT wall_start_us + wall_duration_us FROM segment WHERE stream_id = ? ORDER BY wall_start_us DESC LIMIT 1",
            (stream,),
        )
        return StreamStats(held[0][0], held[0][1], first[0][0] if first else None, last[0][0] if last else None)

    def paths(self) -> list[str]:
        """Where its volumes are."""
        return [row.path for row in self.volumes_state()]

    def volumes_state(self) -> list[VolumeRow]:
        """Every volume that the index knows, in order."""
        states = []
        for row, uuid, where in self._rows("SELECT id, uuid, path FROM volume ORDER BY id"):
            path = self._folder(row)
            held = self._rows(
                "SELECT coalesce(sum(segments), 0), coalesce(sum(bytes), 0) FROM holding WHERE volume_id = ?", (row,)
            )
            present = _identity(path) == uuid
            free = size = 0
            if present:
                stat = os.statvfs(path)
                free, size = stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize
            states.append(VolumeRow(uuid, str(path) if present else where, present, free, size, held[0][0], held[0][1]))
        return states

    # -- alarms

    def alarms(
        self,
        *,
        everything: bool = False,
        before: int | None = None,
        limit: int = 1000,
        cameras: Sequence[str] | None = None,
    ) -> list[Alarm]:
        """See `act_rows.read_alarms`."""
        try:
            return act_rows.read_alarms(
                self._db(), everything=everything, before=before, limit=limit, cameras=cameras
            )  # fmt: skip
        except sqlite3.Error as error:
            raise _unreadable(error) from error

    def holds(self, *, everything: bool = False, number: int | None = None) -> list[Hold]:
        """See `hold_rows.read_holds`. Empty where the recorder has not yet brought the index up to date."""
        try:
            return hold_rows.read_holds(self._db(), everything=everything, number=number)
        except sqlite3.Error as error:
            if "no such table" in str(error):
                return []
            raise _unreadable(error) from error

    def alarm(self, number: int) -> Alarm | None:
        """One by its number."""
        found = self.alarms(everything=True, before=number + 1, limit=1)
        return found[0] if found and found[0].id == number else None

    def alarm_counts(self) -> dict[tuple[str, str], tuple[int, int]]:
        """See `act_rows.alarm_counts`."""
        try:
            return act_rows.alarm_counts(self._db())
        except sqlite3.Error as error:
            raise _unreadable(error) from error

    def ledger_size(self) -> int:
        """How many entries the ledger has."""
        last = self._rows("SELECT max(seq) FROM ledger")[0][0]
        return 0 if last is None else int(last) + 1

    def audit(self, asked: Question) -> list[Mention]:
        """Entries about people, in the order they happened, with their clear text where it is still there."""
        return find(self._rows, asked)

    def entries(self, first: int, limit: int) -> list[LedgerRow]:
        """Entries from number `first` on."""
        rows = self._rows("SELECT seq, leaf, entry FROM ledger WHERE seq >= ? ORDER BY seq LIMIT ?", (first, limit))
        return [LedgerRow(*row) for row in rows]


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, to an index that is made. Raises NotReadyError and LongwatchError."""
    if not path.exists():
        raise NotReadyError(
            f"{path} does not exist", remedy="start the recorder: it makes the index, anew from the files if need be"
        )
    try:
        db = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        db.execute("PRAGMA busy_timeout = 2000")
        db.execute("PRAGMA query_only = ON")
        made = db.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        raise LongwatchError(f"{path} cannot be read", why=str(error)) from error
    if not made:  # the file is there before its tables are, which come in one transaction (index.bring_up)
        db.close()
        raise NotReadyError(f"{path} has nothing in it yet", remedy="the recorder is making it: try again in a moment")
    return db


def _identity(path: Path) -> str | None:
    try:
        identity = read_identity(path)
    except LongwatchError:
        return None
    return None if identity is None else identity.volume_id
