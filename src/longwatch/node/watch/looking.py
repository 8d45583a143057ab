"""The watcher as the server sees it: started, told what to watch, listened to, started again. docs/design/watching.md.

Owner of the watcher's process, of what is known of each camera's looking, and of `derived/looking/` in the first volume: what lookers have learnt, one file a
camera, so that a post with two hours of power a day does not begin anew each time; and what moved where (`node.watch.movement`). What is lost there is learnt again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.ids import is_slug
from longwatch.detection.told import sighting_of, told_watched
from longwatch.model.events import Sighting
from longwatch.model.watching import DetectionState, Doing, LookOrders, Moved, WatcherState, model_of, state_of
from longwatch.node.watch.movement import Movement
from longwatch.pictures.limits import plain_environment
from longwatch.wire.frames import Decoder, Frame, check_hello, encode, hello

WATCHER = (sys.executable, "-m", "longwatch.node.watch.watcher")
SILENT_S = 10.0
"""The watcher speaks each second: one that does not hangs."""
BACK_OFF_S = (0.2, 1.0, 2.0, 5.0, 15.0, 30.0)
LOST_US = 60_000_000
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""The watcher's arrays are small: numpy's threads would cost a tenth of a second to start, and never help."""
_SOUND_AFTER_US = 60_000_000
_KEEP_EVERY_US = 300_000_000
_MOST_SAVED_BYTES = 4 << 20
_MOST_SPANS = 64
_READ_BYTES = 1 << 18
_log = structlog.get_logger(__name__)


class Sightings(Protocol):
    """Who makes events of what is seen (`node.watch.watching`)."""

    async def sightings(self, found: Sequence[Sighting]) -> None:
        """In order, of one camera."""
        ...

    async def looked(self, camera: str, until_us: int) -> None:
        """It was looked at up to this wall time."""
        ...

    def lost(self, camera: str) -> None:
        """It is not looked at any more."""
        ...


class Looking:
    """orders: asked at the start and after each `changed`. folder: where what was learnt is kept; None: nowhere."""

    def __init__(
        self,
        orders: Callable[[], LookOrders],
        socket: Path,
        folder: Path | None,
        clock: Clock,
        told: Sightings | None = None,
        command: tuple[str, ...] = WATCHER,
    ) -> None:
        self.told = told
        self._orders = orders
        self._now = orders()
        self._socket = socket
        self._folder = folder
        self._clock = clock
        self._command = command
        self._changed = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._states: dict[str, DetectionState] = {}
        self._spans: dict[str, OrderedDict[int, int]] = {}
        self._movement = Movement(folder)
        self._kept_us: dict[str, int] = {}
        self._down_since_us = 0
        self._lost_said: set[str] = set()
        self._doubt_us: dict[str, int] = {}  # wall time before which something that was seen may not be known
        self._watcher = WatcherState()
        self._restarts = 0

    # -- what is known

    @property
    def watcher(self) -> WatcherState:
        """The process itself."""
        return self._watcher

    def state(self, camera: str) -> DetectionState | None:
        """None for a camera that the settings do not know."""
        orders = self._now
        if camera not in orders.all_cameras:
            return None
        order = next((each for each in orders.cameras if each.camera == camera), None)
        if order is None:
            return DetectionState(camera, Doing.OFF)
        if not orders.installed:
            why = "this post is installed without the extra `watch`"
            return DetectionState(camera, Doing.NOT_INSTALLED, order.stream, why)
        known = self._states.get(camera)
        if known is None or self._process is None or known.stream != order.stream:
            return DetectionState(camera, Doing.STARTING, order.stream, looked_until_us=self.looked_until(camera))
        return known

    def states(self) -> list[DetectionState]:
        """Of all cameras of the settings, in their order."""
        return [state for camera in self._now.all_cameras if (state := self.state(camera)) is not None]

    def looked(self, camera: str) -> tuple[tuple[int, int], ...]:
        """Spans of wall time without holes in which the camera was looked at as closely as the gate would have it; the newest last, at most 64."""
        doubt_us = self._doubt_us.get(camera, 0)
        spans: dict[int, int] = self._spans.get(camera, OrderedDict())
        return tuple((max(from_us, doubt_us), to_us) for from_us, to_us in spans.items() if to_us > doubt_us)

    def looked_until(self, camera: str) -> int:
        """Wall time; 0 where it was never looked at since the server was started."""
        return max(self._spans.get(camera, {}).values(), default=0)

    async def moved(self, camera: str, hours: int) -> Moved:
        """What moved where in the last so many clock hours, the one that is now among them."""
        return await asyncio.to_thread(self._movement.of(camera).within, self._clock.wall_us(), hours)

    # -- the process

    def changed(self) -> None:
        """The settings are others."""
        self._now = self._orders()
        self._changed.set()

    async def run(self) -> None:
        """For ever."""
        await asyncio.to_thread(self._movement.forget_others, self._now.all_cameras)
        try:
            await self._always()
        finally:
            self._movement.keep_all()

    async def _always(self) -> None:
        failures = 0
        self._down_since_us = self._clock.boottime_us()
        while True:
            if not self._now.cameras or not self._now.installed:
                await self._say_lost(everything=True)
                self._changed.clear()
                await self._changed.wait()
                continue
            began_us = self._clock.boottime_us()
            try:
                await self._one()
            except (OSError, LongwatchError) as error:
                _log.error("the watcher failed", reason=str(error))
            except Exception as error:  # noqa: BLE001 - boundary: what cannot be stored, or read, ends this watcher and not looking for good
                _log.error("what the watcher said could not be taken", reason=repr(error)[:500])
            if not self._now.cameras:
                continue
            now_us = self._clock.boottime_us()
            self._down_since_us = now_us
            self._restarts += 1
            failures = 0 if now_us - began_us > _SOUND_AFTER_US else failures + 1
            wait_s = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
            _log.warning("the watcher ended and is started again", in_s=wait_s)
            await self._say_lost()
            await self._clock.sleep(wait_s)

    async def _one(self) -> None:
        """One watcher from its start to its end. Raises OSError or LongwatchError."""
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=plain_environment() | _ONE_THREAD
        )  # fmt: skip
        self._process = process
        assert process.stdin is not None
        following = asyncio.get_running_loop().create_task(self._follow(process))
        try:
            process.stdin.write(hello("server"))
            await self._send_saved(process)
            self._send_orders(process)
            await self._listen(process)
        finally:
            following.cancel()
            self._process = None
            self._watcher = WatcherState(restarts=self._restarts)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.stdin.close()
            await process.wait()

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        """Settings that change while it runs."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            orders = self._now
            for camera in [camera for camera in self._states if camera not in {each.camera for each in orders.cameras}]:
                del self._states[camera]
                self._lost(camera)
            if not orders.cameras or not orders.installed:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                return
            self._send_orders(process)

    def _send_orders(self, process: asyncio.subprocess.Process) -> None:
        orders = self._now
        cameras = {
            each.camera: {
                "stream": each.stream,
                "fps": each.fps,
                "attention": each.attention,
                "watched": told_watched(each.watched),
            }
            for each in orders.cameras
        }
        told = {
            "type": "watch", "socket": str(self._socket), "cores": orders.cores, "workers": orders.workers,
            "cameras": cameras, "model": orders.model, "model_mark": orders.model_mark, "asks": orders.asks,
        }  # fmt: skip
        assert process.stdin is not None
        with contextlib.suppress(OSError, RuntimeError):
            process.stdin.write(encode(told))

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Until it ends, or hangs."""
        assert process.stdout is not None
        decoder, greeted = Decoder(), False
        while True:
            try:
                async with asyncio.timeout(
                    SILENT_S if greeted else 3 * SILENT_S
                ):  # wait_for of 3.11 may lose a cancellation
                    data = await process.stdout.read(_READ_BYTES)
            except TimeoutError:
                raise LongwatchError("the watcher says nothing") from None
            if not data:
                return
            for frame in decoder.feed(data):
                if not greeted:
                    check_hello(frame)
                    greeted = True
                elif frame.type == "sightings":
                    await self._sightings(frame)
                elif frame.type == "state":
                    await self._state(process.pid, frame.header)
                elif frame.type == "saved":
                    await self._saved(frame)

    async def _sightings(self, frame: Frame) -> None:
        camera = str(frame.header.get("camera"))
        if self.told is None or camera not in self._now.all_cameras:
            return
        try:
            found = [sighting_of(camera, one) for one in frame.header["items"]]
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            self._doubt_us[camera] = self._clock.wall_us()
            _log.warning("what a child saw cannot be read", camera=camera, reason=repr(error))
            return
        if found:
            await self.told.sightings(found)

    async def _state(self, pid: int, told: dict[str, Any]) -> None:
        children = tuple({str(name): int(value) for name, value in each.items()} for each in told["children"])
        self._watcher = WatcherState(
            True, pid, int(told["cpu_us"]), int(told["rss_bytes"]), children, self._restarts, int(told["unsaid"]), model_of(told["model"]),
        )  # fmt: skip
        wanted = {each.camera for each in self._now.cameras}
        for camera, each in told["cameras"].items():
            if camera not in wanted:
                continue
            spans = self._spans.setdefault(camera, OrderedDict())
            for from_us, until_us in each["spans"]:
                spans[int(from_us)] = int(until_us)
            while len(spans) > _MOST_SPANS:
                spans.popitem(last=False)
            until_us = max(spans.values(), default=0)
            moved = until_us > (self._states[camera].looked_until_us if camera in self._states else 0)
            self._states[camera] = state_of(camera, each, until_us)
            self._lost_said.discard(camera)
            if moved and self.told is not None:
                await self.told.looked(camera, until_us)

    async def _say_lost(self, *, everything: bool = False) -> None:
        """Events of cameras that nobody looks at any more do not last for ever."""
        if everything or self._clock.boottime_us() - self._down_since_us > LOST_US:
            for camera in self._now.all_cameras:
                self._lost(camera)

    def _lost(self, camera: str) -> None:
        if camera not in self._lost_said:
            self._lost_said.add(camera)
            if self.told is not None:
                self.told.lost(camera)

    # -- what was learnt

    async def _saved(self, frame: Frame) -> None:
        camera, gate_bytes, heat_bytes = (
            str(frame.header["camera"]),
            frame.header["gate_bytes"],
            frame.header["heat_bytes"],
        )
        if not is_slug(camera) or camera not in self._now.all_cameras or len(frame.body) > _MOST_SAVED_BYTES:
            return
        now_us = self._clock.boottime_us()
        heat = frame.body[gate_bytes : gate_bytes + heat_bytes]
        if self._movement.add(camera, self._clock.wall_us(), now_us, int(frame.header["looked"]), heat):
            await asyncio.to_thread(self._movement.keep, camera)
        before_us = self._kept_us.get(camera)
        learnt = frame.header.get("learnt") is not False
        if self._folder is not None and learnt and (before_us is None or now_us - before_us >= _KEEP_EVERY_US):
            self._kept_us[camera] = now_us
            await asyncio.to_thread(_write, self._folder, camera, gate_bytes, heat_bytes, frame.body)

    async def _send_saved(self, process: asyncio.subprocess.Process) -> None:
        if self._folder is None:
            return
        assert process.stdin is not None
        for each in self._now.cameras:
            data = await asyncio.to_thread(_read, self._folder, each.camera)
            if data is not None:
                gate_bytes, body = data
                process.stdin.write(encode({"type": "saved", "camera": each.camera, "gate_bytes": gate_bytes}, body))


def _write(folder: Path, camera: str, gate_bytes: int, heat_bytes: int, body: bytes) -> None:
    """Gate and looker; what moved where is kept apart. What cannot be written is learnt again. Blocks."""
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{camera}.state"
        new = path.with_suffix(".new")
        new.write_bytes(gate_bytes.to_bytes(4) + body[:gate_bytes] + body[gate_bytes + heat_bytes :])
        new.replace(path)


def _read(folder: Path, camera: str) -> tuple[int, bytes] | None:
    """Bytes of the gate, and gate and looker. None where there is nothing of use. Blocks."""
    try:
        with (folder / f"{camera}.state").open("rb") as file:
            if os.fstat(file.fileno()).st_size > _MOST_SAVED_BYTES:
                return None
            data = file.read()
    except OSError:
        return None
    gate_bytes = int.from_bytes(data[:4])
    return (gate_bytes, data[4:]) if gate_bytes <= len(data) - 4 else None
