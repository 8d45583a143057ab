"""The recorder's side of a masking child: started, watched, killed where it hangs, started again with back-off."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks
from longwatch.formats.media import Kind, Sample, TrackFormat
from longwatch.masking import messages
from longwatch.model.areas import Area
from longwatch.model.sessions import Activity, Fault, SampleSource, StreamSink, StreamStatus
from longwatch.pictures.limits import plain_environment
from longwatch.wire.frames import Decoder, Frame, check_hello, encode, hello
from longwatch.wire.media import decode_format, decode_sample

CHILD = (sys.executable, "-m", "longwatch.node.children.masking")
SILENT_S = 5.0
"""A child that says nothing for so long hangs: it says something twice a second."""
END_S = 0.7
"""So long it may take to part from the camera, when it is told to end."""
_BACKOFF_S = (0.3, 1.0, 2.0, 4.0, 8.0)
_WORKED_S = 30.0
_READ_BYTES = 1 << 18
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """What one child is to do. camera: its id. url: with its login. ingest: options of the RTSP client, as JSON. streams: what to make."""

    camera: str
    areas: tuple[Area, ...]
    streams: tuple[str, ...]
    url: str = field(repr=False)
    ingest: tuple[tuple[str, Any], ...] = ()

    def frame(self) -> bytes:
        """For the pipe to the child."""
        return messages.encode_job(
            {
                "url": self.url, "ingest": dict(self.ingest), "areas": messages.told(self.areas),
                "streams": list(self.streams),
            }
        )  # fmt: skip


class Masking:
    """All masking children of a recorder: one for each job, for as long as a stream of it is run. Owner: the recorder's loop."""

    def __init__(self, clock: Clock, command: Sequence[str] = CHILD) -> None:
        """command: what is started; it takes nothing from its command line."""
        self._clock = clock
        self._command = tuple(command)
        self._children: dict[Job, _Child] = {}

    def source(self, job: Job, stream: str) -> SampleSource:
        """The source of one stream of a job."""
        return _MaskedStream(self, job, stream)

    def child(self, job: Job) -> _Child:
        """The child of a job, which is not started by this."""
        found = self._children.get(job)
        if found is None:
            found = self._children[job] = _Child(job, self._clock, self._command)
        return found

    def forget(self, job: Job) -> None:
        """Nobody runs a stream of it any more."""
        self._children.pop(job, None)

    def pids(self) -> dict[str, int]:
        """The processes that run now, by camera."""
        return {job.camera: child.pid for job, child in self._children.items() if child.pid is not None}


class _MaskedStream:
    """One stream (model.sessions.SampleSource)."""

    def __init__(self, masking: Masking, job: Job, stream: str) -> None:
        self._masking = masking
        self._job = job
        self._stream = stream
        self._hurried = False
        self._joined: _Child | None = None

    async def run(self, sink: StreamSink) -> None:
        """For ever."""
        await self._run(sink, asyncio.Event())

    async def run_once(self, sink: StreamSink) -> None:
        """Until a session is over, or an attempt failed."""
        over = asyncio.Event()
        await self._run(sink, asyncio.Event(), over)

    async def _run(self, sink: StreamSink, never: asyncio.Event, over: asyncio.Event | None = None) -> None:
        child = self._joined = self._masking.child(self._job)
        outlet = Outlet(sink, over)
        child.join(self._stream, outlet)
        child.hurry(self._stream, self._hurried)
        try:
            await (never if over is None else over).wait()
        finally:
            self._joined = None
            if child.leave(self._stream, outlet):
                self._masking.forget(self._job)
                await asyncio.shield(child.end())

    def try_now(self) -> None:
        """Do not wait for the next attempt."""
        if self._joined is not None:
            self._joined.try_now()

    def hurry(self, on: bool) -> None:
        """Whether somebody watches live."""
        self._hurried = on
        if self._joined is not None:
            self._joined.hurry(self._stream, on)


class Outlet:
    """What a child says of one stream, in the order that a sink is promised. It joins a running child with a key picture."""

    def __init__(self, sink: StreamSink, over: asyncio.Event | None = None) -> None:
        self._sink = sink
        self._over = over
        self._tracks: tuple[TrackFormat, ...] = ()
        self._opened = False

    def format(self, tracks: tuple[TrackFormat, ...]) -> None:
        """The parameters of what follows."""
        self._tracks = tracks
        if self._opened:
            self._sink.formats_changed(tracks)

    def sample(self, sample: Sample) -> None:
        """One sample; what comes before the first key picture is not taken."""
        if not self._opened:
            if not self._tracks or not sample.sync or self._tracks[sample.track].kind is not Kind.VIDEO:
                return
            self._opened = True
            self._sink.opened(self._tracks)
        self._sink.samples([sample])

    def pass_on(self, frame: Frame) -> None:
        """A loss or a report of the camera's network."""
        if not self._opened:
            return
        if frame.type == "lost":
            self._sink.lost(messages.decode_loss(frame))
        else:
            self._sink.sender_report(messages.decode_report(frame))

    def close(self, fault: Fault | None, detail: str) -> None:
        """The session is over."""
        self._tracks = ()
        if self._opened:
            self._opened = False
            self._sink.closed(fault, detail)
            self._settle()

    def say(self, status: StreamStatus) -> None:
        """What the source does."""
        self._sink.status(status)
        if status.activity is Activity.WAITING:
            self._settle()

    def _settle(self) -> None:
        if self._over is not None:
            self._over.set()


class _Pipe(Protocol):
    """Towards the child."""

    def write(self, data: bytes) -> None: ...
    def is_closing(self) -> bool: ...


class _Child:
    """The process of one job, and what joined it. It runs while anything has joined."""

    def __init__(self, job: Job, clock: Clock, command: Sequence[str]) -> None:
        self._job = job
        self._clock = clock
        self._command = command
        self._outlets: dict[str, Outlet] = {}
        self._formats: dict[str, tuple[TrackFormat, ...]] = {}
        self._hurried: set[str] = set()
        self._status: StreamStatus | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._pipe: _Pipe | None = None
        self._tasks = Tasks(f"masking {job.camera}")
        self._wake = asyncio.Event()
        self._attempt = 0
        self._fault_since_us = 0
        self._last_words = ""

    @property
    def pid(self) -> int | None:
        """Of the process that runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def join(self, stream: str, outlet: Outlet) -> None:
        """From the next key picture on. The first that joins starts the process."""
        first = not self._outlets
        self._outlets[stream] = outlet
        if stream in self._formats:
            outlet.format(self._formats[stream])
        if self._status is not None:
            outlet.say(self._status)
        if first:
            self._tasks.start("run", self._run())

    def leave(self, stream: str, outlet: Outlet) -> bool:
        """The outlet gets its end. Whether nobody is left."""
        if self._outlets.get(stream) is outlet:
            del self._outlets[stream]
        outlet.close(None, "stopped")
        outlet.say(StreamStatus(Activity.STOPPED, self._clock.boottime_us(), None, "stopped"))
        return not self._outlets

    async def end(self) -> None:
        """End the process: in order where it does so soon, else by force."""
        await self._tasks.aclose()
        if self._process is not None:
            await self._process.wait()  # killed by now where it had to be; the camera may not let in the next before

    def try_now(self) -> None:
        """Pass it on; a process that waits to be started is started."""
        self._attempt = 0
        self._wake.set()
        self._tell({"type": "try_now"})

    def hurry(self, stream: str, on: bool) -> None:
        """Whether somebody watches any of its streams."""
        (self._hurried.add if on else self._hurried.discard)(stream)
        self._tell({"type": "hurry", "on": bool(self._hurried)})

    def _tell(self, header: dict[str, Any]) -> None:
        if self._pipe is not None and not self._pipe.is_closing():
            self._pipe.write(encode(header))

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            began_us = self._clock.boottime_us()
            try:
                why = await self._life()
            except Exception as error:  # noqa: BLE001  named boundary: a fault of ours in one life is not the end of the stream
                _log.exception("a masking child failed inside", camera=self._job.camera)
                why = f"internal error: {type(error).__name__}"
            now_us = self._clock.boottime_us()
            if now_us - began_us > _WORKED_S * 1e6:
                self._attempt = 0
            wait_s = _BACKOFF_S[min(self._attempt, len(_BACKOFF_S) - 1)]
            self._attempt += 1
            _log.warning("a masking child ended", camera=self._job.camera, reason=why)
            self._failed(why, now_us, now_us + int(wait_s * 1e6))
            await self._wait(wait_s)

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    def _failed(self, why: str, now_us: int, next_us: int) -> None:
        """The process is gone: no session, and a state that says so until another speaks."""
        last = self._status
        if last is None or last.fault is not Fault.MASKING:
            self._fault_since_us = now_us
        self._close(Fault.MASKING, why)
        self._say(StreamStatus(Activity.WAITING, self._fault_since_us, Fault.MASKING, why, next_us, self._attempt))

    def _close(self, fault: Fault | None, detail: str) -> None:
        self._formats.clear()
        for outlet in list(self._outlets.values()):
            outlet.close(fault, detail)

    def _say(self, status: StreamStatus) -> None:
        last = self._status
        if status.activity is Activity.CONNECTING and status.fault is None and last is not None:
            status = replace(
                status, fault=last.fault, detail=last.detail
            )  # its first attempt: the trouble is what it was
        self._status = status
        for outlet in list(self._outlets.values()):
            outlet.say(status)

    async def _life(self) -> str:
        """One process, from its start to its end, which it says in words."""
        self._last_words = ""
        try:
            process = self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL, env=plain_environment(),
            )  # fmt: skip
        except OSError as error:
            return f"the masking child could not be started: {error.strerror or error}"
        assert process.stdin is not None
        assert process.stdout is not None
        self._pipe = process.stdin
        try:
            process.stdin.write(hello("recorder") + self._job.frame())
            self._tell({"type": "hurry", "on": bool(self._hurried)})
            why = await self._listen(process.stdout)
            if why or self._last_words:
                return why or f"the masking child ended: {self._last_words}"
            async with asyncio.timeout(END_S):
                return _ended(await process.wait())
        except (OSError, TimeoutError):
            return "the masking child closed its pipe"
        finally:
            self._pipe = None
            await asyncio.shield(_reap(process))

    async def _listen(self, pipe: asyncio.StreamReader) -> str:
        """Until it hangs or speaks nonsense (why), or its pipe ends ("")."""
        decoder = Decoder()
        greeted = False
        while True:
            try:
                async with asyncio.timeout(SILENT_S):
                    data = await pipe.read(_READ_BYTES)
            except TimeoutError:
                return f"the masking child hangs: it said nothing for {SILENT_S:g} s"
            if not data:
                return ""
            try:
                for frame in decoder.feed(data):
                    if greeted:
                        self._take(frame)
                    else:
                        check_hello(frame)
                        greeted = True
            except (LongwatchError, LookupError) as error:
                return f"the masking child cannot be understood: {error}"

    def _take(self, frame: Frame) -> None:
        kind = frame.type
        if kind == "live_sample":
            key, _, sample = decode_sample(frame)
            outlet = self._outlets.get(key[1])
            if outlet is not None:
                outlet.sample(sample)
        elif kind == "live_format":
            key, _, tracks = decode_format(frame)
            self._formats[key[1]] = tracks
            outlet = self._outlets.get(key[1])
            if outlet is not None:
                outlet.format(tracks)
        elif kind == "state":
            self._say(messages.decode_state(frame))
        elif kind == "closed":
            self._close(*messages.decode_closed(frame))
        elif kind == "failed":
            self._last_words = str(frame.header.get("detail", ""))[:500]
        elif kind in {"lost", "report"}:
            for outlet in list(self._outlets.values()):
                outlet.pass_on(frame)


def _ended(code: int) -> str:
    return (
        f"the masking child was killed by signal {-code}" if code < 0 else f"the masking child ended with code {code}"
    )


async def _reap(process: asyncio.subprocess.Process) -> None:
    """Its pipe ends first, so that it can part from the camera; then it is killed."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(END_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
