"""The index of a data folder as values for verification. Reads only; a folder that may not be written to is read all the same."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from longwatch.archive.rows import DAMAGED, RECOVERED, SEALED
from longwatch.archive.wide_days import wrong_days
from longwatch.ledger import people
from longwatch.ledger.judging_index import (
    AuditFact,
    GapFact,
    GoneFact,
    IndexFacts,
    PersonalFact,
    PlacementFact,
    SegmentFact,
    SpanFact,
)
from longwatch.ledger.story import HoldRow
from longwatch.model.stores import Provenance
from longwatch.timeline.wide import DAY_US

_PROVENANCE = {int(value): value.name.lower() for value in Provenance}
_SEGMENTS = (
    "SELECT st.camera, st.name, b.boot, r.number, s.sequence, v.uuid, s.flags, s.provenance, s.fragments, s.header_bytes,"
    " s.durable_bytes, s.file_bytes, s.start_90k, s.duration_90k, s.wall_start_us, s.wall_duration_us, f.root"
    " FROM segment s JOIN stream st ON st.id = s.stream_id JOIN run r ON r.id = s.run_id JOIN boot b ON b.id = r.boot_id"
    " JOIN volume v ON v.id = s.volume_id LEFT JOIN fragment_table f ON f.segment_id = s.id ORDER BY s.id"
)
_TABLE = (
    "SELECT f.fragments, s.header_bytes FROM boot b JOIN run r ON r.boot_id = b.id AND b.boot = ? AND r.number = ?"
    " JOIN segment s ON s.run_id = r.id AND s.sequence = ? JOIN fragment_table f ON f.segment_id = s.id"
)
_STARTED = "SELECT b.boot, r.number FROM run r JOIN boot b ON b.id = r.boot_id WHERE r.start_boot_us IS NOT NULL"
_PLACEMENTS = (
    "SELECT b.boot, r.number, x.at_90k, x.wall_us, x.rate_ppb,"
    " (SELECT reason FROM placement WHERE run_id = x.run_id ORDER BY id LIMIT 1) FROM placement x JOIN run r ON r.id = x.run_id"
    " JOIN boot b ON b.id = r.boot_id WHERE x.id IN (SELECT max(id) FROM placement GROUP BY run_id, at_90k)"
)
# judged are the tables themselves, and not an index that has all of a row (sqlite_autoindex: their own order)
_SPANS = (
    "SELECT st.camera, st.name, b.boot, r.number, x.from_us, x.to_us, x.provenance"
    " FROM recorded_span x INDEXED BY sqlite_autoindex_recorded_span_1"
    " JOIN stream st ON st.id = x.stream_id JOIN run r ON r.id = x.run_id JOIN boot b ON b.id = r.boot_id"
)
_GAPS = (
    "SELECT x.id, st.camera, st.name, x.from_us, x.to_us, x.cause, x.evidence FROM gap x INDEXED BY sqlite_autoindex_gap_1"
    " JOIN stream st ON st.id = x.stream_id"
)
_GONE = (
    "SELECT st.camera, st.name, b.boot, r.number, x.from_us, x.to_us, x.first_sequence, x.last_sequence, x.fate"
    " FROM gone_span x INDEXED BY sqlite_autoindex_gone_span_1"
    " JOIN stream st ON st.id = x.stream_id JOIN run r ON r.id = x.run_id JOIN boot b ON b.id = r.boot_id"
)

_HOLDS = "SELECT id, from_us, to_us, until_us, authority, placed_us, seq, ended_us, ended_why, ended_seq, warned_days, overruled FROM hold"


class IndexLook:
    """An index that is only read. Raises sqlite3.Error from every method where it is damaged."""

    def __init__(self, path: Path) -> None:
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.Lock()
        self._db = self._open(path)

    def _open(self, path: Path) -> sqlite3.Connection:
        """As it stands: with its write-ahead log, if there is one; never a file made beside it."""
        wal = path.with_name(f"{path.name}-wal")
        if not wal.exists() or wal.stat().st_size == 0:
            return _connect(path, "immutable=1")
        if path.with_name(f"{path.name}-shm").exists():
            return _connect(path, "mode=ro")
        self._copy = tempfile.TemporaryDirectory(prefix="longwatch-verify-")
        for file in (path, wal):
            shutil.copy(file, self._copy.name)
        return _connect(Path(self._copy.name) / path.name, "mode=ro")

    def close(self) -> None:
        """Let go of it."""
        self._db.close()
        if self._copy is not None:
            self._copy.cleanup()

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """What is read within is as of one moment, whatever a recorder writes meanwhile. Not for long: its log cannot be cut short."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            if self._db.in_transaction:
                self._db.execute("COMMIT")

    def log(self) -> tuple[int, str, bytes, int, bytes, str] | None:
        """number, origin, key, signed_size, signed_root, checkpoint."""
        row: tuple[int, str, bytes, int, bytes, str] | None = self._db.execute(
            "SELECT number, origin, key, signed_size, signed_root, checkpoint FROM log"
        ).fetchone()
        return row

    def rows(self, first: int | None = None, end: int | None = None) -> Iterator[tuple[int, bytes, bytes]]:
        """number, leaf and entry of the rows of the ledger, in order."""
        where = "" if first is None else " WHERE seq >= ? AND seq < ?"
        values = () if first is None else (first, end)
        for seq, leaf, entry in self._db.execute(f"SELECT seq, leaf, entry FROM ledger{where} ORDER BY seq", values):  # noqa: S608  # two constants
            yield seq, bytes(leaf), bytes(entry)

    def volumes(self) -> dict[str, str]:
        """Uuid of each volume, and where it was seen last."""
        return dict(self._db.execute("SELECT uuid, path FROM volume"))

    def data_id(self) -> str:
        """The folder it belongs to; "" where it does not say."""
        row = self._db.execute("SELECT value FROM meta WHERE name = 'data_id'").fetchone()
        return "" if row is None else str(row[0])

    def table(self, key: tuple[str, int, int]) -> tuple[bytes, int] | None:
        """The packed fragments of a sealed segment and the length of its header. From any thread."""
        with self._lock:
            row = self._db.execute(_TABLE, key).fetchone()
        return None if row is None else (bytes(row[0]), int(row[1]))

    def wrong_days(self) -> list[tuple[str, str, int]]:
        """camera, stream and begin in us of each day for wide views that is not what spans and gaps say. Where those cannot be read, none:
        that is found elsewhere.
        """
        try:
            wrong = wrong_days(self._db)
        except ValueError:
            return []
        names = {row[0]: (row[1], row[2]) for row in self._db.execute("SELECT id, camera, name FROM stream")}
        return [(*names.get(found.stream_id, ("", "")), found.day * DAY_US) for found in wrong]

    def facts(self) -> IndexFacts:
        """Every row that the ledger can judge."""
        return IndexFacts(
            [_segment(row) for row in self._db.execute(_SEGMENTS)],
            [PlacementFact(*row) for row in self._db.execute(_PLACEMENTS)],
            [SpanFact._make([*row[:6], _PROVENANCE.get(row[6], str(row[6]))]) for row in self._db.execute(_SPANS)],
            [GapFact(*row) for row in self._db.execute(_GAPS)],
            [GoneFact(*row) for row in self._db.execute(_GONE)],
            [_personal(*row) for row in self._db.execute("SELECT seq, subject, salt, text FROM personal")],
            {(boot, number) for boot, number in self._db.execute(_STARTED)},
            [AuditFact(*row) for row in self._db.execute("SELECT seq, at_us, subject, kind, camera FROM mention")],
            {
                (camera, name): at_us
                for camera, name, at_us in self._db.execute("SELECT camera, name, set_up_us FROM stream")
            },
            self._meta("next_gap", 1),
            self._meta("longest_segment_us", 0),
            self._holds(),
        )

    def _holds(self) -> dict[int, HoldRow] | None:
        if self._db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'hold'").fetchone() is None:
            return None
        parts: dict[int, list[tuple[str, str]]] = {}
        for number, camera, stream in self._db.execute("SELECT hold_id, camera, stream FROM hold_part"):
            parts.setdefault(number, []).append((camera, stream))
        return {row[0]: _hold(row, parts.get(row[0], [])) for row in self._db.execute(_HOLDS)}

    def _meta(self, name: str, otherwise: int) -> int:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row is not None and isinstance(row[0], int) else otherwise


def _connect(path: Path, how: str) -> sqlite3.Connection:
    db = sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA query_only = ON")
    return db


def _segment(row: tuple[Any, ...]) -> SegmentFact:
    camera, stream, boot, run, sequence, volume, flags, provenance, *numbers, root = row
    said = (
        bool(flags & SEALED),
        bool(flags & DAMAGED),
        bool(flags & RECOVERED),
        _PROVENANCE.get(provenance, str(provenance)),
    )
    return SegmentFact._make([camera, stream, boot, run, sequence, volume, *said, *numbers, root or b""])


def _hold(row: tuple[Any, ...], parts: list[tuple[str, str]]) -> HoldRow:
    _, from_us, to_us, until_us, authority, placed_us, seq, ended_us, why, ended_seq, warned, overruled = row
    return HoldRow(
        tuple(sorted({camera for camera, _ in parts})), tuple(sorted({stream for _, stream in parts if stream})), from_us, to_us,
        until_us, authority, placed_us, seq, None if ended_us is None else (ended_us, why, ended_seq), warned,
        tuple(overruled.split()),
    )  # fmt: skip


def _personal(seq: int, subject: int, salt: bytes, text: str) -> PersonalFact:
    try:
        return PersonalFact(seq, subject, people.commitment(salt, text))
    except ValueError:
        return PersonalFact(seq, subject, b"")
