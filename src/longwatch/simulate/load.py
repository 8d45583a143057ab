"""Many cameras at once, cheaply: for benchmarks, where the cameras must cost less than what is measured.

One clip of 1080p25 at 4 Mbit/s is made once and cached. All cameras of a process share one endless stream of ready
packets, each at its own place in it, so that their sync samples do not fall together. The packets of a frame are spread
over the time to the next frame, as a camera behind a slow link spreads them; nothing here sends a frame in one burst.

`python -m longwatch.simulate.load --cameras N [--host H] [--clip FILE] [--spread S]` prints one line of JSON, a list of
N URLs, and serves until SIGTERM. TCP only; no login, no faults, no audio. For all of that: `simulate.camera`.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import os
import signal
import socket
import struct
import sys
import tempfile
from pathlib import Path
from typing import cast

import uvloop

from longwatch.base.clock import SystemClock
from longwatch.base.tasks import Tasks
from longwatch.simulate import clip as clips
from longwatch.simulate.clip import Clip
from longwatch.simulate.requests import Interleaved, Request, RequestReader, answer
from longwatch.simulate.sender import sender_report
from longwatch.simulate.session import sdp

FPS = 25
_PACKET = struct.Struct(">BBHBBHII")  # interleaved frame header (RFC 2326, 10.12) and RTP header (RFC 3550, 5.1)
_FRAME = struct.Struct(">BBH")
_PAYLOAD_TYPE = 96
_SSRC = 0x10A6
_SLOT_US = 2_000
_REPORT_EVERY_US = 5_000_000
_BACKLOG_BYTES = 8 << 20


def default_clip() -> Path:
    """1080p25 H.264 at 4 Mbit/s, 20 s, a sync sample each 2 s, no B-frames: made once, kept in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "longwatch"
    path = cache / "load-1080p25-4M-v1.mp4"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            fresh = Path(folder) / path.name
            encode(fresh)
            fresh.replace(path)
    return path


def encode(path: Path, *, seconds: int = 20, width: int = 1920, height: int = 1080, bit_rate: int = 4_000_000) -> None:
    """Encode a synthetic scene whose noise fills the bit rate, as a camera in poor light does."""
    import av

    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", bit_rate
        stream.options = {
            "preset": "ultrafast", "tune": "zerolatency", "g": str(2 * FPS), "bf": "0", "sc_threshold": "0",
            "nal-hrd": "cbr", "maxrate": str(bit_rate), "bufsize": str(bit_rate // 2),
        }  # fmt: skip
        noise = os.urandom(width * height * 2)
        for number in range(seconds * FPS):
            frame = av.VideoFrame(width, height, "yuv420p")
            luma, *chroma = frame.planes
            offset = number * 7919 % (width * height)
            lines = bytes(96 + (x + 3 * number) % 64 for x in range(width))
            picture = bytearray(lines.ljust(luma.line_size, b"\0") * height)
            patch = 160 * luma.line_size
            at = number * 4 % (height - 170) * luma.line_size
            picture[at : at + patch] = noise[offset : offset + patch]
            luma.update(bytes(picture[: luma.buffer_size]))
            for plane in chroma:
                plane.update(bytes([128]) * plane.buffer_size)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


class Feed:
    """The endless stream as bytes for the wire: frame n, cut into slots of time. Built when first asked for, shared, and
    forgotten once every camera is past it.
    """

    def __init__(self, clip: Clip, spread: float) -> None:
        self.clip = clip
        self.track = clip.video
        self.frames = len(self.track.units)
        self.frame_us = round(self.track.loop * 1_000_000 / self.track.rate / self.frames)
        self.slots = max(1, int(self.frame_us * spread) // _SLOT_US)
        self._packets_before = [0]
        for unit in self.track.units:
            self._packets_before.append(self._packets_before[-1] + len(unit.payloads) + self._sets(unit.sync))
        self._built: dict[int, list[bytes]] = {}

    def _sets(self, sync: bool) -> int:
        return len(self.track.parameter_sets) if sync else 0

    def timestamp(self, number: int) -> int:
        """RTP time of frame `number`."""
        unit, add = self.track.at(number)
        return (unit.pts + add) & 0xFFFFFFFF

    def sequence(self, number: int) -> int:
        """RTP sequence number of the first packet of frame `number`."""
        lap, index = divmod(number, self.frames)
        return (lap * self._packets_before[-1] + self._packets_before[index]) & 0xFFFF

    def frame(self, number: int) -> list[bytes]:
        """What to write in each slot of the frame; empty bytes where nothing is due."""
        built = self._built.get(number)
        if built is None:
            built = self._built[number] = self._build(number)
        return built

    def _build(self, number: int) -> list[bytes]:
        unit, _ = self.track.at(number)
        payloads = [*(self.track.parameter_sets if unit.sync else ()), *unit.payloads]
        timestamp, sequence = self.timestamp(number), self.sequence(number)
        slots: list[list[bytes]] = [[] for _ in range(self.slots)]
        last = len(payloads) - 1
        for index, payload in enumerate(payloads):
            kind = _PAYLOAD_TYPE | (0x80 if index == last else 0)
            header = _PACKET.pack(0x24, 0, 12 + len(payload), 0x80, kind, (sequence + index) & 0xFFFF, timestamp, _SSRC)
            slots[index * self.slots // len(payloads)] += (header, payload)
        return [b"".join(parts) for parts in slots]

    def forget(self, before: int) -> None:
        """Drop what every camera has sent."""
        for number in [n for n in self._built if n < before]:
            del self._built[number]


class LoadCamera:
    """One listening port. lead: how many frames it is ahead of the first camera; phase: in which slot its frames begin."""

    def __init__(self, lead: int, phase: int) -> None:
        self.lead = lead
        self.phase = phase
        self.url = ""
        self.clients: set[_Client] = set()
        self.server: asyncio.Server | None = None


class _Client(asyncio.Protocol):
    """A connection to a LoadCamera: answers requests; the pacer writes the packets."""

    def __init__(self, camera: LoadCamera, load: Load) -> None:
        self._camera = camera
        self._load = load
        self._reader = RequestReader()
        self.transport: asyncio.Transport | None = None
        self.playing = False
        self.waiting_for_sync = True
        self.channel = 0
        self.dropped = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio.Protocol names it
        self.playing = False
        self._camera.clients.discard(self)

    def data_received(self, data: bytes) -> None:
        for item in self._reader.feed(data):
            if not isinstance(item, Interleaved):
                self._handle(item)

    def _handle(self, request: Request) -> None:
        assert self.transport is not None
        headers: list[tuple[str, str]] = []
        body = b""
        code = 200
        match request.method:
            case "OPTIONS":
                headers = [("Public", "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN")]
            case "DESCRIBE":
                base = request.url.rstrip("/") + "/"
                headers = [("Content-Type", "application/sdp"), ("Content-Base", base)]
                body = sdp(self._load.video_only).encode()
            case "SETUP" if "TCP" in request.headers.get("transport", ""):
                headers = [("Transport", "RTP/AVP/TCP;unicast;interleaved=0-1"), ("Session", "1;timeout=60")]
            case "SETUP":
                code = 461
            case "PLAY":
                number = self._load.sync_frame(self._camera)
                feed = self._load.feed
                url = f"{request.url.rstrip('/')}/trackID=0"
                info = f"url={url};seq={feed.sequence(number)};rtptime={feed.timestamp(number)}"
                headers = [("Session", "1"), ("RTP-Info", info)]
            case _:
                headers = [("Session", "1")]
        self.transport.write(answer(code, request.headers.get("cseq", "0"), headers, body))
        if request.method == "PLAY":
            self._camera.clients.add(self)
            self.playing = True
        elif request.method == "TEARDOWN":
            self.transport.close()


class Load:
    """All cameras of this process, paced by one task."""

    def __init__(self, cameras: int, clip: Path | None = None, *, host: str = "127.0.0.1", spread: float = 0.9) -> None:
        whole = clips.load(clip or default_clip())
        self.video_only = Clip(whole.path, whole.tracks[:1])
        self.feed = Feed(self.video_only, spread)
        self._host = host
        self._tasks = Tasks("simulate-load")
        self._clock = SystemClock()
        self._started_us = self._clock.boottime_us()
        self._wall_at_start_us = self._clock.wall_us()
        slots = self.feed.frame_us // _SLOT_US
        self._lap_slots = slots
        self.cameras = [
            LoadCamera(index * self.feed.frames // max(1, cameras), index * slots // max(1, cameras) % slots)
            for index in range(cameras)
        ]
        self._by_phase: list[list[LoadCamera]] = [[c for c in self.cameras if c.phase == p] for p in range(slots)]

    async def start(self) -> list[str]:
        """Listen; the URLs of all cameras."""
        loop = asyncio.get_running_loop()
        for camera in self.cameras:
            camera.server = await loop.create_server(functools.partial(_Client, camera, self), self._host, 0)
            camera.url = f"rtsp://{self._host}:{camera.server.sockets[0].getsockname()[1]}/main"
        self._tasks.start("pace", self._pace())
        return [camera.url for camera in self.cameras]

    async def close(self) -> None:
        """Stop all."""
        await self._tasks.aclose()
        for camera in self.cameras:
            for client in list(camera.clients):
                if client.transport is not None:
                    client.transport.abort()
            if camera.server is not None:
                camera.server.close()

    def _now(self) -> int:
        return (self._clock.boottime_us() - self._started_us) // _SLOT_US

    def _frame_now(self, camera: LoadCamera) -> int:
        return (self._now() - camera.phase) // self._lap_slots + camera.lead

    def sync_frame(self, camera: LoadCamera) -> int:
        """The next sync frame of a camera: a client that comes in begins there."""
        number = max(0, self._frame_now(camera)) + 1
        while not self.feed.track.at(number)[0].sync:
            number += 1
        return number

    async def _pace(self) -> None:
        slot = self._now()
        slots = self.feed.slots
        report_at = 0
        while True:
            slot += 1
            wait = slot * _SLOT_US - (self._clock.boottime_us() - self._started_us)
            if wait > 0:
                await self._clock.sleep(wait / 1e6)
            for part in range(slots):
                due = slot - part
                for camera in self._by_phase[due % self._lap_slots]:
                    if camera.clients:
                        self._write(camera, due // self._lap_slots + camera.lead, part)
            if slot % self._lap_slots == 0:
                self.feed.forget(slot // self._lap_slots - 2)
            if slot * _SLOT_US >= report_at:
                report_at = slot * _SLOT_US + _REPORT_EVERY_US
                self._report()

    def _write(self, camera: LoadCamera, number: int, part: int) -> None:
        chunk = self.feed.frame(number)[part]
        sync = part == 0 and self.feed.track.at(number)[0].sync
        for client in camera.clients:
            transport = client.transport
            if not client.playing or transport is None:
                continue
            if client.waiting_for_sync:
                if not sync:
                    continue
                client.waiting_for_sync = False
            if chunk:
                if transport.get_write_buffer_size() > _BACKLOG_BYTES:
                    client.dropped += 1
                    continue
                transport.write(chunk)

    def _report(self) -> None:
        """RTCP SR to every client, each with its own camera's media time."""
        elapsed_us = self._clock.boottime_us() - self._started_us
        for camera in self.cameras:
            if not camera.clients:
                continue
            media_us = elapsed_us - camera.phase * _SLOT_US + camera.lead * self.feed.frame_us
            timestamp = media_us * self.feed.track.rate // 1_000_000
            packet = sender_report(_SSRC, self._wall_at_start_us + elapsed_us, timestamp, 0, 0)
            for client in camera.clients:
                if client.playing and not client.waiting_for_sync and client.transport is not None:
                    client.transport.write(_FRAME.pack(0x24, 1, len(packet)) + packet)


async def _serve(load: Load) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    urls = await load.start()
    sys.stdout.write(json.dumps(urls) + "\n")
    sys.stdout.flush()
    await ended.wait()
    await load.close()


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="Many simulated cameras for benchmarks.")
    parser.add_argument("--cameras", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--clip", type=Path, default=None)
    parser.add_argument(
        "--spread", type=float, default=0.9, help="part of a frame's time over which its packets are sent"
    )
    given = parser.parse_args()
    uvloop.run(_serve(Load(given.cameras, given.clip, host=given.host, spread=given.spread)))


if __name__ == "__main__":
    main()
