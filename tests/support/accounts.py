"""Accounts whose passwords cost next to nothing."""

from __future__ import annotations

from pathlib import Path

import argon2
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from longwatch import server_db
from longwatch.accounts import Accounts, Options
from longwatch.accounts.passwords import Hasher
from longwatch.base.clock import Clock


def cheap_hasher() -> Hasher:
    """argon2id as ever, with the least work it allows."""
    return Hasher(argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def open_accounts(data: Path, clock: Clock | None = None, options: Options | None = None) -> Accounts:
    """Real accounts in a folder of the test."""
    return Accounts(data, clock, options, cheap_hasher())


def made_up_to(path: Path, version: str) -> None:
    """A `server.db` as an older version of the program left it, by that version's own migrations."""
    engine = sa.create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(Path(server_db.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    engine.dispose()
