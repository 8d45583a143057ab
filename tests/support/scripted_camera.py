"""A tiny RTSP server that does what a test says, mostly wrong things. For a camera that works there is `simulate`."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

VIDEO_SDP = (
    "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:v\r\n"
    "a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0LAHtoCgPaEAAADAAQAAAMAoPFi6g==,aM4PyA==\r\n"
)
AUDIO_SDP = "m=audio 0 RTP/AVP 0\r\na=control:a\r\n"


@dataclass
class Asked:
    """One request that came in."""

    method: str
    uri: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Visit:
    """One connection to the camera."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    asked: list[Asked] = field(default_factory=list)

    async def hear(self) -> Asked | None:
        """The next request; None at the end of the connection. Interleaved data is passed over."""
        while True:
            first = await self.reader.read(1)
            if not first:
                return None
            if first == b"$":
                head = await self.reader.readexactly(3)
                await self.reader.readexactly(struct.unpack(">H", head[1:])[0])
                continue
            text = (first + await self.reader.readuntil(b"\r\n\r\n")).decode()
            start, *lines = text.strip().split("\r\n")
            method, uri, _ = start.split(" ")
            headers = {
                name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            asked = Asked(method, uri, headers)
            self.asked.append(asked)
            return asked

    def say(self, asked: Asked, status: str = "200 OK", *headers: str, body: str = "") -> None:
        lines = [f"RTSP/1.0 {status}", f"CSeq: {asked.headers['cseq']}", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.writer.write(("\r\n".join([*lines, "", ""]) + body).encode())

    def packet(self, channel: int, data: bytes) -> None:
        self.writer.write(b"$" + bytes([channel]) + struct.pack(">H", len(data)) + data)

    async def play(self, sdp: str = VIDEO_SDP) -> bool:
        """Be an ordinary camera up to and including PLAY."""
        while (asked := await self.hear()) is not None:
            if asked.method == "DESCRIBE":
                self.say(asked, body=sdp)
            elif asked.method == "SETUP":
                self.say(asked, "200 OK", "Session: s1;timeout=60", f"Transport: {asked.headers['transport']}")
            else:
                self.say(asked)
            if asked.method == "PLAY":
                return True
        return False


Script = Callable[[Visit], Awaitable[None]]


class ScriptedCamera:
    """Runs `script` for every connection. visits: all of them, also those that are over."""

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self.visits: list[Visit] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"{'rtsps' if self._tls else 'rtsp'}://127.0.0.1:{self.port}/live"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._visit, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = Visit(reader, writer)
        self.visits.append(visit)
        self._writers.add(writer)
        try:
            await self._script(visit)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


def rtp(seq: int, timestamp: int, payload: bytes, *, marker: bool = True, payload_type: int = 96) -> bytes:
    """One RTP packet."""
    return (
        struct.pack(">BBHII", 0x80, payload_type | (0x80 if marker else 0), seq & 0xFFFF, timestamp, 0x1234) + payload
    )


def idr(noise: bytes) -> bytes:
    """The payload of a sync picture in one NAL unit."""
    return b"\x65\x88" + noise


def inter(noise: bytes) -> bytes:
    """The payload of a picture that depends on others."""
    return b"\x41\x9a" + noise
