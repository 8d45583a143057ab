"""How every post stands, in a few questions for all of them: for the list of posts, the cameras' states and the site that the console shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from longwatch.fleet.answers import ContactRow, InviteRow, PostRow
from longwatch.fleet.fleet import Fleet
from longwatch.fleet.reading import stream_rows
from longwatch.fleet.schema import contacts, gaps, logs, posts, streams

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class StreamNow:
    """A stream as its ledger tells it. camera: as its post calls it. until_us: accounted for until then; 0 for never. cause, since_us: of the
    gap that is open, "" for none.
    """

    camera: str
    stream: str
    set_up_us: int | None
    until_us: int
    last_us: int | None
    cause: str = ""
    since_us: int = 0


@dataclass(frozen=True, slots=True)
class HeadNow:
    """The newest head of a post that was verified. at_us: when, by the hub's clock. cosigned: with our signature, as text."""

    number: int
    size: int
    at_us: int
    cosigned: str


@dataclass(frozen=True, slots=True)
class PostNow:
    """A post, its newest connection, its newest verified head, and its streams by (camera, stream)."""

    row: PostRow
    contact: ContactRow | None
    head: HeadNow | None
    streams: Mapping[tuple[str, str], StreamNow]


@dataclass(frozen=True, slots=True)
class Standing:
    """All posts by id, and codes that wait for somebody."""

    posts: list[PostNow]
    invites: list[InviteRow]


def standing(fleet: Fleet, only: Collection[str] | None = None) -> Standing:
    """As of one moment. only: of these posts, and no codes. Blocks. Raises sa.exc.SQLAlchemyError."""
    with fleet.db.read() as db:
        if only is None:
            return Standing(_posts(db, fleet.posts()), fleet.invites())
        wanted = sorted(only)
        rows = [row for at in range(0, len(wanted), _AT_ONCE) for row in fleet.posts(wanted[at : at + _AT_ONCE])]
        found: list[PostNow] = []
        for at in range(0, len(rows), _AT_ONCE):
            found += _posts(db, rows[at : at + _AT_ONCE], [row.number for row in rows[at : at + _AT_ONCE]])
        return Standing(found, [])


def changed_since(fleet: Fleet, since_us: int) -> set[str]:
    """Posts of which a head was verified, a status taken, or a connection began, was heard or ended since a wall time of the hub's processes. Blocks."""
    logs_ = sa.select(logs.c.post).where(logs.c.at_us >= since_us)
    contacts_ = sa.select(contacts.c.post).where(
        sa.or_(contacts.c.from_us >= since_us, contacts.c.seen_us >= since_us, contacts.c.to_us >= since_us)
    )
    query = sa.select(posts.c.id).where(
        sa.or_(
            posts.c.status_us >= since_us, posts.c.enrolled_us >= since_us, posts.c.revoked_us >= since_us,
            posts.c.number.in_(logs_), posts.c.number.in_(contacts_),
        )
    )  # fmt: skip
    with fleet.db.read() as db:
        return set(db.execute(query).scalars())


def _posts(db: sa.Connection, rows: list[PostRow], only: Sequence[int] | None = None) -> list[PostNow]:
    newest, heads, streams = _contacts(db, only), _heads(db, only), _streams(db, only)
    return [
        PostNow(row, newest.get(row.number), heads.get((row.number, row.era)), streams.get(row.number, {}))
        for row in rows
    ]


def _of(query: sa.Select[Any], column: sa.Column[Any], only: Sequence[int] | None) -> sa.Select[Any]:
    return query if only is None else query.where(column.in_(only))


def _contacts(db: sa.Connection, only: Sequence[int] | None) -> dict[int, ContactRow]:
    last = _of(sa.select(sa.func.max(contacts.c.id)).group_by(contacts.c.post), contacts.c.post, only)
    query = sa.select(
        contacts.c.post, contacts.c.id, posts.c.id, contacts.c.from_us, contacts.c.seen_us, contacts.c.to_us, contacts.c.address,
        contacts.c.process,
    ).join_from(contacts, posts, posts.c.number == contacts.c.post).where(contacts.c.id.in_(last))  # fmt: skip
    return {post: ContactRow(*row) for post, *row in db.execute(query)}


def _heads(db: sa.Connection, only: Sequence[int] | None) -> dict[tuple[int, int], HeadNow]:
    """By post and era; of the highest log that any head covers."""
    query = (
        sa.select(logs.c.post, logs.c.era, logs.c.number, logs.c.verified, logs.c.at_us, logs.c.cosigned)
        .where(logs.c.verified > 0)
        .order_by(logs.c.number)
    )
    return {
        (post, era): HeadNow(number, size, at_us, cosigned)
        for post, era, number, size, at_us, cosigned in db.execute(_of(query, logs.c.post, only))
    }


def _streams(db: sa.Connection, only: Sequence[int] | None) -> dict[int, dict[tuple[str, str], StreamNow]]:
    query = sa.select(gaps.c.stream, gaps.c.cause, gaps.c.from_us).where(gaps.c.to_us.is_(None))
    if only is not None:  # by stream: a post has gaps of years, and few that are open
        query = query.where(
            gaps.c.stream.in_(sa.select(streams.c.id).where(streams.c.post.in_(only), streams.c.open_us.is_not(None)))
        )
    open_ = {stream: (cause, from_us) for stream, cause, from_us in db.execute(query.order_by(gaps.c.from_us))}
    found: dict[int, dict[tuple[str, str], StreamNow]] = {}
    for row in stream_rows(db, posts_=only):
        camera = row.name.partition(".")[2]
        cause, since_us = open_.get(row.id, ("", 0))
        found.setdefault(row.post, {})[camera, row.stream] = StreamNow(
            camera, row.stream, row.set_up_us, row.until_us, row.last_us, cause, since_us
        )
    return found
