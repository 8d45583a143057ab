"""How coarsely a picture was coded: SliceQPY of H.264 (ITU-T H.264, 7.3.2.2, 7.3.3 and 7.4.3), read from the headers alone.

An encoder of constant rate hides in the size of a picture what happened in it, and shows it here: it codes more coarsely what it has no bits for.
"""

from __future__ import annotations

from dataclasses import dataclass

from longwatch.formats.codecs.bits import BitReader, CodecError, unescape
from longwatch.formats.codecs.h264 import MAX_PARAMETER_SET, NAL_IDR, NAL_PPS, NAL_SPS, Sps, parse_sps

_P, _B, _I, _SP, _SI = range(5)
_NAL_SLICE = 1
_QUICK_LEAST = 4
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Pps:
    """What a slice header needs of a picture parameter set."""

    id: int
    sps_id: int
    cabac: bool
    bottom_order: bool
    refs: tuple[int, int]
    weighted: bool
    weighted_b: int
    init_qp: int
    redundant: bool


def parse_pps(nal: bytes) -> Pps:
    """Read a PPS with its NAL header. Raises CodecError; for slice groups too, which no camera uses."""
    if len(nal) < 2 or nal[0] & 0x1F != NAL_PPS or len(nal) > MAX_PARAMETER_SET:
        raise CodecError("not an H.264 PPS")
    bits = BitReader(unescape(nal[1:64]))
    pps_id, sps_id = bits.ue(), bits.ue()
    cabac, bottom_order = bits.flag(), bits.flag()
    if bits.ue():
        raise CodecError("slice groups are not known here")
    refs = bits.ue() + 1, bits.ue() + 1
    weighted, weighted_b = bits.flag(), bits.u(2)
    init_qp = 26 + bits.se()
    bits.se()
    bits.se()
    bits.skip(2)
    redundant = bits.flag()
    if pps_id > 255 or sps_id > 31 or max(refs) > 32 or not -62 <= init_qp <= 51:
        raise CodecError("a PPS out of range")
    return Pps(pps_id, sps_id, cabac, bottom_order, refs, weighted, weighted_b, init_qp, redundant)


def parameter_sets(sample_entry: bytes) -> tuple[list[bytes], list[bytes]]:
    """SPS and PPS of the `avcC` of an `avc1` sample entry (ISO/IEC 14496-15, 5.3.3.1). Raises CodecError where there is none."""
    at = sample_entry.find(b"avcC")
    data = sample_entry[at + 4 :] if at >= 0 else b""
    try:
        found: list[list[bytes]] = []
        count, at = data[5] & 0x1F, 6
        for _ in range(2):
            nals = []
            for _ in range(count):
                size = int.from_bytes(data[at : at + 2])
                nals.append(data[at + 2 : at + 2 + size])
                at += 2 + size
            found.append(nals)
            count, at = (data[at], at + 1) if len(found) == 1 else (0, at)
    except IndexError:
        raise CodecError("no parameter sets in the sample entry") from None
    return found[0], found[1]


class SliceQp:
    """Of one set of parameters."""

    def __init__(self, sps_nals: list[bytes], pps_nals: list[bytes]) -> None:
        self._sps: dict[int, Sps] = {}
        self._pps: dict[int, Pps] = {}
        for nal in [*sps_nals, *pps_nals]:
            self._parameters(nal)
        self._usual = self._usually()

    def _parameters(self, nal: bytes) -> None:
        try:
            if nal[0] & 0x1F == NAL_SPS:
                sps = parse_sps(nal)
                self._sps[sps.id] = sps
            else:
                pps = parse_pps(nal)
                self._pps[pps.id] = pps
        except (CodecError, IndexError):
            return  # what needs it is not read then

    def of_slice(self, nal: bytes) -> int | None:
        """The quantizer of a slice, of which the first bytes are enough: 0 to 51; None where it cannot be read. Never raises."""
        quick = self._quick(nal)
        if quick is not None:
            return quick
        try:
            return self._slice(nal)
        except (CodecError, KeyError, IndexError):
            return None

    def _quick(self, nal: bytes) -> int | None:
        """What `_slice` says of the header that nearly all have: of the first P slice of a frame, with parameter set 0, that changes and marks nothing. None for another. It is read
        some times a second of each camera, and costs a quarter of what the whole reading does.
        """
        usual = self._usual
        data = nal[1:17]
        if usual is None or len(data) < _QUICK_LEAST or nal[0] & 0x1F != _NAL_SLICE or b"\x00\x00\x03" in data:
            return None
        value, left = int.from_bytes(data), 8 * len(data)
        begin = data[0]  # first macroblock 0, then P as 0 or as 5, then parameter set 0
        if begin & 0xE0 == 0xE0:
            left -= 3
        elif begin & 0xFE == 0x9A:
            left -= 7
        else:
            return None
        passed, weights, cabac, init_qp = usual
        left -= passed + 1
        if left > 0 and value >> left & 1:  # another number of references
            left = -1 if weights else _past(value, left)
        left -= 1
        if left < 2 or value >> left & 1:
            return None
        if weights:
            left = _past(value, left)
            if left > 0 and weights & 2:
                left = _past(value, left)
            left -= 1 + (weights >> 1)
            if left < 2 or value >> left & (3 if weights & 2 else 1):
                return None
        if nal[0] & 0x60:
            left -= 1
            if value >> left & 1:
                return None
        if cabac:
            left = _past(value, left)
        if left < 1:
            return None
        after = _past(value, left)
        if after < 0:
            return None
        code = ((value & (1 << left) - 1) >> after) - 1
        qp = init_qp + ((code + 1) >> 1 if code & 1 else -(code >> 1))
        return qp if 0 <= qp <= 51 else None

    def _usually(self) -> tuple[int, int, bool, int] | None:
        """For `_quick`: bits that it passes over, weights of one reference (0: none, 1: of luma, 3: of chroma too), whether it is CABAC, and the quantizer to begin with. None where
        these parameters ask for more reading.
        """
        pps = self._pps.get(0)
        sps = None if pps is None else self._sps.get(pps.sps_id)
        if pps is None or sps is None or sps.separate_planes or not sps.frame_mbs_only or sps.poc_type == 1:
            return None
        if pps.redundant or (pps.weighted and pps.refs[0] != 1) or (sps.poc_type == 0 and pps.bottom_order):
            return None
        weights = (3 if sps.chroma_format else 1) if pps.weighted else 0
        return sps.log2_frame_num + (sps.log2_poc if sps.poc_type == 0 else 0), weights, pps.cabac, pps.init_qp

    def _slice(self, nal: bytes) -> int | None:
        """7.3.3, up to slice_qp_delta. Raises CodecError, or KeyError for parameters that are not known."""
        bits = BitReader(unescape(nal[1:]))
        bits.ue()
        kind = bits.ue() % 5
        pps = self._pps[bits.ue()]
        sps = self._sps[pps.sps_id]
        idr, reference = nal[0] & 0x1F == NAL_IDR, nal[0] & 0x60
        if sps.separate_planes:
            bits.skip(2)
        bits.skip(sps.log2_frame_num)
        field = not sps.frame_mbs_only and bits.flag()
        if field:
            bits.skip(1)
        if idr:
            bits.ue()
        if sps.poc_type == 0:
            bits.skip(sps.log2_poc)
            if pps.bottom_order and not field:
                bits.se()
        elif sps.poc_type == 1:
            return None  # its cycle is not kept; no camera was seen with it
        if pps.redundant:
            bits.ue()
        if kind == _B:
            bits.skip(1)
        refs = list(pps.refs)
        if kind in {_P, _SP, _B} and bits.flag():
            refs[0] = bits.ue() + 1
            if kind == _B:
                refs[1] = bits.ue() + 1
        for _ in range({_P: 1, _SP: 1, _B: 2}.get(kind, 0)):
            _skip_reordering(bits)
        if (pps.weighted and kind in {_P, _SP}) or (pps.weighted_b == 1 and kind == _B):
            _skip_weights(bits, refs if kind == _B else refs[:1], sps)
        if reference:
            _skip_marking(bits, idr=idr)
        if pps.cabac and kind not in {_I, _SI}:
            bits.ue()
        qp = pps.init_qp + bits.se()
        return qp if 0 <= qp <= 51 else None


def _past(value: int, left: int) -> int:
    """How many bits are left behind an Exp-Golomb code; less than 0 where it is too long."""
    zeros = left - (value & (1 << left) - 1).bit_length()
    return left - 2 * zeros - 1 if zeros <= 32 else -1


def _skip_reordering(bits: BitReader) -> None:
    if bits.flag():
        for _ in range(66):
            if bits.ue() == 3:
                return
            bits.ue()
        raise CodecError("too many reorderings")


def _skip_weights(bits: BitReader, refs: list[int], sps: Sps) -> None:
    colour = sps.chroma_format != 0 and not sps.separate_planes
    bits.ue()
    if colour:
        bits.ue()
    for count in refs:
        if count > 32:
            raise CodecError("too many references")
        for _ in range(count):
            if bits.flag():
                bits.se()
                bits.se()
            if colour and bits.flag():
                for _ in range(4):
                    bits.se()


def _skip_marking(bits: BitReader, *, idr: bool) -> None:
    if idr:
        bits.skip(2)
        return
    if bits.flag():
        for _ in range(66):
            operation = bits.ue()
            if operation == 0:
                return
            if operation in {1, 2, 3, 4, 6}:
                bits.ue()
            if operation == 3:
                bits.ue()
        raise CodecError("too many operations")
