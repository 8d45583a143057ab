"""When a temperature is an alarm, and when it is over."""

from __future__ import annotations

from longwatch.events.temperatures import STALE_US, Limit, Options, Temperatures
from longwatch.formats.onvif_radiometry import Radiometry, Reading, RuleState
from longwatch.model.events import COLD, HOT
from longwatch.model.heat import StillOptions

S = 1_000_000


def said(*celsius: float, item: str = "a", name: str = "") -> Radiometry:
    return Radiometry(tuple(Reading(item, name, each, each - 10, None) for each in celsius))


def watched(*limits: Limit, own: bool = True, celsius: bool = True) -> Temperatures:
    return Temperatures("oven", Options(limits, celsius, own))


def test_it_has_to_hold_for_as_long_as_the_settings_say() -> None:
    one = watched(Limit("too hot", above=80, for_us=3 * S))
    assert one.read(said(90), 0) == []
    assert one.read(said(90), 2 * S) == []
    found = one.read(said(91.26), 3 * S)
    assert [(each.kind, each.on, each.zones, each.detail) for each in found] == [
        (HOT, True, ("too hot",), "91.3 °C at a, over 80 °C")
    ]
    assert [(each.kind, each.on) for each in one.read(said(80), 4 * S)] == [(HOT, False)]
    assert one.read(said(70), 5 * S) == []


def test_one_cool_reading_begins_the_wait_anew() -> None:
    one = watched(Limit("too hot", above=80, for_us=3 * S))
    one.read(said(90), 0)
    one.read(said(70), 2 * S)
    assert one.read(said(90), 3 * S) == []
    assert one.read(said(90), 6 * S) != []


def test_kelvin_and_cold_and_the_lowest_of_a_box() -> None:
    one = watched(Limit("frost", of="lowest", below=0), celsius=False)
    assert one.read(Radiometry((Reading("a", "", 300, 274, None),)), 0) == []
    found = one.read(Radiometry((Reading("a", "", 300, 272.15, None),)), S)
    assert [(each.kind, each.detail) for each in found] == [(COLD, "-1.0 °C at a, under 0 °C")]


def test_a_limit_is_of_one_spot_by_id_or_name_or_of_each() -> None:
    one = watched(Limit("door", item="Door", above=50), Limit("any", above=100))
    assert [each.zones for each in one.read(said(60, item="7", name="Door"), 0)] == [("door",)]
    assert one.read(said(60, item="8"), 0) == []
    assert [each.zones for each in one.read(said(120, item="8"), 0)] == [("any",)]


def test_it_is_over_only_when_no_spot_stands_by_the_limit() -> None:
    one = watched(Limit("any", above=50))
    one.read(said(60, item="a"), 0)
    one.read(said(60, item="b"), 0)
    assert one.read(said(40, item="a"), S) == []
    assert [each.on for each in one.read(said(40, item="b"), S)] == [False]


def test_a_camera_that_falls_silent_stands_for_nothing() -> None:
    one = watched(Limit("any", above=50, for_us=5 * S))
    one.read(said(60), 0)
    assert one.read(said(60), 5 * S) != []
    assert one.idle(6 * S) == []
    assert [each.on for each in one.idle(5 * S + STALE_US)] == [False]
    assert one.read(said(60), 6 * S + STALE_US) == [], "what was before the silence does not count for the wait"
    assert one.now(7 * S + 2 * STALE_US) == {}


def test_a_mean_that_is_not_sent_is_no_reading() -> None:
    assert watched(Limit("mean", of="mean", above=0)).read(said(60), 0) == []


def test_the_cameras_own_rule_stands_until_it_says_otherwise() -> None:
    one = watched()
    on, off = (Radiometry((), (RuleState("Oven", on=state),)) for state in (True, False))
    assert [(each.kind, each.on, each.detail) for each in one.read(on, 0)] == [
        (HOT, True, "the camera's own rule Oven")
    ]
    assert [each.on for each in one.read(said(20), S)] == [True]
    assert [each.on for each in one.read(off, 2 * S)] == [False]
    assert one.read(said(20), 3 * S) == []
    assert watched(own=False).read(on, 0) == []


def test_what_stills_say_is_known_for_three_times_as_long_as_there_is_between_them() -> None:
    one = Temperatures("oven", Options((Limit("too hot", above=80),), stills=StillOptions(every_us=60 * S)))
    assert one.read(said(90), 0, celsius=True) != [], "of a camera whose documents say kelvin, a still says degrees"
    assert one.idle(179 * S) == []
    assert one.now(179 * S)["a"].highest == 90
    assert [(each.kind, each.on) for each in one.idle(180 * S)] == [(HOT, False)]
    assert one.now(180 * S) == {}
