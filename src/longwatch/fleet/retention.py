"""What a hub removes, and when: the law of each post first, then what there is no room for. SEMANTICS, "What gives way to what".

Whole segments go, the oldest first. The rows go before the bytes, in one transaction with a note of what is still to be deleted, so that
nothing is ever said to be here that is not. What goes here may still be at its post: the timeline says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from longwatch.base.errors import LongwatchError
from longwatch.fleet.engine import FleetDb
from longwatch.fleet.holding import Leaves, drop_segment
from longwatch.fleet.schema import objects, posts, removals, segments, streams
from longwatch.fleet.store import ObjectStore
from longwatch.model.holds import Hold

_AT_ONCE = 200  # segments of one transaction
_STREAMS_AT_ONCE = 5_000
_DEFAULT_AGE_S = 30 * 86_400
_MOST_AGE_S = 1000 * 366 * 86_400  # what a post says may be any number: a moment before 1970 is still one
_PICTURES = ("strip", "still", "picture")


@dataclass(frozen=True, slots=True)
class HubKeeping:
    """What is kept free, and how much is held at most: None for no end. Of a bucket only the latter counts."""

    max_size_bytes: int | None = None
    keep_free_bytes: int = 0
    keep_free_fraction: float = 0.05


@dataclass(frozen=True, slots=True)
class Removed:
    """What a round came to. full: there is too little room, and all that is left is held."""

    segments: int = 0
    pictures: int = 0
    bytes: int = 0
    full: bool = False


class FleetRetention:
    """holds: those of the hub's own ledger, by the names that cameras have here; as of now. wall_us: the hub's clock.

    One process of a hub runs it. `run` blocks: by `FleetDb.call`.
    """

    def __init__(
        self, db: FleetDb, store: ObjectStore, wall_us: Callable[[], int], holds: Callable[[], Sequence[Hold]] = tuple
    ) -> None:
        self._db = db
        self._store = store
        self._wall_us = wall_us
        self._holds = holds

    def run(self, keeping: HubKeeping, *, trusted: bool = True) -> Removed:
        """One round: at most a transaction's worth of each kind. trusted: the hub's clock is; else nothing goes by age."""
        self.sweep()
        holds = self._holds()
        count = pictures = size = 0
        if trusted:
            count, size = self._by_age(holds)
            pictures = self._pictures_by_age()
        full = False
        while self._over(keeping):
            some, freed = self._oldest(holds)
            if not some:
                full = True
                break
            count, size = count + some, size + freed
        self.sweep()
        return Removed(count, pictures, size, full)

    def sweep(self) -> None:
        """Delete what has no row any more: also what a cut left to be deleted."""
        while True:
            with self._db.write() as db:
                waiting = db.execute(sa.select(removals.c.sha256).limit(_AT_ONCE)).scalars().all()
                for sha256 in map(bytes, waiting):
                    self._db.alone_with(db, sha256)
                    row = self._db.locked(sa.select(removals).where(removals.c.sha256 == sha256))
                    if db.execute(row).first() is None:
                        continue
                    if db.execute(sa.select(objects.c.post).where(objects.c.sha256 == sha256).limit(1)).first() is None:
                        try:
                            self._store.remove(sha256)
                        except LongwatchError:
                            return  # the store is away: at the next round
                    db.execute(sa.delete(removals).where(removals.c.sha256 == sha256))
            if len(waiting) < _AT_ONCE:
                return

    # -- the law

    def _by_age(self, holds: Sequence[Hold]) -> tuple[int, int]:
        """Segments that are older than their camera's footage may be, but for those under a hold that stands against that."""
        now_us = self._wall_us()
        count = size = 0
        with self._db.write() as db:
            for which, age_s, mine in _together(list(_ages(db)), holds):
                cutoff_us = now_us - age_s * 1_000_000
                rows = db.execute(
                    _here()
                    .where(segments.c.stream.in_(which), segments.c.to_us <= cutoff_us)
                    .order_by(segments.c.from_us)
                    .limit(_AT_ONCE)
                ).all()
                for row in rows:
                    if not _under(mine, row):
                        size += self._drop(db, row)
                        count += 1
        return count, size

    def _pictures_by_age(self) -> int:
        now_us = self._wall_us()
        count = 0
        with self._db.write() as db:
            ages: dict[tuple[int, str], int] = {}
            for _, post, _, camera, age_s, _ in _ages(db):
                key = (post, camera.partition(".")[2])
                ages[key] = min(age_s, ages.get(key, age_s))
            oldest = _oldest_pictures(db)
            for (post, camera), age_s in ages.items():
                if oldest.get((post, camera), now_us) >= now_us - age_s * 1_000_000:
                    continue
                rows = db.execute(
                    sa.select(objects.c.post, objects.c.sha256, objects.c.ref)
                    .where(
                        objects.c.post == post, objects.c.kind.in_(_PICTURES), objects.c.camera == camera,
                        objects.c.at_us < now_us - age_s * 1_000_000,
                    )
                    .limit(_AT_ONCE)
                ).all()  # fmt: skip
                for row in rows:
                    self._forget(db, row.post, [(bytes(row.sha256), row.ref)])
                count += len(rows)
        return count

    # -- room

    def _over(self, keeping: HubKeeping) -> bool:
        with self._db.read() as db:
            used = db.execute(sa.select(sa.func.coalesce(sa.func.sum(streams.c.bytes_here), 0))).scalar_one()
        if keeping.max_size_bytes is not None and used > keeping.max_size_bytes:
            return True
        space = self._store.space()
        if space is None:
            return False
        free, whole = space
        return free < max(keeping.keep_free_bytes, round(whole * keeping.keep_free_fraction))

    def _oldest(self, holds: Sequence[Hold]) -> tuple[int, int]:
        """Some of the oldest segments that no hold protects."""
        with self._db.write() as db:
            names = {row.id: (f"{row.of}.{row.camera}", row.name) for row in db.execute(_named())}
            count = size = 0
            last = -(1 << 62)
            while not count:
                rows = db.execute(
                    _here().where(segments.c.from_us > last).order_by(segments.c.from_us).limit(_AT_ONCE)
                ).all()
                if not rows:
                    break
                for row in rows[: 1 + _AT_ONCE // 10] if not holds else rows:
                    mine = [hold for hold in holds if hold.covers(*names[row.stream])]
                    if not _under(mine, row):
                        size += self._drop(db, row)
                        count += 1
                last = rows[-1].from_us
        if count:
            self.sweep()
        return count, size

    # -- removing

    def _drop(self, db: sa.Connection, row: Any) -> int:
        self._forget(db, row.post, drop_segment(self._db, db, Leaves(row.post, row.run, row.sequence)))
        return int(row.bytes_here)

    def _forget(self, db: sa.Connection, post: int, gone: Sequence[tuple[bytes, str]]) -> None:
        """Objects by hash and ref: the row goes now, the bytes after the commit, where no other row names them."""
        for sha256, ref in gone:
            mine = (objects.c.post == post, objects.c.sha256 == sha256, objects.c.ref == ref)
            db.execute(sa.delete(objects).where(*mine))
            values = {"sha256": sha256, "at_us": self._wall_us()}
            db.execute(self._db.upsert(removals, ("sha256",), ()), values)


def _together(
    streams_: Sequence[tuple[int, int, str, str, int, int]], holds: Sequence[Hold]
) -> Iterator[tuple[list[int], int, list[Hold]]]:
    """Streams of which something is here, by age: asked for together, since a hub has ten thousand of them. One that stands under a hold against age is by itself,
    with its holds: what may not go must not hide what may.
    """
    by_age: dict[int, list[int]] = {}
    for stream, _, name, camera, age_s, here in streams_:
        if not here:
            continue
        mine = [hold for hold in holds if hold.firm and hold.covers(camera, name)]
        if mine:
            yield [stream], age_s, mine
        else:
            by_age.setdefault(age_s, []).append(stream)
    for age_s, which in sorted(by_age.items()):
        for at in range(0, len(which), _STREAMS_AT_ONCE):
            yield which[at : at + _STREAMS_AT_ONCE], age_s, []


def _oldest_pictures(db: sa.Connection) -> dict[tuple[int, str], int]:
    """By post and camera: when its oldest picture shows. One look into an index for each camera, in one statement."""
    found: dict[tuple[int, str], int] = {}
    for kind in _PICTURES:
        oldest = (
            sa.select(sa.func.min(objects.c.at_us))
            .where(objects.c.post == streams.c.post, objects.c.kind == kind, objects.c.camera == streams.c.camera)
            .scalar_subquery()
        )
        for post, camera, at_us in db.execute(sa.select(streams.c.post, streams.c.camera, oldest).distinct()):
            if at_us is not None:
                found[post, camera] = min(at_us, found.get((post, camera), at_us))
    return found


def _here() -> sa.Select[Any]:
    return sa.select(
        segments.c.post, segments.c.run, segments.c.sequence, segments.c.stream, segments.c.from_us, segments.c.to_us,
        segments.c.bytes_here,
    ).where(segments.c.closing_here > 0)  # fmt: skip


def _named() -> sa.Select[Any]:
    return sa.select(streams.c.id, posts.c.id.label("of"), streams.c.camera, streams.c.name).join_from(
        streams, posts, posts.c.number == streams.c.post
    )


def _under(holds: Sequence[Hold], row: Any) -> bool:
    """Whether some of a segment stands under one of these."""
    return any(hold.from_us < max(row.to_us, row.from_us + 1) and hold.to_us > row.from_us for hold in holds)


def _ages(db: sa.Connection) -> Iterator[tuple[int, int, str, str, int, int]]:
    """Of every stream: its id, its post, its name, its camera as it is called here, how long its footage is kept at most, and how many of its segments are here."""
    query = sa.select(
        streams.c.id, streams.c.post, streams.c.name, streams.c.camera, posts.c.id.label("of"), posts.c.settings, posts.c.site,
        streams.c.segments_here,
    ).join_from(streams, posts, posts.c.number == streams.c.post)  # fmt: skip
    rules: dict[int, Callable[[str], int]] = {}
    for row in db.execute(query).all():
        if row.post not in rules:
            rules[row.post] = _rule(json.loads(row.settings), json.loads(row.site))
        yield row.id, row.post, row.name, f"{row.of}.{row.camera}", rules[row.post](row.camera), row.segments_here


def _rule(settings: dict[str, Any], site: dict[str, Any]) -> Callable[[str], int]:
    """The shortest that the post's entries and its own description say: its law holds here too."""
    told = site.get("cameras")
    listed = [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []
    cameras = {name: each for each in listed if isinstance(name := each.get("id"), str)}

    def of(camera: str) -> int:
        said = [
            settings.get("retention.max_age_s"), settings.get(f"retention.cameras.{camera}.max_age_s"),
            cameras.get(camera, {}).get("max_age_s"),
        ]  # fmt: skip
        ages = [int(min(age, _MOST_AGE_S)) for age in said if isinstance(age, int | float) and age > 0]
        return min(ages, default=_DEFAULT_AGE_S)

    return of
