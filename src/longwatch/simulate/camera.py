"""A camera that is not there: a real RTSP server on a real socket, which loops a file and fails on request."""

from __future__ import annotations

import asyncio
import math
import os
import random
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self
from urllib.parse import quote

from longwatch.base.clock import Clock, SystemClock
from longwatch.base.errors import UsageError
from longwatch.base.tasks import Tasks
from longwatch.formats.media import Kind
from longwatch.simulate import clip as clips
from longwatch.simulate import timecode as timecodes
from longwatch.simulate.clip import Clip
from longwatch.simulate.faults import Condition, Fault, parse
from longwatch.simulate.radiometry import with_heat
from longwatch.simulate.sender import CameraClock, Sender
from longwatch.simulate.session import Session

_MEDIA = Path(__file__).parent / "media"
MODEL = _MEDIA.with_name("model")
"""Folder of a model for objects that knows painted scenes alone: for the tests and the demo."""
PAINTED = (
    _MEDIA / "painted.mp4"
)  # H.264 640x360 at 6.25 fps, a sync sample each 2 s; 48 s: somebody, a car and an animal cross a yard (tools/paint_film.py)
LOT = _MEDIA / "lot.mp4"  # H.264 768x432 at 12.5 fps, no B-frames, a sync sample each 4.8 s; AAC 48 kHz stereo; 30 s
ROOM = _MEDIA / "room.mp4"  # H.264 768x432 at 10 fps, B-frames, a sync sample each second; no audio; 60 s


class SimulatedCamera:
    """A camera at `url`. Give one file, or files by stream name; with one file every path of the URL is right.

    login: none, basic, digest (MD5), digest-sha256 or any; `digest` where a user is given. transports: what SETUP takes.
    offset_s: where in the file it begins. clock_offset_s, clock_ppm: how wrong its clock is. timeout_s: of a session; a
    client that says nothing for longer is cut off. in_band: parameter sets before each sync unit.
    timecode: no file; each picture shows the camera's own wall clock (`simulate.timecode`). celsius: it measures, and says so beside the picture of
    its first stream (`simulate.radiometry`).
    sdp_parameter_sets: and in the SDP. faults: as `longwatch simulate camera --fault` takes them.

    Owner of the state: this object, on the event loop it was started on.
    """

    def __init__(
        self,
        media: Path | str | Mapping[str, Path | str] = LOT,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        user: str = "",
        password: str = "",
        login: str = "",
        transports: Sequence[str] = ("tcp", "udp"),
        offset_s: float = 0.0,
        clock: Clock | None = None,
        clock_offset_s: float = 0.0,
        clock_ppm: float = 0.0,
        timeout_s: int = 60,
        in_band: bool = True,
        sdp_parameter_sets: bool = True,
        sender_reports: bool = True,
        faults: Sequence[str] = (),
        seed: int | None = None,
        timecode: bool = False,
        celsius: float | None = None,
    ) -> None:
        files = media if isinstance(media, Mapping) else {"main": media}
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.login = login or ("digest" if user else "none")
        self.transports = tuple(transports)
        self.timeout_s = timeout_s
        self.in_band = in_band
        self.sdp_parameter_sets = sdp_parameter_sets
        self.sender_reports = sender_reports
        self.clock: Clock = clock or SystemClock()
        self.camera_clock = CameraClock(self.clock, clock_offset_s, clock_ppm)
        self._clips: dict[str, Clip] = (
            {"main": timecodes.clip(self.camera_clock.wall_us)}
            if timecode
            else {name: clips.load(Path(path)) for name, path in files.items()}
        )
        self.celsius = celsius
        if celsius is not None:
            first = next(iter(self._clips))
            self._clips[first] = with_heat(self._clips[first], self._measured)
        self.chance = random.Random(seed)  # noqa: S311 - a camera's SSRC and a lossy line are no secrets
        self.condition = Condition()
        self.sessions: set[Session] = set()
        self.requests: deque[tuple[str, str]] = deque(maxlen=1000)
        self.refused_logins = 0
        self.reports_received = 0
        self.tasks = Tasks("simulated-camera")
        self._offset_s = offset_s
        self._faults = [parse(text) for text in faults]
        self._server: asyncio.Server | None = None
        self._held: socket.socket | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # where it is

    def url_of(self, stream: str = "main", *, login: bool = True) -> str:
        """The stream's URL; with user and password where the camera wants them, unless `login` is False."""
        credentials = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@" if self.user and login else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"rtsp://{credentials}{host}:{self.port}/{stream}"

    @property
    def streams(self) -> tuple[str, ...]:
        """The names of its streams."""
        return tuple(self._clips)

    @property
    def url(self) -> str:
        """The URL of the main stream."""
        return self.url_of()

    # on and off

    async def start(self) -> None:
        """Answer from now on, at the same port as before. With a fault `late` at the start it answers later."""
        self._bind()
        late = [fault for fault in self._faults if fault.name == "late"]
        for fault in self._faults:
            if fault.name != "late":
                self.tasks.start(f"fault-{fault.name}", self._later(fault))
        self._faults = []
        self.tasks.start("timeouts", self._cut_off_the_silent())
        if late:
            self.tasks.start("late", self._answer_after(late[0].number(0, 5)))
        else:
            await self._answer()

    async def stop(self) -> None:
        """Be gone, as when the power is cut: connections are reset, the port is closed and stays this camera's."""
        await self._leave()
        await self.tasks.aclose()

    async def close(self) -> None:
        """Be gone for good."""
        await self.stop()
        if self._held is not None:
            self._held.close()
            self._held = None

    def _bind(self) -> None:
        """Hold the port without answering: who connects now is refused."""
        if self._held is not None:
            return
        held = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind((self.host, self.port))
        except OSError as error:
            held.close()
            raise UsageError(
                f"cannot listen on {self.host}:{self.port}",
                why=str(error),
                remedy="choose another with --listen HOST:PORT",
            ) from error
        held.setblocking(False)
        self.port = held.getsockname()[1]
        self._held = held

    async def _bind_again(self) -> None:
        """The loop closes a listening socket in its own time: try until the port is free."""
        for _ in range(1000):
            try:
                self._bind()
            except UsageError:
                await asyncio.sleep(0.002)
            else:
                return
        self._bind()

    async def _answer(self) -> None:
        self._bind()
        assert self._held is not None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Session(self), sock=self._held, backlog=512)

    async def _answer_after(self, seconds: float) -> None:
        await self.clock.sleep(seconds)
        await self._answer()

    async def _leave(self) -> None:
        for session in list(self.sessions):
            session.end(abruptly=True)
        if self._server is not None:
            self._server.close()
            self._server = None
            self._held = None
            await self._bind_again()

    async def _away(self, seconds: float) -> None:
        await self._leave()
        await self._answer_after(seconds)

    async def _cut_off_the_silent(self) -> None:
        while True:
            await self.clock.sleep(1)
            for session in list(self.sessions):
                if session.idle_us() > (self.timeout_s + 5) * 1_000_000:
                    session.end()

    # what it sends

    def clip(self, stream: str) -> Clip:
        """What the stream sends now."""
        return self._clips[stream]

    def clip_at(self, path: str) -> str | None:
        """The stream that a URL's path names; None where there is none."""
        if len(self._clips) == 1:
            return next(iter(self._clips))
        name = path.strip("/").split("/")[0]
        return name if name in self._clips else None

    def sender(self, stream: str) -> Sender:
        """A sender for a new session."""
        return Sender(
            lambda: self._clips[stream],
            self.camera_clock,
            self.condition,
            self.chance,
            offset_s=self._offset_s,
            in_band=self.in_band,
            reports=self.sender_reports,
        )

    # what goes wrong

    async def _later(self, fault: Fault) -> None:
        await self.clock.sleep(fault.at_s)
        self._apply(fault)

    def inject(self, name: str, *args: float | str) -> None:
        """Make something go wrong now: `inject("stall", 10)`. `inject("mend")` ends all that lasts.

        Raises UsageError for a fault that there is not, or that this camera cannot have.
        """
        if name == "mend":
            self.condition.mend()
            return
        self._apply(Fault(parse(name).name, tuple(str(arg) for arg in args)))

    def _until(self, fault: Fault, index: int = 0) -> float:
        return self.clock.boottime_us() + fault.number(index, math.inf) * 1e6

    def _apply(self, fault: Fault) -> None:
        condition = self.condition
        match fault.name:
            case "drop" | "late":
                self.tasks.start("away", self._away(fault.number(0, 0)))
            case "stall":
                condition.stalled_until_us = self._until(fault)
            case "hang":
                condition.hung_until_us = self._until(fault)
            case "audio-only":
                if not any(track.kind is Kind.AUDIO for clip in self._clips.values() for track in clip.tracks):
                    raise UsageError("the camera has no audio", remedy="give it a file with AAC")
                condition.audio_only_until_us = self._until(fault)
            case "freeze":
                condition.frozen_until_us = self._until(fault)
            case "jump":
                condition.skew_s += fault.number(0, 60)
            case "back":
                condition.skew_s -= fault.number(0, 60)
            case "wrap":
                condition.wrap_after_s = fault.number(0, 5)
            case "clock":
                self.camera_clock.offset_s += fault.number(0, 3600)
            case "parameters":
                self._other_file(Path(fault.args[0]) if fault.args else None)
            case "loss":
                condition.loss, condition.loss_until_us = fault.number(0, 5) / 100, self._until(fault, 1)
            case "lose":
                condition.lose_packets += int(fault.number(0, 1))
            case "swap":
                condition.swap, condition.swap_until_us = fault.number(0, 5) / 100, self._until(fault, 1)
            case "refuse":
                condition.refuse_code, condition.refuse_until_us = int(fault.number(0, 453)), self._until(fault, 1)
                self._end_sessions()
            case "redirect":
                condition.redirect_to = fault.args[0] if fault.args else "rtsp://192.0.2.1/elsewhere"
                self._end_sessions()
            case "garbage":
                for session in self.sessions:
                    session.garbage(os.urandom(int(fault.number(0, 4096))))
            case "password":
                self.password = fault.args[0] if fault.args else "changed"
                self._end_sessions()
            case "heat":
                if self.celsius is None:
                    raise UsageError("the camera measures nothing", remedy="start it with --celsius")
                self.celsius = fault.number(0, 20)
            case "bye":
                for session in list(self.sessions):
                    session.bye()

    def _measured(self) -> float:
        return self.celsius or 0.0

    def _end_sessions(self) -> None:
        for session in list(self.sessions):
            session.end()

    def _other_file(self, path: Path | None) -> None:
        for name, now in self._clips.items():
            if now.video.made_when_due:
                raise UsageError("a camera that shows a time code has no other file", remedy="give it a file")
            other = clips.load(path or (ROOM if now.path != ROOM else LOT))
            if other.video.codec is not now.video.codec:
                raise UsageError(
                    f"{other.path.name} is {other.video.codec} and the session was set up for {now.video.codec}",
                    remedy="parameters change within one encoding; give a file of the same",
                )
            measures = now.tracks[-1].kind is Kind.METADATA
            self._clips[name] = with_heat(other, self._measured) if measures else other
