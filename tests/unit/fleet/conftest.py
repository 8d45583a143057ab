"""Every test of the fleet runs on SQLite and, marked slow, on PostgreSQL: the very same."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.evidence_case import record_post
from tests.support.fleet_case import Hub
from tests.support.postgres import Postgres, absent, postgres

from longwatch.fleet import FleetDb


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """One PostgreSQL for all of them."""
    if absent():
        pytest.skip(absent())
    with postgres() as running:
        FleetDb(running.database()).close()  # fleet1: migrated once, copied by every test
        yield running


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of SQLite, migrated once and copied by every test."""
    path = Path(tmp_path_factory.mktemp("fresh")) / "fleet.db"
    FleetDb(path).close()
    return path


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a post with a little of two cameras; nobody changes it."""
    folder = Path(tmp_path_factory.mktemp("recorded")) / "data"
    asyncio.run(record_post(folder))
    (folder / "reserve").unlink(missing_ok=True)  # 64 MiB
    return folder


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database."""
    if request.param == "sqlite":
        shutil.copyfile(request.getfixturevalue("fresh"), tmp_path / "fleet.db")
        yield str(tmp_path / "fleet.db")
        return
    running: Postgres = request.getfixturevalue("server")
    url = running.database("fleet1")
    yield url
    running.drop(url)


@pytest.fixture
def hub(where: str, tmp_path: Path) -> Iterator[Hub]:
    made = Hub(where, tmp_path)
    yield made
    made.close()
