"""Holds as rows, each with its entry, in one transaction; and what of the media stands under them. docs/design/holds.md.

Every function that writes works on the index thread, within the caller's transaction. Reading is for any process. A hold takes
effect with the commit of its entry: retention reads the rows before each run.
"""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from longwatch.archive import ops
from longwatch.archive.index import Index
from longwatch.archive.rows import enter
from longwatch.base.errors import UsageError
from longwatch.ledger import kinds
from longwatch.model.holds import Guard, Hold, HoldEnd, HoldEnded, merged

_HOLD = (
    "SELECT id, from_us, to_us, until_us, authority, placed_us, seq, ended_us, ended_why, ended_seq, warned_days, overruled"
    " FROM hold WHERE "
)
FAR_US = 1 << 62
Stretch = tuple[int, int]


# ---- reading --------------------------------------------------------------------------------------------------------


def read_holds(
    db: sqlite3.Connection, *, everything: bool = False, number: int | None = None, limit: int = 10_000
) -> list[Hold]:
    """The newest first. everything: also those that ended. number: this one alone, ended or not. With the words of who did it."""
    where = "id = ?" if number is not None else "ended_us IS NULL OR ?" if everything else "ended_us IS NULL AND ?"
    value = number if number is not None else 1
    rows = db.execute(_HOLD + f"({where}) ORDER BY id DESC LIMIT ?", (value, limit)).fetchall()
    return [_hold(db, row, words=True) for row in rows]


def standing(db: sqlite3.Connection) -> list[Hold]:
    """Those in force, without words: what retention goes by."""
    return [_hold(db, row, words=False) for row in db.execute(_HOLD + "ended_us IS NULL ORDER BY id").fetchall()]


def _hold(db: sqlite3.Connection, row: Sequence[Any], *, words: bool) -> Hold:
    number, from_us, to_us, until_us, authority, placed_us, seq, ended_us, why, ended_seq, warned, overruled = row
    parts = db.execute("SELECT camera, stream FROM hold_part WHERE hold_id = ? ORDER BY 1, 2", (number,)).fetchall()
    by, reason = _words(db, seq) if words else (None, None)
    ended = None
    if ended_us is not None:
        ended = HoldEnded(HoldEnd(why), ended_us, ended_seq, *(_words(db, ended_seq) if words else (None, None)))
    return Hold(
        number, tuple(dict.fromkeys(camera for camera, _ in parts)),
        tuple(dict.fromkeys(stream for _, stream in parts if stream)), from_us, to_us, until_us, authority, placed_us, seq, by,
        reason, warned, tuple(overruled.split()), ended,
    )  # fmt: skip


def _words(db: sqlite3.Connection, seq: int | None) -> tuple[str | None, str | None]:
    row = db.execute("SELECT text FROM personal WHERE seq = ?", (seq,)).fetchone()
    if row is None:
        return None, None
    said = json.loads(row[0])
    by = said.get("name") or said.get("user") or said.get("token")
    return None if by is None else str(by), said.get("reason")


# ---- writing: operations of `act_rows` ------------------------------------------------------------------------------


def place(index: Index, db: sqlite3.Connection, op: ops.HoldPlace) -> int:
    """A new hold, and its entry. Raises UsageError where a camera was never set up."""
    known = {row[0] for row in db.execute("SELECT DISTINCT camera FROM stream")}
    unknown = next((camera for camera in op.cameras if camera not in known), None)
    if unknown is not None:
        raise UsageError(f"there is no camera {unknown!r}", remedy="see `longwatch hold add --help`")
    number = 1 + int(db.execute("SELECT coalesce(max(id), 0) FROM hold").fetchone()[0])
    body = kinds.hold_placed(
        number, op.cameras, op.streams, op.from_us, op.to_us, until_us=op.until_us, authority=op.authority, placed_us=op.placed_us
    )  # fmt: skip
    seq = enter(index, ops.Entry(kinds.HOLD_PLACED, body, op.person))
    keep_placed(db, body, seq)
    return seq


def keep_placed(db: sqlite3.Connection, body: Mapping[str, Any], seq: int) -> None:
    """The rows of an entry `hold_placed`, new or told again."""
    number = int(body["hold"])
    db.execute(
        "INSERT OR REPLACE INTO hold (id, from_us, to_us, until_us, authority, placed_us, seq) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (number, int(body["from_us"]), int(body["to_us"]), body["until_us"], str(body["authority"]), int(body["placed_us"]), seq),
    )  # fmt: skip
    db.execute("DELETE FROM hold_part WHERE hold_id = ?", (number,))
    parts = [(number, str(camera), str(stream)) for camera in body["cameras"] for stream in (body["streams"] or [""])]
    db.executemany("INSERT INTO hold_part VALUES (?, ?, ?)", parts)


def end(index: Index, db: sqlite3.Connection, op: ops.HoldRelease) -> int:
    """A hold is over. Raises UsageError where there is none, or it ended before."""
    row = db.execute("SELECT ended_us FROM hold WHERE id = ?", (op.id,)).fetchone()
    if row is None:
        raise UsageError(f"there is no hold {op.id}", remedy="see `longwatch hold list --all`")
    if row[0] is not None:
        raise UsageError(f"hold {op.id} has ended already", remedy="see `longwatch hold list --all`")
    body = {"hold": op.id, "why": str(op.why), "ended_us": op.ended_us}
    seq = enter(index, ops.Entry(kinds.HOLD_ENDED, body, op.person))
    keep_ended(db, body, seq)
    return seq


def keep_ended(db: sqlite3.Connection, body: Mapping[str, Any], seq: int) -> None:
    """The row of an entry `hold_ended`."""
    db.execute(
        "UPDATE hold SET ended_us = ?, ended_why = ?, ended_seq = ? WHERE id = ?",
        (int(body["ended_us"]), str(HoldEnd(str(body["why"]))), seq, int(body["hold"])),
    )


def warn(index: Index, db: sqlite3.Connection, op: ops.HoldWarn) -> int:
    """The law is going to take from a hold: said before it does."""
    body = {"hold": op.id, "days": op.days, "goes_us": op.goes_us}
    seq = index.append(kinds.HOLD_WARNED, body)
    keep_warned(db, body, seq)
    return seq


def keep_warned(db: sqlite3.Connection, body: Mapping[str, Any], _: int) -> None:
    """The row of an entry `hold_warned`."""
    db.execute("UPDATE hold SET warned_days = ? WHERE id = ?", (int(body["days"]), int(body["hold"])))


def overrule(index: Index, hold: Hold, why: str, from_us: int) -> None:
    """Footage of a hold is about to be removed all the same: the first time, and for each reason, an entry says so."""
    body = {"hold": hold.id, "why": why, "from_us": from_us, "cameras": list(hold.cameras)}
    keep_overruled(index.connection, body, index.append(kinds.HOLD_OVERRULED, body))


def keep_overruled(db: sqlite3.Connection, body: Mapping[str, Any], _: int) -> None:
    """The row of an entry `hold_overruled`."""
    row = db.execute("SELECT overruled FROM hold WHERE id = ?", (int(body["hold"]),)).fetchone()
    if row is not None:
        said = " ".join(dict.fromkeys([*str(row[0]).split(), str(body["why"])]))
        db.execute("UPDATE hold SET overruled = ? WHERE id = ?", (said, int(body["hold"])))


# ---- what stands under them -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """The stretches of each stream that may not be removed. firm: those that stand against max_age too; every: these, all other holds,
    and what exports are made of. holds: in force.
    """

    holds: Sequence[Hold] = ()
    every: Mapping[int, Sequence[Stretch]] = field(default_factory=dict)
    firm: Mapping[int, Sequence[Stretch]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.every)

    def over(self, camera: str, stream: str, from_us: int, to_us: int) -> list[Hold]:
        """The holds that this footage stands under."""
        return [h for h in self.holds if h.covers(camera, stream) and touches(h, from_us, to_us)]


def touches(hold: Hold, from_us: int, to_us: int) -> bool:
    """Whether footage of this stretch is of the hold's. Footage without length counts as the moment it begins at."""
    return hold.from_us < max(to_us, from_us + 1) and hold.to_us > from_us


def is_held(stretches: Sequence[Stretch], from_us: int, to_us: int) -> bool:
    """Whether some of [from_us, to_us) lies in one of the sorted stretches."""
    at = bisect_right(stretches, (from_us, FAR_US)) - 1
    if at >= 0 and stretches[at][1] > from_us:
        return True
    return at + 1 < len(stretches) and stretches[at + 1][0] < max(to_us, from_us + 1)


def windows(stretches: Sequence[Stretch]) -> Iterator[Stretch]:
    """What lies between: where footage that is not held may begin."""
    from_us = -FAR_US
    for begin_us, end_us in stretches:
        if from_us < begin_us:
            yield from_us, begin_us
        from_us = end_us
    yield from_us, FAR_US


def look(db: sqlite3.Connection, guards: Iterable[Guard] = ()) -> Held:
    """What stands now, by stream. A hold whose own end has passed stands until its entry says that it ended."""
    holds = standing(db)
    guarded = list(guards)
    every: dict[int, Sequence[Stretch]] = {}
    firm: dict[int, Sequence[Stretch]] = {}
    if not holds and not guarded:
        return Held()
    for stream, camera, name in db.execute("SELECT id, camera, name FROM stream").fetchall():
        mine = [hold for hold in holds if hold.covers(camera, name)]
        others = [(g.from_us, g.to_us) for g in guarded if (g.camera, g.stream) == (camera, name)]
        stretches = merged([(hold.from_us, hold.to_us) for hold in mine] + others)
        if stretches:
            every[stream] = stretches
            firm[stream] = merged([(hold.from_us, hold.to_us) for hold in mine if hold.firm])
    return Held(holds, every, firm)
