"""Every issue of health that people are told of has its words in every language."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from longwatch.base.messages import LANGUAGES
from longwatch.health import Issue, Snapshot
from longwatch.health.around import Around
from longwatch.model.said import in_words
from longwatch.model.watching import DetectionState, Doing
from longwatch.node.server.condition_words import TOLD, says
from longwatch.node.server.notifying import OF_ISSUES

TROUBLE = (Doing.NOT_INSTALLED, Doing.RESTING, Doing.FAILING, Doing.LOOKING)


def every() -> Iterator[tuple[Issue, Snapshot]]:
    for rule in sorted(OF_ISSUES):
        for doing in TROUBLE if rule == "detection" else TROUBLE[:1]:
            watching = (DetectionState("gate", doing, behind_us=90_000_000),)
            around = Around("off", 80, 1860)
            issue = Issue(
                rule, "gate", "what", "its own words", "", "gate" if rule == "detection" else None, blocks=False
            )
            yield issue, Snapshot(1, running=True, around=around, watching=watching)


def test_all_that_rules_can_name_can_be_said() -> None:
    assert set(OF_ISSUES) == TOLD


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_has_words(language: str) -> None:
    told = [in_words(says(issue, snapshot, "Main gate"), language) for issue, snapshot in every()]
    assert len(set(told)) == len(told)
    for text in told:
        assert "told." not in text
        assert text.endswith("."), text
    if language != "en":
        assert not {in_words(says(issue, snapshot, "Main gate")) for issue, snapshot in every()} & set(told)


def test_the_battery_is_said_as_far_as_it_is_known() -> None:
    issue = Issue("mains", "", "what", "", "", blocks=False)
    whole = says(issue, Snapshot(1, running=True, around=Around("off", 80, 1860)), "")
    assert (
        in_words(whole)
        == "The mains are off, and the post runs on its battery. 80 % are left. It lasts for about 31 minutes."
    )
    nothing = says(issue, Snapshot(1, running=True, around=Around("off")), "")
    assert in_words(nothing) == "The mains are off, and the post runs on its battery."
