"""Access units to RTP payloads: the sending side, for simulated cameras and for tests of the receiving side.

Payloads only: who sends adds the 12-byte header, and sets the marker bit on the last payload of a unit. `max_payload`
is what fits behind that header.
"""

from __future__ import annotations

from collections.abc import Iterator

from longwatch.formats.media import Codec

MAX_PAYLOAD_BYTES = 1400 - 12


def nal_units(access_unit: bytes, length_bytes: int = 4) -> Iterator[bytes]:
    """The NAL units of a length-prefixed access unit (ISO/IEC 14496-15, 5.3.2). A torn tail is left out."""
    offset = 0
    while offset + length_bytes <= len(access_unit):
        start = offset + length_bytes
        end = start + int.from_bytes(access_unit[offset:start], "big")
        if end > len(access_unit):
            return
        if end > start:
            yield access_unit[start:end]
        offset = end


def h264(nal: bytes, max_payload: int = MAX_PAYLOAD_BYTES) -> list[bytes]:
    """RFC 6184: the NAL unit itself where it fits (5.6), else FU-A (5.8)."""
    if len(nal) <= max_payload:
        return [nal]
    indicator = (nal[0] & 0xE0) | 28
    kind = nal[0] & 0x1F
    step = max_payload - 2
    payloads = []
    for offset in range(1, len(nal), step):
        start = 0x80 if offset == 1 else 0
        end = 0x40 if offset + step >= len(nal) else 0
        payloads.append(bytes((indicator, start | end | kind)) + nal[offset : offset + step])
    return payloads


def h265(nal: bytes, max_payload: int = MAX_PAYLOAD_BYTES) -> list[bytes]:
    """RFC 7798: the NAL unit itself where it fits (4.4.1), else fragmentation units (4.4.3)."""
    if len(nal) <= max_payload:
        return [nal]
    header = bytes(((nal[0] & 0x81) | (49 << 1), nal[1]))
    kind = (nal[0] >> 1) & 0x3F
    step = max_payload - 3
    payloads = []
    for offset in range(2, len(nal), step):
        start = 0x80 if offset == 2 else 0
        end = 0x40 if offset + step >= len(nal) else 0
        payloads.append(header + bytes((start | end | kind,)) + nal[offset : offset + step])
    return payloads


def aac(frame: bytes, max_payload: int = MAX_PAYLOAD_BYTES) -> list[bytes]:
    """RFC 3640, mode AAC-hbr (3.3.6): one raw frame with a 16-bit AU header; fragments where it does not fit."""
    header = b"\x00\x10" + (len(frame) << 3).to_bytes(2, "big")
    step = max_payload - len(header)
    return [header + frame[offset : offset + step] for offset in range(0, len(frame), step)]


def payloads(codec: Codec, unit: bytes, max_payload: int = MAX_PAYLOAD_BYTES) -> list[bytes]:
    """All payloads of one stored sample, in order. Raises ValueError for an encoding that has no packetizer here."""
    if codec is Codec.H264:
        return [payload for nal in nal_units(unit) for payload in h264(nal, max_payload)]
    if codec is Codec.H265:
        return [payload for nal in nal_units(unit) for payload in h265(nal, max_payload)]
    if codec is Codec.AAC:
        return aac(unit, max_payload)
    if codec in {Codec.PCMU, Codec.PCMA, Codec.OPUS}:
        return [unit]
    raise ValueError(f"no packetizer for {codec}")
