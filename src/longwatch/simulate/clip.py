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

from longwatch.base.errors import UsageError
from longwatch.formats.bmff import Mp4File
from longwatch.formats.bmff.boxes import children
from longwatch.formats.bmff.mp4_file import Mp4Track
from longwatch.formats.media import Codec, Kind
from longwatch.formats.rtp import packetize

_CODECS = {
    "avc1": Codec.H264, "avc3": Codec.H264, "hvc1": Codec.H265, "hev1": Codec.H265, "mp4a": Codec.AAC,
    "ulaw": Codec.PCMU, "alaw": Codec.PCMA,
}  # fmt: skip
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

    @property
    def made_when_due(self) -> bool:
        """No unit is there before its time, so that who comes waits for the next sync unit (`timecode`)."""
        return not self.units

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
    """Read a file: its first video track and, where there is one, its first audio track (AAC, or G.711
    as QuickTime holds it).

    Raises UsageError where it cannot be read or holds no video that can be sent.
    """
    try:
        tracks = _read(Mp4File.from_bytes(path.read_bytes()))
    except (OSError, ValueError) as error:
        why = str(getattr(error, "strerror", None) or error)
        raise UsageError(f"cannot read {path}", why=why, remedy="give an mp4 with H.264 or H.265 video") from error
    if not tracks or tracks[0].kind is not Kind.VIDEO:
        raise UsageError(f"no H.264 or H.265 video in {path}", remedy="give an mp4 with H.264 or H.265 video")
    return Clip(path, tuple(tracks))


def _read(file: Mp4File) -> list[Track]:
    tracks: list[Track] = []
    for kind in ("video", "audio"):
        for source in file.tracks:
            codec = _CODECS.get(source.fourcc)
            if source.kind == kind and codec is not None and len(source.samples) > 1:
                made = _video if kind == "video" else _audio if codec is Codec.AAC else _g711
                tracks.append(made(codec, file, source))
                break
    if len(tracks) > 1 and tracks[0].kind is Kind.VIDEO:  # audio is looped with the video, not by its own length
        seconds = Fraction(tracks[0].loop, tracks[0].rate)
        tracks[1] = dataclasses.replace(tracks[1], loop=round(seconds * tracks[1].rate))
    return tracks


def _units(codec: Codec, rate: int, file: Mp4File, source: Mp4Track) -> tuple[Unit, ...]:
    first = source.samples[0].dts
    scale = Fraction(rate, source.timescale)
    units = []
    for sample in source.samples:
        dts = round((sample.dts - first) * scale)
        pts = round((sample.dts + sample.cts_offset - first) * scale)
        data = file.data(sample)
        units.append(Unit(dts, pts, sample.sync, data, tuple(packetize.payloads(codec, data))))
    return tuple(units)


def _loop(units: tuple[Unit, ...]) -> int:
    return units[-1].dts + (units[-1].dts - units[-2].dts)


def _audio(codec: Codec, file: Mp4File, source: Mp4Track) -> Track:
    config, channels = aac_config(source.sample_entry)
    rate = source.timescale
    units = _units(codec, rate, file, source)
    fmtp = (
        "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;"
        f"config={config.hex()}"
    )
    return Track(Kind.AUDIO, codec, rate, _loop(units), units, 1024, f"MPEG4-GENERIC/{rate}/{channels}", fmtp)


def _g711(codec: Codec, file: Mp4File, source: Mp4Track) -> Track:
    """In packets of 20 ms (RFC 3551, 4.2), however the file cuts it; one channel."""
    rate = source.timescale
    grid = rate // 50
    data = b"".join(file.data(sample) for sample in source.samples)
    parts = [data[at : at + grid] for at in range(0, len(data) - grid + 1, grid)]
    if not parts:
        raise ValueError("less than 20 ms of sound")
    units = tuple(Unit(n * grid, n * grid, True, part, (part,)) for n, part in enumerate(parts))
    name = "PCMU" if codec is Codec.PCMU else "PCMA"
    return Track(Kind.AUDIO, codec, rate, grid * len(units), units, grid, f"{name}/{rate}", "")


def _video(codec: Codec, file: Mp4File, source: Mp4Track) -> Track:
    units = _units(codec, VIDEO_CLOCK, file, source)
    entry = source.sample_entry
    if codec is Codec.H264:
        sets = h264_parameter_sets(_child(entry, _VISUAL_BYTES, b"avcC"))
        sprop = ",".join(base64.b64encode(s).decode() for s in sets)
        fmtp = f"packetization-mode=1;profile-level-id={sets[0][1:4].hex()};sprop-parameter-sets={sprop}"
        name = "H264"
    else:
        sets = h265_parameter_sets(_child(entry, _VISUAL_BYTES, b"hvcC"))
        named = {32: "vps", 33: "sps", 34: "pps"}
        fmtp = ";".join(f"sprop-{named[s[0] >> 1 & 63]}={base64.b64encode(s).decode()}" for s in sets)
        name = "H265"
    return Track(Kind.VIDEO, codec, VIDEO_CLOCK, _loop(units), units, 0, f"{name}/{VIDEO_CLOCK}", fmtp, sets)


_VISUAL_BYTES = 8 + 78  # ISO/IEC 14496-12, 12.1.3: what stands before the boxes of a VisualSampleEntry
_AUDIO_BYTES = 8 + 28  # 12.2.3: of an AudioSampleEntry


def _child(entry: bytes, begin: int, kind: bytes) -> bytes:
    """The body of a box within a sample entry. Raises ValueError where it is not there."""
    for found in children(entry, begin, len(entry)):
        if found.kind == kind:
            return entry[found.body : found.end]
    raise ValueError(f"a sample entry without {kind.decode()}")


def aac_config(entry: bytes) -> tuple[bytes, int]:
    """AudioSpecificConfig and channels of an `mp4a` entry (ISO/IEC 14496-1, 7.2.6; 14496-3, 1.6.2.1)."""
    body = _child(entry, _AUDIO_BYTES, b"esds")[4:]
    offset = 0
    while offset < len(body):
        tag = body[offset]
        offset += 1
        size = 0
        while offset < len(body):
            byte = body[offset]
            offset += 1
            size = size << 7 | byte & 0x7F
            if not byte & 0x80:
                break
        if tag == 0x05:
            return body[offset : offset + size], int.from_bytes(entry[24:26], "big")
        offset += {0x03: 3, 0x04: 13}.get(tag, size)
    raise ValueError("an mp4a entry without AudioSpecificConfig")


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
