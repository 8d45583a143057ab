"""What restored entries tell becomes rows again: spans, gaps, what is gone, set-up times, corrections, pauses, holds and alarms.

The entries are told in their order, as they were written, over the rows that the files gave (`rebuild`): media that is there has its
rows already, and is believed as to its bytes by nobody until `check --hash`. What the ledger seals and neither holds nor
removed is missing, and said to be. Owner: the index thread, within the transaction that restores.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from longwatch.archive import hold_rows
from longwatch.archive.clock_rows import note_clock
from longwatch.archive.correcting import replay
from longwatch.archive.index import Index
from longwatch.archive.mentions import remember_entry
from longwatch.archive.recovery import cover
from longwatch.archive.retention import SEAM_US, Doomed, add_gone, drop_segment, take_back_gone, tell_removed
from longwatch.archive.rows import SEALED, hold, note_longest, run_row
from longwatch.archive.supply import note_mains
from longwatch.base.errors import LongwatchError
from longwatch.ledger import kinds
from longwatch.ledger.entries import LedgerEntry, parse_entry
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import NO_EVENT, Provenance

_SEAM_US = 3_000_000  # what a span may lack of the gap that follows it: its last sample's cover is not in the file
SegmentName = tuple[str, int, int]


@dataclass(slots=True)
class _Away:
    """A sealed segment without a file here. Times as sealed."""

    key: StreamKey
    stream: int
    run: int
    sequence: int
    from_us: int
    to_us: int


@dataclass(slots=True)
class Retold:
    """What came of it. missing: segments that were sealed, are not here, and that no entry says were removed."""

    entries: int = 0
    missing: int = 0
    unreadable: list[int] = field(default_factory=list)


class _Retelling:
    def __init__(self, index: Index) -> None:
        self.index = index
        self.db = index.connection
        self.done = Retold()
        self.last: LedgerEntry | None = None
        self.orderly = False
        self.away: dict[SegmentName, _Away] = {}
        self.shifts: dict[tuple[str, int], int] = {}
        self._runs: dict[tuple[str, int], int] = {}
        self._streams: dict[StreamKey, int] = {}
        self._gaps: dict[int, tuple[int, int]] = {}  # by id: its stream and where it begins
        self._gaps_since_seal: dict[int, list[int]] = {}
        self._until: dict[int, int] = {}  # by stream: where what was told last ends
        self._cleared: set[int] = set()  # runs whose spans are told by seals, no more by their files

    def tell(self, entry: LedgerEntry) -> None:
        """The next entry. What cannot be read is passed over, and counted."""
        self.last = entry
        self.done.entries += 1
        if entry.kind in {kinds.START, kinds.STOP}:
            self.orderly = entry.kind == kinds.STOP
        try:
            note_clock(self.db, entry.seq, entry.boot, entry.kind, entry.body)
            note_mains(self.db, entry.seq, entry.kind)
            if isinstance(entry.body.get("person"), Mapping):
                said = {"seq": entry.seq, "kind": entry.kind, "body": entry.body, "wall_us": entry.wall_us}
                remember_entry(self.db, said)
            teller = _TELLERS.get(entry.kind)
            if teller is not None:
                teller(self, entry.body, entry)
        except (KeyError, TypeError, ValueError, LongwatchError):
            self.done.unreadable.append(entry.seq)

    # -- streams and runs

    def stream(self, key: StreamKey) -> int:
        known = self._streams.get(key)
        if known is None:
            self.db.execute("INSERT OR IGNORE INTO camera VALUES (?, ?)", (key.camera, key.camera))
            self.db.execute("INSERT OR IGNORE INTO stream (camera, name) VALUES (?, ?)", key)
            row = self.db.execute("SELECT id FROM stream WHERE camera = ? AND name = ?", key).fetchone()
            known = self._streams[key] = int(row[0])
        return known

    def _run(self, boot: str, number: int, stream: int) -> int:
        known = self._runs.get((boot, number))
        if known is None:
            known = self._runs[boot, number] = run_row(self.db, boot, number, stream, None)
            self.db.execute(
                "UPDATE run SET end_boot_us = 0, detail = 'restored' WHERE id = ? AND end_boot_us IS NULL", (known,)
            )
        return known

    def set_up(self, body: Mapping[str, Any], _: LedgerEntry) -> None:
        self.db.execute("UPDATE stream SET set_up_us = ? WHERE id = ?", (int(body["at_us"]), self.stream(_key(body))))

    # -- media

    def sealed(self, body: Mapping[str, Any], _: LedgerEntry) -> None:
        key, boot, number = _key(body), str(body["boot"]), int(body["run"])
        stream = self.stream(key)
        run = self._run(boot, number, stream)
        sequence, from_us, to_us = int(body["sequence"]), int(body["wall_start_us"]), int(body["wall_end_us"])
        if run not in self._cleared:
            self._cleared.add(run)
            self.db.execute("DELETE FROM recorded_span WHERE run_id = ? AND from_us >= ?", (run, from_us))
        provenance = int(Provenance[str(body["provenance"]).upper()])
        for piece_from_us, piece_to_us in self._without_gaps(stream, from_us, to_us):
            cover(self.db, stream, run, piece_from_us, piece_to_us, provenance)
        self._until[stream] = to_us
        if to_us > from_us:
            note_longest(self.db, to_us - from_us)
        if self._held(run, sequence):
            take_back_gone(self.db, run, sequence, from_us, to_us)
        else:
            self.away[boot, number, sequence] = _Away(key, stream, run, sequence, from_us, to_us)

    def _held(self, run: int, sequence: int) -> bool:
        row = self.db.execute("SELECT flags FROM segment WHERE run_id = ? AND sequence = ?", (run, sequence)).fetchone()
        return row is not None and bool(row[0] & SEALED)

    def _without_gaps(self, stream: int, from_us: int, to_us: int) -> Iterator[tuple[int, int]]:
        """A segment's stretch but for the gaps that were told since the seal before it: those lie within it, if anywhere."""
        holes = []
        for gap in self._gaps_since_seal.pop(stream, []):
            place = self._gaps.get(gap)
            row = None if place is None else self.db.execute(
                "SELECT from_us, to_us FROM gap WHERE stream_id = ? AND from_us = ? AND id = ?", (*place, gap)
            ).fetchone()  # fmt: skip
            if row is not None and row[1] is not None and row[0] < to_us and row[1] > from_us:
                holes.append((row[0], row[1]))
        for hole_from_us, hole_to_us in sorted(holes):
            if hole_from_us > from_us:
                yield from_us, hole_from_us
            from_us = max(from_us, hole_to_us)
        if to_us > from_us:
            yield from_us, to_us

    def removed(self, body: Mapping[str, Any], _: LedgerEntry) -> None:
        for told in body["runs"]:
            key, boot, number = _key(told), str(told["boot"]), int(told["run"])
            run = self._run(boot, number, self.stream(key))
            for first, last in told["sequences"]:
                for sequence in range(int(first), int(last) + 1):
                    self._gone(key, boot, number, run, sequence, told)

    def _gone(self, key: StreamKey, boot: str, number: int, run: int, sequence: int, told: Mapping[str, Any]) -> None:
        away = self.away.pop((boot, number, sequence), None)
        row = self.db.execute(
            "SELECT id, volume_id, wall_start_us, wall_duration_us, file_bytes FROM segment WHERE run_id = ? AND sequence = ?",
            (run, sequence),
        ).fetchone()
        shift_us = self.shifts.get((boot, number), 0)
        from_us, to_us = int(told["from_us"]), int(told["to_us"])
        if away is not None:
            from_us, to_us = away.from_us + shift_us, away.to_us + shift_us
        elif row is not None:  # of an index that is older than this removal; or a file that a person put back
            from_us, to_us = row[2], row[2] + row[3]
            drop_segment(self.db, row[0])
            hold(self.db, self.stream(key), row[1], -1, -row[4])
        if (
            told.get("why") == NO_EVENT
            and sequence == told["sequences"][-1][1]
            and 0 < told["to_us"] - to_us <= SEAM_US
        ):
            to_us = int(told["to_us"])
        if to_us > from_us:
            confirmed = not told.get("unconfirmed", 1)
            add_gone(
                self.db,
                self._doomed(key, run, sequence, from_us, to_us, confirmed=confirmed, why=str(told.get("why", ""))),
            )

    def _doomed(
        self, key: StreamKey, run: int, sequence: int, from_us: int, to_us: int, *, confirmed: bool, why: str = "missing"
    ) -> Doomed:  # fmt: skip
        return Doomed(0, self.stream(key), key, run, sequence, 0, "", from_us, to_us, 0, confirmed=confirmed, why=why)

    def corrected(self, body: Mapping[str, Any], _: LedgerEntry) -> None:
        replay(self.db, body)
        for told in body["runs"]:
            name = (str(told["boot"]), int(told["run"]))
            self.shifts[name] = self.shifts.get(name, 0) + int(told["shift_us"])

    # -- gaps

    def gap_opened(self, body: Mapping[str, Any], _: LedgerEntry) -> None:
        gap, stream, from_us = int(body["gap"]), self.stream(_key(body)), int(body["from_us"])
        self.db.execute(
            "INSERT OR REPLACE INTO gap VALUES (?, ?, ?, NULL, ?, ?)",
            (gap, stream, from_us, str(body["cause"]), _json(body["evidence"])),
        )
        self._gaps[gap] = (stream, from_us)
        self._until[stream] = from_us
        self._gaps_since_seal.setdefault(stream, []).append(gap)
        self.db.execute(
            "INSERT INTO meta VALUES ('next_gap', ?1) ON CONFLICT DO UPDATE SET value = max(value, ?1)", (gap + 1,)
        )

    def gap_refined(self, body: Mapping[str, Any], _: LedgerEntry) -> None:
        self.db.execute(
            "UPDATE gap SET cause = ?, evidence = ? WHERE stream_id = ? AND from_us = ? AND id = ?",
            (str(body["cause"]), _json(body["evidence"]), *self._place(int(body["gap"])), int(body["gap"])),
        )

    def gap_closed(self, body: Mapping[str, Any], _: LedgerEntry) -> None:
        gap = int(body["gap"])
        where = (*self._place(gap), gap)
        if not body["never_was"]:
            self._until[where[0]] = int(body["to_us"])
        if body["never_was"]:
            self.db.execute("DELETE FROM gap WHERE stream_id = ? AND from_us = ? AND id = ?", where)
        else:
            self.db.execute(
                "UPDATE gap SET to_us = ? WHERE stream_id = ? AND from_us = ? AND id = ?", (int(body["to_us"]), *where)
            )

    def _place(self, gap: int) -> tuple[int, int]:
        """Of a gap that was opened before the first entry that is told, the row knows."""
        known = self._gaps.get(gap)
        if known is None:
            row = self.db.execute("SELECT stream_id, from_us FROM gap WHERE id = ?", (gap,)).fetchone()
            if row is None:
                raise KeyError(gap)
            known = self._gaps[gap] = (int(row[0]), int(row[1]))
        return known

    # -- acts

    def paused(self, body: Mapping[str, Any], entry: LedgerEntry) -> None:
        self.db.execute(
            "INSERT OR REPLACE INTO pause VALUES (?, ?, ?, ?, ?)",
            (str(body["camera"]), str(body["kind"]), int(body["since_us"]), body["until_us"], entry.seq),
        )

    def resumed(self, body: Mapping[str, Any], _: LedgerEntry) -> None:
        self.db.execute("DELETE FROM pause WHERE camera = ?", (str(body["camera"]),))

    def hold_placed(self, body: Mapping[str, Any], entry: LedgerEntry) -> None:
        hold_rows.keep_placed(self.db, body, entry.seq)

    def hold_ended(self, body: Mapping[str, Any], entry: LedgerEntry) -> None:
        hold_rows.keep_ended(self.db, body, entry.seq)

    def hold_warned(self, body: Mapping[str, Any], entry: LedgerEntry) -> None:
        hold_rows.keep_warned(self.db, body, entry.seq)

    def hold_overruled(self, body: Mapping[str, Any], entry: LedgerEntry) -> None:
        hold_rows.keep_overruled(self.db, body, entry.seq)

    def alarm_raised(self, body: Mapping[str, Any], _: LedgerEntry) -> None:
        self.db.execute(
            "INSERT OR REPLACE INTO alarm VALUES (?, ?, ?, ?, NULL, NULL, 0, ?)",
            (int(body["alarm"]), str(body["kind"]), str(body["camera"]), int(body["raised_us"]), _json(body)),
        )

    def alarm_said(self, body: Mapping[str, Any], entry: LedgerEntry) -> None:
        """What came after: its newer words, how often it was said, its end, and who dealt with it."""
        alarm = int(body["alarm"])
        row = self.db.execute("SELECT body FROM alarm WHERE id = ?", (alarm,)).fetchone()
        if row is None:
            return
        facts = {k: v for k, v in body.items() if k not in {"alarm", "repeats", "ended_us", "why", "person"}}
        self.db.execute("UPDATE alarm SET body = ? WHERE id = ?", (_json(json.loads(row[0]) | facts), alarm))
        if "repeats" in body:
            self.db.execute("UPDATE alarm SET repeats = ? WHERE id = ?", (int(body["repeats"]), alarm))
        if body.get("ended_us") is not None:
            self.db.execute("UPDATE alarm SET ended_us = ? WHERE id = ?", (int(body["ended_us"]), alarm))
        if entry.kind == kinds.ALARM_ACKNOWLEDGED:
            self.db.execute("UPDATE alarm SET acknowledged_seq = ? WHERE id = ?", (entry.seq, alarm))

    # -- the end

    def finish(self, *, all_here: bool) -> None:
        """What no entry tells: where the story stopped, seams, and what is missing. all_here: no volume of the folder is away."""
        self._join_seams()
        if self.last is not None:
            until_us = max([self.last.wall_us, *self._until.values()])
            self.db.execute(
                "INSERT INTO heartbeat VALUES (1, ?1, 0, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE SET boot = ?1, boot_us = 0,"
                " wall_us = ?2, accounted_until_us = ?3, orderly = ?4 WHERE wall_us < ?2",
                (self.last.boot, self.last.wall_us, until_us, int(self.orderly)),
            )
        if not all_here:
            return
        missing = [
            self._doomed(a.key, a.run, a.sequence, a.from_us + shift_us, a.to_us + shift_us, confirmed=False)
            for (boot, number, _), a in self.away.items()
            for shift_us in (self.shifts.get((boot, number), 0),)
        ]
        self.done.missing = len(missing)
        for doomed in missing:
            add_gone(self.db, doomed)
        for first in range(0, len(missing), 64):
            tell_removed(self.index, missing[first : first + 64])

    def _join_seams(self) -> None:
        """A span reaches to the gap that follows it: its last sample covered that moment, which its file does not say."""
        for (stream,) in self.db.execute("SELECT id FROM stream").fetchall():
            spans = self.db.execute(
                "SELECT from_us, to_us, run_id FROM recorded_span WHERE stream_id = ? ORDER BY from_us", (stream,)
            ).fetchall()
            gaps = [
                row[0]
                for row in self.db.execute("SELECT from_us FROM gap WHERE stream_id = ? ORDER BY from_us", (stream,))
            ]
            starts = sorted([*gaps, *(row[0] for row in spans)])
            self._draw_out(stream, spans, starts)

    def _draw_out(self, stream: int, spans: list[tuple[int, int, int]], starts: list[int]) -> None:
        at = 0
        for from_us, to_us, run in spans:
            while at < len(starts) and starts[at] < to_us:
                at += 1
            if at < len(starts) and 0 < starts[at] - to_us <= _SEAM_US:
                self.db.execute(
                    "UPDATE recorded_span SET to_us = ? WHERE stream_id = ? AND from_us = ? AND run_id = ?",
                    (starts[at], stream, from_us, run),
                )


def _key(body: Mapping[str, Any]) -> StreamKey:
    return StreamKey(str(body["camera"]), str(body["stream"]))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


_TELLERS: Mapping[str, Callable[[_Retelling, Mapping[str, Any], LedgerEntry], None]] = {
    kinds.STREAM_SET_UP: _Retelling.set_up,
    kinds.SEGMENT_SEALED: _Retelling.sealed,
    kinds.SEGMENTS_REMOVED: _Retelling.removed,
    kinds.TIME_CORRECTED: _Retelling.corrected,
    kinds.GAP_OPENED: _Retelling.gap_opened,
    kinds.GAP_REFINED: _Retelling.gap_refined,
    kinds.GAP_CLOSED: _Retelling.gap_closed,
    kinds.PAUSED: _Retelling.paused,
    kinds.RESUMED: _Retelling.resumed,
    kinds.HOLD_PLACED: _Retelling.hold_placed,
    kinds.HOLD_ENDED: _Retelling.hold_ended,
    kinds.HOLD_WARNED: _Retelling.hold_warned,
    kinds.HOLD_OVERRULED: _Retelling.hold_overruled,
    kinds.ALARM_RAISED: _Retelling.alarm_raised,
    kinds.ALARM_REFINED: _Retelling.alarm_said,
    kinds.ALARM_REPEATED: _Retelling.alarm_said,
    kinds.ALARM_ENDED: _Retelling.alarm_said,
    kinds.ALARM_ACKNOWLEDGED: _Retelling.alarm_said,
}


def retell(index: Index, first: int, end: int, *, all_here: bool) -> Retold:
    """The entries [first, end), told over the rows of the files, within the caller's transaction. Raises sqlite3.Error."""
    retelling = _Retelling(index)
    rows: sqlite3.Cursor = index.connection.execute(
        "SELECT entry FROM ledger WHERE seq >= ? AND seq < ? ORDER BY seq", (first, end)
    )
    while batch := rows.fetchmany(1000):
        for (entry,) in batch:
            retelling.tell(parse_entry(entry))
    retelling.finish(all_here=all_here)
    return retelling.done
