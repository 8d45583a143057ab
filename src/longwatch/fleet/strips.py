"""Packs of strip pictures that posts sent: which there are of a camera, and their bytes."""

from __future__ import annotations

import sqlalchemy as sa

from longwatch.fleet.engine import FleetDb
from longwatch.fleet.schema import objects, posts
from longwatch.fleet.store import ObjectStore

_MOST = 5_000  # packs of one question: 34 days


class StripObjects:
    """Only reads. Calls block; safe from several threads. camera: `post.camera`."""

    def __init__(self, db: FleetDb, store: ObjectStore) -> None:
        self._db = db
        self._store = store

    def strips(self, camera: str, from_us: int, to_us: int) -> list[tuple[int, bytes]]:
        """Begin and hash of the packs that begin in [from_us, to_us), by time; of one time, as they came."""
        post, _, name = camera.partition(".")
        query = (
            sa.select(objects.c.at_us, objects.c.sha256)
            .join_from(objects, posts, posts.c.number == objects.c.post)
            .where(
                posts.c.id == post, objects.c.kind == "strip", objects.c.camera == name, objects.c.at_us >= from_us,
                objects.c.at_us < to_us,
            )
            .order_by(objects.c.at_us, objects.c.confirmed_us)
            .limit(_MOST)
        )  # fmt: skip
        with self._db.read() as db:
            return [(row.at_us, bytes(row.sha256)) for row in db.execute(query)]

    def newest(self, camera: str, until_us: int) -> bytes | None:
        """Hash of the last pack that begins by then; None where there is none."""
        post, _, name = camera.partition(".")
        query = (
            sa.select(objects.c.sha256)
            .join_from(objects, posts, posts.c.number == objects.c.post)
            .where(
                posts.c.id == post, objects.c.kind == "strip", objects.c.camera == name, objects.c.at_us <= until_us
            )
            .order_by(objects.c.at_us.desc(), objects.c.confirmed_us.desc())
            .limit(1)
        )  # fmt: skip
        with self._db.read() as db:
            found = db.execute(query).scalar()
        return None if found is None else bytes(found)

    def read(self, sha256: bytes) -> bytes:
        """All of one. Raises LongwatchError."""
        return self._store.read_all(sha256)
