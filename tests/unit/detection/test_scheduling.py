"""Who is looked at next, and how closely."""

from __future__ import annotations

from collections import Counter

from longwatch.detection.scheduling import Allowance, Level, Scheduler


def test_cameras_that_always_have_work_share_the_time_whatever_a_job_costs():
    scheduler, now_us = Scheduler(Allowance(cores=1.0), 0), 0
    costs = {"cheap": 1_000, "dear": 10_000, "middle": 3_000}
    spent: Counter[str] = Counter()
    for _ in range(20_000):
        camera = scheduler.next(costs, now_us)
        if camera is None:
            now_us += scheduler.wait_us(now_us)
            continue
        scheduler.spent(camera, costs[camera])
        spent[camera] += costs[camera]
    assert max(spent.values()) - min(spent.values()) <= 20_000


def test_all_together_they_never_use_more_than_is_allowed():
    scheduler, now_us, spent_us = Scheduler(Allowance(cores=0.1), 0), 0, 0
    for _ in range(5_000):
        camera = scheduler.next(["a", "b"], now_us)
        if camera is None:
            wait_us = scheduler.wait_us(now_us)
            assert wait_us > 0
            now_us += wait_us
            continue
        scheduler.spent(camera, 5_000)
        spent_us += 5_000
        now_us += 1_000
    assert spent_us <= 0.1 * now_us + 200_000
    assert spent_us >= 0.08 * now_us


def test_who_was_quiet_goes_first_and_saves_nothing_up():
    scheduler = Scheduler(Allowance(cores=10), 0)
    scheduler.spent("quiet", 1_000)
    for now_us in range(0, 10_000_000, 10_000):
        assert scheduler.next(["busy"], now_us) == "busy"
        scheduler.spent("busy", 10_000)
    assert scheduler.next(["busy", "quiet"], 10_000_000) == "quiet"
    turns = Counter()
    for _ in range(100):
        camera = scheduler.next(["busy", "quiet"], 100_000_000)
        assert camera is not None
        turns[camera] += 1
        scheduler.spent(camera, 10_000)
    assert turns["busy"] >= 45, "a night without work is no claim to a minute of all cores"


def behind(scheduler: Scheduler, camera: str, from_s: float, to_s: float, behind_us: int) -> Level:
    level = scheduler.level(camera)
    for half in range(int(2 * from_s), int(2 * to_s)):
        level = scheduler.behind(camera, behind_us, half * 500_000)
    return level


def test_one_that_falls_behind_is_looked_at_less_closely_step_by_step_and_the_others_are_not():
    scheduler = Scheduler(Allowance(), 0)
    assert behind(scheduler, "a", 10, 13, 5_000_000) is Level.KEYS
    assert behind(scheduler, "a", 13, 20, 5_000_000) is Level.TURNS
    assert scheduler.level("b") is Level.ALL
    assert behind(scheduler, "b", 10, 20, 100_000) is Level.ALL


def test_it_is_looked_at_more_closely_again_later_each_time_that_fails():
    scheduler = Scheduler(Allowance(), 0)
    assert behind(scheduler, "a", 10, 11, 5_000_000) is Level.FEWER
    assert behind(scheduler, "a", 11, 26, 0) is Level.FEWER
    assert behind(scheduler, "a", 26, 27, 0) is Level.ALL
    assert behind(scheduler, "a", 30, 31, 5_000_000) is Level.FEWER, "it was too much"
    assert behind(scheduler, "a", 31, 55, 0) is Level.FEWER, "twice as long as before"
    assert behind(scheduler, "a", 55, 63, 0) is Level.ALL


def test_what_is_forgotten_begins_anew():
    scheduler = Scheduler(Allowance(), 0)
    behind(scheduler, "a", 10, 20, 5_000_000)
    scheduler.forget("a")
    assert scheduler.level("a") is Level.ALL
