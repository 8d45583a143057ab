"""A bundle comes down to a post: over a link that is cut, loses and doubles, without standing in the way of what goes up."""

from __future__ import annotations

import random

import pytest
from tests.support.simulated_link import US, Connection, Weather, World

from longwatch.model.uplink import Class
from longwatch.replication import Policy, Window
from longwatch.replication.fetching import MAX_PART, MIN_PART, MOST_AT_ONCE, PATIENCE_US, Fetch, answer
from longwatch.wire.uplink import Body, LinkError, Message, encode

SHA = "ab" * 32


class Fetching(World):
    """A simulated link on which the post fetches. got: as the post wrote it; durable: what a kill leaves."""

    def __init__(self, seed: int, weather: Weather, bundle: bytes, policy: Policy | None = None) -> None:
        self.bundle = bundle
        self.got = b""
        self.durable_bytes = 0
        self.done_us = 0
        self.parts = 0
        self.most_waiting_us = 0
        self.begun_us: dict[int, int] = {}
        self.fetch = Fetch(SHA, len(bundle))
        super().__init__(seed, weather, policy)

    def kill_post(self) -> None:
        super().kill_post()
        self.got = self.got[: self.durable_bytes]
        self.fetch = Fetch(SHA, len(self.bundle), len(self.got))

    def _connect(self) -> None:
        super()._connect()
        self.fetch.begin(self.now_us)

    def _arrive(self, connection: Connection, number: int) -> None:
        found = connection.on_the_way.get(number)
        told = len(self.told)
        super()._arrive(connection, number)
        for message in self.told[told:]:
            if isinstance(message, Message) and message.kind == "fetch":
                for part in answer(message.body, lambda sha256, offset, size: self.bundle[offset : offset + size]):
                    self.parts += 1
                    begin = max(self.now_us, connection.free_us["down"])
                    self.most_waiting_us = max(self.most_waiting_us, begin - self.now_us)
                    self._carry(connection, "down", encode(part))
                    if self.dice.random() < 0.05 and self.weather.loss:
                        self._carry(connection, "down", encode(part))  # twice
        if found is not None and connection.open and found[0] == "down" and not connection.down_dead:
            self._part(found[1])

    def _part(self, data: bytes) -> None:
        frame = self.decoded(data)
        if isinstance(frame, Body) and frame.kind == "part":
            self.got += self.fetch.take(frame.header["offset"], frame.data, self.now_us)
            if self.dice.random() < 0.05:
                self.durable_bytes = len(self.got)
            self.done_us = self.done_us or (self.now_us if self.fetch.whole else 0)

    def _pump(self, connection: Connection) -> None:
        end = connection.post
        if connection.open and connection is self.connection and end.welcome is not None and not end.saying(Class.BULK):
            most = None if self.policy.rate_bytes_s is None else self.policy.rate_bytes_s // 2
            body = self.fetch.next(self.now_us, self.weather.rate_bits_s // 8 * 3 // 10, most)
            if body is not None:
                end.say(Message("fetch", {"post": "north", **body}), Class.BULK)
        super()._pump(connection)


def bundle(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_it_is_here_whole_over_any_link(seed: int) -> None:
    weather = Weather(loss=0.3, cuts_every_s=30, kills_every_s=60, calm_from_us=1800 * US)
    world = Fetching(seed, weather, bundle(400_000, seed))
    assert world.run(lambda: world.fetch.whole, 4 * 3600 * US)
    assert world.got == world.bundle
    assert world.tally.cuts + world.tally.kills


def test_a_clean_thin_link_is_used_and_no_queue_stands_before_a_command() -> None:
    world = Fetching(1, Weather(), bundle(600_000))
    assert world.run(lambda: world.fetch.whole, 3600 * US)
    carried_us = len(world.bundle) * 8 * US // 64_000
    assert carried_us <= world.done_us < carried_us * 1.25
    assert world.most_waiting_us < 2 * US  # of the parts that one answer is made of, too


def test_what_goes_up_goes_before_it() -> None:
    """Clips, and a log that grows, are up as soon as without a bundle."""

    def done_us(size: int) -> int:
        world = Fetching(3, Weather(), bundle(size))
        for n in range(20):
            world.want(world.media.put(random.Random(n).randbytes(8_000), "piece"), Class.CLIP)
        world.log.write("alarm_raised", 1, camera="gate")
        world.log.publish()
        assert world.run(world.done, 3600 * US)
        return world.now_us

    assert done_us(600_000) <= done_us(1) * 1.05


@pytest.mark.slow
def test_its_window_and_its_budget_hold() -> None:
    never = Policy(windows=(Window(frozenset({0}), 0, 1),))
    world = Fetching(1, Weather(), bundle(50_000), never)
    assert not world.run(lambda: world.fetch.whole, 300 * US)  # a Thursday
    assert not world.parts
    month = Policy(budget={"month": 200_000})
    world = Fetching(1, Weather(), bundle(600_000), month)
    assert not world.run(lambda: world.fetch.whole, 300 * US)
    assert 100_000 < world.spent.of("month") < 200_000 + 2 * MOST_AT_ONCE


def test_a_rate_cap_holds_and_leaves_the_ledger_its_turn() -> None:
    policy = Policy(rate_bytes_s=2_000)
    world = Fetching(1, Weather(rate_bits_s=1_000_000, delay_us=20_000), bundle(200_000), policy)
    late: list[float] = []

    def alarm() -> None:
        at_us = world.now_us
        world.log.write("alarm_raised", 1, camera="gate")
        world.log.publish()
        size = world.log.head.size

        def look() -> None:
            if any(held >= size for held in world.arrived_us):
                late.append((world.arrived_us[min(held for held in world.arrived_us if held >= size)] - at_us) / US)
            else:
                world.at(world.now_us + US // 10, look)

        look()

    for n in range(5):
        world.at((10 + 10 * n) * US, alarm)
    assert world.run(lambda: world.fetch.whole, 3600 * US)
    assert world.done_us >= 200_000 // 2_000 * US * 0.95
    assert len(late) == 5
    assert max(late) < 3


def test_parts_that_were_here_are_passed_over_and_a_hole_is_asked_for_again() -> None:
    fetch = Fetch(SHA, 10_000)
    assert fetch.next(0, 2048) == {"bytes": 4096, "offset": 0, "part": 2048, "sha256": SHA, "size": 10_000}
    assert fetch.next(0, 2048) is None
    assert fetch.take(0, bytes(2048), 1) == bytes(2048)
    assert fetch.take(0, bytes(2048), 2) == b""
    assert fetch.take(1000, b"x" * 2048, 3) == b"x" * 1000
    assert fetch.take(5000, bytes(100), 4) == b""

    def offset(now_us: int) -> object:
        asked = fetch.next(now_us, 2048)
        return asked and asked["offset"]

    assert offset(5) == 3048
    assert offset(5 + PATIENCE_US - 1) is None
    assert offset(5 + PATIENCE_US) == 3048
    with pytest.raises(LinkError):
        fetch.take(9_999, b"xy", 5)
    fetch.anew(6)
    assert offset(6) == 0


def test_a_part_is_never_larger_than_a_frame_and_a_fetch_is_looked_at() -> None:
    data = bundle(100_000)
    good = {"sha256": SHA, "offset": 5, "bytes": MOST_AT_ONCE, "part": MAX_PART, "size": len(data)}
    parts = list(answer(good, lambda _, offset, size: data[offset : offset + size]))
    assert b"".join(part.data for part in parts) == data[5 : 5 + MOST_AT_ONCE]
    assert all(len(encode(part)) < MAX_PART + 200 for part in parts)
    wrong = [
        {"sha256": 5}, {"offset": -1}, {"offset": True}, {"bytes": 0}, {"bytes": MOST_AT_ONCE + 1}, {"part": MIN_PART - 1}, {"part": MAX_PART + 1},
        {"part": None},
    ]  # fmt: skip
    for each in wrong:
        with pytest.raises(LinkError):
            list(answer({**good, **each}, lambda *_: b"x"))
    assert list(answer({**good, "offset": 1 << 50}, lambda *_: b"")) == []
