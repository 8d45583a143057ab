"""Both ends, frame by frame: order, resuming, refusals, and neighbours that are broken or dishonest."""

from __future__ import annotations

import dataclasses
import hashlib
import random

import pytest
from tests.support.uplink_memory import MemoryHub, MemoryLog, MemoryObjects

from longwatch.model.uplink import Class, ObjectInfo
from longwatch.replication import HubEnd, Now, Policy, PostEnd, Queue, Spent
from longwatch.replication.planner import Bucket
from longwatch.wire.uplink import Body, Chunk, Entries, LinkError, Message, decode, encode

WALL_US = 1_767_225_600_000_000


class Pair:
    """Both ends on a wire without delay; `sent` is what the post sent, decoded."""

    def __init__(self, policy=None, hub=None, log=None, media=None, queue=None):
        self.log = log or MemoryLog()
        self.media = media or MemoryObjects()
        self.queue = queue if queue is not None else Queue()
        self.hub = hub or MemoryHub()
        self.policy = policy or Policy()
        self.boot_us = 1_000_000
        self.sent = []
        self.told = []
        self.spent = Spent("UTC")
        self.bucket = Bucket(self.policy.rate_bytes_s)
        self.dial()

    def dial(self):
        self.post = PostEnd(
            {"site": "north"}, self.log, self.media, self.queue, self.spent, self.policy, bucket=self.bucket
        )
        self.end = HubEnd("north", self.hub, {"hub": "hq"})

    def now(self):
        return Now(self.boot_us, WALL_US + self.boot_us)

    def step(self, quantum=4096):
        """One frame of the post's, and what the hub answers to it."""
        data = self.post.next(self.now(), quantum)
        if data is None:
            return None
        frame = decode(data)
        self.sent.append(frame)
        answers, told = self.end.take(data, WALL_US)
        self.told += told
        for answer in answers:
            self.post.take(encode(answer), self.now())
        return frame

    def run(self, seconds=20.0, quantum=4096):
        end_us = self.boot_us + int(seconds * 1e6)
        while self.boot_us < end_us:
            if self.step(quantum) is None:
                self.boot_us = max(self.boot_us + 1000, min(end_us, self.post.look_us))
        return self

    def kinds(self):
        return [f.kind if isinstance(f, Message | Body) else type(f).__name__ for f in self.sent]

    def seals(self, count, publish=True):
        for _ in range(count):
            self.log.write("segment_sealed", WALL_US, camera="gate", sequence=len(self.log.written))
        if publish:
            self.log.publish()

    def add(self, size, cls, order=1, kind="piece"):
        info = self.media.put(random.Random(order * 100 + size).randbytes(size), kind)
        assert self.queue.add(info, cls, order)
        return info


def test_the_ledger_goes_from_the_hubs_cursor_then_its_head():
    pair = Pair()
    pair.seals(1000)
    pair.hub.logs["north", 1] = pair.log.written[:400]
    pair.run()
    entries = [f for f in pair.sent if isinstance(f, Entries)]
    assert entries[0].first == 400
    assert sum(len(f.entries) for f in entries) == 600
    assert pair.hub.verified["north", 1] == 1000
    assert pair.post.received.cosigned["north", 1] == pair.log.head.note
    assert pair.post.idle()


def test_an_older_log_is_whole_before_the_newer_one_speaks():
    older, newer = MemoryLog(number=1), MemoryLog(number=2)
    for log in (older, newer):
        for n in range(300):
            log.write("segment_sealed", WALL_US, sequence=n, camera=str(log.number))
        log.publish()

    class Both(MemoryLog):
        def logs(self, post):
            return [older.head, newer.head]

        def entries(self, post, number, first, last):
            return (older if number == 1 else newer).entries(post, number, first, last)

    pair = Pair(log=Both()).run()
    told = [
        (f.kind, f.body["number"]) if isinstance(f, Message) else ("E", f.number)
        for f in pair.sent
        if not isinstance(f, Message) or f.kind == "head"
    ]
    assert told == sorted(told, key=lambda item: item[1])
    assert pair.hub.verified == {("north", 1): 300, ("north", 2): 300}


def test_an_alarm_waits_for_one_frame_and_what_is_not_urgent_for_more_of_its_kind():
    pair = Pair()
    pair.seals(3)
    pair.add(200_000, Class.BULK)
    pair.run(1)
    pair.sent.clear()
    pair.add(200_000, Class.BULK, 2)
    pair.seals(1)
    pair.boot_us += 300_000
    assert isinstance(pair.step(), Message)  # the offer of what was added
    assert isinstance(pair.step(), Chunk), "a seal lingers"
    pair.log.write("alarm_raised", WALL_US, alarm=1)
    pair.log.publish()
    pair.boot_us += 300_000
    assert isinstance(pair.step(), Entries)
    assert pair.step().kind == "head"
    assert isinstance(pair.step(), Chunk)


def test_seals_that_linger_go_together():
    pair = Pair()
    pair.seals(3)
    pair.run(1)
    pair.sent.clear()
    for _ in range(5):
        pair.seals(1)
        pair.run(0.8)
    pair.run(3)
    assert pair.kinds() == ["Entries", "head"]


def test_classes_are_strict_at_every_frame():
    pair = Pair()
    pair.seals(1)
    bulk = pair.add(50_000, Class.BULK)
    pair.run(0.5, 1024)
    pair.dial()
    order = []
    infos = {bulk.sha256: Class.BULK}
    bulk = pair.add(60_000, Class.BULK, 2)
    infos[bulk.sha256] = Class.BULK
    for _ in range(12):
        pair.step(1024)
    for cls in (Class.ASKED, Class.CLIP, Class.STRIP, Class.PICTURE):
        infos[pair.add(3000, cls, 5 + int(cls)).sha256] = cls
    pair.sent.clear()
    pair.run(2, 1024)
    order = [infos[f.sha256] for f in pair.sent if isinstance(f, Chunk)]
    assert order == sorted(order)
    assert pair.hub.objects == pair.media.data


def test_a_cut_costs_no_byte_that_the_hub_has():
    pair = Pair()
    pair.seals(1)
    pair.add(100_000, Class.BULK)
    while len(pair.hub.spool.get(next(iter(pair.media.data)), b"")) < 50_000:
        pair.step()
    pair.dial()
    pair.sent.clear()
    pair.run(1)
    assert sum(len(f.data) for f in pair.sent if isinstance(f, Chunk)) < 100_000 - 49_999
    assert pair.hub.objects == pair.media.data
    assert pair.hub.bytes_again == 0


def test_what_the_hub_has_is_confirmed_without_a_byte():
    pair = Pair()
    info = pair.add(5000, Class.STRIP)
    pair.hub.objects[info.sha256] = pair.media.data[info.sha256]
    pair.run(1)
    assert not any(isinstance(f, Chunk) for f in pair.sent)
    assert [c.what for c in pair.queue.changes] == ["added", "confirmed"]


def test_a_hub_that_was_killed_before_its_commit_commits_what_is_whole():
    pair = Pair()
    info = pair.add(5000, Class.STRIP)
    pair.hub.spool[info.sha256] = bytearray(pair.media.data[info.sha256])
    pair.run(1)
    assert pair.hub.objects == pair.media.data


def test_what_is_gone_at_the_post_is_told_so_and_holds_nothing_up():
    pair = Pair()
    gone, there = pair.add(5000, Class.CLIP), pair.add(6000, Class.CLIP, 2)
    data = pair.media.data.pop(gone.sha256)
    pair.run(1)
    assert {c.item.info.sha256: c.what for c in pair.queue.changes if c.what != "added"} == {
        gone.sha256: "gone",
        there.sha256: "confirmed",
    }
    assert data not in pair.hub.objects.values()


def test_what_the_hub_refuses_for_now_is_offered_again():
    pair = Pair()
    info = pair.add(5000, Class.CLIP)
    pair.hub.not_yet.add(info.sha256)
    pair.run(5)
    assert info.sha256 in pair.queue
    pair.hub.not_yet.clear()
    pair.run(20)
    assert pair.hub.objects == pair.media.data


def test_what_the_hub_refuses_for_good_leaves():
    pair = Pair()
    info = pair.add(5000, Class.CLIP)
    pair.hub.never.add(info.sha256)
    pair.run(1)
    assert info.sha256 not in pair.queue
    assert pair.queue.changes[-1].what == "refused"


def test_damage_on_the_way_is_not_committed():
    pair = Pair()
    info = pair.add(5000, Class.CLIP)
    pair.media.data[info.sha256] = b"y" * 5000
    pair.run(1)
    assert not pair.hub.objects
    assert info.sha256 in pair.queue, "the hub's own disk may have done it: it is sent again"
    pair.run(100)
    assert not pair.hub.objects
    assert pair.queue.changes[-1].what == "refused"


def test_a_log_that_forked_is_told_and_the_rest_goes_on():
    pair = Pair()
    pair.seals(5)
    pair.hub.logs["north", 1] = [b"another story"] * 3
    pair.add(5000, Class.CLIP)
    pair.run()
    assert pair.post.received.refused["north"][0] == "forked"
    assert pair.hub.objects == pair.media.data
    assert not pair.hub.verified


def test_a_post_that_was_rolled_back_shows_its_head_all_the_same():
    pair = Pair()
    pair.seals(50)
    pair.run()
    older = MemoryLog()
    for data in pair.log.written[:20]:
        older.written.append(data)
    older = Pair(hub=pair.hub)
    older.seals(20)
    older.run()
    assert older.post.received.refused["north"][0] == "rolled_back"


def test_a_budget_that_is_used_lets_the_ledger_through_and_nothing_else():
    pair = Pair(Policy(budget={"hour": 3000}))
    pair.seals(400)
    pair.add(50_000, Class.ASKED)
    pair.run()
    assert pair.hub.verified["north", 1] == 400
    assert not pair.hub.objects
    assert pair.post.waiting[Class.ASKED].why == "budget_hour"
    assert pair.spent.of("hour") > 3000


def test_a_rate_cap_holds():
    pair = Pair(Policy(rate_bytes_s=2000))
    pair.seals(1)
    pair.add(100_000, Class.BULK)
    pair.run(20)
    sent = sum(len(encode(f)) for f in pair.sent)
    assert 34_000 < sent < 48_000


def test_live_bodies_go_before_bulk_and_find_only_so_much_room():
    pair = Pair()
    pair.seals(1)
    pair.add(100_000, Class.BULK)
    for _ in range(12):
        pair.step(1024)
    taken = sum(pair.post.say(Body("live_frame", {"live": 1}, b"x" * 100), Class.ASKED) for _ in range(1000))
    assert taken == 256
    assert pair.step(1024).kind == "live_frame"
    pair.run(2)
    assert len([m for m in pair.told if isinstance(m, Body)]) == 256


# -- neighbours that are broken or dishonest


def greeted(hub=None):
    end = HubEnd("north", hub or MemoryHub(), {})
    end.take(encode(Message("hello", {"site": "north"})), 0)
    return end


OBJECT = ObjectInfo(b"\x01" * 32, 10, "strip", "north", "gate", "main")


@pytest.mark.parametrize(
    "frames",
    [
        [Message("hello", {"site": "south"})],
        [Message("logs", {"items": []})],
        [Entries("north", 1, 0, [b"{}"])],
        [Message("hello", {"site": "north"}), Message("hello", {"site": "north"})],
    ],
)
def test_who_does_not_greet_as_its_certificate_says_is_sent_away(frames):
    end = HubEnd("north", MemoryHub(), {})
    with pytest.raises(LinkError):
        for frame in frames:
            end.take(encode(frame), 0)


@pytest.mark.parametrize(
    "frame",
    [
        Entries("south", 1, 0, [b"{}"]),
        Message("logs", {"items": [["south", 1, 5]]}),
        Message("head", {"post": "south", "number": 1, "note": "", "key": "00" * 32}),
        Message("site", {"post": "south"}),
        Message("status", {"post": "south"}),
        Message("offer", {"class": 1, "items": [dataclasses.replace(OBJECT, post="south").as_json()]}),
        Message("answer", {"post": "south"}),
        Body("live_frame", {"post": "south"}, b""),
        Chunk(b"\x02" * 32, 0, b"x"),
        Message("offer", {"class": 1, "items": [{}]}),
        Message("offer", {"class": 1}),
        Message("logs", {"items": [["north", "1", 5]]}),
        Message("logs", {"items": [["north", 1, 5]] * 300}),
        Message("head", {"post": "north", "number": "1", "note": "", "key": "00" * 32}),
        Message("head", {"post": "north", "number": 1, "note": "", "key": "zz" * 32}),
    ],
)
def test_a_post_speaks_for_itself_and_in_our_words(frame):
    with pytest.raises(LinkError):
        greeted().take(encode(frame), 0)


def test_more_bytes_than_the_object_has_are_refused():
    end = greeted()
    end.take(encode(Message("offer", {"class": 1, "items": [OBJECT.as_json()]})), 0)
    with pytest.raises(LinkError):
        end.take(encode(Chunk(OBJECT.sha256, 5, b"x" * 6)), 0)


def test_a_hole_is_asked_for_again():
    end = greeted()
    end.take(encode(Message("offer", {"class": 1, "items": [OBJECT.as_json()]})), 0)
    answers, _ = end.take(encode(Chunk(OBJECT.sha256, 5, b"x")), 0)
    assert answers == [Message("need", {"items": [[OBJECT.sha256.hex(), 0]]})]


def test_too_large_an_object_is_refused_and_too_many_end_the_connection():
    end = greeted()
    large = dataclasses.replace(OBJECT, size=1 << 40)
    answers, _ = end.take(encode(Message("offer", {"class": 1, "items": [large.as_json()]})), 0)
    assert answers[0].body["what"] == "too_large"
    with pytest.raises(LinkError, match="more objects"):
        for number in range(600):
            one = dataclasses.replace(OBJECT, sha256=number.to_bytes(32))
            end.take(encode(Message("offer", {"class": 1, "items": [one.as_json()]})), 0)


@pytest.mark.parametrize(
    "frame",
    [
        Message("need", {"items": [["zz", 0]]}),
        Message("need", {"items": [[OBJECT.sha256.hex(), -1]]}),
        Message("need", {"items": [[OBJECT.sha256.hex(), 11]]}),
        Message("confirmed", {"items": [7]}),
        Message("confirmed", {}),
        Message("cursors", {"items": [["north", 1, -5]]}),
        Message("held", {"post": "north"}),
        Message("refused", {}),
        Entries("north", 1, 0, [b"{}"]),
        Chunk(b"\x01" * 32, 0, b"x"),
    ],
)
def test_a_hub_that_is_broken_ends_the_connection(frame):
    pair = Pair()
    pair.queue.add(OBJECT, Class.STRIP, 1)
    pair.media.data[OBJECT.sha256] = b"0123456789"
    for _ in range(2):
        pair.post.next(pair.now(), 4096)
    with pytest.raises(LinkError):
        for _ in range(3):
            pair.post.next(pair.now(), 4096)
            pair.post.take(encode(frame), pair.now())


def test_a_hub_cannot_confirm_what_was_never_offered():
    pair = Pair()
    info = pair.add(5000, Class.STRIP)
    pair.post.take(encode(Message("confirmed", {"items": [info.sha256.hex()]})), pair.now())
    assert info.sha256 in pair.queue


def test_a_receipt_for_more_than_there_is_counts_for_nothing():
    pair = Pair()
    pair.seals(3)
    pair.run(1)
    before = dict(pair.post.received.cosigned)
    pair.post.take(encode(Message("held", {"post": "north", "number": 1, "size": 99, "line": "made up"})), pair.now())
    assert pair.post.received.cosigned == before


def test_what_the_other_end_says_beyond_our_version_is_passed_over():
    pair = Pair()
    assert pair.post.take(encode(Message("from_the_future", {"a": 1})), pair.now()) == []
    answers, told = greeted().take(encode(Message("from_the_future", {"a": 1})), 0)
    assert answers == []
    assert told[0].kind == "from_the_future"


def test_an_object_that_came_whole_by_another_connection_is_not_asked_for_for_ever():
    """Two connections of a post: the older one ends the object, and with it what the newer one was sending of it."""
    pair = Pair()
    data = bytes(range(256)) * 40
    info = ObjectInfo(hashlib.sha256(data).digest(), len(data), "strip", "north", "gate", "sub", at_us=1)
    pair.end.take(encode(Message("hello", {"site": "north"})), WALL_US)
    pair.end.take(encode(Message("offer", {"class": 2, "items": [info.as_json()]})), WALL_US)
    pair.hub.add_chunk = lambda sha256, offset, chunk: 0  # it knows of nothing that was begun
    pair.hub.objects[info.sha256] = data
    answers, _ = pair.end.take(encode(Chunk(info.sha256, 0, data[:4096])), WALL_US)
    assert answers == [Message("confirmed", {"items": [info.sha256.hex()]})]
    assert pair.end.take(encode(Chunk(info.sha256, 4096, data[4096:8192])), WALL_US) == ([], [])


@pytest.mark.parametrize("number", [-1, 1 << 31, 1 << 60])
def test_a_log_of_a_number_that_cannot_be_ends_the_connection(number):
    for frame in (
        Message("logs", {"items": [["north", number, 5]]}),
        Message("head", {"post": "north", "number": number, "note": "x", "key": "00" * 32}),
    ):
        pair = Pair()
        pair.end.take(encode(Message("hello", {"site": "north"})), WALL_US)
        with pytest.raises(LinkError):
            pair.end.take(encode(frame), WALL_US)
