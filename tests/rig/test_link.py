"""The quick version of the campaign of a link that was down for three days; and what it must catch."""

from __future__ import annotations

import random

import pytest
from tests.rig import link_campaign
from tests.support.simulated_link import US, WALL_US, Weather, World
from tests.support.uplink_memory import MemoryHub

from longwatch.model.uplink import Class, Confirmed, ObjectInfo, Refused

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    # eight stories each time, other ones each time; the rest, and thousands in the campaign, are more of them
    "n",
    [*range(8), *(pytest.param(n, marks=pytest.mark.long) for n in range(8, 20))],
)
def test_the_hub_equals_the_post_whatever_the_link_did(n: int) -> None:
    seed = random.SystemRandom().randrange(
        1 << 24
    )  # drawn within the test: workers have to agree on what there is to run
    print(f"try {n}: seed {seed}")
    result = link_campaign.play(seed)
    print(result)
    assert result.lost == result.twice == 0, f"seed {seed}: {result}"
    assert result.used >= 0.9, f"seed {seed}: {result}"
    assert result.again < 0.1, f"seed {seed}: {result}"


class HastyHub(MemoryHub):
    """Confirms before it has committed: a kill takes what it said to have."""

    def kill(self, dice: random.Random) -> None:
        super().kill(dice)
        for sha256 in list(self.objects)[-3:]:
            del self.objects[sha256]


class CarelessHub(MemoryHub):
    """Looks at neither offsets nor hashes: what comes twice is there twice."""

    def add_chunk(self, sha256: bytes, offset: int, data: bytes) -> int:
        self.spool.setdefault(sha256, bytearray()).extend(data)
        return len(self.spool[sha256])

    def finish_object(self, info: ObjectInfo) -> Confirmed | Refused:
        self.objects[info.sha256] = bytes(self.spool.pop(info.sha256, self.objects.get(info.sha256, b"")))
        return Confirmed(info.sha256)


class ForgetfulHub(MemoryHub):
    """Loses entries that it has counted, and does not look at the numbers of those that come."""

    def kill(self, dice: random.Random) -> None:
        super().kill(dice)
        for log in self.logs.values():
            del log[len(log) // 2 :]

    def cursor(self, post: str, number: int) -> int:
        return max(self.verified.get((post, number), 0), super().cursor(post, number))

    def take_entries(self, post: str, number: int, first: int, entries: list[bytes]) -> int:
        self.logs.setdefault((post, number), []).extend(entries)
        return first + len(entries)


@pytest.mark.parametrize("hub", [HastyHub, CarelessHub, ForgetfulHub])
def test_the_campaign_catches_a_hub_that_makes_a_mistake(hub: type[MemoryHub], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.simulated_link.MemoryHub", hub)
    monkeypatch.setattr(link_campaign, "LIMIT_US", 3000 * US)
    monkeypatch.setattr(link_campaign, "KILLS", [100])
    caught = 0
    for seed in range(1, 3):
        try:
            link_campaign.play(seed)
        except (AssertionError, KeyError):
            caught += 1
    assert caught, f"no seed caught {hub.__name__}"


def test_an_alarm_overtakes_bulk_on_a_clean_thin_link() -> None:
    """64 kbit/s, 50 ms one way, more bulk than it carries: from the signed head at the post to the hub's receipt."""
    world = World(7, Weather(rate_bits_s=64_000, delay_us=50_000))
    for _ in range(40):
        world.want(world.media.put(world.dice.randbytes(200_000), "piece"), Class.BULK)
    written: dict[int, int] = {}

    def alarm() -> None:
        link_campaign.alarm(world, WALL_US + world.now_us)
        world.log.publish()
        written[world.log.head.size] = world.now_us

    for number in range(200):
        world.at(20 * US + int((number * 3 + world.dice.random() * 2) * US), alarm)
    assert world.run(lambda: len(world.arrived_us) >= 200 and max(written, default=0) in world.arrived_us, 3600 * US)
    took = sorted(
        min(at for size_, at in world.arrived_us.items() if size_ >= size) - at_us for size, at_us in written.items()
    )
    p95 = took[len(took) * 95 // 100] / US
    print(
        f"alarm over bulk: median {took[100] / US:.2f} s, p95 {p95:.2f} s, slowest {took[-1] / US:.2f} s; link used {world.tally.used:.3f}"
    )
    assert p95 < 1.0
    assert world.tally.used >= 0.9
