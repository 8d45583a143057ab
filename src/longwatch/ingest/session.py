"""One session with a camera: connect, converse, take packets in, notice what is wrong, end it.

The packets' path runs in the connection's callbacks; the session's one task only ticks: keep-alives, answers that do not
come, silence, audio alone, nothing to store. However it ends, it ends with an Outcome that says why.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import ssl
from collections.abc import Callable, Sequence

import structlog

from longwatch.base.clock import Clock
from longwatch.base.secrets import scrub
from longwatch.base.tasks import Tasks
from longwatch.formats.codecs import thermal_still
from longwatch.formats.media import Sample
from longwatch.formats.rtsp import (
    Client,
    Command,
    Described,
    End,
    Ended,
    Login,
    Message,
    Playing,
    RtspError,
    Send,
    SetUp,
    TrackReady,
    Transport,
)
from longwatch.formats.sdp import Media
from longwatch.ingest import thermal_stills
from longwatch.ingest.addresses import TlsTimeoutError, connect
from longwatch.ingest.arena import arena_of
from longwatch.ingest.bounds import Bounds, ExcessError
from longwatch.ingest.camera_url import CameraUrl
from longwatch.ingest.connection import Connection, PacketHandler
from longwatch.ingest.datagrams import DatagramPair, open_pair
from longwatch.ingest.delivery import FROZEN, Delivery
from longwatch.ingest.frozen import FrozenPicture, Mark
from longwatch.ingest.options import Options
from longwatch.ingest.outcome import Outcome
from longwatch.ingest.selection import Chosen, choose
from longwatch.ingest.thermal_stills import StillSource
from longwatch.model.sessions import Fault, StreamSink

_log = structlog.get_logger(__name__)
_LONGEST_TICK_S = 1.0
_AFTER_GOODBYE_S = 2.0  # some cameras say BYE for a source that they replace, and go on
_FAULTS = {
    End.LOGIN_REFUSED: Fault.LOGIN_REFUSED,
    End.REFUSED: Fault.REFUSED,
    End.STALE_SESSION: Fault.REFUSED,
    End.PROTOCOL_ERROR: Fault.PROTOCOL_ERROR,
    End.TIMED_OUT: Fault.TIMED_OUT,
    End.ENDED_BY_CAMERA: Fault.DISCONNECTED,
}


class Session:
    """One attempt. Use once: `outcome = await session.run()`.

    tracks: what was chosen. reports_in: RTCP packets so far. server: the camera's Server header. mark: the picture that stands still, for the next session.
    """

    def __init__(
        self,
        url: CameraUrl,
        options: Options,
        clock: Clock,
        sink: StreamSink,
        *,
        changed: Callable[[Fault | None, str], None],
        unfinished: str = "",
        mark: Mark | None = None,
        bounds: Bounds | None = None,
        stills: StillSource | None = None,
    ) -> None:
        """bounds: what this stream may cost, over all its sessions. stills: a further track, fetched while it plays."""
        self._stills = stills
        self.tracks: list[Chosen] = []
        self.playing = False
        self.reports_in = 0
        self._url = url
        self._options = options
        self._clock = clock
        login = Login(url.user, url.password) if url.user or url.password else None
        self._client = Client(
            url.request_url,
            login,
            cnonce=secrets.token_hex(8),
            timeout_us=int(options.answer_timeout_s * 1e6),
            unfinished=unfinished,
        )
        self._udp = options.transport == "udp" and url.scheme == "rtsp"
        self._media: tuple[Media, ...] = ()
        self._pairs: dict[int, DatagramPair] = {}
        self._delivery = Delivery(sink, FrozenPicture(options.frozen_s, mark), changed, bounds)
        self._tasks = Tasks(f"session {url.origin}", self._died)
        self._connection: Connection | None = None
        self._hurried = False
        self._done: asyncio.Future[Outcome] | None = None
        self._report_channels: dict[int, int] = {}
        self._last_packet_us = 0
        self._last_video_us = 0
        self._playing_us = 0
        self._next_report_us = 0

    @property
    def server(self) -> str:
        return self._client.server

    @property
    def streamed(self) -> bool:
        """Whether samples were delivered."""
        return self._delivery.streamed

    @property
    def transport(self) -> str:
        """How packets come: tcp, udp or tls."""
        return "tls" if self._url.scheme == "rtsps" else "udp" if self._udp else "tcp"

    @property
    def offered(self) -> tuple[str, ...]:
        """Every medium that the camera described, for people."""
        return tuple(f"{m.kind} {m.encoding or m.payload_type}" for m in self._media)

    @property
    def not_taken(self) -> tuple[str, ...]:
        """Media of kinds that are wanted, of which none could be taken."""
        taken = {self._media[track.media].kind for track in self.tracks}
        wanted = {"video"} | ({"audio"} if self._options.audio else set())
        return tuple(sorted({m.kind for m in self._media if m.kind in wanted} - taken))

    @property
    def mark(self) -> Mark | None:
        """Where the picture stands still: which one."""
        return self._delivery.frozen.mark if self._delivery.frozen.frozen else None

    @property
    def bytes_in(self) -> int:
        """Read from the connection so far."""
        return self._connection.bytes_in if self._connection is not None else 0

    def hurry(self, on: bool) -> None:
        """Whether somebody watches, and waits for what comes."""
        self._hurried = on
        if self._connection is not None:
            self._connection.hurry(on)

    async def run(self) -> Outcome:
        """From connecting to the end. Cancellation tears the session down."""
        outcome = Outcome(None, "stopped")
        self._done = asyncio.get_running_loop().create_future()
        self._connection = Connection(arena_of(asyncio.get_running_loop()), self._clock, self)
        self._connection.hurry(self._hurried)
        try:
            failed = await self._connect(self._connection)
            if failed is not None:
                outcome = failed
                return outcome
            self._carry_out(self._client.start(self._clock.boottime_us()))
            self._tasks.start("tick", self._ticks())
            outcome = await self._done
        finally:
            unfinished = await self._end(outcome)
        return Outcome(outcome.fault, outcome.detail, self.streamed, outcome.retry_after_s, unfinished, self.server)

    async def _connect(self, connection: Connection) -> Outcome | None:
        where = self._url.origin
        try:
            await connect(connection, self._url, self._options, self._clock)
        except TlsTimeoutError:
            return Outcome(Fault.TIMED_OUT, f"{where} does not go on with TLS")
        except TimeoutError:
            return Outcome(Fault.UNREACHABLE, f"{where} does not answer")
        except ssl.SSLCertVerificationError as error:
            return Outcome(Fault.REFUSED, f"the certificate of {where} is not trusted: {error.verify_message}")
        except ssl.SSLError as error:
            return Outcome(Fault.PROTOCOL_ERROR, f"no TLS with {where}: {error.reason or error}")
        except OSError as error:
            return Outcome(Fault.UNREACHABLE, f"{where} cannot be reached: {_words(error)}")
        return None

    async def _end(self, outcome: Outcome) -> str:
        """Close everything; returns the id of a session that could not be torn down. The sink hears of the end before
        anything is waited for.
        """
        unfinished = self._client.session
        try:
            if self._connection is not None:
                for command in self._client.close(self._clock.boottime_us()):
                    if isinstance(command, Send) and self._connection.write(command.data):
                        unfinished = ""
                self._connection.close()
            for pair in self._pairs.values():
                pair.close()
            for track in self.tracks:
                self._delivery.take(track.receiver.flush(), track.index)
        finally:
            self._delivery.close(outcome.fault, outcome.detail)
            await self._tasks.aclose()
        return unfinished

    def _finish(self, fault: Fault | None, detail: str, retry_after_s: float | None = None) -> None:
        """The first reason counts."""
        if self._connection is not None:
            self._connection.over = True
        if self._done is not None and not self._done.done():
            self._done.set_result(Outcome(fault, scrub(detail), retry_after_s=retry_after_s))

    def _died(self, name: str, error: BaseException) -> None:
        self._finish(Fault.UNUSABLE, f"internal error in {name}: {type(error).__name__}")

    # The connection's listener

    def message(self, message: Message) -> None:
        try:
            self._carry_out(self._client.received(message, self._clock.boottime_us()))
        except RtspError as error:
            self.broken(error)

    def strays(self) -> None:
        self._carry_out(self._client.stray_packets(self._clock.boottime_us()))

    def broken(self, error: RtspError) -> None:
        self._finish(Fault.PROTOCOL_ERROR, str(error))

    def closed(self, error: Exception | None) -> None:
        if error is not None and not isinstance(error, OSError):
            _log.error("taking in a stream failed", camera=self._url.origin, error=repr(error), exc_info=error)
            self._finish(Fault.UNUSABLE, f"internal error: {type(error).__name__}")
            return
        how = f"the connection broke: {_words(error)}" if error else "the camera closed the connection"
        if self.playing:
            self._finish(Fault.DISCONNECTED, how)
        else:
            self._finish(Fault.PROTOCOL_ERROR, f"{how} before it played")

    # Commands of the client

    def _carry_out(self, commands: Sequence[Command]) -> None:
        assert self._connection is not None
        for command in commands:
            if isinstance(command, Send):
                if not self._connection.write(command.data):
                    self._finish(Fault.TIMED_OUT, "the camera has stopped reading what we send")
            elif isinstance(command, Described):
                self._describe(command)
            elif isinstance(command, TrackReady):
                self._track_ready(command)
            elif isinstance(command, Playing):
                self._plays()
            else:
                self._ended(command)

    def _ended(self, ended: Ended) -> None:
        self._finish(_FAULTS[ended.end], ended.detail, ended.retry_after_s)

    def _describe(self, described: Described) -> None:
        self._media = described.description.media
        self.tracks = choose(described.description, self._options, reorder=self._udp)
        if not self.tracks:
            offers = ", ".join(self.offered)[:200]
            self._finish(Fault.REFUSED, f"no video that we can store; the camera offers {offers}")
            return
        formats = [track.receiver.format for track in self.tracks]
        self._delivery.set_formats(formats if self._stills is None else [*formats, thermal_still.track_format()])
        if self._udp:
            self._tasks.start("ports", self._set_up_udp())
            return
        channels = [SetUp(t.media, Transport(channels=(2 * t.index, 2 * t.index + 1))) for t in self.tracks]
        self._carry_out(self._client.set_up(channels, self._clock.boottime_us()))

    async def _set_up_udp(self) -> None:
        assert self._connection is not None
        assert self._connection.transport is not None
        local = str(self._connection.transport.get_extra_info("sockname")[0])
        peer = str(self._connection.transport.get_extra_info("peername")[0])
        try:
            for track in self.tracks:
                self._pairs[track.media] = await open_pair(self._clock, local, peer)
        except OSError as error:
            self._finish(Fault.REFUSED, f"no UDP ports for this stream: {error.strerror}")
            return
        ports = [SetUp(t.media, Transport(client_ports=self._pairs[t.media].ports)) for t in self.tracks]
        self._carry_out(self._client.set_up(ports, self._clock.boottime_us()))

    def _track_ready(self, ready: TrackReady) -> None:
        track = next(track for track in self.tracks if track.media == ready.media)
        packets, reports = self._packet_handler(track), self._report_handler(track)
        if self._udp:
            self._udp_ready(ready, packets, reports)
            return
        transport = ready.transport
        if transport.channels is None and transport.server_ports is not None:
            self._finish(Fault.REFUSED, "the camera sends by UDP alone; try the transport udp")
            return
        channels = transport.channels or (2 * track.index, 2 * track.index + 1)
        self._report_channels[track.index] = channels[1]
        assert self._connection is not None
        try:
            self._connection.open(channels[0], packets)
            if channels[1] != channels[0]:
                self._connection.open(channels[1], reports)
        except RtspError as error:
            self.broken(error)

    def _udp_ready(self, ready: TrackReady, packets: PacketHandler, reports: PacketHandler) -> None:
        assert self._connection is not None
        assert self._connection.transport is not None
        if ready.transport.channels is not None:
            self._finish(Fault.REFUSED, "the camera sends by TCP alone; try the transport tcp")
            return
        pair = self._pairs[ready.media]
        pair.listen(packets, reports)
        if ready.transport.server_ports is not None and ready.transport.server_ports[1] > 0:
            pair.report_to(
                str(self._connection.transport.get_extra_info("peername")[0]), ready.transport.server_ports[1]
            )

    def _plays(self) -> None:
        now_us = self._clock.boottime_us()
        self.playing = True
        if self._connection is not None:
            self._connection.settle()
        self._playing_us = now_us
        self._last_packet_us = max(self._last_packet_us, now_us)
        self._last_video_us = max(self._last_video_us, now_us)
        self._next_report_us = now_us + int(self._options.report_every_s * 1e6)
        if self._stills is not None:
            follow = thermal_stills.follow(
                self._stills,
                len(self.tracks),
                self._url.origin,
                self._clock,
                lambda: self._delivery.opened,
                self._take_still,
            )
            self._tasks.start("stills", follow)

    def _take_still(self, sample: Sample) -> None:
        self._delivery.take([sample], sample.track)

    # Packets

    def _packet_handler(self, track: Chosen) -> PacketHandler:
        push, take, index = track.receiver.push, self._delivery.take, track.index

        def packets(buffer: bytes | bytearray, spans: Sequence[tuple[int, int]], arrival_us: int) -> None:
            self._last_packet_us = arrival_us
            if index == 0:
                self._last_video_us = arrival_us
            made = push(buffer, spans, arrival_us)
            if made:
                try:
                    take(made, index, arrival_us)
                except ExcessError as error:
                    self._finish(Fault.UNUSABLE, str(error))

        return packets

    def _report_handler(self, track: Chosen) -> PacketHandler:
        def reports(buffer: bytes | bytearray, spans: Sequence[tuple[int, int]], arrival_us: int) -> None:
            for start, end in spans:
                self.reports_in += 1
                found = track.receiver.push_rtcp(bytes(buffer[start:end]), arrival_us)
                try:
                    self._delivery.sender_reports(found, arrival_us)
                except ExcessError as error:
                    self._finish(Fault.UNUSABLE, str(error))
                    return

        return reports

    # Time

    async def _ticks(self) -> None:
        o = self._options
        tick_s = min(_LONGEST_TICK_S, min(o.answer_timeout_s, o.silent_s, o.audio_only_s, o.unusable_s) / 4)
        while True:
            await self._clock.sleep(tick_s)
            now_us = self._clock.boottime_us()
            self._carry_out(self._client.tick(now_us))
            if self.playing:
                self._look(now_us)
                if now_us >= self._next_report_us:
                    self._next_report_us = now_us + int(self._options.report_every_s * 1e6)
                    self._report(now_us)

    def _look(self, now_us: int) -> None:
        """What is wrong with a session that plays."""
        o = self._options
        sample_us = self._delivery.last_sample_us or self._playing_us
        frozen_us = self._delivery.frozen_since_us
        if now_us - self._last_packet_us >= o.silent_s * 1e6:
            never = self._udp and self._last_packet_us == self._playing_us
            hint = "; a firewall may keep its UDP out: try the transport tcp" if never else ""
            self._finish(Fault.SILENT, f"connected, and no packet for {o.silent_s:g} s{hint}")
        elif self.tracks[0].receiver.goodbye and now_us - self._last_video_us >= _AFTER_GOODBYE_S * 1e6:
            self._finish(Fault.DISCONNECTED, "the camera said goodbye (RTCP BYE)")
        elif now_us - self._last_video_us >= o.audio_only_s * 1e6:
            self._finish(Fault.AUDIO_ONLY, f"audio comes, and no video for {o.audio_only_s:g} s")
        elif now_us - sample_us >= o.unusable_s * 1e6:
            missing = "parameter sets" if self.tracks[0].receiver.format is None else "sync sample"
            self._finish(Fault.UNUSABLE, f"video comes, and no {missing} for {o.unusable_s:g} s")
        elif frozen_us is not None and now_us - frozen_us >= o.reconnect_frozen_s * 1e6:
            self._finish(Fault.FROZEN, FROZEN)

    def _report(self, now_us: int) -> None:
        """Receiver reports (RFC 3550, 6.4.2): some cameras stop sending to who sends none."""
        assert self._connection is not None
        for track in self.tracks:
            report = track.receiver.receiver_report(now_us)
            if track.media in self._pairs:
                self._pairs[track.media].send_report(report)
            elif track.index in self._report_channels:
                channel = self._report_channels[track.index]
                self._connection.write(b"$" + bytes([channel]) + len(report).to_bytes(2, "big") + report)


def _words(error: OSError) -> str:
    """The system's words for an error; asyncio and uvloop write their own around the same number."""
    if error.errno is not None and error.errno > 0 and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno).lower()
    return (error.strerror or str(error)).lower()
