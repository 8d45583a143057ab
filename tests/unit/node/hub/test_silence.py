"""What a hub reads from a post's last words and its plan, and what its recorder makes of what it is told."""

from __future__ import annotations

from typing import Any

import pytest

from longwatch.accounting.alarms import Seen, Subject
from longwatch.base.clock import ManualClock
from longwatch.base.errors import UsageError
from longwatch.ledger import entry_bytes, kinds
from longwatch.model.alarms import AlarmKind
from longwatch.model.silence import Known, PowerWindow, Stop, judge
from longwatch.node.hub.silence import message, said_stop, windows_of
from longwatch.node.last_words import last_words
from longwatch.node.recorder.posts import silent_posts

RIDGE = Subject(AlarmKind.POST_SILENT, "ridge")
TOLD: dict[str, Any] = {
    "silent": [{"post": "ridge", "name": "Ridge", "cause": "link", "since_us": 5, "evidence": {"mains": "on"}}], "well": ["valley"],
}  # fmt: skip


def entries(*said: tuple[str, dict[str, object]]) -> list[bytes]:
    return [entry_bytes(seq, 1_000 + seq, "b" * 32, kind, body) for seq, (kind, body) in enumerate(said)]


@pytest.mark.parametrize(
    ("said", "stop"),
    [
        ([(kinds.START, {})], Stop.NONE),
        ([(kinds.STOP_ASKED, {}), (kinds.SEGMENT_SEALED, {})], Stop.ASKED),
        ([(kinds.STOP, {"reason": "asked by a person"})], Stop.ASKED),
        ([(kinds.STOP, {"reason": "the host is shutting down"})], Stop.HOST),
        ([(kinds.STOP, {"reason": "no reason given"})], Stop.SIGNAL),
        ([(kinds.STOP, {"reason": "asked by a person"}), (kinds.START, {})], Stop.NONE),
        ([], Stop.NONE),
    ],
)
def test_last_words(said: list[tuple[str, dict[str, object]]], stop: Stop) -> None:
    assert last_words(entries(*said))[0] is stop


@pytest.mark.parametrize(
    ("said", "stop"),
    [({"why": "asked", "wall_us": 5}, Stop.ASKED), ({"why": "signal"}, Stop.SIGNAL), ({"why": ""}, Stop.NONE), ({"why": ["asked"]}, Stop.NONE),
     ("asked", Stop.NONE), (None, Stop.NONE)],
)  # fmt: skip
def test_what_a_post_said_as_it_went_stands_until_its_ledger_says_it(said: object, stop: Stop) -> None:
    assert said_stop({"stopping": said})[0] is stop


@pytest.mark.parametrize("at_us", [-1, 1 << 53, 10**19, "5", True, None])
def test_a_moment_that_cannot_be_is_not_told(at_us: object) -> None:
    assert said_stop({"stopping": {"why": "signal", "wall_us": at_us}}) == (Stop.SIGNAL, None)


def test_a_plan_that_cannot_be_read_is_none() -> None:
    window = {"days": [0, 6], "from": 480, "to": 1080}
    assert windows_of([window]) == (PowerWindow(frozenset({0, 6}), 480, 1080),)
    for wrong in (
        None,
        "x",
        [1],
        [{**window, "days": [7]}],
        [{**window, "from": -1}],
        [{**window, "to": True}],
        [window] * 65,
    ):
        assert windows_of(wrong) is None


def test_only_what_is_overdue_is_told_as_silent() -> None:
    known = Known(1_000, 0, 60_000_000)
    assert message({"ridge": judge(known, 2_000)}, {}, ["valley"], 2_000) == {
        "silent": [], "well": ["valley"], "resting": [], "unclear": ["ridge"],
    }  # fmt: skip
    late_us = 70_000_000
    told = message({"ridge": judge(known, late_us)}, {"ridge": "Ridge"}, [], late_us)
    assert [each["post"] for each in told["silent"]] == ["ridge"]


async def test_the_recorder_goes_by_what_was_told_lately_and_else_by_nothing() -> None:
    clock = ManualClock()
    posts = silent_posts(clock)
    assert posts.add(Seen(), [RIDGE]).unclear == {RIDGE}, "an alarm outlives a restart"
    await posts.told(TOLD)
    seen = posts.add(Seen(), [])
    assert [(trouble.subject, trouble.cause) for trouble in seen.troubles] == [(RIDGE, "link")]
    assert seen.troubles[0].evidence == {"mains": "on", "post": "ridge", "name": "Ridge"}
    assert seen.well == {Subject(AlarmKind.POST_SILENT, "valley")}
    clock.tick(61_000_000)
    assert posts.add(Seen(), [RIDGE]) == Seen(unclear=frozenset({RIDGE}))


@pytest.mark.parametrize(
    "wrong",
    [{}, {"silent": [1]}, {"silent": [], "well": [1]}, {"silent": [{**TOLD["silent"][0], "cause": "x"}]},
     {"silent": [{**TOLD["silent"][0], "post": "A B"}]}, {"silent": [{**TOLD["silent"][0], "since_us": -1}]}],
)  # fmt: skip
async def test_what_is_not_of_its_form_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        await silent_posts(ManualClock()).told(wrong)
