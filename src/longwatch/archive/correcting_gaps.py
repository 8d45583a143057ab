"""What a correction of time makes of a stream's gaps.

A gap has two ends, and each was told by a clock. An end that touches footage goes where that footage goes; the others go with the
clock's era in which they were told: but for the first gap after a start, whose begin is where the account stood before it.
So a power cut that a host ended in 1970 reaches to where it really ended, and the gap that a step of the clock tore
open closes. What then lies under footage or gaps that came to stand there is cut away; what stood there and went leaves nothing
unexplained. Every change is told by `gap_closed` and `gap_opened`. Owner: the index thread.
"""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from longwatch.archive.clock_rows import Era, eras
from longwatch.archive.index import Index
from longwatch.archive.intervals import Interval, union, without
from longwatch.archive.rows import GapPlace, close_gap, next_gap
from longwatch.ledger import kinds
from longwatch.model.causes import Cause
from longwatch.model.sessions import StreamKey

_REMNANT_US = 1_000_000  # what is left of a gap that only a step of the clock told of is jitter
_ENDS_LATE_US = 1_000_000
_STARTS_WITHIN_US = 120_000_000  # a camera that comes back after a start does so within this
_FOR_EVER_US = 1 << 62
_STEP = "clock_step_us"


@dataclass(slots=True)
class _Gap:
    """A row, and where it is to stand. to_us: None while it is open."""

    id: int
    from_us: int
    to_us: int | None
    cause: str
    evidence: str
    new_from_us: int = 0
    new_to_us: int | None = None

    @property
    def moves(self) -> bool:
        return (self.new_from_us, self.new_to_us) != (self.from_us, self.to_us)

    @property
    def stays(self) -> bool:
        """Whether anything of it is left where it is to stand."""
        if self.new_to_us is None:
            return True
        left_us = self.new_to_us - self.new_from_us
        return left_us > (_REMNANT_US if self.moves and _STEP in self.evidence else 0)


class Footage(Protocol):
    """Where recorded footage stands."""

    from_us: int
    to_us: int


class GapStory:
    """The gaps of one stream. runs: by how much each moves. shifts: by how much an era's own words move."""

    def __init__(
        self, index: Index, db: sqlite3.Connection, stream: int, key: StreamKey, runs: Mapping[int, int], shifts: Mapping[int, int],
    ) -> None:  # fmt: skip
        self._index = index
        self._db = db
        self._stream = stream
        self._key = key
        self._runs = runs
        self._shifts = shifts
        self._eras = eras(db)
        self._gaps = [
            _Gap(id_, from_us, to_us, cause, evidence, from_us, to_us)
            for id_, from_us, to_us, cause, evidence in db.execute(
                "SELECT id, from_us, to_us, cause, evidence FROM gap WHERE stream_id = ? ORDER BY id", (stream,)
            )
        ]
        row = db.execute("SELECT set_up_us FROM stream WHERE id = ?", (stream,)).fetchone()
        self.set_up_us: int | None = row[0]
        self._starting: dict[int, int] = {}
        self._ending: dict[int, int] = {}
        self._left: list[Interval] = []
        self._taken: list[Interval] = []

    def points(self) -> list[Interval]:
        """Where ends of gaps stand that may move: footage that touches them takes them along."""
        ends = []
        for gap in self._gaps:
            era = self._era_of(gap)
            if era is not None and self._shift(era):
                ends += [at for at in (gap.from_us, gap.to_us) if at is not None]
        return [Interval(at, at + 1) for at in ends]

    # -- where each end goes

    def move(self, spans: Sequence[tuple[int, int, int]]) -> None:
        """Work out where the gaps go. spans: run, from_us, to_us, as they stood."""
        for run, from_us, to_us in spans:
            if run in self._runs or from_us not in self._starting:
                self._starting[from_us] = run
            if run in self._runs or to_us not in self._ending:
                self._ending[to_us] = run
        self._closing = {gap.to_us: gap for gap in self._gaps if gap.to_us is not None}
        self._opening = {gap.from_us: gap for gap in reversed(self._gaps)}
        self._first_of = {era.seq: gap.id for gap in reversed(self._gaps) if (era := self._era_of(gap)) is not None}
        for gap in self._gaps:
            gap.new_from_us = gap.from_us + self._begin_shift(gap)
            if gap.to_us is not None:
                gap.new_to_us = gap.to_us + self._end_shift(gap, gap.to_us)
        for gap in self._gaps:
            if gap.moves and gap.to_us is not None and gap.new_to_us is not None:
                self._left.append(Interval(gap.from_us, gap.to_us))
                if gap.stays:
                    self._taken.append(Interval(gap.new_from_us, gap.new_to_us))

    def _era_of(self, gap: _Gap) -> Era | None:
        found = None
        for era in self._eras:
            if era.first_gap > gap.id:
                break
            found = era
        return found

    def _shift(self, era: Era | None) -> int:
        return 0 if era is None else self._shifts.get(era.seq, 0)

    def _begin_shift(self, gap: _Gap) -> int:
        run = self._ending.get(gap.from_us)
        if run is not None:
            return self._runs.get(run, 0)
        era = self._era_of(gap)
        before = self._closing.get(gap.from_us)
        first = era is not None and era.start and self._first_of.get(era.seq) == gap.id
        if first and before is not None and before.id < gap.id:
            return self._shift(self._era_of(before))
        return self._shift(era)

    def _end_shift(self, gap: _Gap, to_us: int) -> int:
        run = self._starting.get(to_us)
        if run is not None:
            return self._runs.get(run, 0)
        after = self._opening.get(to_us)
        if after is not None and after.id > gap.id:
            return self._begin_shift(after)
        era = self._era_of(gap)
        while era is not None and era.end_wall_us is not None and to_us > era.end_wall_us + _ENDS_LATE_US:
            later = next((e for e in self._eras if e.seq > era.seq), None)
            if later is None or later.boot_id != era.boot_id:
                break
            era = later
        return self._shift(era)

    def shift_at(self, at_us: int) -> int:
        """By how much the first word on the stream moves, where that stood at at_us."""
        run = self._starting.get(at_us)
        if run is not None:
            return self._runs.get(run, 0)
        gap = self._opening.get(at_us)
        return 0 if gap is None else gap.new_from_us - gap.from_us

    def stands(self, from_us: int, to_us: int) -> bool:
        """Whether a gap is to stand in [from_us, to_us)."""
        return any(
            gap.stays and gap.new_from_us < to_us and (gap.new_to_us is None or gap.new_to_us > from_us)
            for gap in self._gaps
        )

    def moved_spans(self, moved: Sequence[tuple[Interval, Interval]]) -> None:
        """Footage that moves, too: where it stood and where it is to stand."""
        self._left += [old for old, _ in moved]
        self._taken += [new for _, new in moved]

    # -- rows and entries

    def write(self, entry: int, spans: Sequence[Footage]) -> list[tuple[int, GapPlace]]:
        """Carry it out. entry: number of the correction's. spans: all footage as it stands now. Gives the places of the gaps that
        moved, by their old numbers: later evidence may yet refine them.
        """
        opened = []
        for gap in self._gaps:
            if gap.moves:
                place = self._write_moved(gap)
                if place is not None:
                    opened.append((gap.id, place))
        self._cut()
        self._fill(entry, spans)
        return opened

    def _write_moved(self, gap: _Gap) -> GapPlace | None:
        place = GapPlace(gap.id, self._stream, gap.from_us)
        if not gap.stays:
            close_gap(self._index, self._db, place, gap.from_us)
            return None
        if gap.new_from_us == gap.from_us and gap.new_to_us is not None:
            close_gap(self._index, self._db, place, gap.new_to_us)
            return place
        close_gap(self._index, self._db, place, gap.from_us)
        said = {**json.loads(gap.evidence), "moved_from": gap.id}
        return self._insert(gap.new_from_us, gap.new_to_us, gap.cause, said)

    def _insert(self, from_us: int, to_us: int | None, cause: str, evidence: dict[str, object]) -> GapPlace:
        place = GapPlace(next_gap(self._db), self._stream, from_us)
        text = json.dumps(evidence, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        self._db.execute("INSERT INTO gap VALUES (?, ?, ?, NULL, ?, ?)", (*place, cause, text))
        self._index.append(kinds.GAP_OPENED, kinds.gap_opened(self._key, place.id, from_us, cause, evidence))
        if to_us is not None:
            close_gap(self._index, self._db, place, to_us)
        return place

    def _cut(self) -> None:
        """What lies under what came is taken away from the gaps that stayed."""
        taken = union(self._taken)
        for gap in self._gaps:
            if gap.moves or gap.to_us is None:
                continue
            whole = Interval(gap.from_us, gap.to_us)
            over = [t for t in taken if t.from_us < whole.to_us and t.to_us > whole.from_us]
            if not over:
                continue
            parts = without(whole, over)
            self._left.append(whole)
            place = GapPlace(gap.id, self._stream, gap.from_us)
            kept = bool(parts) and parts[0].from_us == whole.from_us
            close_gap(self._index, self._db, place, parts[0].to_us if kept else whole.from_us)
            for part in parts[1:] if kept else parts:
                self._insert(part.from_us, part.to_us, gap.cause, {**json.loads(gap.evidence), "split_from": gap.id})

    def _fill(self, entry: int, spans: Sequence[Footage]) -> None:
        """Where nothing stands now, because something went from there or came to stand beside it, a gap is told: as the start of the
        recorder that ended it says, as its neighbour says, else `unknown`.
        """
        beat = self._db.execute("SELECT accounted_until_us FROM heartbeat").fetchone()
        if beat is None or self.set_up_us is None:
            return
        rows = self._db.execute(
            "SELECT from_us, coalesce(to_us, ?), cause, evidence FROM gap WHERE stream_id = ?", (beat[0], self._stream)
        ).fetchall()
        present = union([*(Interval(s.from_us, s.to_us) for s in spans), *(Interval(a, b) for a, b, _, _ in rows)])
        for left in union([*self._left, *_beside(union(self._taken), present)]):
            known = Interval(max(left.from_us, self.set_up_us), min(left.to_us, beat[0]))
            for hole in without(known, present) if known.from_us < known.to_us else ():
                cause, said = self._why(hole, rows)
                self._insert(hole.from_us, hole.to_us, cause, {**said, "corrected_by": entry})

    def _why(self, hole: Interval, rows: Sequence[tuple[int, int, str, str]]) -> tuple[str, dict[str, object]]:
        """Cause and evidence of a hole."""
        for era in self._eras:
            ready_us = era.boot_us + era.offset_us + era.shift_us + self._shift(era)
            if era.start and hole.from_us < ready_us and abs(ready_us - hole.to_us) < _STARTS_WITHIN_US:
                return self._of_start(era)
        beside = [r for r in rows if r[1] == hole.from_us] or [r for r in rows if r[0] == hole.to_us]
        if not beside:
            return str(Cause.UNKNOWN), {"detail": "what stood here was placed elsewhere"}
        said: dict[str, object] = json.loads(beside[0][3])
        return beside[0][2], said

    def _of_start(self, era: Era) -> tuple[str, dict[str, object]]:
        """What a start of the recorder says of the time before it."""
        row = self._db.execute("SELECT entry FROM ledger WHERE seq = ?", (era.seq,)).fetchone()
        body = json.loads(row[0])["body"] if row is not None else {}
        if body.get("orderly"):
            return str(Cause.POST_STOPPED), {"detail": "the recorder was stopped in order", "start": era.seq}
        if body.get("same_boot"):
            return str(Cause.RECORDER_FAILED), {"detail": "the recorder ended without a stop entry", "start": era.seq}
        detail = "the heartbeat ended without a stop entry, and the host started anew"
        return str(Cause.POST_POWER_LOST), {"detail": detail, "start": era.seq}


def _beside(taken: Sequence[Interval], present: Sequence[Interval]) -> list[Interval]:
    """What is empty between each of `taken` and its neighbours in `present`, a union that holds them."""
    begins = [interval.from_us for interval in present]
    found = []
    for interval in taken:
        n = bisect_right(begins, interval.from_us) - 1
        m = bisect_right(begins, interval.to_us - 1) - 1
        if n >= 0:
            found.append(Interval(present[n - 1].to_us if n else -_FOR_EVER_US, present[n].from_us))
        if m >= 0:
            found.append(Interval(present[m].to_us, present[m + 1].from_us if m + 1 < len(present) else _FOR_EVER_US))
    return found
