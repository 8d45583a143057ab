"""One RTP track: sequence numbers, sources, loss, reports (RFC 3550). What the payload means is a subclass's business.

A receiver is fed spans of a shared buffer in bulk and returns samples, losses and changes of format. It never raises:
what a camera sends wrongly is counted and passed over, since recording must go on. Not thread-safe; owned by one session.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence

from longwatch.formats.media import Loss, Sample, SenderReport, TrackFormat
from longwatch.formats.rtp import rtcp
from longwatch.formats.rtp.clock import MediaClock

Buffer = bytes | bytearray | memoryview
Output = list[Sample | Loss | TrackFormat]

MAX_ACCESS_UNIT_BYTES = 16 << 20
_HEADER = struct.Struct(">BBHII")
_WINDOW_PACKETS = 64
_WINDOW_US = 200_000
_MAX_GAP = 3000
_FOREIGN_BEFORE_RETURN = 50
_OWN_SSRC = 0x4C57_0000


class TrackReceiver(ABC):
    """Receives one track.

    format: None until it is known. packets, lost, bytes: taken in, never came, payload bytes delivered. duplicates, foreign
    (other payload type or source) and malformed packets are dropped and counted. goodbye: the source said BYE.
    notes: what was strange about this stream, each said once, for people.
    """

    def __init__(self, track: int, payload_type: int, clock_rate: int, *, reorder: bool) -> None:
        self.track = track
        self.format: TrackFormat | None = None
        self.packets = self.lost = self.bytes = 0
        self.duplicates = self.foreign = self.malformed = 0
        self.goodbye = False
        self.notes: list[str] = []
        self.clock = MediaClock(clock_rate)
        self._rate = clock_rate
        self._payload_type = payload_type
        self._reorder = reorder
        self._window: dict[int, tuple[bytes, int]] = {}
        self._arrival_us = 0
        self._out: Output = []
        self._ssrc = -1
        self._left_ssrcs: set[int] = set()
        self._probation: list[bytes] = []
        self._seq = -1  # expected next; -1 before the first packet
        self._cycles = 0
        self._first_seq = 0
        self._retry_seq = -1
        self._reported = (0, 0)
        self._last_report: tuple[int, int] | None = None  # middle 32 bits of NTP, arrival
        self._jitter = 0.0
        self._transit: int | None = None

    # -- packets -----------------------------------------------------------------------------------------------------

    def push(self, buffer: Buffer, spans: Sequence[tuple[int, int]], arrival_boot_us: int) -> Output:
        """Take in RTP packets, each `buffer[start:end]`, all read at `arrival_boot_us`.

        Nothing of `buffer` is kept. Returns, in order, complete access units, losses, and the format when it became known
        or changed: samples after it are of the new one, beginning with a sync sample.
        """
        self._arrival_us = arrival_boot_us
        for start, end in spans:
            self._packet(buffer, start, end)
        return self._take()

    def _take(self) -> Output:
        """What this read brought. What waited too long is given up only now: the missing packet may have come with it."""
        if self._window and min(at for _, at in self._window.values()) + _WINDOW_US < self._arrival_us:
            self._give_up()
        out, self._out = self._out, []
        return out

    def flush(self) -> Output:
        """The session is over: what waited for a missing packet. An access unit whose end was not seen is not delivered."""
        while self._window:
            self._give_up()
        self._end()
        return self._take()

    def _packet(self, buffer: Buffer, start: int, end: int) -> None:
        """The careful path: any packet at all."""
        if end - start < 12 or end > len(buffer):
            self.malformed += 1
            return
        first, second, seq, timestamp, ssrc = _HEADER.unpack_from(buffer, start)
        if first >> 6 != 2:
            self.malformed += 1
            return
        if ssrc != self._ssrc:
            if second & 0x7F != self._payload_type:
                self._other_type()
                return
            if self._ssrc < 0:
                self._ssrc = ssrc
            else:
                self._other_source(ssrc, seq, bytes(buffer[start:end]))
                return
        if self._probation:
            self.foreign += len(self._probation)
            self._probation = []
        self.packets += 1
        if self._seq < 0:
            self._seq = self._first_seq = seq
            self._reported = (0, self.packets - 1)
        if seq != self._seq:
            if self._reorder and 0 < (seq - self._seq) & 0xFFFF < _MAX_GAP:
                self._hold(seq, bytes(buffer[start:end]))
                return
            if not self._out_of_order(seq):
                self.packets -= 1
                return
        self._in_order(buffer, start, end, first, second, seq, timestamp)
        if self._window:
            self._drain()

    def _in_order(
        self, buffer: Buffer, start: int, end: int, first: int, second: int, seq: int, timestamp: int
    ) -> None:
        if seq == 0xFFFF:
            self._cycles += 1
        self._seq = (seq + 1) & 0xFFFF
        if second & 0x7F != self._payload_type:
            # Geovision mixes packets of type 50 into its video, in the same sequence.
            self._other_type()
            self.packets -= 1
            self._first_seq += 1
            return
        at = start + 12 + 4 * (first & 0x0F)
        if first & 0x10:
            at += 4 + 4 * int.from_bytes(buffer[at + 2 : at + 4], "big")
        if first & 0x20 and end > at:
            end -= buffer[end - 1]
        if at > end:
            self.malformed += 1
            return
        self._payload(buffer, at, end, timestamp, second >= 0x80)

    def _other_type(self) -> None:
        self.foreign += 1
        self.note("packets of a payload type that SDP does not announce for this track")

    def _other_source(self, ssrc: int, seq: int, packet: bytes) -> None:
        """A packet of another source. Two in a row, with none of ours between, are a change (an encoder that restarts
        changes its SSRC at once), and both are taken in. A source that we left (a stale session) needs fifty.
        """
        held = self._probation
        if held and held[-1][8:12] == packet[8:12] and (int.from_bytes(held[-1][2:4], "big") + 1) & 0xFFFF == seq:
            held.append(packet)
        else:
            self.foreign += len(held)
            self._probation = held = [packet]
        if len(held) < (_FOREIGN_BEFORE_RETURN if ssrc in self._left_ssrcs else 2):
            return
        if len(self._left_ssrcs) < 64:
            self._left_ssrcs.add(self._ssrc)
        self._left_ssrcs.discard(ssrc)
        self._probation = []
        self._ssrc = ssrc
        self._seq = self._retry_seq = -1
        self._cycles = 0
        self._window.clear()
        self._transit = self._last_report = None
        self.clock.source_changed()
        self.note("the source of the stream (SSRC) changed")
        self._lose(0, "the source of the stream (SSRC) changed")
        for each in held:
            self._packet(each, 0, len(each))

    def _out_of_order(self, seq: int) -> bool:
        """A sequence number that is not the next one: count what is missing; False: drop it as a duplicate."""
        ahead = (seq - self._seq) & 0xFFFF
        if ahead < _MAX_GAP:
            self.lost += ahead
            if seq < self._seq:
                self._cycles += 1
            self._lose(ahead, f"{ahead} packets missing")
            self._retry_seq = -1
            return True
        if self._retry_seq != seq:
            # RFC 3550, A.1: two in a row make a new sequence, one alone is a duplicate or a stray.
            self._retry_seq = (seq + 1) & 0xFFFF
            self.duplicates += 1
            return False
        self._retry_seq = -1
        self._window.clear()
        self._first_seq = seq
        self._reported = (0, self.packets - 1)
        self._cycles = 0
        self.note("sequence numbers jumped")
        self._lose(0, "sequence numbers jumped")
        return True

    # -- reordering (UDP) --------------------------------------------------------------------------------------------

    def _hold(self, seq: int, packet: bytes) -> None:
        if seq in self._window:
            self.duplicates += 1
            self.packets -= 1
            return
        self._window[seq] = packet, self._arrival_us
        if len(self._window) > _WINDOW_PACKETS:
            self._give_up()

    def _give_up(self) -> None:
        """The packets before the first one held will not come."""
        seq = min(self._window, key=lambda held: (held - self._seq) & 0xFFFF)
        if seq != self._seq:
            self._out_of_order(seq)
            self._seq = seq
        self._drain()

    def _drain(self) -> None:
        while (held := self._window.pop(self._seq, None)) is not None:
            packet = held[0]
            first, second, seq, timestamp, _ = _HEADER.unpack_from(packet, 0)
            self._in_order(packet, 0, len(packet), first, second, seq, timestamp)

    # -- what a codec does -------------------------------------------------------------------------------------------

    @abstractmethod
    def _payload(self, buffer: Buffer, start: int, end: int, timestamp: int, marker: bool) -> None:
        """The next payload in order, `buffer[start:end]`; it may be empty."""

    @abstractmethod
    def _gap(self) -> None:
        """Packets before the next one are missing."""

    @abstractmethod
    def _end(self) -> None:
        """No more packets come."""

    # -- for codecs --------------------------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """Remember once that this stream is strange."""
        if text not in self.notes and len(self.notes) < 32:
            self.notes.append(text)

    def _lose(self, packets: int, detail: str) -> None:
        self._out.append(Loss(self.track, packets, self._arrival_us, detail))
        self._gap()

    def _media_time(self, timestamp: int) -> int:
        """Unwrap the timestamp of a new access unit, and keep the jitter of RFC 3550, 6.4.1 (per access unit)."""
        transit = self._arrival_us * self._rate // 1_000_000 - timestamp
        if self._transit is not None:
            change = abs(((transit - self._transit + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000)
            self._jitter += (change - self._jitter) / 16
        self._transit = transit
        jumps = self.clock.jumps
        media = self.clock.unwrap(timestamp, self._arrival_us)
        if self.clock.jumps != jumps:
            self.note("timestamps jumped")
        return media

    # -- RTCP --------------------------------------------------------------------------------------------------------

    def push_rtcp(self, data: Buffer, arrival_boot_us: int) -> list[SenderReport]:
        """Take in a compound RTCP packet. Reports of another source than the samples' are left out.

        Reports before the first sample are left out too: there is no media time yet to tie them to.
        """
        compound = rtcp.parse(data)
        if self._ssrc in compound.goodbyes:
            self.goodbye = True
        found = []
        for report in compound.reports:
            # A wrong SSRC in the reports of an otherwise single source is common; a left source's is not ours.
            if report.ssrc in self._left_ssrcs or not self.clock.started:
                continue
            self._last_report = (report.ntp >> 16) & 0xFFFF_FFFF, arrival_boot_us
            found.append(SenderReport(self.track, self.clock.near(report.timestamp), report.wall_us, arrival_boot_us))
        return found

    def receiver_report(self, now_boot_us: int) -> bytes:
        """A compound RR + SDES to send now; loss fraction since the last call."""
        own = _OWN_SSRC | (self.track & 0xFFFF)
        if self._seq < 0:
            return rtcp.empty_receiver_report(own)
        highest = (self._cycles << 16) + self._seq - 1
        expected = highest + 1 - self._first_seq
        since_expected, since_received = expected - self._reported[0], self.packets - self._reported[1]
        self._reported = expected, self.packets
        missing = max(0, since_expected - since_received)
        fraction = min(255, missing * 256 // since_expected) if since_expected > 0 else 0
        last, delay = 0, 0
        if self._last_report is not None:
            last, at = self._last_report
            delay = max(0, now_boot_us - at) * 65536 // 1_000_000
        return rtcp.receiver_report(
            own, self._ssrc, fraction_lost=fraction, lost=self.lost, highest=highest,
            jitter=int(self._jitter), last_report=last, delay=delay,
        )  # fmt: skip
