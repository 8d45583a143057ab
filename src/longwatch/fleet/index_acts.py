"""Alarms, holds and mentions of posts, as the web reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from longwatch.fleet.schema import alarms as alarms_table
from longwatch.fleet.schema import entries, mentions, posts
from longwatch.fleet.schema import holds as holds_table
from longwatch.ledger.entries import parse_entry
from longwatch.model.alarms import POSTS_FROM, Acknowledgement, Alarm, AlarmKind
from longwatch.model.audit import Mention, Question
from longwatch.model.holds import Hold, HoldEnd, HoldEnded

MOST_AT_ONCE = 1_000
_KINDS = frozenset(map(str, AlarmKind))


def alarms(
    db: sa.Connection, *, everything: bool, before: int | None, limit: int, cameras: Sequence[str] | None
) -> list[Alarm]:
    """The newest first. cameras: only of these, and none of the posts' own."""
    t = alarms_table
    query = (
        sa.select(t, posts.c.id.label("of"))
        .join_from(t, posts, posts.c.number == t.c.post)
        .where(t.c.kind.in_(_KINDS))
        .order_by(t.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(t.c.id < before - POSTS_FROM)
    if not everything:
        query = query.where(sa.or_(t.c.acknowledged_seq.is_(None), t.c.ended_us.is_(None)))
    if cameras is not None:
        query = query.where(_named(t.c.camera).in_(cameras))
    return [_alarm(row) for row in db.execute(query)]


def alarm_at(db: sa.Connection, number: int) -> tuple[str, int] | None:
    """The post of an alarm that nobody acknowledged there yet, and its number at that post as it is enrolled now; None for any other."""
    t = alarms_table
    row = db.execute(
        sa.select(posts.c.id, t.c.number)
        .join_from(t, posts, sa.and_(posts.c.number == t.c.post, posts.c.era == t.c.era))
        .where(t.c.id == number - POSTS_FROM, t.c.acknowledged_seq.is_(None))
    ).first()
    return None if row is None else (row[0], row[1])


def _named(camera: sa.Column[str]) -> sa.ColumnElement[str]:
    return posts.c.id + "." + camera


def _alarm(row: Any) -> Alarm:
    body = json.loads(row.body)
    camera = f"{row.of}.{row.camera}" if row.camera else ""
    body |= {"post": row.of, "camera": camera}
    if body.get("subject") == row.camera:
        body["subject"] = camera
    known = None
    if row.acknowledged_seq is not None:
        known = Acknowledgement(row.acknowledged_seq, row.acknowledged_us or 0, None, None)
    return Alarm(
        POSTS_FROM + row.id, AlarmKind(row.kind), camera, row.raised_us, row.ended_us, row.repeats, body, known
    )  # fmt: skip


def alarm_counts(db: sa.Connection) -> dict[tuple[str, str], tuple[int, int]]:
    """By kind and camera: how many stand, and how many ended and were not acknowledged."""
    t = alarms_table
    standing = sa.func.sum(sa.case((t.c.ended_us.is_(None), 1), else_=0))
    rows = db.execute(
        sa.select(t.c.kind, posts.c.id, t.c.camera, standing, sa.func.count())
        .join_from(t, posts, posts.c.number == t.c.post)
        .where(t.c.acknowledged_seq.is_(None))
        .group_by(t.c.kind, posts.c.id, t.c.camera)
    )
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for kind, post, camera, stands, every in rows:
        key = (kind, f"{post}.{camera}" if camera else "")
        before = counts.get(key, (0, 0))
        counts[key] = (before[0] + int(stands), before[1] + int(every) - int(stands))
    return counts


def holds(db: sa.Connection, *, everything: bool, number: int | None) -> list[Hold]:
    """Those that stand at posts, the newest first."""
    t = holds_table
    query = sa.select(t, posts.c.id.label("of")).join_from(t, posts, posts.c.number == t.c.post).order_by(t.c.id.desc())
    if number is not None:
        query = query.where(t.c.id == number - POSTS_FROM)
    elif not everything:
        query = query.where(t.c.ended_us.is_(None))
    return [_hold(row) for row in db.execute(query)]


def _hold(row: Any) -> Hold:
    parts = json.loads(row.parts)
    ended = None
    if row.ended_us is not None:
        ended = HoldEnded(HoldEnd(row.ended_why), row.ended_us, row.ended_seq or 0)
    return Hold(
        POSTS_FROM + row.id, tuple(dict.fromkeys(f"{row.of}.{camera}" for camera, _ in parts)),
        tuple(dict.fromkeys(stream for _, stream in parts if stream)), row.from_us, row.to_us, row.until_us, row.authority,
        row.placed_us, row.seq, None, None, row.warned_days, tuple(row.overruled.split()), ended,
    )  # fmt: skip


def post_audit(db: sa.Connection, post: str, asked: Question) -> list[Mention]:
    """Entries about people of one post, in the order they happened or the newest first. Cameras as the hub calls them."""
    m = mentions
    query = (
        sa.select(m, entries.c.entry)
        .join_from(m, posts, sa.and_(posts.c.number == m.c.post, posts.c.id == post))
        .join(
            entries,
            sa.and_(entries.c.post == m.c.post, entries.c.era == m.c.era, entries.c.log == m.c.log, entries.c.seq == m.c.seq),
        )
        .where(m.c.at_us >= asked.from_us, m.c.at_us < asked.to_us)
    )  # fmt: skip
    if asked.after is not None:
        here, there = sa.tuple_(m.c.at_us, m.c.seq), sa.tuple_(*map(sa.literal, asked.after))
        query = query.where(here < there if asked.newest else here > there)
    if asked.subject is not None:
        query = query.where(m.c.subject == asked.subject)
    if asked.camera is not None:
        query = query.where(m.c.camera == asked.camera.removeprefix(f"{post}."))
    if asked.cameras is not None:
        query = query.where(m.c.camera.in_(sorted(c.removeprefix(f"{post}.") for c in asked.cameras)))
    if asked.kinds is not None:
        query = query.where(m.c.kind.in_(asked.kinds))
    order = (m.c.at_us.desc(), m.c.seq.desc()) if asked.newest else (m.c.at_us, m.c.seq)
    rows = db.execute(query.order_by(*order).limit(min(asked.limit, MOST_AT_ONCE)))
    return [
        Mention(row.seq, row.at_us, row.subject, row.kind, parse_entry(bytes(row.entry)).body, None) for row in rows
    ]
