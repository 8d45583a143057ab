"""The migrations make exactly the schema."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from longwatch.accounts.schema import metadata
from longwatch.accounts.store import Store


def test_migrations_equal_the_schema(tmp_path: Path) -> None:
    Store(tmp_path / "server.db").close()
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'server.db'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_opening_twice_changes_nothing(tmp_path: Path) -> None:
    first = Store(tmp_path / "server.db")
    key = first.key("url")
    first.close()
    second = Store(tmp_path / "server.db")
    assert second.key("url") == key
    assert second.is_empty()
    second.close()
