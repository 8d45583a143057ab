"""Events in `server.db`, by SQLAlchemy Core. Calls block: writes on the file's thread (`ServerDb.call`), reads on any.

Writing is idempotent: a change that is told twice, or again after a restart, leaves one row; what people did to it (review) and its picture are not touched.
Bounded: what is older than the retention of events goes (`drop_before`), and of MOST_ROWS the oldest go first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from longwatch.model.event_rows import NO_PICTURE, Asked, Crowd, Stored, ToldEvent
from longwatch.model.events import Event, EventChange, Phase
from longwatch.server_db import ServerDb
from longwatch.server_db.event_sql import EventSql, crowd_of, event_of, values_of
from longwatch.server_db.schema import UNPICTURED, counters, events

MOST_ROWS = 1_000_000
TELL_EVERY_US = 30_000_000
"""A hub hears no more often than this that an event goes on: how it begins and ends it hears at once."""
_COUNTER = "events_rev"
_UNSENT = sa.text("pictured_us >= 0 AND (sent_us IS NULL OR sent_us != pictured_us)")  # as the index of these has it
_SQL = EventSql(events, events.c.reviewed_us.is_not(None))


def _kept_statement() -> sa.Executable:
    """A row as its last change has it. rev: 0 where a hub is not to hear of it. Made once: to put it together takes longer than to run it."""
    told = insert(events)
    columns = values_of(Event("", "", "", 0, None, 0, 0.0, (), 0, None, 0, ""))
    own: dict[str, Any] = {
        name: told.excluded[name] for name in columns if name not in {"id", "camera", "kind", "from_us"}
    }
    own["to_us"] = sa.func.coalesce(told.excluded.to_us, events.c.to_us)
    own["rev"] = sa.func.max(told.excluded.rev, events.c.rev)
    own["rev_last_us"] = sa.case((told.excluded.rev > 0, told.excluded.rev_last_us), else_=events.c.rev_last_us)
    return told.on_conflict_do_update(index_elements=["id"], set_=own)


def _counted_statement() -> sa.Executable:
    statement = insert(counters)
    return statement.on_conflict_do_update(index_elements=["name"], set_={"value": statement.excluded.value})


_KEEP, _COUNTED = _kept_statement(), _counted_statement()
_NEWEST = sa.select(counters.c.value).where(counters.c.name == _COUNTER)
_TOLD_UNTIL = sa.select(events.c.rev_last_us).where(events.c.id == sa.bindparam("event"))
_PICTURED = (
    sa.update(events)
    .where(events.c.id == sa.bindparam("event"))
    .values(pictured_us=sa.bindparam("at_us"), rev=sa.bindparam("number"))
)
_TO_PICTURE = (
    sa.select(events).where(sa.text(UNPICTURED))
    .order_by(events.c.best_us > sa.bindparam("now_us"), events.c.from_us.desc()).limit(sa.bindparam("most"))
)  # fmt: skip


class EventStore:
    """The table `events`."""

    def __init__(self, db: ServerDb) -> None:
        self._engine = db.engine

    # -- writing, on the file's thread

    def keep(self, changes: Iterable[EventChange]) -> None:
        """Each event as its last change has it. What has ended does not begin again."""
        with self._engine.begin() as connection:
            rev = before = _newest(connection)
            for change in changes:
                values = values_of(change.event) | {"reviewed_by": "", "rev": 0, "rev_last_us": 0}
                if _is_told(connection, change):
                    rev += 1
                    values |= {"rev": rev, "rev_last_us": change.event.last_us}
                connection.execute(_KEEP, values)
            if rev != before:
                _set_newest(connection, rev)

    def review(self, event: str, at_us: int | None, subject: int, by: str) -> bool:
        """Somebody looked at it; at_us None: takes that back. False where there is no such event."""
        values: dict[str, Any] = {"reviewed_us": at_us, "reviewed_subject": subject if at_us is not None else None}
        with self._engine.begin() as connection:
            values["rev"] = _next(connection)
            done = connection.execute(
                sa.update(events)
                .where(events.c.id == event)
                .values(**values, reviewed_by=by[:80] if at_us is not None else "")
            )
        return done.rowcount > 0

    def pictured(self, event: str, at_us: int | None) -> None:
        """Its picture shows this moment; NO_PICTURE: there will be none; None: it has none any more, and lacks one."""
        with self._engine.begin() as connection:
            connection.execute(_PICTURED, {"event": event, "at_us": at_us, "number": _next(connection)})

    def forget(self, subject: int) -> None:
        """The name of one person goes; that somebody looked, and when, stays."""
        with self._engine.begin() as connection:
            connection.execute(sa.update(events).where(events.c.reviewed_subject == subject).values(reviewed_by=""))

    def drop_before(self, at_us: int) -> list[tuple[str, str, int]]:
        """Events that were over before this moment go, and the oldest of too many. (camera, id, begin) of each, at most 5,000 at once."""
        with self._engine.begin() as connection:
            over = sa.and_(events.c.to_us.is_not(None), events.c.last_us < at_us, events.c.from_us < at_us)
            ids = (
                sa.select(events.c.camera, events.c.id, events.c.from_us)
                .where(over)
                .order_by(events.c.from_us)
                .limit(5_000)
            )
            doomed = [(row.camera, row.id, row.from_us) for row in connection.execute(ids)]
            count = connection.execute(sa.select(sa.func.count()).select_from(events)).scalar_one() - len(doomed)
            if count > MOST_ROWS:
                oldest = sa.select(events.c.camera, events.c.id, events.c.from_us).order_by(
                    events.c.from_us, events.c.id
                )
                gone = {each[1] for each in doomed}
                found = connection.execute(oldest.limit(min(5_000, count - MOST_ROWS) + len(doomed)))
                doomed += [(row.camera, row.id, row.from_us) for row in found if row.id not in gone]
            for n in range(0, len(doomed), 500):
                connection.execute(sa.delete(events).where(events.c.id.in_([each[1] for each in doomed[n : n + 500]])))
        return doomed

    # -- for a hub

    def newest_rev(self) -> int:
        """Of the last change that a hub is to hear of."""
        with self._engine.connect() as connection:
            return _newest(connection)

    def changed(self, after_rev: int, limit: int) -> list[tuple[int, ToldEvent]]:
        """Rows by their numbers, those above that one."""
        query = sa.select(events).where(events.c.rev > after_rev).order_by(events.c.rev).limit(limit)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings()
            return [(row["rev"], ToldEvent(event_of(row), row["pictured_us"], row["reviewed_us"])) for row in rows]

    def to_send(self, from_us: int, limit: int) -> list[Stored]:
        """Those that began then or later and whose picture went to no hub, or showed another moment then; the newest first. Of what goes on only detections and alerts:
        there will be a better one.
        """
        over = sa.or_(events.c.to_us.is_not(None), events.c.level > 0)
        query = (
            sa.select(events).where(_UNSENT, events.c.from_us >= from_us, over)
            .order_by(events.c.from_us.desc()).limit(limit)
        )  # fmt: skip
        with self._engine.connect() as connection:
            return [_stored(row) for row in connection.execute(query).mappings()]

    def sent(self, camera: str, at_us: int) -> None:
        """The picture of that moment went to the hub, or is not to go."""
        mine = (events.c.camera == camera, events.c.pictured_us == at_us)
        with self._engine.begin() as connection:
            connection.execute(sa.update(events).where(*mine).values(sent_us=at_us))

    def none_sent(self) -> None:
        """Another hub is to have them."""
        with self._engine.begin() as connection:
            connection.execute(sa.update(events).where(events.c.sent_us.is_not(None)).values(sent_us=None))

    # -- reading

    def open(self) -> list[Event]:
        """Those without an end."""
        with self._engine.connect() as connection:
            rows = (
                connection.execute(sa.select(events).where(events.c.to_us.is_(None)).order_by(events.c.id))
                .mappings()
                .all()
            )
        return [event_of(row) for row in rows]

    def one(self, event: str) -> Stored | None:
        """By its id."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(events).where(events.c.id == event)).mappings().first()
        return None if row is None else _stored(row)

    def find(self, asked: Asked, limit: int) -> list[Stored]:
        """The newest first."""
        with self._engine.connect() as connection:
            return [_stored(row) for row in connection.execute(_SQL.find(asked, limit)).mappings()]

    def since(self, from_us: int, limit: int = 1_000) -> list[Event]:
        """The newest that began then or later, the newest first."""
        query = sa.select(events).where(events.c.from_us >= from_us).order_by(events.c.from_us.desc()).limit(limit)
        with self._engine.connect() as connection:
            return [event_of(row) for row in connection.execute(query).mappings()]

    def crowds(self, asked: Asked, step_us: int) -> list[Crowd]:
        """The same, many together: by camera and level, those that begin in one step; by time. Without what hides the view: `blind`."""
        with self._engine.connect() as connection:
            return [crowd_of(row) for row in connection.execute(_SQL.crowds(asked, step_us))]

    def blind(self, asked: Asked, limit: int = 2_000) -> list[Event]:
        """What hid the view, by its begin; the newest where there are more."""
        with self._engine.connect() as connection:
            return [event_of(row) for row in connection.execute(_SQL.blind(asked, limit)).mappings()][::-1]

    def to_picture(self, now_us: int, limit: int) -> list[Stored]:
        """Those that have no picture, and those that are over and have been seen better than theirs shows; the newest first, but for what is seen best after now_us: it
        comes last.
        """
        with self._engine.connect() as connection:
            rows = connection.execute(_TO_PICTURE, {"now_us": now_us, "most": limit}).mappings()
            return [_stored(row) for row in rows]


def _is_told(connection: sa.Connection, change: EventChange) -> bool:
    """Whether a hub is to hear of it: how an event begins and ends, and now and then that it goes on."""
    if change.phase is not Phase.UPDATE:
        return True
    told_us = connection.execute(_TOLD_UNTIL, {"event": change.event.id}).scalar()
    return told_us is None or change.event.last_us - told_us >= TELL_EVERY_US


def _newest(connection: sa.Connection) -> int:
    """The last number that was given. It never goes back, whatever rows go."""
    kept = connection.execute(_NEWEST).scalar()
    if kept is None:
        kept = connection.execute(sa.select(sa.func.coalesce(sa.func.max(events.c.rev), 0))).scalar_one()
    return int(kept)


def _set_newest(connection: sa.Connection, rev: int) -> None:
    connection.execute(_COUNTED, {"name": _COUNTER, "value": rev})


def _next(connection: sa.Connection) -> int:
    rev = _newest(connection) + 1
    _set_newest(connection, rev)
    return rev


def _stored(row: sa.RowMapping) -> Stored:
    pictured = row["pictured_us"]
    return Stored(
        event_of(row),
        row["level"],
        None if pictured in {None, NO_PICTURE} else pictured,
        row["reviewed_us"],
        row["reviewed_by"],
        away="gone" if pictured == NO_PICTURE else "",
    )
