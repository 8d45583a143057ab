"""Which devices there are to ask, and what they say together."""

from __future__ import annotations

import pytest

from longwatch.model.surroundings import Power
from longwatch.surroundings.device import Feed
from longwatch.surroundings.feeds import CameraFeed, MeterSpec, RelaySpec, Said, SwitchSpec, cameras_of, combined, specs
from longwatch.surroundings.limit import EntryLimit
from longwatch.surroundings.options import HttpAddress, Meter, Options, Place, Relay, Snmp, SwitchPort, Ups

ON, OFF, UNKNOWN = Power.ON, Power.OFF, Power.UNKNOWN
ADDRESS = HttpAddress("http", "10.0.0.9", 80, "/")
S = 1_000_000


def test_only_what_can_say_something_is_asked() -> None:
    snmp = Snmp("10.0.0.2")
    relay, meter, ups = Relay(ADDRESS, "on"), Meter(ADDRESS, "w", 1), Ups("ups", "127.0.0.1")
    places = (
        Place("gate", "10.0.0.5", 554, "hut", SwitchPort(3, 3)), Place("mast", "10.0.0.6", 554, "hut"),
        Place("yard", "10.0.0.7", 554, "tower", SwitchPort(1, 1), relay, meter), Place("roof", "10.0.0.8", 554),
    )  # fmt: skip
    found = specs(Options(places, {"hut": snmp, "tower": None, "spare": snmp}, ups))
    assert found == [
        SwitchSpec("hut", snmp, (("gate", SwitchPort(3, 3)),)), RelaySpec("yard", relay), MeterSpec("yard", meter), ups,
    ]  # fmt: skip
    assert [cameras_of(spec) for spec in found] == [("gate",), ("yard",), ("yard",), ()]


@pytest.mark.parametrize(
    ("said", "by", "power"),
    [
        ([], "", UNKNOWN),
        ([Said("a", Feed(ON)), Said("b", Feed(OFF))], "b", OFF),
        ([Said("a", Feed(OFF)), Said("b", Feed(ON))], "a", OFF),
        ([Said("a", Feed(UNKNOWN)), Said("b", Feed(ON))], "b", ON),
        ([Said("a", Feed(UNKNOWN)), Said("b", Feed(UNKNOWN))], "", UNKNOWN),
        ([Said("a", Feed(UNKNOWN, OFF))], "a", UNKNOWN),
    ],
)
def test_one_that_is_off_in_a_row_is_enough(said: list[Said], by: str, power: Power) -> None:
    assert (combined(said).by, combined(said).feed.power) == (by, power)


def test_what_decides_brings_its_own_time_and_what_else_is_known_stays() -> None:
    said = combined([Said("switch", Feed(ON, ON, "x", 77), 5), Said("relay", Feed(OFF, ordered=True), 9)])
    assert said == Said("relay", Feed(OFF, ON, "", 77, ordered=True), 9)
    feed = CameraFeed()
    feed.take([Said("switch", Feed(ON, ON), 5)], 20)
    assert (feed.power.asked_boot_us, feed.power.since_boot_us) == (5, 20), "an old answer stays old"


def news(feed: CameraFeed, power: Power, link: Power = UNKNOWN, at_s: int = 0) -> bool:
    return feed.take([Said("x", Feed(power, link))], at_s * S)


def test_what_is_news_for_the_ledger() -> None:
    feed = CameraFeed()
    assert not news(feed, UNKNOWN)
    assert not news(feed, ON, ON), "how it should be, at the first look"
    assert not news(feed, UNKNOWN, ON), "not known just now is no change"
    assert not news(feed, ON, ON)
    assert news(feed, OFF, ON)
    assert not news(feed, OFF, ON)
    assert news(feed, OFF, OFF)
    assert not news(feed, UNKNOWN)
    assert news(feed, ON, ON)


def test_a_camera_that_is_off_at_the_first_look_is_news() -> None:
    assert news(CameraFeed(), OFF)
    assert news(CameraFeed(), UNKNOWN, OFF)


def test_a_relay_that_chatters_does_not_fill_the_ledger() -> None:
    feed = CameraFeed()
    news(feed, ON)
    told = sum(news(feed, OFF if n % 2 else ON, at_s=2 * n) for n in range(1, 1800))
    assert told <= 20 + 12
    assert feed.limit.told() > 100
    assert feed.limit.told() == 0


def test_the_limit_recovers() -> None:
    limit = EntryLimit()
    assert sum(limit.take(n * S) for n in range(100)) == 20
    assert limit.take(400 * S)
    assert not limit.take(401 * S)
    assert limit.take(8000 * S)
    assert limit.take(8001 * S)
