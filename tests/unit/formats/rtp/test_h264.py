"""H.264 over RTP: real streams in, the same streams out; and what a decoder says of them."""

from __future__ import annotations

import base64
from fractions import Fraction
from itertools import pairwise

import av
import pytest
from tests.support.rtp import Clip, Sender, clip, encoded, packet, push_all, push_units, samples

from longwatch.formats.codecs import h264 as codec
from longwatch.formats.media import Codec, Loss, Sample, TrackFormat
from longwatch.formats.rtp import TrackReceiver, packetize, receiver_for
from longwatch.formats.rtp.packetize import nal_units
from longwatch.formats.sdp import Media

# Picture order counts are sent, so B-frames could be; between two IDR pictures there is no room for one.
_NONE_BUT_POSSIBLE = "bframes=1:keyint=2:min-keyint=2:scenecut=0"


def _receiver(media: Media, *, reorder: bool = False) -> TrackReceiver:
    receiver = receiver_for(0, media, reorder=reorder)
    assert receiver is not None
    return receiver


def _decode(track: TrackFormat, taken: list[Sample]) -> list[av.VideoFrame]:
    """What libav shows of the samples, set up from the sample entry alone."""
    name = b"avcC" if track.codec is Codec.H264 else b"hvcC"
    at = track.sample_entry.index(name)
    size = int.from_bytes(track.sample_entry[at - 4 : at], "big")
    context = av.CodecContext.create("h264" if track.codec is Codec.H264 else "hevc", "r")
    context.extradata = track.sample_entry[at + 4 : at - 4 + size]
    frames = []
    for sample in taken:
        each = av.Packet(sample.data)
        each.pts, each.dts, each.time_base = sample.dts + sample.cts_offset, sample.dts, Fraction(1, 90_000)
        frames += context.decode(each)
    return frames + context.decode(None)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lot.mp4", "room.mp4"])
def test_a_real_stream_comes_out_as_it_went_in(name: str) -> None:
    source = clip(name)
    receiver = _receiver(source.media())
    assert receiver.format is not None
    assert (receiver.format.width, receiver.format.height) == (source.width, source.height)
    taken = samples(push_units(receiver, Sender().clip(source)))
    assert [s.data for s in taken] == [unit for unit, _, _ in source.units]
    assert [s.dts + s.cts_offset - taken[0].dts for s in taken] == [
        pts - source.units[0][1] for _, pts, _ in source.units
    ]
    assert [s.sync for s in taken] == [sync for _, _, sync in source.units]
    assert len(_decode(receiver.format, taken)) == len(source.units)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "options", "depth"),
    [
        (Codec.H264, "bframes=0:keyint=10", 0),
        (Codec.H264, "bframes=3:b-adapt=0:b-pyramid=none:keyint=12", 1),
        (Codec.H264, "bframes=3:b-adapt=0:b-pyramid=normal:keyint=12", 2),
        (Codec.H264, "bframes=2:b-adapt=0:open-gop=1:keyint=8", 2),
        (Codec.H264, "bframes=0:slices=4:keyint=10", 0),
        (Codec.H265, "bframes=0:keyint=10", 0),
        (Codec.H265, "bframes=3:b-adapt=0:b-pyramid=1:keyint=12:open-gop=0", 2),
        (Codec.H265, "bframes=3:b-adapt=0:b-pyramid=0:keyint=12:open-gop=1", 1),
    ],
)
def test_decode_times_stand_apart_from_display_times(kind: Codec, options: str, depth: int) -> None:
    source = encoded(kind, 30, (160, 96), options)
    receiver = _receiver(source.media())
    taken = samples(push_units(receiver, Sender().clip(source)))
    assert [s.data for s in taken] == [unit for unit, _, _ in source.units]
    shown = [s.dts + s.cts_offset for s in taken]
    assert [each - min(shown) for each in shown] == [pts for _, pts, _ in source.units]
    assert all(b.dts - a.dts == 3600 for a, b in pairwise(taken))
    assert all(s.cts_offset >= 0 for s in taken)
    assert receiver.format is not None
    assert receiver.format.reorder_depth == depth
    frames = _decode(receiver.format, taken)
    assert len(frames) == 30
    assert [frame.pts for frame in frames] == sorted(shown)


def _without_vui(sps: bytes) -> bytes:
    """The same SPS, saying nothing of reordering: cut at the VUI flag, which is the first bit that may be so."""
    wanted = codec.parse_sps(sps)
    bits = "".join(f"{byte:08b}" for byte in sps)
    for at in range(40, len(bits)):
        if bits[at] != "1":
            continue
        text = bits[:at] + "01"
        text += "0" * (-len(text) % 8)
        try:
            found = codec.parse_sps(int(text, 2).to_bytes(len(text) // 8, "big"))
        except codec.CodecError:
            continue
        if (found.width, found.height, found.max_ref_frames) == (wanted.width, wanted.height, wanted.max_ref_frames):
            return int(text, 2).to_bytes(len(text) // 8, "big")
    raise AssertionError("no VUI found")


@pytest.mark.parametrize(
    "options", ["bframes=3:b-adapt=0:b-pyramid=normal:keyint=20", "bframes=3:b-pyramid=none:keyint=12"]
)
def test_reordering_that_nobody_announced_is_learnt(options: str) -> None:
    """The first decode times are squeezed together; no display time lies before its decode time."""
    original = encoded(Codec.H264, 40, (160, 96), options)
    sets = tuple(_without_vui(nal) if nal[0] & 0x1F == 7 else nal for nal in original.sets)
    assert codec.parse_sps(sets[0]).reorder is None
    source = Clip(Codec.H264, sets, original.units)
    receiver = _receiver(source.media())
    taken = samples(push_units(receiver, Sender().clip(source)))
    assert len(taken) == 40
    shown = [s.dts + s.cts_offset for s in taken]
    assert [each - min(shown) for each in shown] == [pts for _, pts, _ in source.units]
    assert all(b.dts > a.dts for a, b in pairwise(taken))
    assert all(b.dts - a.dts == 3600 for a, b in pairwise(taken[6:]))
    assert all(s.cts_offset >= 0 for s in taken)
    assert receiver.notes == []


def test_a_stream_without_b_frames_that_says_nothing_is_not_delayed() -> None:
    original = encoded(Codec.H264, 30, (160, 96), _NONE_BUT_POSSIBLE)
    sets = tuple(_without_vui(nal) if nal[0] & 0x1F == 7 else nal for nal in original.sets)
    source = Clip(Codec.H264, sets, original.units)
    taken = samples(push_units(_receiver(source.media()), Sender().clip(source)))
    assert {s.cts_offset for s in taken} == {0}


def test_aggregated_units_and_repeated_parameter_sets_make_clean_samples() -> None:
    """STAP-A with AUD, SPS, PPS and SEI: parameter sets stand in the sample entry, not in samples; the SEI stays."""
    source = clip("lot.mp4")
    receiver = _receiver(source.media())
    sei = bytes.fromhex("060501aa80")
    data, pts, _ = source.units[0]
    stap = b"\x18" + b"".join(len(nal).to_bytes(2, "big") + nal for nal in (b"\x09\xf0", *source.sets, sei))
    parts = [stap, *(p for nal in nal_units(data) for p in packetize.h264(nal))]
    out = push_all(receiver, Sender().packets(parts, pts))
    assert [type(each) for each in out] == [Sample]
    assert list(nal_units(out[0].data)) == [sei, *nal_units(data)]


def test_nothing_is_delivered_before_the_first_sync_sample() -> None:
    source = clip("lot.mp4")
    receiver = _receiver(source.media())
    first = next(n for n, unit in enumerate(source.units) if unit[2] and n)
    sender = Sender()
    taken = samples(push_units(receiver, [sender.unit(source, n) for n in range(1, first + 3)]))
    assert [s.data for s in taken] == [source.units[n][0] for n in range(first, first + 3)]
    assert taken[0].sync


def test_open_gop_pictures_that_lead_the_first_sync_sample_are_left_out() -> None:
    source = encoded(Codec.H264, 30, (160, 96), "bframes=2:b-adapt=0:open-gop=1:keyint=8:min-keyint=8:scenecut=0")
    recovery = next(
        n for n, (data, _, _) in enumerate(source.units)
        if n and any(nal[0] == 6 and codec.recovery_point(nal) == 0 for nal in nal_units(data))
    )  # fmt: skip
    sender = Sender()
    taken = samples(push_units(_receiver(source.media()), [sender.unit(source, n) for n in range(recovery, 30)]))
    begin = source.units[recovery][1]
    assert taken[0].sync
    assert [s.data for s in taken] == [d for d, pts, _ in source.units[recovery:] if pts >= begin]


def test_gradual_refresh_begins_at_a_recovery_point_and_heals_after_its_count() -> None:
    """Periodic intra refresh (no IDR after the first): a session may begin at any recovery point."""
    source = encoded(Codec.H264, 60, (160, 96), "bframes=0:intra-refresh=1:keyint=10:scenecut=0")
    points = [
        n for n, (data, _, _) in enumerate(source.units)
        if any(nal[0] & 0x1F == 6 and codec.recovery_point(nal) for nal in nal_units(data))
    ]  # fmt: skip
    assert len(points) > 3
    sender = Sender(max_payload=100)
    receiver = _receiver(source.media())
    units = [sender.unit(source, n) for n in range(points[0], 60)]
    del units[3][0]
    taken = samples(push_units(receiver, units))
    assert taken[0].sync
    assert taken[0].data == source.units[points[0]][0]
    damaged = [s.damaged for s in taken]
    assert damaged[3]
    assert not damaged[-1]
    healed = damaged.index(False, 3)
    assert all(damaged[3:healed])
    second = next(p for p in points if p > points[0] + 3)
    count = next(c for nal in nal_units(source.units[second][0]) if (c := codec.recovery_point(nal)))
    assert healed == second - points[0] - 1 + count  # one unit is missing from what was taken


def test_a_stream_without_any_sync_sample_is_begun_at_an_i_picture_after_ten_seconds() -> None:
    source = encoded(Codec.H264, 10, (64, 48), "bframes=0:keyint=1")
    units = []
    for data, pts, _ in source.units:
        nals = [bytes((nal[0] & 0xE0 | 1,)) + nal[1:] for nal in nal_units(data) if nal[0] & 0x1F == 5]
        units.append((nals, pts))
    receiver, sender = _receiver(source.media()), Sender()
    out = []
    for number in range(30):
        nals, _ = units[number % 10]
        parts = [p for nal in nals for p in packetize.h264(nal)]
        out += push_all(receiver, sender.packets(parts, number * 45_000), number * 500_000)
    assert len(samples(out)) == 30 - 21
    assert samples(out)[0].sync
    assert receiver.notes == ["no IDR picture and no recovery point: begun at an I picture"]


def test_slices_that_each_carry_the_marker_are_put_together_once_that_is_known() -> None:
    """The first picture is delivered with its first slice alone; from then on units end where timestamps change."""
    source = encoded(Codec.H264, 20, (160, 96), "bframes=0:slices=3:keyint=5:min-keyint=5:scenecut=0")
    receiver, sender = _receiver(source.media()), Sender()
    out = []
    for number, (data, pts, _) in enumerate(source.units):
        for nal in nal_units(data):
            parts = packetize.h264(nal)
            out += push_all(receiver, sender.packets(parts, pts), number * 40_000)
    taken = samples(out)
    assert receiver.notes[0] == "the marker bit is set inside an access unit"
    whole = [unit for unit, _, _ in source.units]
    later = [s for s in taken if not s.damaged][1:]
    assert later
    assert all(s.data in whole for s in later)
    assert later[0].sync


def test_a_loss_says_how_many_packets_and_when() -> None:
    source = clip("lot.mp4")
    receiver, sender = _receiver(source.media()), Sender(max_payload=300)
    first, second = sender.unit(source, 0), sender.unit(source, 1)
    push_all(receiver, first, 1000)
    del first[2:5]
    third = sender.unit(source, 2)
    out = push_all(receiver, third, 99_000)
    assert out[0] == Loss(0, len(second), 99_000, f"{len(second)} packets missing")
    assert receiver.lost == len(second)
    assert [s.damaged for s in samples(out)] == [True]


def test_access_units_are_capped() -> None:
    """A fragment that never ends is dropped at 16 MiB, and the stream goes on."""
    source = clip("lot.mp4")
    receiver = _receiver(source.media())
    seq = 0
    begin = packet(b"\x7c\x85" + bytes(10), seq, 5)
    push_all(receiver, [begin])
    body = b"\x7c\x05" + bytes(60_000)
    for _ in range(400):
        seq += 1
        push_all(receiver, [packet(body, seq, 5)])
    assert sum(map(len, receiver._fragments)) < 17 << 20
    assert "an access unit was larger than 16 MiB and was dropped" in receiver.notes
    taken = samples(push_units(receiver, [Sender(seq=seq + 1, offset=9000).unit(source, 0)]))
    assert [s.data for s in taken] == [source.units[0][0]]


def test_fragments_of_nothing_are_capped_by_their_number() -> None:
    """An empty fragment is 18 bytes on the wire and 60 in memory: a million of them fit below 16 MiB."""
    receiver = _receiver(clip("lot.mp4").media())
    push_all(receiver, [packet(b"\x7c\x85" + bytes(10), 0, 5)])
    most = 0
    for first in range(1, 100_001, 1000):
        push_all(receiver, [packet(b"\x7c\x05", seq, 5) for seq in range(first, first + 1000)])
        most = max(most, len(receiver._fragments))
    assert 60_000 < most <= 70_000
    assert "an access unit was larger than 16 MiB and was dropped" in receiver.notes


def test_parameter_sets_of_sdp_in_odd_shapes() -> None:
    """Without base64 padding, with start codes in front, with blanks."""
    source = clip("lot.mp4")
    for shape in (
        lambda nal: base64.b64encode(nal).decode().rstrip("="),
        lambda nal: base64.b64encode(b"\x00\x00\x00\x01" + nal).decode(),
        lambda nal: f" {base64.b64encode(nal).decode()} ",
    ):
        media = Media("video", 96, "H264", 90_000, fmtp={"sprop-parameter-sets": ",".join(map(shape, source.sets))})
        assert _receiver(media).format == _receiver(source.media()).format


def test_buffers_of_any_kind_are_read_and_not_kept() -> None:
    source = clip("lot.mp4")
    for kind in (bytes, bytearray, memoryview):
        receiver = _receiver(source.media())
        taken = []
        for number in range(5):
            packets = Sender(seq=number * 100).unit(source, number)
            receiver._seq = number * 100 if number else -1
            joined = bytearray(b"".join(packets))
            spans, at = [], 0
            for each in packets:
                spans.append((at, at + len(each)))
                at += len(each)
            half = len(spans) // 2
            taken += samples(receiver.push(kind(joined), spans[:half], number))
            again = bytearray(joined)
            joined[:] = bytes(len(joined))
            taken += samples(receiver.push(kind(again), spans[half:], number))
        assert [s.data for s in taken] == [unit for unit, _, _ in source.units[:5]]
        assert all(type(s.data) is bytes for s in taken)


def test_small_access_units_never_add_up_to_a_cap() -> None:
    source = clip("lot.mp4")
    receiver, sender = _receiver(source.media()), Sender()
    push_all(receiver, sender.unit(source, 0))
    small, count = b"\x41\x88" + bytes([7]) * 60_000, 400
    for number in range(count):
        taken = samples(push_all(receiver, sender.packets([small], (number + 1) * 3600), number * 40_000))
        assert [len(s.data) for s in taken] == [len(small) + 4]
    assert receiver.notes == []


def test_arrival_is_that_of_the_last_packet_of_the_unit_even_without_a_marker() -> None:
    source = clip("lot.mp4")
    receiver, sender = _receiver(source.media()), Sender(marker=False)
    push_all(receiver, sender.unit(source, 0), 1000)
    assert [s.arrival_boot_us for s in samples(push_all(receiver, sender.unit(source, 1), 81_000))] == [1000]


def test_learning_the_order_ends_when_nothing_is_reordered() -> None:
    """Slices are read for 250 pictures at most."""
    original = encoded(Codec.H264, 130, (64, 48), _NONE_BUT_POSSIBLE)
    sets = tuple(_without_vui(nal) if nal[0] & 0x1F == 7 else nal for nal in original.sets)
    source = Clip(Codec.H264, sets, original.units)
    receiver, sender = _receiver(source.media()), Sender()
    taken = samples(push_units(receiver, sender.clip(source)))
    assert receiver._learns_order
    sender.offset += 130 * 3600
    taken += samples(push_units(receiver, sender.clip(source)))
    assert not receiver._learns_order
    assert {s.cts_offset for s in taken} == {0}


def test_b_frames_that_begin_when_none_were_expected_are_learnt_from_the_next_group_on() -> None:
    original = encoded(
        Codec.H264, 60, (64, 48), "bframes=3:b-adapt=0:b-pyramid=none:keyint=12:min-keyint=12:scenecut=0"
    )
    sets = tuple(_without_vui(nal) if nal[0] & 0x1F == 7 else nal for nal in original.sets)
    source = Clip(Codec.H264, sets, original.units)
    receiver = _receiver(source.media())
    receiver._learns_order = False
    taken = samples(push_units(receiver, Sender().clip(source)))
    assert [s.data for s in taken] == [unit for unit, _, _ in source.units]
    assert all(b.dts > a.dts for a, b in pairwise(taken))
    assert all(s.cts_offset >= 0 for s in taken)
    shown = [s.dts + s.cts_offset for s in taken][24:]
    wanted = [pts for _, pts, _ in source.units][24:]
    assert [each - shown[0] for each in shown] == [each - wanted[0] for each in wanted]


def test_a_fragment_without_its_beginning_spoils_the_unit_it_comes_in() -> None:
    source = encoded(Codec.H264, 6, (160, 96), "bframes=0:keyint=3:min-keyint=3:scenecut=0")
    receiver, sender = _receiver(source.media()), Sender()
    push_all(receiver, sender.unit(source, 0))
    nals = list(nal_units(source.units[1][0]))
    out = push_all(receiver, sender.packets([*nals, b"\x5c\x01" + bytes(9)], 3600))
    assert out == []
    taken = samples(push_units(receiver, [sender.unit(source, number) for number in (2, 3)]))
    assert [(s.sync, s.damaged) for s in taken] == [(False, True), (True, False)]


def test_a_wrap_inside_a_fragmented_unit_is_counted_in_reports() -> None:
    source = clip("lot.mp4")
    receiver, sender = _receiver(source.media()), Sender(seq=65_530, max_payload=100)
    packets = sender.unit(source, 0)
    assert len(packets) > 20
    assert len(samples(push_all(receiver, packets))) == 1
    highest = int.from_bytes(receiver.receiver_report(0)[16:20], "big")
    assert highest == 65_530 + len(packets) - 1


def test_parameter_sets_of_another_id_that_come_later_say_the_size() -> None:
    first, second = (
        encoded(Codec.H264, 3, size, f"bframes=0:keyint=3:sps-id={number}")
        for number, size in ((0, (64, 48)), (1, (96, 64)))
    )
    receiver, sender = _receiver(first.media()), Sender()
    out = push_all(receiver, sender.unit(first, 0) + sender.unit(second, 0, second.sets))
    formats = [each for each in out if isinstance(each, TrackFormat)]
    assert [(each.width, each.height) for each in formats] == [(96, 64)]
    entry = formats[0].sample_entry
    assert all(nal in entry for nal in (*first.sets, *second.sets))
    assert all(entry.index(new) < entry.index(old) for new, old in zip(second.sets, first.sets, strict=True))
