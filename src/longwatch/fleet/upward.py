"""Objects that a hub holds, as it sends them to the hub above it (`model.uplink.ObjectSource`): the same bytes under the same hashes. Only reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from longwatch.base.errors import LongwatchError
from longwatch.fleet.engine import FleetDb
from longwatch.fleet.schema import objects, pieces, posts, runs, segments, streams
from longwatch.fleet.store import ObjectStore
from longwatch.formats.bmff import BmffError
from longwatch.formats.bmff.closing import parse_closing
from longwatch.model.pieces import between
from longwatch.model.sessions import StreamKey
from longwatch.model.uplink import ObjectInfo


class Upward:
    """Calls block; safe from several threads."""

    def __init__(self, db: FleetDb, store: ObjectStore) -> None:
        self._db = db
        self._store = store

    def read(self, info: ObjectInfo, offset: int, size: int) -> bytes:
        """See ObjectSource."""
        return self._store.read(info.sha256, offset, min(size, info.size - offset))

    def stretch(self, post: str, key: StreamKey, from_us: int, to_us: int) -> list[ObjectInfo]:
        """What is here of [from_us, to_us) of a stream: of each segment its closing box, header and pieces. key: as the post calls it."""
        query = (
            sa.select(segments, runs.c.boot, runs.c.number.label("run_number"), objects.c.size.label("closing_size"))
            .join_from(segments, runs, runs.c.id == segments.c.run)
            .join(streams, streams.c.id == segments.c.stream)
            .join(posts, posts.c.number == segments.c.post)
            .join(objects, sa.and_(objects.c.post == segments.c.post, objects.c.sha256 == segments.c.closing))
            .where(
                posts.c.id == post, streams.c.camera == key.camera, streams.c.name == key.stream, segments.c.from_us < to_us,
                segments.c.from_us > from_us - streams.c.longest_us, segments.c.to_us > from_us, segments.c.closing_here > 0,
            )
            .order_by(segments.c.from_us)
        )  # fmt: skip
        with self._db.read() as db:
            return [
                info for row in db.execute(query).all() for info in self._segment(db, post, key, row, from_us, to_us)
            ]

    def _segment(
        self, db: sa.Connection, post: str, key: StreamKey, row: Any, from_us: int, to_us: int
    ) -> Iterator[ObjectInfo]:
        try:
            closing = parse_closing(self._store.read_all(bytes(row.closing)))
        except (LongwatchError, BmffError):
            return
        if closing is None:
            return
        first, last = between(closing.fragments, row.from_us, from_us, to_us)
        names = (post, key.camera, key.stream, row.boot, row.run_number, row.sequence)
        yield ObjectInfo(bytes(row.closing), row.closing_size, "closing", *names)
        found = db.execute(
            sa.select(pieces)
            .where(pieces.c.post == row.post, pieces.c.run == row.run, pieces.c.sequence == row.sequence)
            .order_by(pieces.c.first)
        )
        for piece in found:
            if piece.first == 0 or (piece.last >= first and piece.first <= last):
                yield ObjectInfo(bytes(piece.sha256), piece.size, "piece", *names, piece.first, piece.last)

    def came(self, kind: str, after_us: int, limit: int) -> list[tuple[int, ObjectInfo]]:
        """Packs of strips (`strip`) or pictures of events (`picture`) that came after a moment of the hub's clock, as they came: when, and what."""
        query = (
            sa.select(objects, posts.c.id.label("of"))
            .join_from(objects, posts, posts.c.number == objects.c.post)
            .where(objects.c.kind == kind, objects.c.confirmed_us > after_us)
            .order_by(objects.c.confirmed_us)
            .limit(limit)
        )
        with self._db.read() as db:
            return [
                (
                    row.confirmed_us,
                    ObjectInfo(
                        bytes(row.sha256), row.size, kind, row.of, row.camera, row.stream, at_us=row.at_us
                    ),
                )
                for row in db.execute(query)
            ]  # fmt: skip

    def picture(self, post: str, camera: str, at_us: int) -> ObjectInfo | None:
        """The picture of an event at that moment, where it is here. camera: as the post calls it."""
        query = (
            sa.select(objects).join_from(objects, posts, posts.c.number == objects.c.post)
            .where(posts.c.id == post, objects.c.kind == "picture", objects.c.camera == camera, objects.c.at_us == at_us)
            .order_by(objects.c.size.desc()).limit(1)
        )  # fmt: skip
        with self._db.read() as db:
            row = db.execute(query).first()
        return (
            None
            if row is None
            else ObjectInfo(bytes(row.sha256), row.size, "picture", post, camera, row.stream, at_us=at_us)
        )
