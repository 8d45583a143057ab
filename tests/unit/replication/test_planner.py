"""What may go when: budgets by local hours, days and months, windows over midnight and over changes of the clock, metered links, a rate cap."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from longwatch.model.uplink import Class
from longwatch.replication.planner import Bucket, Policy, Spent, Window, decide, opens_us

OSLO = "Europe/Oslo"
EVERY = tuple(Class)
DAILY = frozenset(range(7))


def at(text, zone=OSLO):
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1_000_000)


def test_without_limits_all_may_go_in_order():
    decision = decide(
        [Class.BULK, Class.PICTURE, Class.LEDGER], Spent(OSLO), Policy(timezone=OSLO), at("2026-01-05T12:00")
    )
    assert decision.allowed == (Class.LEDGER, Class.PICTURE, Class.BULK)
    assert decision.until_us is None


@pytest.mark.parametrize(
    ("span", "ends"), [("hour", "2026-01-31T13:00"), ("day", "2026-02-01T00:00"), ("month", "2026-02-01T00:00")]
)
def test_a_budget_that_is_used_holds_all_but_the_ledger_back_until_its_span_is_over(span, ends):
    now = at("2026-01-31T12:10")
    spent, policy = Spent(OSLO), Policy(budget={span: 1000}, timezone=OSLO)
    spent.add(999, now)
    assert decide(EVERY, spent, policy, now).allowed == EVERY
    spent.add(1, now)
    decision = decide(EVERY, spent, policy, now)
    assert decision.allowed == (Class.LEDGER,)
    assert decision.waiting[Class.ASKED].why == f"budget_{span}"
    assert decision.until_us == at(ends)
    assert decide(EVERY, spent, policy, at(ends)).allowed == EVERY


def test_the_ledger_is_counted_beyond_the_end_of_a_budget():
    now = at("2026-01-31T12:10")
    spent = Spent(OSLO)
    spent.add(5000, now)
    assert spent.of("day") == 5000


def test_the_longest_span_is_what_is_waited_for():
    now = at("2026-01-15T12:10")
    spent = Spent(OSLO)
    spent.add(5000, now)
    decision = decide([Class.CLIP], spent, Policy(budget={"hour": 10, "day": 20, "month": 30}, timezone=OSLO), now)
    assert decision.waiting[Class.CLIP].why == "budget_month"


def test_counters_outlive_a_restart_and_a_clock_that_goes_back_in_the_same_month():
    now = at("2026-01-15T12:10")
    spent = Spent(OSLO)
    spent.add(700, now)
    again = Spent(OSLO, spent.kept())
    again.add(1, now - 60_000_000)
    assert (again.of("hour"), again.of("day"), again.of("month")) == (701, 701, 701)
    again.add(1, at("2026-01-16T00:00"))
    assert (again.of("hour"), again.of("day"), again.of("month")) == (1, 1, 702)


def test_bulk_goes_in_its_windows_alone():
    policy = Policy(windows=(Window(DAILY, 23 * 60, 5 * 60),), timezone=OSLO)
    noon, night = at("2026-01-15T12:00"), at("2026-01-15T23:30")
    decision = decide([Class.CLIP, Class.BULK], Spent(OSLO), policy, noon)
    assert decision.allowed == (Class.CLIP,)
    assert decision.waiting[Class.BULK].until_us == at("2026-01-15T23:00")
    assert decide([Class.BULK], Spent(OSLO), policy, night).allowed == (Class.BULK,)
    assert decide([Class.BULK], Spent(OSLO), policy, at("2026-01-16T04:59")).allowed == (Class.BULK,)
    assert not decide([Class.BULK], Spent(OSLO), policy, at("2026-01-16T05:00")).allowed


def test_a_window_over_midnight_belongs_to_the_day_it_begins_on():
    friday = (Window(frozenset({4}), 22 * 60, 6 * 60),)
    assert opens_us(friday, OSLO, at("2026-01-17T05:00")) == at("2026-01-17T05:00"), "Saturday morning"
    assert opens_us(friday, OSLO, at("2026-01-16T05:00")) == at("2026-01-16T22:00"), "Friday morning"


def test_windows_keep_to_local_time_over_a_change_of_the_clock():
    nightly = (Window(DAILY, 4 * 60, 5 * 60),)
    assert opens_us(nightly, OSLO, at("2026-03-28T12:00")) == at("2026-03-29T04:00")
    assert at("2026-03-29T04:00") - at("2026-03-28T04:00") == 23 * 3_600_000_000


def test_a_day_of_25_hours_is_one_day():
    spent = Spent(OSLO)
    spent.add(1, at("2026-10-25T00:30"))
    assert spent.ends_us("day") == at("2026-10-26T00:00")
    assert spent.ends_us("day") - at("2026-10-25T00:00") == 25 * 3_600_000_000


def test_a_metered_link_carries_no_strips_and_no_bulk():
    decision = decide(EVERY, Spent("UTC"), Policy(metered=True), 0)
    assert decision.allowed == (Class.LEDGER, Class.PICTURE, Class.CLIP, Class.ASKED)
    assert decision.waiting[Class.BULK].why == "metered"


def test_a_rate_cap_holds_the_average_and_forgets_long_silence():
    bucket = Bucket(1000)
    bucket.spend(1000, 100_000_000)
    assert 100_700_000 <= bucket.free_us <= 101_000_000
    bucket.spend(500, 500_000_000)
    assert bucket.free_us == 500_000_000 - bucket.burst_us + 500_000
    decision = decide(EVERY, Spent("UTC"), Policy(rate_bytes_s=1000), 10, paid_us=50)
    assert decision.allowed == (Class.LEDGER,)
    assert decision.waiting[Class.PICTURE].until_us == 50


def test_without_a_cap_nothing_is_owed():
    bucket = Bucket()
    bucket.spend(1 << 40, 5)
    assert bucket.free_us == 0
