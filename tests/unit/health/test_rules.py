"""One rule a file; each finds its issue, and clears itself."""

from __future__ import annotations

from typing import Any

import pytest

from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError
from longwatch.health import RecorderStatus, Snapshot, examine, exposition, is_ready

NOW_US = 1_767_225_600_000_000


def stream(**changes: Any) -> dict[str, Any]:
    return {"camera": "gate", "stream": "main", "activity": "streaming", "recording": True, "planned": True, **changes}


def snapshot(**changes: Any) -> Snapshot:
    answer = {
        "streams": [stream()],
        "volumes": [{"path": "/a", "state": "ok"}],
        "accounted_until_us": NOW_US - 700_000,
        "health": [],
        **changes,
    }
    return Snapshot.read(NOW_US, answer)


def found(**changes: Any) -> list[tuple[str, str]]:
    return [(issue.rule, issue.subject) for issue in examine(snapshot(**changes))]


def test_a_post_that_records_as_planned_has_no_issue() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"streams": [stream(recording=False, cause="camera_unreachable")]}, [("streams", "gate/main")]),
        ({"streams": [stream(recording=False, planned=False)]}, []),
        ({"volumes": [{"path": "/a", "state": "full"}, {"path": "/b", "state": "ok"}]}, [("volumes", "/a")]),
        ({"accounted_until_us": NOW_US - 5_000_001}, [("durability", "")]),
        ({"accounted_until_us": NOW_US - 5_000_000}, []),
        ({"accounted_until_us": 0}, []),
        ({"health": [{"what": "the index failed", "why": "EIO"}]}, [("reported", "")]),
    ],
)
def test_each_rule(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert found(**changes) == expected


def test_a_dead_switch_is_a_remark_and_the_post_stays_ready() -> None:
    dead = {"what": "snmp hut does not answer", "why": "timed out", "weight": "remark"}
    (remark,) = issues = examine(snapshot(health=[dead]))
    assert (remark.rule, remark.what, remark.blocks) == ("remarked", "snmp hut does not answer: timed out", False)
    assert is_ready(issues)
    assert not is_ready(examine(snapshot(health=[dead, {"what": "the index failed"}])))
    assert not is_ready(examine(snapshot(health=[{"what": "snmp hut does not answer"}]))), "an older recorder's word"


def test_a_silent_recorder_is_one_issue_and_says_why() -> None:
    (issue,) = examine(Snapshot.silent(NOW_US, "nobody answers"))
    assert (issue.rule, issue.why) == ("recorder", "nobody answers")


def test_an_older_recorder_that_says_less_is_understood() -> None:
    read = Snapshot.read(NOW_US, {"streams": [{"camera": "gate", "stream": "main", "recording": True}]})
    assert read.streams[0].planned
    assert examine(read) == []


class Link:
    """Answers as told, and counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: dict[str, Any] | Exception = {"streams": []}

    async def request(self, kind: str, *, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_the_recorder_is_asked_at_most_twice_a_second() -> None:
    link, clock = Link(), ManualClock()
    status = RecorderStatus(link, clock)
    for _ in range(5):
        assert (await status.now()).running
    assert link.asked == 1
    clock.tick(500_000)
    await status.now()
    assert link.asked == 2


@pytest.mark.parametrize("answer", [LongwatchError("gone"), {"streams": [{}]}, {"streams": [3]}, {"volumes": 5}])
async def test_a_recorder_that_answers_nonsense_is_a_snapshot_that_says_so(answer: Any) -> None:
    link = Link()
    link.answer = answer
    now = await RecorderStatus(link, ManualClock()).now()
    assert not now.running
    assert now.why_not


def test_metrics_of_a_silent_recorder_say_that_it_is_down() -> None:
    silent = Snapshot.silent(NOW_US, "gone")
    lines = exposition(silent, examine(silent), [], [], []).decode().splitlines()
    assert "longwatch_recorder_up 0.0" in lines
    assert "longwatch_ready 0.0" in lines
