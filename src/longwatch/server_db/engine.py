"""How `server.db` is opened: one engine, and one thread, for every room that keeps something there."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog

from longwatch.base.errors import LongwatchError
from longwatch.server_db import beside
from longwatch.server_db.schema import keys

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")


def _pragmas(connection: Any, _record: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


_MIGRATIONS = Path(__file__).parent / "migrations"


def _is_current(connection: sa.Connection) -> bool:
    """Whether no migration is missing: most starts look, and need no Alembic."""
    newest = max(path.stem[1:5] for path in (_MIGRATIONS / "versions").glob("v*.py"))
    try:
        known = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except sa.exc.OperationalError:  # a new file has no such table
        return False
    return bool(known == newest)


def _migrate(connection: sa.Connection) -> None:
    """All that is missing, or nothing: Python's driver begins no transaction for a statement that makes an index or a table, and one that was there already after a
    power cut would keep the server from starting. Alembic is imported only here: it is a tenth of what a verb imports.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    command.upgrade(config, "head")


class ServerDb:
    """The file, its engine and its thread. Statements block: `call` runs them on the thread, one after another."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it (0600), and bring it up to date; where its disk is full, a copy of it (see `beside`). Raises LongwatchError for one that is newer or
        no database.
        """
        self._path = path
        self._copy: Path | None = None
        self._was_full = beside.is_full(path.parent)
        if not (self._was_full and self._open_beside(path)):
            try:
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
                self._open(path)
            except (LongwatchError, OSError) as error:
                if not self._was_full:
                    raise
                raise LongwatchError(
                    f"{path.name} cannot be opened", why=f"the disk of {path.parent} is full", remedy="make room there: a few MiB are enough"
                ) from error  # fmt: skip
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="server-db")

    def _open_beside(self, path: Path) -> bool:
        """The copy; False where there can be none. Raises LongwatchError for what `_open` refuses."""
        try:
            self._copy = beside.copy_of(path)
        except (LongwatchError, OSError) as error:
            _log.error("the disk is full, and what the server knows cannot be kept in memory", reason=str(error))
            return False
        try:
            self._open(self._copy)
        except LongwatchError:
            shutil.rmtree(self._copy.parent, ignore_errors=True)
            raise
        sa.event.listen(self.engine, "connect", lambda connection, _: beside.only_what_may_be_forgotten(connection))
        self.engine.dispose()  # those that were opened without it
        _log.error("the disk is full: what the server knows is kept in memory", path=str(path))
        return True

    def _open(self, path: Path) -> None:
        self.engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), hide_parameters=True)
        sa.event.listen(self.engine, "connect", _pragmas)
        try:
            with self.engine.begin() as connection:
                if not _is_current(connection):
                    _migrate(connection)
        except Exception as error:  # named boundary: whatever Alembic or SQLite says, it is about this one file
            self.engine.dispose()
            raise LongwatchError(
                f"{path.name} cannot be opened",
                why=str(error).splitlines()[0],
                remedy="it may belong to a newer version of Longwatch; upgrade the program, or move the file away",
            ) from error

    @property
    def is_beside(self) -> bool:
        """Whether what is written goes to a copy in memory, since the disk was full at the start."""
        return self._copy is not None

    def is_better_begun_anew(self) -> bool:
        """Whether whoever ends and starts again is better off: where there is room now for a copy in memory to go back, or none any more for the file. Blocks."""
        if self._copy is None:
            return not self._was_full and beside.is_full(self._path.parent)
        try:
            return beside.free_bytes(self._path.parent) > 2 * beside.BACK_BYTES + self._copy.stat().st_size
        except OSError:
            return False

    async def call(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Run something that touches the file, on its thread. Raises LongwatchError for what is not changed in a copy in memory."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
        except sa.exc.DatabaseError as error:
            if not self.is_beside or "not authorized" not in str(error):
                raise
            raise LongwatchError(
                "this cannot be kept now", why="the disk of the first volume is full, and what is written goes to memory alone",
                remedy="make room on that disk first; the server takes it up by itself",
            ) from error  # fmt: skip

    def close(self) -> None:
        """What runs on the thread ends first; then every connection is closed. A copy goes back to the disk, where there is room. Blocks."""
        self._thread.shutdown()
        self.engine.dispose()
        if self._copy is not None and not beside.put_back(self._copy, self._path):
            _log.error(
                "what the server knew since the disk was full is lost: there is no room for it", path=str(self._path)
            )

    def purge(self) -> None:
        """Write the file anew, so that nothing deleted is left in it, and cut its log of writes. It is small."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def key(self, name: str) -> bytes:
        """A random key of this server that outlives restarts; made when it is first asked for."""
        with self.engine.begin() as connection:
            row = connection.execute(sa.select(keys.c.value).where(keys.c.name == name)).first()
            if row is not None:
                return bytes(row.value)
            value = secrets.token_bytes(32)
            connection.execute(sa.insert(keys).values(name=name, value=value))
            return value
