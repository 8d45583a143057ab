"""What a tick says, as rows: segments as they became durable, and the operations of `ops`, in one transaction.

States are cumulative and operations are kept in order, so that what a failing index could not take is made good by the next
commit. Owner: the index thread.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import structlog

from longwatch.archive import ops
from longwatch.archive.index import Index, whole_numbers
from longwatch.archive.rows import (
    GapPlace,
    close_gap,
    extend_span,
    insert_segment,
    next_commit,
    next_gap,
    note_longest,
    run_row,
    seal_rows,
    segment_flags,
)  # fmt: skip
from longwatch.archive.segment_files import SegmentState
from longwatch.ledger import kinds
from longwatch.model.sessions import StreamKey

_PENDING_LIMIT = 100_000  # operations kept while the index fails: hours of a large post
_GAPS_KNOWN = 20_000  # tokens that may still be refined; the oldest are forgotten
_log = structlog.get_logger(__name__)


class _Doubt(NamedTuple):
    """A commit that failed: its number, the rows it knew, and how much of what waits was in it."""

    number: int
    maps: tuple[dict[StreamKey, int], dict[int, int], dict[int, int], dict[int, GapPlace]]
    ops: int
    states: dict[int, SegmentState]


class IndexRows:
    """Writes through one `Index`. failed: why the last commit was refused, "" while all is well."""

    def __init__(self, index: Index, release_reserve: Callable[[], bool]) -> None:
        self.failed = ""
        self._index = index
        self._release_reserve = release_reserve
        self._streams: dict[StreamKey, int] = {}
        self._runs: dict[int, int] = {}
        self._segments: dict[int, int] = {}
        self._gaps: dict[int, GapPlace] = {}
        self._undo: list[Callable[[], object]] = []
        self._pending_states: dict[int, SegmentState] = {}
        self._pending_ops: list[ops.IndexOp] = []
        self._longest_us = 0
        self._doubt: _Doubt | None = None

    def commit(self, states: Sequence[SegmentState], index_ops: Sequence[ops.IndexOp]) -> dict[int, int] | None:
        """One transaction. Returns what it made durable, token to bytes, of earlier ticks too; None where the index failed."""
        for state in states:
            self._pending_states[state.token] = state
        self._pending_ops.extend(index_ops)
        landed: dict[int, int] = {}
        try:
            landed = self._settle()
            self._attempt()
        except sqlite3.Error as error:
            if not (_is_full(error) and self._release_reserve() and self._again()):
                self._refused(error)
                return None
        self.failed = ""
        durable = landed | {t: state.durable_bytes for t, state in self._pending_states.items() if not state.abandoned}
        self._pending_states.clear()
        self._pending_ops.clear()
        return durable

    def _again(self) -> bool:
        """Once more, with the reserve's room. A transaction that was refused as full is rolled back for certain: no doubt is left
        of it, and the next commit must not take this one's number for that one's.
        """
        self._doubt = None
        try:
            self._attempt()
        except sqlite3.Error:
            return False
        return True

    def _refused(self, error: sqlite3.Error) -> None:
        self.failed = f"{self._index.path}: {error}"
        _log.error("the index took nothing", error=str(error), waiting=len(self._pending_ops))
        if not _is_full(error):
            self._index.drop_connection()
        if len(self._pending_ops) > _PENDING_LIMIT and self._doubt is None:
            self._pending_ops = _latest(self._pending_ops)

    def _settle(self) -> dict[int, int]:
        """A commit that failed may have landed after all, when its log is read anew: then it is not written twice. Returns what
        it made durable.
        """
        doubt = self._doubt
        if doubt is None:
            return {}
        row = self._index.connection.execute("SELECT value FROM meta WHERE name = 'commits'").fetchone()
        self._doubt = None
        if row is None or row[0] != doubt.number:
            return {}
        self._streams, self._runs, self._segments, self._gaps = doubt.maps
        del self._pending_ops[: doubt.ops]
        for token, state in doubt.states.items():
            if self._pending_states.get(token) is state:
                del self._pending_states[token]
        return {token: state.durable_bytes for token, state in doubt.states.items() if not state.abandoned}

    def _attempt(self) -> None:
        self._undo.clear()
        number = 0
        try:
            with self._index.transaction() as connection:
                number = next_commit(connection)
                self._write(connection)
        except sqlite3.Error:
            maps = (dict(self._streams), dict(self._runs), dict(self._segments), dict(self._gaps))
            self._doubt = _Doubt(number, maps, len(self._pending_ops), dict(self._pending_states))
            self._take_back()
            raise
        except BaseException:
            self._take_back()
            self._pending_ops.clear()  # an operation that cannot be written must not stop all that follow
            raise

    def _take_back(self) -> None:
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()

    def _write(self, db: sqlite3.Connection) -> None:
        first = [op for op in self._pending_ops if isinstance(op, ops.RunStart)]
        for start in first:
            self._run_start(db, start)
        for state in self._pending_states.values():
            self._segment(db, state)
        for op in self._pending_ops:
            handler = _HANDLERS.get(type(op))
            if handler is not None:
                handler(self, db, op)

    # -- streams and runs

    def stream_id(self, db: sqlite3.Connection, key: StreamKey) -> int:
        """The row of a stream, made where there is none."""
        known = self._streams.get(key)
        if known is not None:
            return known
        row = db.execute("SELECT id FROM stream WHERE camera = ? AND name = ?", key).fetchone()
        if row is None:
            row = db.execute("INSERT INTO stream (camera, name) VALUES (?, ?) RETURNING id", key).fetchone()
            self._undo.append(lambda: self._streams.pop(key, None))
        self._streams[key] = row[0]
        return int(row[0])

    def _run_start(self, db: sqlite3.Connection, op: ops.RunStart) -> None:
        stream = self.stream_id(db, op.key)
        run = run_row(db, self._index.boot, op.number, stream, op.boot_us)
        self._runs[op.number] = run
        self._undo.append(lambda: self._runs.pop(op.number, None))
        db.execute(
            "INSERT INTO placement (run_id, at_90k, wall_us, rate_ppb, provenance, reason) VALUES (?, 0, ?, 0, ?, 'start')",
            (run, op.wall_us, int(op.provenance)),
        )

    def _run(self, db: sqlite3.Connection, number: int, key: StreamKey) -> int:
        """The row of a run; one whose start was never told is made, so that its media has a place."""
        run = self._runs.get(number)
        if run is None:
            _log.error("a run without a start", run=number, camera=key.camera, stream=key.stream)
            run = run_row(db, self._index.boot, number, self.stream_id(db, key), None)
            self._runs[number] = run
            self._undo.append(lambda: self._runs.pop(number, None))
        return run

    def _placement(self, db: sqlite3.Connection, op: ops.Placement) -> None:
        if op.run not in self._runs:
            _log.error("a run that never began is placed", run=op.run)
            return
        db.execute(
            "INSERT INTO placement (run_id, at_90k, wall_us, rate_ppb, provenance, reason) VALUES (?, ?, ?, ?, ?, ?)",
            (self._runs[op.run], op.at_90k, op.wall_us, op.rate_ppb, int(op.provenance), op.reason),
        )

    def _run_end(self, db: sqlite3.Connection, op: ops.RunEnd) -> None:
        if op.run not in self._runs:
            _log.error("a run that never began ends", run=op.run)
            return
        db.execute(
            "UPDATE run SET end_boot_us = ?, detail = ? WHERE id = ?", (op.boot_us, op.detail, self._runs[op.run])
        )

    # -- segments

    def _segment(self, db: sqlite3.Connection, state: SegmentState) -> None:
        opened = state.opened
        flags = segment_flags(state)
        wall_us = max(0, state.wall_end_us - opened.wall_start_us)
        segment = self._segments.get(state.token)
        if segment is None:
            stream = self.stream_id(db, opened.key)
            segment = insert_segment(db, state, stream, self._run(db, opened.run, opened.key), flags)
            self._segments[state.token] = segment
            self._undo.append(lambda: self._segments.pop(state.token, None))
            if not state.sealed:
                db.execute("INSERT INTO open_segment VALUES (?, ?, ?)", (segment, state.header_sha256, state.fragments))
        else:
            db.execute(
                "UPDATE segment SET flags = ?, fragments = ?, durable_bytes = ?, file_bytes = ?, duration_90k = ?,"
                " wall_duration_us = ? WHERE id = ?",
                (
                    flags, state.count, state.durable_bytes, state.file_bytes, state.end_90k - opened.start_90k, wall_us, segment,
                ),
            )  # fmt: skip
            if not state.sealed:
                db.execute("UPDATE open_segment SET fragments = ? WHERE segment_id = ?", (state.fragments, segment))
        if wall_us > self._longest_us:
            self._longest_us = note_longest(db, wall_us)
        if state.sealed:
            seal_rows(self._index, db, segment, state, self.stream_id(db, opened.key))
            self._segments.pop(state.token, None)
            self._undo.append(lambda: self._segments.__setitem__(state.token, segment))

    # -- spans and gaps

    def _set_up(self, db: sqlite3.Connection, op: ops.StreamSetUp) -> None:
        stream = self.stream_id(db, op.key)
        db.execute("UPDATE stream SET set_up_us = coalesce(set_up_us, ?) WHERE id = ?", (op.at_us, stream))

    def _span(self, db: sqlite3.Connection, op: ops.SpanExtend) -> None:
        extend_span(
            db, self.stream_id(db, op.key), self._run(db, op.run, op.key), op.from_us, op.to_us, int(op.provenance)
        )

    def _gap_open(self, db: sqlite3.Connection, op: ops.GapOpen) -> None:
        gap = next_gap(db)
        place = GapPlace(gap, self.stream_id(db, op.key), op.from_us)
        evidence = whole_numbers(op.evidence)
        db.execute("INSERT INTO gap VALUES (?, ?, ?, NULL, ?, ?)", (*place, str(op.cause), _json(evidence)))
        self._gaps[op.token] = place
        if len(self._gaps) > _GAPS_KNOWN:
            del self._gaps[next(iter(self._gaps))]
        self._undo.append(lambda: self._gaps.pop(op.token, None))
        self._index.append(kinds.GAP_OPENED, kinds.gap_opened(op.key, gap, op.from_us, str(op.cause), evidence))

    def _gap_refine(self, db: sqlite3.Connection, op: ops.GapRefine) -> None:
        place = self._gaps.get(op.token)
        if place is None:
            _log.error("a gap that was never opened is refined", token=op.token)
            return
        evidence = whole_numbers(op.evidence)
        db.execute(
            "UPDATE gap SET cause = ?, evidence = ? WHERE stream_id = ? AND from_us = ? AND id = ?",
            (str(op.cause), _json(evidence), place.stream_id, place.from_us, place.id),
        )
        self._index.append(kinds.GAP_REFINED, kinds.gap_refined(place.id, str(op.cause), evidence))

    def _gap_close(self, db: sqlite3.Connection, op: ops.GapClose) -> None:
        place = self._gaps.get(op.token)
        if place is None:
            _log.error("a gap that was never opened is closed", token=op.token)
            return
        close_gap(self._index, db, place, op.to_us)

    # -- entries and heartbeat

    def _entry(self, _: sqlite3.Connection, op: ops.Entry) -> None:
        self._index.append(op.kind, op.body)

    def _heartbeat(self, db: sqlite3.Connection, op: ops.Heartbeat) -> None:
        db.execute(
            "INSERT INTO heartbeat VALUES (1, ?, ?, ?, ?, 0) ON CONFLICT (id) DO UPDATE SET boot = excluded.boot,"
            " boot_us = excluded.boot_us, wall_us = excluded.wall_us, accounted_until_us = excluded.accounted_until_us,"
            " orderly = 0",
            (op.boot, op.boot_us, op.wall_us, op.accounted_until_us),
        )


_HANDLERS: Mapping[type, Callable[[IndexRows, sqlite3.Connection, Any], None]] = {
    ops.Placement: IndexRows._placement,  # noqa: SLF001  # the table of its own methods
    ops.RunEnd: IndexRows._run_end,  # noqa: SLF001  # the table of its own methods
    ops.StreamSetUp: IndexRows._set_up,  # noqa: SLF001  # the table of its own methods
    ops.SpanExtend: IndexRows._span,  # noqa: SLF001  # the table of its own methods
    ops.GapOpen: IndexRows._gap_open,  # noqa: SLF001  # the table of its own methods
    ops.GapRefine: IndexRows._gap_refine,  # noqa: SLF001  # the table of its own methods
    ops.GapClose: IndexRows._gap_close,  # noqa: SLF001  # the table of its own methods
    ops.Entry: IndexRows._entry,  # noqa: SLF001  # the table of its own methods
    ops.Heartbeat: IndexRows._heartbeat,  # noqa: SLF001  # the table of its own methods
}


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=str)


def _is_full(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def _latest(pending: Sequence[ops.IndexOp]) -> list[ops.IndexOp]:
    """The same story with only the last word of spans and heartbeats."""
    last: dict[object, int] = {}
    for place, op in enumerate(pending):
        if isinstance(op, ops.SpanExtend):
            last[op.run, op.from_us] = place
        elif isinstance(op, ops.Heartbeat):
            last["heartbeat"] = place
    kept = set(last.values())
    return [op for n, op in enumerate(pending) if n in kept or not isinstance(op, (ops.SpanExtend, ops.Heartbeat))]
