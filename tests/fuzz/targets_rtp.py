"""Fuzz targets: RTP receivers, RTCP and parameter sets. Each takes any bytes and raises nothing but declared errors."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

from longwatch.formats.codecs import CodecError, aac, h264, h265, mjpeg, opus
from longwatch.formats.media import Sample
from longwatch.formats.rtp import MAX_ACCESS_UNIT_BYTES, receiver_for, rtcp
from longwatch.formats.sdp import Media

_FMTP = {
    "H264": {"sprop-parameter-sets": "Z0KAFpZUBgG9NQYGBkAAAAMAQAAABmE=,aM41IA=="},
    "MP4A-LATM": {"cpresent": "0", "config": "400023203fc0"},
    "MPEG4-GENERIC": {"config": "1190", "mode": "AAC-hbr"},
}
_GOLDEN = Path(__file__).parent.parent / "golden" / "rtp"
_ENCODINGS = ("H264", "H265", "MPEG4-GENERIC", "MP4A-LATM", "PCMU", "OPUS", "JPEG", "VND.ONVIF.METADATA")


def _chunks(data: bytes) -> Iterator[bytes]:
    """Packets: a length byte each; 0 means 60."""
    at = 0
    while at < len(data):
        size = data[at] or 60
        yield data[at + 1 : at + 1 + size]
        at += 1 + size


def _receive(encoding: str, data: bytes, *, whole_headers: bool) -> None:
    """whole_headers: each chunk gets a good header, so that the payload formats see deep into the data."""
    media = Media("video", 96, encoding, 90_000 if "E" in encoding or "H" in encoding else 48_000, 1,
                  _FMTP.get(encoding, {}), payload_types=(96,))  # fmt: skip
    receiver = receiver_for(0, media, reorder=bool(data[:1] and data[0] & 1))
    assert receiver is not None
    last: int | None = None
    timestamp = 0
    for number, chunk in enumerate(_chunks(data)):
        packet = chunk
        if whole_headers and chunk:
            timestamp += (chunk[0] & 3) * 3000
            head = bytes((0x80, 96 | (chunk[0] & 0x80))) + number.to_bytes(2, "big")
            packet = head + timestamp.to_bytes(4, "big") + b"\x00\x00\x00\x07" + chunk[1:]
        out = receiver.push(packet, [(0, len(packet))], number * 10_000)
        for each in out:
            if isinstance(each, Sample):
                assert last is None or each.dts > last
                assert each.cts_offset >= 0
                assert len(each.data) <= MAX_ACCESS_UNIT_BYTES + 4096
                last = each.dts
    receiver.flush()
    receiver.push_rtcp(data, 0)
    receiver.receiver_report(10_000_000)


@cache
def _conversation(path: Path) -> tuple[list[tuple[int, bytes]], Media, bool]:
    case = json.loads(path.read_text(encoding="utf-8"))
    packets = [(at_us, base64.b64decode(text)) for at_us, text in case["packets"]]
    return packets, Media(**case["media"], payload_types=(96,)), case["reorder"]


def _mutate(path: Path, data: bytes) -> None:
    """A golden conversation in which every three bytes of `data` change, cut, repeat or drop one packet."""
    packets, media, reorder = _conversation(path)
    changes: dict[int, list[tuple[int, int]]] = {}
    for at in range(0, len(data) - 2, 3):
        changes.setdefault(data[at] % len(packets), []).append((data[at + 1], data[at + 2]))
    receiver = receiver_for(0, media, reorder=reorder)
    assert receiver is not None
    last: int | None = None
    for number, (at_us, each) in enumerate(packets):
        packet = bytearray(each)
        times = 1
        for where, what in changes.get(number, ()):
            if what == 0:
                del packet[where:]
            elif what == 1:
                times = 0
            elif what == 2:
                times = 2
            elif packet:
                packet[where % min(len(packet), 24)] ^= what
        for _ in range(times):
            for made in receiver.push(bytes(packet), [(0, len(packet))], at_us):
                if isinstance(made, Sample):
                    assert last is None or made.dts > last
                    assert made.cts_offset >= 0
                    last = made.dts
    receiver.flush()


def _rtcp(data: bytes) -> None:
    rtcp.parse(data)


def _parameter_sets(data: bytes) -> None:
    for parse in (h264.parse_sps, h264.parse_pps_ids, h265.parse_sps, h265.parse_vps, h265.parse_pps_ids):
        for head in (b"\x67", b"\x68", b"\x40\x01", b"\x42\x01", b"\x44\x01"):
            try:
                parse(head + data)
            except CodecError:
                continue
    h264.recovery_point(b"\x06" + data)


def _audio(data: bytes) -> None:
    for parse in (aac.parse_config, aac.parse_mux_config, opus.duration, mjpeg.size):
        try:
            parse(data)
        except CodecError:
            continue


TARGETS: dict[str, Callable[[bytes], None]] = {
    **{f"rtp_{name.lower()}_payloads": partial(_receive, name, whole_headers=True) for name in _ENCODINGS},
    **{f"rtp_{name.lower()}_packets": partial(_receive, name, whole_headers=False) for name in ("H264", "OPUS")},
    **{f"rtp_mutated_{path.stem}": partial(_mutate, path) for path in sorted(_GOLDEN.glob("*.json"))},
    "rtcp": _rtcp,
    "codecs_parameter_sets": _parameter_sets,
    "codecs_audio": _audio,
}
