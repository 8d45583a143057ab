"""H.264 parameter sets and slice headers (ITU-T H.264 section 7.3), and the `avc1` sample entry (ISO/IEC 14496-15)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from longwatch.formats.codecs.bits import BitReader, CodecError, unescape
from longwatch.formats.codecs.boxes import ASPECTS, box, pixel_aspect, visual_entry
from longwatch.formats.codecs.colour import Colour, read_colour
from longwatch.formats.media import Codec, Kind, TrackFormat

NAL_SLICE, NAL_DATA_A, NAL_IDR, NAL_SEI, NAL_SPS, NAL_PPS, NAL_AUD = 1, 2, 5, 6, 7, 8, 9
MAX_PARAMETER_SET = 4096
MAX_SIDE = 16_384
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_INTRA_WITH_SET3 = frozenset({44, 86, 100, 110, 122, 244})


@dataclass(frozen=True, slots=True)
class Sps:
    """What a recorder needs of a sequence parameter set.

    width, height: pixels after cropping. fps: from VUI timing, None where unsaid. reorder: frames by which B-frames delay
    output; None where the stream does not say it and pictures may be reordered. The log2 fields are those a slice header
    needs. max_ref_frames: bounds what reordering can be.
    """

    id: int
    profile: int
    constraints: int
    level: int
    width: int
    height: int
    fps: float | None
    aspect: tuple[int, int]
    reorder: int | None
    max_ref_frames: int
    frame_mbs_only: bool
    separate_planes: bool
    log2_frame_num: int
    poc_type: int
    log2_poc: int
    chroma_format: int
    luma_depth: int
    chroma_depth: int
    colour: Colour


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) & 0xFF
        last = following or last


def _skip_hrd(bits: BitReader) -> None:
    count = bits.ue() + 1
    if count > 32:
        raise CodecError("too many CPB entries in the SPS")
    bits.skip(8)
    for _ in range(count):
        bits.ue()
        bits.ue()
        bits.skip(1)
    bits.skip(20)


def _vui(bits: BitReader) -> tuple[tuple[int, int], float | None, int | None, Colour]:
    """Aspect, frames a second, max_num_reorder_frames, colour. What comes after broken timing is not trusted (E.1.1)."""
    aspect, fps, reorder = (1, 1), None, None
    if bits.flag():
        idc = bits.u(8)
        if idc == 255:
            aspect = bits.u(16), bits.u(16)
        elif idc < len(ASPECTS):
            aspect = ASPECTS[idc]
    if bits.flag():
        bits.skip(1)
    colour = read_colour(bits)
    if bits.flag():
        bits.ue()
        bits.ue()
    if bits.flag():
        units, scale = bits.u(32), bits.u(32)
        bits.skip(1)
        if units and scale and 0.01 <= scale / (2 * units) <= 1000:
            fps = scale / (2 * units)
    nal_hrd = bits.flag()
    if nal_hrd:
        _skip_hrd(bits)
    vcl_hrd = bits.flag()
    if vcl_hrd:
        _skip_hrd(bits)
    if nal_hrd or vcl_hrd:
        bits.skip(1)
    bits.skip(1)
    if bits.flag():
        bits.skip(1)
        for _ in range(4):
            bits.ue()
        reorder = bits.ue()
        if bits.ue() < reorder or reorder > 16:
            reorder = None
    return aspect, fps, reorder, colour


def parse_sps(nal: bytes) -> Sps:
    """Read an SPS with its NAL header. Bytes after its end are ignored (Reolink). Raises CodecError.

    A VUI that ends too early is dropped rather than the whole SPS (several cheap encoders cut it).
    """
    if len(nal) < 5 or nal[0] & 0x1F != NAL_SPS or len(nal) > MAX_PARAMETER_SET:
        raise CodecError("not an H.264 SPS")
    bits = BitReader(unescape(nal[1:]))
    profile, constraints, level = bits.u(8), bits.u(8), bits.u(8)
    sps_id = bits.ue()
    if sps_id > 31:
        raise CodecError("SPS id out of range")
    chroma, luma_depth, chroma_depth, separate = 1, 8, 8, False
    if profile in _HIGH_PROFILES:
        chroma = bits.ue()
        if chroma > 3:
            raise CodecError("unknown chroma format")
        if chroma == 3:
            separate = bits.flag()
        luma_depth, chroma_depth = bits.ue() + 8, bits.ue() + 8
        if luma_depth > 14 or chroma_depth > 14:
            raise CodecError("unknown bit depth")
        bits.skip(1)
        if bits.flag():
            for index in range(12 if chroma == 3 else 8):
                if bits.flag():
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    log2_frame_num = bits.ue() + 4
    poc_type = bits.ue()
    log2_poc = 0
    if poc_type == 0:
        log2_poc = bits.ue() + 4
    elif poc_type == 1:
        bits.skip(1)
        bits.se()
        bits.se()
        cycle = bits.ue()
        if cycle > 255:
            raise CodecError("POC cycle out of range")
        for _ in range(cycle):
            bits.se()
    elif poc_type != 2:
        raise CodecError("unknown POC type")
    if log2_frame_num > 16 or log2_poc > 16:
        raise CodecError("frame or picture number too long")
    max_ref_frames = bits.ue()
    if max_ref_frames > 16:
        raise CodecError("too many reference frames")
    bits.skip(1)
    width_mbs, height_units = bits.ue() + 1, bits.ue() + 1
    frame_mbs_only = bits.flag()
    if not frame_mbs_only:
        bits.skip(1)
    bits.skip(1)
    width, height = width_mbs * 16, height_units * 16 * (1 if frame_mbs_only else 2)
    if bits.flag():
        left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
        unit_x = 1 if chroma in {0, 3} else 2
        unit_y = (2 if chroma == 1 else 1) * (1 if frame_mbs_only else 2)
        width -= unit_x * (left + right)
        height -= unit_y * (top + bottom)
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise CodecError("picture size out of range")
    aspect, fps, reorder, colour = (1, 1), None, None, Colour()
    try:
        if bits.flag():
            aspect, fps, reorder, colour = _vui(bits)
    except CodecError:
        aspect, fps, reorder, colour = (1, 1), None, None, Colour()
    if poc_type == 2 or profile == 66 or (profile in _INTRA_WITH_SET3 and constraints & 0x10):
        reorder = 0
    return Sps(
        id=sps_id, profile=profile, constraints=constraints, level=level, width=width, height=height, fps=fps,
        aspect=aspect, reorder=reorder, max_ref_frames=max_ref_frames, frame_mbs_only=frame_mbs_only,
        separate_planes=separate, log2_frame_num=log2_frame_num, poc_type=poc_type, log2_poc=log2_poc,
        chroma_format=chroma, luma_depth=luma_depth, chroma_depth=chroma_depth, colour=colour,
    )  # fmt: skip


def parse_pps_ids(nal: bytes) -> tuple[int, int]:
    """(PPS id, SPS id) of a PPS with its NAL header. Raises CodecError."""
    if len(nal) < 2 or nal[0] & 0x1F != NAL_PPS or len(nal) > MAX_PARAMETER_SET:
        raise CodecError("not an H.264 PPS")
    bits = BitReader(unescape(nal[1:12]))
    pps_id, sps_id = bits.ue(), bits.ue()
    if pps_id > 255 or sps_id > 31:
        raise CodecError("PPS id out of range")
    return pps_id, sps_id


@dataclass(frozen=True, slots=True)
class Slice:
    """The beginning of a slice header. poc_lsb: None unless the POC type is 0."""

    first_mb: int
    type: int
    field: bool
    poc_lsb: int | None


def parse_slice(nal: bytes, sps: Sps) -> Slice:
    """Read the beginning of a slice (NAL types 1, 2 and 5), up to pic_order_cnt_lsb. Raises CodecError."""
    bits = BitReader(unescape(nal[1:32]))
    first_mb, slice_type = bits.ue(), bits.ue()
    if slice_type > 9:
        raise CodecError("unknown slice type")
    bits.ue()
    if sps.separate_planes:
        bits.skip(2)
    bits.skip(sps.log2_frame_num)
    is_field = False
    if not sps.frame_mbs_only:
        is_field = bits.flag()
        if is_field:
            bits.skip(1)
    if nal[0] & 0x1F == NAL_IDR:
        bits.ue()
    poc = bits.u(sps.log2_poc) if sps.poc_type == 0 else None
    return Slice(first_mb, slice_type % 5, is_field, poc)


def recovery_point(sei: bytes) -> int | None:
    """recovery_frame_cnt of an SEI NAL unit that holds a recovery point (D.1.8), else None."""
    data = unescape(sei[1:256])
    at = 0
    while at + 2 <= len(data):
        kind = size = 0
        while at < len(data) and data[at] == 0xFF:
            kind += 255
            at += 1
        kind += data[at] if at < len(data) else 0
        at += 1
        while at < len(data) and data[at] == 0xFF:
            size += 255
            at += 1
        if at >= len(data):
            return None
        size += data[at]
        at += 1
        if kind == 6:
            try:
                return BitReader(data[at : at + size]).ue()
            except CodecError:
                return None
        at += size
        if data[at : at + 1] == b"\x80":
            return None
    return None


def codec_string(sps: Sps) -> str:
    """RFC 6381: avc1.PPCCLL."""
    return f"avc1.{sps.profile:02X}{sps.constraints:02X}{sps.level:02X}"


def sample_entry(sps: Sps, sps_nals: Sequence[bytes], pps_nals: Sequence[bytes]) -> bytes:
    """`avc1` with `avcC` (ISO/IEC 14496-15, 5.3.3.1): 4-byte lengths, all parameter sets inside."""
    if not sps_nals or not pps_nals or len(sps_nals) > 31 or len(pps_nals) > 255:
        raise CodecError("no SPS or PPS, or too many")
    parts = [struct.pack(">BBBBBB", 1, sps.profile, sps.constraints, sps.level, 0xFF, 0xE0 | len(sps_nals))]
    for nal in sps_nals:
        parts += (struct.pack(">H", len(nal)), nal)
    parts.append(bytes([len(pps_nals)]))
    for nal in pps_nals:
        parts += (struct.pack(">H", len(nal)), nal)
    if sps.profile in {100, 110, 122, 144, 244}:
        depths = 0xF8 | (sps.luma_depth - 8), 0xF8 | (sps.chroma_depth - 8)
        parts.append(bytes([0xFC | sps.chroma_format, *depths, 0]))
    return visual_entry(b"avc1", sps.width, sps.height, box(b"avcC", *parts), pixel_aspect(*sps.aspect))


def track_format(sps_nals: Sequence[bytes], pps_nals: Sequence[bytes], reorder_depth: int | None = None) -> TrackFormat:
    """The format of a track with these parameter sets; the first SPS speaks for size and rate. Raises CodecError."""
    if not sps_nals:
        raise CodecError("no SPS")
    sps = parse_sps(sps_nals[0])
    depth = reorder_depth if reorder_depth is not None else sps.reorder or 0
    return TrackFormat(
        kind=Kind.VIDEO, codec=Codec.H264, timescale=90_000, sample_entry=sample_entry(sps, sps_nals, pps_nals),
        codec_string=codec_string(sps), width=sps.width, height=sps.height, fps=sps.fps, reorder_depth=depth,
    )  # fmt: skip
