"""Which footage stands where no good clock put it, where it should stand, and why we think so. Reads only.

Within one boot CLOCK_BOOTTIME counts without a break: where a better clock was heard once in it, every run of it is placed
exactly. Of a boot in which none was heard only bounds are known: it lies between the last word of the boot before and the moment
the next one began, and it lasted as long as it lasted. Bounds are said; nothing is guessed inside them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from longwatch.archive.clock_rows import Era, PlacedRun, best_provenance, eras, runs_by_number, runs_of_boot
from longwatch.archive.correcting import Correction, Moved
from longwatch.archive.ops import Person
from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import Provenance

NOTICED_US = 200_000  # what the recorder calls a step
_RANK = {Provenance.NTP: 0, Provenance.RTCP: 1, Provenance.RTC: 2}


@dataclass(frozen=True, slots=True)
class Doubt:
    """A stretch of runs that one clock placed. runs: their numbers; ids: their rows. from_us, to_us: where it stands.

    shift_us: by how much it should move, exactly; None where only bounds are known, or nothing speaks against where it stands.
    becomes: the provenance it would have. earliest_us, latest_us: bounds of its begin; None: no bound is known on that side.
    recording: a run of it is recorded still, and waits. stated: a person placed it. era: entry its clock's era began with.
    """

    boot: str
    era: int | None
    runs: tuple[int, ...]
    ids: tuple[int, ...]
    streams: tuple[StreamKey, ...]
    from_us: int
    to_us: int
    provenance: Provenance
    shift_us: int | None
    becomes: Provenance
    why: str
    earliest_us: int | None = None
    latest_us: int | None = None
    recording: bool = False
    stated: bool = False

    @property
    def suggested(self) -> bool:
        """Whether it would be moved by `apply --suggested`."""
        return self.shift_us is not None and not self.recording and not self.stated


@dataclass(frozen=True, slots=True)
class _Boot:
    """A boot as far as its clocks speak of it. offset_us: wall minus CLOCK_BOOTTIME by the best of them; None: none spoke."""

    id: int
    first_run: int
    last_boot_us: int
    reference: Provenance | None
    offset_us: int | None
    reference_era: int | None
    why: str


def review(db: sqlite3.Connection) -> list[Doubt]:
    """What is in doubt, in order of the runs. Raises sqlite3.Error."""
    known = eras(db)
    boots = _boots(db, known)
    found: list[Doubt] = []
    for n, boot in enumerate(boots):
        if boot.reference is Provenance.NTP and all(
            abs(_apart(boot, era)) < NOTICED_US for era in known if era.boot_id == boot.id
        ):
            continue
        runs = runs_of_boot(db, boot.id, known)
        found += _of_boot(db, boot, runs, _bounds(boots, n))
    return sorted(found, key=lambda doubt: doubt.runs)


def suggested(db: sqlite3.Connection, person: Person | None) -> Correction | None:
    """The correction that moves everything that can be placed exactly; None where nothing can."""
    doubts = [doubt for doubt in review(db) if doubt.suggested]
    if not doubts:
        return None
    runs = {run: Moved(doubt.shift_us or 0, doubt.becomes) for doubt in doubts for run in doubt.ids}
    waiting = {doubt.era for doubt in review(db) if doubt.recording or doubt.stated}
    shifts = {}
    known = eras(db)
    for boot in _boots(db, known):
        for era in known:
            if era.boot_id == boot.id and era.seq not in waiting and abs(_apart(boot, era)) >= NOTICED_US:
                shifts[era.seq] = _apart(boot, era)
    why = "; ".join(sorted({doubt.why for doubt in doubts}))
    return Correction("clock_step", why, runs, shifts, person)


def stated(db: sqlite3.Connection, numbers: Sequence[int], at_us: int | None, shift_us: int | None, person: Person) -> Correction:  # fmt: skip
    """A person says where runs belong: the first of them begins at at_us, or all of them move by shift_us. Raises UsageError."""
    if not numbers:
        raise UsageError("no run is named", remedy="see `longwatch time` for their numbers")
    known = eras(db)
    wanted = set(numbers)
    runs = [run for run in runs_by_number(db, min(wanted), max(wanted), known) if run.number in wanted]
    missing = sorted(wanted - {run.number for run in runs})
    if missing:
        raise UsageError(f"there is no run {missing[0]}", remedy="see `longwatch time` for their numbers")
    if shift_us is None:
        if at_us is None:
            raise UsageError("neither a time nor a shift is given", remedy="--at TIME or --shift DURATION")
        shift_us = at_us - min(_hull(db, [run])[0] for run in runs)
    if shift_us == 0:
        raise UsageError("the runs stand there already")
    named = {run.id for run in runs}
    whole = {}
    for seq in {run.era for run in runs if run.era is not None}:
        era = next(era for era in known if era.seq == seq)
        if all(run.id in named for run in runs_of_boot(db, era.boot_id, known) if run.era == seq):
            whole[seq] = shift_us
    moved = {run.id: Moved(shift_us, Provenance.RTC) for run in runs}
    return Correction("operator", "an operator states where these runs belong", moved, whole, person)


# ---- boots ----------------------------------------------------------------------------------------------------------


def _apart(boot: _Boot, era: Era) -> int:
    """By how much what an era's clock told should still move."""
    return 0 if boot.offset_us is None else boot.offset_us - era.offset_us - era.shift_us


def _boots(db: sqlite3.Connection, known: Sequence[Era]) -> list[_Boot]:
    """In the order they were lived through: run numbers only rise."""
    rows = db.execute(
        "SELECT boot_id, min(number), max(coalesce(end_boot_us, start_boot_us, 0)) FROM run GROUP BY boot_id ORDER BY 2"
    ).fetchall()
    return [_boot(db, row[0], row[1], row[2], known) for row in rows]


def _boot(db: sqlite3.Connection, boot_id: int, first: int, last_us: int, known: Sequence[Era]) -> _Boot:
    mine = [era for era in known if era.boot_id == boot_id]
    last_us = max([last_us, *(era.boot_us for era in mine)])
    plain = len(mine) == 1 and mine[0].provenance is Provenance.NTP
    runs = [] if plain else runs_of_boot(db, boot_id, list(known))
    best = {era.seq: best_provenance(db, era, runs) for era in mine}
    choices = [(_RANK[best[era.seq]], -era.seq, era) for era in mine if best[era.seq] in _RANK]
    camera = next(
        (r for r in reversed(runs) if r.named_provenance is Provenance.RTCP and r.start_boot_us is not None), None
    )
    if choices and (min(choices)[0] == 0 or camera is None):
        era = min(choices, key=lambda choice: choice[:2])[2]
        told = best[era.seq]
        at = format_us(era.boot_us + era.offset_us)
        why = (
            f"NTP vouched for the host's clock from {at} on, in the same boot" if told is Provenance.NTP
            else f"the host's clock was set to {at} later in the same boot; nothing vouches for it"
        )  # fmt: skip
        return _Boot(boot_id, first, last_us, told, era.offset_us, era.seq, why)
    if camera is not None and camera.start_boot_us is not None:
        offset_us = camera.named_us - camera.start_boot_us - camera.at_90k * 100 // 9
        why = f"a camera's clock (run {camera.number}) told the time in the same boot"
        return _Boot(boot_id, first, last_us, Provenance.RTCP, offset_us, None, why)
    return _Boot(boot_id, first, last_us, None, None, None, "")


def _bounds(boots: Sequence[_Boot], n: int) -> tuple[int | None, int | None]:
    """Within which wall minus CLOCK_BOOTTIME of boot n must lie, by the boots around it that good clocks placed."""
    lived_us = 0
    earliest = latest = None
    for before in reversed(boots[:n]):
        if before.reference in {Provenance.NTP, Provenance.RTCP} and before.offset_us is not None:
            earliest = before.offset_us + before.last_boot_us + lived_us
            break
        lived_us += before.last_boot_us
    lived_us = boots[n].last_boot_us
    for after in boots[n + 1 :]:
        if after.reference in {Provenance.NTP, Provenance.RTCP} and after.offset_us is not None:
            latest = after.offset_us - lived_us
            break
        lived_us += after.last_boot_us
    return earliest, latest


# ---- stretches ------------------------------------------------------------------------------------------------------


def _of_boot(
    db: sqlite3.Connection, boot: _Boot, runs: Sequence[PlacedRun], bounds: tuple[int | None, int | None]
) -> Iterator[Doubt]:  # fmt: skip
    """The doubtful stretches of one boot: by era, and by how much their runs were moved already."""
    groups: dict[tuple[int | None, int], list[PlacedRun]] = {}
    for run in runs:
        if run.named_provenance is not Provenance.RTCP:
            groups.setdefault((run.era, run.wall_us - run.named_us), []).append(run)
    for (seq, _), group in groups.items():
        first = group[0]
        now = None if first.start_boot_us is None else first.wall_us - first.start_boot_us - first.at_90k * 100 // 9
        apart_us = boot.offset_us - now if boot.offset_us is not None and now is not None and seq is not None else None
        doubt = _doubt(db, group, seq)
        if seq is not None and seq == boot.reference_era and boot.reference is Provenance.NTP and not first.stated:
            continue
        if apart_us is not None and abs(apart_us) >= NOTICED_US and boot.reference is not None:
            yield replace(doubt, shift_us=apart_us, becomes=boot.reference, why=boot.why)
        elif boot.reference not in {Provenance.NTP, Provenance.RTCP} and first.provenance >= Provenance.RTC:
            yield _bounded(doubt, bounds, now, first.start_boot_us)
        else:
            continue


def _bounded(doubt: Doubt, bounds: tuple[int | None, int | None], now: int | None, start_us: int | None) -> Doubt:
    """What the boots around say of it."""
    if doubt.stated:
        return replace(doubt, why="an operator stated that it stands here")
    if now is None or start_us is None:
        return replace(doubt, why="nothing vouches for this clock, and how long the host had been up is not known")
    earliest, latest = bounds
    to_begin_us = doubt.from_us - now
    where = "nothing vouches for this clock"
    if (earliest is not None and now < earliest - NOTICED_US) or (latest is not None and now > latest + NOTICED_US):
        where = "it cannot be right: the boots before and after it leave it no such place"
    elif earliest is not None and latest is not None:
        where = "nothing vouches for this clock; the boots before and after it allow it"
    return replace(
        doubt, why=where, earliest_us=None if earliest is None else earliest + to_begin_us,
        latest_us=None if latest is None else latest + to_begin_us,
    )  # fmt: skip


def _doubt(db: sqlite3.Connection, group: Sequence[PlacedRun], seq: int | None) -> Doubt:
    streams = {run.stream_id for run in group}
    keys = sorted(
        StreamKey(*db.execute("SELECT camera, name FROM stream WHERE id = ?", (stream,)).fetchone())
        for stream in streams
    )
    from_us, to_us = _hull(db, group)
    first = group[0]
    return Doubt(
        first.boot, seq, tuple(run.number for run in group), tuple(run.id for run in group), tuple(keys), from_us, to_us,
        max(run.provenance for run in group), None, first.provenance, "",
        recording=any(not run.ended for run in group), stated=any(run.stated for run in group),
    )  # fmt: skip


def _hull(db: sqlite3.Connection, group: Sequence[PlacedRun]) -> tuple[int, int]:
    """From the first to the last of what these runs hold, as they stand."""
    from_us, to_us = [], []
    for run in group:
        row = db.execute(
            "SELECT min(wall_start_us), max(wall_start_us + wall_duration_us) FROM segment WHERE run_id = ?", (run.id,)
        ).fetchone()
        gone = db.execute("SELECT min(from_us), max(to_us) FROM gone_span WHERE run_id = ?", (run.id,)).fetchone()
        from_us += [at for at in (row[0], gone[0]) if at is not None]
        to_us += [at for at in (row[1], gone[1]) if at is not None]
    fallback = group[0].wall_us
    return min(from_us, default=fallback), max(to_us, default=fallback)
