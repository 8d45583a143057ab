"""What each test of the server makes anew, and what is the same each time: made once in a process, and then repeated.

A new database is made by the statements that the migrations came to, and not by Alembic again; the first one of each process is migrated,
and so is every one that has anything in it. A statement is put into SQL once for all SQLite files, where each engine would keep its own: a fifth of what
the tests of a hub compute. An app's routes read the signatures of their endpoints once: reading them is most of the
making of an app, and the hundreds of tests that make one have the same endpoints.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    import sqlalchemy as sa

_statements: dict[str, list[str]] = {}
_dependants: dict[tuple[Any, ...], Any] = {}


def _is_empty(connection: sa.Connection) -> bool:
    return connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar() == 0


def _remember(name: str, connection: sa.Connection) -> None:
    driver = connection.connection.driver_connection
    _statements[name] = [one for one in driver.iterdump() if one not in {"BEGIN TRANSACTION;", "COMMIT;"}]


def _repeat(name: str, connection: sa.Connection) -> None:
    for statement in _statements[name]:
        connection.exec_driver_sql(statement)


def databases() -> None:
    """For the rest of this process, and the engines that are imported by now."""
    if "sqlalchemy" in sys.modules:
        _sql()
    if "longwatch.server_db.engine" in sys.modules:
        _of_server()
    if "longwatch.fleet.engine" in sys.modules:
        _of_fleet()


def _sql() -> None:
    """What SQL comes of a statement depends on the dialect alone, and that of SQLite is one. Cf. `Engine._compiled_cache`, keyed by the dialect."""
    import sqlalchemy as sa

    first = sa.create_engine("sqlite://", query_cache_size=4000)
    first.connect().close()  # by that it learns what this SQLite can do
    first.dispose()
    create = sa.create_engine

    def created(*arguments: Any, **more: Any) -> sa.Engine:
        engine = create(*arguments, **more)
        if type(engine.dialect) is type(first.dialect):
            engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache
        return engine

    sa.create_engine = created


def _of_server() -> None:
    from longwatch.server_db import engine

    migrate = engine._migrate

    def made(connection: sa.Connection) -> None:
        new = _is_empty(connection)
        if new and "server" in _statements:
            _repeat("server", connection)
            return
        migrate(connection)
        if new:
            _remember("server", connection)

    engine._migrate = made


def _of_fleet() -> None:
    from longwatch.fleet.engine import FleetDb

    migrate = FleetDb._migrate

    def made(db: FleetDb) -> None:
        if not db.is_sqlite:
            migrate(db)
            return
        with db.engine.begin() as connection:
            new = _is_empty(connection)
            if new and "fleet" in _statements:
                _repeat("fleet", connection)
                return
        migrate(db)
        if new:
            with db.engine.connect() as connection:
                _remember("fleet", connection)

    FleetDb._migrate = made


@contextlib.contextmanager
def routes() -> Iterator[None]:
    """Around the making of an app."""
    from fastapi import routing

    read = routing.get_dependant

    def once(*, path: str, call: Callable[..., Any], **more: Any) -> Any:
        if not isinstance(call, FunctionType) or hasattr(call, "__wrapped__"):
            return read(path=path, call=call, **more)
        key = (path, call.__code__, tuple(call.__annotations__.items()), tuple(sorted(more.items())))
        if key not in _dependants:
            found = read(path=path, call=call, **more)
            if found.dependencies:  # these are functions of the one app
                return found
            _dependants[key] = found
        return dataclasses.replace(_dependants[key], call=call, dependencies=[])

    with mock.patch.object(routing, "get_dependant", once):
        yield
