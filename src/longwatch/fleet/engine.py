"""How a hub's database is opened: SQLite in the data folder, or PostgreSQL by one setting; the same tables in both.

SQLite: WAL, synchronous=FULL, one thread that writes, reading connections apart. Calls that wait for the thread together become one
transaction, each within a savepoint: a thousand posts cost one flush, not a thousand. PostgreSQL: a pool of connections, and it does that
by itself. An act is durable once `call`, or the outermost `write`, has returned.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.pool import QueuePool

from longwatch.base import secrets
from longwatch.base.errors import LongwatchError, UsageError

_T = TypeVar("_T")
_TOGETHER = 64  # calls of one transaction
_TOGETHER_S = 0.1  # and so long: one that takes its time holds up the answers of those before it, and no more are added
_THREADS = 8
_MIGRATING = 0x6C77_666C  # the advisory lock of PostgreSQL that only one hub process migrates under
_Job = tuple[Callable[..., Any], tuple[Any, ...], "Future[Any]"]


class DatabaseError(LongwatchError):
    """The database cannot be read or written now: it is away, or full. What was to be written was not."""


def _as_said(error: Exception) -> Exception:
    """What a driver says, for people, without statement and values; a constraint that does not hold is the caller's own affair."""
    if not isinstance(error, sa.exc.SQLAlchemyError) or isinstance(error, sa.exc.IntegrityError):
        return error
    first = str(getattr(error, "orig", None) or error).splitlines()
    return DatabaseError(
        "the hub's database cannot be used", why=secrets.scrub(first[0] if first else type(error).__name__),
        remedy="see that it can be reached and has room",
    )  # fmt: skip


@contextlib.contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        raise _as_said(error) from None


class FleetDb:
    """The engine and its threads. Owner of every connection. url_or_path: a file, or postgresql://user:password@host/name.

    Raises UsageError for another kind of URL, LongwatchError where it cannot be opened, or belongs to a newer version. The password is
    registered as a secret before anything can fail.
    """

    def __init__(self, url_or_path: str | Path) -> None:
        self._url = _url_of(url_or_path)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        self._local = threading.local()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writing = threading.RLock()
        self._upserts: dict[object, sqlite.Insert | postgresql.Insert] = {}
        self.engine = _sqlite_engine(self._url, reading=False) if self.is_sqlite else _postgres_engine(self._url)
        try:
            self._migrate()
        except Exception as error:  # noqa: BLE001 - boundary: whatever Alembic or a driver says, it is about this one database
            self.engine.dispose()
            raise LongwatchError(
                f"the database {self.where} cannot be opened",
                why=secrets.scrub(str(error).splitlines()[0]),
                remedy="see that it can be reached; it may belong to a newer version of Longwatch",
            ) from None
        self.reading = _sqlite_engine(self._url, reading=True) if self.is_sqlite else self.engine
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="fleet-db") if not self.is_sqlite else None
        self._thread = threading.Thread(target=self._run, name="fleet-db", daemon=True) if self.is_sqlite else None
        if self._thread is not None:
            self._thread.start()

    @property
    def where(self) -> str:
        """Of which database one speaks, without its secret."""
        if self.is_sqlite:
            return str(self._url.database)
        return f"{self._url.database} at {self._url.host or 'a local socket'}"

    def _migrate(self) -> None:
        if self._is_current():
            return
        from alembic import command  # most starts need neither
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
        with self.engine.begin() as connection:
            if not self.is_sqlite:
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _is_current(self) -> bool:
        """Whether no migration is missing: most starts look, and need no Alembic."""
        newest = max(path.stem[1:5] for path in (Path(__file__).parent / "migrations" / "versions").glob("v*.py"))
        try:
            with self.engine.connect() as connection:
                known = connection.exec_driver_sql("SELECT version_num FROM fleet_version").scalar()
        except sa.exc.SQLAlchemyError:
            return False
        return bool(known == newest)

    # -- transactions

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that writes, or a savepoint where this thread is in one. Raises DatabaseError, sa.exc.IntegrityError; then nothing
        stands.
        """
        with _said(), self._write() as connection:
            yield connection

    @contextlib.contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        outer: sa.Connection | None = getattr(self._local, "outer", None)
        if outer is not None:
            with outer.begin_nested():
                yield outer
            return
        group: contextlib.ExitStack | None = getattr(self._local, "group", None)
        if group is not None:  # the first of several calls that one transaction carries
            self._local.outer = group.enter_context(self._begin())
            with self._local.outer.begin_nested():
                yield self._local.outer
            return
        with self._begin() as connection:
            self._local.outer = connection
            try:
                yield connection
            finally:
                self._local.outer = None

    @contextlib.contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        with self._writing if self.is_sqlite else contextlib.nullcontext(), self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that reads, as of one moment. Within one that writes it is that one. Raises DatabaseError."""
        with _said(), self._read() as connection:
            yield connection

    @contextlib.contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        outer: sa.Connection | None = getattr(self._local, "outer", None)
        if outer is not None:
            yield outer
            return
        with self.reading.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    # -- calls

    async def call(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Run something that writes, off the event loop; what it wrote is durable when this returns."""
        if self._pool is not None:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
        future: Future[Any] = Future()
        self._jobs.put((function, arguments, future))
        result: _T = await asyncio.wrap_future(future)
        return result

    def close(self) -> None:
        """What waits is done first; then every connection is closed. Blocks."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
        if self._pool is not None:
            self._pool.shutdown()
        if self.reading is not self.engine:
            self.reading.dispose()
        self.engine.dispose()

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None or self._together(self._waiting(job)):
                return

    def _waiting(self, first: _Job) -> Iterator[_Job | None]:
        """What waits now and goes into one transaction; None at the end of all."""
        until_s = time.monotonic() + _TOGETHER_S
        yield first
        for _ in range(_TOGETHER - 1):
            if time.monotonic() >= until_s:
                return
            try:
                more = self._jobs.get_nowait()
            except queue.Empty:
                return
            yield more
            if more is None:
                return

    def _together(self, jobs: Iterator[_Job | None]) -> bool:
        """Several calls in one transaction. Each stands or falls alone; none is answered before the commit. Whether it was the end of all."""
        ended = False
        done: list[tuple[Future[Any], Any]] = []
        try:
            with contextlib.ExitStack() as group:
                self._local.group, self._local.outer = group, None
                for job in jobs:
                    if job is None:
                        ended = True
                        break
                    function, arguments, future = job
                    if not future.set_running_or_notify_cancel():
                        continue
                    try:
                        done.append((future, function(*arguments)))
                    except Exception as error:  # noqa: BLE001 - boundary: it goes to whoever called
                        future.set_exception(error)
        except Exception as error:  # noqa: BLE001 - boundary: the commit failed, so that nothing of it stands
            for future, _ in done:
                future.set_exception(_as_said(error))
            done.clear()
        finally:
            self._local.group = self._local.outer = None
        for future, result in done:
            future.set_result(result)
        return ended

    # -- statements that the two write in their own ways

    def upsert(
        self, table: sa.Table, keys: Sequence[str], update: Sequence[str] | None = None
    ) -> sqlite.Insert | postgresql.Insert:
        """INSERT ... ON CONFLICT over these keys. update: columns that take the new value; None for all others, empty to leave the row."""
        asked = (table.name, tuple(keys), None if update is None else tuple(update))
        made = self._upserts.get(asked)
        if made is None:
            made = self._upserts[asked] = self._upsert(table, keys, update)
        return made

    def _upsert(
        self, table: sa.Table, keys: Sequence[str], update: Sequence[str] | None
    ) -> sqlite.Insert | postgresql.Insert:
        insert = sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)
        names = (
            [c.name for c in table.columns if c.name not in keys and not c.primary_key] if update is None else update
        )
        if not names:
            return insert.on_conflict_do_nothing(index_elements=list(keys))
        return insert.on_conflict_do_update(
            index_elements=list(keys), set_={name: insert.excluded[name] for name in names}
        )

    def alone_with(self, db: sa.Connection, sha256: bytes) -> None:
        """Until this transaction ends, no other process or connection puts these bytes into the store and enters them, or removes them. Taken before the
        rows of `objects` and `removals`. SQLite has one writer anyway.
        """
        if not self.is_sqlite:
            key = int.from_bytes(sha256[:8], "big", signed=True)
            db.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})

    def locked(self, query: sa.Select[Any]) -> sa.Select[Any]:
        """The same rows, and nobody else writes them before this transaction ends. SQLite has one writer anyway."""
        return query if self.is_sqlite else query.with_for_update()


def _url_of(url_or_path: str | Path) -> sa.URL:
    text = str(url_or_path)
    if isinstance(url_or_path, Path) or "://" not in text:
        return sa.URL.create("sqlite", database=text)
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError:
        raise UsageError(
            "the database's address cannot be read", remedy="postgresql://user:password@host/name"
        ) from None
    if url.password:
        secrets.register_login(url.username or "", str(url.password))
        secrets.register(text)
    if url.get_backend_name() not in {"postgresql", "postgres"}:
        raise UsageError("the database is of a kind that is not known", remedy="postgresql://user:password@host/name")
    return url.set(drivername="postgresql+psycopg")


def _sqlite_engine(url: sa.URL, *, reading: bool) -> sa.Engine:
    path = Path(str(url.database))
    if not reading:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    engine = sa.create_engine(
        url, poolclass=QueuePool, pool_size=8, max_overflow=8, hide_parameters=True, connect_args={"check_same_thread": False}
    )  # fmt: skip

    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # its own way of beginning transactions begins none for savepoints and reads
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "cache_size=-65536"):
            connection.execute(f"PRAGMA {pragma}")
        if reading:
            connection.execute("PRAGMA query_only=ON")

    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    def commit(connection: sa.Connection) -> None:
        """A disk that is full makes SQLite roll back by itself, and a commit of nothing succeeds: nothing may be confirmed by that."""
        if not connection.connection.in_transaction:
            raise sa.exc.InvalidRequestError("the database took back the transaction")

    sa.event.listen(engine, "connect", connected)
    sa.event.listen(engine, "commit", commit)
    sa.event.listen(engine, "begin", begin)
    return engine


def _postgres_engine(url: sa.URL) -> sa.Engine:
    return sa.create_engine(url, pool_size=_THREADS, max_overflow=_THREADS, pool_pre_ping=True, hide_parameters=True)
