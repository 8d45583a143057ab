"""Few entries, and nothing left out."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from longwatch.accounts import Look, Who
from longwatch.accounts.outbox import Said
from longwatch.accounts.viewings import EVERY_US, GOING_ON_US, OVER_US, Viewings

S = 1_000_000
ADA = Who(10, user="ada", address="10.0.0.1", agent="Firefox")
BOB = Who(11, user="bob", address="10.0.0.2")


def seen(said: list[Said]) -> list[tuple[str, str, int, int]]:
    """All that entries say was seen: stream, what, from, to."""
    found = []
    for one in said:
        for part in [one.body, *one.body.get("also", [])]:
            found += [(part["stream"], part["what"], part["from_us"], part["to_us"])]
    return found


def recorded(begin: int, end: int, stream: str = "main") -> Look:
    return Look(stream, "recorded", begin, end)


def test_a_viewing_begins_at_once_and_the_same_again_is_no_entry():
    viewings = Viewings()
    [said] = viewings.look(ADA, "gate", recorded(0, 100), 0, 5)
    assert (said.kind, said.subject) == ("viewing", 10)
    assert said.body == {
        "camera": "gate", "stream": "main", "what": "recorded", "from_us": 0, "to_us": 100, "at_us": 5,
    }  # fmt: skip
    assert '"user":"ada"' in said.text
    for second in range(1, 500):
        assert viewings.look(ADA, "gate", recorded(20, 80), second * S, 6) == []
    assert viewings.due(500 * S, 7) == []


def test_what_reaches_beyond_is_entered_once_a_minute():
    viewings = Viewings()
    viewings.look(ADA, "gate", recorded(0, 100), 0, 0)
    for n in range(1, 60):
        assert viewings.look(ADA, "gate", recorded(n * 100, n * 100 + 100), n * S, 0) == []
    assert viewings.due(59 * S, 0) == []
    [said] = viewings.due(60 * S, 0)
    assert seen([said]) == [("main", "recorded", 100, 6000)]
    assert viewings.due(200 * S, 0) == []


def test_persons_and_cameras_are_apart():
    viewings = Viewings()
    assert len(viewings.look(ADA, "gate", recorded(0, 1), 0, 0)) == 1
    assert len(viewings.look(ADA, "yard", recorded(0, 1), 0, 0)) == 1
    assert len(viewings.look(BOB, "gate", recorded(0, 1), 0, 0)) == 1


def test_another_place_of_the_same_person_is_said_too_a_minute_later():
    viewings = Viewings()
    viewings.look(ADA, "gate", recorded(0, 1), 0, 0)
    elsewhere = Who(10, user="ada", address="192.0.2.9")
    assert viewings.look(elsewhere, "gate", recorded(0, 1), S, 0) == []
    [said] = viewings.due(61 * S, 0)
    assert "192.0.2.9" in said.text


def test_after_ten_minutes_without_a_look_it_is_a_new_viewing():
    viewings = Viewings()
    assert viewings.look(ADA, "gate", recorded(0, 100), 0, 0)
    assert viewings.look(ADA, "gate", recorded(0, 100), OVER_US + 1, 0)


def test_live_is_said_at_its_begin_each_hour_and_at_its_end():
    viewings = Viewings()
    number, said = viewings.begin_live(ADA, "gate", "main", 0, 1000 * S)
    assert seen(said) == [("main", "live", 1000 * S, 1000 * S)]
    told = []
    for second in range(2, 2 * 3600 + 100, 2):
        told += viewings.due(second * S, (1000 + second) * S)
    assert len(told) == 2
    assert [end - begin for _, _, begin, end in seen(told)] == [3600 * S, 7200 * S]  # each from its begin
    end_s = 2 * 3600 + 120
    told = viewings.end_live(number, end_s * S, (1000 + end_s) * S)
    assert seen(told)[0][3] == (1000 + end_s) * S
    assert viewings.due((end_s + 4000) * S, 0) == []


def test_a_page_that_is_loaded_again_and_again_is_still_one_entry_a_minute():
    viewings = Viewings()
    told = []
    for second in range(600):
        number, said = viewings.begin_live(ADA, "gate", "main", second * S, second * S)
        told += said + viewings.end_live(number, second * S + 900_000, second * S + 900_000)
    assert len(told) == 10


def test_stills_of_now_again_and_again_are_one_look():
    viewings = Viewings()
    told = []
    for second in range(0, 3590, 10):
        look = Look("main", "still", second * S, second * S)
        told += viewings.look(ADA, "gate", look, second * S, second * S, goes_on=True) + viewings.due(second * S, 0)
    assert len(told) == 1
    told = viewings.due(GOING_ON_US + 2 * S, 0)
    assert seen(told) == [("main", "still", 0, 3580 * S)]


def test_parts_of_a_playlist_are_nothing_new():
    viewings = Viewings()
    viewings.look(ADA, "gate", Look("main", "playlist", 100, 200), 0, 0)
    for begin in range(40, 170, 20):
        assert viewings.look(ADA, "gate", Look("main", "playlist", begin + 21, begin + 61), S, 0, part=True) == []
    assert viewings.due(100 * S, 0) == []
    said = viewings.look(ADA, "gate", Look("main", "playlist", 500, 560), 101 * S, 0, part=True)
    assert seen(said) == [("main", "playlist", 500, 560)]  # a part whose playlist was never asked for


def test_the_server_ends_and_all_that_waits_is_said():
    viewings = Viewings()
    viewings.begin_live(ADA, "gate", "main", 0, 0)
    viewings.look(ADA, "gate", recorded(0, 9), S, S)
    said = viewings.close(30 * S, 30 * S)
    assert {("main", "recorded", 0, 9), ("main", "live", 0, 30 * S)} <= set(seen(said))
    assert viewings.close(31 * S, 31 * S) == []


@pytest.mark.slow
def test_many_watches_are_bounded_and_none_is_lost():
    viewings = Viewings()
    told = []
    for n in range(6_000):
        told += viewings.look(Who(n), "gate", recorded(0, 10), n, 0)
        told += viewings.look(Who(n), "gate", recorded(20, 30), n, 0)
    assert len(viewings._watches) == 5_000
    told += viewings.close(10_000, 0)
    assert len(told) == 12_000


def told_of(said: list[Said], what: str, begin: int, end: int) -> bool:
    return any(w == what and a <= begin and end <= b for _, w, a, b in seen(said))


def test_a_swarm_of_addresses_and_programs_of_one_person_hides_nothing():
    viewings, said = Viewings(), []
    for n in range(500):
        who = Who(10, user="ada", address=f"10.0.{n % 7}", agent=f"program {n}")
        said += viewings.look(who, "gate", recorded(n * 1000, n * 1000 + 10), n, 0)
    said += viewings.close(1000, 0)
    assert all(told_of(said, "recorded", n * 1000, n * 1000 + 10) for n in range(500))
    assert len(said) < 120
    assert sum(one.body.get("others", 0) for one in said) >= 380
    assert {one.subject for one in said} == {10}


def test_many_programs_are_told_ten_a_minute_and_not_one():
    viewings = Viewings()
    for n in range(40):
        viewings.look(Who(10, agent=f"program {n}"), "gate", recorded(n, n + 1), n, 0)
    assert len(viewings.due(61 * S, 0)) == 10
    assert len(viewings.due(61 * S, 0)) == 0
    assert len(viewings.due(122 * S, 0)) == 10


def test_one_stretch_among_many_is_told_however_many_follow():
    """Whoever wants one look forgotten looks at five hundred others in the same minute."""
    viewings = Viewings()
    said = viewings.look(ADA, "gate", recorded(900_000 * S, 900_001 * S), 0, 0)
    said += viewings.look(ADA, "gate", recorded(50, 60), S, 0)
    for n in range(1, 500):
        said += viewings.look(ADA, "gate", recorded(n * 1000 * S, n * 1000 * S + 9), S + n, 0)
    [late] = viewings.due(61 * S, 0)
    assert told_of([late], "recorded", 50, 60)
    assert all(told_of([late], "recorded", n * 1000 * S, n * 1000 * S + 9) for n in range(1, 500))
    assert len(late.body["also"]) <= 20
    assert late.body["others"] == 500 - 21


def test_every_way_of_looking_is_told_beside_many_stretches():
    viewings = Viewings()
    viewings.look(ADA, "gate", recorded(0, 1), 0, 0)
    for n in range(100):
        for what in ("recorded", "strip", "still", "playlist"):
            viewings.look(ADA, "gate", Look("main", what, n * 50, n * 50 + 7), n, 0)
    viewings.look(ADA, "gate", Look("sub", "still", 3, 3), 200, 0)
    [late] = viewings.due(61 * S, 0)
    for what in ("recorded", "strip", "still", "playlist"):
        assert all(told_of([late], what, n * 50, n * 50 + 7) for n in range(1, 100))
    assert ("sub", "still", 3, 3) in seen([late])
    assert len(seen([late])) <= 21


def test_a_part_that_says_much_and_reaches_far_is_a_look_of_its_own():
    viewings = Viewings()
    viewings.look(ADA, "gate", Look("main", "playlist", 100 * S, 200 * S), 0, 0)
    for begin, end in ((92 * S, 101 * S), (196 * S, 209 * S)):
        viewings.look(ADA, "gate", Look("main", "playlist", begin, end), S, 0, part=True)
    assert viewings.due(100 * S, 0) == []
    viewings.look(ADA, "gate", Look("main", "playlist", 80 * S, 101 * S), 101 * S, 0, part=True)
    viewings.look(ADA, "gate", Look("main", "playlist", 0, 900 * S), 101 * S, 0, part=True)
    assert told_of(viewings.due(200 * S, 0), "playlist", 0, 900 * S)


def test_whatever_is_looked_at_is_entered_and_seldom():
    """A thousand looks at random: every microsecond of them stands in an entry, no more than one a minute, person and camera."""
    for seed in range(4):
        random.seed(seed)
        viewings, told, looked = Viewings(), [], []
        at_us = 0
        for _ in range(300):
            until_us = at_us + random.choice([100_000, S, 20 * S, 700 * S])
            while at_us < until_us:
                at_us = min(until_us, at_us + 10 * S)
                told += [(at_us, said) for said in viewings.due(at_us, 0)]
            begin = random.randrange(10_000)
            look = Look(
                random.choice(["main", "sub"]),
                random.choice(["recorded", "still"]),
                begin,
                begin + random.randrange(500),
            )
            looked.append((look.stream, look.what, look.from_us, look.to_us))
            told += [(at_us, said) for said in viewings.look(ADA, "gate", look, at_us, 0)]
            told += [(at_us, said) for said in viewings.due(at_us, 0)]
        for before, after in pairwise(told):
            assert after[0] - before[0] >= EVERY_US
        entered = seen([said for _, said in told] + viewings.close(at_us, 0))
        assert not any(said.body.get("others") for _, said in told)
        for stream, what, begin, end in looked:
            pieces = sorted((a, b) for s, w, a, b in entered if (s, w) == (stream, what))
            at = begin
            for a, b in pieces:
                if a <= at:
                    at = max(at, b)
            assert at >= end, (seed, stream, what, begin, end)
