"""A camera whose thermal stills do not come is a remark, while its video does; and no more once they come."""

from __future__ import annotations

from dataclasses import replace

from longwatch.health import Snapshot, examine, is_ready
from longwatch.model.heat import StillTrouble

NOW_US = 1_767_225_600_000_000
TROUBLE = (StillTrouble("oven", "none comes"),)


def snapshot(*, recording: bool) -> Snapshot:
    main = {"camera": "oven", "stream": "main", "activity": "streaming", "recording": recording, "planned": recording}
    answer = {"streams": [main], "volumes": [{"path": "/a", "state": "ok"}], "accounted_until_us": NOW_US, "health": []}
    return Snapshot.read(NOW_US, answer)


def test_it_is_a_remark_that_clears_itself() -> None:
    (remark,) = issues = examine(replace(snapshot(recording=True), stills=TROUBLE))
    assert (remark.rule, remark.subject, remark.why, remark.blocks) == ("thermal_stills", "oven", "none comes", False)
    assert is_ready(issues)
    assert examine(snapshot(recording=True)) == []


def test_without_video_none_is_asked_for() -> None:
    assert [each.rule for each in examine(replace(snapshot(recording=False), stills=TROUBLE))] == []


def test_whoever_may_not_see_the_camera_is_not_told() -> None:
    whole = replace(snapshot(recording=True), stills=TROUBLE)
    assert whole.only(frozenset({"oven"})).stills == TROUBLE
    assert whole.only(frozenset({"gate"})).stills == ()
