"""Alarms, pauses and settings as rows, each with its entry, in one transaction; and what a start reads of them.

Every function works on the index thread, within the caller's transaction. What the recorder's own watch says (raised, refined,
repeated, ended) may come late, by the commit that makes good a failing index; it never raises for a row that is not there. What
a person asks for goes through `act` alone, which refuses what cannot be.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from longwatch.archive import hold_rows, ops
from longwatch.archive.index import Index
from longwatch.archive.rows import enter
from longwatch.archive.sayable import sayable
from longwatch.base.errors import UsageError
from longwatch.ledger import kinds
from longwatch.model.alarms import Acknowledgement, Alarm, AlarmKind
from longwatch.model.causes import Cause, Pause

SETTINGS_APPLIED = "settings_applied"
LOG_SEEN = "alarm_log"
_SETTINGS_ENTRY = b'"kind":"settings_applied"'
_MOST_FACTS = 14 << 10  # beside the evidence, in one entry
_ALARM = "SELECT id, kind, camera, raised_us, ended_us, repeats, body, acknowledged_seq FROM alarm WHERE "
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KeptActs:
    """What a start finds. standing: alarms whose trouble lasts, acknowledged or not. settings: as `SettingsKeep` left them, "" where
    nothing is known. log_seen: as `LogSeen` left it; log: number and key of the log as it is now, "" where there is none yet.
    """

    standing: tuple[Alarm, ...] = ()
    next_alarm: int = 1
    pauses: Mapping[str, Pause] = field(default_factory=dict)
    settings: str = ""
    log_seen: str = ""
    log: str = ""


def load(index: Index, *, lost: bool = False) -> KeptActs:
    """All of it; reads a few rows, whatever the age of the archive. lost: the index was lost and made again: then the settings are put
    together from the ledger, which is read whole. Raises sqlite3.Error.
    """
    db = index.connection
    standing = tuple(alarm_of(db, row) for row in db.execute(_ALARM + "ended_us IS NULL ORDER BY id").fetchall())
    last = db.execute("SELECT max(id) FROM alarm").fetchone()[0]
    pauses = {
        camera: Pause(Cause(kind), since, until, seq)
        for camera, kind, since, until, seq in db.execute("SELECT camera, kind, since_us, until_us, seq FROM pause")
    }
    log = db.execute("SELECT number, key FROM log").fetchone()
    return KeptActs(
        standing, 1 + (last or 0), pauses, _meta(db, SETTINGS_APPLIED) or (_settings_told(db) if lost else ""),
        _meta(db, LOG_SEEN),
        "" if log is None else f"{log[0]} {bytes(log[1]).hex()}",
    )  # fmt: skip


def _settings_told(db: sqlite3.Connection) -> str:
    """What the entries of settings come to, for an index whose row was lost; "" where there are none."""
    flat: dict[str, object] = {}
    found = False
    for (entry,) in db.execute("SELECT entry FROM ledger WHERE instr(entry, ?) ORDER BY seq", (_SETTINGS_ENTRY,)):
        changes = json.loads(entry)["body"].get("changes")
        if isinstance(changes, dict):
            found = True
            flat |= changes["added"]
            flat |= {key: value[1] for key, value in changes["changed"].items() if value[1] != ops.SECRET_CHANGED}
            flat = {key: value for key, value in flat.items() if key not in changes["removed"]}
    return json.dumps({"flat": flat, "fingerprints": {}, "salt": ""}) if found else ""


def _meta(db: sqlite3.Connection, name: str) -> str:
    row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return "" if row is None else str(row[0])


def _keep_meta(db: sqlite3.Connection, name: str, value: str) -> None:
    db.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (name, value))


# ---- reading alarms (also for `ArchiveReader`) -----------------------------------------------------------------------


def read_alarms(
    db: sqlite3.Connection, *, everything: bool, before: int | None, limit: int, cameras: Sequence[str] | None
) -> list[Alarm]:
    """The newest first. everything: also those that are over and dealt with. before: only those with a smaller id. cameras: only
    of these, and none of the post's own.
    """
    wanted, values = ["id < ?"], [before if before is not None else 1 << 62]
    if not everything:
        wanted.append("id IN (SELECT id FROM alarm WHERE acknowledged_seq IS NULL UNION SELECT id FROM alarm WHERE ended_us IS NULL)")  # fmt: skip
    rest: list[object] = []
    if cameras is not None:
        wanted.append(f"camera IN ({', '.join('?' * len(cameras))})")
        rest = list(cameras)
    sql = _ALARM + " AND ".join(wanted) + " ORDER BY id DESC LIMIT ?"
    return [alarm_of(db, row) for row in db.execute(sql, (*values, *rest, limit)).fetchall()]


def alarm_of(db: sqlite3.Connection, row: Sequence[Any]) -> Alarm:
    """A row of `_ALARM` as a value, with the words of who acknowledged it."""
    acknowledged = None if row[7] is None else _acknowledgement(db, row[7])
    return Alarm(row[0], AlarmKind(row[1]), row[2], row[3], row[4], row[5], json.loads(row[6]), acknowledged)


def _acknowledgement(db: sqlite3.Connection, seq: int) -> Acknowledgement:
    entry = db.execute("SELECT entry FROM ledger WHERE seq = ?", (seq,)).fetchone()
    at_us = int(json.loads(entry[0])["wall_us"]) if entry is not None else 0
    person = db.execute("SELECT subject, text FROM personal WHERE seq = ?", (seq,)).fetchone()
    if person is None:
        return Acknowledgement(seq, at_us, None, None)
    said = json.loads(person[1])
    by = said.get("name") or said.get("user") or said.get("token")
    return Acknowledgement(seq, at_us, None if by is None else str(by), said.get("reason"))


def alarm_counts(db: sqlite3.Connection) -> dict[tuple[str, str], tuple[int, int]]:
    """By kind and camera: how many stand, and how many ended and were not acknowledged."""
    rows = db.execute(
        "SELECT kind, camera, sum(ended_us IS NULL), sum(ended_us IS NOT NULL) FROM alarm"
        " WHERE acknowledged_seq IS NULL GROUP BY kind, camera"
    )
    return {(kind, camera): (standing, ended) for kind, camera, standing, ended in rows}


# ---- writing --------------------------------------------------------------------------------------------------------


def write(index: Index, db: sqlite3.Connection, op: ops.Act) -> int | None:
    """One act: its row and its entry. Returns the entry's number; None where there was nothing to write."""
    return _WRITERS[type(op)](index, db, op)


def act(index: Index, op: ops.Act) -> int | None:
    """The same in a transaction of its own: durable when it returns. Raises UsageError, sqlite3.Error; then nothing stands."""
    with index.transaction() as db:
        return write(index, db, op)


def _raise(index: Index, db: sqlite3.Connection, op: ops.AlarmRaise) -> int | None:
    if db.execute("SELECT 1 FROM alarm WHERE id = ?", (op.id,)).fetchone() is not None:
        _log.error("an alarm was raised twice", alarm=op.id)
        return None
    body: dict[str, object] = {
        **sayable(op.facts, _MOST_FACTS), "alarm": op.id, "kind": str(op.kind), "camera": op.camera, "subject": op.subject,
        "cause": op.cause, "evidence": sayable(op.evidence), "since_us": op.since_us, "raised_us": op.raised_us,
    }  # fmt: skip
    db.execute(
        "INSERT INTO alarm VALUES (?, ?, ?, ?, NULL, NULL, 0, ?)",
        (op.id, str(op.kind), op.camera, op.raised_us, _json(body)),
    )
    return index.append(kinds.ALARM_RAISED, body)


def _refine(index: Index, db: sqlite3.Connection, op: ops.AlarmRefine) -> int | None:
    body = _body(db, op.id)
    if body is None:
        return None
    said = {"cause": op.cause, "evidence": sayable(op.evidence)}
    db.execute("UPDATE alarm SET body = ? WHERE id = ?", (_json(body | said), op.id))
    return index.append(kinds.ALARM_REFINED, {"alarm": op.id, **said})


def _repeat(index: Index, db: sqlite3.Connection, op: ops.AlarmRepeat) -> int | None:
    body = _body(db, op.id)
    if body is None:
        return None
    facts = sayable(op.facts, _MOST_FACTS)
    db.execute("UPDATE alarm SET repeats = ?, body = ? WHERE id = ?", (op.repeats, _json(body | facts), op.id))
    return index.append(kinds.ALARM_REPEATED, {**facts, "alarm": op.id, "repeats": op.repeats})


def _end(index: Index, db: sqlite3.Connection, op: ops.AlarmEnd) -> int | None:
    body = _body(db, op.id)
    if body is None:
        return None
    facts = sayable(op.facts, _MOST_FACTS)
    db.execute("UPDATE alarm SET ended_us = ?, body = ? WHERE id = ?", (op.ended_us, _json(body | facts), op.id))
    return index.append(kinds.ALARM_ENDED, {**facts, "alarm": op.id, "ended_us": op.ended_us, "why": op.why})


def _body(db: sqlite3.Connection, alarm: int) -> dict[str, object] | None:
    row = db.execute("SELECT body FROM alarm WHERE id = ?", (alarm,)).fetchone()
    if row is None:
        _log.error("an alarm without a row", alarm=alarm)
        return None
    body: dict[str, object] = json.loads(row[0])
    return body


def _acknowledge(index: Index, db: sqlite3.Connection, op: ops.AlarmAcknowledge) -> int:
    row = db.execute("SELECT ended_us, acknowledged_seq FROM alarm WHERE id = ?", (op.id,)).fetchone()
    if row is None:
        raise UsageError(f"there is no alarm {op.id}", remedy="see `longwatch alarms --all`")
    if row[1] is not None:
        raise UsageError(f"alarm {op.id} was acknowledged before", why=f"entry {row[1]} says by whom")
    ended_us = op.ended_us if row[0] is None else row[0]
    seq = enter(index, ops.Entry(kinds.ALARM_ACKNOWLEDGED, {"alarm": op.id, "ended_us": ended_us}, op.person))
    db.execute("UPDATE alarm SET acknowledged_seq = ?, ended_us = ? WHERE id = ?", (seq, ended_us, op.id))
    return seq


def _pause(index: Index, db: sqlite3.Connection, op: ops.PauseBegin) -> int:
    body: dict[str, object] = {
        "camera": op.camera, "kind": str(op.cause), "since_us": op.since_us, "until_us": op.until_us,
    }  # fmt: skip
    seq = enter(index, ops.Entry(kinds.PAUSED, body, op.person))
    db.execute(
        "INSERT OR REPLACE INTO pause VALUES (?, ?, ?, ?, ?)", (op.camera, str(op.cause), op.since_us, op.until_us, seq)
    )
    return seq


def _resume(index: Index, db: sqlite3.Connection, op: ops.PauseEnd) -> int | None:
    if db.execute("DELETE FROM pause WHERE camera = ?", (op.camera,)).rowcount == 0:
        return None
    return enter(index, ops.Entry(kinds.RESUMED, {"camera": op.camera, "why": op.why}, op.person))


def _settings(index: Index, db: sqlite3.Connection, op: ops.SettingsKeep) -> int | None:
    numbers = [enter(index, entry) for entry in op.entries]
    for alarm in op.alarms:
        _raise(index, db, alarm)
    _keep_meta(db, SETTINGS_APPLIED, op.kept)
    return numbers[0] if numbers else None


def _log_seen(_: Index, db: sqlite3.Connection, op: ops.LogSeen) -> None:
    _keep_meta(db, LOG_SEEN, op.seen)


_WRITERS: Mapping[type, Callable[[Index, sqlite3.Connection, Any], int | None]] = {
    ops.AlarmRaise: _raise,
    ops.AlarmRefine: _refine,
    ops.AlarmRepeat: _repeat,
    ops.AlarmEnd: _end,
    ops.AlarmAcknowledge: _acknowledge,
    ops.PauseBegin: _pause,
    ops.PauseEnd: _resume,
    ops.SettingsKeep: _settings,
    ops.LogSeen: _log_seen,
    ops.HoldPlace: hold_rows.place,
    ops.HoldRelease: hold_rows.end,
    ops.HoldWarn: hold_rows.warn,
}
ACTS = frozenset(_WRITERS)


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
