"""What the ledger is still to be told about people: rows of `server.db` that outlive server and recorder.

A row is written in the transaction of what it tells (a new user, a login), so that neither is there without the other. Rows
are delivered in the order of their numbers, which are never used twice: `key` makes a delivery that is tried again the same
one. At most MOST wait; the oldest are kept, what finds no room is counted, and the count is itself told once there is room.
Calls block. Owner of the state: whoever holds `server.lock`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from longwatch.accounts.who import POST
from longwatch.base.errors import LongwatchError
from longwatch.ledger import canonical, kinds
from longwatch.server_db.schema import counters, keys, outbox

MOST = 10_000
FOR_ACTS = 1_000  # of these, room that viewing may not take from what changes rights


@dataclass(frozen=True, slots=True)
class Said:
    """One entry to be. text: canonical JSON of what may be erased; it is never part of the ledger."""

    kind: str
    body: Mapping[str, object]
    subject: int
    text: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """One row, as the recorder is asked for it."""

    number: int
    key: str
    said: Said

    def item(self) -> dict[str, Any]:
        """One of `items` of the request `entries`."""
        person = {"subject": self.said.subject, "text": self.said.text}
        return {"key": self.key, "kind": self.said.kind, "body": dict(self.said.body), "person": person}


class Outbox:
    """The table. most: how many rows may wait."""

    def __init__(self, engine: sa.Engine, most: int = MOST, for_acts: int = FOR_ACTS) -> None:
        self._engine = engine
        self._most = most
        self._for_acts = min(for_acts, most // 10)
        self._id = self._own_id()
        with engine.begin() as connection:  # the minute that a cut ended is over
            connection.execute(sa.update(outbox).values(held=False).where(outbox.c.held))

    def _own_id(self) -> str:
        with self._engine.begin() as connection:
            row = connection.execute(sa.select(keys.c.value).where(keys.c.name == "outbox")).first()
            value = secrets.token_bytes(8) if row is None else bytes(row.value)
            if row is None:
                connection.execute(sa.insert(keys).values(name="outbox", value=value))
        return value.hex()

    def add(self, connection: sa.Connection, said: Said, *, must: bool = False) -> bool:
        """Within the caller's transaction. must: what changes rights, for which room is kept; raises LongwatchError where there
        is none even so. Else False, and counted, where it finds no room.
        """
        room = self._most - _count(connection) - (0 if must else self._for_acts)
        if room <= 0 and must:
            raise LongwatchError(
                "this cannot be entered in the ledger now",
                why=f"{self._most} entries wait for the recorder",
                remedy="see that the recorder runs, and try again",
            )
        if room <= 0:
            _drop(connection, said)
            return False
        if room > 1 and not must:
            _tell_dropped(connection, said)
        _insert(connection, said)
        return True

    def rehearse(self) -> None:
        """Put one and take it back, so that the statements are made before somebody waits for them. Nothing of it reaches the disk."""
        with self._engine.connect() as connection:
            self.add(connection, Said(kinds.ENTRIES_DROPPED, {}, POST, "{}"))
            connection.rollback()

    def put(self, said: Said) -> bool:
        """In a transaction of its own. False, and counted, where it finds no room."""
        return self.put_all([said])

    def put_all(self, said: Sequence[Said]) -> bool:
        """In one transaction. False where one of them found no room, which is counted."""
        with self._engine.begin() as connection:
            found_room = [self.add(connection, one) for one in said]
        return all(found_room)

    def hold(self, said: Said) -> int | None:
        """Put it, to be delivered only after `release`, or by the next start. None where it finds no room."""
        with self._engine.begin() as connection:
            if self._most - _count(connection) - self._for_acts <= 0:
                _drop(connection, said)
                return None
            return _insert(connection, said, held=True)

    def release(self, number: int, said: Said) -> None:
        """Say it as it is known now, and let it go."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(outbox)
                .values(body=canonical(said.body).decode(), subject=said.subject, text=said.text, held=False)
                .where(outbox.c.number == number)
            )

    def oldest(self, limit: int) -> list[Waiting]:
        """What is to be delivered next, in order."""
        query = sa.select(outbox).where(~outbox.c.held).order_by(outbox.c.number).limit(limit)
        with self._engine.connect() as connection:
            return [
                Waiting(row.number, f"{self._id}:{row.number}", Said(row.kind, json.loads(row.body), row.subject, row.text))
                for row in connection.execute(query)
            ]  # fmt: skip

    def done(self, numbers: Sequence[int]) -> None:
        """The recorder has them, durable."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(outbox).where(outbox.c.number.in_(numbers)))

    def refused(self, waiting: Waiting) -> None:
        """The recorder will never take it (a bug of ours): it must not hold up all that follow. Counted as dropped."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(outbox).where(outbox.c.number == waiting.number))
            _drop(connection, waiting.said)

    def waiting(self) -> tuple[int, int]:
        """How many wait, and how many were dropped and are not told yet."""
        with self._engine.connect() as connection:
            return _count(connection), _counter(connection, "dropped")


def _count(connection: sa.Connection) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(outbox)).scalar_one())


def _insert(connection: sa.Connection, said: Said, *, held: bool = False) -> int:
    values = {
        "kind": said.kind, "body": canonical(said.body).decode(), "subject": said.subject, "text": said.text, "held": held,
    }  # fmt: skip
    key = connection.execute(sa.insert(outbox).values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def _counter(connection: sa.Connection, name: str) -> int:
    return int(connection.execute(sa.select(counters.c.value).where(counters.c.name == name)).scalar() or 0)


def _count_to(connection: sa.Connection, name: str, value: int) -> None:
    connection.execute(sa.delete(counters).where(counters.c.name == name))
    connection.execute(sa.insert(counters).values(name=name, value=value))


def _at(said: Said) -> int:
    at_us = said.body.get("at_us")
    return at_us if isinstance(at_us, int) else 0


def _drop(connection: sa.Connection, said: Said) -> None:
    dropped = _counter(connection, "dropped")
    if not dropped:
        _count_to(connection, "dropped_from_us", _at(said))
    _count_to(connection, "dropped_to_us", _at(said))
    _count_to(connection, "dropped", dropped + 1)


def _tell_dropped(connection: sa.Connection, said: Said) -> None:
    """Before the first entry that finds room again."""
    dropped = _counter(connection, "dropped")
    if not dropped:
        return
    body = {
        "count": dropped, "from_us": _counter(connection, "dropped_from_us"),
        "to_us": _counter(connection, "dropped_to_us"), "at_us": _at(said),
    }  # fmt: skip
    _insert(connection, Said(kinds.ENTRIES_DROPPED, body, POST, "{}"))
    connection.execute(sa.delete(counters).where(counters.c.name.in_(("dropped", "dropped_from_us", "dropped_to_us"))))
