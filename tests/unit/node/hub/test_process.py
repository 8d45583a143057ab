"""A process of a hub says that it is there, and ends where another took its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.fleet_case import Hub
from tests.support.wait import until

from longwatch.base.clock import ManualClock
from longwatch.base.errors import UsageError
from longwatch.config import load
from longwatch.fleet import Processes
from longwatch.fleet.processes import DEAD_AFTER_US
from longwatch.node.door import DoorProcess
from longwatch.node.hub.part import check_is_hub
from longwatch.node.hub.process import SEEN_EVERY_S, HubProcess, process_of
from longwatch.trust import SigningKey, authority_of

DOOR = """hub: {id: hq, door: east}
data: data
uplink: {listen: '127.0.0.1:8461'}
database: postgresql://db/lw
media: s3://media
broker: nats://n
"""


async def test_it_says_so_and_hears_that_it_was_taken_for_dead(tmp_path: Path) -> None:
    clock, hub = ManualClock(), Hub(tmp_path / "fleet.db", tmp_path)
    processes = Processes(hub.db, clock.wall_us)
    life = processes.claim("east", "a" * 32, "", "1")
    ended: list[bool] = []
    process = HubProcess(processes, hub.db, "east", life, None, clock)
    process.on_taken_over.append(lambda: ended.append(True))
    process.start()
    first = processes.listed()[0].seen_us
    await clock.advance(SEEN_EVERY_S + 1)
    await until(lambda: processes.listed()[0].seen_us > first, "it says that it is there")
    assert ended == []
    clock.step_wall(DEAD_AFTER_US + 1)
    other = processes.claim("east", "b" * 32, "", "1")
    for _ in range(3):
        await clock.advance(SEEN_EVERY_S + 1)
    await until(lambda: ended == [True], "it hears of it, once")
    await process.aclose()
    [row] = processes.listed()
    assert (row.life, row.ended_us) == (other, None), "its end ends nothing of the other"
    hub.close()


def test_a_hub_over_a_file_is_one_process(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "fleet.db", tmp_path)
    path = tmp_path / "longwatch.yml"
    path.write_text("hub: {id: hq}\ndata: data\nuplink: {listen: '127.0.0.1:8461'}\n")
    key: SigningKey = authority_of(tmp_path, "hq").cosigner
    assert process_of(load(path, {}), hub.db, key, ManualClock()) is None
    assert Processes(hub.db, lambda: 0).listed() == []
    hub.close()


def test_verbs_of_the_console_and_of_a_door_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "longwatch.yml"
    path.write_text(DOOR)
    with pytest.raises(UsageError, match="the file of a door, `east`"):
        check_is_hub(load(path, {}))
    path.write_text("hub: {id: hq}\ndata: data\nuplink: {listen: '127.0.0.1:8461'}\n")
    with pytest.raises(UsageError, match="is not the file of a door"):
        DoorProcess(path)
