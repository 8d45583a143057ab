"""What posts saw, at their hub: taken as it comes, looked for, reviewed, and forgotten at the hub's own age. docs/design/events.md.

A row is what its post told last. Whether its picture is here is what the table of objects says when it is asked. What people here did to it (review, asking for the
picture) is the hub's own, and no change that is told touches it. Ids and cameras are `post.id`, `post.camera`. Calls block; writing by `FleetDb.call`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from longwatch.fleet.engine import FleetDb
from longwatch.fleet.schema import event_feeds, events, objects, posts
from longwatch.model.event_rows import NO_PICTURE, Asked, Crowd, Stored, ToldEvent
from longwatch.model.events import Event
from longwatch.model.uplink import Position
from longwatch.server_db.event_sql import EventSql, crowd_of, event_of, values_of

MOST_OF_POST = 300_000
"""Rows: of more the oldest go. One post does not fill the database."""
GONE = -1
_MOST_LIVES = 64
_AT_ONCE = 2_000
_TOLD = (
    "camera", "kind", "level", "from_us", "to_us", "last_us", "score", "zones", "best_us", "best_box", "count", "detail", "twin", "pictured_us",
    "told_reviewed_us", "rev",
)  # fmt: skip
_LEFT_OPEN = "its post lost what it knew of it"


@dataclass(frozen=True, slots=True)
class Changed:
    """A row that changed. rev: the number of that change, by post. is_new: it came with it."""

    rev: int
    is_new: bool
    stored: Stored


@dataclass(frozen=True, slots=True)
class WantedPicture:
    """Somebody here asked for it. event, camera: as the post calls them. by: for the post's ledger."""

    post: str
    event: str
    camera: str
    at_us: int


class FleetEvents:
    """State: tables events and event_feeds. wall_us: the hub's clock."""

    def __init__(self, db: FleetDb, wall_us: Callable[[], int]) -> None:
        self._db = db
        self._wall_us = wall_us
        reviewed = sa.or_(events.c.reviewed_us.is_not(None), events.c.told_reviewed_us.is_not(None))
        self._sql = EventSql(events, reviewed, is_sqlite=db.is_sqlite)

    # -- from posts

    def at(self, post: str) -> Position:
        """How far the events of a post have come."""
        query = sa.select(event_feeds.c.life, event_feeds.c.rev).join_from(
            event_feeds, posts, posts.c.number == event_feeds.c.post
        )
        with self._db.read() as db:
            row = db.execute(query.where(posts.c.id == post)).first()
        return Position() if row is None else Position(row.life, row.rev)

    def take(self, post: str, begin: Position, end: Position, told: Sequence[ToldEvent], *, anew: bool) -> Position:
        """See HubStore. What a revoked post says is passed over."""
        with self._db.write() as db:
            query = sa.select(posts.c.number, posts.c.revoked_us).where(posts.c.id == post)
            row = db.execute(self._db.locked(query)).first()
            if row is None or row.revoked_us is not None:
                return end
            feed = self._feed(db, row.number)
            here, lives = Position(feed.life, feed.rev), json.loads(feed.lives)
            if (end.life in {*lives, here.life}) if anew else begin != here:
                return here
            newest = feed.newest
            if anew:
                newest = self._leave(db, row.number, newest)
            newest = self._keep(db, row.number, post, told, newest)
            if here.life not in {0, end.life}:
                lives = [*lives, here.life][-_MOST_LIVES:]
            values = {"life": end.life, "rev": end.rev, "lives": json.dumps(lives), "newest": newest}
            db.execute(sa.update(event_feeds).where(event_feeds.c.post == row.number).values(**values))
        return end

    def _feed(self, db: sa.Connection, post: int) -> Any:
        query = sa.select(event_feeds).where(event_feeds.c.post == post)
        row = db.execute(query).first()
        if row is None:
            db.execute(sa.insert(event_feeds).values(post=post, life=0, rev=0, lives="[]", newest=0))
            row = db.execute(query).first()
        return row

    def _leave(self, db: sa.Connection, post: int, newest: int) -> int:
        """The post tells all of it anew: what it does not speak of any more ended where it was seen last."""
        mine = (events.c.post == post, events.c.to_us.is_(None))
        for number in db.execute(sa.select(events.c.id).where(*mine)).scalars().all():
            newest += 1
            values = {"to_us": events.c.last_us, "detail": _LEFT_OPEN, "rev": newest}
            db.execute(sa.update(events).where(events.c.post == post, events.c.id == number).values(**values))
        return newest

    def _keep(self, db: sa.Connection, post: int, name: str, told: Sequence[ToldEvent], newest: int) -> int:
        """Each as it was told last; what is here like that already is no change."""
        rows = {row["id"]: row for row in (_row(post, name, each) for each in told)}
        query = sa.select(events).where(events.c.post == post, events.c.id.in_(list(rows)))
        known = {row["id"]: row for row in db.execute(query).mappings()} if rows else {}
        fresh = []
        for number, values in rows.items():
            before = known.get(number)
            if before is not None and all(before[column] == value for column, value in values.items()):
                continue
            newest += 1
            fresh.append({**values, "rev": newest, "first_rev": newest, "reviewed_by": ""})
        if fresh:
            db.execute(self._db.upsert(events, ("post", "id"), _TOLD), fresh)
        return newest

    # -- what people do

    def review(self, event: str, at_us: int | None, subject: int, by: str) -> bool:
        """Somebody here looked at it; at_us None: takes that back. What the post says of it stays. False where there is no such event."""
        done = at_us is not None
        values = {
            "reviewed_us": at_us,
            "reviewed_subject": subject if done else None,
            "reviewed_by": by[:80] if done else "",
        }
        with self._db.write() as db:
            post = self._post_of(db, event)
            return bool(
                db.execute(
                    sa.update(events).where(*_one(post, event)).values(**values, rev=self._next(db, post))
                ).rowcount
            )

    def forget(self, subject: int) -> None:
        """The name of one person goes; that somebody looked, and when, stays."""
        with self._db.write() as db:
            db.execute(sa.update(events).where(events.c.reviewed_subject == subject).values(reviewed_by=""))

    def ask(self, event: str, at_us: int) -> WantedPicture | None:
        """Its picture is wanted here. at_us: GONE where the post says that it has none. None where there is no such event."""
        with self._db.write() as db:
            post = self._post_of(db, event)
            values = {"asked_us": at_us, "rev": self._next(db, post)}
            if not db.execute(sa.update(events).where(*_one(post, event)).values(**values)).rowcount:
                return None
            row = db.execute(sa.select(events).where(*_one(post, event))).mappings().one()
        return _wanted(row)

    def asked(self, posts_: Iterable[str]) -> list[WantedPicture]:
        """Pictures of these posts that are wanted here and did not come."""
        query = (
            sa.select(events).join_from(events, posts, posts.c.number == events.c.post)
            .where(sa.text("asked_us > 0"), posts.c.id.in_(list(posts_))).order_by(events.c.from_us.desc()).limit(_AT_ONCE)
        )  # fmt: skip
        with self._db.read() as db:
            rows = db.execute(query).mappings().all()
            here = self._here(db, rows)
        return [_wanted(row) for row in rows if _key(row) not in here]

    def _post_of(self, db: sa.Connection, event: str) -> int:
        """0 where there is none."""
        query = sa.select(posts.c.number).where(posts.c.id == event.partition(".")[0])
        return db.execute(self._db.locked(query)).scalar() or 0

    def _next(self, db: sa.Connection, post: int) -> int:
        newest = int(self._feed(db, post).newest) + 1 if post else 0
        db.execute(sa.update(event_feeds).where(event_feeds.c.post == post).values(newest=newest))
        return newest

    # -- what goes

    def drop_before(self, at_us: int) -> int:
        """Events that were over before this moment go. How many; at most so many at once."""
        over = (events.c.to_us.is_not(None), events.c.last_us < at_us, events.c.from_us < at_us)
        query = sa.select(events.c.post, events.c.id).where(*over).order_by(events.c.from_us).limit(_AT_ONCE)
        with self._db.write() as db:
            return _drop(db, db.execute(query).all())

    def drop_too_many(self) -> int:
        """Of a post that has more than it may, the oldest."""
        count = sa.select(events.c.post, sa.func.count().label("many")).group_by(events.c.post)
        gone = 0
        with self._db.write() as db:
            for row in db.execute(count.having(sa.func.count() > MOST_OF_POST)).all():
                some = min(_AT_ONCE, row.many - MOST_OF_POST)
                oldest = sa.select(events.c.post, events.c.id).where(events.c.post == row.post)
                gone += _drop(db, db.execute(oldest.order_by(events.c.from_us, events.c.id).limit(some)).all())
        return gone

    # -- reading, as `events.EventStore`

    def one(self, event: str) -> Stored | None:
        """By its id, `post.id`."""
        with self._db.read() as db:
            found = self._stored(db, db.execute(sa.select(events).where(events.c.id == event)).mappings().all())
        return found[0] if found else None

    def find(self, asked: Asked, limit: int) -> list[Stored]:
        """The newest first."""
        with self._db.read() as db:
            return self._stored(db, db.execute(self._sql.find(asked, limit)).mappings().all())

    def since(self, from_us: int, limit: int = 1_000) -> list[Event]:
        """The newest that began then or later, the newest first."""
        query = sa.select(events).where(events.c.from_us >= from_us).order_by(events.c.from_us.desc()).limit(limit)
        with self._db.read() as db:
            return [event_of(row) for row in db.execute(query).mappings()]

    def crowds(self, asked: Asked, step_us: int) -> list[Crowd]:
        """Many together, as a timeline shows them."""
        with self._db.read() as db:
            return [crowd_of(row) for row in db.execute(self._sql.crowds(asked, step_us))]

    def blind(self, asked: Asked, limit: int = 2_000) -> list[Event]:
        """What hid the view, by its begin; the newest where there are more."""
        with self._db.read() as db:
            return [event_of(row) for row in db.execute(self._sql.blind(asked, limit)).mappings()][::-1]

    def picture(self, event: str) -> bytes | None:
        """The hash of its picture, where that is here."""
        with self._db.read() as db:
            rows = db.execute(sa.select(events).where(events.c.id == event)).mappings().all()
            return next(iter(self._here(db, rows).values()), None)

    # -- for who follows

    def newest(self) -> dict[str, int]:
        """By post: the number of its last change here."""
        query = sa.select(posts.c.id, event_feeds.c.newest).join_from(
            event_feeds, posts, posts.c.number == event_feeds.c.post
        )
        with self._db.read() as db:
            return {row.id: row.newest for row in db.execute(query)}

    def changed(self, post: str, after: int, limit: int) -> list[Changed]:
        """Rows of a post that changed after that number, in their order."""
        query = self._changed(post, after).limit(limit)
        with self._db.read() as db:
            rows = db.execute(query).mappings().all()
            stored = self._stored(db, rows)
        return [Changed(row["rev"], row["first_rev"] > after, each) for row, each in zip(rows, stored, strict=True)]

    def told(self, post: str, after: int, limit: int) -> list[tuple[int, ToldEvent]]:
        """The same as the post would tell them: for the hub above. Reviewed is what somebody reviewed at the post or here."""
        with self._db.read() as db:
            rows = db.execute(self._changed(post, after).limit(limit)).mappings().all()
        return [(row["rev"], _told(row)) for row in rows]

    def _changed(self, post: str, after: int) -> sa.Select[Any]:
        return (
            sa.select(events).join_from(events, posts, posts.c.number == events.c.post)
            .where(posts.c.id == post, events.c.rev > after).order_by(events.c.rev)
        )  # fmt: skip

    # -- rows

    def _stored(self, db: sa.Connection, rows: Sequence[sa.RowMapping]) -> list[Stored]:
        here = self._here(db, rows)
        return [_stored(row, here=_key(row) in here) for row in rows]

    def _here(self, db: sa.Connection, rows: Sequence[sa.RowMapping]) -> dict[tuple[int, str, int], bytes]:
        """Hashes of pictures that are here, by post, camera and moment."""
        wanted = [key for row in rows if (key := _key(row))[2] >= 0]
        found: dict[tuple[int, str, int], bytes] = {}
        for start in range(0, len(wanted), 300):
            keys = sa.tuple_(objects.c.post, objects.c.camera, objects.c.at_us).in_(wanted[start : start + 300])
            query = (
                sa.select(objects.c.post, objects.c.camera, objects.c.at_us, objects.c.sha256)
                .where(objects.c.kind == "picture", keys)
                .order_by(objects.c.size)
            )  # of two of one moment the larger
            found |= {(row.post, row.camera, row.at_us): bytes(row.sha256) for row in db.execute(query)}
        return found


def _row(post: int, name: str, told: ToldEvent) -> dict[str, Any]:
    event = told.event
    twin = f"{name}.{event.twin}" if event.twin else ""
    here = replace(event, id=f"{name}.{event.id}", camera=f"{name}.{event.camera}", twin=twin)
    return {"post": post, **values_of(here), "pictured_us": told.pictured_us, "told_reviewed_us": told.reviewed_us}


def _told(row: sa.RowMapping) -> ToldEvent:
    event = event_of(row)
    bare = replace(event, id=_bare(event.id), camera=_bare(event.camera), twin=_bare(event.twin))
    return ToldEvent(bare, row["pictured_us"], row["reviewed_us"] or row["told_reviewed_us"])


def _stored(row: sa.RowMapping, *, here: bool) -> Stored:
    pictured = row["pictured_us"]
    away = "" if here or pictured in {None, NO_PICTURE} else "post"
    if away and row["asked_us"]:
        away = "gone" if row["asked_us"] == GONE else "asked"
    return Stored(
        event_of(row), row["level"], pictured if here else None, row["reviewed_us"] or row["told_reviewed_us"], row["reviewed_by"], away
    )  # fmt: skip


def _wanted(row: sa.RowMapping) -> WantedPicture:
    return WantedPicture(row["id"].partition(".")[0], _bare(row["id"]), _bare(row["camera"]), row["pictured_us"] or 0)


def _key(row: sa.RowMapping) -> tuple[int, str, int]:
    pictured = row["pictured_us"]
    return row["post"], _bare(row["camera"]), NO_PICTURE if pictured is None else pictured


def _bare(name: str) -> str:
    return name.partition(".")[2]


def _one(post: int, event: str) -> tuple[sa.ColumnElement[bool], ...]:
    return events.c.post == post, events.c.id == event


def _drop(db: sa.Connection, doomed: Sequence[Any]) -> int:
    by_post: dict[int, list[str]] = {}
    for row in doomed:
        by_post.setdefault(row.post, []).append(row.id)
    for post, numbers in by_post.items():
        for start in range(0, len(numbers), 500):
            db.execute(sa.delete(events).where(events.c.post == post, events.c.id.in_(numbers[start : start + 500])))
    return len(doomed)
