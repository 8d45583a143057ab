"""What a tick says, as rows: segments as they became durable, and the operations of `ops`, in one transaction.

States are cumulative and operations are kept in order, so that what a failing index could not take is made good by the next
commit. Owner: the index thread.
"""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import structlog

from longwatch.archive import act_rows, ops
from longwatch.archive.correcting import Corrected, Correction, correct
from longwatch.archive.index import EntryTooLongError, Index
from longwatch.archive.rows import (
    GapPlace,
    close_gap,
    enter,
    extend_span,
    insert_segment,
    next_commit,
    next_gap,
    note_longest,
    run_row,
    seal_rows,
    segment_flags,
    set_up,
)  # fmt: skip
from longwatch.archive.sayable import by_hash, sayable
from longwatch.archive.segment_files import SegmentState
from longwatch.ledger import kinds
from longwatch.ledger.canonical import NotCanonicalError
from longwatch.model.sessions import StreamKey

_PENDING_LIMIT = 100_000  # operations kept while the index fails: hours of a large post
_GAPS_KNOWN = 40  # closed gaps of a stream that may still be refined; the oldest are forgotten
_RUNS_KNOWN = 256  # runs that ended whose rows are known by heart; of older ones they are looked up
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
        self._ended: deque[int] = deque()  # the runs among them that are over
        self._segments: dict[int, int] = {}
        self._gaps: dict[int, GapPlace] = {}
        self._closed: dict[int, deque[int]] = {}  # by stream, the tokens of its closed gaps
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
        for op in self._pending_ops:
            handler = _HANDLERS.get(type(op))
            if handler is not None:
                handler(self, db, op)
        for state in self._pending_states.values():  # last: what is missing within a segment is told before its seal
            self._segment(db, state)

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
        run = self._known_run(db, number)
        if run is None:
            _log.error("a run without a start", run=number, camera=key.camera, stream=key.stream)
            run = run_row(db, self._index.boot, number, self.stream_id(db, key), None)
            self._runs[number] = run
            self._undo.append(lambda: self._runs.pop(number, None))
        return run

    def _known_run(self, db: sqlite3.Connection, number: int) -> int | None:
        """Its row. A camera that comes back every few seconds makes thousands a day: of those that are long over it is read."""
        known = self._runs.get(number)
        if known is None and self._ended:
            row = db.execute(
                "SELECT run.id FROM run JOIN boot ON boot.id = run.boot_id WHERE number = ? AND boot = ?",
                (number, self._index.boot),
            ).fetchone()
            known = None if row is None else int(row[0])
        return known

    def _placement(self, db: sqlite3.Connection, op: ops.Placement) -> None:
        run = self._known_run(db, op.run)
        if run is None:
            _log.error("a run that never began is placed", run=op.run)
            return
        db.execute(
            "INSERT INTO placement (run_id, at_90k, wall_us, rate_ppb, provenance, reason) VALUES (?, ?, ?, ?, ?, ?)",
            (run, op.at_90k, op.wall_us, op.rate_ppb, int(op.provenance), op.reason),
        )

    def _run_end(self, db: sqlite3.Connection, op: ops.RunEnd) -> None:
        run = self._known_run(db, op.run)
        if run is None:
            _log.error("a run that never began ends", run=op.run)
            return
        db.execute("UPDATE run SET end_boot_us = ?, detail = ? WHERE id = ?", (op.boot_us, op.detail, run))
        self._ended.append(op.run)
        self._undo.append(self._ended.pop)
        if len(self._ended) > _RUNS_KNOWN:
            self._forget_run()

    def _forget_run(self) -> None:
        number = self._ended.popleft()
        run = self._runs.pop(number, None)

        def undo() -> None:
            self._ended.appendleft(number)
            if run is not None:
                self._runs[number] = run

        self._undo.append(undo)

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
        set_up(self._index, self.stream_id(db, op.key), op.key, op.at_us)

    def _span(self, db: sqlite3.Connection, op: ops.SpanExtend) -> None:
        extend_span(
            db, self.stream_id(db, op.key), self._run(db, op.run, op.key), op.from_us, op.to_us, int(op.provenance)
        )

    def _gap_open(self, db: sqlite3.Connection, op: ops.GapOpen) -> None:
        gap = next_gap(db)
        place = GapPlace(gap, self.stream_id(db, op.key), op.from_us)
        evidence = sayable(op.evidence)
        db.execute("INSERT INTO gap VALUES (?, ?, ?, NULL, ?, ?)", (*place, str(op.cause), _json(evidence)))
        self._gaps[op.token] = place
        self._undo.append(lambda: self._gaps.pop(op.token, None))
        self._index.append(kinds.GAP_OPENED, kinds.gap_opened(op.key, gap, op.from_us, str(op.cause), evidence))

    def _gap_adopt(self, db: sqlite3.Connection, op: ops.GapAdopt) -> None:
        self._gaps[op.token] = GapPlace(op.gap, self.stream_id(db, op.key), op.from_us)
        self._undo.append(lambda: self._gaps.pop(op.token, None))

    def _gap_refine(self, db: sqlite3.Connection, op: ops.GapRefine) -> None:
        place = self._gaps.get(op.token)
        if place is None:
            _log.error("a gap that was never opened is refined", token=op.token)
            return
        evidence = sayable(op.evidence)
        found = db.execute(
            "UPDATE gap SET cause = ?, evidence = ? WHERE stream_id = ? AND from_us = ? AND id = ?",
            (str(op.cause), _json(evidence), place.stream_id, place.from_us, place.id),
        )
        if not found.rowcount:  # a correction of time moved it since: what stands there now has a number of its own
            _log.warning("a gap that is no more is not refined", gap=place.id)
            return
        self._index.append(kinds.GAP_REFINED, kinds.gap_refined(place.id, str(op.cause), evidence))

    def _gap_close(self, db: sqlite3.Connection, op: ops.GapClose) -> None:
        place = self._gaps.get(op.token)
        if place is None:
            _log.error("a gap that was never opened is closed", token=op.token)
            return
        close_gap(self._index, db, place, op.to_us)
        closed = self._closed.setdefault(place.stream_id, deque())
        closed.append(op.token)
        self._undo.append(closed.pop)
        if len(closed) > _GAPS_KNOWN:
            self._forget(closed)

    def _forget(self, closed: deque[int]) -> None:
        """The oldest closed gap of a stream: nobody refines it any more (accounting keeps 16 of a silence)."""
        token = closed.popleft()
        place = self._gaps.pop(token, None)

        def undo() -> None:
            closed.appendleft(token)
            if place is not None:
                self._gaps[token] = place

        self._undo.append(undo)

    def correct(self, correction: Correction, streams: Sequence[int], *, last: bool) -> Corrected:
        """Place runs anew, now. Gaps that moved go on under the numbers they get. Raises sqlite3.Error, where nothing of it stands."""
        if self.failed or self._doubt is not None:
            raise sqlite3.OperationalError(self.failed or "the index failed a moment ago")
        done = correct(self._index, correction, streams, last=last)
        for old, place in done.gaps:
            for token, known in self._gaps.items():
                if known.id == old:
                    self._gaps[token] = place
        return done

    # -- entries and heartbeat

    def _entry(self, _: sqlite3.Connection, op: ops.Entry) -> None:
        try:
            enter(self._index, op)
        except (
            EntryTooLongError,
            NotCanonicalError,
            RecursionError,
        ) as error:  # it must not stop what else the tick says
            _log.error("an entry cannot be published and is told by its hash", kind=op.kind, error=str(error)[:200])
            why = "too_long" if isinstance(error, EntryTooLongError) else "not_canonical"
            enter(self._index, replace(op, body=by_hash(op.body, {why: ascii(str(error))[1:-1][:200]})))

    def _act(self, db: sqlite3.Connection, op: ops.Act) -> None:
        act_rows.write(self._index, db, op)

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
    ops.GapAdopt: IndexRows._gap_adopt,  # noqa: SLF001  # the table of its own methods
    ops.GapRefine: IndexRows._gap_refine,  # noqa: SLF001  # the table of its own methods
    ops.GapClose: IndexRows._gap_close,  # noqa: SLF001  # the table of its own methods
    ops.Entry: IndexRows._entry,  # noqa: SLF001  # the table of its own methods
    ops.Heartbeat: IndexRows._heartbeat,  # noqa: SLF001  # the table of its own methods
    **dict.fromkeys(act_rows.ACTS, IndexRows._act),  # noqa: SLF001  # the table of its own methods
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
