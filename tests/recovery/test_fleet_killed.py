"""A hub killed in the middle of anything, or its database: what was confirmed is there, and what was not comes again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.fleet_case import RIDGE, Hub
from tests.support.fleet_killed import Story
from tests.support.postgres import Postgres, absent, postgres

from longwatch.base.errors import LongwatchError

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    if absent():
        pytest.skip(absent())
    with postgres(fsync=True) as running:
        yield running


@pytest.mark.parametrize(
    # a hub killed over PostgreSQL: tests/real/network/test_killed_anywhere.py
    "kind",
    ["sqlite", pytest.param("postgresql", marks=pytest.mark.long), "postgresql itself"],
)
def test_what_was_confirmed_is_there(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    server: Postgres | None = None if kind == "sqlite" else request.getfixturevalue("server")
    where = str(tmp_path / "fleet.db") if server is None else server.database()
    story = Story.make(tmp_path)
    hub = Hub(where, tmp_path)
    story.log.enrol(hub.fleet)
    hub.close()
    confirmed: set[str] = set()
    verified = 0
    draw = random.Random(5)
    for lines in (draw.randint(1, 9), draw.randint(5, 30), draw.randint(5, 30), None):
        for line in _killed(where, tmp_path, lines, server if kind == "postgresql itself" else None):
            word, value = line.split(" ", 1)
            if word == "held":
                verified = max(verified, int(value))
            elif word == "confirmed":
                confirmed.add(value)
        _check(where, tmp_path, story, verified, confirmed)
    assert len(confirmed) == len(story.objects), "the last one was left to come to its end"
    if server is not None:
        server.drop(where)


def _killed(where: str, folder: Path, lines: int | None, server: Postgres | None) -> list[str]:
    """One life of a hub; what it said before it was killed, a moment after it had said so many lines (None: not at all). server: what is
    killed, and started again.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.support.fleet_killed", where, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline().startswith("ready"), "it comes up again, whatever was cut"
    said = [child.stdout.readline() for _ in range(lines or 0)]
    if lines is not None and server is None:
        child.send_signal(signal.SIGKILL)
    elif lines is not None and server is not None:
        server.kill()
    rest, _ = child.communicate(timeout=120)
    if lines is not None and server is not None:
        server.start()
    said += rest.splitlines(keepends=True)
    return [line.strip() for line in said if line.endswith("\n")]


def _check(where: str, folder: Path, story: Story, verified: int, confirmed: set[str]) -> None:
    hub = Hub(where, folder)
    try:
        rows = hub.fleet.log_rows(RIDGE)
        assert (rows[0].verified if rows else 0) >= verified
        assert hub.fleet.entries(RIDGE, 1, 0, 1 << 20) == story.log.entries[: rows[0].verified if rows else 0]
        for info, data in story.objects:
            if info.sha256.hex() in confirmed:
                assert hub.fleet.begin_object(info) == info.size
                assert hub.store.read_all(info.sha256) == data
        assert hub.fleet.evidence() == [], "a cut is no fork"
    finally:
        hub.close()


def test_a_database_that_is_away_is_said_to_be_and_nothing_is_confirmed(tmp_path: Path, server: Postgres) -> None:
    url = server.database()
    story = Story.make(tmp_path)
    hub = Hub(url, tmp_path)
    story.log.enrol(hub.fleet)
    server.kill()
    with pytest.raises(LongwatchError, match="cannot be used"):
        story.log.tell(hub.fleet)
    with pytest.raises(LongwatchError, match="cannot be used") as failed:
        hub.index.cameras()
    assert "postgresql://" not in json.dumps(str(failed.value))
    server.start()
    story.log.tell(hub.fleet)
    assert hub.index.cameras()
    hub.close()
    server.drop(url)
