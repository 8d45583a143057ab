"""Events of this post on their way to a hub: rows in the order of their changes, and who gave the numbers (`model.uplink.EventSource`). docs/design/events.md.

A life begins with each start of the server: a table that was lost, or put back from an older copy, gives numbers that were given before, and is told by
that. Calls block; safe from several threads. Owner of the rows of `event_lives`: whoever made this.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from longwatch.events.store import EventStore
from longwatch.model.event_rows import ToldEvent
from longwatch.model.uplink import Position
from longwatch.server_db import ServerDb
from longwatch.server_db.schema import event_lives

MOST_LIVES = 200
"""Kept of a post; a hub that was not heard of for longer is told all of it again."""


@dataclass(frozen=True, slots=True)
class _Life:
    life: int
    first_rev: int


def _by_chance() -> int:
    return 1 + secrets.randbelow((1 << 52) - 1)


class Lives:
    """Of the events of one post. newest: the last number that was given. It blocks."""

    def __init__(self, db: ServerDb, newest: Callable[[], int], post: str = "") -> None:
        self._engine = db.engine
        self._newest = newest
        self._post = post
        self._found: list[_Life] | None = None

    def begin(self) -> None:
        """From the next number on it is another life; the first has given all there were. One that gave no number goes, and so does one that begins where numbers have not come: the table is an older one."""
        rev, self._found = self._newest(), None
        with self._engine.begin() as connection:
            mine = event_lives.c.post == self._post
            connection.execute(sa.delete(event_lives).where(mine, event_lives.c.first_rev > rev))
            first = connection.execute(sa.select(event_lives.c.life).where(mine).limit(1)).first() is None
            values = {"post": self._post, "life": _by_chance(), "first_rev": 0 if first else rev + 1}
            connection.execute(sa.insert(event_lives).values(**values))
            kept = sa.select(event_lives.c.life).where(mine).order_by(event_lives.c.first_rev.desc()).limit(MOST_LIVES)
            connection.execute(sa.delete(event_lives).where(mine, event_lives.c.life.not_in(kept)))

    def anew(self) -> None:
        """Whatever was given before is given by a life of now."""
        self._found = None
        with self._engine.begin() as connection:
            connection.execute(sa.delete(event_lives).where(event_lives.c.post == self._post))
            values = {"post": self._post, "life": _by_chance(), "first_rev": 0}
            connection.execute(sa.insert(event_lives).values(**values))

    def at(self, rev: int) -> Position:
        """Who gave that number; the oldest that is known, where it is older than all."""
        known = self._known()
        if not known:
            self.begin()
            known = self._known()
        return Position(next((each for each in known if each.first_rev <= rev), known[-1]).life, rev)

    def fits(self, position: Position) -> bool:
        """Whether that number was given by that life."""
        return position.rev <= self._newest() and bool(self._known()) and self.at(position.rev) == position

    def _known(self) -> list[_Life]:
        """The newest first. Nobody else writes them."""
        if self._found is not None:
            return self._found
        query = (
            sa.select(event_lives.c.life, event_lives.c.first_rev)
            .where(event_lives.c.post == self._post)
            .order_by(event_lives.c.first_rev.desc())
        )
        with self._engine.connect() as connection:
            self._found = [_Life(row.life, row.first_rev) for row in connection.execute(query)]
        return self._found


class Outgoing:
    """withheld: cameras of which nothing that was seen leaves the post; asked each time."""

    def __init__(self, store: EventStore, db: ServerDb, post: str, withheld: Callable[[], Collection[str]]) -> None:
        self._store = store
        self._lives = Lives(db, store.newest_rev)
        self._post = post
        self._withheld = withheld

    def begin(self) -> None:
        """The server starts: before anything is written."""
        self._lives.begin()

    def posts(self) -> Sequence[str]:
        """See EventSource."""
        return [self._post]

    def end(self, post: str) -> Position:
        """See EventSource."""
        return self._lives.at(self._store.newest_rev()) if post == self._post else Position()

    def fits(self, post: str, position: Position) -> bool:
        """See EventSource."""
        return post == self._post and self._lives.fits(position)

    def anew(self, post: str) -> None:
        """See EventSource."""
        if post == self._post:
            self._lives.anew()

    def after(self, post: str, position: Position, limit: int) -> tuple[Sequence[ToldEvent], Position]:
        """See EventSource."""
        newest = self._store.newest_rev()
        rows = self._store.changed(position.rev, limit) if post == self._post else []
        withheld = self._withheld()
        last = rows[-1][0] if len(rows) == limit else max(newest, rows[-1][0] if rows else 0)
        return [row for _, row in rows if row.event.camera not in withheld], self._lives.at(last)
