"""What entries tell, folded: and what one that somebody made up cannot do."""

from __future__ import annotations

from typing import Any

import pytest

from longwatch.ledger import kinds
from longwatch.ledger.entries import LedgerEntry
from longwatch.ledger.story import Place, Story
from longwatch.model.sessions import StreamKey

GATE = StreamKey("gate", "main")
BOOT = "ab" * 16


def told(*entries: tuple[str, dict[str, Any]]) -> Story:
    story = Story()
    story.add_all(LedgerEntry(n, kind, BOOT, 1000 + n, body) for n, (kind, body) in enumerate(entries))
    return story


def seal(run: int, sequence: int, at: int = 0) -> tuple[str, dict[str, Any]]:
    body = kinds.sealed(GATE, BOOT, run, sequence, bytes(32), 3, 900, at, at + 60, "ntp", closing=bytes(32))
    return kinds.SEGMENT_SEALED, body


def removed(run: int, *sequences: list[int]) -> tuple[str, dict[str, Any]]:
    told_run = {
        "boot": BOOT, "run": run, "camera": "gate", "stream": "main", "why": "max_age", "sequences": list(sequences),
        "from_us": 0, "to_us": 120,
    }  # fmt: skip
    return kinds.SEGMENTS_REMOVED, {"runs": [told_run]}


def opened(gap: int, at: int) -> tuple[str, dict[str, Any]]:
    return kinds.GAP_OPENED, kinds.gap_opened(GATE, gap, at, "unknown", {})


def closed(gap: int, at: int, *, never_was: bool = False) -> tuple[str, dict[str, Any]]:
    return kinds.GAP_CLOSED, kinds.gap_closed(gap, at, never_was=never_was)


def test_seals_and_what_was_removed_of_them() -> None:
    story = told(seal(1, 0), seal(1, 1), seal(1, 2), removed(1, [0, 1]))
    assert set(story.seals) == {(BOOT, 1, 0), (BOOT, 1, 1), (BOOT, 1, 2)}
    assert [story.removal(BOOT, 1, n) is not None for n in range(3)] == [True, True, False]
    assert story.latest == {("gate", "main"): (1, 2)}


def test_a_segment_that_was_put_back_is_sealed_anew_and_its_neighbours_stay_gone() -> None:
    story = told(seal(1, 0), seal(1, 1), seal(1, 2), removed(1, [0, 2]), seal(1, 1))
    assert [story.removal(BOOT, 1, n) is not None for n in range(3)] == [True, False, True]


def test_a_removal_that_speaks_of_another_streams_run_removes_nothing() -> None:
    kind, body = removed(1, [0, 1])
    body["runs"][0]["camera"] = "road"
    assert told(seal(1, 0), (kind, body)).removal(BOOT, 1, 0) is None


def test_gaps_as_they_are_told_last() -> None:
    story = told(
        opened(1, 10), (kinds.GAP_REFINED, kinds.gap_refined(1, "camera_unreachable", {"n": 1})), closed(1, 30),
        opened(2, 40), closed(2, 40, never_was=True), opened(3, 50), closed(1, 35), closed(3, 60), closed(3, 0, never_was=True),
    )  # fmt: skip
    (gap,) = story.gaps.values()
    assert (gap.from_us, gap.to_us, gap.cause, gap.evidence) == (10, 35, "camera_unreachable", {"n": 1})


def test_corrections_of_time_add_up() -> None:
    def by(shift: int) -> tuple[str, dict[str, Any]]:
        run = {"boot": BOOT, "run": 1, "camera": "gate", "stream": "main", "shift_us": shift, "provenance": "rtc"}
        return kinds.TIME_CORRECTED, {"by": "operator", "runs": [{**run, "from_us": 0, "to_us": 1}]}

    story = told(seal(1, 0, at=500), by(100), by(-30))
    assert (story.shift_us(BOOT, 1), story.shift_us(BOOT, 2)) == (70, 0)
    assert story.place_of(story.seals[BOOT, 1, 0]) == Place("gate", "main", 570, 630)
    assert story.provenances[BOOT, 1] == "rtc"
    assert story.clock_set


def test_between_which_seals_entries_may_be_lost() -> None:
    story = told(seal(1, 0), seal(1, 1), (kinds.INDEX_REBUILT, {"segments": 4}), seal(3, 2))
    story.lost_at(2)
    assert not story.is_lost("gate", "main", 1, 1)
    assert story.is_lost("gate", "main", 1, 2)
    assert story.is_lost("gate", "main", 3, 1)
    assert not story.is_lost("gate", "main", 3, 2)
    assert story.is_lost("road", "main", 9, 9), "of which nothing was sealed at all"
    assert not Story().is_lost("gate", "main", 1, 1)


def test_which_seconds_an_entry_is_about() -> None:
    story = told(opened(1, 10), closed(1, 30))
    sealed = LedgerEntry(9, *seal(1, 0, at=5)[:1], BOOT, 0, seal(1, 0, at=5)[1])
    assert story.places(sealed) == [Place("gate", "main", 5, 65)]
    assert story.places(LedgerEntry(9, kinds.GAP_REFINED, BOOT, 0, {"gap": 1})) == [Place("gate", "main", 10, 30)]
    assert story.places(LedgerEntry(9, kinds.SEGMENTS_REMOVED, BOOT, 0, removed(1, [0, 1])[1])) == [
        Place("gate", "main", 0, 120)
    ]
    viewing = LedgerEntry(9, kinds.VIEWING, BOOT, 0, {"camera": "gate", "at_us": 7})
    assert story.places(viewing) == [Place("gate", "", 7, 8)]
    assert story.places(LedgerEntry(9, kinds.STOP, BOOT, 0, {})) == [Place()]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (kinds.SEGMENT_SEALED, {}), (kinds.SEGMENT_SEALED, {**seal(1, 0)[1], "root": "ff"}), (kinds.GAP_CLOSED, {"gap": 7}),
        (kinds.SEGMENT_SEALED, {**seal(1, 0)[1], "run": "1"}), (kinds.GAP_OPENED, {"gap": []}),
        (kinds.SEGMENTS_REMOVED, {"runs": [1]}), (kinds.SEGMENTS_REMOVED, {"runs": 5}), (kinds.TIME_CORRECTED, {}),
        (kinds.LOG_BEGUN, {"origin": "a", "key": "b", "previous": "c"}), (kinds.VIEWING, {"person": 5}),
        (kinds.PERSONAL_ERASED, {"seqs": [[1]]}), (kinds.LOG_BEGUN, {"origin": "a", "key": "b", "previous": {"size": 1}}),
    ],
)  # fmt: skip
def test_an_entry_that_does_not_say_what_its_kind_says_is_noted_and_changes_nothing(
    kind: str, body: dict[str, Any]
) -> None:
    story = told(seal(1, 0), (kind, body))
    assert story.malformed == [1]
    assert len(story.seals) == 1
    assert story.places(LedgerEntry(1, kind, BOOT, 0, body))
