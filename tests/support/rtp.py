"""RTP as a camera sends it: headers round the payloads of `longwatch.formats.rtp.packetize`, and real samples to send."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av

import longwatch
from longwatch.formats.media import Codec, Sample
from longwatch.formats.rtp import TrackReceiver
from longwatch.formats.rtp.packetize import nal_units, payloads
from longwatch.formats.sdp import Media

MEDIA = Path(longwatch.__file__).parent / "simulate" / "media"
SSRC = 0x1234_5678


def packet(
    payload: bytes,
    seq: int,
    timestamp: int,
    *,
    marker: bool = False,
    payload_type: int = 96,
    ssrc: int = SSRC,
) -> bytes:
    """One RTP packet without options."""
    second = (0x80 if marker else 0) | payload_type
    return struct.pack(">BBHII", 0x80, second, seq & 0xFFFF, timestamp & 0xFFFF_FFFF, ssrc) + payload


@dataclass(frozen=True)
class Clip:
    """An elementary stream: parameter sets, and (unit, pts, sync) in decode order, in 1/90000 s (audio: 1/rate s)."""

    codec: Codec
    sets: tuple[bytes, ...]
    units: tuple[tuple[bytes, int, bool], ...]
    rate: int = 90_000
    config: bytes = b""
    width: int = 0
    height: int = 0

    def media(self, *, with_sets: bool = True) -> Media:
        """What SDP says of it."""
        fmtp = {}
        if self.codec is Codec.H264:
            fmtp["packetization-mode"] = "1"
            if with_sets:
                fmtp["sprop-parameter-sets"] = ",".join(base64.b64encode(nal).decode() for nal in self.sets)
        elif self.codec is Codec.H265 and with_sets:
            for name, kind in (("sprop-vps", 32), ("sprop-sps", 33), ("sprop-pps", 34)):
                fmtp[name] = ",".join(base64.b64encode(nal).decode() for nal in self.sets if nal[0] >> 1 & 0x3F == kind)
        elif self.codec is Codec.AAC:
            fmtp |= {"mode": "AAC-hbr", "config": self.config.hex(), "sizelength": "13", "indexlength": "3"}
            fmtp["indexdeltalength"] = "3"
        name = {Codec.H264: "H264", Codec.H265: "H265", Codec.AAC: "MPEG4-GENERIC"}[self.codec]
        kind = "audio" if self.codec is Codec.AAC else "video"
        return Media(kind, 96, name, self.rate, 2 if kind == "audio" else 1, fmtp, payload_types=(96,))


def _parameter_sets(codec: Codec, extradata: bytes) -> tuple[bytes, ...]:
    sets = []
    if codec is Codec.H264:
        at = 6
        for _ in range(extradata[5] & 0x1F):
            size = int.from_bytes(extradata[at : at + 2], "big")
            sets.append(extradata[at + 2 : at + 2 + size])
            at += 2 + size
        at += 1
        for _ in range(extradata[at - 1]):
            size = int.from_bytes(extradata[at : at + 2], "big")
            sets.append(extradata[at + 2 : at + 2 + size])
            at += 2 + size
    else:
        at = 23
        for _ in range(extradata[22]):
            count = int.from_bytes(extradata[at + 1 : at + 3], "big")
            at += 3
            for _ in range(count):
                size = int.from_bytes(extradata[at : at + 2], "big")
                sets.append(extradata[at + 2 : at + 2 + size])
                at += 2 + size
    return tuple(sets)


@cache
def clip(name: str, kind: str = "video") -> Clip:
    """A stream of a file that simulated cameras loop: `lot.mp4` or `room.mp4`."""
    with av.open(str(MEDIA / name)) as container:
        stream = container.streams.video[0] if kind == "video" else container.streams.audio[0]
        extradata = stream.codec_context.extradata or b""
        rate = 90_000 if kind == "video" else stream.rate
        units = tuple(
            (bytes(p), round(p.pts * p.time_base * rate), p.is_keyframe)
            for p in container.demux(stream)
            if p.pts is not None
        )
        if kind == "audio":
            return Clip(Codec.AAC, (), units, rate, extradata)
        return Clip(Codec.H264, _parameter_sets(Codec.H264, extradata), units, width=stream.width, height=stream.height)


def _split_annex_b(data: bytes) -> list[bytes]:
    return [part.rstrip(b"\x00") for part in data.split(b"\x00\x00\x01") if part.rstrip(b"\x00")]


@cache
def encoded(codec: Codec, frames: int = 40, size: tuple[int, int] = (320, 240), options: str = "") -> Clip:
    """A stream made here by libx264 or libx265; options: `key=value:key=value` of the encoder. 25 frames a second."""
    name = "libx264" if codec is Codec.H264 else "libx265"
    context = av.CodecContext.create(name, "w")
    context.width, context.height = size
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(1, 25)
    context.framerate = Fraction(25, 1)
    parameters = "x264-params" if codec is Codec.H264 else "x265-params"
    quiet = "" if codec is Codec.H264 else ":log-level=none"
    context.options = {parameters: options + quiet, "preset": "veryfast"}
    packets = []
    for number in range(frames):
        frame = av.VideoFrame(size[0], size[1], "yuv420p")
        for index, plane in enumerate(frame.planes):
            step = 5 + index
            pattern = bytes((x // step * (number + 3) * 13) % 200 + 16 for x in range(997))
            plane.update((pattern * (plane.buffer_size // 997 + 1))[: plane.buffer_size])
        frame.pts = number
        packets += context.encode(frame)
    packets += context.encode(None)
    sets: list[bytes] = []
    units = []
    for p in packets:
        kept = []
        for nal in _split_annex_b(bytes(p)):
            kind = nal[0] & 0x1F if codec is Codec.H264 else nal[0] >> 1 & 0x3F
            if kind in ({7, 8} if codec is Codec.H264 else {32, 33, 34}):
                if nal not in sets:
                    sets.append(nal)
            else:
                kept.append(nal)
        unit = b"".join(struct.pack(">I", len(nal)) + nal for nal in kept)
        units.append((unit, p.pts * 3600, p.is_keyframe))
    return Clip(codec, tuple(sets), tuple(units), width=size[0], height=size[1])


@dataclass
class Sender:
    """Numbers packets. Change its fields to misbehave as a camera does."""

    seq: int = 1000
    offset: int = 0
    payload_type: int = 96
    ssrc: int = SSRC
    max_payload: int = 1388
    marker: bool = True

    def packets(self, parts: Sequence[bytes], timestamp: int) -> list[bytes]:
        """One access unit of these payloads."""
        out = []
        for number, part in enumerate(parts):
            marker = self.marker and number == len(parts) - 1
            out.append(
                packet(
                    part,
                    self.seq,
                    timestamp + self.offset,
                    marker=marker,
                    payload_type=self.payload_type,
                    ssrc=self.ssrc,
                )
            )
            self.seq += 1
        return out

    def unit(self, clip: Clip, number: int, sets: Sequence[bytes] = ()) -> list[bytes]:
        """The packets of access unit `number` of a clip, behind `sets`."""
        data, pts, _ = clip.units[number]
        return self.packets([*sets, *payloads(clip.codec, data, self.max_payload)], pts)

    def clip(self, clip: Clip, count: int | None = None) -> list[list[bytes]]:
        """The packets of each access unit."""
        return [self.unit(clip, number) for number in range(len(clip.units[:count]))]


def push_all(receiver: TrackReceiver, packets: Iterable[bytes], at_us: int = 0) -> list:
    """Push packets as one buffer, as if read at once."""
    buffer = bytearray()
    spans = []
    for each in packets:
        buffer += b"$\x00" + struct.pack(">H", len(each))
        spans.append((len(buffer), len(buffer) + len(each)))
        buffer += each
    return receiver.push(bytes(buffer), spans, at_us)


def push_units(receiver: TrackReceiver, units: Iterable[list[bytes]], step_us: int = 40_000) -> list:
    """Push access units one by one, `step_us` apart."""
    out = []
    for number, packets in enumerate(units):
        out += push_all(receiver, packets, number * step_us)
    return out


def samples(out: Iterable[object]) -> list[Sample]:
    """Only the samples."""
    return [each for each in out if isinstance(each, Sample)]


__all__ = ["Clip", "Sender", "clip", "encoded", "nal_units", "packet", "push_all", "push_units", "samples"]
