"""Releases and roll-outs as a hub keeps them, on either database."""

from __future__ import annotations

import pytest
from tests.support.fleet_case import NOW_US, Hub

from longwatch.base.errors import UsageError
from longwatch.fleet.releases import Releases

ONE, TWO = b"\x01" * 32, b"\x02" * 32
MANIFEST = {"version": "1.1.0", "files": [{"name": "longwatch-1.1.0-py3-none-any.whl"}], "requires": ["é"]}


@pytest.fixture
def rows(hub: Hub) -> Releases:
    made = Releases(hub.db, lambda: NOW_US)
    made.add(ONE, "1.1.0", 5, MANIFEST, ["a", "b"], "anna")
    return made


def test_the_same_release_twice_is_one(rows: Releases) -> None:
    again = rows.add(ONE, "9.9.9", 6, {}, [], "bela")
    assert again == rows.one(ONE)
    assert rows.listed() == [again]
    assert (again.version, again.size, again.manifest, again.signers, again.by) == (
        "1.1.0",
        5,
        MANIFEST,
        ("a", "b"),
        "anna",
    )
    assert rows.one(TWO) is None


def test_a_release_stays_while_it_is_rolled_out(rows: Releases) -> None:
    made = rows.roll(ONE, "1.1.0", 1, "anna", "because", ["east", "north"])
    with pytest.raises(UsageError, match="roll-out"):
        rows.remove(ONE)
    assert rows.ended(made.id, "done") is not None
    rows.remove(ONE)
    assert rows.listed() == []
    assert rows.rollout(made.id) is not None, "what was, stays"


def test_a_post_is_in_one_roll_out_at_a_time(rows: Releases) -> None:
    first = rows.roll(ONE, "1.1.0", 1, "anna", "because", ["east", "north"])
    rows.add(TWO, "1.2.0", 5, MANIFEST, [], "anna")
    with pytest.raises(UsageError, match="north"):
        rows.roll(TWO, "1.2.0", 1, "anna", "because", ["north", "west"])
    second = rows.roll(TWO, "1.2.0", 1, "anna", "because", ["west"])
    assert [row.id for row in rows.rollouts()] == [first.id, second.id]
    rows.ended(first.id, "stopping", "a post went back")
    with pytest.raises(UsageError, match="east"):
        rows.roll(TWO, "1.2.0", 1, "anna", "because", ["east"])
    rows.ended(first.id, "stopped", "a post went back")
    assert rows.roll(TWO, "1.2.0", 1, "anna", "because", ["east"]).posts == (("east", None),)


def test_who_was_told_is_kept_in_order(rows: Releases) -> None:
    made = rows.roll(ONE, "1.1.0", 1, "anna", "because", ["east", "north", "west"])
    rows.told(made.id, "north", 7)
    rows.told(made.id, "east", 8)
    found = rows.rollout(made.id)
    assert found is not None
    assert found.posts == (("east", 8), ("north", 7), ("west", None))


def test_what_is_over_stays_over(rows: Releases) -> None:
    made = rows.roll(ONE, "1.1.0", 1, "anna", "because", ["east"])
    rows.ended(made.id, "stopped", "by hand")
    found = rows.ended(made.id, "done")
    assert found is not None
    assert (found.state, found.why) == ("stopped", "by hand")
    assert rows.ended(made.id + 1, "done") is None
    with pytest.raises(UsageError):
        rows.ended(made.id, "lost")


def test_of_roll_outs_that_are_over_the_newest_are_kept(rows: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longwatch.fleet.releases._KEPT", 3)
    numbers = []
    for _ in range(6):
        made = rows.roll(ONE, "1.1.0", 1, "anna", "because", ["east"])
        numbers.append(made.id)
        rows.ended(made.id, "done")
    running = rows.roll(ONE, "1.1.0", 1, "anna", "because", ["east"])
    kept = [row.id for row in rows.rollouts(everything=True)]
    assert kept == [running.id, *reversed(numbers[-3:])]
