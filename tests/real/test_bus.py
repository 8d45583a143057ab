"""The bus over real servers: facts come in order through a cluster of three of which one is killed, and what is lost is noticed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tests.support.nats import Nats, nats
from tests.support.wait import until

from longwatch.base.clock import SystemClock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import ended
from longwatch.bus import Bus, BusError, BusOptions, Said

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bus")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Nats]:
    with nats(3) as running:
        yield running


class Heard:
    """A process at the bus."""

    def __init__(self, cluster: Nats, name: str, life: int = 1, hub: str = "hq") -> None:
        self.bus = Bus(BusOptions(cluster.address, hub, name, life, bytes(32)), SystemClock())
        self.facts: list[int] = []
        self.missed: list[str] = []
        self.said: list[bytes] = []
        self.broken: list[str] = []
        self.bus.on("fact", self._fact)
        self.bus.on_missed.append(self._missed)
        self.bus.on_said("said", self._said)
        self.bus.on_broken.append(self._broken)

    async def _fact(self, said: Said) -> None:
        self.facts.append(int(said.body["x"]))

    async def _missed(self, sender: str) -> None:
        self.missed.append(sender)

    async def _said(self, said: Said) -> None:
        self.said.append(said.data)

    async def _broken(self, sender: str) -> None:
        self.broken.append(sender)


@contextlib.asynccontextmanager
async def running(*processes: Heard) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(each.bus.run()) for each in processes]
    try:
        for each in processes:
            await until(lambda each=each: each.bus.is_telling, "the bus is there", 180)
        yield
    finally:
        await ended(tasks)


async def test_facts_come_once_and_in_order_though_a_server_is_killed_in_mid_flow(cluster: Nats) -> None:
    east, west = Heard(cluster, "east"), Heard(cluster, "west")
    async with running(east, west):

        async def heard() -> bool:
            """A cluster that has just begun may take none yet."""
            east.bus.tell("fact", {"x": -1})
            await asyncio.sleep(0.2)  # a real cluster elects its leader in its own time: it is not flooded meanwhile
            return bool(west.facts)

        await until(heard, "they hear each other", 180)
        west.missed.clear()
        for number in range(300):
            east.bus.tell("fact", {"x": number})
            if number == 150:
                await until(lambda: len(west.facts) > 20 or bool(west.missed), "they flow", 180)
                cluster.kill(0)
            await asyncio.sleep(0.005)  # spread over a second and a half, so that the server dies in mid-flow
        await until(lambda: bool(west.facts) and west.facts[-1] == 299, f"all went {west.facts[-3:]}", 180)
        found = [fact for fact in west.facts if fact >= 0]
        assert found == sorted(set(found)), "none twice, none out of order"
        assert len(found) == 300 or west.missed, "what did not come was noticed"
    cluster.start(0)


async def test_while_no_server_is_there_nothing_hangs_and_afterwards_everything_is_read_again(cluster: Nats) -> None:
    east, west = Heard(cluster, "east", 2), Heard(cluster, "west", 2)
    async with running(east, west):
        for node in range(3):
            cluster.kill(node)
        await until(lambda: not east.bus.connected and not west.bus.connected, "it is noticed", 180)
        west.missed.clear()
        assert not east.bus.say("west", "said", {}, b"x")
        with pytest.raises(BusError, match="cannot be asked"):
            await east.bus.ask("west", "anything", {})
        for number in range(2_000):  # more than there is room for
            east.bus.tell("fact", {"x": number})
        assert east.bus.dropped > 0
        for node in range(3):
            cluster.start(node)
        await until(lambda: bool(west.facts) and west.facts[-1] == 1_999, f"it goes on: {west.facts[-3:]}", 180)
        assert "" in west.missed
        assert west.facts == sorted(set(west.facts))


async def test_what_is_said_to_one_comes_to_that_one_and_a_question_is_answered_once(cluster: Nats) -> None:
    east, west, other = Heard(cluster, "east", 3), Heard(cluster, "west", 3), Heard(cluster, "west", 3, "another")
    asked: list[Any] = []

    async def answer(said: Said) -> dict[str, Any]:
        asked.append(said.body)
        if said.body.get("no"):
            raise BusError("this is not to be", why="why", reason="used")
        return {"yes": said.body["x"] + 1}

    west.bus.answer("ask", answer)
    async with running(east, west, other):
        for number in range(50):
            assert east.bus.say("west", "said", {}, bytes([number]) * 12_000)
            await asyncio.sleep(0)  # no time passes: the sender has its turn, since its queue is bounded
        await until(lambda: len(west.said) == 50, f"they came: {len(west.said)}", 180)
        assert [each[0] for each in west.said] == list(range(50))
        assert (west.broken, other.said) == ([], [])
        large = bytes(range(256)) * 800
        assert east.bus.say("west", "said", {}, large), "it goes in parts"
        await until(lambda: len(west.said) == 51, "it came", 180)
        assert west.said[-1] == large
        assert not east.bus.say("west", "said", {"x": "y" * 40_000}), "larger than a message may be"
        assert east.bus.say("west", "said", {}, b"z")
        await until(lambda: west.said[-1] == b"z", "it goes on", 180)
        assert west.broken == ["east"], "the hole was noticed"
        assert (await east.bus.ask("west", "ask", {"x": 4})) == {"yes": 5}
        with pytest.raises(BusError) as refused:
            await east.bus.ask("west", "ask", {"no": 1})
        assert (refused.value.what, refused.value.why, refused.value.reason) == ("this is not to be", "why", "used")
        assert len(asked) == 2
        with pytest.raises(LongwatchError, match="cannot be asked"):
            await east.bus.ask("nobody", "ask", {})
