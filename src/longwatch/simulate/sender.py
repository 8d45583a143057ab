"""Sends one session's tracks at the pace of a camera: RTP packets when they are due, sender reports between them."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable, Sequence
from typing import Protocol

from longwatch.base.clock import Clock
from longwatch.formats.media import Kind
from longwatch.simulate.clip import Clip, Track, Unit
from longwatch.simulate.faults import Condition

_RTP = struct.Struct(">BBHII")
_SR = struct.Struct(">BBHIIIIII")
_NTP_EPOCH_S = 2_208_988_800  # 1900 to 1970, RFC 5905
_REPORT_EVERY_US = 5_000_000
_BACKLOG_BYTES = 4 << 20


def sender_report(ssrc: int, wall_us: float, timestamp: int, packets: int, octets: int) -> bytes:
    """RTCP SR (RFC 3550, 6.4.1) and an SDES CNAME (6.5)."""
    seconds = wall_us / 1e6 + _NTP_EPOCH_S
    whole = math.floor(seconds)
    report = _SR.pack(
        0x80, 200, 6, ssrc, whole & 0xFFFFFFFF, int((seconds - whole) * (1 << 32)) & 0xFFFFFFFF,
        timestamp & 0xFFFFFFFF, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF,
    )  # fmt: skip
    return report + struct.pack(">BBHIBB", 0x81, 202, 3, ssrc, 1, 6) + b"camera"


class Pipe(Protocol):
    """How packets of one track leave: a pair of interleaved channels, or two UDP sockets."""

    def send(self, packets: Sequence[bytes]) -> None: ...

    def send_report(self, packet: bytes) -> None: ...

    def backlog_bytes(self) -> int:
        """What the client has not taken yet."""
        ...


class CameraClock:
    """What a camera believes of time: its own wall clock, `offset_s` wrong and `ppm` fast."""

    def __init__(self, clock: Clock, offset_s: float = 0.0, ppm: float = 0.0) -> None:
        self._clock = clock
        self.offset_s = offset_s
        self.rate = 1 + ppm / 1e6
        self.started_us = clock.boottime_us()
        self._wall_at_start_us = clock.wall_us()

    def now_us(self) -> int:
        return self._clock.boottime_us()

    def elapsed_us(self) -> float:
        """Since the camera started, by its own crystal."""
        return (self._clock.boottime_us() - self.started_us) * self.rate

    def wall_us(self, elapsed_us: float) -> float:
        """What the camera says the time is, at a moment of `elapsed_us`: microseconds since 1970."""
        return self._wall_at_start_us + elapsed_us + self.offset_s * 1e6

    async def sleep_until(self, elapsed_us: float) -> None:
        await self._clock.sleep(max(0.0, (elapsed_us - self.elapsed_us()) / 1e6 / self.rate))


class Lane:
    """One track on its way: where it is in the endless stream, and its RTP counters."""

    def __init__(self, index: int, track: Track, payload_type: int, pipe: Pipe, chance: random.Random) -> None:
        self.index = index
        self.track = track
        self.pipe = pipe
        self.payload_type = payload_type
        self.ssrc = chance.getrandbits(32)
        self.sequence = chance.getrandbits(16)
        self.base = chance.getrandbits(32)
        self.number = 0
        self.shift = 0  # ticks from the clip's time to the session's
        self.packets = 0
        self.octets = 0
        self.next_report_us = 0.0
        self.sent_ticks = 0
        self.last_sync: Unit | None = None

    def due_us(self) -> float:
        """When the next unit leaves, in the camera's own elapsed time."""
        unit, add = self.track.at(self.number)
        return (unit.dts + add + self.shift) * 1e6 / self.track.rate

    def follow(self, track: Track) -> None:
        """Go on with another file's track from its beginning, without a seam in time."""
        unit, add = self.track.at(self.number)
        now = unit.dts + add + self.shift
        self.track, self.number, self.shift, self.last_sync = track, 0, now - track.units[0].dts, None


class Sender:
    """Paces the lanes of one session. Owner of its state: the session's task."""

    def __init__(
        self,
        clip: Callable[[], Clip],
        clock: CameraClock,
        condition: Condition,
        chance: random.Random,
        *,
        offset_s: float,
        in_band: bool,
        reports: bool,
    ) -> None:
        self._clip = clip
        self._playing = clip()
        self._clock = clock
        self._condition = condition
        self._chance = chance
        self._offset_s = offset_s
        self._in_band = in_band
        self._reports = reports
        self.lanes: list[Lane] = []
        self.units_dropped = 0

    def begin(self) -> None:
        """Take up the stream where the camera is now: each session begins with a sync unit."""
        elapsed_s = self._clock.elapsed_us() / 1e6
        position_s = elapsed_s + self._offset_s
        video = next((lane for lane in self.lanes if lane.track.kind is Kind.VIDEO), None)
        behind_s = 0.0
        if video is not None:
            if video.track.made_when_due:
                video.number = video.track.sync_before(int(elapsed_s * video.track.rate))
                return
            number = video.track.sync_before(int(position_s * video.track.rate))
            unit, add = video.track.at(number)
            behind_s = position_s - (unit.dts + add) / video.track.rate
        for lane in self.lanes:
            start = max(0, int((position_s - behind_s) * lane.track.rate + 0.5))
            lane.number = lane.track.number_at(start) if lane is not video else number
            unit, add = lane.track.at(lane.number)
            lane.shift = round((elapsed_s - (position_s - behind_s)) * lane.track.rate)
            if self._condition.wrap_after_s is not None:
                left = round(self._condition.wrap_after_s * lane.track.rate)
                lane.base = (-(unit.pts + add + lane.shift) - left) & 0xFFFFFFFF

    def first_timestamp(self, lane: Lane) -> int:
        """The RTP timestamp of the lane's next unit, for RTP-Info (RFC 2326, 12.33)."""
        unit, add = lane.track.at(lane.number)
        return self._timestamp(lane, unit.pts + add + lane.shift)

    def _timestamp(self, lane: Lane, ticks: int) -> int:
        return (lane.base + ticks + round(self._condition.skew_s * lane.track.rate)) & 0xFFFFFFFF

    async def run(self) -> None:
        """For ever, until cancelled."""
        while True:
            lane = min(self.lanes, key=Lane.due_us)
            await self._clock.sleep_until(lane.due_us())
            now_us = self._clock.now_us()
            condition = self._condition
            if self._clip() is not self._playing:
                self._playing = self._clip()
                for other in self.lanes:
                    if other.track.kind is Kind.VIDEO:
                        other.follow(self._playing.video)
            unit, add = lane.track.at(lane.number)
            silent = now_us < max(condition.stalled_until_us, condition.hung_until_us)
            silent |= lane.track.kind is Kind.VIDEO and now_us < condition.audio_only_until_us
            if not silent:
                self._send(lane, unit, add + lane.shift, now_us)
            lane.number += 1

    def _send(self, lane: Lane, unit: Unit, shift: int, now_us: int) -> None:
        if lane.pipe.backlog_bytes() > _BACKLOG_BYTES:
            self.units_dropped += 1
            return
        if self._reports and self._clock.elapsed_us() >= lane.next_report_us:
            lane.pipe.send_report(self._report(lane))
            lane.next_report_us = self._clock.elapsed_us() + _REPORT_EVERY_US
        ticks = unit.pts + shift
        frozen = lane.track.kind is Kind.VIDEO and now_us < self._condition.frozen_until_us
        if unit.sync and not (frozen and lane.last_sync):
            lane.last_sync = unit
        if frozen and lane.last_sync is not None:
            unit = lane.last_sync
        payloads = list(unit.payloads)
        if self._in_band and unit.sync:
            payloads = [*lane.track.parameter_sets, *payloads]
        timestamp = self._timestamp(lane, ticks)
        packets = []
        last = len(payloads) - 1
        for position, payload in enumerate(payloads):
            marker = 0x80 if position == last else 0
            header = _RTP.pack(0x80, marker | lane.payload_type, lane.sequence, timestamp, lane.ssrc)
            lane.sequence = (lane.sequence + 1) & 0xFFFF
            lane.octets += len(payload)
            packets.append(header + payload)
        lane.packets += len(packets)
        lane.sent_ticks = ticks
        lane.pipe.send(self._mistreated(lane, packets, now_us))

    def _mistreated(self, lane: Lane, packets: list[bytes], now_us: int) -> list[bytes]:
        condition = self._condition
        if condition.lose_packets and lane.track.kind is Kind.VIDEO:
            lost = min(condition.lose_packets, len(packets))
            condition.lose_packets -= lost
            packets = packets[lost:]
        if condition.loss and now_us < condition.loss_until_us:
            packets = [packet for packet in packets if self._chance.random() >= condition.loss]
        if condition.swap and now_us < condition.swap_until_us:
            for position in range(1, len(packets)):
                if self._chance.random() < condition.swap:
                    packets[position - 1], packets[position] = packets[position], packets[position - 1]
        return packets

    def _report(self, lane: Lane) -> bytes:
        elapsed_us = self._clock.elapsed_us()
        timestamp = self._timestamp(lane, round(elapsed_us * lane.track.rate / 1e6))
        wall_us = self._clock.wall_us(elapsed_us)
        return sender_report(lane.ssrc, wall_us, timestamp, lane.packets, lane.octets)

    def goodbyes(self) -> None:
        """RTCP BYE on every lane (RFC 3550, 6.6)."""
        for lane in self.lanes:
            lane.pipe.send_report(struct.pack(">BBHI", 0x81, 203, 1, lane.ssrc))
