"""The watcher: `python -m longwatch.node.watch.watcher`, started by the server alone. docs/design/watching.md.

It hears from the recorder how large each sample is, lets the gate decide, asks for the bytes of what is worth it, and gives them to children that decode and
look. It decodes nothing itself, writes no file, and knows no address and no password: what it is to watch is told on its standard input, what was seen is told on
its standard output. It ends when its input does, or with its parent.
"""

from __future__ import annotations

from longwatch.base import log  # first: see there

# isort: split
import asyncio
import contextlib
import os
import resource
import sys
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import uvloop

from longwatch.base.clock import Clock, SystemClock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks
from longwatch.detection.gate import Gate, GateOptions
from longwatch.detection.heat_hours import CELLS, MOST_TENTHS
from longwatch.detection.scheduling import Allowance, Scheduler
from longwatch.detection.stream_watch import StreamWatch
from longwatch.model.watching import Attention
from longwatch.node.link import LinkClient
from longwatch.node.watch.look_slot import LookSlot, told_of
from longwatch.node.watch.watcher_cameras import Watching, told_state
from longwatch.node.watch.watcher_objects import ModelKept
from longwatch.pictures.limits import behind_all_others, end_with
from longwatch.wire.frames import Decoder, Frame, check_hello, encode, hello
from longwatch.wire.looking import decode_rows
from longwatch.wire.media import decode_format, encode_format

MOST_WAITING_BYTES = 64 << 20
"""Of samples, over all cameras."""
STATE_US, CALM_STATE_US = 2_000_000, 4_000_000
"""While something is seen, or was a moment ago; and while nothing is."""
_CALM_AFTER_US = 15_000_000
SAVE_US, LEARNT_US = 60_000_000, 150_000_000
"""What moved is asked for each minute; what was learnt is fifteen times as much, and of use where something ends."""
_TICK_S, _OPEN_TICK_S, _CALM_TICK_S = 0.5, 1.0, 2.0
"""While a child works, or is not there; while a gate is open; and while nothing is done."""
_ASK_AGAIN_US, _SURE_US = 10_000_000, 60_000_000
"""The recorder is asked anew: of a stream of which nothing is heard, and of any."""
_HEARD_US = 5_000_000
_MOST_UNREAD_BYTES = 4 << 20
_MOST_JOB_US = 20_000_000
_MOST_OF_A_JOB = 10_000
_MOST_SIGHTINGS = 10_000
_MOST_STIRS = 1e6
_log = structlog.get_logger(__name__)


class Watcher:
    """Everything of one watcher. Owner of its state: its loop."""

    def __init__(self, clock: Clock, out: asyncio.WriteTransport) -> None:
        self._clock = clock
        self._out = out
        self._tasks = Tasks("watcher")
        self._decoder = Decoder()
        self._greeted = False
        self._cameras: dict[str, Watching] = {}
        self._slots: list[LookSlot] = []
        self._link: LinkClient | None = None
        self._allowance = Allowance()
        self._scheduler = Scheduler(self._allowance, clock.boottime_us())
        self._kept: dict[str, tuple[bytes, bytes]] = {}
        self._model = ModelKept(clock.boottime_us())
        self._jobs = 0
        self._later: asyncio.TimerHandle | None = None
        self._told_us = 0
        self._seen_us = clock.boottime_us()  # when something was last seen, or not looked at as closely as it should be
        self._unsaid = 0

    async def run(self, pipe: asyncio.StreamReader) -> None:
        """Until the input ends. Raises LongwatchError where the server cannot be understood."""
        self._out.write(hello("watcher"))
        self._tasks.start("ticks", self._ticks())
        try:
            while data := await pipe.read(1 << 16):
                for frame in self._decoder.feed(data):
                    self._commanded(frame)
        finally:
            await self._tasks.aclose()
            if self._link is not None:
                await self._link.aclose()

    # -- what the server says

    def _commanded(self, frame: Frame) -> None:
        if not self._greeted:
            check_hello(frame)
            self._greeted = True
        elif frame.type == "saved":
            split = int(frame.header["gate_bytes"])
            self._kept[str(frame.header["camera"])] = (frame.body[:split], frame.body[split:])
        elif frame.type == "watch":
            self._watch(frame.header)

    def _watch(self, told: dict[str, Any]) -> None:
        """What is to be watched from now on."""
        if self._link is None:
            link = self._link = LinkClient(Path(told["socket"]), "watcher")
            link.on_push(self._pushed)
            link.on_connect(self._connected)
            self._tasks.start("recorder-link", link.run())
        self._allowance = Allowance(cores=float(told["cores"]))
        self._scheduler.use(self._allowance)
        if self._model.use(str(told["model"]), str(told["model_mark"]), float(told["asks"]), self._clock.boottime_us()):
            self._tasks.start("model", self._use_model())
        wanted: dict[str, dict[str, Any]] = {str(camera): each for camera, each in told["cameras"].items()}
        for camera in [camera for camera in self._cameras if camera not in wanted]:
            self._forget(camera)
        for camera, each in wanted.items():
            self._use(camera, str(each["stream"]), float(each["fps"]), dict(each["watched"]))
            self._cameras[camera].watch.gate.attend(Attention(each["attention"]))
        self._tasks.start("slots", self._use_slots(int(told["workers"]) if wanted else 0))

    def _use(self, camera: str, stream: str, fps: float, watched: dict[str, Any]) -> None:
        known = self._cameras.get(camera)
        if known is not None and known.stream == stream:
            known.watch.fps = fps
            if known.watched != watched:
                known.watched = watched
                for slot in self._slots:
                    if slot.running is not None and camera in slot.running.known:
                        slot.send(encode({"type": "camera", "camera": camera, "watched": watched}))
            return
        if known is not None:
            self._forget(camera)
        gate, looker = self._kept.pop(camera, (b"", b""))
        made = Watching(camera, stream, watched, StreamWatch(fps, _gate(gate)), looker, self._cameras_least())
        self._cameras[camera] = made
        self._ask(self._cameras[camera])

    def _cameras_least(self) -> int:
        """The slot with the fewest cameras."""
        count = max(1, len(self._slots))
        return min(range(count), key=lambda n: sum(each.slot % count == n for each in self._cameras.values()))

    def _forget(self, camera: str) -> None:
        gone = self._cameras.pop(camera)
        self._scheduler.forget(camera)
        self._model.forget(camera)
        for slot in self._slots:
            if slot.running is not None and slot.running.known.pop(camera, None) is not None:
                slot.send(encode({"type": "forget", "camera": camera}))
        self._tasks.start("unlook", self._unlook(gone))

    async def _unlook(self, gone: Watching) -> None:
        if self._link is not None and self._link.is_connected:
            with contextlib.suppress(LongwatchError, OSError):
                await self._link.request("unlook", stream=[gone.camera, gone.stream])

    async def _use_model(self) -> None:
        """Another model for the children that are there."""
        for slot in list(self._slots):
            await slot.use(self._model.for_children)

    def _model_came(self, told: dict[str, Any] | None, asked: bool) -> None:
        if told is not None:
            self._model.came(told)
            return
        self._model.ended(self._clock.boottime_us(), asked=asked)
        for slot in self._slots:
            slot.model = self._model.for_children

    async def _use_slots(self, count: int) -> None:
        while len(self._slots) > count:
            await self._slots.pop().stop()
        while len(self._slots) < count:
            slot = LookSlot(
                self._clock, self._tasks, self._answered, self._gone, lambda _: self._turn(), on_model=self._model_came
            )
            slot.model = self._model.for_children
            self._slots.append(slot)
            slot.start()

    # -- what the recorder says

    def _connected(self) -> None:
        for camera in self._cameras.values():
            camera.anew()
            self._ask(camera)

    def _ask(self, camera: Watching, *, again: bool = False) -> None:
        """Have the recorder send what is needed now."""
        camera.asked_whole, camera.asked_between_us = camera.watch.wants_whole, camera.between_us
        camera.asked_us = self._clock.boottime_us()
        self._tasks.start("ask", self._asking(camera, camera.asked_whole, again))

    async def _asking(self, camera: Watching, whole: bool, again: bool) -> None:
        if self._link is None or not self._link.is_connected:
            return
        key_us = camera.watch.gate.options.key_us // 2
        try:
            await self._link.request(
                "look",
                stream=[camera.camera, camera.stream],
                key_us=key_us,
                between_us=camera.asked_between_us,
                whole=whole,
                again=again,
            )
            camera.problem = ""
        except (LongwatchError, OSError) as error:
            camera.problem = str(error)

    def _pushed(self, frame: Frame) -> None:
        if frame.type not in {"look_batch", "look_group", "live_format", "live_over"}:
            return
        stream = frame.header.get("stream")
        if not isinstance(stream, list) or len(stream) != 2:
            return
        camera = self._cameras.get(str(stream[0]))
        if camera is None or camera.stream != stream[1]:
            return
        if frame.type == "live_format":
            _, generation, tracks = decode_format(frame)
            camera.format(generation, tracks[0])
        elif frame.type == "live_over":
            camera.watch.began()
        else:
            rows, begin = decode_rows(frame)
            if frame.header.get("generation") != camera.generation:
                return
            offset_us = self._clock.wall_us() - self._clock.boottime_us()
            if frame.type == "look_group":
                camera.watch.group(rows, frame.body, begin, offset_us)
            else:
                camera.watch.batch(rows, frame.body, begin, int(frame.header.get("missed", 0)), offset_us)
            if camera.watch.waiting_bytes:
                self._bound()
        if camera.watch.wants_whole is not camera.asked_whole or camera.between_us != camera.asked_between_us:
            self._ask(camera)
        if camera.watch.has_work:
            self._turn()

    def _bound(self) -> None:
        """Over all cameras, no more may wait than this: who waits with the most loses the oldest of it."""
        while sum(camera.watch.waiting_bytes for camera in self._cameras.values()) > MOST_WAITING_BYTES:
            max(self._cameras.values(), key=lambda camera: camera.watch.waiting_bytes).watch.drop_oldest()

    # -- work

    def _turn(self) -> None:
        """Give work to each child that has none."""
        for number, slot in enumerate(self._slots):
            while slot.is_idle:
                waiting = [
                    name
                    for name, camera in self._cameras.items()
                    if camera.slot % len(self._slots) == number and camera.watch.has_work
                ]
                name = self._scheduler.next(waiting, self._clock.boottime_us())
                if name is None:
                    if waiting:
                        self._turn_later()
                    break
                self._give(slot, self._cameras[name])

    def _turn_later(self) -> None:
        """The processor time is used up for now."""
        if self._later is None:
            wait_s = max(0.01, self._scheduler.wait_us(self._clock.boottime_us()) / 1e6)
            self._later = asyncio.get_running_loop().call_later(wait_s, self._woken)

    def _woken(self) -> None:
        self._later = None
        self._turn()

    def _give(self, slot: LookSlot, camera: Watching) -> None:
        job = camera.watch.next_job()
        if job is None:
            return
        running = slot.running
        assert running is not None
        name = camera.camera
        if name not in running.known:
            slot.send(encode({"type": "camera", "camera": name, "watched": camera.watched}, camera.saved))
            running.known[name] = -1
        if running.known[name] != camera.generation and camera.track is not None:
            slot.send(encode_format((name, "look"), camera.generation, (camera.track,)))
            running.known[name] = camera.generation
        self._jobs += 1
        now_us = self._clock.boottime_us()
        wants, late_us = bool(camera.watched.get("objects")), camera.watch.late_us(now_us)
        camera.granted = self._model.grant(name, wants, camera.watch.level, late_us, now_us)
        slot.send(camera.job_frame(job, self._jobs))
        slot.began(self._jobs, name)

    def _answered(self, slot: LookSlot, frame: Frame) -> None:
        running = slot.running
        assert running is not None
        if frame.type == "looked" and frame.header.get("job") == running.job:
            camera = self._cameras.get(running.camera)
            slot.done()
            if camera is not None:
                self._looked(camera, frame.header)
            self._turn()
        elif frame.type == "saved":
            name = str(frame.header.get("camera"))
            camera = self._cameras.get(name)
            if camera is not None and name in running.known:  # a child speaks for no camera of another
                self._saved(camera, frame)

    def _looked(self, camera: Watching, told: dict[str, Any]) -> None:
        """What a child says of its job: numbers and sightings of that camera, and nothing else of it is believed."""
        try:
            cpu_us, sightings = _number(told["cpu_us"], _MOST_JOB_US), list(told["sightings"])[:_MOST_SIGHTINGS]
            something, sure = told["curious"] is True, any(_keeps_open(one) for one in sightings)
            follows = told.get("follows") is True
            stirs = [_amount(each) for each in list(told.get("stirs", []))[:_MOST_OF_A_JOB]]
            counts: dict[str, Any] = {
                name: _number(told[name], _MOST_OF_A_JOB) for name in ("pictures", "decoded", "failed")
            }
        except (LookupError, TypeError, ValueError, AttributeError):
            cpu_us, sightings, something, sure, follows, stirs, counts = (
                0,
                [],
                False,
                False,
                False,
                [],
                {"pictures": 0, "decoded": 0, "failed": 1},
            )
        said = not sightings or self._say(
            encode({"type": "sightings", "camera": camera.camera, "items": sightings}), must=True
        )
        if sightings:
            self._seen_us = self._clock.boottime_us()
        camera.why = str(told.get("why", ""))[:200]
        self._scheduler.spent(camera.camera, cpu_us)
        asked, passed = self._model.used(camera.camera, camera.granted, told, self._clock.boottime_us())
        camera.watch.counts.objects_asked += asked
        camera.watch.counts.objects_skipped += passed
        camera.granted = 0
        if told.get("lost") is True:
            if camera.watch.died(by_it=False):
                self._ask(camera, again=True)
        else:
            blind = told.get("blind") is not False or not said
            camera.watch.done(
                **counts, cpu_us=cpu_us, something=something, sure=sure, blind=blind, follows=follows, stirs=stirs
            )
        camera.unsaved = True
        if camera.watch.wants_whole is not camera.asked_whole:
            self._ask(camera)

    def _saved(self, camera: Watching, frame: Frame) -> None:
        split, looked = frame.header.get("heat_bytes"), frame.header.get("looked")
        if type(split) is not int or split not in (0, 2 * CELLS) or split > len(frame.body):
            return
        if type(looked) is not int or not 0 <= looked <= MOST_TENTHS:
            return
        learnt = len(frame.body) > split
        if learnt:
            camera.saved = frame.body[split:]
        gate = camera.watch.gate.saved() if learnt else b""
        told = {
            "type": "saved", "camera": camera.camera, "gate_bytes": len(gate), "looked": looked,
            "heat_bytes": split, "learnt": learnt,
        }  # fmt: skip
        self._say(encode(told, gate + frame.body))

    def _gone(self, slot: LookSlot, blamed: str) -> None:
        """A child ended: the camera whose job it had loses that job, the others go on with the next child."""
        number = self._slots.index(slot) if slot in self._slots else -1
        for name, camera in self._cameras.items():
            if number < 0 or camera.slot % len(self._slots) != number:
                continue
            if camera.watch.died(by_it=name == blamed, forgiven=slot.ended_asking):
                self._ask(camera, again=True)

    # -- each moment

    async def _ticks(self) -> None:
        while True:
            # a child that hangs is found in time: with its job the steps are short from the next on
            await self._clock.sleep(self._tick_s)
            now_us = self._clock.boottime_us()
            if self._lags:
                self._seen_us = now_us
            for slot in self._slots:
                slot.check()
            if self._model.over(now_us):
                self._tasks.start("model", self._use_model())
            for camera in self._cameras.values():
                camera.watch.level = self._scheduler.behind(camera.camera, camera.watch.late_us(now_us), now_us)
                if camera.watch.wants_whole is not camera.asked_whole or now_us - camera.asked_us > _ask_us(
                    camera, now_us
                ):
                    self._ask(camera)
                if camera.unsaved and now_us - camera.saved_us > SAVE_US:
                    self._save(camera, now_us)
            self._turn()
            each_us = STATE_US if now_us - self._seen_us < _CALM_AFTER_US else CALM_STATE_US
            if now_us - self._told_us >= each_us - 100_000:
                self._told_us = now_us
                self._say(encode(self._state(now_us)))

    @property
    def _tick_s(self) -> float:
        if any(not slot.is_idle for slot in self._slots):
            return _TICK_S
        return _OPEN_TICK_S if any(camera.watch.gate.is_open for camera in self._cameras.values()) else _CALM_TICK_S

    @property
    def _lags(self) -> bool:
        """Whether a child is not there, or a camera is looked at less closely than its gate would have it."""
        return any(slot.running is None for slot in self._slots) or any(
            camera.watch.level for camera in self._cameras.values()
        )

    def _save(self, camera: Watching, now_us: int) -> None:
        learnt = now_us - camera.learnt_us > LEARNT_US
        for slot in self._slots:
            if slot.is_idle and slot.running is not None and camera.camera in slot.running.known:
                slot.send(encode({"type": "save", "camera": camera.camera, "learnt": learnt}))
                camera.unsaved, camera.saved_us = False, now_us
                if learnt:
                    camera.learnt_us = now_us

    def _state(self, now_us: int) -> dict[str, Any]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        connected = self._link is not None and self._link.is_connected
        return {
            "type": "state",
            "connected": connected,
            "cpu_us": round((usage.ru_utime + usage.ru_stime) * 1e6),
            "rss_bytes": told_rss(),
            "unsaid": self._unsaid,
            "model": self._model.state(now_us),
            "children": [told_of(slot.running) | {"deaths": slot.deaths} for slot in self._slots],
            "cameras": {
                name: told_state(camera, now_us, connected=connected) for name, camera in self._cameras.items()
            },
        }

    def _say(self, data: bytes, *, must: bool = False) -> bool:
        """Whether it was said. must: it is counted where the server does not read any more."""
        if self._out.get_write_buffer_size() > (_MOST_UNREAD_BYTES if must else _MOST_UNREAD_BYTES // 4):
            self._unsaid += must
            return False
        self._out.write(data)
        return True


def _ask_us(camera: Watching, now_us: int) -> int:
    """After how long the recorder is asked for a camera again."""
    return _SURE_US if not camera.problem and now_us - camera.watch.told_us < _HEARD_US else _ASK_AGAIN_US


def told_rss() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _number(value: object, most: int) -> int:
    """What a child counts, as far as it can be: nobody else waits for what it says it used. Raises TypeError for what is no number."""
    if type(value) is not int:
        raise TypeError("no number")
    return min(most, max(0, value))


def _amount(value: object) -> float | None:
    """What a child says of vectors, as far as it can be. Raises TypeError for what is no number, and not None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("no number")
    return float(min(_MOST_STIRS, max(0.0, value)))  # bounded first: an int may be beyond any float


def _keeps_open(sighting: dict[str, Any]) -> bool:
    """What moves is followed; of a view that is hidden one key frame after another tells enough."""
    return sighting.get("on", True) is True and not str(sighting["kind"]).startswith("tamper.")


def _gate(saved: bytes) -> Gate:
    options = GateOptions()
    with contextlib.suppress(ValueError):
        if saved:
            return Gate.restored(options, saved)
    return Gate(options)


_PARENT = os.getppid()


async def _main() -> None:
    loop = asyncio.get_running_loop()
    pipe = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(pipe), sys.stdin.buffer)
    out, _ = await loop.connect_write_pipe(partial(asyncio.BaseProtocol), os.fdopen(os.dup(1), "wb"))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever prints does not speak for us
    await Watcher(SystemClock(), out).run(pipe)


def main() -> int:
    """The exit code: 0 where its input ended."""
    log.configure(json=not sys.stderr.isatty())
    os.chdir(Path("/"))
    try:
        end_with(_PARENT)
        behind_all_others()
        uvloop.run(_main())
    except (OSError, LongwatchError) as error:
        _log.error("the watcher ends", reason=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
