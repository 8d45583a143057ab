"""What the recorder tells those who look: batches, key frames, the open group, and drops where nobody reads."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from typing import Any, cast

import pytest

from longwatch.base.errors import UsageError
from longwatch.formats.media import Codec, Kind, Sample, TrackFormat
from longwatch.model.sessions import StreamKey
from longwatch.node.link import Peer
from longwatch.node.recorder.socket import RecorderSocket
from longwatch.recording import LiveTap
from longwatch.recording.options import Budget
from longwatch.wire.frames import Decoder, Frame
from longwatch.wire.looking import Row, decode_rows

KEY = StreamKey("gate", "sub")
VIDEO = TrackFormat(Kind.VIDEO, Codec.H264, 90_000, b"entry", "avc1")
SOUND = TrackFormat(Kind.AUDIO, Codec.AAC, 48_000, b"sound", "mp4a")
EACH_US = 40_000


class Neighbour:
    """Takes frames, or does not."""

    def __init__(self) -> None:
        self.on_gone: list[Callable[[], None]] = []
        self.frames: list[Frame] = []
        self.takes = True
        self.writes = 0
        self._decoder = Decoder()

    def push(self, data: bytes) -> bool:
        self.writes += 1
        if self.takes:
            self.frames += self._decoder.feed(data)
        return self.takes

    def rows(self) -> list[Row]:
        """Of all batches so far, which are then forgotten."""
        got = [row for frame in self.frames if frame.type == "look_batch" for row in decode_rows(frame)[0]]
        self.frames.clear()
        return got


class Case:
    def __init__(self) -> None:
        self.tap = LiveTap(Budget(1 << 20))
        self.watched: list[bool] = []
        self.tap.on_watched = self.watched.append
        self.peer = Neighbour()
        self.socket = RecorderSocket(lambda key: self.tap if key == KEY else None, {})
        self.number = 0

    async def ask(self, kind: str = "look", **fields: Any) -> dict[str, Any]:
        return await self.socket.handle(cast("Peer", self.peer), kind, {"stream": list(KEY), **fields})

    def begin(self) -> None:
        self.tap.formats((SOUND, VIDEO), 1)

    def send(self, count: int) -> None:
        """Pictures at 25 a second with a sync sample each second, and a sound between."""
        for _ in range(count):
            sync = self.number % 25 == 0
            at_us = 1_000_000 + self.number * EACH_US
            batch = [Sample(0, 0, 0, True, b"sound", at_us), Sample(1, self.number, 0, sync, bytes([9]) * 50, at_us)]
            self.tap.samples(batch, 55, 1 if sync else -1)
            self.number += 1


@pytest.fixture
def case() -> Case:
    return Case()


async def test_sizes_come_a_few_times_a_second_and_bytes_of_a_key_frame_now_and_then(case: Case):
    case.begin()
    await case.ask(key_us=2_000_000, whole=False)
    assert [frame.type for frame in case.peer.frames] == ["live_format"]
    case.send(200)
    frames = [frame for frame in case.peer.frames if frame.type == "look_batch"]
    assert 8 <= len(frames) <= 11, "8 s of pictures"
    rows = case.peer.rows()
    assert [row.dts for row in rows] == list(range(len(rows))), "all pictures in order, and no sound"
    assert [row.dts for row in rows if row.given] == [0, 50, 100, 150]
    assert all(row.sync for row in rows if row.given)
    assert case.watched == [], "nobody waits for each picture: the source need not hurry"


async def test_the_key_frame_nearest_to_the_time_is_given(case: Case):
    case.begin()
    await case.ask(key_us=1_800_000, whole=False)
    case.send(200)
    assert [row.dts for row in case.peer.rows() if row.given] == [0, 50, 100, 150], "each second, and not each third"
    case.peer.frames.clear()
    await case.ask(key_us=2_100_000, whole=False)
    case.send(200)
    assert [row.dts % 50 for row in case.peer.rows() if row.given] == [0] * 4, "the one after it is 0.9 s late"


async def test_all_bytes_come_from_the_last_sync_sample_on_once_they_are_asked_for(case: Case):
    case.begin()
    await case.ask(key_us=10_000_000, whole=False)
    case.send(40)
    case.peer.frames.clear()
    await case.ask(whole=True)
    group = next(frame for frame in case.peer.frames if frame.type == "look_group")
    rows, begin = decode_rows(group)
    assert [row.dts for row in rows] == list(range(40)), "and the group before, which ended a moment ago"
    assert group.body[begin:] == bytes([9]) * 50 * 40
    case.peer.frames.clear()
    case.send(60)
    assert all(row.given for row in case.peer.rows())
    await case.ask(whole=True)
    assert not any(frame.type == "look_group" for frame in case.peer.frames), "it has it"
    await case.ask(whole=True, again=True)
    group = next(frame for frame in case.peer.frames if frame.type == "look_group")
    assert [row.dts for row in decode_rows(group)[0]] == [*range(75, 100)]
    await case.ask(whole=False)
    case.send(45)
    assert not any(row.given for row in case.peer.rows()[25:])


async def test_of_a_group_that_ended_long_ago_or_was_not_kept_nothing_is_given(case: Case):
    case.tap = LiveTap(Budget(55 * 40))
    case.begin()
    await case.ask(key_us=10_000_000, whole=False)
    case.tap.samples([Sample(1, 0, 0, True, bytes(55 * 41), 1)], 55 * 41, 0)
    case.number = 25
    case.send(20)
    await case.ask(whole=True)
    group = next(frame for frame in case.peer.frames if frame.type == "look_group")
    assert [row.dts for row in decode_rows(group)[0]] == [*range(25, 45)]


async def test_what_a_neighbour_does_not_take_is_counted_and_never_waited_for(case: Case):
    case.begin()
    await case.ask(key_us=2_000_000, whole=True)
    case.send(30)
    case.peer.rows()
    case.peer.takes = False
    case.send(100)
    case.peer.takes = True
    case.send(70)
    frames = [frame for frame in case.peer.frames if frame.type == "look_batch"]
    missed = frames[-1].header["missed"]
    rows = case.peer.rows()
    assert missed >= 90
    assert rows[0].dts + 0 > 30
    first = next(row for row in rows if row.given)
    assert first.sync, "nothing is given that builds on what was dropped"


async def test_it_ends_with_the_neighbour_and_a_stream_that_is_not_there_is_refused(case: Case):
    case.begin()
    await case.ask(key_us=1, whole=False)
    with pytest.raises(UsageError, match="no stream"):
        await case.socket.handle(cast("Peer", case.peer), "look", {"stream": ["gate", "main"]})
    assert await case.ask("unlook") == {"dropped": 0}
    case.peer.frames.clear()
    case.send(60)
    assert case.peer.frames == []
    await case.ask(key_us=1, whole=False)
    for gone in list(case.peer.on_gone):
        gone()
    case.peer.frames.clear()
    case.send(60)
    assert case.peer.frames == []


async def test_a_stream_that_was_taken_out_and_put_in_again_is_another(case: Case):
    case.begin()
    await case.ask(key_us=1, whole=False)
    case.tap = LiveTap(Budget(1 << 20))
    case.begin()
    await case.ask(whole=False)
    case.peer.frames.clear()
    case.send(60)
    assert case.peer.rows()


async def test_who_waits_for_each_picture_hurries_the_source_and_who_looks_does_not(case: Case):
    case.begin()
    await case.ask(key_us=1, whole=True)
    await case.ask("subscribe")
    assert case.watched == [True]
    await case.ask("unsubscribe")
    assert case.watched == [True, False]


async def test_a_group_that_never_ends_is_not_copied_and_is_said_to_be_missing() -> None:
    case = Case()
    case.tap = LiveTap(Budget(64 << 20))
    case.begin()
    await case.ask(key_us=2_000_000)
    big = bytes(1 << 20)
    for number in range(20):
        at_us = 1_000_000 + number * EACH_US
        case.tap.samples([Sample(1, number, 0, number == 0, big, at_us)], len(big), 0 if number == 0 else -1)
    assert len(case.tap.open_group) == 20
    case.peer.frames.clear()
    assert (await case.ask(key_us=2_000_000, whole=True))["dropped"] == 20
    [group] = [frame for frame in case.peer.frames if frame.type == "look_group"]
    assert decode_rows(group)[0] == []


def stream(
    tap: LiveTap, count: int, *, group: int, begin: int = 0, phase: int = 0, larger: tuple[int, ...] = ()
) -> None:
    """Pictures at 25 a second, a sync sample each `group` pictures; these are larger."""
    for number in range(begin, begin + count):
        sync, bytes_ = (number + phase) % group == 0, 150 if number in larger else 50
        tap.samples(
            [Sample(1, number, 0, sync, bytes(bytes_), 1_000_000 + number * EACH_US)], bytes_, 0 if sync else -1
        )


def batches(case: Case) -> list[list[Row]]:
    return [decode_rows(frame)[0] for frame in case.peer.frames if frame.type == "look_batch"]


async def test_the_longer_a_group_of_pictures_the_longer_sizes_wait_but_no_sync_sample_that_is_wanted_does(case: Case):
    case.begin()
    await case.ask(key_us=8_000_000, whole=False)
    stream(case.tap, 1_000, group=100)
    told = batches(case)[3:]
    longest_us = max(rows[-1].arrival_us - rows[0].arrival_us for rows in told)
    assert 1_900_000 <= longest_us <= 2_000_000 + EACH_US
    for rows in told:
        wanted = [row.arrival_us for row in rows if row.given]
        assert not wanted or rows[-1].arrival_us - wanted[0] <= 800_000 + EACH_US
    assert any(row.given for rows in told for row in rows)
    case.peer.frames.clear()
    stream(case.tap, 500, group=25, begin=1_000)
    # what opened the gate in one group is asked for before the next one ends
    assert all(rows[-1].arrival_us - rows[0].arrival_us <= 800_000 + EACH_US for rows in batches(case)[2:])


async def test_a_picture_larger_than_those_before_it_is_told_at_once_and_what_stays_large_is_no_news(case: Case):
    case.begin()
    await case.ask(key_us=60_000_000, whole=False)
    stream(case.tap, 510, group=100, larger=(490,))
    assert next(rows[-1].dts for rows in batches(case) if rows[-1].dts >= 480) == 490
    case.peer.frames.clear()
    stream(case.tap, 490, group=100, begin=510, larger=tuple(range(510, 1_000)))
    assert len([rows for rows in batches(case) if rows[-1].dts >= 700]) <= 8, "12 s in batches of two, as before"


async def test_what_several_streams_have_to_tell_one_neighbour_goes_out_in_one_write() -> None:
    taps = [LiveTap(Budget(1 << 20)) for _ in range(4)]
    keys = [StreamKey(f"camera-{number}", "sub") for number in range(4)]
    neighbour = Neighbour()
    socket = RecorderSocket(lambda key: taps[keys.index(key)], {})
    for tap, key in zip(taps, keys, strict=True):
        tap.formats((SOUND, VIDEO), 1)
        await socket.handle(cast("Peer", neighbour), "look", {"stream": list(key), "key_us": 4_000_000, "whole": False})
    neighbour.writes = 0
    neighbour.frames.clear()
    for number in range(500):  # 20 s of groups of two seconds, which begin at other times
        for place, tap in enumerate(taps):
            stream(tap, 1, group=50, begin=number, phase=12 * place)
    frames = [frame for frame in neighbour.frames if frame.type == "look_batch"]
    assert {frame.header["stream"][0] for frame in frames} == {key.camera for key in keys}
    assert neighbour.writes <= 25 < len(frames), "four cameras alone would take forty and more"
    for key in keys:
        mine = [row.dts for frame in frames if frame.header["stream"][0] == key.camera for row in decode_rows(frame)[0]]
        assert mine == list(range(mine[0], mine[0] + len(mine))), "all, in order"
    await socket.handle(cast("Peer", neighbour), "unlook", {"stream": list(keys[0])})
    neighbour.frames.clear()
    for place, tap in enumerate(taps):
        stream(tap, 100, group=50, begin=500, phase=12 * place)
    assert keys[0].camera not in {frame.header["stream"][0] for frame in neighbour.frames}


async def test_once_all_is_given_for_a_while_it_comes_in_longer_batches(case: Case):
    case.begin()
    await case.ask(key_us=2_000_000, whole=False)
    stream(case.tap, 60, group=50)
    await case.ask(whole=True)
    case.peer.frames.clear()
    stream(case.tap, 150, group=50, begin=60)
    lengths = [(rows[0].arrival_us, rows[-1].arrival_us - rows[0].arrival_us) for rows in batches(case)]
    first_us = lengths[0][0]
    assert all(length <= 400_000 for at, length in lengths if at - first_us < 1_900_000)
    assert any(length >= 700_000 for at, length in lengths if at - first_us > 2_000_000)
    assert all(length <= 800_000 for _, length in lengths)


async def test_the_group_before_is_given_where_sizes_are_told_two_seconds_late(case: Case):
    case.begin()
    await case.ask(key_us=60_000_000, whole=False)
    stream(case.tap, 100 + 45, group=100)
    case.peer.frames.clear()
    await case.ask(whole=True)
    group = next(frame for frame in case.peer.frames if frame.type == "look_group")
    assert [row.dts for row in decode_rows(group)[0]] == list(range(145)), "it ended 1.8 s ago"
    await case.ask(whole=False)
    stream(case.tap, 25, group=100, begin=145)
    case.peer.frames.clear()
    await case.ask(whole=True)
    group = next(frame for frame in case.peer.frames if frame.type == "look_group")
    assert [row.dts for row in decode_rows(group)[0]] == list(range(100, 170)), "and 2.8 s ago"


async def test_pictures_that_come_alone_are_told_as_those_that_come_with_sound(case: Case):
    other = Case()
    for each in (case, other):
        each.begin()
        await each.ask(key_us=2_000_000, whole=False)
    for number in range(400):
        whole = {60: True, 110: False, 115: True, 116: False}.get(number)
        if whole is not None:  # asked in the midst of a batch
            for each in (case, other):
                await each.ask(whole=whole)
        sync, at_us = number % 50 == 0, 1_000_000 + number * EACH_US
        data = bytes([number % 251]) * (90 if number in {130, 131, 300} else 50)
        picture, sound = Sample(1, number, 0, sync, data, at_us), Sample(0, 0, 0, True, b"sound", at_us)
        case.tap.samples([picture], len(data), 0 if sync else -1)
        case.tap.samples([sound], 5, -1)
        other.tap.samples([sound, picture], len(data) + 5, 1 if sync else -1)
    told = [[(frame.header, frame.body) for frame in each.peer.frames] for each in (case, other)]
    assert told[0] == told[1]
    assert [row.dts for row in case.peer.rows() if row.given and not row.sync][:1] == [60], "some of them with bytes"


async def test_of_large_pictures_no_more_are_kept_until_they_are_told_than_were_agreed(case: Case):
    case.tap = LiveTap(Budget(0))  # what is recorded has no room to keep them either
    case.begin()
    await case.ask(key_us=60_000_000, whole=False)
    samples = [Sample(1, n, 0, n % 100 == 0, bytes(30_000), 1_000_000 + n * EACH_US) for n in range(250)]
    known = max(sys.getrefcount(each) for each in samples)
    most = 0
    for sample in samples:
        case.tap.samples([sample], 30_000, 0 if sample.sync else -1)
        most = max(most, sum(sys.getrefcount(each) > known for each in samples))
    assert 2 <= most <= 9, "a quarter of a megabyte, and the one at hand"
    rows = case.peer.rows()
    assert [row.dts for row in rows] == list(range(len(rows))), "and all are told"
    assert len(rows) >= 200


async def test_a_picture_between_comes_with_its_bytes_now_and_then_where_its_vectors_may_be_asked(case: Case):
    case.begin()
    await case.ask(key_us=2_000_000, between_us=300_000, whole=False)
    case.send(200)
    rows = case.peer.rows()
    assert [row.dts for row in rows] == list(range(len(rows))), "all of them, in order"
    given = [row.dts for row in rows if row.given]
    assert all(later - earlier <= 8 for earlier, later in itertools.pairwise(given))
    between = [row for row in rows if row.given and not row.sync]
    assert 15 <= len(between) <= 26, "8 s"
    await case.ask(key_us=2_000_000, between_us=0, whole=False)
    case.send(60)  # what waited before is told
    case.peer.frames.clear()
    case.send(100)
    assert all(row.sync for row in case.peer.rows() if row.given)


async def test_a_picture_that_is_shown_out_of_order_or_is_damaged_is_not_given_between(case: Case):
    case.begin()
    await case.ask(key_us=2_000_000, between_us=300_000, whole=False)
    for number in range(200):
        at_us = 1_000_000 + number * EACH_US
        sync = number % 50 == 0
        cts = 3_600 if number < 100 and not sync else 0
        batch = [Sample(1, number, cts, sync, b"picture", at_us, damaged=number >= 100 and not sync)]
        case.tap.samples(batch, 55, 0 if sync else -1)
    assert all(row.sync for row in case.peer.rows() if row.given)


async def test_while_all_is_given_nothing_is_given_between_and_what_was_held_goes_on(case: Case):
    case.begin()
    await case.ask(key_us=2_000_000, between_us=300_000, whole=False)
    case.send(60)
    await case.ask(key_us=2_000_000, between_us=300_000, whole=True)
    case.peer.frames.clear()
    case.send(50)
    assert all(row.given for row in case.peer.rows())
