"""Tracks and samples (ISO/IEC 14496-12 terms)."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Codec(enum.StrEnum):
    """Encodings that we take from a camera and store; and FLAC, in which a live view hands on what no browser plays."""

    H264 = "h264"
    H265 = "h265"
    MJPEG = "mjpeg"
    AAC = "aac"
    PCMU = "pcmu"
    PCMA = "pcma"
    OPUS = "opus"
    FLAC = "flac"
    ONVIF_METADATA = "onvif-metadata"
    THERMAL_STILL = "thermal-still"


class Kind(enum.StrEnum):
    """What a track carries."""

    VIDEO = "video"
    AUDIO = "audio"
    METADATA = "metadata"


@dataclass(frozen=True, slots=True)
class TrackFormat:
    """Everything needed to store and play one track; equal formats share a sample entry.

    timescale: ticks a second of every time of this track, as the RTP clock rate (video: 90000).
    sample_entry: the whole box for `stsd` (avc1, hvc1, mp4a, Opus, ulaw, alaw, jpeg, mett ...), parameter sets inside.
    codec_string: RFC 6381, as in `video/mp4; codecs="..."`. fps: nominal, from the parameter sets; None where unsaid.
    reorder_depth: how many pictures B-frames delay the output (0 where there are none).
    """

    kind: Kind
    codec: Codec
    timescale: int
    sample_entry: bytes = field(repr=False)
    codec_string: str
    width: int = 0
    height: int = 0
    fps: float | None = None
    channels: int = 0
    reorder_depth: int = 0


class Sample:
    """One access unit as it will stand in `mdat`: NAL units with 4-byte lengths for H.264/H.265, raw AAC, and so on.

    track: index into the session's tracks. dts: decode time in the track's timescale, unwrapped, never back in a session;
    its zero is the camera's own and means nothing. cts_offset: presentation minus decode time, >= 0.
    arrival_boot_us: CLOCK_BOOTTIME when its last packet was read. damaged: it depends on something that was lost.
    Never changed after it was handed on: readers share it.
    """

    __slots__ = ("arrival_boot_us", "cts_offset", "damaged", "data", "dts", "sync", "track")

    def __init__(
        self,
        track: int,
        dts: int,
        cts_offset: int,
        sync: bool,
        data: bytes,
        arrival_boot_us: int,
        damaged: bool = False,
    ) -> None:
        self.track = track
        self.dts = dts
        self.cts_offset = cts_offset
        self.sync = sync
        self.data = data
        self.arrival_boot_us = arrival_boot_us
        self.damaged = damaged

    def __repr__(self) -> str:
        return f"Sample(track={self.track}, dts={self.dts}, sync={self.sync}, size={len(self.data)})"


@dataclass(frozen=True, slots=True)
class Loss:
    """Packets that never came. The access units they touched are not delivered; what follows is damaged up to a sync."""

    track: int
    packets: int
    at_boot_us: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SenderReport:
    """RTCP SR (RFC 3550, 6.4.1): the camera's own clock, in the track's unwrapped media time.

    media_time: the report's RTP timestamp, unwrapped with the samples' dts. ntp_wall_us: what the camera says it is.
    """

    track: int
    media_time: int
    ntp_wall_us: int
    arrival_boot_us: int
