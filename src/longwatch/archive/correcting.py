"""Runs placed anew on the wall: what a correction does to the rows of a stream, told by one entry and those of the gaps.

Nothing is rewritten: files keep names and bytes (table `named` keeps what a name was made of), placement rows are added, and the
ledger gets `time_corrected`, then what becomes of the gaps, in the same transaction. Footage moves with the gaps that its clock
told; a gap that lay across the step keeps the end that the other clock told. Docs: docs/design/time.md, "Corrections".
Every function works on the index thread, within the caller's transaction.
"""

from __future__ import annotations

import itertools
import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from longwatch.archive.clock_rows import eras
from longwatch.archive.correcting_gaps import GapStory
from longwatch.archive.index import Index
from longwatch.archive.intervals import Interval, union
from longwatch.archive.ops import Entry, Person
from longwatch.archive.rows import GapPlace, enter
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.ledger import kinds
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import Provenance

SEAM_US = 1_000_000
"""Two runs that come to lie so near each other are joined: a sample covers up to the next, at most a second."""
_RUNS_AN_ENTRY = 150
_SEGMENTS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Moved:
    """By how much a run moves, and how far its new time is to be believed."""

    shift_us: int
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Correction:
    """What is to be placed anew. by: `clock_step` (CLOCK_BOOTTIME says where it belongs) or `operator`. why: for people.

    runs: by row of the run. eras: by number of the entry that an era began with: what that clock told of gaps moves as well.
    """

    by: str
    why: str
    runs: Mapping[int, Moved]
    eras: Mapping[int, int] = field(default_factory=dict)
    person: Person | None = None


@dataclass(frozen=True, slots=True)
class Corrected:
    """What was done. entries: numbers of the entries. gaps: old number and new place of those that moved."""

    runs: int
    segments: int
    entries: tuple[int, ...]
    gaps: tuple[tuple[int, GapPlace], ...] = ()


@dataclass(slots=True)
class Span:
    """A row of recorded_span, as it is to stand. moved: by this correction."""

    run: int
    from_us: int
    to_us: int
    provenance: int
    moved: bool = False


def batches(index: Index, correction: Correction) -> list[list[int]]:
    """The streams that a correction touches, in groups that one transaction can carry without holding up a tick for long.

    Raises UsageError where a run is not there, or is being recorded still.
    """
    db = index.connection
    counts: dict[int, int] = {}
    for run in correction.runs:
        row = db.execute("SELECT stream_id, end_boot_us, number FROM run WHERE id = ?", (run,)).fetchone()
        if row is None:
            raise UsageError("a run to be corrected is not there", remedy="see `longwatch time`")
        if row[1] is None:
            raise UsageError(
                f"run {row[2]} is being recorded", why="it cannot be placed anew while it grows",
                remedy="set the host's clock first: that ends the run",
            )  # fmt: skip
        held = db.execute("SELECT count(*) FROM segment WHERE run_id = ?", (run,)).fetchone()[0]
        counts[row[0]] = counts.get(row[0], 0) + int(held)
    for stream in _streams_with_gaps(db, correction):
        counts.setdefault(stream, 0)
    groups: list[list[int]] = []
    room = 0
    for stream, segments in sorted(counts.items()):
        if not groups or segments > room:
            groups.append([])
            room = _SEGMENTS_AT_ONCE
        groups[-1].append(stream)
        room -= segments
    return groups


def _streams_with_gaps(db: sqlite3.Connection, correction: Correction) -> Iterator[int]:
    for era in eras(db):
        if correction.eras.get(era.seq):
            last = era.end_gap if era.end_gap is not None else 1 << 60
            for (stream,) in db.execute(
                "SELECT DISTINCT stream_id FROM gap WHERE id >= ? AND id < ?", (era.first_gap, last)
            ):
                yield stream


def correct(index: Index, correction: Correction, streams: Sequence[int], *, last: bool = True) -> Corrected:
    """Place the runs of these streams anew, in one transaction with its entries. last: no more streams of this correction follow.
    Raises sqlite3.Error, and then nothing of it stands.
    """
    with index.transaction() as db:
        works = [_StreamWork(index, db, stream, correction) for stream in streams]
        entries = _enter(index, correction, works, last=last)
        if last:
            _shift_eras(db, correction.eras.items())
        opened: list[tuple[int, GapPlace]] = []
        segments = 0
        for work in works:
            segments += work.write(f"{correction.by}: entry {entries[-1]}")
            opened += work.gaps.write(entries[-1], work.spans)
    return Corrected(sum(len(work.runs) for work in works), segments, tuple(entries), tuple(opened))


def _enter(index: Index, correction: Correction, works: Sequence[_StreamWork], *, last: bool) -> list[int]:
    """One entry; more where it would be longer than the log takes."""
    told = [(work, run) for work in works for run in work.told]
    numbers = []
    for n in range(0, max(1, len(told)), _RUNS_AN_ENTRY):
        part = told[n : n + _RUNS_AN_ENTRY]
        body: dict[str, object] = {
            "by": correction.by, "why": correction.why[:500],
            "eras": sorted(map(list, correction.eras.items())) if last and n == 0 else [],
            "runs": [run for _, run in part],
            "seams": [seam for work in works for seam in work.seams] if n == 0 else [],
            "set_up": [work.set_up for work in works if work.set_up is not None] if n == 0 else [],
        }  # fmt: skip
        numbers.append(enter(index, Entry(kinds.TIME_CORRECTED, body, correction.person)))
    return numbers


class _StreamWork:
    """One stream's part of a correction: worked out first, told, then written."""

    def __init__(self, index: Index, db: sqlite3.Connection, stream: int, correction: Correction) -> None:
        self._db = db
        self._stream = stream
        row = db.execute("SELECT camera, name, set_up_us FROM stream WHERE id = ?", (stream,)).fetchone()
        self.key = StreamKey(row[0], row[1])
        self._set_up_us: int | None = row[2]
        ids = [r[0] for r in db.execute("SELECT id FROM run WHERE stream_id = ?", (stream,)) if r[0] in correction.runs]
        self.runs = {run: correction.runs[run] for run in ids}
        self.gaps = GapStory(
            index, db, stream, self.key, {r: m.shift_us for r, m in self.runs.items()}, correction.eras
        )
        self._before = self._read_spans()
        self.gaps.move([(s.run, s.from_us, s.to_us) for s in self._before])
        self.spans = [
            Span(s.run, s.from_us + m.shift_us, s.to_us + m.shift_us, int(m.provenance), moved=True)
            if (m := self.runs.get(s.run)) is not None else replace(s)
            for s in self._before
        ]  # fmt: skip
        self.seams = [seam for span in _join(self.spans, self.gaps.stands) if (seam := self._seam(span)) is not None]
        self.gaps.moved_spans(
            [
                (Interval(s.from_us, s.to_us), Interval(new.from_us, new.to_us))
                for s, new in zip(self._before, self.spans, strict=True)
                if new.moved
            ]
        )
        self.set_up = self._new_set_up()
        self.told = [self._tell(run, moved) for run, moved in self.runs.items()]

    def _read_spans(self) -> list[Span]:
        """Those that move, and all that lie near them or near a gap that does, before or after."""
        sql = (
            "SELECT run_id, from_us, to_us, provenance FROM recorded_span WHERE stream_id = ? ORDER BY from_us, run_id"
        )
        windows = self.gaps.points()
        for run, from_us, to_us, _ in self._db.execute(sql, (self._stream,)):
            moved = self.runs.get(run)
            if moved is not None:
                windows += [Interval(from_us, to_us), Interval(from_us + moved.shift_us, to_us + moved.shift_us)]
        near = union([Interval(a - SEAM_US, b + SEAM_US) for a, b in windows])
        begins = [window.from_us for window in near]
        found = []
        before: dict[int, Span] = {}  # by window: the last span before it, and the first after it
        after: dict[int, Span] = {}
        for row in self._db.execute(sql, (self._stream,)):
            at = bisect_left(begins, row[2]) - 1
            if row[0] in self.runs or (at >= 0 and near[at].to_us > row[1]):
                found.append(Span(*row))
            else:
                span = Span(*row)
                after.setdefault(at, span)
                if at + 1 not in before or before[at + 1].to_us < span.to_us:
                    before[at + 1] = span
        beside = {(s.from_us, s.run): s for s in (*before.values(), *after.values())}
        return sorted([*found, *beside.values()], key=lambda s: (s.from_us, s.run))

    def _seam(self, span: Span) -> dict[str, object] | None:
        row = self._db.execute(
            "SELECT b.boot, r.number FROM run r JOIN boot b ON b.id = r.boot_id WHERE r.id = ?", (span.run,)
        ).fetchone()
        return {"boot": row[0], "run": row[1], "to_us": span.to_us}

    def _new_set_up(self) -> dict[str, object] | None:
        """Where the stream's first word moves, it is set up there; and never after its first footage."""
        if self._set_up_us is None:
            return None
        set_up_us = self._set_up_us + self.gaps.shift_at(self._set_up_us)
        for span in self.spans:
            if span.moved:
                set_up_us = min(set_up_us, span.from_us)
        if set_up_us == self._set_up_us:
            return None
        self.gaps.set_up_us = set_up_us
        return {"camera": self.key.camera, "stream": self.key.stream, "set_up_us": set_up_us}

    def _tell(self, run: int, moved: Moved) -> dict[str, object]:
        boot, number, wall_us = self._db.execute(
            "SELECT b.boot, r.number, (SELECT wall_us FROM placement WHERE run_id = r.id ORDER BY id DESC LIMIT 1)"
            " FROM run r JOIN boot b ON b.id = r.boot_id WHERE r.id = ?",
            (run,),
        ).fetchone()
        mine = [span for span in self.spans if span.run == run]
        at_us = (wall_us or 0) + moved.shift_us
        return {
            "boot": boot, "run": number, "camera": self.key.camera, "stream": self.key.stream, "shift_us": moved.shift_us,
            "from_us": min((s.from_us for s in mine), default=at_us), "to_us": max((s.to_us for s in mine), default=at_us),
            "provenance": moved.provenance.name.lower(),
        }  # fmt: skip

    def write(self, reason: str) -> int:
        """Rows of media and spans. reason: of the placement. Returns how many segments moved."""
        segments = 0
        for run, moved in self.runs.items():
            segments += _move_media(self._db, run, moved)
            _move_placement(self._db, run, moved, reason)
        for old, new in zip(self._before, self.spans, strict=True):
            if (old.from_us, old.to_us, old.provenance) != (new.from_us, new.to_us, new.provenance):
                self._db.execute(
                    "DELETE FROM recorded_span WHERE stream_id = ? AND from_us = ? AND run_id = ?",
                    (self._stream, old.from_us, old.run),
                )
        for old, new in zip(self._before, self.spans, strict=True):
            if (old.from_us, old.to_us, old.provenance) != (new.from_us, new.to_us, new.provenance):
                self._db.execute(
                    "INSERT OR REPLACE INTO recorded_span VALUES (?, ?, ?, ?, ?)",
                    (self._stream, new.from_us, new.run, new.to_us, new.provenance),
                )
        if self.set_up is not None:
            self._db.execute("UPDATE stream SET set_up_us = ? WHERE id = ?", (self.set_up["set_up_us"], self._stream))
        return segments


def _join(spans: Sequence[Span], gap_stands: Callable[[int, int], bool]) -> list[Span]:
    """Make runs that came to lie end to end meet: jitter of arrival parted them, or laid them over each other. Answers with those
    whose end was moved. gap_stands(from_us, to_us): whether a gap is told between.
    """
    changed = []
    ordered = sorted(spans, key=lambda s: (s.from_us, s.to_us))
    for before, after in itertools.pairwise(ordered):
        if before.run == after.run or not (before.moved or after.moved):
            continue
        apart_us = after.from_us - before.to_us
        joins = 0 < apart_us < SEAM_US and not gap_stands(before.to_us, after.from_us)
        overlaps = -SEAM_US < apart_us < 0 and after.to_us > before.to_us and after.from_us > before.from_us
        if joins or overlaps:
            before.to_us = after.from_us
            changed.append(before)
    return changed


def _move_media(db: sqlite3.Connection, run: int, moved: Moved) -> int:
    """Segments and what is gone of a run. Names stay: what they were made of is kept."""
    db.execute(
        "INSERT OR IGNORE INTO named SELECT id, wall_start_us FROM segment WHERE run_id = ?",
        (run,),
    )
    count = db.execute(
        "UPDATE segment SET wall_start_us = wall_start_us + ?, provenance = ? WHERE run_id = ?",
        (moved.shift_us, int(moved.provenance), run),
    ).rowcount
    gone = db.execute(
        "SELECT stream_id, from_us, to_us, first_sequence, last_sequence, fate FROM gone_span WHERE run_id = ?",
        (run,),
    ).fetchall()
    db.execute("DELETE FROM gone_span WHERE run_id = ?", (run,))
    db.executemany(
        "INSERT INTO gone_span VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(s, a + moved.shift_us, run, b + moved.shift_us, first, last, fate) for s, a, b, first, last, fate in gone],
    )
    return int(count)


def _move_placement(db: sqlite3.Connection, run: int, moved: Moved, reason: str) -> None:
    """The line again, elsewhere: rows are added, none is changed. The newest row of each media time is the one that holds."""
    rows = db.execute(
        "SELECT at_90k, wall_us, rate_ppb FROM placement WHERE id IN"
        " (SELECT max(id) FROM placement WHERE run_id = ? GROUP BY at_90k) ORDER BY at_90k",
        (run,),
    ).fetchall()
    db.executemany(
        "INSERT INTO placement (run_id, at_90k, wall_us, rate_ppb, provenance, reason) VALUES (?, ?, ?, ?, ?, ?)",
        [(run, at, wall + moved.shift_us, rate, int(moved.provenance), reason) for at, wall, rate in rows],
    )


def replay(db: sqlite3.Connection, body: Mapping[str, object]) -> None:
    """What a `time_corrected` entry says of runs, once more, for an index that is made again from files and ledger. The gaps'
    own entries, which follow it, say the rest. Runs that are not there are passed over. Raises LongwatchError where it is no such body.
    """
    try:
        _replay(db, body)
    except (KeyError, TypeError, ValueError) as error:
        raise LongwatchError("an entry `time_corrected` cannot be read", why=repr(error)) from error


def _replay(db: sqlite3.Connection, body: Mapping[str, object]) -> None:
    for told in _items(body, "runs"):
        run = _run_id(db, told)
        if run is None:
            continue
        moved = Moved(int(str(told["shift_us"])), Provenance[str(told["provenance"]).upper()])
        _move_media(db, run, moved)
        _move_placement(db, run, moved, f"{body['by']}: replayed")
        rows = db.execute("SELECT stream_id, from_us, to_us FROM recorded_span WHERE run_id = ?", (run,)).fetchall()
        db.execute("DELETE FROM recorded_span WHERE run_id = ?", (run,))
        db.executemany(
            "INSERT OR REPLACE INTO recorded_span VALUES (?, ?, ?, ?, ?)",
            [(s, a + moved.shift_us, run, b + moved.shift_us, int(moved.provenance)) for s, a, b in rows],
        )
    for seam in _items(body, "seams"):
        run = _run_id(db, seam)
        if run is not None:
            db.execute(
                "UPDATE recorded_span SET to_us = ?1 WHERE run_id = ?2 AND abs(to_us - ?1) < 1000000 AND from_us < ?1",
                (seam["to_us"], run),
            )
    eras_told = body.get("eras", [])
    if not isinstance(eras_told, list):
        raise TypeError("eras")
    _shift_eras(db, [(seq, shift_us) for seq, shift_us in eras_told])
    for told in _items(body, "set_up"):
        db.execute(
            "UPDATE stream SET set_up_us = ? WHERE camera = ? AND name = ?",
            (told["set_up_us"], told["camera"], told["stream"]),
        )


def _shift_eras(db: sqlite3.Connection, shifts: Iterable[tuple[int, int]]) -> None:
    """What these clocks told has moved."""
    db.executemany("UPDATE clock SET shift_us = shift_us + ? WHERE seq = ?", [(by_us, seq) for seq, by_us in shifts])


def _items(body: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    items = body.get(name, [])
    if not isinstance(items, list):
        raise TypeError(name)
    return items


def _run_id(db: sqlite3.Connection, told: Mapping[str, object]) -> int | None:
    row = db.execute(
        "SELECT r.id FROM run r JOIN boot b ON b.id = r.boot_id WHERE r.number = ? AND b.boot = ?",
        (told["run"], told["boot"]),
    ).fetchone()
    return None if row is None else int(row[0])
