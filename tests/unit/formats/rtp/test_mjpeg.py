"""JPEG over RTP (RFC 2435): pictures are rebuilt so that a decoder shows them."""

from __future__ import annotations

import struct
from fractions import Fraction

import av
import pytest
from tests.support.rtp import Sender, push_all, samples

from longwatch.formats.codecs import mjpeg
from longwatch.formats.media import Loss, Sample, TrackFormat
from longwatch.formats.rtp import TrackReceiver, receiver_for
from longwatch.formats.sdp import Media


def _jpeg(quality: int = 4, size: tuple[int, int] = (64, 48)) -> tuple[bytes, bytes, bytes]:
    """(whole picture, its quantization tables in RTP's order, its scan), with the standard Huffman tables."""
    context = av.CodecContext.create("mjpeg", "w")
    context.width, context.height = size
    context.pix_fmt, context.time_base = "yuvj420p", Fraction(1, 25)
    context.thread_count = 1  # slices of several threads would be told by restart markers
    context.options = {"huffman": "default", "qmin": str(quality), "qmax": str(quality)}
    frame = av.VideoFrame(*size, "yuvj420p")
    for index, plane in enumerate(frame.planes):
        plane.update(bytes((x * (3 + index) // 5) % 256 for x in range(plane.buffer_size)))
    frame.pts = 0
    data = bytes((context.encode(frame) + context.encode(None))[0])
    at, tables = 2, {}
    while data[at + 1] != 0xDA:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == 0xDB:
            body = data[at + 4 : at + 2 + length]
            while body:
                tables[body[0] & 15] = body[1:65]
                body = body[65:]
        at += 2 + length
    scan = data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]
    return data, tables[0] + tables.get(1, tables[0]), scan


def _payloads(
    scan: bytes,
    tables: bytes | None,
    *,
    quality: int = 255,
    kind: int = 1,
    size: tuple[int, int] = (64, 48),
    restart: int = 0,
    step: int = 300,
) -> list[bytes]:
    out = []
    for offset in range(0, len(scan), step):
        head = struct.pack(">B", 0) + offset.to_bytes(3, "big") + bytes((kind, quality, size[0] // 8, size[1] // 8))
        if 64 <= kind < 128:
            head += struct.pack(">HH", restart, 0xFFFF)
        if quality >= 128 and offset == 0:
            body = tables or b""
            head += struct.pack(">BBH", 0, 0, len(body)) + body
        out.append(head + scan[offset : offset + step])
    return out


def _receiver() -> TrackReceiver:
    receiver = receiver_for(0, Media("video", 26, "JPEG", 90_000), reorder=False)
    assert receiver is not None
    return receiver


def _pixels(jpeg: bytes) -> bytes:
    context = av.CodecContext.create("mjpeg", "r")
    frames = context.decode(av.Packet(jpeg)) + context.decode(None)
    assert len(frames) == 1
    return b"".join(bytes(plane) for plane in frames[0].planes)


def test_a_picture_is_rebuilt_to_the_pixel() -> None:
    whole, tables, scan = _jpeg()
    receiver, sender = _receiver(), Sender(payload_type=26)
    out = push_all(receiver, sender.packets(_payloads(scan, tables), 0))
    assert [type(each) for each in out] == [TrackFormat, Sample]
    assert out[0] == receiver.format
    assert (out[0].width, out[0].height) == (64, 48)
    assert _pixels(out[1].data) == _pixels(whole)
    assert mjpeg.size(out[1].data) == (64, 48)
    # tables are kept for pictures that leave them out
    again = samples(push_all(receiver, sender.packets(_payloads(scan, None), 3600)))
    assert [s.data for s in again] == [out[1].data]
    assert again[0].dts - out[1].dts == 3600


def test_standard_tables_by_quality() -> None:
    """Q 50 means the tables of ITU-T T.81 as they stand; below they grow, above they shrink."""
    assert mjpeg.quantization(50)[:8] == bytes((16, 11, 12, 14, 12, 10, 16, 14))
    assert max(mjpeg.quantization(99)) == 2
    assert mjpeg.quantization(1)[:1] == b"\xff"
    _, _, scan = _jpeg()
    out = samples(push_all(_receiver(), Sender(payload_type=26).packets(_payloads(scan, None, quality=60), 0)))
    assert len(_pixels(out[0].data)) > 0


def test_restart_intervals_and_other_subsampling_stand_in_the_headers() -> None:
    _, tables, scan = _jpeg()
    out = samples(
        push_all(_receiver(), Sender(payload_type=26).packets(_payloads(scan, tables, kind=64, restart=7), 0))
    )
    assert b"\xff\xdd\x00\x04\x00\x07" in out[0].data
    assert b"\xff\xc0\x00\x11\x08\x00\x30\x00\x40\x03\x01\x21\x00" in out[0].data


def test_a_picture_with_a_packet_missing_is_dropped_and_the_next_is_whole() -> None:
    _, tables, scan = _jpeg()
    receiver, sender = _receiver(), Sender(payload_type=26)
    torn = sender.packets(_payloads(scan, tables), 0)
    assert len(torn) > 2
    del torn[1]
    out = push_all(receiver, torn)
    assert [type(each) for each in out] == [Loss]
    out = push_all(receiver, sender.packets(_payloads(scan, tables), 3600))
    assert [(s.sync, s.damaged) for s in samples(out)] == [(True, False)]


def test_a_size_that_changes_is_a_new_format() -> None:
    receiver, sender = _receiver(), Sender(payload_type=26)
    kinds = []
    for number, size in enumerate([(64, 48), (64, 48), (96, 64)]):
        _, tables, scan = _jpeg(size=size)
        out = push_all(receiver, sender.packets(_payloads(scan, tables, size=size), number * 3600))
        kinds += [type(each) for each in out]
    assert kinds == [TrackFormat, Sample, Sample, TrackFormat, Sample]


@pytest.mark.parametrize("change", [{"kind": 2}, {"kind": 200}, {"size": (0, 48)}, {"quality": 0}, {"quality": 200}])
def test_pictures_that_the_standard_does_not_define(change: dict) -> None:
    _, _, scan = _jpeg()
    receiver = _receiver()
    assert push_all(receiver, Sender(payload_type=26).packets(_payloads(scan, None, **change), 0)) == []
    assert receiver.malformed == 1


def test_without_a_marker_a_picture_ends_where_the_next_begins() -> None:
    _, tables, scan = _jpeg()
    receiver, sender = _receiver(), Sender(payload_type=26, marker=False)
    taken = []
    for number in range(3):
        taken += samples(push_all(receiver, sender.packets(_payloads(scan, tables), number * 3600)))
    assert len(taken) == 2
