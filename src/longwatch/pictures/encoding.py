"""Pictures to H.264, by libx264. Only children import this."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
from av.codec.context import Flags
from av.video.frame import PictureType, VideoFrame

from longwatch.formats.codecs import h264
from longwatch.formats.media import Sample, TrackFormat

PRESET = "superfast"
CRF = "23"
GOP_90K = 2 * 90_000
_BITS_A_PIXEL = 0.16
_LEAST_BITRATE = 400_000
_NAL_KEPT = frozenset({h264.NAL_SLICE, h264.NAL_DATA_A, 3, 4, h264.NAL_IDR})


@dataclass(frozen=True, slots=True)
class Quality:
    """preset, crf: libx264's. They trade processor time for size at the same look."""

    preset: str = PRESET
    crf: str = CRF


class Encoder:
    """One picture in, one sample out, at once: no B-frames, nothing held back. A key picture at least every two seconds.

    format: of what it makes. Times are those of the picture's own sample, in 1/90000 s: `dts` is when it is shown, and its
    arrival is moved along, so that the line from media to wall time (`recording.placement`) stays where it was.
    """

    def __init__(self, width: int, height: int, fps: float | None, quality: Quality) -> None:
        context = av.CodecContext.create("libx264", "w")
        assert isinstance(context, av.VideoCodecContext)
        rate = min(max(fps or 25.0, 1.0), 120.0)
        bitrate = max(_LEAST_BITRATE, round(width * height * rate * _BITS_A_PIXEL))
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base = Fraction(1, 90_000)
        context.framerate = Fraction(rate).limit_denominator(1001)
        context.thread_count = 1
        context.options = {
            "preset": quality.preset, "tune": "zerolatency", "crf": quality.crf, "forced-idr": "1", "g": "9000", "sc_threshold": "0",
            "maxrate": str(bitrate), "bufsize": str(2 * bitrate),
        }  # fmt: skip
        context.flags |= Flags.global_header
        context.open()
        self.size = (width, height)
        self.format = _format(bytes(context.extradata or b""))
        self._context = context
        self._key_pts: int | None = None
        self._last_pts: int | None = None

    def encode(self, picture: VideoFrame, of: Sample) -> list[Sample]:
        """The picture as a sample of track 0. of: the sample it was decoded from. A time that does not go on is moved on by a tick."""
        pts = of.dts + of.cts_offset
        if self._last_pts is not None and pts <= self._last_pts:
            pts = self._last_pts + 1
        self._last_pts = pts
        key = self._key_pts is None or pts - self._key_pts >= GOP_90K
        picture.pts, picture.time_base = pts, Fraction(1, 90_000)
        picture.pict_type = PictureType.I if key else PictureType.NONE
        if key:
            self._key_pts = pts
        arrival_us = of.arrival_boot_us + of.cts_offset * 100 // 9
        return [
            Sample(0, pts, 0, packet.is_keyframe, _lengths(bytes(packet)), arrival_us, of.damaged)
            for packet in self._context.encode(picture)
        ]


def _nals(annex_b: bytes) -> list[bytes]:
    """The NAL units of a byte stream (H.264, annex B)."""
    parts = annex_b.split(b"\x00\x00\x01")[1:]
    return [part.rstrip(b"\x00") if n + 1 < len(parts) else part for n, part in enumerate(parts)]


def _lengths(annex_b: bytes) -> bytes:
    """As it stands in `mdat`: pictures alone, each NAL unit with its length; what an encoder says of itself is left out."""
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in _nals(annex_b) if nal and nal[0] & 0x1F in _NAL_KEPT)


def _format(extradata: bytes) -> TrackFormat:
    nals = _nals(extradata)
    return h264.track_format(
        [nal for nal in nals if nal and nal[0] & 0x1F == h264.NAL_SPS],
        [nal for nal in nals if nal and nal[0] & 0x1F == h264.NAL_PPS],
        0,
    )
