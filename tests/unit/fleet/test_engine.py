"""The database: one schema in both, transactions that carry several calls, secrets that stay secret."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from tests.support.fleet_case import Hub
from tests.support.postgres import Postgres

from longwatch.base import secrets
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.fleet import FleetDb
from longwatch.fleet.schema import PARTITIONED, contacts, invites, metadata


def put(db: FleetDb, name: str, *, fails: bool = False) -> str:
    with db.write() as connection:
        connection.execute(
            sa.insert(invites).values(sha256=name.encode(), post=name, created_us=1, expires_us=2, by="test")
        )
        if fails:
            raise ValueError(name)
    return name


def names(db: FleetDb) -> list[str]:
    with db.read() as connection:
        return list(connection.execute(sa.select(invites.c.post).order_by(invites.c.post)).scalars())


def test_the_migrations_make_what_the_tables_say(hub: Hub) -> None:
    with hub.db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "fleet_version"})
        found = compare_metadata(context, metadata)
        parts = {
            table for kind, table in ((d[0], d[1]) for d in found if isinstance(d, tuple)) if kind == "remove_table"
        }
        allowed = {f"{table}_{n:02d}" for table in PARTITIONED for n in range(16)}
        assert {table.name for table in parts} <= allowed
        rest = [
            d
            for d in found
            if not (isinstance(d, tuple) and d[0] in {"remove_table", "remove_index"} and _of(d[1]) in allowed)
        ]
        assert rest == []


def _of(thing: Any) -> str:
    return str(thing.table.name if isinstance(thing, sa.Index) else thing.name)


def test_what_grows_is_partitioned_by_post(hub: Hub) -> None:
    if hub.db.is_sqlite:
        assert all("post" in metadata.tables[name].primary_key.columns for name in PARTITIONED)
        return
    with hub.db.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT c.relname, count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent WHERE c.relkind = 'p' GROUP BY 1"
        ).all()
    assert dict(map(tuple, rows)) == dict.fromkeys(PARTITIONED, 16)


def test_it_is_written_through_before_it_is_answered(hub: Hub) -> None:
    if not hub.db.is_sqlite:
        return
    with hub.db.write() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
    with pytest.raises(LongwatchError, match="readonly"), hub.db.read() as connection:
        connection.execute(sa.delete(contacts))


async def test_calls_that_come_together_stand_or_fall_each_alone(hub: Hub) -> None:
    calls = [hub.db.call(lambda n=n: put(hub.db, f"{n:02d}", fails=n % 5 == 3)) for n in range(40)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    kept = [f"{n:02d}" for n in range(40) if n % 5 != 3]
    assert [each for each in done if isinstance(each, str)] == kept
    assert sum(isinstance(each, ValueError) for each in done) == 8
    assert names(hub.db) == kept


async def test_several_calls_cost_one_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longwatch.fleet.engine._TOGETHER_S", 600.0)
    db = FleetDb(tmp_path / "fleet.db")
    commits: list[int] = []
    sa.event.listen(db.engine, "commit", lambda _: commits.append(1))
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow() -> None:
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(60)

    first = asyncio.ensure_future(db.call(slow))
    await asyncio.sleep(0)
    rest = [asyncio.ensure_future(db.call(put, db, f"{n:02d}")) for n in range(30)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(first, *rest)
    assert len(commits) <= 2
    assert len(names(db)) == 30
    db.close()


async def test_what_takes_its_time_holds_up_no_more_than_those_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longwatch.fleet.engine._TOGETHER_S", 0.0)
    db = FleetDb(tmp_path / "fleet.db")
    commits = []
    sa.event.listen(db.engine, "commit", lambda _: commits.append(1))
    try:
        assert await asyncio.gather(*(db.call(put, db, f"p{n}") for n in range(5))) == [f"p{n}" for n in range(5)]
        assert len(commits) == 5
        assert len(names(db)) == 5
    finally:
        db.close()


async def test_a_commit_that_fails_confirms_nothing(tmp_path: Path) -> None:
    db = FleetDb(tmp_path / "fleet.db")

    def rolled_back() -> str:
        with db.write() as connection:
            connection.execute(sa.insert(invites).values(sha256=b"a", post="a", created_us=1, expires_us=2, by="test"))
            raw: Any = connection.connection.dbapi_connection
            raw.execute("ROLLBACK")  # as SQLite does by itself where the disk is full
            raw.execute("SAVEPOINT sa_savepoint_1")
        return "held"

    done = await asyncio.gather(db.call(rolled_back), return_exceptions=True)
    assert isinstance(done[0], LongwatchError)
    assert names(db) == []
    assert await db.call(put, db, "b") == "b"
    db.close()


def test_a_transaction_within_one_is_a_savepoint(hub: Hub) -> None:
    with hub.db.write():
        put(hub.db, "a")
        with pytest.raises(ValueError, match="b"):
            put(hub.db, "b", fails=True)
        assert names(hub.db) == ["a"], "what reads within it sees it"
    assert names(hub.db) == ["a"]


def test_an_older_program_refuses_a_newer_database(where: str) -> None:
    db = FleetDb(where)
    with db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE fleet_version SET version_num = '9999'")
    db.close()
    with pytest.raises(LongwatchError, match="cannot be opened") as failed:
        FleetDb(where)
    assert "newer" in failed.value.remedy


def test_another_file_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "fleet.db").write_bytes(b"no database" * 500)
    with pytest.raises(LongwatchError, match="cannot be opened"):
        FleetDb(tmp_path / "fleet.db")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://anna:hunter2zz@127.0.0.1:1/fleet", "mysql://anna:hunter2zz@127.0.0.1/fleet", "postgresql://anna:hunter2zz@[bad/fleet",
    ],
)  # fmt: skip
def test_a_secret_of_the_address_is_in_no_error(url: str) -> None:
    with pytest.raises((LongwatchError, UsageError)) as failed:
        FleetDb(url)
    told: list[str] = []
    error: BaseException | None = failed.value
    while error is not None:
        told.append(f"{error} {error!r} {error.args}")
        error = None if error.__suppress_context__ and error.__cause__ is None else error.__cause__ or error.__context__
    assert "hunter2zz" not in " ".join(told)
    assert "hunter2zz" not in secrets.scrub(url)


@pytest.mark.slow
async def test_two_processes_migrate_one_database_once(server: Postgres) -> None:
    url = server.database()
    opened = await asyncio.gather(*(asyncio.to_thread(FleetDb, url) for _ in range(3)))
    for db in opened:
        db.close()
    server.drop(url)


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    FleetDb(tmp_path / "fleet.db").close()
    assert (tmp_path / "fleet.db").stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(tmp_path / "fleet.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
