"""One client of a simulated camera: its requests, its login, and what it is sent."""

from __future__ import annotations

import asyncio
import random
import secrets
import socket
import struct
from collections import deque
from collections.abc import Sequence
from typing import Protocol, cast
from urllib.parse import unquote, urlsplit

from longwatch.base.clock import Clock
from longwatch.base.tasks import Tasks
from longwatch.formats.media import Kind
from longwatch.simulate.clip import Clip
from longwatch.simulate.faults import Condition
from longwatch.simulate.login import Login
from longwatch.simulate.requests import Interleaved, Request, RequestReader, answer, transport_options
from longwatch.simulate.sender import Lane, Sender

_FIRST_PAYLOAD_TYPE = 96
_PUBLIC = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
_FRAME = struct.Struct(">BBH")


class _Channels:
    """Interleaved packets on the RTSP connection (RFC 2326, 10.12)."""

    def __init__(self, transport: asyncio.Transport, channel: int, report_channel: int) -> None:
        self._transport = transport
        self._channel = channel
        self._report_channel = report_channel

    def send(self, packets: Sequence[bytes]) -> None:
        self._transport.write(b"".join([_FRAME.pack(0x24, self._channel, len(p)) + p for p in packets]))

    def send_report(self, packet: bytes) -> None:
        self._transport.write(_FRAME.pack(0x24, self._report_channel, len(packet)) + packet)

    def backlog_bytes(self) -> int:
        return self._transport.get_write_buffer_size()


class _Datagrams:
    """A pair of UDP sockets, connected to the client's pair."""

    def __init__(self, local: str, peer: str, ports: tuple[int, int]) -> None:
        self._sockets = _udp_pair(local)
        self._targets = [(peer, port) for port in ports]
        self.local_ports = tuple(s.getsockname()[1] for s in self._sockets)

    def _sendto(self, which: int, packet: bytes) -> None:
        try:
            self._sockets[which].sendto(packet, self._targets[which])
        except OSError:
            return  # a full buffer or a client that went away: UDP loses it, as on a wire

    def send(self, packets: Sequence[bytes]) -> None:
        for packet in packets:
            self._sendto(0, packet)

    def send_report(self, packet: bytes) -> None:
        self._sendto(1, packet)

    def backlog_bytes(self) -> int:
        return 0

    def close(self) -> None:
        for s in self._sockets:
            s.close()


def _udp_pair(host: str) -> list[socket.socket]:
    """Two neighbouring ports, the first even (RFC 3550, 11)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(200):
        first = socket.socket(family, socket.SOCK_DGRAM)
        first.setblocking(False)
        first.bind((host, 0))
        port = first.getsockname()[1]
        if port % 2 == 0:
            second = socket.socket(family, socket.SOCK_DGRAM)
            second.setblocking(False)
            try:
                second.bind((host, port + 1))
            except OSError:
                second.close()
            else:
                return [first, second]
        first.close()
    raise OSError("no pair of free UDP ports")


class Camera(Protocol):
    """`camera.SimulatedCamera`, as far as its sessions ask it and tell it."""

    user: str
    password: str
    login: str
    transports: tuple[str, ...]
    timeout_s: int
    sdp_parameter_sets: bool
    clock: Clock
    chance: random.Random
    condition: Condition
    tasks: Tasks
    sessions: set[Session]
    requests: deque[tuple[str, str]]
    refused_logins: int
    reports_received: int

    def clip(self, stream: str) -> Clip: ...
    def clip_at(self, path: str) -> str | None: ...
    def sender(self, stream: str) -> Sender: ...


class Session(asyncio.Protocol):
    """A connection and its one RTSP session. Owner of its state; the camera keeps the set of them."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._reader = RequestReader()
        self._login = Login(camera.login, camera.user, camera.password)
        self._id = str(secrets.randbelow(10**8) + 10**8)
        self._tasks = Tasks("simulate-session")
        self._sender: Sender | None = None
        self._datagrams: list[_Datagrams] = []
        self._answered_us = 0
        self._transport: asyncio.Transport | None = None
        self.playing = False

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour only
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport.set_write_buffer_limits(high=64 << 20)
        self._answered_us = self._camera.clock.boottime_us()
        self._camera.sessions.add(self)

    def data_received(self, data: bytes) -> None:
        self._answered_us = self._camera.clock.boottime_us()
        try:
            items = self._reader.feed(data)
        except ValueError:
            self._write(answer(400, "0"))
            self.end()
            return
        for item in items:
            if isinstance(item, Interleaved):
                self._camera.reports_received += 1
            else:
                self._handle(item)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio.Protocol names it
        self._camera.sessions.discard(self)
        self._stop()

    # what the camera asks

    def end(self, *, abruptly: bool = False) -> None:
        """Close the connection; abruptly: with a reset, as when power is cut."""
        self._stop()
        if self._transport is not None:
            (self._transport.abort if abruptly else self._transport.close)()

    def bye(self) -> None:
        """Take leave as RTCP knows it, and close."""
        if self._sender is not None:
            self._sender.goodbyes()
        self.end()

    def garbage(self, data: bytes) -> None:
        """Put bytes on the connection that mean nothing."""
        self._write(data)

    def idle_us(self) -> int:
        """Since the client last said anything."""
        return self._camera.clock.boottime_us() - self._answered_us

    # requests

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _stop(self) -> None:
        self.playing = False
        self._camera.tasks.start("session-end", self._tasks.aclose())
        for datagrams in self._datagrams:
            datagrams.close()
        self._datagrams = []

    def _reply(
        self, request: Request, code: int, headers: list[tuple[str, str]] | None = None, body: bytes = b""
    ) -> None:
        self._write(answer(code, request.headers.get("cseq", "0"), headers, body))

    def _handle(self, request: Request) -> None:
        camera = self._camera
        now_us = camera.clock.boottime_us()
        condition = camera.condition
        camera.requests.append((request.method, request.url))
        if now_us < condition.hung_until_us:
            return
        if request.method == "OPTIONS":
            self._reply(request, 200, [("Public", _PUBLIC)])
            return
        if condition.redirect_to:
            self._reply(request, 302, [("Location", condition.redirect_to)])
            return
        if now_us < condition.refuse_until_us:
            retry = [("Retry-After", "5")] if condition.refuse_code == 503 else []
            self._reply(request, condition.refuse_code, retry)
            return
        if not self._login.accepts(request.method, request.headers.get("authorization", "")):
            camera.refused_logins += "authorization" in request.headers
            self._reply(request, 401, [("WWW-Authenticate", offer) for offer in self._login.challenges()])
            return
        clip = camera.clip_at(unquote(urlsplit(request.url).path))
        if clip is None:
            self._reply(request, 404)
            return
        {
            "DESCRIBE": self._describe,
            "SETUP": self._setup,
            "PLAY": self._play,
            "PAUSE": self._pause,
            "GET_PARAMETER": self._parameter,
            "SET_PARAMETER": self._parameter,
            "TEARDOWN": self._teardown,
        }.get(request.method, self._unknown)(request, clip)

    def _unknown(self, request: Request, _stream: str) -> None:
        self._reply(request, 405, [("Allow", _PUBLIC)])

    def _describe(self, request: Request, stream: str) -> None:
        base = request.url.rstrip("/") + "/"
        body = sdp(self._camera.clip(stream), parameter_sets=self._camera.sdp_parameter_sets).encode()
        self._reply(request, 200, [("Content-Type", "application/sdp"), ("Content-Base", base)], body)

    def _setup(self, request: Request, stream: str) -> None:
        camera = self._camera
        if self._sender is None:
            self._sender = camera.sender(stream)
        clip = camera.clip(stream)
        _, _, number = request.url.rpartition("trackID=")
        if not number.isdigit() or int(number) >= len(clip.tracks):
            self._reply(request, 404)
            return
        index = int(number)
        for profile, options in transport_options(request.headers.get("transport", "")):
            chosen = self._transport_for(profile, options, index)
            if chosen is not None:
                pipe, echo = chosen
                lanes = [lane for lane in self._sender.lanes if lane.index != index]
                lane = Lane(index, clip.tracks[index], _FIRST_PAYLOAD_TYPE + index, pipe, camera.chance)
                self._sender.lanes = sorted([*lanes, lane], key=lambda lane: lane.index)
                session = f"{self._id};timeout={camera.timeout_s}"
                self._reply(request, 200, [("Transport", f"{echo};ssrc={lane.ssrc:08X}"), ("Session", session)])
                return
        self._reply(request, 461)

    def _transport_for(
        self, profile: str, options: dict[str, str], index: int
    ) -> tuple[_Channels | _Datagrams, str] | None:
        assert self._transport is not None
        if profile == "RTP/AVP/TCP" and "tcp" in self._camera.transports:
            first, _, second = options.get("interleaved", f"{2 * index}-{2 * index + 1}").partition("-")
            channels = (int(first), int(second or int(first) + 1))
            pipe = _Channels(self._transport, *channels)
            return pipe, f"RTP/AVP/TCP;unicast;interleaved={channels[0]}-{channels[1]}"
        if profile in {"RTP/AVP", "RTP/AVP/UDP"} and "udp" in self._camera.transports and "client_port" in options:
            first, _, second = options["client_port"].partition("-")
            ports = (int(first), int(second or int(first) + 1))
            local = self._transport.get_extra_info("sockname")[0]
            datagrams = _Datagrams(local, self._transport.get_extra_info("peername")[0], ports)
            self._datagrams.append(datagrams)
            server = "-".join(str(port) for port in datagrams.local_ports)
            return datagrams, f"RTP/AVP;unicast;client_port={ports[0]}-{ports[1]};server_port={server}"
        return None

    def _known_session(self, request: Request) -> bool:
        if request.headers.get("session", "").partition(";")[0] == self._id:
            return True
        self._reply(request, 454)
        return False

    def _play(self, request: Request, _stream: str) -> None:
        if not self._known_session(request):
            return
        sender = self._sender
        if sender is None or not sender.lanes:
            self._reply(request, 455)
            return
        if self.playing:
            self._reply(request, 200, [("Session", self._id)])
            return
        sender.begin()
        base = request.url.rstrip("/")
        info = ",".join(
            f"url={base}/trackID={lane.index};seq={lane.sequence};rtptime={sender.first_timestamp(lane)}"
            for lane in sender.lanes
        )
        self._reply(request, 200, [("Session", self._id), ("Range", "npt=0.000-"), ("RTP-Info", info)])
        self.playing = True
        self._tasks.start("send", sender.run())

    def _pause(self, request: Request, _stream: str) -> None:
        if self._known_session(request):
            self.playing = False
            self._camera.tasks.start("session-pause", self._tasks.aclose())
            self._reply(request, 200, [("Session", self._id)])

    def _parameter(self, request: Request, _stream: str) -> None:
        session = [("Session", self._id)] if "session" in request.headers else []
        self._reply(request, 200, session)

    def _teardown(self, request: Request, _stream: str) -> None:
        if self._known_session(request):
            self._reply(request, 200, [("Session", self._id)])
            self.end()


_MEDIA_OF = {Kind.VIDEO: "video", Kind.AUDIO: "audio", Kind.METADATA: "application"}


def sdp(clip: Clip, *, parameter_sets: bool = True) -> str:
    """What a camera says of a clip (RFC 4566)."""
    lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=Simulated camera", "c=IN IP4 0.0.0.0", "t=0 0", "a=control:*"]
    for index, track in enumerate(clip.tracks):
        kind = _MEDIA_OF[track.kind]
        number = _FIRST_PAYLOAD_TYPE + index
        fmtp = track.fmtp
        if not parameter_sets:
            fmtp = ";".join(part for part in fmtp.split(";") if not part.startswith("sprop-"))
        lines += [f"m={kind} 0 RTP/AVP {number}", f"a=rtpmap:{number} {track.rtpmap}"]
        lines += [f"a=fmtp:{number} {fmtp}"] if fmtp else []
        lines += [f"a=control:trackID={index}"]
    return "\r\n".join([*lines, ""])
