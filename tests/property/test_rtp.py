"""Random pictures, cut into random packets, over a link that loses, repeats and reorders: what must hold for any of it."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.rtp import Clip, Sender, clip, encoded, push_all, samples

from longwatch.formats.media import Codec, Loss
from longwatch.formats.rtp import packetize, receiver_for
from longwatch.formats.rtp.clock import DecodeTimes, MediaClock, PictureOrder


def _nal(rng: random.Random, head: bytes, first: bool) -> bytes:
    """A slice without emulated start codes, since its bytes are never 0 or 1."""
    size = rng.choice((3, 40, 400, 1500, 5000))
    return head + bytes((0x88 if first else 0x48,)) + bytes(rng.randrange(2, 256) for _ in range(size))


@dataclass
class Stream:
    """Access units of one to three slices, an IDR picture every `gop`; the parameter sets of a real clip."""

    units: list[bytes]
    syncs: list[bool]
    packets: list[list[bytes]]


def _stream(seed: int, codec: Codec, count: int, marker: bool, base: Clip) -> Stream:
    rng = random.Random(seed)
    gop = rng.randrange(1, 9)
    sender = Sender(seq=rng.randrange(1 << 16), offset=rng.randrange(1 << 32), marker=marker)
    units, syncs, packets = [], [], []
    for number in range(count):
        sync = number % gop == 0
        heads = (b"\x41", b"\x65") if codec is Codec.H264 else (b"\x02\x01", b"\x26\x01")
        head = heads[sync]
        nals = [_nal(rng, head, index == 0) for index in range(rng.randrange(1, 4))]
        data = b"".join(struct.pack(">I", len(nal)) + nal for nal in nals)
        units.append(data)
        syncs.append(sync)
        size = rng.choice((100, 700, 1388))
        packets.append(sender.packets(packetize.payloads(codec, data, size), number * 3600))
    return Stream(units, syncs, packets)


def _base(codec: Codec) -> Clip:
    return clip("lot.mp4") if codec is Codec.H264 else encoded(Codec.H265, 2, (64, 64), "bframes=0")


codecs = st.sampled_from((Codec.H264, Codec.H265))


@pytest.mark.slow
@given(seed=st.integers(0, 1 << 30), codec=codecs, marker=st.booleans(), chunk=st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_without_loss_every_unit_comes_out_as_it_went_in(seed: int, codec: Codec, marker: bool, chunk: int) -> None:
    base = _base(codec)
    stream = _stream(seed, codec, 12, marker, base)
    receiver = receiver_for(0, base.media(), reorder=False)
    assert receiver is not None
    flat = [each for packets in stream.packets for each in packets]
    out = []
    for at in range(0, len(flat), chunk):
        out += push_all(receiver, flat[at : at + chunk], at * 1000)
    out += receiver.flush()
    taken = samples(out)
    whole = 12 if marker else 11  # without a marker only the next unit says that one is over
    assert [s.data for s in taken] == stream.units[:whole]
    assert [s.sync for s in taken] == stream.syncs[:whole]
    assert not any(s.damaged for s in taken)
    assert [s.dts - taken[0].dts for s in taken] == [3600 * n for n in range(whole)]
    assert (receiver.lost, receiver.packets, receiver.malformed) == (0, len(flat), 0)


@pytest.mark.slow
@given(
    seed=st.integers(0, 1 << 30),
    codec=codecs,
    marker=st.booleans(),
    loss=st.sampled_from((0.01, 0.1, 0.4)),
    reorder=st.booleans(),
    chunk=st.sampled_from((1, 3, 30)),
)
@settings(max_examples=60, deadline=None)
def test_with_loss_nothing_torn_is_delivered_and_all_is_accounted(
    seed: int, codec: Codec, marker: bool, loss: float, reorder: bool, chunk: int
) -> None:
    base = _base(codec)
    stream = _stream(seed, codec, 30, marker, base)
    rng = random.Random(seed + 1)
    receiver = receiver_for(0, base.media(), reorder=reorder)
    assert receiver is not None
    sent = [(number, each) for number, packets in enumerate(stream.packets) for each in packets]
    kept = [item for item in sent if rng.random() >= loss]
    if reorder:
        for at in range(len(kept) - 1):
            if rng.random() < 0.1:
                kept[at], kept[at + 1] = kept[at + 1], kept[at]
        kept += [kept[-1]] if kept else []
    out = []
    for at in range(0, len(kept), chunk):
        out += push_all(receiver, [each for _, each in kept[at : at + chunk]], kept[at][0] * 40_000)
    out += receiver.flush()
    taken = samples(out)
    arrived = {number: 0 for number in range(30)}
    for number, _ in set(kept):
        arrived[number] += 1
    whole = [arrived[number] == len(stream.packets[number]) for number in range(30)]

    # only whole units, in order, never twice
    delivered = [stream.units.index(s.data) for s in taken]
    assert delivered == sorted(set(delivered))
    assert all(whole[number] for number in delivered)
    # a unit that follows a missing one, before the next sync sample, is damaged; a sync sample never is
    for s, number in zip(taken, delivered, strict=True):
        assert s.sync == stream.syncs[number]
        sync = max(n for n in range(number + 1) if stream.syncs[n])
        if not s.damaged:
            assert all(whole[n] for n in range(sync, number + 1))
            assert set(range(sync, number + 1)) <= set(delivered)
        assert not (s.sync and s.damaged)
    # times rise strictly
    times = [s.dts for s in taken]
    assert times == sorted(set(times))
    assert all(s.cts_offset >= 0 for s in taken)
    # every missing packet between the first and the last that came is counted, and said
    order = {each: index for index, (_, each) in enumerate(sent)}
    seen = sorted({order[each] for _, each in kept})
    if seen and order[kept[0][1]] == seen[0]:
        assert receiver.lost == seen[-1] - seen[0] + 1 - len(seen)
        assert receiver.packets == len(seen)
    assert receiver.lost == sum(each.packets for each in out if isinstance(each, Loss))


@given(
    start=st.integers(0, (1 << 32) - 1),
    steps=st.lists(st.one_of(st.integers(1, 20_000), st.integers(-(1 << 31), 1 << 31)), min_size=1, max_size=60),
    depth=st.integers(0, 4),
)
@settings(max_examples=100, deadline=None)
def test_decode_times_rise_whatever_timestamps_do(start: int, steps: list[int], depth: int) -> None:
    base = clip("room.mp4")
    receiver = receiver_for(0, base.media(), reorder=False)
    assert receiver is not None
    receiver._times = DecodeTimes(depth, 3600)
    sender = Sender()
    timestamp, taken = start, []
    for number, step in enumerate(steps):
        taken += samples(push_all(receiver, sender.packets([b"\x65\x88\x80\x11\x22"], timestamp), number * 40_000))
        timestamp += step
    times = [s.dts for s in taken]
    assert len(times) == len(steps)
    assert times == sorted(set(times))
    assert all(0 <= s.cts_offset <= 16 * 90_000 for s in taken)


@pytest.mark.parametrize("ppm", [-500, -20, 20, 500])
def test_a_week_with_a_clock_that_is_off_makes_no_jump(ppm: int) -> None:
    clock = MediaClock(90_000)
    previous = None
    for minute in range(7 * 24 * 60):
        us = minute * 60_000_000
        media = clock.unwrap((us * 9 // 100 + us * 9 // 100 * ppm // 1_000_000) & 0xFFFF_FFFF, us)
        if previous is not None:
            assert abs(media - previous - 5_400_000) < 5_400_000 * 600 // 1_000_000
        previous = media
    assert clock.jumps == 0


@given(
    groups=st.lists(st.integers(1, 6), min_size=1, max_size=12),
    lsb_bits=st.integers(5, 8),
)
@settings(max_examples=60, deadline=None)
def test_reordering_is_learnt_without_a_display_time_before_its_decode_time(groups: list[int], lsb_bits: int) -> None:
    """P pictures each followed by the B pictures shown before them; nothing says so but the picture order counts."""
    shown, order = 0, [0]
    for group in groups:
        order += [shown + group, *range(shown + 1, shown + group)]
        shown += group
    learner, times = PictureOrder(16), DecodeTimes(0, 3600)
    previous = None
    for index, display in enumerate(order):
        pts = 1_000_000 + display * 3600
        known = learner.see(pts, display * 2 & ((1 << lsb_bits) - 1), lsb_bits, idr=index == 0)
        if known > times.depth:
            times.grow(known)
        dts = times.next(pts)
        assert dts is not None
        assert dts <= pts
        assert previous is None or dts > previous
        previous = dts
    assert learner.depth <= 1
    assert learner.depth == (1 if max(groups) > 1 else 0)
