"""What a hub does with objects, tried again by the very same tests over PostgreSQL and Swift's S3; and a device of Swift that is taken away."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.fleet_case import Hub
from tests.support.postgres import Postgres
from tests.support.swift import Swift, swift
from tests.support.wait import until_now
from tests.unit.fleet.conftest import recorded, server  # noqa: F401 - fixtures of theirs
from tests.unit.fleet.test_objects import *  # noqa: F403 - the very same tests

from longwatch.base.errors import LongwatchError
from longwatch.fleet import ObjectStore

for _name in [each for each in globals() if each.startswith(("test_what_is_flushed", "test_what_was_flushed"))]:
    del globals()[_name]  # of a folder's flushing alone

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("s3")]
_prefixes = itertools.count(1)


@pytest.fixture(scope="module")
def store_server() -> Iterator[Swift]:
    with swift() as running:
        yield running


@pytest.fixture
def where(server: Postgres) -> Iterator[str]:  # noqa: F811
    url = server.database("fleet1")
    yield url
    server.drop(url)


@pytest.fixture
def hub(where: str, tmp_path: Path, store_server: Swift) -> Iterator[Hub]:
    """As theirs, with a place of its own in the bucket."""
    at, _, asked = store_server.media.partition("?")
    made = Hub(where, tmp_path, media=f"{at}/t{next(_prefixes)}?{asked}")
    yield made
    made.close()


def again(put: Callable[[int], tuple[bytes, bytes]]) -> tuple[bytes, bytes] | None:
    """As a hub does: what is refused for now comes again."""
    try:
        return put(5_000)
    except LongwatchError:
        return None


def test_a_device_that_is_taken_away_is_not_noticed_and_two_are(store_server: Swift, tmp_path: Path) -> None:
    store = ObjectStore(store_server.media, tmp_path / "spool")

    def put(size: int) -> tuple[bytes, bytes]:
        data = os.urandom(size)
        name = hashlib.sha256(data).digest()
        store.put(name, data)
        return name, data

    kept = [put(300_000)]
    store_server.take_away(1)
    kept += [put(size) for size in (1, 5_000, 1 << 20)]
    for name, data in kept:
        assert store.read_all(name) == data
        assert store.read(name, len(data) // 2, 100) == data[len(data) // 2 :][:100]
    store_server.take_away(2)
    with pytest.raises(LongwatchError, match="cannot be stored"):
        put(5_000)  # one copy of three is no quorum: nothing is confirmed by it
    for device in (1, 2):
        store_server.bring_back(device)
    kept.append(until_now(lambda: again(put), "it takes objects again", 180))
    for name, data in kept:
        assert store.read_all(name) == data
        store.remove(name)
    for name, _ in kept:
        with pytest.raises(LongwatchError, match="cannot be read"):
            store.read_all(name)
