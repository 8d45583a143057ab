"""One look child as the watcher sees it: started, told, listened to, killed when it says nothing, replaced.

A second one is started beforehand and waits: on a busy box it takes seconds until one has loaded what it needs, and no camera is to wait for that.
Owner of the process. What the child says is believed no further than the job it was given: a camera may have taken it over.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks, ended
from longwatch.pictures.limits import plain_environment
from longwatch.wire.frames import Decoder, Frame, check_hello, hello

CHILD = (sys.executable, "-m", "longwatch.node.watch.look_child")
SILENT_US = 3_500_000
"""Beyond it a child with a job hangs: with the start of the next one, a camera misses less than five seconds."""
START_US = 30_000_000
BACK_OFF_S = (0.0, 1.0, 2.0, 5.0, 15.0, 30.0)
_SPARE_AFTER_S = 1.0
_READ_BYTES = 1 << 18
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1")
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Running:
    """One process. known: cameras it was told of, with the generation of the format it was told last."""

    process: asyncio.subprocess.Process
    since_us: int
    heard_us: int
    greeted: bool = False
    known: dict[str, int] = field(default_factory=dict)
    job: int | None = None
    camera: str = ""
    job_us: int = 0
    cpu_us: int = 0
    with_model: bool = False
    asking: bool = False
    """Whether it is just asking the model: what ends it now is the model's doing."""


class LookSlot:
    """Keeps one child there. on_frame: what it says. on_gone: it ended; the camera whose job it had is named, "" for none. on_ready: one is there.

    model: folder of a model for objects that each child is told of, "" for none. on_model: what came of it: `model` as a child says it, or None where a child ended over it, while
    it was opened or asked (True).
    """

    def __init__(
        self,
        clock: Clock,
        tasks: Tasks,
        on_frame: Callable[[LookSlot, Frame], None],
        on_gone: Callable[[LookSlot, str], None],
        on_ready: Callable[[LookSlot], None],
        command: tuple[str, ...] = CHILD,
        on_model: Callable[[dict[str, Any] | None, bool], None] = lambda _told, _asked: None,
    ) -> None:
        self.model = ""
        self.ended_asking = False
        self.running: Running | None = None
        self.deaths = 0
        self._clock = clock
        self._tasks = tasks
        self._on_frame = on_frame
        self._on_gone = on_gone
        self._on_ready = on_ready
        self._command = command
        self._on_model = on_model
        self._replaced = False
        self._model_of: dict[int, str] = {}
        self._task: asyncio.Task[None] | None = None
        self._spare: asyncio.subprocess.Process | None = None

    def start(self) -> None:
        """From now on there is one, until the tasks end."""
        if self._task is None:
            self._task = self._tasks.start("child", self._keep())

    async def stop(self) -> None:
        """No more."""
        task, self._task = self._task, None
        if task is not None:
            await ended([task])
        spare, self._spare = self._spare, None
        if spare is not None:
            await _end(spare)

    async def use(self, model: str) -> None:
        """Another model, or none, from now on: the child, and the one that waits, are replaced."""
        self.model = model
        spare, self._spare = self._spare, None
        if spare is not None:
            await _end(spare)
        if self.running is not None:
            self._replaced = True
            with contextlib.suppress(ProcessLookupError):
                self.running.process.kill()

    @property
    def is_idle(self) -> bool:
        """Whether it can be given a job."""
        running = self.running
        return running is not None and running.greeted and running.job is None

    def send(self, data: bytes) -> None:
        """Encoded frames. What cannot be sent is not: its end is noticed where it is read."""
        if self.running is not None and self.running.process.stdin is not None:
            with contextlib.suppress(OSError, RuntimeError):
                self.running.process.stdin.write(data)

    def began(self, job: int, camera: str) -> None:
        """It has this job now."""
        assert self.running is not None
        now_us = self._clock.boottime_us()
        self.running.job, self.running.camera, self.running.job_us, self.running.heard_us = job, camera, now_us, now_us

    def done(self) -> None:
        """It has none now."""
        assert self.running is not None
        self.running.job, self.running.camera = None, ""

    def check(self) -> None:
        """Kill it where it hangs. To be called a few times a second."""
        running = self.running
        if running is None:
            return
        silent_us = self._clock.boottime_us() - running.heard_us
        if (running.job is not None and silent_us > SILENT_US) or (not running.greeted and silent_us > START_US):
            _log.warning(
                "a child that looks says nothing and is killed", camera=running.camera, pid=running.process.pid
            )
            with contextlib.suppress(ProcessLookupError):
                running.process.kill()

    async def _keep(self) -> None:
        failures = 0
        while True:
            greeted = False
            try:
                greeted = await self._one()
            except OSError as error:
                _log.error("what looks cannot be started", reason=str(error))
            failures = 0 if greeted else failures + 1
            await self._clock.sleep(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])

    async def _one(self) -> bool:
        """One child from its start, or from when it is needed, to its end. Whether it ever spoke."""
        process, self._spare = self._spare, None
        if process is not None and self._model_of.get(process.pid, "") != self.model:
            await _end(process)
        if process is None or process.returncode is not None:
            process = await self._started()
        now_us = self._clock.boottime_us()
        running = self.running = Running(process, now_us, now_us, with_model=bool(self._model_of.get(process.pid)))
        self.send(hello("watcher"))
        sparing = self._tasks.start("spare", self._keep_spare(running))
        try:
            await self._listen(running)
        except LongwatchError as error:
            _log.warning("a child that looks cannot be understood", reason=str(error))
        except Exception as error:  # noqa: BLE001 - boundary: whatever a child says ends that child and nobody else
            _log.error("what a child that looks says cannot be taken", reason=repr(error)[:500])
        finally:
            sparing.cancel()
            self.running = None
            await _end(process)
        if self._replaced:
            self._replaced = self.ended_asking = False
            self._on_gone(self, "")
            return True
        self.deaths += 1
        self.ended_asking = running.asking
        _log.warning("a child that looks ended", code=process.returncode, camera=running.camera, asking=running.asking)
        if running.asking or (running.with_model and not running.greeted):
            self._on_model(None, running.asking)
        self._on_gone(self, running.camera)
        return running.greeted

    async def _started(self) -> asyncio.subprocess.Process:
        model = self.model
        command = (*self._command, "--model", model) if model else self._command
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=plain_environment() | ONE_THREAD,
        )  # fmt: skip
        there = (self._spare, None if self.running is None else self.running.process)
        alive = {each.pid for each in there if each is not None}
        self._model_of = {pid: folder for pid, folder in self._model_of.items() if pid in alive} | {process.pid: model}
        return process

    async def _keep_spare(self, running: Running) -> None:
        """Once the one that works has spoken, have another wait."""
        while not running.greeted:
            await self._clock.sleep(_SPARE_AFTER_S)
        await self._clock.sleep(_SPARE_AFTER_S)
        with contextlib.suppress(OSError):
            self._spare = await self._started()

    async def _listen(self, running: Running) -> None:
        """Until it ends."""
        assert running.process.stdout is not None
        decoder = Decoder()
        while data := await running.process.stdout.read(_READ_BYTES):
            running.heard_us = self._clock.boottime_us()
            for frame in decoder.feed(data):
                if not running.greeted:
                    check_hello(frame)
                    running.greeted = True
                    self._on_ready(self)
                elif frame.type == "beat":
                    running.asking = frame.header.get("asks") is True
                elif frame.type == "model":
                    self._on_model(frame.header, False)
                else:
                    running.asking = False
                    self._on_frame(self, frame)


async def _end(process: asyncio.subprocess.Process) -> None:
    """At once."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()


def cpu_us_of(pid: int) -> int:
    """Processor time that a process has used; 0 where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - once a second for a number; a Path is a detour
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) * 1_000_000 // os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> int:
    """Resident bytes of a process; 0 where it is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:  # noqa: PTH123 - as above
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def told_of(running: Running | None) -> dict[str, Any]:
    """For the state: the child's number, memory and processor time."""
    if running is None:
        return {"pid": 0, "rss_bytes": 0, "cpu_us": 0}
    pid = running.process.pid
    return {"pid": pid, "rss_bytes": memory_of(pid), "cpu_us": cpu_us_of(pid)}
