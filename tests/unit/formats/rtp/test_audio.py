"""AAC, G.711 and Opus over RTP."""

from __future__ import annotations

import itertools
import struct
from fractions import Fraction

import av
import pytest
from tests.support.rtp import Sender, clip, packet, push_all, push_units, samples

from longwatch.formats.media import Codec, Kind, Loss
from longwatch.formats.rtp import TrackReceiver, packetize, receiver_for
from longwatch.formats.sdp import Media

AAC = {"mode": "AAC-hbr", "config": "1190", "sizelength": "13", "indexlength": "3", "indexdeltalength": "3"}


def _receiver(media: Media, *, reorder: bool = False) -> TrackReceiver:
    receiver = receiver_for(1, media, reorder=reorder)
    assert receiver is not None
    return receiver


def _aac(**changes: str) -> Media:
    return Media("audio", 96, "MPEG4-GENERIC", 48_000, 2, {**AAC, **changes}, payload_types=(96,))


def test_aac_comes_out_as_it_went_in_and_decodes() -> None:
    source = clip("lot.mp4", "audio")
    receiver = _receiver(source.media())
    taken = samples(push_units(receiver, Sender().clip(source, 200), 21_333))
    assert [s.data for s in taken] == [unit for unit, _, _ in source.units[:200]]
    assert all(b.dts - a.dts == 1024 for a, b in itertools.pairwise(taken))
    assert receiver.format is not None
    assert (receiver.format.kind, receiver.format.timescale, receiver.format.codec_string) == (
        Kind.AUDIO,
        48_000,
        "mp4a.40.2",
    )
    context = av.CodecContext.create("aac", "r")
    context.extradata = source.config
    count = 0
    for sample in taken:
        each = av.Packet(sample.data)
        each.pts, each.time_base = sample.dts, Fraction(1, 48_000)
        count += len(context.decode(each))
    assert count >= 199


def test_several_aac_frames_in_a_packet_are_a_frame_apart() -> None:
    frames = [b"a" * 10, b"b" * 20, b"c" * 5]
    headers = b"".join((len(frame) << 3).to_bytes(2, "big") for frame in frames)
    payload = struct.pack(">H", 48) + headers + b"".join(frames)
    taken = samples(push_all(_receiver(_aac()), [packet(payload, 1, 5000, marker=True)]))
    assert [s.data for s in taken] == frames
    assert [s.dts - taken[0].dts for s in taken] == [0, 1024, 2048]
    assert all(s.sync for s in taken)


def test_low_rate_aac_has_short_headers() -> None:
    payload = struct.pack(">H", 16) + bytes((3 << 2, 2 << 2)) + b"abcde"
    media = _aac(mode="AAC-lbr", sizelength="6", indexlength="2", indexdeltalength="2")
    assert [s.data for s in samples(push_all(_receiver(media), [packet(payload, 1, 0)]))] == [b"abc", b"de"]


def test_an_aac_frame_in_pieces_is_put_together_and_dropped_when_a_piece_is_missing() -> None:
    frame = bytes(range(256)) * 10
    parts = packetize.aac(frame, 900)
    assert len(parts) == 3
    receiver, sender = _receiver(_aac()), Sender()
    assert [s.data for s in samples(push_all(receiver, sender.packets(parts, 0)))] == [frame]
    torn = sender.packets(parts, 1024)
    del torn[1]
    out = push_all(receiver, torn)
    assert [type(each) for each in out] == [Loss]
    taken = samples(push_all(receiver, sender.packets(parts, 2048)))
    assert [(s.data, s.damaged) for s in taken] == [(frame, True)]
    taken = samples(push_all(receiver, sender.packets(parts, 3072)))
    assert [(s.data, s.damaged) for s in taken] == [(frame, False)]


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x00", b"\x00\x10", b"\xff\xff\x00\x08", b"\x00\x10\xff\xff", b"\x00\x20\x00\x08\x00\x09ab", b"\x00\x00ab"],
)
def test_aac_headers_that_make_no_sense_are_counted(payload: bytes) -> None:
    receiver = _receiver(_aac())
    assert samples(push_all(receiver, [packet(payload, 1, 0)])) == []
    if payload != b"\x00\x10\xff\xff":  # a frame of 8191 bytes of which more could come
        assert receiver.malformed == 1


@pytest.mark.parametrize(
    "changes", [{"config": ""}, {"config": "zz"}, {"config": "ffff"}, {"sizelength": "x"}, {"sizelength": "99"}]
)
def test_aac_that_sdp_describes_wrongly_is_not_taken(changes: dict[str, str]) -> None:
    assert receiver_for(1, _aac(**changes), reorder=False) is None


@pytest.mark.parametrize(("name", "payload_type", "box"), [("PCMU", 0, b"ulaw"), ("PCMA", 8, b"alaw")])
def test_g711_packets_are_samples(name: str, payload_type: int, box: bytes) -> None:
    receiver = _receiver(Media("audio", payload_type, name, 8000))
    packets = [packet(bytes([n]) * 160, n, n * 160, payload_type=payload_type) for n in range(5)]
    del packets[2]
    taken = samples(push_all(receiver, packets))
    assert [s.data for s in taken] == [bytes([n]) * 160 for n in (0, 1, 3, 4)]
    assert [s.dts - taken[0].dts for s in taken] == [0, 160, 480, 640]
    assert not any(s.damaged for s in taken)
    assert receiver.format is not None
    assert receiver.format.sample_entry[4:8] == box
    assert receiver.format.codec is Codec(name.lower())


def test_opus_packets_are_samples_and_empty_ones_are_not() -> None:
    receiver = _receiver(Media("audio", 96, "opus", 48_000, 2))
    out = push_all(
        receiver,
        [packet(b"\xfc\x01\x02", 1, 0), packet(b"", 2, 960), packet(b"\xff", 3, 960), packet(b"\xfc\x03", 4, 1920)],
    )
    assert [(s.data, s.sync) for s in samples(out)] == [(b"\xfc\x01\x02", True), (b"\xfc\x03", True)]
    assert receiver.malformed == 2


def test_times_that_stand_still_are_moved() -> None:
    receiver = _receiver(Media("audio", 0, "PCMU", 8000))
    taken = samples(push_all(receiver, [packet(b"x", n, 77, payload_type=0) for n in range(4)]))
    assert [s.dts - taken[0].dts for s in taken] == [0, 1, 2, 3]
    assert receiver.notes == ["timestamps went back or stood still"]


@pytest.mark.parametrize("encoding", ["", "G726-32", "L16", "H263-2000", "VND.ONVIF.METADATA.GZIP"])
def test_encodings_that_we_do_not_take(encoding: str) -> None:
    assert receiver_for(0, Media("audio", 96, encoding, 8000), reorder=False) is None


def _latm(config: str = "40002320 3fc0".replace(" ", ""), **fmtp: str) -> Media:
    return Media("audio", 96, "MP4A-LATM", 48_000, 2, {"cpresent": "0", "config": config, **fmtp})


def test_latm_frames_stand_behind_their_lengths() -> None:
    receiver, sender = _receiver(_latm()), Sender()
    assert receiver.format is not None
    assert receiver.format.codec_string == "mp4a.40.2"
    assert b"\x05\x80\x80\x80\x02\x11\x90" in receiver.format.sample_entry
    frames = [bytes([7]) * 600, bytes([8]) * 255, bytes([9]) * 10]
    out = []
    for number, frame in enumerate(frames):
        element = b"\xff" * (len(frame) // 255) + bytes([len(frame) % 255]) + frame
        out += push_all(
            receiver, sender.packets([element[:200], element[200:]] if len(element) > 200 else [element], number * 1024)
        )
    assert [s.data for s in samples(out)] == frames
    assert [s.dts - out[0].dts for s in samples(out)] == [0, 1024, 2048]
    torn = sender.packets([b"\xff\x10" + bytes(150), bytes(100), bytes(21)], 4096)
    del torn[1]
    assert [type(each) for each in push_all(receiver, torn)] == [Loss]
    taken = samples(push_all(receiver, sender.packets([b"\x02ab"], 5120)))
    assert [(s.data, s.damaged) for s in taken] == [(b"ab", True)]
    push_all(receiver, sender.packets([b"\x05ab"], 6144))
    assert receiver.malformed == 1


@pytest.mark.parametrize(
    "config", ["", "4000", "c00023203fc0", "00002320 3fc0", "4010232 03fc0", "40002fff3fc0", "4000232fffff"]
)
def test_latm_that_sdp_describes_wrongly_is_not_taken(config: str) -> None:
    assert receiver_for(1, _latm(config.replace(" ", "")), reorder=False) is None
    assert receiver_for(1, _latm(cpresent="1"), reorder=False) is None
