"""The migrations make exactly the schema, from the first version of the file on."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.runtime.migration import HeadMaintainer
from tests.support.accounts import made_up_to

from longwatch.base.errors import LongwatchError
from longwatch.server_db import ServerDb
from longwatch.server_db.schema import metadata, sessions, tokens, users


def test_migrations_equal_the_schema(tmp_path: Path) -> None:
    ServerDb(tmp_path / "server.db").close()
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'server.db'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_opening_twice_changes_nothing(tmp_path: Path) -> None:
    first = ServerDb(tmp_path / "server.db")
    key = first.key("url")
    first.close()
    second = ServerDb(tmp_path / "server.db")
    assert second.key("url") == key
    second.close()


@pytest.mark.parametrize("version", ["0002", "0010"])
def test_a_cut_in_the_middle_of_a_migration_leaves_the_file_as_it_was(
    tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "server.db"
    made_up_to(path, version)

    def before() -> list[tuple[str, ...]]:
        with contextlib.closing(sqlite3.connect(path)) as database:
            made = database.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
            return [*made, *database.execute("SELECT version_num FROM alembic_version").fetchall()]

    stood = before()
    with monkeypatch.context() as cut:
        cut.setattr(HeadMaintainer, "update_to_step", lambda *_: (_ for _ in ()).throw(OSError("the power is gone")))
        with pytest.raises(LongwatchError, match="cannot be opened"):
            ServerDb(path)
    assert before() == stood
    ServerDb(path).close()
    assert before() != stood, "and the next start does all of it"


async def test_what_is_asked_of_it_runs_on_one_thread(tmp_path: Path) -> None:
    db = ServerDb(tmp_path / "server.db")
    assert len(await db.call(db.key, "one")) == 32
    db.close()


def test_a_file_of_the_second_version_keeps_what_it_holds(tmp_path: Path) -> None:
    """As session 2 left it: users, a token and logins are there afterwards, and nobody is disabled."""
    path = tmp_path / "server.db"
    made_up_to(path, "0002")
    with sqlite3.connect(path) as database:
        database.execute(
            "INSERT INTO users (id, name, password, role, cameras, created_us) VALUES (1, 'ada', 'x', 'admin', '[\"gate\"]', 5)"
        )
        database.execute("INSERT INTO tokens (name, sha256, role, created_us) VALUES ('t', x'01', 'viewer', 5)")
        database.execute("INSERT INTO sessions VALUES (x'02', 1, 7, 9)")
        database.execute("INSERT INTO subjects (kind, account) VALUES ('user', 1)")
    database.close()
    db = ServerDb(path)
    with db.engine.connect() as connection:
        user = connection.execute(sa.select(users)).one()
        assert (user.name, user.cameras, user.disabled, user.passkey_only, user.handle) == (
            "ada",
            ["gate"],
            False,
            False,
            None,
        )
        session = connection.execute(sa.select(sessions)).one()
        assert (session.created_us, session.seen_us, session.by, session.address) == (7, 0, "password", "")
        assert connection.execute(sa.select(tokens.c.expires_us)).scalar_one() is None
    db.close()
