"""The two ways in which a hub is put together: one process over SQLite and a folder; or several over PostgreSQL, Swift's S3 and three nodes of NATS.

The same tests run over both, and ask `faults` what there is to be killed.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from tests.support.nats import Nats, nats
from tests.support.network import Door, Hub, Network, Wire, network
from tests.support.postgres import Postgres, postgres
from tests.support.swift import Swift, swift

from longwatch.fleet import FleetDb, ObjectStore
from longwatch.fleet.schema import entries, evidence, objects, pieces, posts, segments, streams

Fault = tuple[str, Callable[[], None], Callable[[], None]]


class Arrangement:
    """net: what runs. hub: the process with the console. doors: further ones. wire: where posts dial in; it leads to any process that answers."""

    def __init__(self, net: Network, parts: tuple[Postgres, Swift, Nats] | None) -> None:
        self.net = net
        self.parts = parts
        shared: dict[str, Any] = {}
        if parts is not None:
            database, store, broker = parts
            shared = {"database": database.database(), "media": store.media, "broker": broker.address}
        self.hub: Hub = net.hub("hq", start=False, **shared)
        self.wire: Wire = net.wire(self.hub)
        self.hub.start()
        self.doors: list[Door] = [] if parts is None else [net.door("east", self.hub)]

    @property
    def name(self) -> str:
        return "embedded" if self.parts is None else "shared"

    def faults(self) -> list[Fault]:
        """What can be killed here: its name, how, and how it comes back where it does not by itself."""

        def nothing() -> None:
            pass

        found: list[Fault] = [("console", self.hub.kill_server, nothing), ("wire", self.wire.cut, self.wire.mend)]
        if self.parts is None:
            return found
        database, store, broker = self.parts
        found += [(f"door {door.id}", door.kill_server, nothing) for door in self.doors]
        return [
            *found,
            ("broker", lambda: broker.kill(0), lambda: broker.start(0)),
            ("database", database.kill, database.start),
            ("device", lambda: store.take_away(1), lambda: store.bring_back(1)),
        ]

    @contextlib.contextmanager
    def held(self) -> Iterator[tuple[FleetDb, ObjectStore]]:
        """Database and store of the hub, for a look."""
        folder = self.hub.data / "fleet"
        db = FleetDb(self.hub.settings.get("database") or folder / "fleet.db")
        try:
            yield db, ObjectStore(self.hub.settings.get("media") or folder / "media", folder / "spool-test")
        finally:
            db.close()

    def entries(self, post: str) -> dict[int, bytes]:
        """Of a post's ledger, as the hub's database holds them: by number."""
        with self.held() as (db, _), db.read() as read:
            query = sa.select(entries.c.seq, entries.c.entry).join_from(
                entries, posts, posts.c.number == entries.c.post
            )
            rows = read.execute(query.where(posts.c.id == post)).all()
        assert len(rows) == len({seq for seq, _ in rows}), "an entry is here twice"
        return {seq: bytes(entry) for seq, entry in rows}

    def doubted(self) -> list[str]:
        """What of posts' ledgers did not fit."""
        with self.held() as (db, _), db.read() as read:
            return [f"{row.doubt}: {row.why}" for row in read.execute(sa.select(evidence))]

    def whole_segments(self, post: str) -> set[tuple[str, str, int]]:
        """Segments of which all leaves are here: camera, stream, number. Every object was read and has the hash of its name, and no leaf is here twice."""
        with self.held() as (db, store), db.read() as read:
            for row in read.execute(sa.select(objects.c.sha256, objects.c.size).distinct()):
                data = store.read_all(bytes(row.sha256))
                assert (len(data), hashlib.sha256(data).digest()) == (row.size, bytes(row.sha256))
            leaves: dict[tuple[int, int], list[int]] = {}
            for row in read.execute(sa.select(pieces)):
                leaves.setdefault((row.run, row.sequence), []).extend(range(row.first, row.last + 1))
            for found in leaves.values():
                assert len(found) == len(set(found)), "a leaf is here twice"
            query = (
                sa.select(segments, streams.c.camera, streams.c.name)
                .join_from(segments, streams, streams.c.id == segments.c.stream)
                .join(posts, posts.c.number == segments.c.post)
                .where(posts.c.id == post)
            )
            return {
                (row.camera, row.name, row.seq)
                for row in read.execute(query)
                if sorted(leaves.get((row.run, row.sequence), [])) == list(range(row.fragments + 1))
            }


@contextlib.contextmanager
def arrangement(kind: str, folder: Path) -> Iterator[Arrangement]:
    """`embedded` or `shared`. All of it is stopped at the end."""
    with contextlib.ExitStack() as stack:
        parts = None
        if kind == "shared":
            parts = (
                stack.enter_context(postgres(fsync=True)),
                stack.enter_context(swift()),
                stack.enter_context(nats(3)),
            )
        yield Arrangement(stack.enter_context(network(folder)), parts)
