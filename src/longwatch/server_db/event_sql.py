"""How rows of events are asked for: the same statements over a post's table in `server.db` and a hub's in its fleet's database, in SQLite and PostgreSQL.

A table has the columns of `schema.events` that an event itself is made of. Nothing here opens, reads or writes anything.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from longwatch.model.event_levels import level_of
from longwatch.model.event_rows import MOST_WORDS, Asked, Crowd
from longwatch.model.events import LONGEST_US, Event

REACH_US = LONGEST_US + 60_000_000


class EventSql:
    """table: whose rows. reviewed: true of a row that somebody has reviewed. is_sqlite: else PostgreSQL."""

    def __init__(self, table: sa.Table, reviewed: sa.ColumnElement[bool], *, is_sqlite: bool = True) -> None:
        self._table = table
        self._reviewed = reviewed
        self._is_sqlite = is_sqlite
        self._position = sa.func.instr if is_sqlite else sa.func.strpos

    def find(self, asked: Asked, limit: int) -> sa.Select[Any]:
        """The newest first."""
        of = self._table.c
        return sa.select(self._table).where(*self.where(asked)).order_by(of.from_us.desc(), of.id.desc()).limit(limit)

    def crowds(self, asked: Asked, step_us: int) -> sa.Select[Any]:
        """By camera and level, those that begin in one step; by time. Without what hides the view. Rows for `crowd_of`."""
        of = self._table.c
        step = (of.from_us // step_us).label("step")
        going = sa.func.sum(sa.case((of.to_us.is_(None), 1), else_=0)).label("going")
        return (
            sa.select(
                of.camera, of.level, step, sa.func.count().label("many"), sa.func.min(of.from_us).label("from_us"),
                sa.func.max(of.last_us).label("to_us"), going,
            )
            .where(*self.where(asked), sa.not_(self.hides())).group_by(of.camera, of.level, step).order_by(step)
        )  # fmt: skip

    def blind(self, asked: Asked, limit: int) -> sa.Select[Any]:
        """What hid the view, the newest first."""
        of = self._table.c
        return sa.select(self._table).where(*self.where(asked), self.hides()).order_by(of.from_us.desc()).limit(limit)

    def hides(self) -> sa.ColumnElement[bool]:
        """It is of the group `tamper`."""
        return self._within("tamper")

    def _within(self, group: str) -> sa.ColumnElement[bool]:
        """A kind of that group. PostgreSQL orders by a language, so that nothing can be said to lie between two texts; SQLite finds those by an index."""
        kind = self._table.c.kind
        return (
            kind.between(f"{group}.", f"{group}/") if self._is_sqlite else kind.startswith(f"{group}.", autoescape=True)
        )

    def where(self, asked: Asked) -> list[sa.ColumnElement[bool]]:
        """Which rows."""
        of = self._table.c
        reaches = sa.or_(
            of.from_us.between(asked.from_us - REACH_US, asked.to_us - 1),
            sa.and_(self.hides(), of.from_us < asked.to_us),  # these alone last longer
        )
        found: list[sa.ColumnElement[bool]] = [reaches, sa.or_(of.to_us.is_(None), of.to_us >= asked.from_us)]
        if asked.cameras is not None:
            found.append(of.camera.in_(list(asked.cameras)))
        if asked.kinds:
            found.append(sa.or_(*(sa.or_(of.kind == kind, self._within(kind)) for kind in asked.kinds)))
        if asked.zones:
            found.append(sa.or_(*(self._position(of.zones, json.dumps(zone)) > 0 for zone in asked.zones)))
        if asked.reviewed is not None:
            found.append(self._reviewed if asked.reviewed else sa.not_(self._reviewed))
        if asked.before is not None:
            from_us, event = asked.before
            found.append(sa.or_(of.from_us < from_us, sa.and_(of.from_us == from_us, of.id < event)))
        return found


def values_of(event: Event) -> dict[str, Any]:
    """The columns that an event itself is made of."""
    return {
        "id": event.id, "camera": event.camera, "kind": event.kind, "level": int(level_of(event.kind)), "from_us": event.from_us,
        "to_us": event.to_us, "last_us": event.last_us, "score": event.score, "zones": json.dumps(list(event.zones)),
        "best_us": event.best_us, "best_box": json.dumps(event.best_box), "count": event.count, "detail": event.detail[:MOST_WORDS],
        "twin": event.twin,
    }  # fmt: skip


def event_of(row: Any) -> Event:
    """The reverse. row: as `.mappings()` gives them."""
    box = json.loads(row["best_box"])
    return Event(
        row["id"], row["camera"], row["kind"], row["from_us"], row["to_us"], row["last_us"], row["score"], tuple(json.loads(row["zones"])),
        row["best_us"], None if box is None else (box[0], box[1], box[2], box[3]), row["count"], row["detail"], row["twin"],
    )  # fmt: skip


def crowd_of(row: Any) -> Crowd:
    """Of a row of `crowds`."""
    return Crowd(row.camera, row.level, row.step, row.many, row.from_us, None if row.going else row.to_us)
