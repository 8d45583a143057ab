"""A post's ledger at a hub: only what its own heads cover, each an extension of the one before; what does not fit is kept and not shown."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest
from tests.support.fleet_case import RIDGE, Hub, Ledger
from tests.support.recording import KEY

from longwatch.base.errors import LongwatchError
from longwatch.base.rfc3339 import format_us
from longwatch.fleet import Doubt
from longwatch.ledger import kinds
from longwatch.model.uplink import Held, Refused

T0 = 1_767_225_600_000_000
MINUTE = 60_000_000


def seal(sequence: int, from_us: int, to_us: int) -> dict[str, Any]:
    return kinds.sealed(
        KEY, "b" * 32, 1, sequence, bytes(32), 60, 1000, from_us, to_us, "ntp", closing=bytes([sequence]) * 32
    )


def minutes(log: Ledger, first: int, count: int) -> None:
    """So many sealed segments, one a minute."""
    for n in range(first, first + count):
        log.add(kinds.SEGMENT_SEALED, seal(n, T0 + n * MINUTE, T0 + (n + 1) * MINUTE), wall_us=T0 + (n + 1) * MINUTE)


@pytest.fixture
def log(hub: Hub) -> Ledger:
    made = Ledger()
    made.enrol(hub.fleet)
    made.add(kinds.LOG_BEGUN, {"origin": made.origin, "key": "", "previous": None, "why": "the first start"}, T0)
    made.add(kinds.STREAM_SET_UP, {"camera": "gate", "stream": "main", "at_us": T0}, T0)
    minutes(made, 0, 5)
    return made


def states(hub: Hub) -> list[tuple[str, int]]:
    """What is shown of the first hour: state and minutes."""
    return [(str(t.state), (t.to_us - t.from_us) // MINUTE) for t in hub.tiles(KEY, T0, T0 + 60 * MINUTE)]


def doubts(hub: Hub) -> list[Doubt]:
    return [each.doubt for each in hub.fleet.evidence()]


def test_entries_are_shown_once_a_signed_head_covers_them(hub: Hub, log: Ledger) -> None:
    assert hub.fleet.take_entries(RIDGE, 1, 0, log.entries) == 7
    assert hub.index.cameras() == [], "nobody signed for these yet"
    held = hub.fleet.take_head(RIDGE, 1, log.note(), log.public)
    assert held == Held(RIDGE, 1, 7, f"{log.note()}\u2014 hub 7\n")
    assert hub.index.cameras() == [("ridge.gate", "main", T0)]
    assert states(hub) == [("recorded", 5), ("pending", 55)]
    assert {str(t.held) for t in hub.tiles(KEY, T0)} == {"post"}
    assert hub.fleet.log_rows(RIDGE)[0].verified == 7


def test_a_head_covers_only_what_it_speaks_of(hub: Hub, log: Ledger) -> None:
    hub.fleet.take_entries(RIDGE, 1, 0, log.entries)
    assert isinstance(hub.fleet.take_head(RIDGE, 1, log.note(4), log.public), Held)
    assert states(hub)[0] == ("recorded", 2)
    assert hub.fleet.cursor(RIDGE, 1) == 7
    assert hub.fleet.entries(RIDGE, 1, 0, 100) == log.entries[:4], "no further than is verified"
    assert isinstance(hub.fleet.take_head(RIDGE, 1, log.note(), log.public), Held)
    assert states(hub)[0] == ("recorded", 5)


def test_what_comes_twice_is_taken_once_and_a_hole_is_not_taken(hub: Hub, log: Ledger) -> None:
    take = hub.fleet.take_entries
    assert take(RIDGE, 1, 3, log.entries[3:]) == 0
    assert take(RIDGE, 1, 0, log.entries[:3]) == 3
    assert take(RIDGE, 1, 0, log.entries[:3]) == 3
    assert take(RIDGE, 1, 1, log.entries[1:5]) == 5
    assert take(RIDGE, 1, 5, []) == 5
    assert take(RIDGE, 1, 4, log.entries[3:4]) == 5, "an entry that does not carry its number"
    assert take(RIDGE, 1, 5, [b"{}"]) == 5
    assert log.tell(hub.fleet) == log.tell(hub.fleet)
    assert states(hub)[0] == ("recorded", 5)
    assert doubts(hub) == []


def test_a_head_of_entries_that_are_not_here_waits_for_them(hub: Hub, log: Ledger) -> None:
    answer = hub.fleet.take_head(RIDGE, 1, log.note(), log.public)
    assert isinstance(answer, Refused)
    assert (answer.what, answer.later) == (Doubt.HOLE, True)
    assert doubts(hub) == []


def forked(log: Ledger) -> Ledger:
    """Another history from entry 4 on, by the same key."""
    other = dataclasses.replace(log, entries=log.entries[:4])
    minutes(other, 10, 5)
    return other


@pytest.mark.slow
def test_a_fork_is_caught_kept_and_not_shown(hub: Hub, log: Ledger) -> None:
    log.tell(hub.fleet)
    before = states(hub)
    other = forked(log)
    assert hub.fleet.take_entries(RIDGE, 1, 0, other.entries) == 7, "what was signed stands"
    answer = hub.fleet.take_head(RIDGE, 1, other.note(7), other.public)
    assert isinstance(answer, Refused)
    assert answer.what == Doubt.FORKED
    assert states(hub) == before
    kept = hub.fleet.evidence()
    assert {each.doubt for each in kept} == {Doubt.FORKED}
    assert other.note(7) in {each.note for each in kept}, "both halves of the proof are here: two heads, one key"
    assert other.entries[4] in {each.entry for each in kept}
    assert hub.fleet.log_rows(RIDGE)[0].note == log.note()


def test_a_fork_that_grew_past_the_true_history_is_caught(hub: Hub, log: Ledger) -> None:
    log.tell(hub.fleet)
    other = forked(log)
    minutes(other, 20, 5)
    hub.fleet.take_entries(RIDGE, 1, 7, other.entries[7:])  # the numbers follow on, the history does not
    answer = hub.fleet.take_head(RIDGE, 1, other.note(), other.public)
    assert isinstance(answer, Refused)
    assert answer.what == Doubt.FORKED
    assert hub.fleet.cursor(RIDGE, 1) == 7, "what no head fits is wanted anew"
    assert states(hub)[0] == ("recorded", 5)
    minutes(log, 5, 2)
    assert isinstance(log.tell(hub.fleet), Held), "the true history goes on"
    assert states(hub)[0] == ("recorded", 7)


def test_the_same_evidence_is_kept_once(hub: Hub, log: Ledger) -> None:
    log.tell(hub.fleet)
    other = forked(log)
    for _ in range(3):
        hub.fleet.take_head(RIDGE, 1, other.note(7), other.public)
    assert len(hub.fleet.evidence(untold=True)) == 1
    hub.fleet.evidence_told(hub.fleet.evidence()[0].id)
    assert hub.fleet.evidence(untold=True) == []


def test_a_post_restored_from_a_backup_is_told_from_a_fork(hub: Hub, log: Ledger) -> None:
    log.tell(hub.fleet)
    answer = hub.fleet.take_head(RIDGE, 1, log.note(4), log.public)
    assert isinstance(answer, Refused)
    assert answer.what == Doubt.ROLLED_BACK
    assert doubts(hub) == [Doubt.ROLLED_BACK]
    assert states(hub)[0] == ("recorded", 5), "what it signed once stands"


def test_an_old_head_that_was_carried_is_held_and_nobody_doubted(hub: Hub, log: Ledger) -> None:
    log.tell(hub.fleet)
    answer = hub.fleet.take_carried(RIDGE, 1, 0, lambda: log.entries[:4], log.note(4), log.public)
    assert isinstance(answer, Held)
    assert answer.size == len(log.entries)
    minutes(log, 5, 2)
    newer = hub.fleet.take_carried(RIDGE, 1, 2, lambda: log.entries[2:], log.note(), log.public)
    assert isinstance(newer, Held)
    assert newer.size == len(log.entries)
    assert doubts(hub) == []
    assert states(hub)[0] == ("recorded", 7)


def test_a_head_by_another_key_or_of_another_log_is_not_its_own(hub: Hub, log: Ledger) -> None:
    hub.fleet.take_entries(RIDGE, 1, 0, log.entries)
    thief = Ledger(entries=log.entries)
    answers = [
        hub.fleet.take_head(RIDGE, 1, thief.note(), thief.public),
        hub.fleet.take_head(RIDGE, 1, thief.note(), log.public),
        hub.fleet.take_head(RIDGE, 1, dataclasses.replace(log, post="valley").note(), log.public),
        hub.fleet.take_head(RIDGE, 1, dataclasses.replace(log, number=2).note(), log.public),
        hub.fleet.take_head(RIDGE, 1, "nothing", log.public),
    ]
    assert [a.what for a in answers if isinstance(a, Refused)] == [
        Doubt.NOT_ITS_OWN, Doubt.UNREADABLE, Doubt.NOT_ITS_OWN, Doubt.NOT_ITS_OWN, Doubt.UNREADABLE,
    ]  # fmt: skip
    assert hub.index.cameras() == []


def test_a_new_log_contains_all_of_the_old_and_its_new_key_is_noted(hub: Hub, log: Ledger) -> None:
    log.tell(hub.fleet)
    second = Ledger(number=2, entries=list(log.entries))
    second.add(kinds.LOG_BEGUN, {"origin": second.origin, "key": "", "previous": None, "why": "the key was lost"}, T0)
    minutes(second, 5, 2)
    assert hub.fleet.cursor(RIDGE, 2) == 7, "what is verified of the log before is not sent again"
    assert isinstance(second.tell(hub.fleet), Held)
    assert doubts(hub) == [Doubt.KEY_CHANGED]
    assert states(hub)[0] == ("recorded", 7)
    assert [(row.number, row.verified) for row in hub.fleet.log_rows(RIDGE)] == [(1, 7), (2, 10)]
    assert hub.fleet.entries(RIDGE, 2, 0, 100) == second.entries
    minutes(second, 7, 1)
    assert isinstance(second.tell(hub.fleet), Held)
    assert doubts(hub) == [Doubt.KEY_CHANGED]


def test_a_new_log_that_leaves_out_what_was_signed_is_a_fork(hub: Hub, log: Ledger) -> None:
    log.tell(hub.fleet)
    second = Ledger(number=2, entries=log.entries[:3], key=log.key)
    minutes(second, 30, 8)
    hub.fleet.take_entries(RIDGE, 2, 0, second.entries)
    answer = hub.fleet.take_head(RIDGE, 2, second.note(), second.public)
    assert isinstance(answer, Refused)
    assert answer.what in {Doubt.FORKED, Doubt.HOLE}
    assert doubts(hub)[:1] == [Doubt.FORKED]
    assert states(hub)[0] == ("recorded", 5)


def test_a_post_with_a_new_data_folder_is_enrolled_anew_and_its_old_story_stays(hub: Hub, log: Ledger) -> None:
    log.add(kinds.GAP_OPENED, kinds.gap_opened(KEY, 1, T0 + 5 * MINUTE, "unknown", {}), T0 + 5 * MINUTE)
    log.tell(hub.fleet)
    fresh = Ledger(folder="ffff0000")
    fresh.enrol(hub.fleet)
    assert hub.fleet.cursor(RIDGE, 1) == 0
    fresh.add(kinds.STREAM_SET_UP, {"camera": "gate", "stream": "main", "at_us": T0}, T0)
    for n in range(20, 22):
        body = {**seal(n, T0 + n * MINUTE, T0 + (n + 1) * MINUTE), "boot": "c" * 32}
        fresh.add(kinds.SEGMENT_SEALED, body, T0 + (n + 1) * MINUTE)
    assert isinstance(fresh.tell(hub.fleet), Held)
    assert states(hub) == [("recorded", 5), ("gap", 15), ("recorded", 2), ("pending", 38)]


def test_a_revoked_post_gets_nothing_more(hub: Hub, log: Ledger) -> None:
    log.tell(hub.fleet, 4)
    hub.fleet.revoke(RIDGE, "stolen")
    hub.fleet.take_entries(RIDGE, 1, 4, log.entries[4:])
    answer = hub.fleet.take_head(RIDGE, 1, log.note(), log.public)
    assert isinstance(answer, Refused)
    assert answer.what == Doubt.REVOKED
    assert states(hub)[0] == ("recorded", 2)
    with pytest.raises(LongwatchError, match="not enrolled"):
        hub.fleet.cursor("valley", 1)


def test_posts_are_kept_apart(hub: Hub, log: Ledger) -> None:
    valley = Ledger(post="valley")
    valley.enrol(hub.fleet)
    valley.add(kinds.STREAM_SET_UP, {"camera": "gate", "stream": "main", "at_us": T0}, T0)
    minutes(valley, 0, 2)
    valley.tell(hub.fleet)
    log.tell(hub.fleet)
    assert [row[0] for row in hub.index.cameras()] == ["ridge.gate", "valley.gate"]
    assert [(t.to_us - t.from_us) // MINUTE for t in hub.tiles(KEY, T0, post="valley")] == [2]
    assert [(t.to_us - t.from_us) // MINUTE for t in hub.tiles(KEY, T0)] == [5]


def test_all_of_it_is_there_after_a_restart(hub: Hub, log: Ledger) -> None:
    log.tell(hub.fleet, 5)
    again = hub.again()
    try:
        assert again.fleet.cursor(RIDGE, 1) == 5
        assert isinstance(log.tell(again.fleet), Held)
        assert states(again)[0] == ("recorded", 5)
    finally:
        again.close()


def test_a_malformed_entry_spoils_nothing_but_itself(hub: Hub, log: Ledger) -> None:
    for kind in sorted({kinds.SEGMENT_SEALED, kinds.GAP_OPENED, kinds.GAP_CLOSED, kinds.TIME_CORRECTED, kinds.SEGMENTS_REMOVED,
                 kinds.ALARM_RAISED, kinds.HOLD_PLACED, kinds.PAUSED, kinds.SETTINGS}):  # fmt: skip
        log.add(kind, {"camera": 7, "runs": [{"sequences": [[0, 1 << 50]]}], "gap": 99, "person": {"subject": "x"}}, T0)
        log.add(
            kind, {"camera": "a\x00b", "stream": "main", "changes": {}, "from_us": 1, "gap": 5, "cause": "nonsense"}, T0
        )
    minutes(log, 5, 1)
    assert isinstance(log.tell(hub.fleet), Held)
    assert states(hub)[0] == ("recorded", 6)


def test_an_entry_that_names_millions_of_segments_costs_no_more_than_those_there_are(hub: Hub, log: Ledger) -> None:
    told = {
        "boot": "b" * 32, "run": 1, "camera": KEY.camera, "stream": KEY.stream, "why": "max_age",
        "sequences": [[2, 3], [100, (1 << 24) - 1]] * 50, "segments": 2, "bytes": 1, "from_us": T0, "to_us": T0 + 5 * MINUTE,
        "unconfirmed": 0,
    }  # fmt: skip
    log.add(kinds.SEGMENTS_REMOVED, {"runs": [told]}, T0)
    began = time.process_time()
    assert isinstance(log.tell(hub.fleet), Held)
    assert time.process_time() - began < 20, "50 times 16 million steps would take minutes"
    here = [str(t.held) for t in hub.tiles(KEY, T0, T0 + 5 * MINUTE)]
    assert "gone" in here
    assert "post" in here


def test_what_the_post_discarded_without_an_event_is_a_gap_that_says_so(hub: Hub, log: Ledger) -> None:
    told = {
        "boot": "b" * 32, "run": 1, "camera": KEY.camera, "stream": KEY.stream, "why": "no_event", "sequences": [[1, 2]], "segments": 2,
        "bytes": 1, "from_us": T0 + MINUTE, "to_us": T0 + 3 * MINUTE, "unconfirmed": 0,
    }  # fmt: skip
    log.add(kinds.SEGMENTS_REMOVED, {"runs": [told]}, T0)
    assert isinstance(log.tell(hub.fleet), Held)
    assert states(hub) == [("recorded", 1), ("gap", 2), ("recorded", 2), ("pending", 55)]
    gaps = hub.index.gaps(f"ridge.{KEY.camera}", T0, T0 + 5 * MINUTE)
    assert [(g.from_us, g.to_us, g.evidence) for _, g in gaps] == [(T0 + MINUTE, T0 + 3 * MINUTE, {"why": "no event"})]


def test_no_post_moves_its_footage_out_of_time(hub: Hub, log: Ledger) -> None:
    run = {
        "boot": "b" * 32,
        "run": 1,
        "camera": KEY.camera,
        "stream": KEY.stream,
        "shift_us": (1 << 53) - 1,
        "provenance": "ntp",
    }
    for _ in range(40):
        log.add(kinds.TIME_CORRECTED, {"runs": [run]}, T0)
    assert isinstance(log.tell(hub.fleet), Held)
    with hub.db.read() as db:
        (most,) = db.exec_driver_sql("SELECT max(to_us) FROM segments").one()
    assert format_us(most), "a moment that can still be written"


@pytest.mark.slow
def test_what_adds_up_has_an_end(hub: Hub, log: Ledger) -> None:
    for n in range(60):
        added = {f"k{n}.{i}": "x" * 100 for i in range(400)}
        log.add(kinds.SETTINGS, {"changes": {"added": added, "changed": {}, "removed": {}}}, T0)
    assert isinstance(log.tell(hub.fleet), Held)
    with hub.db.read() as db:
        (settings,) = db.exec_driver_sql("SELECT settings FROM posts").one()
    assert len(settings) <= 1 << 20


@pytest.mark.parametrize("camera", ["../../etc", "a.b", "<b>", "gate\u202e", "", "x" * 41, "A"])
def test_a_camera_of_no_name_is_none(hub: Hub, log: Ledger, camera: str) -> None:
    log.add(kinds.STREAM_SET_UP, {"camera": camera, "stream": "main", "at_us": T0}, T0)
    log.add(kinds.STREAM_SET_UP, {"camera": "yard", "stream": camera, "at_us": T0}, T0)
    assert isinstance(log.tell(hub.fleet), Held)
    assert hub.index.cameras() == [("ridge.gate", "main", T0)]


def test_what_is_verified_becomes_the_index_step_by_step(
    hub: Hub, log: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longwatch.fleet.logs.TOLD_AT_ONCE", 3)
    assert hub.fleet.take_entries(RIDGE, 1, 0, log.entries) == 7
    held = hub.fleet.take_head(RIDGE, 1, log.note(), log.public)
    assert isinstance(held, Held)
    assert (held.size, held.untold) == (7, 4)
    assert states(hub)[0] == ("recorded", 1), "the set-up and the first minute"
    assert hub.fleet.tell_more(RIDGE)
    assert states(hub)[0] == ("recorded", 4)
    again = hub.fleet.take_head(RIDGE, 1, log.note(), log.public)
    assert isinstance(again, Held), "the same head, after a cut: it goes on from there"
    assert again.untold == 0
    assert not hub.fleet.tell_more(RIDGE)
    assert states(hub)[0] == ("recorded", 5)
    assert not hub.fleet.tell_more("unknown")
