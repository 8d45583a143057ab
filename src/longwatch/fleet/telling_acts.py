"""What entries tell of acts and alarms, as rows: pauses, holds, alarms, settings, who is spoken of; and what a correction moves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import sqlalchemy as sa

from longwatch.fleet.engine import FleetDb
from longwatch.fleet.schema import alarms, gone, held, holds, mentions, pauses, pieces, posts, spans
from longwatch.ledger import kinds
from longwatch.ledger.entries import LedgerEntry
from longwatch.model.holds import HoldEnd

_MOST_KEPT = 1 << 20
SECRET_CHANGED = "(secret, changed)"  # noqa: S105 - what stands in the place of one


class Telling(Protocol):
    """`telling.Telling`, as far as it is asked here."""

    fleet: FleetDb
    db: sa.Connection
    post: int
    era: int

    def touch(self, stream: int, from_us: int, to_us: int) -> None: ...


def name_of(value: object) -> str:
    """An id or a word of a foreign entry. Raises ValueError for what no database should keep."""
    if not isinstance(value, str) or len(value) > 200 or not value.isprintable():
        raise ValueError("not a name")
    return value


def whole(value: object) -> int:
    """A number of a foreign entry, which the ledger's form bounds (ledger/canonical.py). Raises TypeError for all else: `int` reads words too, and of any size."""
    if type(value) is not int:
        raise TypeError("not a whole number")
    return value


def mention(telling: Telling, log: int, entry: LedgerEntry) -> None:
    """An entry about a person, by the number that the post has for that person."""
    body = entry.body
    subject = whole(body["person"]["subject"])
    at_us, camera = body.get("at_us"), body.get("camera")
    values = {
        "post": telling.post, "era": telling.era, "seq": entry.seq, "log": log, "at_us": at_us if type(at_us) is int else entry.wall_us,
        "subject": subject, "kind": name_of(entry.kind), "camera": name_of(camera) if isinstance(camera, str) else "",
    }  # fmt: skip
    telling.db.execute(telling.fleet.upsert(mentions, ("post", "era", "seq")), values)


def move_rows(telling: Telling, run: int, stream: int, shift_us: int, provenance: int) -> None:
    """Spans, what is gone and what is held of a run that is placed anew."""
    db, post = telling.db, telling.post
    for table in (spans, gone, held):
        mine = (table.c.post == post, table.c.run == run)
        rows = [dict(row) for row in db.execute(sa.select(table).where(*mine)).mappings()]
        if not rows:
            continue
        telling.touch(stream, min(row["from_us"] for row in rows), max(row["to_us"] for row in rows))
        db.execute(sa.delete(table).where(*mine))
        for row in rows:
            row["from_us"] += shift_us
            row["to_us"] += shift_us
            if table is spans:
                row["reach_us"], row["provenance"] = row["to_us"], provenance
        telling.touch(stream, min(row["from_us"] for row in rows), max(row["to_us"] for row in rows))
        keys = [column.name for column in table.primary_key.columns]
        db.execute(telling.fleet.upsert(table, keys), rows)
    db.execute(
        sa.update(pieces).where(pieces.c.post == post, pieces.c.run == run).values(from_us=pieces.c.from_us + shift_us)
    )


def paused(telling: Telling, body: Mapping[str, Any], entry: LedgerEntry) -> None:
    until_us = body["until_us"]
    values = {
        "post": telling.post, "camera": name_of(body["camera"]), "kind": name_of(body["kind"]), "since_us": whole(body["since_us"]),
        "until_us": None if until_us is None else whole(until_us), "seq": entry.seq,
    }  # fmt: skip
    telling.db.execute(telling.fleet.upsert(pauses, ("post", "camera")), values)


def resumed(telling: Telling, body: Mapping[str, Any], _: LedgerEntry) -> None:
    telling.db.execute(
        sa.delete(pauses).where(pauses.c.post == telling.post, pauses.c.camera == name_of(body["camera"]))
    )


# -- holds


def hold_placed(telling: Telling, body: Mapping[str, Any], entry: LedgerEntry) -> None:
    parts = [[name_of(camera), name_of(stream)] for camera in body["cameras"] for stream in (body["streams"] or [""])]
    until_us = body["until_us"]
    values = {
        "post": telling.post, "era": telling.era, "number": whole(body["hold"]), "parts": json.dumps(parts),
        "from_us": whole(body["from_us"]), "to_us": whole(body["to_us"]), "until_us": None if until_us is None else whole(until_us),
        "authority": name_of(body["authority"]), "placed_us": whole(body["placed_us"]), "seq": entry.seq, "ended_us": None, "ended_why": "",
        "ended_seq": None, "warned_days": 0, "overruled": "",
    }  # fmt: skip
    telling.db.execute(telling.fleet.upsert(holds, ("post", "era", "number")), values)


def _hold(telling: Telling, body: Mapping[str, Any], **values: Any) -> None:
    telling.db.execute(
        sa.update(holds)
        .where(holds.c.post == telling.post, holds.c.era == telling.era, holds.c.number == whole(body["hold"]))
        .values(**values)
    )


def hold_ended(telling: Telling, body: Mapping[str, Any], entry: LedgerEntry) -> None:
    why = str(HoldEnd(str(body["why"])))
    _hold(telling, body, ended_us=whole(body["ended_us"]), ended_why=why, ended_seq=entry.seq)


def hold_warned(telling: Telling, body: Mapping[str, Any], _: LedgerEntry) -> None:
    _hold(telling, body, warned_days=whole(body["days"]))


def hold_overruled(telling: Telling, body: Mapping[str, Any], _: LedgerEntry) -> None:
    row = telling.db.execute(
        sa.select(holds.c.overruled).where(
            holds.c.post == telling.post, holds.c.era == telling.era, holds.c.number == whole(body["hold"])
        )
    ).first()
    if row is not None:
        _hold(telling, body, overruled=" ".join(dict.fromkeys([*row.overruled.split(), name_of(body["why"])])))


# -- alarms


def alarm_raised(telling: Telling, body: Mapping[str, Any], _: LedgerEntry) -> None:
    values = {
        "post": telling.post, "era": telling.era, "number": whole(body["alarm"]), "kind": name_of(body["kind"]), "camera": name_of(body["camera"]),
        "raised_us": whole(body["raised_us"]), "ended_us": None, "acknowledged_seq": None, "acknowledged_us": None, "repeats": 0,
        "body": _json(body),
    }  # fmt: skip
    telling.db.execute(telling.fleet.upsert(alarms, ("post", "era", "number"), _but_id(values)), values)


def _but_id(values: Mapping[str, Any]) -> list[str]:
    return [name for name in values if name not in {"post", "era", "number"}]


def alarm_said(telling: Telling, body: Mapping[str, Any], entry: LedgerEntry) -> None:
    """What came after: its newer words, how often it was said, its end, and who dealt with it."""
    mine = (alarms.c.post == telling.post, alarms.c.era == telling.era, alarms.c.number == whole(body["alarm"]))
    row = telling.db.execute(sa.select(alarms.c.body).where(*mine)).first()
    if row is None:
        return
    facts = {k: v for k, v in body.items() if k not in {"alarm", "repeats", "ended_us", "why", "person"}}
    values: dict[str, Any] = {"body": _kept(json.loads(row.body) | facts)}
    if "repeats" in body:
        values["repeats"] = whole(body["repeats"])
    if body.get("ended_us") is not None:
        values["ended_us"] = whole(body["ended_us"])
    if entry.kind == kinds.ALARM_ACKNOWLEDGED:
        values |= {"acknowledged_seq": entry.seq, "acknowledged_us": entry.wall_us}
    telling.db.execute(sa.update(alarms).where(*mine).values(values))


# -- settings


def settings_applied(telling: Telling, body: Mapping[str, Any], _: LedgerEntry) -> None:
    """Key to value, as the changes add up; what is secret never stood in an entry."""
    changes = body.get("changes")
    if not isinstance(changes, Mapping):
        return
    row = telling.db.execute(sa.select(posts.c.settings).where(posts.c.number == telling.post)).one()
    flat: dict[str, Any] = json.loads(row.settings)
    flat |= changes["added"]
    flat |= {key: value[1] for key, value in changes["changed"].items() if value[1] != SECRET_CHANGED}
    flat = {key: value for key, value in flat.items() if key not in changes["removed"]}
    telling.db.execute(sa.update(posts).where(posts.c.number == telling.post).values(settings=_kept(flat)))


def _kept(value: object) -> str:
    """What adds up entry by entry, and is read whole: raises ValueError where it has grown beyond what any post has to say."""
    text = _json(value)
    if len(text) > _MOST_KEPT:
        raise ValueError("more than is kept")
    return text


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


TELLERS: Mapping[str, Callable[[Telling, Mapping[str, Any], LedgerEntry], None]] = {
    kinds.PAUSED: paused,
    kinds.RESUMED: resumed,
    kinds.HOLD_PLACED: hold_placed,
    kinds.HOLD_ENDED: hold_ended,
    kinds.HOLD_WARNED: hold_warned,
    kinds.HOLD_OVERRULED: hold_overruled,
    kinds.ALARM_RAISED: alarm_raised,
    kinds.ALARM_REFINED: alarm_said,
    kinds.ALARM_REPEATED: alarm_said,
    kinds.ALARM_ENDED: alarm_said,
    kinds.ALARM_ACKNOWLEDGED: alarm_said,
    kinds.SETTINGS: settings_applied,
}
