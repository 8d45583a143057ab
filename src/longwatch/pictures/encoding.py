"""Pictures to H.264, by libx264, and to H.265, by libx265, where that is what they came in. Only children import this."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
from av.codec.context import Flags
from av.video.frame import PictureType, VideoFrame

from longwatch.base.errors import LongwatchError
from longwatch.formats.codecs import h264, h265
from longwatch.formats.media import Codec, Sample, TrackFormat
from longwatch.pictures.form import Form

PRESET = "superfast"
CRF = "23"
GOP_90K = 2 * 90_000
_BITS_A_PIXEL = 0.16
_USUAL_FPS = 25.0
_LEAST_BITRATE = 400_000
_NAL_KEPT = frozenset({h264.NAL_SLICE, h264.NAL_DATA_A, 3, 4, h264.NAL_IDR})
_H265_SLICES = 32
"""NAL units of a lower type are pictures."""
_FULL_RANGE = 2
_NAMES = {Codec.H264: "libx264", Codec.H265: "libx265"}
_KEYS_AS_ASKED = {
    Codec.H264: {"sc_threshold": "0", "g": "9000"},
    # It starts one thread, where it is opened, and none after that.
    Codec.H265: {"x265-params": "pools=none:frame-threads=1:wpp=0:keyint=-1:scenecut=0:info=0:log-level=none"},
}


@dataclass(frozen=True, slots=True)
class Quality:
    """preset, crf: the encoder's. They trade processor time for size at the same look. bits_a_pixel: at most, over some seconds."""

    preset: str = PRESET
    crf: str = CRF
    bits_a_pixel: float = _BITS_A_PIXEL


class Encoder:
    """One picture in, one sample out, at once: no B-frames, nothing held back. A key picture at least every two seconds. The same pictures give the same bytes.

    format: of what it makes. Times are those of the picture's own sample, in 1/90000 s: `dts` is when it is shown, and its
    arrival is moved along, so that the line from media to wall time (`recording.placement`) stays where it was.
    """

    def __init__(self, form: Form, quality: Quality) -> None:
        """Raises LongwatchError for a codec that is none of these, and libav's errors where it makes no such pictures. libx265 starts a thread here."""
        name = _NAMES.get(form.codec)
        if name is None:
            raise LongwatchError(f"pictures of {form.codec} cannot be made here")
        context = av.CodecContext.create(name, "w")
        assert isinstance(context, av.VideoCodecContext)
        rate = min(max(form.fps or _USUAL_FPS, 1.0), 120.0)
        bitrate = max(_LEAST_BITRATE, round(form.width * form.height * rate * quality.bits_a_pixel))
        context.width, context.height, context.pix_fmt = form.width, form.height, form.pixels
        context.time_base = Fraction(1, 90_000)
        context.framerate = Fraction(rate).limit_denominator(1001)
        context.thread_count = 1
        context.options = {
            "preset": quality.preset, "tune": "zerolatency", "crf": quality.crf, "forced-idr": "1",
            "maxrate": str(bitrate), "bufsize": str(2 * bitrate), **_KEYS_AS_ASKED[form.codec],
        }  # fmt: skip
        if form.sets and form.codec is Codec.H264:
            context.options |= {"x264-params": f"sps-id={form.sets}"}
        if form.colour.full_range:
            context.color_range = _FULL_RANGE
        context.color_primaries = form.colour.primaries
        context.color_trc = form.colour.transfer
        context.colorspace = form.colour.matrix
        if all(form.aspect) and form.aspect[0] != form.aspect[1]:
            context.sample_aspect_ratio = Fraction(*form.aspect)
        context.flags |= Flags.global_header
        context.open()
        self.form = form
        self.size = (form.width, form.height)
        self.format = _format(form, bytes(context.extradata or b""))
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
            Sample(0, pts, 0, packet.is_keyframe, _lengths(self.form, bytes(packet)), arrival_us, of.damaged)
            for packet in self._context.encode(picture)
        ]


def _nals(annex_b: bytes) -> list[bytes]:
    """The NAL units of a byte stream (H.264 and H.265, annex B)."""
    parts = annex_b.split(b"\x00\x00\x01")[1:]
    return [part.rstrip(b"\x00") if n + 1 < len(parts) else part for n, part in enumerate(parts)]


def _lengths(form: Form, annex_b: bytes) -> bytes:
    """As it stands in `mdat`: pictures alone, each NAL unit with its length; what an encoder says of itself is left out."""
    nals = _numbered(form, [nal for nal in _nals(annex_b) if nal and _is_picture(form.codec, nal)])
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)


def _is_picture(codec: Codec, nal: bytes) -> bool:
    return h265.nal_type(nal) < _H265_SLICES if codec is Codec.H265 else nal[0] & 0x1F in _NAL_KEPT


def _numbered(form: Form, nals: list[bytes]) -> list[bytes]:
    """libx265 cannot be told a number."""
    return [h265.renumbered(nal) for nal in nals] if form.sets and form.codec is Codec.H265 else nals


def _format(form: Form, extradata: bytes) -> TrackFormat:
    nals = [nal for nal in _nals(extradata) if nal]
    if form.codec is Codec.H265:
        kinds = (h265.NAL_VPS, h265.NAL_SPS, h265.NAL_PPS)
        return h265.track_format(*(_numbered(form, [n for n in nals if h265.nal_type(n) == kind]) for kind in kinds))
    return h264.track_format(
        [nal for nal in nals if nal[0] & 0x1F == h264.NAL_SPS],
        [nal for nal in nals if nal[0] & 0x1F == h264.NAL_PPS],
        0,
    )
