"""H.265 parameter sets (ITU-T H.265 section 7.3), and the `hvc1` sample entry (ISO/IEC 14496-15)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from longwatch.formats.codecs.bits import BitReader, CodecError, escape, unescape
from longwatch.formats.codecs.boxes import ASPECTS, box, pixel_aspect, visual_entry
from longwatch.formats.codecs.colour import Colour, read_colour
from longwatch.formats.media import Codec, Kind, TrackFormat

NAL_VPS, NAL_SPS, NAL_PPS = 32, 33, 34
MAX_PARAMETER_SET = 4096
MAX_SIDE = 16_384
RENUMBERED = 15
_IRAP = range(16, 24)
_SPS_ID_AT = 104


def nal_type(nal: bytes) -> int:
    """nal_unit_type of the two-byte header (7.3.1.2)."""
    return nal[0] >> 1 & 0x3F


@dataclass(frozen=True, slots=True)
class Sps:
    """What a recorder needs of a sequence parameter set.

    profile: the twelve bytes of general profile, tier and level (7.3.3), as `hvcC` wants them. width, height: pixels after
    the conformance window. reorder: sps_max_num_reorder_pics of the highest sub-layer. fps: None where unsaid.
    """

    id: int
    profile: bytes
    width: int
    height: int
    chroma_format: int
    luma_depth: int
    chroma_depth: int
    sub_layers: int
    nested: bool
    reorder: int
    fps: float | None
    aspect: tuple[int, int]
    colour: Colour


def _profile_tier_level(bits: BitReader, sub_layers: int) -> bytes:
    profile = bits.u(96).to_bytes(12, "big")
    flags = [(bits.flag(), bits.flag()) for _ in range(sub_layers - 1)]
    if sub_layers > 1:
        bits.skip(2 * (9 - sub_layers))
    for has_profile, has_level in flags:
        bits.skip(88 * has_profile + 8 * has_level)
    return profile


def _skip_scaling_lists(bits: BitReader) -> None:
    for size in range(4):
        for _ in range(0, 6, 3 if size == 3 else 1):
            if not bits.flag():
                bits.ue()
                continue
            if size > 1:
                bits.se()
            for _ in range(min(64, 1 << (4 + 2 * size))):
                bits.se()


def _skip_reference_sets(bits: BitReader) -> None:
    """st_ref_pic_set (7.3.7) of all sets; each may be told as a difference to the one before."""
    count = bits.ue()
    if count > 64:
        raise CodecError("too many reference picture sets")
    pictures = 0
    for index in range(count):
        if index and bits.flag():
            bits.skip(1)
            bits.ue()
            kept = 0
            for _ in range(pictures + 1):
                kept += bits.flag() or bits.flag()
            pictures = kept
            continue
        negative, positive = bits.ue(), bits.ue()
        if negative > 16 or positive > 16:
            raise CodecError("too many reference pictures")
        pictures = negative + positive
        for _ in range(pictures):
            bits.ue()
            bits.skip(1)


def _rate(units: int, scale: int) -> float | None:
    return scale / units if units and scale and 0.01 <= scale / units <= 1000 else None


def _vui(bits: BitReader) -> tuple[tuple[int, int], float | None, Colour]:
    aspect = (1, 1)
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
    bits.skip(3)
    if bits.flag():
        for _ in range(4):
            bits.ue()
    return aspect, _rate(bits.u(32), bits.u(32)) if bits.flag() else None, colour


def _behind_ordering(bits: BitReader, log2_poc: int) -> tuple[tuple[int, int], float | None, Colour]:
    """Everything between the ordering information and the VUI, then the VUI."""
    for _ in range(6):
        bits.ue()
    if bits.flag() and bits.flag():
        _skip_scaling_lists(bits)
    bits.skip(2)
    if bits.flag():
        bits.skip(8)
        bits.ue()
        bits.ue()
        bits.skip(1)
    _skip_reference_sets(bits)
    if bits.flag():
        count = bits.ue()
        if count > 32:
            raise CodecError("too many long-term reference pictures")
        bits.skip(count * (log2_poc + 1))
    bits.skip(2)
    return _vui(bits) if bits.flag() else ((1, 1), None, Colour())


def parse_sps(nal: bytes) -> Sps:
    """Read an SPS with its NAL header. What is broken behind the picture's size costs only rate, aspect and colour.

    Raises CodecError.
    """
    if len(nal) < 16 or nal_type(nal) != NAL_SPS or len(nal) > MAX_PARAMETER_SET:
        raise CodecError("not an H.265 SPS")
    bits = BitReader(unescape(nal[2:]))
    bits.skip(4)
    sub_layers, nested = bits.u(3) + 1, bits.flag()
    if sub_layers > 7:
        raise CodecError("too many sub-layers")
    profile = _profile_tier_level(bits, sub_layers)
    sps_id, chroma = bits.ue(), bits.ue()
    if sps_id > 15 or chroma > 3:
        raise CodecError("SPS id or chroma format out of range")
    if chroma == 3:
        bits.skip(1)
    width, height = bits.ue(), bits.ue()
    if bits.flag():
        unit_x, unit_y = (2 if chroma in {1, 2} else 1), (2 if chroma == 1 else 1)
        left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
        width -= unit_x * (left + right)
        height -= unit_y * (top + bottom)
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise CodecError("picture size out of range")
    luma_depth, chroma_depth, log2_poc = bits.ue() + 8, bits.ue() + 8, bits.ue() + 4
    if luma_depth > 16 or chroma_depth > 16 or log2_poc > 16:
        raise CodecError("bit depth or picture order count out of range")
    reorder = 0
    for _ in range(sub_layers if bits.flag() else 1):
        bits.ue()
        reorder = bits.ue()
        bits.ue()
    if reorder > 16:
        raise CodecError("pictures are reordered too far")
    aspect: tuple[int, int] = (1, 1)
    fps, colour = None, Colour()
    try:
        aspect, fps, colour = _behind_ordering(bits, log2_poc)
    except CodecError:
        aspect, fps, colour = (1, 1), None, Colour()
    return Sps(
        id=sps_id, profile=profile, width=width, height=height, chroma_format=chroma, luma_depth=luma_depth,
        chroma_depth=chroma_depth, sub_layers=sub_layers, nested=nested, reorder=reorder, fps=fps, aspect=aspect,
        colour=colour,
    )  # fmt: skip


def parse_vps(nal: bytes) -> tuple[int, float | None]:
    """(id, frames a second or None) of a VPS with its NAL header. Raises CodecError."""
    if len(nal) < 4 or nal_type(nal) != NAL_VPS or len(nal) > MAX_PARAMETER_SET:
        raise CodecError("not an H.265 VPS")
    bits = BitReader(unescape(nal[2:]))
    vps_id = bits.u(4)
    try:
        bits.skip(8)
        sub_layers = bits.u(3) + 1
        bits.skip(17)
        _profile_tier_level(bits, sub_layers)
        for _ in range(sub_layers if bits.flag() else 1):
            bits.ue()
            bits.ue()
            bits.ue()
        highest_layer = bits.u(6)
        sets = bits.ue()
        if sets > 1023:
            return vps_id, None
        bits.skip(sets * (highest_layer + 1))
        return vps_id, _rate(bits.u(32), bits.u(32)) if bits.flag() else None
    except CodecError:
        return vps_id, None


def parse_pps_ids(nal: bytes) -> tuple[int, int]:
    """(PPS id, SPS id) of a PPS with its NAL header. Raises CodecError."""
    if len(nal) < 3 or nal_type(nal) != NAL_PPS or len(nal) > MAX_PARAMETER_SET:
        raise CodecError("not an H.265 PPS")
    bits = BitReader(unescape(nal[2:14]))
    pps_id, sps_id = bits.ue(), bits.ue()
    if pps_id > 63 or sps_id > 15:
        raise CodecError("PPS id out of range")
    return pps_id, sps_id


def codec_string(sps: Sps) -> str:
    """ISO/IEC 14496-15, E.3: hvc1.profile.compatibility.tier+level.constraints."""
    space = ("", "A", "B", "C")[sps.profile[0] >> 6]
    compatible = int(f"{int.from_bytes(sps.profile[1:5], 'big'):032b}"[::-1], 2)
    tier = "H" if sps.profile[0] & 0x20 else "L"
    constraints = "".join(f".{byte:X}" for byte in sps.profile[5:11].rstrip(b"\x00"))
    return f"hvc1.{space}{sps.profile[0] & 0x1F}.{compatible:X}.{tier}{sps.profile[11]}{constraints}"


def sample_entry(sps: Sps, vps_nals: Sequence[bytes], sps_nals: Sequence[bytes], pps_nals: Sequence[bytes]) -> bytes:
    """`hvc1` with `hvcC` (ISO/IEC 14496-15, 8.3.3.1): 4-byte lengths, all parameter sets inside. Raises CodecError."""
    arrays = []
    for kind, nals in ((NAL_VPS, vps_nals), (NAL_SPS, sps_nals), (NAL_PPS, pps_nals)):
        if not nals or len(nals) > 64:
            raise CodecError("no VPS, SPS or PPS, or too many")
        arrays.append(struct.pack(">BH", 0x80 | kind, len(nals)))
        for nal in nals:
            arrays += (struct.pack(">H", len(nal)), nal)
    head = struct.pack(
        ">B12sHBBBBHBB", 1, sps.profile, 0xF000, 0xFC, 0xFC | sps.chroma_format, 0xF8 | (sps.luma_depth - 8) & 7,
        0xF8 | (sps.chroma_depth - 8) & 7, 0, sps.sub_layers << 3 | sps.nested << 2 | 3, 3,
    )  # fmt: skip
    return visual_entry(b"hvc1", sps.width, sps.height, box(b"hvcC", head, *arrays), pixel_aspect(*sps.aspect))


def track_format(vps_nals: Sequence[bytes], sps_nals: Sequence[bytes], pps_nals: Sequence[bytes]) -> TrackFormat:
    """The format of a track with these parameter sets; the first of each kind speaks. Raises CodecError."""
    if not sps_nals or not vps_nals:
        raise CodecError("no VPS or SPS")
    sps = parse_sps(sps_nals[0])
    return TrackFormat(
        kind=Kind.VIDEO, codec=Codec.H265, timescale=90_000,
        sample_entry=sample_entry(sps, vps_nals, sps_nals, pps_nals), codec_string=codec_string(sps),
        width=sps.width, height=sps.height, fps=sps.fps or parse_vps(vps_nals[0])[1], reorder_depth=sps.reorder,
    )  # fmt: skip


def renumbered(nal: bytes) -> bytes:
    """A parameter set or slice of an encoder that numbers its sets 0, with the number 15: so that they can stand beside those of another. In Exp-Golomb 15 takes
    a byte more than 0, so whatever follows stays aligned. Raises CodecError where it is none of these.
    """
    kind = nal_type(nal)
    rbsp = unescape(nal[2:])
    if kind == NAL_PPS:
        rbsp = _instead_of_0(_instead_of_0(rbsp, 1), 0)
    elif kind in {NAL_VPS, NAL_SPS}:
        if kind == NAL_SPS:
            if rbsp[0] >> 1 & 7:
                raise CodecError("an SPS of several sub-layers")
            rbsp = _instead_of_0(rbsp, _SPS_ID_AT)
        rbsp = bytes([RENUMBERED << 4 | rbsp[0] & 0x0F]) + rbsp[1:]
    elif kind < NAL_VPS:
        rbsp = _instead_of_0(rbsp, 2 if kind in _IRAP else 1)
    else:
        raise CodecError("neither a parameter set nor a slice")
    return nal[:2] + escape(rbsp)


def _instead_of_0(rbsp: bytes, bit: int) -> bytes:
    at, before = divmod(bit, 8)
    if at >= len(rbsp) or not rbsp[at] >> (7 - before) & 1:
        raise CodecError("a parameter set of another number than 0")
    first, rest = rbsp[at] >> (8 - before), rbsp[at] & (1 << (7 - before)) - 1
    both = first << (16 - before) | (RENUMBERED + 1) << (7 - before) | rest
    return rbsp[:at] + both.to_bytes(2, "big") + rbsp[at + 1 :]
