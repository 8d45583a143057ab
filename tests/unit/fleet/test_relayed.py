"""Posts behind another hub: whatever that hub makes up, only what a post's own key signed stands against the post, and the truth gets through afterwards."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.support.fleet_case import NOW_US, RIDGE, Hub, Ledger
from tests.support.uplink_memory import MemoryObjects

from longwatch.fleet import Doubt
from longwatch.ledger import kinds
from longwatch.model.uplink import LogHead
from longwatch.node.hub.through import Speaker, Through
from longwatch.replication import HubEnd, Now, Policy, PostEnd, Queue, Spent
from longwatch.replication.planner import Bucket
from longwatch.wire.uplink import Entries, decode, encode

T0 = 1_767_225_600_000_000


def ledger(count: int = 60) -> Ledger:
    made = Ledger()
    made.add(kinds.LOG_BEGUN, {"origin": made.origin, "key": "", "previous": None, "why": "the first start"}, T0)
    made.add(kinds.STREAM_SET_UP, {"camera": "gate", "stream": "main", "at_us": T0}, T0)
    grow(made, count - 2)
    return made


def grow(log: Ledger, count: int, say: str = "true") -> Ledger:
    for n in range(count):
        log.add(kinds.VIEWING, {"camera": "gate", "said": f"{say} {n}"}, T0)
    return log


def branch(log: Ledger, at: int, count: int) -> Ledger:
    """Another history by the same key, from entry `at` on."""
    return grow(dataclasses.replace(log, entries=log.entries[:at]), count, "other")


class Told:
    """What a station tells of ridge: logs by number, as (entries, note, key)."""

    def __init__(self, **logs: tuple[list[bytes], str, bytes]) -> None:
        self.logs_ = {int(name.removeprefix("log")): told for name, told in logs.items()}

    def posts(self) -> Sequence[str]:
        return [RIDGE]

    def logs(self, post: str) -> Sequence[LogHead]:
        return [LogHead(RIDGE, n, note, key, len(entries)) for n, (entries, note, key) in sorted(self.logs_.items())]

    def entries(self, post: str, number: int, first: int, last: int) -> list[bytes]:
        return self.logs_[number][0][first:last]


def whole(log: Ledger) -> tuple[list[bytes], str, bytes]:
    return log.entries, log.note(), log.public


class Station:
    """A hub between, by the real ends of an uplink: it sends what it likes, in its own certificate's name."""

    def __init__(self, hub: Hub, log: Ledger, number: int = 1, key: bytes = b"") -> None:
        self.fleet = hub.fleet
        self.sent = 0
        self.refused: dict[str, tuple[str, str]] = {}
        speaker: Callable[[], Speaker] = lambda: Through(hub.fleet, "hq", lambda: None).speaker("station")  # noqa: E731
        self.speaker = speaker
        said = {"post": RIDGE, "name": "Ridge", "via": [], "origin": log.origin, "key": (key or log.public).hex()}
        self.hello = {"site": "station", "through": [said]}

    def tells(self, told: Told, frames: int = 400) -> None:
        """One connection, until it has nothing more to say."""
        policy, speaker = Policy(), self.speaker()
        post = PostEnd(self.hello, told, MemoryObjects(), Queue(), Spent("UTC"), policy, bucket=Bucket(0))
        end = HubEnd("station", self.fleet, {"hub": "hq"}, speaker.may_speak, speaker.greeted)
        boot_us = 1_000_000
        for _ in range(frames * 100):
            now = Now(boot_us, NOW_US + boot_us)
            data = post.next(now, 16_000)
            if data is None:
                if post.idle():
                    break
                boot_us = max(boot_us + 1000, post.look_us)
                continue
            frame = decode(data)
            self.sent += len(frame.entries) if isinstance(frame, Entries) else 0
            frames -= 1
            assert frames, "it goes on for ever"
            for answer in end.take(data, NOW_US)[0]:
                post.take(encode(answer), now)
        self.refused = dict(post.received.refused)


def doubts(hub: Hub) -> set[Doubt]:
    return {each.doubt for each in hub.fleet.evidence()}


def verified(hub: Hub, number: int = 1) -> int:
    return next((row.verified for row in hub.fleet.log_rows(RIDGE) if row.number == number), 0)


@pytest.fixture
def log() -> Ledger:
    return ledger()


def test_made_up_entries_are_dropped_and_nobody_is_doubted(hub: Hub, log: Ledger) -> None:
    station = Station(hub, log)
    station.tells(Told(log1=whole(log)))
    assert verified(hub) == 60
    true = grow(dataclasses.replace(log, entries=list(log.entries)), 40)
    lies = branch(log, 60, 40).entries
    station.tells(Told(log1=(lies, true.note(), true.public)))
    assert (verified(hub), doubts(hub)) == (60, set()), "the head is the post's, the entries are not"
    assert station.refused[RIDGE][0] == Doubt.NOT_ITS_OWN
    station.tells(Told(log1=whole(true)))
    assert (verified(hub), doubts(hub)) == (100, set()), "and the truth is taken afterwards"


def test_lies_that_were_left_behind_do_not_lie_in_the_way(hub: Hub, log: Ledger) -> None:
    """As a station leaves them that is cut off, or replaced, before any head."""
    Station(hub, log).tells(Told(log1=whole(log)))
    hub.fleet.take_entries(RIDGE, 1, 60, branch(log, 60, 40).entries[60:])
    grow(log, 40)
    station = Station(hub, log)
    station.tells(Told(log1=whole(log)))
    assert (verified(hub), doubts(hub)) == (100, set())
    assert station.sent == 40, "asked for once, from what is verified"


def test_another_entry_at_a_verified_number_is_no_evidence_from_a_station(hub: Hub, log: Ledger) -> None:
    Station(hub, log).tells(Told(log1=whole(log)))
    assert hub.fleet.take_entries(RIDGE, 1, 10, branch(log, 10, 5).entries[10:]) == 60
    assert doubts(hub) == set()


def test_an_old_head_from_a_station_is_held(hub: Hub, log: Ledger) -> None:
    station = Station(hub, log)
    station.tells(Told(log1=whole(log)))
    station.tells(Told(log1=(log.entries[:30], log.note(30), log.public)))
    assert (verified(hub), doubts(hub)) == (60, set())
    assert station.refused == {}


@pytest.mark.parametrize(("at", "size"), [(0, 90), (30, 90), (59, 61), (30, 60), (30, 45)])
def test_what_the_post_really_signed_and_forks_is_still_evidence(hub: Hub, log: Ledger, at: int, size: int) -> None:
    station = Station(hub, log)
    station.tells(Told(log1=whole(log)))
    other = branch(log, at, size - at)
    station.tells(Told(log1=whole(other)))
    assert (verified(hub), doubts(hub)) == (60, {Doubt.FORKED})
    assert other.note() in {each.note for each in hub.fleet.evidence()}
    assert station.refused[RIDGE][0] == Doubt.FORKED
    before = station.sent
    station.tells(Told(log1=whole(grow(other, 5, "other still"))))
    assert station.sent - before <= max(0, size + 5 - 60) * 3, "all of it is not asked for a second time"
    assert doubts(hub) == {Doubt.FORKED}


def test_a_whole_log_that_leads_nowhere_is_not_asked_for_twice(hub: Hub, log: Ledger) -> None:
    station = Station(hub, log)
    station.tells(Told(log1=whole(log)))
    true = grow(dataclasses.replace(log, entries=list(log.entries)), 10)
    station.tells(Told(log1=(branch(log, 20, 50).entries, true.note(), true.public)))
    assert (verified(hub), doubts(hub)) == (60, set())
    before = station.sent
    station.tells(Told(log1=(branch(log, 20, 50).entries, true.note(), true.public)))
    assert station.sent - before <= 30
    station.tells(Told(log1=whole(true)))
    assert (verified(hub), doubts(hub)) == (70, set())


@pytest.mark.parametrize("size", [40, 60, 90])
def test_a_fork_by_a_key_that_a_station_made_is_none_of_the_posts(hub: Hub, log: Ledger, size: int) -> None:
    """It begins a second log in the post's name, by a key of its own, and says that this is the post's now."""
    Station(hub, log).tells(Told(log1=whole(log)))
    false = branch(dataclasses.replace(log, number=2, key=Ed25519PrivateKey.generate()), 30, size - 30)
    station = Station(hub, log, key=false.public)
    station.tells(Told(log2=whole(false)))
    assert Doubt.FORKED not in doubts(hub)
    assert (verified(hub), verified(hub, 2)) == (60, 0)


def test_a_new_key_is_noted_with_who_says_so(hub: Hub, log: Ledger) -> None:
    station = Station(hub, log)
    station.tells(Told(log1=whole(log)))
    anew = dataclasses.replace(log, entries=list(log.entries), number=2, key=Ed25519PrivateKey.generate())
    station.tells(Told(log1=whole(log), log2=whole(grow(anew, 3))))
    assert verified(hub, 2) == 63
    [kept] = hub.fleet.evidence()
    assert kept.doubt == Doubt.KEY_CHANGED
    assert kept.why.endswith("as the hub station tells it")


def test_a_trial_goes_on_where_a_cut_link_left_it(hub: Hub, log: Ledger) -> None:
    station = Station(hub, log)
    station.tells(Told(log1=whole(log)))
    other = branch(log, 30, 3000)
    take, head = hub.fleet.take_entries, hub.fleet.take_head
    for _ in range(2):
        take(RIDGE, 1, 60, other.entries[60:2060])
        take(RIDGE, 1, 2060, other.entries[2060:])
        head(RIDGE, 1, other.note(), other.public)
    assert hub.fleet.cursor(RIDGE, 1) == 0, "all of it is asked for"
    assert take(RIDGE, 1, 0, other.entries[:500]) == 500
    assert hub.fleet.cursor(RIDGE, 1) == 500
    assert take(RIDGE, 1, 900, other.entries[900:1000]) == 500, "a hole"
    assert take(RIDGE, 1, 400, other.entries[400:1000]) == 500, "what came already"
    before = station.sent
    station.tells(Told(log1=whole(other)))
    assert station.sent - before == len(other.entries) - 500
    assert doubts(hub) == {Doubt.FORKED}


@pytest.mark.slow
@pytest.mark.parametrize("story", ["lies", "fork"])
def test_a_hub_that_is_killed_between_any_two_frames_comes_to_the_same(hub: Hub, log: Ledger, story: str) -> None:
    """What is doubted is known in memory alone: each start asks for it anew, and no start makes an honest post look forked."""
    Station(hub, log).tells(Told(log1=whole(log)))
    true = grow(dataclasses.replace(log, entries=list(log.entries)), 40)
    other = branch(log, 30, 60)
    note = other.note() if story == "fork" else true.note()
    told = Told(log1=(other.entries if story == "fork" else branch(log, 50, 50).entries, note, log.public))
    at = hub
    for killed_after in range(14):
        station = Station(at, log)
        with contextlib.suppress(AssertionError):  # "it goes on for ever": that was the kill
            station.tells(told, frames=killed_after + 1)
        assert doubts(at) <= ({Doubt.FORKED} if story == "fork" else set())
        assert verified(at) == 60
        at = at.again()
    Station(at, log).tells(told)
    assert doubts(at) == ({Doubt.FORKED} if story == "fork" else set())
    Station(at, log).tells(Told(log1=whole(true)))
    assert verified(at) == 100, "and the truth is taken"
    at.close()
