"""RTCP (RFC 3550 section 6): reading what a camera reports, writing what we owe it.

Compound packets are walked part by part; unknown parts (APP, feedback), torn tails and what follows the 32nd part are
passed over. Reading never raises: a report that is damaged is no report.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

SENDER_REPORT, RECEIVER_REPORT, SOURCE_DESCRIPTION, GOODBYE = 200, 201, 202, 203
_HEADER = struct.Struct(">BBH")
_SENDER = struct.Struct(">IIIIII")
_RR = struct.Struct(">BBHIIIIIII")
_NTP_TO_UNIX_S = 2_208_988_800
_ERA_S = 1 << 32
_MAX_PARTS = 32


@dataclass(frozen=True, slots=True)
class Report:
    """One SR. ntp: 64-bit NTP time (RFC 5905: seconds since 1900 and their fraction). timestamp: RTP."""

    ssrc: int
    ntp: int
    timestamp: int

    @property
    def wall_us(self) -> int:
        """Microseconds since 1970. Values before 1968 are of the NTP era that begins in 2036 (RFC 5905, 6)."""
        seconds = self.ntp >> 32
        if not seconds >> 31:
            seconds += _ERA_S
        return (seconds - _NTP_TO_UNIX_S) * 1_000_000 + ((self.ntp & 0xFFFF_FFFF) * 1_000_000 >> 32)


@dataclass(frozen=True, slots=True)
class Compound:
    """What was understood of a compound packet. goodbyes: SSRCs that left."""

    reports: tuple[Report, ...]
    goodbyes: tuple[int, ...]


def parse(data: bytes | bytearray | memoryview) -> Compound:
    """Read a compound packet, as far as it can be read."""
    reports: list[Report] = []
    goodbyes: list[int] = []
    at, size = 0, len(data)
    for _ in range(_MAX_PARTS):
        if at + 4 > size:
            break
        first, kind, words = _HEADER.unpack_from(data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > size:
            break
        if kind == SENDER_REPORT and end - at >= 28:
            ssrc, high, low, timestamp, _, _ = _SENDER.unpack_from(data, at + 4)
            if high or low:  # 0: the camera has no clock (6.4.1)
                reports.append(Report(ssrc, high << 32 | low, timestamp))
        elif kind == GOODBYE:
            count = min(first & 0x1F, words)
            goodbyes += struct.unpack_from(f">{count}I", data, at + 4)
        at = end
    return Compound(tuple(reports), tuple(goodbyes))


def receiver_report(
    own_ssrc: int,
    source_ssrc: int,
    *,
    fraction_lost: int,
    lost: int,
    highest: int,
    jitter: int,
    last_report: int,
    delay: int,
) -> bytes:
    """RR with one block, and the SDES that a compound packet must hold (6.1).

    fraction_lost: of 256. lost: cumulative, clamped to 24 bits. highest: extended sequence number. last_report: middle 32
    bits of the last SR's NTP time; delay since then in 1/65536 s.
    """
    block = _RR.pack(
        0x81, RECEIVER_REPORT, 7, own_ssrc, source_ssrc,
        (fraction_lost & 0xFF) << 24 | max(-0x80_0000, min(lost, 0x7F_FFFF)) & 0xFF_FFFF,
        highest & 0xFFFF_FFFF, jitter & 0xFFFF_FFFF, last_report & 0xFFFF_FFFF, min(delay, 0xFFFF_FFFF),
    )  # fmt: skip
    name = b"longwatch"
    sdes = struct.pack(">I", own_ssrc) + bytes([1, len(name)]) + name
    sdes += bytes(4 - len(sdes) % 4)
    return block + _HEADER.pack(0x81, SOURCE_DESCRIPTION, len(sdes) // 4) + sdes


def empty_receiver_report(own_ssrc: int) -> bytes:
    """RR without a block: nothing has been received yet. It still keeps a UDP path and a camera's timer alive."""
    return _HEADER.pack(0x80, RECEIVER_REPORT, 1) + struct.pack(">I", own_ssrc)
