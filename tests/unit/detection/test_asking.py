"""How many crops are asked about: a rate over all cameras, shared, and what was left out."""

from __future__ import annotations

from longwatch.detection.asking import MOST_A_JOB, Asks
from longwatch.detection.scheduling import Level
from longwatch.node.watch.watcher_objects import REST_US, ModelKept

S = 1_000_000


def test_no_more_are_granted_than_the_rate_allows_and_what_is_not_used_comes_back():
    asks = Asks(2.0, 0)
    asked = 0
    for now_us in range(0, 60 * S, S // 5):
        granted = asks.grant("gate", now_us)
        assert granted <= MOST_A_JOB
        used = min(granted, 1)
        asks.used("gate", granted, used, 0, now_us)
        asked += used
    assert 120 <= asked <= 125


def test_a_camera_on_which_everything_moves_takes_no_more_than_its_share():
    asks = Asks(2.0, 0)
    asked = {"trees": 0, "gate": 0}
    for now_us in range(0, 120 * S, S // 5):
        for camera, wants in (("trees", 4), ("gate", 1)):
            granted = asks.grant(camera, now_us)
            used = min(granted, wants)
            asked[camera] += used
            asks.used(camera, granted, used, wants - used, now_us)
    assert asked["gate"] > 0.4 * sum(asked.values())
    assert 235 <= sum(asked.values()) <= 245


def ready(now_us: int = 0) -> ModelKept:
    kept = ModelKept(now_us)
    assert kept.use("/models/a", "1", 2.0, now_us)
    kept.came(
        {"doing": "ready", "name": "a", "version": "1", "licence": "x", "finds": ["person"], "ask_us": 900, "why": ""}
    )
    return kept


def test_motion_goes_first():
    kept = ready()
    assert kept.grant("gate", True, Level.ALL, 0, 0) > 0
    assert kept.grant("gate", True, Level.FEWER, 0, 0) == 0
    assert kept.grant("gate", True, Level.ALL, 7 * S, 0) == 0
    assert kept.grant("gate", False, Level.ALL, 0, 0) == 0, "it wants no objects"


def test_a_model_that_ends_children_rests_for_longer_each_time_and_is_not_opened_meanwhile_if_that_was_it():
    kept = ready()
    kept.ended(10 * S, asked=True)
    assert kept.for_children == "/models/a", "it can be opened; it is only not asked"
    assert kept.grant("gate", True, Level.ALL, 0, 10 * S) == 0
    assert kept.state(11 * S)["doing"] == "resting"
    assert kept.grant("gate", True, Level.ALL, 0, 10 * S + REST_US[0]) > 0
    kept.ended(16 * S, asked=False)
    assert kept.for_children == ""
    assert not kept.over(16 * S + REST_US[0])
    assert kept.over(16 * S + REST_US[1])
    assert kept.for_children == "/models/a"
    assert kept.state(16 * S + REST_US[1]) | {"why": ""} == {
        "doing": "ready", "why": "", "name": "a", "version": "1", "licence": "x", "finds": ["person"], "ask_us": 900, "deaths": 2,
    }  # fmt: skip
    for n in range(5):
        kept.ended((100 + n) * S, asked=True)
    assert kept.grant("gate", True, Level.ALL, 0, 104 * S + REST_US[-1] - 1) == 0


def test_another_model_begins_with_a_clean_slate_and_the_same_is_none():
    kept = ready()
    assert not kept.use("/models/a", "1", 5.0, S)
    kept.ended(S, asked=False)
    assert kept.use("/models/a", "2", 2.0, 2 * S), "the manifest in the folder is another one"
    assert kept.for_children == "/models/a"
    assert kept.state(2 * S)["doing"] == "opening"
    assert kept.use("", "", 2.0, 3 * S)
    assert kept.state(3 * S)["doing"] == "none"


def test_what_a_child_says_of_its_asking_is_believed_no_further_than_it_can_be():
    kept = ready()
    assert kept.used("gate", 2, {"asked": 99, "passed": 3}, 0) == (2, 3)
    assert kept.used("gate", 2, {"asked": "x", "passed": -5}, 0) == (2, 0)
    assert kept.used("gate", 0, {}, 0) == (0, 0)
