"""Telling people, put together: events, alarms and what is wrong go in; the desk and the broker's bridge do the rest. docs/design/notify.md.

Behaviour over time: every two seconds alarms and conditions are looked at. New settings hold at once. What was not kept before a kill is taken
up from the stores of alarms and events. Owner: the server's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import structlog

from longwatch.accounting.alarm_words import said_of
from longwatch.accounts.who import AT_A_BROKER, Who
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks, ended
from longwatch.config import Settings
from longwatch.health import RecorderLink, Snapshot, examine, is_ready
from longwatch.health.notifying import BrokerState, ChannelState, Telling
from longwatch.model.alarms import Alarm
from longwatch.model.events import Event, EventChange
from longwatch.model.events import Phase as EventPhase
from longwatch.model.heat import StillTrouble
from longwatch.model.said import Words
from longwatch.model.watching import DetectionState, ModelState
from longwatch.node.server.condition_words import says
from longwatch.node.server.notify_options import mqtt_of, options_of
from longwatch.notify.desk import Desk
from longwatch.notify.feeds import Wrong, of_event
from longwatch.notify.mqtt import Bridge
from longwatch.notify.mqtt_topics import CameraFacts, PostFacts
from longwatch.notify.mqtt_trial import Trial, try_broker
from longwatch.notify.options import MqttOptions
from longwatch.notify.store import ChannelCounts
from longwatch.server_db import ServerDb
from longwatch.web.deps import EventDesk

LOOK_S = 2.0
MOST_ALARMS = 1_000
OF_ISSUES = {
    "recorder": "not_recording",
    "durability": "disk",
    "mains": "power",
    "detection": "detection",
    "channels": "channel",
    "broker": "channel",
}
"""Rules of health whose issues no alarm of the ledger speaks of, and what they are called in rules."""
_log = structlog.get_logger(__name__)


class Index(Protocol):
    """Alarms, as the archive or a hub has them. Blocks."""

    def alarms(
        self, *, everything: bool = False, before: int | None = None, limit: int = 1000, cameras: Sequence[str] | None = None
    ) -> list[Alarm]: ...  # fmt: skip


class Events(Protocol):
    """What the server knows of events (`node.watch.watching.Watching`)."""

    on_change: list[Callable[[EventChange], None]]
    on_review: list[Callable[[str], None]]

    def since(self, from_us: int) -> Sequence[Event]: ...


Read = Callable[..., Awaitable[Any]]


class Notifying:
    """See the module. states: of everything that is shown here; at a hub, of its posts' cameras. version: of the program."""

    def __init__(
        self, db: ServerDb, data: Path, settings: Callable[[], Settings], index: Index, recorder: RecorderLink,
        states: Callable[[], Awaitable[Snapshot]], read: Read, clock: Clock, version: str = "",
    ) -> None:  # fmt: skip
        self._settings = settings
        self._index = index
        self._recorder = recorder
        self._states = states
        self._read = read
        self._clock = clock
        self._version = version
        self._names = {one.id: one.name for one in settings().cameras.values()}
        self.name_of: Callable[[str], str] = lambda camera: self._names.get(camera, "")
        """What people call a camera; "" where that is not known. At a hub its own names are those of its posts."""
        self.desk = Desk(db, data / "push-key.pem", options_of(settings()), clock, self._says)
        self.desk.try_broker = self.try_broker
        self.bridge: Bridge | None = None
        self.detection: Callable[[], Sequence[DetectionState]] = tuple
        self.stills: Callable[[], Sequence[StillTrouble]] = tuple
        self.model: Callable[[], ModelState] = ModelState
        self.best_picture: Callable[[str], Awaitable[bytes | None]] | None = None
        self._mqtt: MqttOptions | None = None
        self._bridging: asyncio.Task[None] | None = None
        self._alarms = 0
        self._tasks = Tasks("notifying")
        self._telling = Telling()
        self._counted_us = 0

    def _says(self, alarm: Alarm) -> Words:
        return said_of(alarm, self.name_of(alarm.camera) or alarm.camera)

    # ---- life -------------------------------------------------------------------------------------------------------

    async def start(self, events: Events | None) -> None:
        """From now on people are told. events: None where nothing is seen."""
        await self.desk.start()
        if events is not None:
            await self._missed(events)
            events.on_change.append(self.on_change)
            events.on_review.append(lambda event: self.desk.settled(f"event/{event}"))
        self._begin_bridge()
        self._tasks.start("look", self._look())

    async def _missed(self, events: Events) -> None:
        """What was stored, and maybe not taken, when this server was ended. Known ones change nothing: they go on."""
        turned_us = await self.desk.turned_us()
        if not turned_us:
            return
        for event in reversed(await self._read(events.since, turned_us - 1_000_000)):
            phase = EventPhase.NEW if event.to_us is None else EventPhase.END
            for step in dict.fromkeys([EventPhase.NEW, phase]):
                self.desk.take(of_event(EventChange(step, event), self.name_of(event.camera)))

    def _begin_bridge(self) -> None:
        self._mqtt = mqtt_of(self._settings())
        if self._mqtt is not None:
            self.bridge = Bridge(self._mqtt, self, self._clock)
            self._bridging = self._tasks.start("mqtt", self.bridge.run())

    async def reload(self) -> None:
        """The settings may be others now."""
        self._names = {one.id: one.name for one in self._settings().cameras.values()}
        await self.desk.reload(options_of(self._settings()))
        self._counted_us = 0  # what the pages say of channels is of the new ones at once
        if mqtt_of(self._settings()) != self._mqtt:
            await self._end_bridge()
            self._begin_bridge()

    async def _end_bridge(self) -> None:
        if self._bridging is not None:
            await ended([self._bridging])
        self.bridge = self._bridging = None

    async def try_broker(self) -> Trial | None:
        """The broker of the settings, by a connection of its own; None where they name none."""
        given = mqtt_of(self._settings())
        return None if given is None else await try_broker(given, self._settings().post.id, self._clock)

    async def aclose(self) -> None:
        """What was taken is kept."""
        await self._tasks.aclose()
        await self.desk.aclose()

    # ---- what happens -----------------------------------------------------------------------------------------------

    def on_change(self, change: EventChange) -> None:
        """One step of one event, durable by now."""
        self.desk.take(of_event(change, self.name_of(change.event.camera)))
        if self.bridge is not None:
            self.bridge.take(change)

    async def _look(self) -> None:
        while True:
            try:
                await self.look_once()
            except (LongwatchError, OSError) as error:
                _log.warning("alarms cannot be read just now", reason=str(error))
            await self._clock.sleep(LOOK_S)

    async def look_once(self) -> None:
        """Alarms, and what is wrong beside them."""
        listed = await self._read(lambda: self._index.alarms(limit=MOST_ALARMS))
        self._alarms = sum(1 for alarm in listed if alarm.stands)
        self.desk.look_at_alarms(listed, whole=len(listed) < MOST_ALARMS)
        snapshot = await self._states()
        self.desk.look_at_conditions(
            [
                Wrong(
                    f"{issue.rule}/{issue.subject}", (OF_ISSUES[issue.rule],), says(issue, snapshot, self.name_of(issue.camera or "")),
                    issue.camera or "", issue.blocks or issue.rule == "mains",
                )
                for issue in examine(snapshot)
                if issue.rule in OF_ISSUES
            ]
        )  # fmt: skip

    # ---- for health -------------------------------------------------------------------------------------------------

    async def added(self, snapshot: Snapshot) -> Snapshot:
        """With what the server knows itself."""
        return replace(
            snapshot,
            telling=await self.telling(),
            watching=tuple(self.detection()),
            model=self.model(),
            stills=tuple(self.stills()),
        )

    async def telling(self) -> Telling:
        """How the ways to people are; counted at most every five seconds."""
        now_us = self._clock.boottime_us()
        if self._counted_us and now_us - self._counted_us < 5_000_000:
            return self._telling
        self._counted_us = now_us
        counts, kinds = await self.desk.counts(), {one.name: one.kind for one in self.desk.options.channels}
        channels = []
        for name, pulse in self.desk.pulses().items():
            of = counts.get(name, ChannelCounts())
            channels.append(
                ChannelState(
                    name, kinds.get(name, ""), pulse.dead, pulse.failing, pulse.since_us, pulse.problem, of.waiting, of.oldest_us,
                    of.sent, of.failed, of.summarised,
                )
            )  # fmt: skip
        broker = None
        if self.bridge is not None:
            pulse_ = self.bridge.pulse
            broker = BrokerState(pulse_.connected, pulse_.problem, pulse_.since_us, pulse_.published, pulse_.dropped)
        browsers = await self.desk.browser_count()
        self._telling = Telling(tuple(channels), broker, self.desk.held_back(), self.desk.messages, browsers)
        return self._telling

    # ---- for the broker ---------------------------------------------------------------------------------------------

    async def facts(self) -> PostFacts:
        """How everything is now (`notify.mqtt.Surroundings`)."""
        settings, snapshot = self._settings(), await self._states()
        issues = examine(snapshot)
        own = settings.cameras
        names = {stream.key.camera for stream in snapshot.streams if stream.key.stream == "main"}
        return PostFacts(
            settings.post.id,
            settings.post.name,
            self._version,
            self.desk.options.address,
            is_ready(issues),
            sum(1 for issue in issues if issue.blocks),
            self._alarms,
            {"on": True, "off": False}.get(snapshot.around.mains or ""),
            tuple(self._camera(camera, snapshot) for camera in sorted(names | set(own))),
        )

    def _camera(self, camera: str, snapshot: Snapshot) -> CameraFacts:
        given = self._settings().cameras.get(camera)
        stream = next((s for s in snapshot.streams if s.key.camera == camera and s.key.stream == "main"), None)
        name, kind = (camera, "visible") if given is None else (given.name, given.kind)
        if stream is None:
            return CameraFacts(camera, name, kind, state="unknown", may_pause=given is not None)
        behind = None if stream.acked_wall_us is None else max(0, snapshot.wall_us - stream.acked_wall_us) // 1_000_000
        return CameraFacts(
            camera, name, kind, stream.recording, bool(stream.tracks) or stream.recording, stream.pause is None,
            "recording" if stream.recording else stream.cause or stream.activity or "unknown",
            None if stream.recording or behind is None else float(behind), given is not None,
        )  # fmt: skip

    async def record(self, camera: str, *, on: bool) -> None:
        """By the switch at the broker: an entry in the ledger, and then so."""
        person = Who(AT_A_BROKER, user="somebody at the MQTT broker").person("by MQTT")
        if on:
            await self._recorder.request("resume", camera=camera, reason="by MQTT", person=person)
        else:
            await self._recorder.request(
                "pause", camera=camera, privacy=False, for_s=None, reason="by MQTT", person=person
            )
        _log.info("recording was switched by MQTT", camera=camera, on=on)

    async def picture(self, event: str) -> bytes | None:
        """The best of an event; made a while after it."""
        if self.best_picture is None:
            return None
        for _ in range(8):
            found = await self.best_picture(event)
            if found is not None:
                return found
            await self._clock.sleep(1.0)
        return None


async def best_picture(desk: EventDesk, read: Read, may_leave: Callable[[str], bool], event: str) -> bytes | None:
    """Of an event that is known; None while it is not here, and of a camera whose pictures may not leave."""
    stored = await read(desk.store.one, event)
    return None if stored is None or not may_leave(stored.event.camera) else await desk.pictures.of(stored)
