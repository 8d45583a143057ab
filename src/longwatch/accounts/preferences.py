"""What a user likes (a layout, a look), as the console writes it: JSON by name, read by nobody else."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from longwatch.accounts.accounts import Accounts
from longwatch.accounts.roles import Principal
from longwatch.base.errors import UsageError
from longwatch.base.ids import is_slug
from longwatch.server_db.schema import preferences

MOST_BYTES = 64 << 10
MOST_NAMES = 50


class Preferences:
    """Of users alone: a token has none."""

    def __init__(self, accounts: Accounts) -> None:
        self._db = accounts.db

    async def get(self, principal: Principal, name: str) -> Any:
        """The value, None where there is none. Raises UsageError for a name that cannot be."""
        _check(principal, name)
        return await self._db.call(self._get, principal.id, name)

    async def put(self, principal: Principal, name: str, value: Any) -> None:
        """Set it. Raises UsageError: too large, too many."""
        _check(principal, name)
        try:
            text = json.dumps(value, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:  # TypeError: a body that did not come as JSON
            raise UsageError("this cannot be kept", why=str(error), remedy="send plain JSON") from error
        if len(text) > MOST_BYTES:
            raise UsageError("this is too large to be kept", remedy=f"at most {MOST_BYTES >> 10} KiB of JSON")
        await self._db.call(self._put, principal.id, name, text)

    async def drop(self, principal: Principal, name: str) -> None:
        """Forget it; nothing happens where there is none."""
        _check(principal, name)
        await self._db.call(self._drop, principal.id, name)

    def _get(self, user_id: int, name: str) -> Any:
        with self._db.engine.connect() as connection:
            text = connection.execute(sa.select(preferences.c.value).where(_is(user_id, name))).scalar()
        return None if text is None else json.loads(text)

    def _put(self, user_id: int, name: str, text: str) -> None:
        count = sa.select(sa.func.count()).select_from(preferences).where(preferences.c.user_id == user_id)
        with self._db.engine.begin() as connection:
            connection.execute(sa.delete(preferences).where(_is(user_id, name)))
            if connection.execute(count).scalar_one() >= MOST_NAMES:
                raise UsageError("too many preferences are kept", remedy=f"delete some; there may be {MOST_NAMES}")
            connection.execute(sa.insert(preferences).values(user_id=user_id, name=name, value=text))

    def _drop(self, user_id: int, name: str) -> None:
        with self._db.engine.begin() as connection:
            connection.execute(sa.delete(preferences).where(_is(user_id, name)))


def _is(user_id: int, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(preferences.c.user_id == user_id, preferences.c.name == name)


def _check(principal: Principal, name: str) -> None:
    if principal.kind != "user":
        raise UsageError("a token has no preferences", remedy="sign in as a person")
    if not is_slug(name):
        raise UsageError(
            f"{name[:80]!r} cannot be the name of a preference", remedy="use small letters, digits and dashes"
        )
