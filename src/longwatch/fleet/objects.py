"""Objects as they come: received in chunks, verified, made durable, and confirmed by a row. docs/design/fleet.md.

Footage is believed leaf by leaf: the closing box is the one that its segment's seal names, a fragment the one that the closing box
names, and the header the one that makes the root of the seal of them all. So nothing is shown or counted as safe that the post's signed
ledger does not speak of.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from longwatch.base.errors import LongwatchError
from longwatch.fleet.answers import Doubt
from longwatch.fleet.engine import FleetDb
from longwatch.fleet.holding import Leaves, closing_ref, note_segment, piece_ref
from longwatch.fleet.schema import objects, pieces, posts, removals, runs, segments, streams
from longwatch.fleet.store import ObjectStore
from longwatch.formats.bmff.boxes import MAX_HEADER_BYTES, BmffError
from longwatch.formats.bmff.closing import Closing, parse_closing
from longwatch.ledger import segment_root
from longwatch.model.uplink import Confirmed, ObjectInfo, Refused

_MOST_BYTES = 64 << 20
_MOST_PICTURE_BYTES = 8 << 20
_JPEG = b"\xff\xd8\xff"
_MEDIA = ("closing", "piece")
_LEFT_BYTES = 1 << 30
_MOST_CLOSING_BYTES = 4 << 20
_MOST_FRAGMENTS = 4095  # media._LEAF_BITS
_MOST_BETWEEN = 1 << 20  # bytes of a segment that are no leaf: guards


class Objects:
    """State: tables objects and pieces, the store, the spool. Each method blocks."""

    def __init__(self, db: FleetDb, store: ObjectStore, wall_us: Callable[[], int]) -> None:
        self._db = db
        self._store = store
        self._wall_us = wall_us
        self._begun: dict[bytes, int] = {}
        self._staged: set[bytes] = set()

    def begin(self, info: ObjectInfo) -> int | Refused:
        """From which byte on it is needed; its size where it is here."""
        with self._db.read() as db:
            post = self._post(db, info.post)
            if isinstance(post, Refused):
                return post
            if self._held(db, post, info) is not None:
                return info.size
            if info.kind in _MEDIA:
                row = self._segment(db, post, info)
                if row is None or (info.kind == "piece" and not row.closing_here):
                    return _not_sealed(info)
        if not 0 < info.size <= _most(info.kind):
            return Refused(Doubt.WRONG_HASH, f"{info.size} bytes are no {info.kind}")
        if self._is_full():
            return Refused(Doubt.NO_ROOM, "the hub's disk is nearly full: what is left is for ledgers", later=True)
        known = self._store.spooled(info.sha256)
        if known > info.size:
            self._store.drop(info.sha256)
            known = 0
        self._begun[info.sha256] = info.size
        return known

    def add(self, sha256: bytes, offset: int, data: bytes) -> int:
        """The new length. Only of what was begun, and not beyond its size."""
        size = self._begun.get(sha256)
        known = self._store.spooled(sha256)
        if size is None or offset + len(data) > size:
            return known
        return self._store.add(sha256, offset, data)

    def stage(self, info: ObjectInfo) -> None:
        """Make what is whole durable before `finish`, on another thread than the writing one: flushing takes as long as a dozen transactions. Nothing is confirmed
        by it, and what `finish` refuses goes again.
        """
        data = self._store.spooled_bytes(info.sha256)
        if len(data) == info.size and hashlib.sha256(data).digest() == info.sha256:
            with contextlib.suppress(LongwatchError):  # `finish` finds out, and says so
                self._store.put(info.sha256, data)
                self._staged.add(info.sha256)

    def finish(self, info: ObjectInfo) -> Confirmed | Refused:
        """Verify, store, commit. What is not its hash is dropped: it is to be sent anew."""
        answer = self._finish(info)
        if info.sha256 in self._staged:
            self._staged.discard(info.sha256)
            if isinstance(answer, Refused):
                self._unstage(info.sha256)
        return answer

    def _unstage(self, sha256: bytes) -> None:
        with self._db.write() as db, contextlib.suppress(LongwatchError):
            self._db.alone_with(
                db, sha256
            )  # another post, or another process, may be about to confirm the very same bytes
            if db.execute(sa.select(objects.c.post).where(objects.c.sha256 == sha256).limit(1)).first() is None:
                self._store.remove(sha256)

    def _finish(self, info: ObjectInfo) -> Confirmed | Refused:
        with self._db.write() as db:
            post = self._post(db, info.post, lock=True)
            if isinstance(post, Refused):
                return post
            if self._held(db, post, info) is not None:
                self._forget(info.sha256)
                return Confirmed(info.sha256)
            data = self._store.spooled_bytes(info.sha256)
            if len(data) < info.size:  # another post sent the same, and it is in the store
                data = self._stored(db, info) or data
            if len(data) != info.size or hashlib.sha256(data).digest() != info.sha256:
                self._forget(info.sha256)
                return Refused(Doubt.WRONG_HASH, "the bytes are not those of its name")
            refused = self._verified(db, post, info, data)
            if refused is not None:
                if not refused.later:
                    self._forget(info.sha256)
                return refused
            self._db.alone_with(db, info.sha256)
            db.execute(sa.delete(removals).where(removals.c.sha256 == info.sha256))
            try:
                if info.sha256 not in self._staged or not self._store.holds(info.sha256, info.size):
                    self._store.put(info.sha256, data)
            except LongwatchError as error:
                return Refused(Doubt.NO_ROOM, error.why or error.what, later=True)
            self._enter(db, post, info)
        self._forget(info.sha256)
        return Confirmed(info.sha256)

    def _is_full(self) -> bool:
        """The rest of the disk is for ledgers: a post that offers objects for ever takes no other's place to speak."""
        space = self._store.space()
        return space is not None and space[0] < min(space[1] // 100, _LEFT_BYTES)

    def _forget(self, sha256: bytes) -> None:
        self._begun.pop(sha256, None)
        self._store.drop(sha256)

    def _stored(self, db: sa.Connection, info: ObjectInfo) -> bytes | None:
        known = db.execute(sa.select(objects.c.size).where(objects.c.sha256 == info.sha256).limit(1)).first()
        if known is None or known.size != info.size:
            return None
        try:
            return self._store.read_all(info.sha256)
        except LongwatchError:
            return None

    # -- what is known

    def _post(self, db: sa.Connection, post: str, *, lock: bool = False) -> Any:
        """lock: another process of this hub may hold an older connection of the post, and what is held of a segment is added up."""
        query = sa.select(posts.c.number, posts.c.revoked_us).where(posts.c.id == post)
        row = db.execute(self._db.locked(query) if lock else query).first()
        if row is None:
            return Refused(Doubt.UNKNOWN, f"post {post} is not enrolled here")
        return Refused(Doubt.REVOKED, "this post's enrolment was revoked") if row.revoked_us is not None else row.number

    def _held(self, db: sa.Connection, post: int, info: ObjectInfo) -> Any:
        """The row that confirms it, as what it is."""
        run = 0
        if info.kind in _MEDIA:
            segment = self._segment(db, post, info)
            if segment is None:
                return None
            run = segment.run
        row = db.execute(
            sa.select(objects.c.size).where(
                objects.c.post == post, objects.c.sha256 == info.sha256, objects.c.ref == ref_of(info, run)
            )
        ).first()
        if row is None or info.kind != "piece":
            return row
        return db.execute(
            sa.select(pieces.c.last).where(*_piece(post, run, info), pieces.c.last >= info.last_leaf)
        ).first()

    def _segment(self, db: sa.Connection, post: int, info: ObjectInfo) -> Any:
        return db.execute(
            sa.select(segments)
            .join_from(segments, runs, runs.c.id == segments.c.run)
            .join(streams, streams.c.id == segments.c.stream)
            .where(
                segments.c.post == post, runs.c.post == post, runs.c.boot == info.boot, runs.c.number == info.run,
                segments.c.sequence == info.sequence, streams.c.camera == info.camera, streams.c.name == info.stream,
            )
        ).first()  # fmt: skip

    # -- verifying

    def _verified(self, db: sa.Connection, post: int, info: ObjectInfo, data: bytes) -> Refused | None:
        if info.kind not in _MEDIA:
            if len(data) > _MOST_PICTURE_BYTES or not data.startswith(_JPEG):
                return Refused(Doubt.WRONG_HASH, "this is no picture")
            return None
        row = self._segment(db, post, info)
        if row is None:
            return _not_sealed(info)
        if info.kind == "closing":
            return _closing_fits(row, data)
        if not row.closing_here:
            return _not_sealed(info)
        closing = self._closing(bytes(row.closing))
        why = "the closing box cannot be read" if closing is None else leaves_fit(info, data, closing, bytes(row.root))
        return None if why is None else Refused(Doubt.WRONG_HASH, why)

    def _closing(self, sha256: bytes) -> Closing | None:
        return parse_closing(self._store.read_all(sha256))

    # -- the row that confirms

    def _enter(self, db: sa.Connection, post: int, info: ObjectInfo) -> None:
        row = self._segment(db, post, info) if info.kind in _MEDIA else None
        ref = ref_of(info, 0 if row is None else row.run)
        values = {
            "post": post, "sha256": info.sha256, "ref": ref, "kind": info.kind, "size": info.size, "camera": info.camera, "stream": info.stream,
            "at_us": info.at_us, "confirmed_us": self._wall_us(),
        }  # fmt: skip
        db.execute(self._db.upsert(objects, ("post", "sha256", "ref"), ()), values)
        if row is None:
            return
        closing = self._closing(bytes(row.closing) if info.kind == "piece" else info.sha256)
        assert closing is not None  # it was read a moment ago
        if info.kind == "closing":
            db.execute(
                sa.update(segments)
                .where(*_key(row))
                .values(
                    closing_here=1, start_90k=closing.fragments[0].start_90k if closing.fragments else 0,
                    end_90k=closing.fragments[-1].end_90k if closing.fragments else 0,
                )
            )  # fmt: skip
        else:
            values = {
                "post": post, "run": row.run, "sequence": row.sequence, "first": info.first_leaf, "last": info.last_leaf,
                "sha256": info.sha256, "size": info.size, "stream": row.stream, "from_us": row.from_us,
            }  # fmt: skip
            longer = sa.select(pieces.c.last).where(*_piece(post, row.run, info), pieces.c.last >= info.last_leaf)
            if db.execute(longer).first() is None:
                db.execute(self._db.upsert(pieces, ("post", "run", "sequence", "first")), values)
        header = None
        if info.kind == "piece" and info.first_leaf == 0:
            header = info.size - sum(f.size for f in closing.fragments[: info.last_leaf])
        note_segment(self._db, db, Leaves(post, row.run, row.sequence), closing, header_bytes=header)


def ref_of(info: ObjectInfo, run: int) -> str:
    """What an object is here as. run: the row of its run; 0 for pictures."""
    if info.kind == "closing":
        return closing_ref(run, info.sequence)
    if info.kind == "piece":
        return piece_ref(run, info.sequence)
    return f"{info.kind}/{info.camera}/{info.stream}/{info.at_us}"


def _piece(post: int, run: int, info: ObjectInfo) -> tuple[sa.ColumnElement[bool], ...]:
    """The piece that begins with the same leaf."""
    return (
        pieces.c.post == post, pieces.c.run == run, pieces.c.sequence == info.sequence, pieces.c.first == info.first_leaf,
    )  # fmt: skip


def _key(row: Any) -> tuple[sa.ColumnElement[bool], ...]:
    return segments.c.post == row.post, segments.c.run == row.run, segments.c.sequence == row.sequence


def _most(kind: str) -> int:
    return _MOST_CLOSING_BYTES if kind == "closing" else _MOST_BYTES if kind == "piece" else _MOST_PICTURE_BYTES


def _not_sealed(info: ObjectInfo) -> Refused:
    what = (
        "no verified entry seals this segment yet"
        if info.kind == "closing"
        else "its segment's closing box is not here yet"
    )
    return Refused(Doubt.NOT_SEALED, what, later=True)


def _closing_fits(row: Any, data: bytes) -> Refused | None:
    """The box that the seal names, by its hash; what it says of fragments is then as good as the seal."""
    if not row.closing or hashlib.sha256(data).digest() != bytes(row.closing):
        return Refused(Doubt.WRONG_HASH, "the seal names another closing box, or none")
    try:
        closing = parse_closing(data)
    except BmffError as error:
        return Refused(Doubt.WRONG_HASH, f"the closing box cannot be read: {error}")
    if closing is None or closing.size != len(data) or len(closing.fragments) != row.fragments:
        return Refused(Doubt.WRONG_HASH, "the closing box is not that of its segment")
    if not can_be(closing):
        return Refused(Doubt.WRONG_HASH, "the closing box speaks of fragments that cannot lie in a file so")
    return None


def can_be(closing: Closing) -> bool:
    """Whether its fragments lie in a file one after another. The hash and the seal prove who wrote it, and not that it is true: what is laid out by it
    later would be as long as it says.
    """
    rows = closing.fragments
    if len(rows) > _MOST_FRAGMENTS:
        return False
    end = 0
    for row in rows:
        if row.offset < end or row.end_90k >= 1 << 53:
            return False
        end = row.offset + row.size
    return end - sum(row.size for row in rows) <= MAX_HEADER_BYTES + _MOST_BETWEEN


def leaves_fit(info: ObjectInfo, data: bytes, closing: Closing, root: bytes) -> str | None:
    """Why these bytes are not the leaves [first_leaf, last_leaf]; None where they are."""
    rows = closing.fragments
    if info.last_leaf > len(rows) or info.first_leaf > info.last_leaf:
        return f"a segment of {len(rows)} fragments has no leaves {info.first_leaf} to {info.last_leaf}"
    wanted = rows[max(0, info.first_leaf - 1) : info.last_leaf]
    at = len(data) - sum(row.size for row in wanted)
    if (at <= 0) if info.first_leaf == 0 else (at != 0):
        return "its length is not that of its leaves"
    if info.first_leaf == 0:
        header = hashlib.sha256(data[:at]).digest()
        if segment_root(header, (row.sha256 for row in rows)) != root:
            return "header and fragments do not lead to the root of the seal"
    for number, row in enumerate(wanted, max(1, info.first_leaf)):
        if hashlib.sha256(data[at : at + row.size]).digest() != row.sha256:
            return f"leaf {number} is not the one that the closing box names"
        at += row.size
    return None
