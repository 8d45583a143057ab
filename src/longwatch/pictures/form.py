"""The form of a track's pictures, told from its parameter sets alone: so that others can be made that look like them. Neither PyAV nor a decoder is met here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from longwatch.base.errors import LongwatchError
from longwatch.formats.bmff import BmffError
from longwatch.formats.bmff.boxes import children
from longwatch.formats.codecs import CodecError, h264, h265
from longwatch.formats.codecs.colour import Colour
from longwatch.formats.media import Codec, TrackFormat

CONFIG_BOX = {Codec.H264: b"avcC", Codec.H265: b"hvcC"}
_VISUAL_ENTRY_BYTES = 8 + 78
_PIXELS = {0: "gray", 1: "yuv420p", 2: "yuv422p", 3: "yuv444p"}
_DEPTHS = {8: "", 10: "10le", 12: "12le"}
_H265_ARRAYS_AT = 22
_H265_SETS = (h265.NAL_VPS, h265.NAL_SPS, h265.NAL_PPS)
_LEAST_SET = 3
_H264_SETS_AT = 5
_UNSAID = Colour()


@dataclass(frozen=True, slots=True)
class Form:
    """pixels: as libav names their format. aspect: of one pixel. colour: see `Colour`. fps: nominal; None where unsaid. sets: the number of its parameter sets."""

    codec: Codec
    width: int
    height: int
    pixels: str = "yuv420p"
    fps: float | None = None
    aspect: tuple[int, int] = (1, 1)
    colour: Colour = _UNSAID
    sets: int = 0

    def told(self) -> dict[str, Any]:
        """For a message; `of_message` reads it."""
        return asdict(self)

    @staticmethod
    def of_message(told: Mapping[str, Any]) -> Form:
        """Raises LookupError, TypeError or ValueError for what is no form."""
        across, down = told["aspect"]
        return Form(
            Codec(told["codec"]), int(told["width"]), int(told["height"]), str(told["pixels"]),
            None if told["fps"] is None else float(told["fps"]), (int(across), int(down)), Colour(**told["colour"]), int(told["sets"]),
        )  # fmt: skip


def form_of(track: TrackFormat) -> Form:
    """Of H.264 and H.265. Raises LongwatchError where its parameter sets say nothing that could be made here."""
    try:
        sps = _sps(track)
        sets = _free_number(track)
    except (CodecError, IndexError) as error:
        raise LongwatchError(f"pictures like these of {track.codec} cannot be made here", why=str(error)) from error
    depth = max(sps.luma_depth, sps.chroma_depth if sps.chroma_format else 0)
    # What has no colours libav decodes as grey where it is H.265, and as 4:2:0 where it is H.264.
    chroma = 1 if sps.chroma_format == 0 and track.codec is Codec.H264 else sps.chroma_format
    if depth not in _DEPTHS:
        raise LongwatchError(f"pictures like these of {track.codec} cannot be made here", why=f"they have {depth} bits")
    pixels = _PIXELS[chroma] + _DEPTHS[depth]
    if sps.colour.full_range and depth == 8 and chroma:
        pixels = pixels.replace("yuv", "yuvj")
    return Form(track.codec, sps.width, sps.height, pixels, track.fps or sps.fps, sps.aspect, sps.colour, sets)


def beside(made: TrackFormat, track: TrackFormat) -> TrackFormat:
    """The format of what was made in the form of `track`, with its parameter sets beside its own, unless two have one number. Chromium knows but the first sample
    entry of a file: so it finds there what it needs for all of it. Raises LongwatchError.
    """
    try:
        if _numbers(made) & _numbers(track):
            return made
        sets = [*parameter_sets(made), *parameter_sets(track)]
        if made.codec is Codec.H265:
            return h265.track_format(*([nal for nal in sets if h265.nal_type(nal) == kind] for kind in _H265_SETS))
        sps, pps = ([nal for nal in sets if nal[0] & 0x1F == kind] for kind in (h264.NAL_SPS, h264.NAL_PPS))
        return h264.track_format(sps, pps, made.reorder_depth)
    except (CodecError, IndexError) as error:
        raise LongwatchError(f"pictures like these of {track.codec} cannot be made here", why=str(error)) from error


def parameter_sets(track: TrackFormat) -> list[bytes]:
    """Those of its sample entry: of H.264 SPS and PPS, of H.265 VPS too. Raises IndexError where the box is cut short."""
    config = decoder_config(track)
    sets: list[bytes] = []
    if track.codec is Codec.H264:
        at = _H264_SETS_AT
        for mask in (0x1F, 0xFF):
            at = _take(config, at + 1, config[at] & mask, sets)
    elif track.codec is Codec.H265:
        at = _H265_ARRAYS_AT + 1
        for _ in range(config[_H265_ARRAYS_AT]):
            others: list[bytes] = []
            kept = sets if config[at] & 0x3F in _H265_SETS else others
            at = _take(config, at + 3, int.from_bytes(config[at + 1 : at + 3], "big"), kept)
    if any(len(nal) < _LEAST_SET for nal in sets):
        raise IndexError("a parameter set is cut short")
    return sets


def _take(config: bytes, at: int, count: int, sets: list[bytes]) -> int:
    for _ in range(count):
        size = int.from_bytes(config[at : at + 2], "big")
        sets.append(config[at + 2 : at + 2 + size])
        at += 2 + size
    return at


def _sps(track: TrackFormat) -> h264.Sps | h265.Sps:
    """The first one, which speaks for all. Raises CodecError and IndexError."""
    for nal in parameter_sets(track):
        if track.codec is Codec.H264 and nal[0] & 0x1F == h264.NAL_SPS:
            return h264.parse_sps(nal)
        if track.codec is Codec.H265 and h265.nal_type(nal) == h265.NAL_SPS:
            return h265.parse_sps(nal)
    raise CodecError("no SPS")


def _free_number(track: TrackFormat) -> int:
    """A number that none of its parameter sets has, and others can have beside them; 0 where there is none. Raises CodecError and IndexError."""
    taken = _numbers(track)
    free = (h265.RENUMBERED,) if track.codec is Codec.H265 else range(31, 0, -1)
    return next((number for number in free if number not in taken), 0)


def _numbers(track: TrackFormat) -> set[int]:
    numbers: set[int] = set()
    for nal in parameter_sets(track):
        if track.codec is Codec.H264:
            numbers |= {h264.parse_sps(nal).id} if nal[0] & 0x1F == h264.NAL_SPS else set(h264.parse_pps_ids(nal))
        elif h265.nal_type(nal) == h265.NAL_VPS:
            numbers.add(h265.parse_vps(nal)[0])
        elif h265.nal_type(nal) == h265.NAL_SPS:
            numbers.add(h265.parse_sps(nal).id)
        else:
            numbers |= set(h265.parse_pps_ids(nal))
    return numbers


def decoder_config(track: TrackFormat) -> bytes:
    """The body of avcC or hvcC (ISO/IEC 14496-15); b"" where there is none, or it needs none."""
    kind = CONFIG_BOX.get(track.codec)
    try:
        for box in children(track.sample_entry, _VISUAL_ENTRY_BYTES, len(track.sample_entry)):
            if box.kind == kind:
                return track.sample_entry[box.body : box.end]
    except BmffError:
        pass
    return b""
