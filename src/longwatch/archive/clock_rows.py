"""Eras of the host's clock: stretches of a boot in which wall time minus CLOCK_BOOTTIME did not change. Table `clock`.

An era begins with a start of the recorder, with a step of the clock, or where the clock became unsteady; the ledger's entry
of it makes the row. Runs belong to the era whose offset they were placed by; gaps to the era they were opened in.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from longwatch.ledger import kinds
from longwatch.model.stores import Provenance

_NEAR_US = 2_000_000  # a run's first picture may have come a tick before the step was seen


@dataclass(frozen=True, slots=True)
class Era:
    """[boot_us, end_boot_us) of CLOCK_BOOTTIME; None where the boot has no later era. gaps: numbers [first, end) were opened in it.

    seq: of the entry it began with. start: with a start of the recorder. provenance: as it began. shift_us: by how much what it told was
    moved since.
    """

    seq: int
    boot_id: int
    boot_us: int
    end_boot_us: int | None
    offset_us: int
    provenance: Provenance
    first_gap: int
    end_gap: int | None
    start: bool
    shift_us: int

    @property
    def end_wall_us(self) -> int | None:
        """What this era's clock showed when it ended."""
        return None if self.end_boot_us is None else self.end_boot_us + self.offset_us


@dataclass(frozen=True, slots=True)
class PlacedRun:
    """A run and where it stands. wall_us: of media time `at_90k`, as placed now; named_us: as placed first.

    era: seq of its era; None where that is not known, or the camera's own clock placed it. stated: a person placed it last.
    """

    id: int
    boot_id: int
    boot: str
    number: int
    stream_id: int
    start_boot_us: int | None
    ended: bool
    at_90k: int
    wall_us: int
    named_us: int
    provenance: Provenance
    named_provenance: Provenance
    era: int | None
    stated: bool


def note_clock(db: sqlite3.Connection, seq: int, boot: str, kind: str, body: Mapping[str, object]) -> None:
    """The row of an entry that tells of the clock; nothing for any other kind. Within the caller's transaction."""
    if kind not in {kinds.START, kinds.CLOCK_STEP, kinds.CLOCK_UNSTEADY}:
        return
    boot_us, wall_us = body.get("boot_us"), body.get("to_us" if kind == kinds.CLOCK_STEP else "wall_us")
    if not isinstance(boot_us, int) or not isinstance(wall_us, int):
        return
    said = str(body.get("provenance", "inferred")).upper()
    provenance = Provenance[said] if said in Provenance.__members__ else Provenance.INFERRED
    db.execute("INSERT OR IGNORE INTO boot (boot) VALUES (?)", (boot,))
    db.execute(
        "INSERT OR REPLACE INTO clock SELECT ?, id, ?, ?, ?,"
        " coalesce((SELECT value FROM meta WHERE name = 'next_gap'), 1), ?, 0 FROM boot WHERE boot = ?",
        (seq, boot_us, wall_us - boot_us, int(provenance), int(kind == kinds.START), boot),
    )


def eras(db: sqlite3.Connection) -> list[Era]:
    """Every era, in the order of the ledger."""
    rows = db.execute(
        "SELECT seq, boot_id, boot_us, offset_us, provenance, first_gap, start, shift_us FROM clock ORDER BY seq"
    ).fetchall()
    found = []
    for n, (seq, boot, boot_us, offset_us, provenance, first_gap, start, shift_us) in enumerate(rows):
        after = rows[n + 1] if n + 1 < len(rows) else None
        ends_us = after[2] if after is not None and after[1] == boot else None
        found.append(
            Era(
                seq, boot, boot_us, ends_us, offset_us, Provenance(provenance), first_gap,
                after[5] if after is not None else None, bool(start), shift_us,
            )
        )  # fmt: skip
    return found


_RUNS = (
    "SELECT r.id, r.boot_id, b.boot, r.number, r.stream_id, r.start_boot_us, r.end_boot_us,"
    " (SELECT at_90k FROM placement WHERE run_id = r.id ORDER BY at_90k, id LIMIT 1)"
    " FROM run r CROSS JOIN boot b ON b.id = r.boot_id WHERE "
)


def runs_of_boot(db: sqlite3.Connection, boot_id: int, known: list[Era]) -> list[PlacedRun]:
    """The runs of a boot, in order of their numbers. known: every era."""
    rows = db.execute(_RUNS + "r.boot_id = ? ORDER BY r.number", (boot_id,)).fetchall()
    mine = [era for era in known if era.boot_id == boot_id]
    return [run for row in rows if (run := _placed(db, row, mine)) is not None]


def runs_by_number(db: sqlite3.Connection, first: int, last: int, known: list[Era]) -> list[PlacedRun]:
    """The runs numbered first to last."""
    rows = db.execute(_RUNS + "r.number BETWEEN ? AND ? ORDER BY r.number", (first, last)).fetchall()
    return [run for row in rows if (run := _placed(db, row, [e for e in known if e.boot_id == row[1]])) is not None]


def _placed(db: sqlite3.Connection, row: tuple[int, int, str, int, int, int | None, int | None, int | None], mine: list[Era]) -> PlacedRun | None:  # fmt: skip
    id_, boot_id, boot, number, stream, start_us, end_us, at_90k = row
    if at_90k is None:
        return None
    rows = db.execute(
        "SELECT wall_us, provenance, reason FROM placement WHERE run_id = ? AND at_90k = ? ORDER BY id", (id_, at_90k)
    ).fetchall()
    (named_us, named, _), (wall_us, provenance, reason) = rows[0], rows[-1]
    era = None
    if start_us is not None and named != int(Provenance.RTCP):
        era = _era_of(start_us, named_us - start_us, mine)
    return PlacedRun(
        id_, boot_id, boot, number, stream, start_us, end_us is not None, at_90k, wall_us, named_us, Provenance(provenance),
        Provenance(named), era, reason.startswith("operator"),
    )  # fmt: skip


def _era_of(start_us: int, offset_us: int, mine: list[Era]) -> int | None:
    """The era that a run was begun in; near a step the one whose offset it was placed by."""
    near = [
        era
        for era in mine
        if era.boot_us - _NEAR_US <= start_us and (era.end_boot_us is None or start_us < era.end_boot_us + _NEAR_US)
    ]
    if not near:
        return None
    return min(near, key=lambda era: abs(offset_us - era.offset_us)).seq


def best_provenance(db: sqlite3.Connection, era: Era, runs: list[PlacedRun]) -> Provenance:
    """The best word for the host's clock in an era: NTP may have begun to vouch for it without a step."""
    best = era.provenance
    for run in runs:
        if run.era == era.seq and best is not Provenance.NTP:
            row = db.execute(
                "SELECT min(provenance) FROM placement WHERE run_id = ? AND provenance != ? AND reason NOT LIKE 'operator%'"
                " AND reason NOT LIKE 'clock_step%'",
                (run.id, int(Provenance.RTCP)),
            ).fetchone()
            if row[0] is not None:
                best = min(best, Provenance(row[0]))
    return best


def total_shift(db: sqlite3.Connection, run_id: int) -> int:
    """By how much corrections have moved a run from where its files' names say, in microseconds."""
    rows = db.execute(
        "SELECT wall_us FROM placement WHERE run_id = ?1 AND at_90k ="
        " (SELECT min(at_90k) FROM placement WHERE run_id = ?1) ORDER BY id",
        (run_id,),
    ).fetchall()
    return int(rows[-1][0]) - int(rows[0][0]) if rows else 0


def placed_as(db: sqlite3.Connection, run_id: int) -> Provenance:
    """The provenance of a run's newest placement."""
    row = db.execute("SELECT provenance FROM placement WHERE run_id = ? ORDER BY id DESC LIMIT 1", (run_id,)).fetchone()
    return Provenance.INFERRED if row is None else Provenance(row[0])
