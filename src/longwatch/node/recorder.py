"""The recorder process: it takes in cameras, records, keeps the ledger, and nothing else. It never decodes video.

    python -m longwatch.node.recorder --config FILE

Behaviour over time: a child reads the settings while this process loads; the archive is opened and recovered; sources, ticks,
retention and socket begin. SIGHUP (or `reload`) applies changed settings and interrupts no stream that did not change; wrong
ones keep the old and say so. SIGTERM seals what is open and exits 0 within 5 s. A task that dies is a health issue and
an entry, and is begun again.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import structlog
import uvloop

import longwatch
from longwatch.accounting import StreamAccount, Tail
from longwatch.archive import Archive, Mode, RecoveryReport, RetentionTime, VolumeState
from longwatch.archive.ops import Entry
from longwatch.base import log, secrets
from longwatch.base.clock import Clock, SystemClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.ids import boot_id
from longwatch.base.tasks import Tasks
from longwatch.causes import Restart
from longwatch.ledger import kinds
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import Provenance
from longwatch.node.check import told
from longwatch.node.link import LinkServer, socket_path
from longwatch.node.recorder_options import CameraOptions, RecorderOptions, StreamOptions, resolve
from longwatch.node.recorder_socket import RecorderSocket
from longwatch.node.recorder_streams import StreamUnit
from longwatch.node.recorder_ticks import Ticks
from longwatch.recording import Budget, HostTime, KernelTime, LiveTap, StreamRecorder

RETAIN_EVERY_S = 30.0
WATCH_EVERY_S = 1.0
SLOW_TICK_US = 1_000_000
HUNG_US = 5_000_000
END_SESSIONS_S = 1.0
APPROVE = "an operator who knows that the clock is right says so with POST /api/v1/retention/approve"
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
            else Restart(report.orderly_stop, report.same_boot, beat.wall_us if beat is not None else None)
        )
        self._buffer = Budget(options.recording.total_buffer_bytes)
        self._live_cache = Budget(options.recording.live_cache_bytes)
        self._sources = Tasks("source", self._died)
        self._ending = Tasks("ending")
        self._tasks = Tasks("recorder", self._died)
        self._deaths: dict[str, str] = {}
        self._settings_problem = "; ".join(options.problems)
        self._reloading = asyncio.Lock()
        self._held_back = ""
        self._approved_epoch = -1  # of the host's clock that an operator vouched for
        socket = RecorderSocket(
            self._tap,
            {
                "ping": self._ping, "status": self._status, "entry": self._entry, "try_now": self._try_now,
                "reload": self._reload, "retention_preview": self._preview, "retention_approve": self._approve,
                "check": self._check,
            },
        )  # fmt: skip
        self.link = LinkServer(socket_path(options.volumes[0], "recorder"), "recorder", socket.handle)

    @classmethod
    async def open(cls, options: RecorderOptions, config: Path | None, clock: Clock, boot: str) -> Recorder:
        """Take the data folder and recover what a cut left. Raises LongwatchError."""
        archive, report = await Archive.open(options.volumes, options.archive, clock, boot)
        for warning in report.warnings:
            _log.warning("the data folder", warning=warning)
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
                    "recovered": len(self.report.recovered),
                    "last_heartbeat": None if beat is None else {
                        "boot": beat.boot, "boot_us": beat.boot_us, "wall_us": beat.wall_us,
                        "accounted_until_us": beat.accounted_until_us,
                    },
                },
            )
        )  # fmt: skip
        ready_us = self.host.wall_us(self._clock.boottime_us())
        for camera in self.options.cameras:
            await self._set_up(camera, ready_us)
        for key, tail in self.report.streams.items():
            if key not in self.ticks.units and tail.accounted_to_us is not None:
                self._unit(key, tail.accounted_to_us, ready_us)
        for volume in self.archive.volumes:
            self._keep(f"tick {volume.path}", lambda volume=volume: self.ticks.run(volume))
        self._keep("retention", self._retain_for_ever)
        self._keep("watch", self._watch)

    async def run(self) -> None:
        """Until `stopping` is set; then everything is sealed."""
        await self.start()
        _log.info("recording", cameras=len(self.options.cameras), recovered=len(self.report.recovered))
        gc.collect()
        gc.freeze()
        await self.stopping.wait()
        await self.close("asked to stop")

    async def close(self, reason: str) -> None:
        """End the sessions, seal what is open, say so in the ledger, let go of the folder."""
        await self._tasks.aclose()
        ending = [self._ending.start(unit.key.camera, unit.end()) for unit in self.ticks.units.values()]
        if ending:
            await asyncio.wait(ending, timeout=END_SESSIONS_S)
        sealed = sum(unit.recorder.has_open_segment for unit in self.ticks.units.values())
        entry = Entry(kinds.STOP, {"reason": reason, "segments_sealed": sealed})
        await self.ticks.close(self.archive.volumes, entry)
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
        _log.error("a task died", task=name, error=said, exc_info=error)
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
            unit.schedule = self.options.schedule(camera)
            unit.begin(stream)

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
        account = StreamAccount(
            key, Tail(ready_us if until_us is None else until_us), None if until_us is None else self._restart, ready_us,
            set_up=until_us is not None,
        )  # fmt: skip
        recorder = StreamRecorder(
            key, self._boot, self.options.recording, self.host, self.archive.next_run_number, self._buffer,
            LiveTap(self._live_cache), now_boot_us=self._clock.boottime_us,
        )  # fmt: skip
        unit = StreamUnit(key, recorder, account, self.archive.place(key), self._sources, self._clock)
        self.ticks.units[key] = unit
        return unit

    def _tap(self, key: StreamKey) -> LiveTap | None:
        unit = self._known(key)
        return None if unit is None else unit.recorder.live

    def _known(self, key: StreamKey) -> StreamUnit | None:
        unit = self.ticks.units.get(key)
        return unit if unit is not None and unit.schedule is not None else None

    async def reload(self) -> dict[str, Any]:
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
            return await self._apply(new)

    async def _apply(self, new: RecorderOptions) -> dict[str, Any]:
        old = self.options
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
        self.ticks.entries.append(Entry(kinds.SETTINGS, dict(body)))
        _log.info("settings applied", **body)
        return {**body, "restart_needed": restart_needed}

    async def _change(self, camera: CameraOptions, before: CameraOptions) -> None:
        """Only the streams whose own options differ are interrupted."""
        now_us = self.host.wall_us(self._clock.boottime_us())
        await self._remember(camera, now_us)
        running: dict[StreamKey, StreamOptions] = {stream.key: stream for stream in before.streams}
        for stream in camera.streams:
            unit = self.ticks.units.get(stream.key) or self._unit(stream.key, None, now_us)
            unit.schedule = self.options.schedule(camera)
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

    def _retention_time(self) -> RetentionTime:
        """A clock that nothing disciplines is trusted only where a camera's clock or an operator vouches for it."""
        boot_us = self._clock.boottime_us()
        approved = self._approved_epoch == self.host.epoch
        trusted = (
            approved
            or self.host.provenance is Provenance.NTP
            or any(unit.agrees_with(self.host, boot_us) for unit in self.ticks.units.values())
        )
        return RetentionTime(self.host.wall_us(boot_us), trusted, self.host.agreed_for_us(boot_us), approved)

    async def _retain_for_ever(self) -> None:
        while True:
            await self._clock.sleep(RETAIN_EVERY_S)
            report = await self.archive.retain(self._retention_time())
            self._held_back = report.held_back

    async def _watch(self) -> None:
        """A source whose task died is begun again."""
        while True:
            await self._clock.sleep(WATCH_EVERY_S)
            for unit in list(self.ticks.units.values()):
                if unit.died and unit.options is not None:
                    unit.begin(unit.options)

    def _health(self, boot_us: int) -> list[dict[str, str]]:
        """What is wrong with the recorder itself, in words."""
        issues = [
            {"what": f"the task {name} died and was begun again", "why": why} for name, why in self._deaths.items()
        ]
        if self._settings_problem:
            issues.append({"what": self._settings_problem})
        if self.archive.index_failed or not self.ticks.index_committed:
            issues.append({"what": "the index cannot be written", "why": self.archive.index_failed})
        if self.host.unsteady:
            issues.append({"what": "the host's clock steps again and again; time goes on by CLOCK_BOOTTIME"})
        if self._held_back:
            issues.append({"what": "nothing expires by age", "why": f"{self._held_back} ({APPROVE})"})
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
        return {"version": longwatch.__version__, "boot": self._boot}

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
            "health": self._health(boot_us),
        }  # fmt: skip

    async def _entry(self, fields: dict[str, Any]) -> dict[str, Any]:
        """An entry of the server's own: durable once this answers. Kinds of the recorder and archive are refused."""
        kind, body = fields.get("kind"), fields.get("body")
        own = {value for name, value in vars(kinds).items() if name.isupper()}
        if not isinstance(kind, str) or not isinstance(body, dict) or kind in own:
            raise UsageError("`entry` wants a kind that is not the recorder's own, and a body")
        if not await self.archive.commit([Entry(kind, body)]):
            raise LongwatchError("the entry could not be written", why=self.archive.index_failed)
        return {}

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

    async def _preview(self, fields: dict[str, Any]) -> dict[str, Any]:
        limit = max(1, min(int(fields.get("limit", 100)), 10_000))
        removals = await self.archive.preview(self._retention_time(), limit)
        return {
            "items": [
                {
                    "camera": r.key.camera, "stream": r.key.stream, "from_us": r.from_us, "to_us": r.to_us, "bytes": r.bytes,
                    "why": r.why, "due_us": r.due_us,
                }
                for r in removals
            ]
        }  # fmt: skip

    async def _approve(self, _: dict[str, Any]) -> dict[str, Any]:
        """An operator vouches for the host's clock as it runs now."""
        epoch, wall_us = self.host.epoch, self.host.wall_us(self._clock.boottime_us())
        body = {"wall_us": wall_us, "provenance": self.host.provenance.name.lower()}
        if not await self.archive.commit([Entry(kinds.RETENTION_APPROVED, body)]):
            raise LongwatchError("the approval could not be written", why=self.archive.index_failed)
        self._approved_epoch = epoch
        return {"wall_us": wall_us}

    async def _check(self, fields: dict[str, Any]) -> dict[str, Any]:
        mode = fields.get("mode", "size")
        if mode not in {"size", "hash", "ledger"}:
            raise UsageError(f"there is no check {mode!r}", remedy="size, hash or ledger")
        return told(await self.archive.check(Mode(mode), repair=bool(fields.get("repair"))))


async def record(config: Path, clock: Clock) -> None:
    """The whole life of the process. Raises LongwatchError where it cannot begin."""
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


def main() -> int:
    """Exit code 0 after SIGTERM, 2 for wrong settings, 1 where it cannot begin otherwise."""
    parser = argparse.ArgumentParser(prog="python -m longwatch.node.recorder", description="The recorder process.")
    parser.add_argument("--config", type=Path, required=True)
    arguments = parser.parse_args()
    log.configure(json=not sys.stderr.isatty())
    gc.set_threshold(20_000, 20, 50)
    try:
        uvloop.run(record(arguments.config, SystemClock()))
    except LongwatchError as error:
        sys.stderr.write(secrets.scrub(f"longwatch recorder: {error}\n"))
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
