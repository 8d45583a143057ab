"""The recorder process: it takes in cameras, records, keeps the ledger, and nothing else. It never decodes video.

    python -m longwatch.node.recorder --config FILE

Behaviour over time: a child reads the settings while this process loads; the archive is opened and recovered; sources, ticks,
retention and socket begin. SIGHUP (or `reload`) applies changed settings and interrupts no stream that did not change; wrong
ones keep the old and say so. SIGTERM seals what is open and exits 0 within 5 s. A task that dies is a health issue and
an entry, and is begun again.
"""

from __future__ import annotations

from longwatch.base import log, starting  # first: see there

# isort: split
import argparse
import asyncio
import dataclasses
import gc
import os
import signal
import sys
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import uvloop

import longwatch
from longwatch.accounting import StreamAccount, Tail
from longwatch.archive import Archive, Mode, RecoveryReport, VolumeState
from longwatch.archive.ops import Entry
from longwatch.base import process, secrets
from longwatch.base.clock import Clock, SystemClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.ids import boot_id
from longwatch.base.tasks import Tasks
from longwatch.causes import Restart
from longwatch.ledger import kinds
from longwatch.masking import Masking
from longwatch.model.alarms import AlarmKind
from longwatch.model.causes import Pause
from longwatch.model.sessions import StreamKey
from longwatch.node.host_state import is_going_down
from longwatch.node.link import LinkServer, socket_path
from longwatch.node.recorder import corrections
from longwatch.node.recorder.acts import RecorderActs, Stopping
from longwatch.node.recorder.alarms import Look
from longwatch.node.recorder.attest import Attesting
from longwatch.node.recorder.awaited import Awaited
from longwatch.node.recorder.blind import blind_cameras
from longwatch.node.recorder.checks import told
from longwatch.node.recorder.holds import RecorderHolds
from longwatch.node.recorder.options import CameraOptions, RecorderOptions, StreamOptions, resolve
from longwatch.node.recorder.people import People
from longwatch.node.recorder.posts import silent_posts
from longwatch.node.recorder.retention import RecorderRetention
from longwatch.node.recorder.settings import RELOAD, Asked, RecorderSettings
from longwatch.node.recorder.socket import RecorderSocket
from longwatch.node.recorder.stamps import stamp
from longwatch.node.recorder.streams import StreamUnit
from longwatch.node.recorder.surroundings import Around
from longwatch.node.recorder.ticks import Ticks
from longwatch.node.supervisor.process import STOPPED_BY_ORDER
from longwatch.node.upgrade.files import gone_back_from
from longwatch.node.upgrade.state import AGAIN, RELEASE
from longwatch.recording import Budget, HostTime, KernelTime, LiveTap, StreamRecorder

WATCH_EVERY_S = 1.0
SLOW_TICK_US = 1_000_000
HUNG_US = 5_000_000
END_SESSIONS_S = 1.0
_LACKING_TOLD = 20
_LOOK_FOR_GARBAGE = (20_000, 20, 50)
_log = structlog.get_logger(__name__)


class Recorder:
    """Composes the whole. Made by `open`; `run` until asked to stop. Owner of all its state: its loop."""

    def __init__(
        self,
        options: RecorderOptions,
        config: Path | None,
        clock: Clock,
        boot: str,
        archive: Archive,
        report: RecoveryReport,
    ) -> None:
        self.options = options
        self.report = report
        self.archive = archive
        self.stopping = asyncio.Event()
        self._config = config
        self._clock = clock
        self._boot = boot
        kernel = KernelTime()
        now_us = clock.boottime_us()
        beat = report.heartbeat
        self.host = HostTime(now_us, clock.wall_us(), kernel.synchronised(), beat.wall_us if beat is not None else None)
        self.ticks = Ticks(archive, clock, kernel, self.host, boot, self._died)
        self._restart = (
            None
            if report.fresh
            else Restart(
                report.orderly_stop, report.same_boot, beat.wall_us if beat is not None else None, report.mains,
                report.stop_asked,
            )
        )  # fmt: skip
        self._buffer = Budget(options.recording.total_buffer_bytes)
        self._live_cache = Budget(options.recording.live_cache_bytes)
        self._sources = Tasks("source", self._died)
        self.masking = Masking(clock)
        self._ending = Tasks("ending")
        self._tasks = Tasks("recorder", self._died)
        self._deaths: dict[str, str] = {}
        self.around = Around(
            options.surroundings, clock, self.host, self.ticks.units, self.ticks.entries.append, self._died, report.mains
        )  # fmt: skip
        self.ticks.around = self.around
        self.acts = RecorderActs(
            archive, clock, lambda: self.host.wall_us(clock.boottime_us()),
            lambda: frozenset(camera.id for camera in self.options.cameras), self._use_pause,
        )  # fmt: skip
        self.ticks.gaps_told = self.acts.gaps_told
        self.acts.has_hub = (options.volumes[0] / "trust" / "enrolment.json").exists  # as `trust.enrolment` keeps it
        self.posts = silent_posts(clock)
        self.views = blind_cameras(clock)
        self._settings = RecorderSettings(archive, self.acts)
        self.stop = Stopping(archive, self.stopping.set)
        self._settings_problem = "; ".join(options.problems)
        self._goes_on: frozenset[str] = frozenset()
        self._reloading = asyncio.Lock()
        self.people = People(archive, clock)
        self.holds = RecorderHolds(archive, clock, lambda: self.host.wall_us(clock.boottime_us()), self.acts)
        self.retention = RecorderRetention(
            archive, clock, self.host, self.ticks.units, self.acts, self.people, self.holds, self._by_events
        )
        socket = RecorderSocket(
            self._tap,
            {
                "ping": self._ping, "status": self._status, "try_now": self._try_now,
                "reload": self._reload, "retention_preview": self.retention.preview, "retention_approve": self.retention.approve,
                "confirm": self.retention.confirm, "discard": self.retention.discard,
                "check": self._check, "settings_apply": self._settings_apply, "settings_preview": self._settings.preview, "stop": self.stop.ask, **self.posts.commands, **self.views.commands, **self.acts.commands, **self.holds.commands,
                **self.people.commands, "stamp": partial(stamp, archive, options.archive.flushing), **Attesting(archive, clock, self.ticks.units, self.ticks, self.holds.lease).commands, **corrections.commands(archive),
            },
        )  # fmt: skip
        self.link = LinkServer(socket_path(options.volumes[0], "recorder"), "recorder", socket.handle)

    @classmethod
    async def open(cls, options: RecorderOptions, config: Path | None, clock: Clock, boot: str) -> Recorder:
        """Take the data folder and recover what a cut left. Raises LongwatchError."""
        archive, report = await Archive.open(options.volumes, options.archive, clock, boot)
        for warning in report.warnings:
            _log.warning("the data folder", warning=warning)
        _log.info("the ledger", origin=archive.ledger.log.origin, key=archive.ledger.key.fingerprint)
        return cls(options, config, clock, boot, archive, report)

    # ---- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """From here on it records. Raises LongwatchError where the socket is taken."""
        await self.link.start()
        beat = self.report.heartbeat
        self.ticks.entries.append(
            Entry(
                kinds.START,
                {
                    "version": longwatch.__version__, "orderly": self.report.orderly_stop, "same_boot": self.report.same_boot,
                    "recovered": len(self.report.recovered), **self._clock_words(),
                    "last_heartbeat": None if beat is None else {
                        "boot": beat.boot, "boot_us": beat.boot_us, "wall_us": beat.wall_us,
                        "accounted_until_us": beat.accounted_until_us,
                    },
                },
            )
        )  # fmt: skip
        await self.acts.load(self.report)
        await self._settings.at_start(self.options)
        ready_us = self.host.wall_us(self._clock.boottime_us())
        for camera in self.options.cameras:
            await self._set_up(camera, ready_us)
        for key, tail in self.report.streams.items():
            if key not in self.ticks.units and tail.accounted_to_us is not None:
                self._unit(key, tail.accounted_to_us, ready_us)
        for volume in self.archive.volumes:
            self._keep(f"tick {volume.path}", lambda volume=volume: self.ticks.run(volume))
        self._keep("retention", self.retention.run)
        self._keep("watch", self._watch)
        self._keep("awaited", Awaited(self._config, lambda: self.options, self._use_secrets, self._clock).run)
        self._keep("alarms", self._look)
        self._keep("surroundings", self.around.run)

    def _clock_words(self) -> dict[str, object]:
        """What the host's clock is believed to say from here on."""
        boot_us = self._clock.boottime_us()
        return {
            "boot_us": boot_us, "wall_us": self.host.wall_us(boot_us), "provenance": self.host.provenance.name.lower(),
        }  # fmt: skip

    async def run(self) -> None:
        """Until `stopping` is set; then everything is sealed."""
        await self.start()
        _log.info("recording", cameras=len(self.options.cameras), recovered=len(self.report.recovered))
        starting.is_over(_LOOK_FOR_GARBAGE[0])
        await self.stopping.wait()
        await self.close()

    async def close(self) -> None:
        """End the sessions, seal what is open, say so in the ledger, let go of the folder."""
        await self._tasks.aclose()
        down = self._ending.start("host", is_going_down())
        ending = [self._ending.start(unit.key.camera, unit.end()) for unit in self.ticks.units.values()]
        if ending:
            await asyncio.wait(ending, timeout=END_SESSIONS_S)
        sealed = sum(unit.recorder.has_open_segment for unit in self.ticks.units.values())
        await asyncio.wait([down], timeout=END_SESSIONS_S)
        host_ends = down.done() and not down.cancelled() and down.exception() is None and down.result()
        release = os.environ.get(RELEASE, "")
        going_back = await asyncio.to_thread(gone_back_from, self.options.volumes[0]) if release else ""
        last = self.stop.last_words(self.acts, sealed, host_ends=host_ends, going_back=going_back)
        await self.ticks.close(self.archive.volumes, last)
        await self.link.aclose()
        await self.archive.close(orderly=True)
        await self._ending.aclose()
        await self._sources.aclose()

    def _keep(self, name: str, make: Any) -> None:
        """Run a long-lived task; where it dies it is begun again after a second."""

        async def kept() -> None:
            while True:
                try:
                    await make()
                except Exception as error:  # noqa: BLE001 - boundary: a fault in one task must not end recording
                    self._died(name, error)
                await self._clock.sleep(1.0)

        coroutine: Coroutine[Any, Any, None] = kept()
        self._tasks.start(name, coroutine)

    def _died(self, name: str, error: BaseException) -> None:
        said = secrets.scrub(repr(error))
        again = self._deaths.get(name) == said  # an account that fails does so at each tick: its traceback is told once
        _log.error("a task died", task=name, error=said, exc_info=None if again else error)
        if name not in self._deaths:
            self.ticks.entries.append(Entry(kinds.TASK_DIED, {"task": name, "error": said[:500]}))
        self._deaths[name] = said

    # ---- cameras ----------------------------------------------------------------------------------------------------

    async def _set_up(self, camera: CameraOptions, wall_us: int) -> None:
        await self._remember(camera, wall_us)
        for stream in camera.streams:
            unit = self.ticks.units.get(stream.key)
            if unit is None:
                tail = self.report.streams.get(stream.key)
                until_us = tail.accounted_to_us if tail is not None else None
                unit = self._unit(stream.key, until_us, wall_us)
            self._plan(unit, camera)
            unit.begin(stream)

    def _plan(self, unit: StreamUnit, camera: CameraOptions) -> None:
        unit.schedule, unit.power_plan = self.options.schedule(camera), self.options.power_plan(camera)
        unit.recorder.segment_us = self.options.segment_us(camera)

    async def _remember(self, camera: CameraOptions, wall_us: int) -> None:
        """Its name and streams. Of a stream that nothing was said of yet, its account will say since when it is set up."""
        names = [stream.key.stream for stream in camera.streams]
        known = [
            stream.key.stream
            for stream in camera.streams
            if (tail := self.report.streams.get(stream.key)) is not None and tail.accounted_to_us is not None
        ]
        await self.archive.camera_set_up(camera.id, camera.name, names, None)
        await self.archive.camera_set_up(camera.id, camera.name, known, wall_us)

    def _unit(self, key: StreamKey, until_us: int | None, ready_us: int) -> StreamUnit:
        """A stream that the recorder answers for from now on; until_us: where its account stands, None for a new one."""
        told = self.report.streams.get(key)
        past = told.gaps if told is not None and until_us is not None else ()
        account = StreamAccount(
            key, Tail(ready_us if until_us is None else until_us, past), None if until_us is None else self._restart, ready_us,
            set_up=until_us is not None,
        )  # fmt: skip
        recorder = StreamRecorder(
            key, self._boot, self.options.recording, self.host, self.archive.next_run_number, self._buffer,
            LiveTap(self._live_cache), now_boot_us=self._clock.boottime_us,
        )  # fmt: skip
        unit = StreamUnit(key, recorder, account, self.archive.place(key), self._sources, self._clock, self.masking)
        unit.pause = self.acts.pauses.get(key.camera)
        self.ticks.units[key] = unit
        return unit

    def _tap(self, key: StreamKey) -> LiveTap | None:
        unit = self._known(key)
        return None if unit is None else unit.recorder.live

    def _known(self, key: StreamKey) -> StreamUnit | None:
        unit = self.ticks.units.get(key)
        return unit if unit is not None and unit.schedule is not None else None

    def _by_events(self, camera: str) -> bool:
        return any(each.id == camera and each.by_events for each in self.options.cameras)

    async def _use_pause(self, camera: str, pause: Pause | None) -> None:
        for unit in [unit for unit in self.ticks.units.values() if unit.key.camera == camera]:
            await unit.use_pause(pause)

    async def reload(self, asked: Asked = RELOAD) -> dict[str, Any]:
        """Read the settings again and apply what changed. Raises UsageError, and nothing changed, where they are wrong."""
        if self._config is None:
            raise LongwatchError("this recorder was given no settings file")
        async with self._reloading:
            try:
                new = await resolve(self._config)
                if new.problems:  # the last good ones came instead: those are in force already
                    raise UsageError("; ".join(new.problems), remedy="see `longwatch settings check`")
            except LongwatchError as error:
                self._settings_problem = f"new settings are wrong, the old ones stay: {error}"
                self.ticks.entries.append(Entry(kinds.SETTINGS_REFUSED, {"detail": secrets.scrub(str(error))[:2000]}))
                raise
            return await self._apply(new, await self._settings.apply(new, asked))

    async def _use_secrets(self, new: RecorderOptions) -> None:
        """The settings in force, of which less is missing now; nothing where others came into force meanwhile."""
        before = self.options
        async with self._reloading:
            if self.options is not before:
                return
            wrong = self._settings_problem
            await self._apply(new, await self._settings.apply(new, RELOAD))
            self._settings_problem = self._settings_problem or wrong

    async def _apply(self, new: RecorderOptions, entered: dict[str, Any] | None = None) -> dict[str, Any]:
        old = self.options
        new, self._goes_on = _with_what_runs(new, old)
        restart_needed = [
            name
            for name, differs in (
                ("data", new.volumes != old.volumes),
                ("post.id", new.post != old.post),
            )
            if differs
        ]
        self._settings_problem = (
            f"these take effect at the next start: {', '.join(restart_needed)}" if restart_needed else ""
        )
        self.archive.use_retention(new.archive.retention)
        self.around.apply(new.surroundings)
        before = {camera.id: camera for camera in old.cameras}
        after = {camera.id: camera for camera in new.cameras}
        self.options = new
        changed = [id_ for id_, camera in after.items() if id_ in before and camera != before[id_]]
        zone_changed = new.timezone != old.timezone
        for id_, camera in after.items():
            if id_ not in before:
                await self._set_up(camera, self.host.wall_us(self._clock.boottime_us()))
            elif id_ in changed or zone_changed:
                await self._change(camera, before[id_])
        for id_ in before.keys() - after.keys():
            for stream in before[id_].streams:
                await self._remove(stream.key)
        body: dict[str, Any] = {
            "added": sorted(after.keys() - before.keys()), "changed": changed,
            "removed": sorted(before.keys() - after.keys()),
        }  # fmt: skip
        _log.info("settings applied", **body)
        return {**body, **(entered or {}), "restart_needed": restart_needed}

    async def _change(self, camera: CameraOptions, before: CameraOptions) -> None:
        """Only the streams whose own options differ are interrupted."""
        now_us = self.host.wall_us(self._clock.boottime_us())
        await self._remember(camera, now_us)
        running: dict[StreamKey, StreamOptions] = {stream.key: stream for stream in before.streams}
        for stream in camera.streams:
            unit = self.ticks.units.get(stream.key) or self._unit(stream.key, None, now_us)
            self._plan(unit, camera)
            if running.get(stream.key) != stream:
                await unit.end()
                unit.begin(stream)
        for key in running.keys() - {stream.key for stream in camera.streams}:
            await self._remove(key)

    async def _remove(self, key: StreamKey) -> None:
        unit = self.ticks.units.get(key)
        if unit is not None:
            unit.schedule = unit.options = None
            await unit.end()

    # ---- what goes on beside ------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """A source whose task died is begun again."""
        while True:
            await self._clock.sleep(WATCH_EVERY_S)
            for unit in list(self.ticks.units.values()):
                if unit.died and unit.options is not None:
                    unit.begin(unit.options)

    async def _look(self) -> None:
        """For ever: what the alarms go by."""
        while True:
            await self._clock.sleep(WATCH_EVERY_S)
            boot_us = self._clock.boottime_us()
            look = Look(boot_us, self.host.wall_us(boot_us), self.around)
            seen = look.at(self.ticks.units.values(), self.archive.volumes, self.archive.index_failed)
            seen = self.views.add(seen, self.acts.standing(AlarmKind.CAMERA_BLIND))
            await self.acts.look(self.posts.add(seen, self.acts.standing(AlarmKind.POST_SILENT)))

    def _health(self, boot_us: int) -> list[dict[str, str]]:
        """What is wrong with the recorder itself, in words."""
        issues = [
            {"what": f"the task {name} died and was begun again", "why": why} for name, why in self._deaths.items()
        ]
        if self._settings_problem:
            issues.append({"what": self._settings_problem})
        issues += [{"what": f"a secret is missing: {said}"} for said in self.options.lacking[:_LACKING_TOLD]]
        if self._goes_on:
            cameras = ", ".join(sorted(self._goes_on)[:_LACKING_TOLD])
            issues.append(
                {"what": f"recorded with the password that was there before, until the next start: {cameras}"}
            )
        if self.archive.index_failed or not self.ticks.index_committed:
            issues.append({"what": "the index cannot be written", "why": self.archive.index_failed})
        if self.host.unsteady:
            issues.append({"what": "the host's clock steps again and again; time goes on by CLOCK_BOOTTIME"})
        issues += self.retention.health()
        issues += self.around.health() + self.people.health() + self.archive.ledger.problems()
        for volume in self.archive.volumes:
            since_us = volume.busy_since_boot_us
            if since_us is not None and boot_us - since_us > HUNG_US:
                issues.append(
                    {"what": f"the disk {volume.path} hangs", "why": f"{(boot_us - since_us) // 1_000_000} s"}
                )
            elif volume.state is not VolumeState.OK:
                issues.append({"what": f"the volume {volume.path} is {volume.state}", "why": volume.detail})
        return issues

    # ---- commands -------------------------------------------------------------------------------------------------------

    async def _ping(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"version": longwatch.__version__, "boot": self._boot, "release": os.environ.get(RELEASE, "")}

    async def _status(self, _: dict[str, Any]) -> dict[str, Any]:
        boot_us = self._clock.boottime_us()
        return {
            "boot": self._boot,
            "version": longwatch.__version__,
            "wall_us": self.host.wall_us(boot_us),
            "provenance": self.host.provenance.name.lower(),
            "accounted_until_us": self.ticks.accounted_until_us,
            "streams": [
                unit.describe(self.host, boot_us) for unit in self.ticks.units.values() if unit.schedule is not None
            ],
            "volumes": [
                {
                    "id": v.id, "path": str(v.path), "state": str(v.state), "detail": v.detail,
                    "free_bytes": v.free_bytes()[0], "size_bytes": v.free_bytes()[1],
                }
                for v in self.archive.volumes
            ],
            "ticks": {
                "count": self.ticks.count, "last_us": self.ticks.last_us, "slowest_us": self.ticks.slowest_us,
            },
            "process": process.described(),
            "surroundings": self.around.status(),
            "ledger": self.archive.ledger.describe(),
            "time_trusted": self.retention.time().trusted,
            "health": self._health(boot_us),
        }  # fmt: skip

    async def _try_now(self, fields: dict[str, Any]) -> dict[str, Any]:
        units = [
            u for u in self.ticks.units.values() if u.key.camera == fields.get("camera") and u.schedule is not None
        ]
        if not units:
            raise UsageError(f"there is no camera {fields.get('camera')}")
        for unit in units:
            unit.try_now()
        return {"streams": [unit.key.stream for unit in units]}

    async def _reload(self, _: dict[str, Any]) -> dict[str, Any]:
        return await self.reload()

    async def _settings_apply(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Somebody applies changed settings, and gives a reason where they take something away. Raises UsageError."""
        return await self.reload(Asked.of(fields))

    async def _check(self, fields: dict[str, Any]) -> dict[str, Any]:
        mode = fields.get("mode", "size")
        if mode not in {"size", "hash", "ledger"}:
            raise UsageError(f"there is no check {mode!r}", remedy="size, hash or ledger")
        return told(await self.archive.check(Mode(mode), repair=bool(fields.get("repair"))))


def _with_what_runs(new: RecorderOptions, old: RecorderOptions) -> tuple[RecorderOptions, frozenset[str]]:
    """A password that is gone from the secrets file is taken from no session that has it: what runs is recorded on. And the cameras of which that is so."""
    running = {stream.key: stream for camera in old.cameras for stream in camera.streams}
    goes_on: set[str] = set()
    cameras = []
    for camera in new.cameras:
        streams = tuple(s.after(running[s.key]) if s.key in running else s for s in camera.streams)
        if streams != camera.streams:
            goes_on.add(camera.id)
        cameras.append(dataclasses.replace(camera, streams=streams))
    return dataclasses.replace(new, cameras=tuple(cameras)), frozenset(goes_on)


async def record(config: Path, clock: Clock) -> int:
    """The whole life of the process; its exit code. Raises LongwatchError where it cannot begin."""
    options = await resolve(config)
    recorder = await Recorder.open(options, config, clock, boot_id())
    loop = asyncio.get_running_loop()
    reloads = Tasks("reload")

    async def reload() -> None:
        try:
            await recorder.reload()
        except LongwatchError as error:
            _log.error("the settings were not applied", reason=str(error))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, recorder.stopping.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: reloads.start("reload", reload()))
    try:
        await recorder.run()
    finally:
        await reloads.aclose()
    if recorder.stop.again:
        return AGAIN
    return 0 if recorder.stop.asked is None else STOPPED_BY_ORDER


def main() -> int:
    """Exit code 0 after SIGTERM, 76 after `longwatch stop`, 77 where it is only to be started anew, 2 for wrong settings, 1 where it cannot begin otherwise."""
    parser = argparse.ArgumentParser(prog="python -m longwatch.node.recorder", description="The recorder process.")
    parser.add_argument("--config", type=Path, required=True)
    arguments = parser.parse_args()
    log.configure(json=not sys.stderr.isatty())
    gc.set_threshold(*_LOOK_FOR_GARBAGE)
    try:
        return uvloop.run(record(arguments.config, SystemClock()))
    except LongwatchError as error:
        sys.stderr.write(secrets.scrub(f"longwatch recorder: {error}\n"))
        return error.exit_code
