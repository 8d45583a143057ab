"""A short file, read once, as the RTP payloads of an endless stream.

Unit `n` of a track exists for every n >= 0: the file is looped, its timestamps go on without a seam. Audio keeps its
own regular grid of frames across the seam; its content is whatever the file holds at that moment.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av

from longwatch.base.errors import UsageError
from longwatch.formats.media import Codec, Kind
from longwatch.formats.rtp import packetize

_CODECS = {"h264": Codec.H264, "hevc": Codec.H265, "aac": Codec.AAC}
VIDEO_CLOCK = 90_000


@dataclass(frozen=True, slots=True)
class Unit:
    """One access unit of the file. Times are ticks of its track from the beginning of the file."""

    dts: int
    pts: int
    sync: bool
    data: bytes = field(repr=False)
    payloads: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Track:
    """One track. rate: ticks a second of its RTP clock. loop: ticks after which the file begins again.

    parameter_sets: NAL units to send before each sync unit. grid: duration of each unit where all are equal (audio), else 0.
    """

    kind: Kind
    codec: Codec
    rate: int
    loop: int
    units: tuple[Unit, ...] = field(repr=False)
    grid: int
    rtpmap: str
    fmtp: str
    parameter_sets: tuple[bytes, ...] = field(repr=False, default=())

    def at(self, number: int) -> tuple[Unit, int]:
        """Unit `number` of the endless stream, and what to add to its dts and pts."""
        if self.grid:
            time = number * self.grid
            index = (time % self.loop) // self.grid % len(self.units)
            return self.units[index], time - self.units[index].dts
        lap, index = divmod(number, len(self.units))
        return self.units[index], lap * self.loop

    def number_at(self, ticks: int) -> int:
        """The first unit whose time is not before `ticks`."""
        if self.grid:
            return -(-ticks // self.grid)
        lap, rest = divmod(ticks, self.loop)
        low, high = 0, len(self.units)
        while low < high:
            middle = (low + high) // 2
            if self.units[middle].dts < rest:
                low = middle + 1
            else:
                high = middle
        return lap * len(self.units) + low

    def sync_before(self, ticks: int) -> int:
        """The last sync unit at or before `ticks`; the very first one where there is none."""
        number = self.number_at(ticks + 1) - 1
        while number > 0 and not self.at(number)[0].sync:
            number -= 1
        return max(number, 0)


@dataclass(frozen=True, slots=True)
class Clip:
    """A file, ready to be sent; shared by all cameras of a process that loop it."""

    path: Path
    tracks: tuple[Track, ...]

    @property
    def video(self) -> Track:
        return self.tracks[0]


@functools.lru_cache(maxsize=16)
def load(path: Path) -> Clip:
    """Read a file: its first video track and, where there is one, its first AAC track.

    Raises UsageError where it cannot be read or holds no video that can be sent.
    """
    try:
        tracks = _read(path)
    except (OSError, ValueError, av.FFmpegError) as error:
        raise UsageError(
            f"cannot read {path}", why=str(error), remedy="give an mp4 with H.264 or H.265 video"
        ) from error
    if not tracks or tracks[0].kind is not Kind.VIDEO:
        raise UsageError(f"no H.264 or H.265 video in {path}", remedy="give an mp4 with H.264 or H.265 video")
    return Clip(path, tuple(tracks))


def _read(path: Path) -> list[Track]:
    tracks: list[Track] = []
    with av.open(str(path)) as container:
        for stream in (*container.streams.video[:1], *container.streams.audio[:1]):
            context = stream.codec_context
            if context.name not in _CODECS:
                continue
            container.seek(0)
            raw = [
                (packet.dts, packet.pts, packet.is_keyframe, bytes(packet))
                for packet in container.demux(stream)
                if packet.size and packet.pts is not None and packet.dts is not None
            ]
            base = stream.time_base or Fraction(1, VIDEO_CLOCK)
            record = bytes(context.extradata or b"")
            codec = _CODECS[context.name]
            if isinstance(context, av.AudioCodecContext):
                tracks.append(_audio(codec, context.sample_rate, context.channels, base, raw, record))
            else:
                tracks.append(_video(codec, base, raw, record))
    if len(tracks) > 1:  # audio is looped with the video, not by its own length
        seconds = Fraction(tracks[0].loop, tracks[0].rate)
        tracks[1] = dataclasses.replace(tracks[1], loop=round(seconds * tracks[1].rate))
    return tracks


def _units(codec: Codec, rate: int, base: Fraction, raw: list[tuple[int, int, bool, bytes]]) -> tuple[Unit, ...]:
    first = raw[0][0]
    scale = base * rate
    return tuple(
        Unit(
            round((dts - first) * scale),
            round((pts - first) * scale),
            sync,
            data,
            tuple(packetize.payloads(codec, data)),
        )
        for dts, pts, sync, data in raw
    )


def _loop(units: tuple[Unit, ...]) -> int:
    return units[-1].dts + (units[-1].dts - units[-2].dts)


def _audio(
    codec: Codec, rate: int, channels: int, base: Fraction, raw: list[tuple[int, int, bool, bytes]], config: bytes
) -> Track:
    units = _units(codec, rate, base, raw)
    fmtp = (
        "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;"
        f"config={config.hex()}"
    )
    return Track(Kind.AUDIO, codec, rate, _loop(units), units, 1024, f"MPEG4-GENERIC/{rate}/{channels}", fmtp)


def _video(codec: Codec, base: Fraction, raw: list[tuple[int, int, bool, bytes]], record: bytes) -> Track:
    units = _units(codec, VIDEO_CLOCK, base, raw)
    if codec is Codec.H264:
        sets = h264_parameter_sets(record)
        sprop = ",".join(base64.b64encode(s).decode() for s in sets)
        fmtp = f"packetization-mode=1;profile-level-id={sets[0][1:4].hex()};sprop-parameter-sets={sprop}"
        name = "H264"
    else:
        sets = h265_parameter_sets(record)
        named = {32: "vps", 33: "sps", 34: "pps"}
        fmtp = ";".join(f"sprop-{named[s[0] >> 1 & 63]}={base64.b64encode(s).decode()}" for s in sets)
        name = "H265"
    return Track(Kind.VIDEO, codec, VIDEO_CLOCK, _loop(units), units, 0, f"{name}/{VIDEO_CLOCK}", fmtp, sets)


def h264_parameter_sets(record: bytes) -> tuple[bytes, ...]:
    """SPS and PPS of an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1)."""
    sets = []
    offset = 5
    for mask in (0x1F, 0xFF):
        count = record[offset] & mask
        offset += 1
        for _ in range(count):
            size = int.from_bytes(record[offset : offset + 2], "big")
            sets.append(record[offset + 2 : offset + 2 + size])
            offset += 2 + size
    return tuple(sets)


def h265_parameter_sets(record: bytes) -> tuple[bytes, ...]:
    """VPS, SPS and PPS of an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1)."""
    sets = []
    offset = 23
    for _ in range(record[22]):
        kind = record[offset] & 0x3F
        count = int.from_bytes(record[offset + 1 : offset + 3], "big")
        offset += 3
        for _ in range(count):
            size = int.from_bytes(record[offset : offset + 2], "big")
            if kind in {32, 33, 34}:
                sets.append(record[offset + 2 : offset + 2 + size])
            offset += 2 + size
    return tuple(sets)
