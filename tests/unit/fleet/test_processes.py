"""Several processes of one hub on one database: names, connections, and two that take the same post's footage at one time."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.support.archive_case import GATE
from tests.support.fleet_case import NOW_US, RIDGE, Hub, Ledger, objects_of, send

from longwatch.archive import ArchiveReader
from longwatch.base.clock import ManualClock
from longwatch.base.errors import UsageError
from longwatch.fleet import FleetRetention, ObjectStore, Processes, holding
from longwatch.fleet.objects import Objects
from longwatch.fleet.processes import DEAD_AFTER_US
from longwatch.fleet.schema import held, pieces, removals, segments, streams
from longwatch.model.uplink import Confirmed, Held, ObjectInfo


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def processes(hub: Hub, clock: ManualClock) -> Processes:
    hub.fleet = type(hub.fleet)(hub.db, hub.store, wall_us=clock.wall_us)
    Ledger().enrol(hub.fleet)
    return Processes(hub.db, clock.wall_us)


def test_a_name_is_one_processs_alone_until_that_one_is_gone(processes: Processes, clock: ManualClock) -> None:
    assert processes.claim("east", "a" * 32, "east:8461", "1") == 1
    with pytest.raises(UsageError, match="runs already, at east:8461"):
        processes.claim("east", "b" * 32, "other:8461", "1")
    assert processes.claim("east", "a" * 32, "east:8461", "1") == 2, "a restart on the same folder is the same process"
    assert not processes.seen("east", 1), "its former life is over"
    assert processes.seen("east", 2)
    clock.step_wall(DEAD_AFTER_US + 1)
    assert processes.claim("east", "b" * 32, "other:8461", "1") == 3
    assert not processes.seen("east", 2), "it was taken for dead, and ends"
    processes.ended("east", 2)
    [row] = processes.listed()
    assert (row.life, row.ended_us, processes.is_there(row)) == (3, None, True)
    processes.ended("east", 3)
    assert processes.claim("east", "a" * 32, "east:8461", "1") == 4, "one that ended by itself gives its name free"


def test_of_two_connections_of_a_post_the_newer_counts(hub: Hub, processes: Processes) -> None:
    first = hub.fleet.contact_begun(RIDGE, "10.0.0.1", "east")
    second = hub.fleet.contact_begun(RIDGE, "10.0.0.2", "west")
    assert second > first
    assert (hub.fleet.contact_seen(first), hub.fleet.contact_seen(second)) == (False, True)
    assert not hub.fleet.contact_seen(first, ended=True)
    found = processes.reached()[RIDGE]
    assert (found.site, found.process, found.contact) == (RIDGE, "west", second)


def test_what_a_process_held_ends_with_it(hub: Hub, processes: Processes, clock: ManualClock) -> None:
    processes.claim("east", "a" * 32, "", "1")
    life = processes.claim("console", "c" * 32, "", "1")
    contact = hub.fleet.contact_begun(RIDGE, "", "east")
    clock.step_wall(DEAD_AFTER_US - 1)
    processes.seen("console", life)
    assert RIDGE in processes.reached()
    clock.step_wall(2)
    processes.seen("console", life)
    assert processes.reached() == {}
    assert not hub.fleet.contact_seen(contact), "if it lives after all, it hears so and ends the connection"
    again = hub.fleet.contact_begun(RIDGE, "", "east")
    processes.claim("east", "a" * 32, "", "1")
    assert not hub.fleet.contact_seen(again), "a process that begins anew holds nothing"


def test_a_post_behind_a_hub_is_reached_by_that_hubs_connection(hub: Hub, processes: Processes) -> None:
    lake = Ledger(post="lake", folder="aa11")
    hub.fleet.add_post("lake", "Lake", "", lake.origin, lake.public, (RIDGE,))
    contact = hub.fleet.contact_begun(RIDGE, "", "east")
    assert {name: (found.site, found.contact) for name, found in processes.reached().items()} == {
        RIDGE: (RIDGE, contact), "lake": (RIDGE, contact),
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("where", ["postgresql"], indirect=True)
@pytest.mark.parametrize("by", ["a process that refused the same bytes", "retention"])
def test_bytes_that_one_process_is_about_to_confirm_another_does_not_remove(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    one, two = Hub(where, tmp_path), Hub(where, tmp_path)
    Ledger().enrol(one.fleet)
    picture = b"\xff\xd8\xff" + bytes(500)
    info = ObjectInfo(hashlib.sha256(picture).digest(), len(picture), "picture", RIDGE, "gate", "main", at_us=NOW_US)
    mine, theirs = Objects(one.db, one.store, one.fleet._wall_us), Objects(two.db, two.store, two.fleet._wall_us)
    removing: list[threading.Thread] = []

    def remove() -> None:
        if by == "retention":
            FleetRetention(two.db, two.store, two.fleet._wall_us, list).sweep()
        else:
            theirs._unstage(info.sha256)

    def enter(*given: Any) -> None:
        """Between the bytes and their row, the other tries for as long as it takes."""
        entered(*given)
        with two.db.write() as db:
            db.execute(two.db.upsert(removals, ("sha256",), ()), {"sha256": info.sha256, "at_us": 0})
        removing.append(threading.Thread(target=remove))
        removing[0].start()
        removing[0].join(1.0)

    entered = mine._enter
    monkeypatch.setattr(mine, "_enter", enter)
    mine.begin(info)
    mine.add(info.sha256, 0, picture)
    mine.stage(info)
    assert isinstance(mine.finish(info), Confirmed)
    removing[0].join(60)
    assert one.store.read_all(info.sha256) == picture, "what is confirmed is here"
    one.close()
    two.close()


@pytest.mark.slow
@pytest.mark.parametrize("where", ["postgresql"], indirect=True)
def test_two_processes_that_take_pieces_of_one_segment_at_one_time_add_up_to_it(
    where: str, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Hub(where, tmp_path)
    (tmp_path / "two").mkdir()
    two = Hub(where, tmp_path / "two")
    two.fleet = type(two.fleet)(
        two.db, ObjectStore(tmp_path / "media", tmp_path / "two" / "spool")
    )  # one store, each its own spool
    reader = ArchiveReader([recorded])
    log = Ledger(entries=[row.entry for row in reader.entries(0, 1 << 20)])
    log.enrol(one.fleet)
    assert isinstance(log.tell(one.fleet), Held)
    closing, *leaves = objects_of(reader, GATE)[:3]
    reader.close()
    assert [each[0].kind for each in (closing, *leaves)] == ["closing", "piece", "piece"]
    assert isinstance(send(one.fleet, *closing), Confirmed)
    both, looked = threading.Barrier(2), holding.leaves_of

    def looks(db: sa.Connection, which: Any) -> list[tuple[int, int]]:
        """What each has counted is old when it writes it, unless only one at a time may."""
        found = looked(db, which)
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(2)
        return found

    monkeypatch.setattr(holding, "leaves_of", looks)
    answers: list[object] = []
    threads = [
        threading.Thread(target=lambda hub=hub, each=each: answers.append(send(hub.fleet, *each)))
        for hub, each in zip((one, two), leaves, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [type(answer) for answer in answers] == [Confirmed, Confirmed]
    with one.db.read() as db:
        row = db.execute(sa.select(segments).where(segments.c.leaves_here > 0)).one()
        mine = sa.select(sa.func.sum(pieces.c.last - pieces.c.first + 1), sa.func.sum(pieces.c.size))
        assert tuple(db.execute(mine).one()) == (row.leaves_here, row.bytes_here)
        counted = db.execute(sa.select(sa.func.sum(streams.c.segments_here), sa.func.sum(streams.c.bytes_here))).one()
        assert tuple(counted) == (1, row.bytes_here)
        assert len(db.execute(sa.select(held)).all()) == 1
    one.close()
    two.close()
