"""Which processes of one hub there are, and which of them holds the connection of which post. docs/design/broker.md.

A process claims its name at its start, for its data folder, and says every few seconds that it is there. `life` rises with every claim: who finds
another life in its row has been taken for dead, and ends.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from longwatch.base.errors import UsageError
from longwatch.fleet.answers import ProcessRow
from longwatch.fleet.engine import FleetDb
from longwatch.fleet.schema import contacts, posts, processes

DEAD_AFTER_US = 45_000_000
"""A process that has not said for so long that it is there is not there."""


@dataclass(frozen=True, slots=True)
class Reached:
    """By whose connection a post is reached: the site's that dialled in, the process that holds it, the number of the contact."""

    site: str
    process: str
    contact: int


class Processes:
    """State: table processes; of contacts, the end of those whose process is gone. Every method blocks and is one transaction."""

    def __init__(self, db: FleetDb, wall_us: Callable[[], int]) -> None:
        self._db = db
        self._wall_us = wall_us

    def claim(self, name: str, folder: str, address: str, version: str) -> int:
        """From now on this name is ours; what a former life left open ends. folder: names the data folder: one that runs on another keeps
        the name. The life. Raises UsageError.
        """
        now_us = self._wall_us()
        with self._db.write() as db:
            values = {
                "name": name, "folder": folder, "life": 0, "address": address, "version": version, "started_us": now_us, "seen_us": 0,
                "ended_us": now_us,
            }  # fmt: skip
            db.execute(self._db.upsert(processes, ("name",), ()), values)
            row = db.execute(self._db.locked(sa.select(processes).where(processes.c.name == name))).one()
            if row.folder != folder and row.ended_us is None and now_us - row.seen_us < DEAD_AFTER_US:
                raise UsageError(
                    f"a process {name!r} of this hub runs already, at {row.address}",
                    remedy="give each process a name of its own (`hub.door`); only one has none, and serves the console",
                )
            life = int(row.life) + 1
            values |= {"life": life, "seen_us": now_us, "ended_us": None}
            db.execute(sa.update(processes).where(processes.c.name == name).values(**values))
            self._end_contacts(db, [name])
            return life

    def seen(self, name: str, life: int) -> bool:
        """It is there. False where another took the name meanwhile: then nothing more may be done in it. Connections that a process
        left open which is gone end where they were heard last.
        """
        now_us = self._wall_us()
        with self._db.write() as db:
            mine = db.execute(
                sa.update(processes)
                .where(processes.c.name == name, processes.c.life == life)
                .values(seen_us=now_us, ended_us=None)
            ).rowcount
            gone = sa.or_(processes.c.seen_us < now_us - DEAD_AFTER_US, processes.c.ended_us.is_not(None))
            names = db.execute(sa.select(processes.c.name).where(gone)).scalars().all()
            if names:
                self._end_contacts(db, names)
            return bool(mine)

    def ended(self, name: str, life: int) -> None:
        """It ends by itself, and holds nothing any more."""
        with self._db.write() as db:
            mine = (processes.c.name == name, processes.c.life == life)
            if db.execute(sa.update(processes).where(*mine).values(ended_us=self._wall_us())).rowcount:
                self._end_contacts(db, [name])

    def listed(self) -> list[ProcessRow]:
        """By name."""
        with self._db.read() as db:
            return [ProcessRow(*row) for row in db.execute(sa.select(processes).order_by(processes.c.name))]

    def is_there(self, row: ProcessRow) -> bool:
        """Whether it said so lately."""
        return row.ended_us is None and self._wall_us() - row.seen_us < DEAD_AFTER_US

    def reached(self) -> Mapping[str, Reached]:
        """Posts whose connection stands, their own or that of a hub below which speaks for them: by id."""
        open_ = (
            sa.select(posts.c.id, contacts.c.process, contacts.c.id)
            .join_from(contacts, posts, posts.c.number == contacts.c.post)
            .where(contacts.c.to_us.is_(None))
        )
        through = sa.select(posts.c.id, posts.c.via).where(posts.c.via != "[]", posts.c.revoked_us.is_(None))
        with self._db.read() as db:
            found = {site: Reached(site, process, contact) for site, process, contact in db.execute(open_)}
            for post, via in db.execute(through):
                hubs = json.loads(via)
                if post not in found and hubs and hubs[-1] in found:
                    found[post] = found[hubs[-1]]
        return found

    def _end_contacts(self, db: sa.Connection, names: Sequence[str]) -> None:
        db.execute(
            sa.update(contacts)
            .where(contacts.c.process.in_(names), contacts.c.to_us.is_(None))
            .values(to_us=contacts.c.seen_us)
        )
