"""What is seen, in the server: sightings come from whoever watches, become events, are stored, shown, told, and raise the alarm `camera_blind`.

The watcher calls `sightings`, `looked` (up to when a camera was looked at) and `lost` (it is not looked at any more). Everything runs on the server's loop, one change after
another; a change is durable before anybody is told. Subscribers are called in order and must not block; one that fails costs nobody else anything.
A program that starts anew goes on with the events that were open. Where nobody looked at a camera for LOST_US, what was open there ended when it was last seen.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks
from longwatch.events import Asked, EventStore, Level, Maker, Pictures, Stored, level_of
from longwatch.events import Options as MakingOptions
from longwatch.model.events import Event, EventChange, Phase, Sighting, group_of
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import SegmentSource
from longwatch.playback import Stills
from longwatch.server_db import ServerDb

LOST_US = 60_000_000
TELL_EVERY_S = 5.0
DROP_EVERY_US = 600_000_000
TWIN_US = 5_000_000
"""So far apart two cameras of a pair may see the same."""
MOST_WAITING = 20_000
_MOST_BETWEEN = 2_000
_SHOWN_WITHIN_US = 2_000_000
_log = structlog.get_logger(__name__)


class Recorder(Protocol):
    """Whoever raises alarms."""

    async def request(self, kind: str, /, *, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]: ...


class Archive(SegmentSource, Protocol):
    """Footage, as pictures of events ask for it."""

    def accounted_until_us(self) -> int: ...
    def stats(self, key: StreamKey) -> Any: ...
    def gone(self, key: StreamKey, from_us: int, to_us: int) -> list[tuple[int, int]]: ...


@dataclass(frozen=True, slots=True)
class Options:
    """keep_us: how long an event is known. cameras: those of the settings. twins: pairs that look at the same, both ways."""

    keep_us: int
    cameras: frozenset[str] = frozenset()
    twins: tuple[tuple[str, str], ...] = ()

    def twin_of(self, camera: str) -> str:
        """The other of its pair; "" for none."""
        return next((b for pair in self.twins for a, b in (pair, pair[::-1]) if a == camera), "")


class Watching:
    """See the module. options: asked each time, so that settings count at once. read: runs what blocks, off the loop."""

    def __init__(
        self, data: Path, db: ServerDb, archive: Archive, stills: Stills, recorder: Recorder, clock: Clock, options: Callable[[], Options],
        read: Callable[..., Awaitable[Any]], making: MakingOptions | None = None,
    ) -> None:  # fmt: skip
        self.store = EventStore(db)
        self.on_change: list[Callable[[EventChange], None]] = []
        self.on_review: list[Callable[[str], None]] = []
        self.dropped = 0
        self._db = db
        self._recorder = recorder
        self._clock = clock
        self._options = options
        self._making = making
        self._read = read
        self._makers: dict[str, Maker] = {}
        self._looked: dict[str, tuple[int, int]] = {}  # by camera: up to which picture, and when that was said
        self._waiting: deque[tuple[str, Callable[[Maker], list[EventChange]]]] = deque()
        self._wake, self._turn, self._tell = asyncio.Event(), asyncio.Lock(), asyncio.Event()
        self._opened: list[Event] | None = None
        self._unsure: dict[str, int] = {}
        self._told_away = False
        self._drop_us: int | None = None

        async def shown(key: StreamKey, at_us: int, width: int) -> bytes:
            still = await stills.exact(archive, key, at_us, width=width)
            if at_us - still.wall_us > _SHOWN_WITHIN_US:  # paused, or a gap: what was before it does not show the event
                raise LongwatchError("nothing was recorded at that moment", why=key.camera)
            return still.jpeg

        self.pictures = Pictures(data / "derived" / "events", self.store, db, archive, shown, clock, read)

    def start(self, tasks: Tasks) -> None:
        """Everything that goes on beside."""
        tasks.start("events", self._run())
        tasks.start("events-kept", self._keep())
        tasks.start("events-pictures", self.pictures.run())
        tasks.start("events-blind", self._tell_recorder())

    # -- from whoever watches

    async def sightings(self, seen: Iterable[Sighting]) -> None:
        """What looks found, in their order. Returns once it is durable."""
        for each in seen:
            self._put(each.camera, lambda maker, each=each: maker.sighting(each))  # type: ignore[misc]  # bound now
        await self.settle()

    async def looked(self, camera: str, until_us: int) -> None:
        """That camera was looked at up to the picture of this moment: what is out of sight for long is over."""
        self._looked[camera] = until_us, self._clock.boottime_us()
        maker = self._makers.get(camera)
        if maker is None or maker.busy:
            self._put(camera, lambda maker: maker.idle(until_us))
            await self.settle()

    def lost(self, camera: str) -> None:
        """Nobody looks at it any more."""
        self._looked.pop(camera, None)
        self._put(camera, lambda maker: maker.lost("it was not looked at any longer"))

    async def reviewed(self, event: str, *, done: bool, subject: int, by: str) -> Stored | None:
        """Somebody looked at an event, or takes that back. None where there is none."""
        at_us = self._clock.wall_us() if done else None
        if not await self._db.call(self.store.review, event, at_us, subject, by):
            return None
        if done:
            for told in self.on_review:
                told(event)
        found: Stored | None = await self._read(self.store.one, event)
        return found

    async def ask(self, event: str, by: str = "") -> Stored | None:  # noqa: ARG002 - the word of the interface: nothing is elsewhere
        """Pictures of a post's own events lie here, and are asked of nobody."""
        found: Stored | None = await self._read(self.store.one, event)
        return found

    async def forget(self, subject: int) -> None:
        """The name of a person goes from what they reviewed."""
        await self._db.call(self.store.forget, subject)

    def since(self, from_us: int) -> Sequence[Event]:
        """The newest 1,000 events that began then or later. Blocks."""
        return self.store.since(from_us)

    async def between(self, camera: str, from_us: int, to_us: int) -> Sequence[Event]:
        """Every event of a camera that reaches into the stretch, those that go on too: what its footage is kept for. Raises LongwatchError where
        that cannot be said.
        """
        await self.settle()
        asked = Asked(from_us, to_us, cameras=[camera])
        found: list[Stored] = await self._read(self.store.find, asked, _MOST_BETWEEN)
        if len(found) >= _MOST_BETWEEN:
            raise LongwatchError("too many events in one stretch to say which footage they need", why=camera)
        maker = self._makers.get(camera)
        open_events = maker.open if maker is not None else []
        return [*(stored.event for stored in found), *(event for event in open_events if event.from_us < to_us)]

    def unsure_until_us(self, camera: str) -> int:
        """What was seen before this moment may not all be known: something was dropped, or could not be stored. 0: all is."""
        return self._unsure.get(camera, 0)

    # -- one after another

    def _put(self, camera: str, what: Callable[[Maker], list[EventChange]]) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self.dropped += 1
            self._unsure[camera] = self._clock.wall_us()
            return
        self._waiting.append((camera, what))
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.settle()
            except Exception as error:  # noqa: BLE001 - boundary: what cannot be stored now is stored with the next
                _log.error("events are not stored", reason=str(error) or repr(error))
                await self._clock.sleep(1.0)
                self._wake.set()

    async def settle(self) -> None:
        """Everything that waits becomes changes, is stored in one transaction, and told."""
        async with self._turn:
            await self._open()
            changes: list[EventChange] = []
            while self._waiting:
                camera, what = self._waiting.popleft()
                changes += what(self._maker(camera))
            if not changes:
                return
            changes = await self._paired(changes)
            try:
                await self._db.call(self.store.keep, changes)
            except BaseException:
                now_us = self._clock.wall_us()
                self._unsure.update((change.event.camera, now_us) for change in changes)
                raise
        self.pictures.changed()
        for change in changes:
            self._say(change)
        if any(group_of(change.event.kind) == "tamper" for change in changes):
            self._tell.set()

    async def _open(self) -> None:
        """Events that were going on when the program ended."""
        if self._opened is None:
            self._opened = list(await self._read(self.store.open))
            now_us = self._clock.boottime_us()
            for camera in {event.camera for event in self._opened}:
                self._makers[camera] = Maker(camera, self._making, [e for e in self._opened if e.camera == camera])
                self._looked.setdefault(camera, (0, now_us))  # it has LOST_US to be looked at again

    def _maker(self, camera: str) -> Maker:
        maker = self._makers.get(camera)
        if maker is None:
            maker = self._makers[camera] = Maker(camera, self._making)
        return maker

    def _say(self, change: EventChange) -> None:
        for told in self.on_change:
            try:
                told(change)
            except Exception as error:  # noqa: BLE001 - boundary: who listens badly costs nobody else anything
                _log.error("an event could not be told", reason=str(error) or repr(error))

    async def _paired(self, changes: list[EventChange]) -> list[EventChange]:
        """A thermal camera and its visible twin see the same: both events name each other."""
        options = self._options()
        if not options.twins:
            return changes
        paired = []
        for change in changes:
            event = change.event
            other = options.twin_of(event.camera)
            if change.phase is Phase.NEW and other and level_of(event.kind) is not Level.ALERT:
                found = self._twin(event, other)
                if found is not None:
                    self._maker(event.camera).pair(event.id, found.id)
                    back = self._maker(other).pair(found.id, event.id)
                    change = replace(change, event=replace(event, twin=found.id))  # noqa: PLW2901  the same change, with what was found
                    paired += [EventChange(Phase.UPDATE, back)] if back is not None else []
            paired.append(change)
        return paired

    def _twin(self, event: Event, other: str) -> Event | None:
        going_on = [
            each for each in self._maker(other).open if not each.twin and level_of(each.kind) is not Level.ALERT
        ]
        near = [
            each
            for each in going_on
            if abs(each.last_us - event.from_us) <= TWIN_US or abs(each.from_us - event.from_us) <= TWIN_US
        ]
        return near[-1] if near else None

    # -- what goes on beside

    async def _keep(self) -> None:
        """For ever: what nobody looks at is over, and what is older than it may be goes."""
        while True:
            try:
                await self.run_once()
            except Exception as error:  # noqa: BLE001 - boundary: the next round tries again
                _log.warning("events are not tidied", reason=str(error) or repr(error))
            await self._clock.sleep(TELL_EVERY_S)

    async def run_once(self) -> None:
        """One round of that. Raises what the database raises."""
        now_us = self._clock.boottime_us()
        async with self._turn:
            await self._open()
        for camera, (_, said_us) in list(self._looked.items()):
            if now_us - said_us > LOST_US:
                self.lost(camera)
        await self.settle()
        if self._drop_us is None or now_us - self._drop_us >= DROP_EVERY_US:
            self._drop_us = now_us
            doomed = await self._db.call(self.store.drop_before, self._clock.wall_us() - self._options().keep_us)
            await self._read(self.pictures.drop, doomed)

    async def _tell_recorder(self) -> None:
        """For ever: which views are hidden, the whole, at each change and every few seconds."""
        while True:
            try:
                await self._recorder.request("views_seen", **self.views())
                self._told_away = False
            except LongwatchError as error:
                if not self._told_away:
                    _log.warning("the recorder is not told which cameras are blind", reason=str(error))
                self._told_away = True
            try:
                async with asyncio.timeout(
                    TELL_EVERY_S
                ):  # `wait_for` may swallow a cancellation that comes with the event
                    await self._tell.wait()
            except TimeoutError:
                continue
            finally:
                self._tell.clear()

    def views(self) -> dict[str, Any]:
        """As the recorder is told: those that are blind, those that were looked at lately and are not, and the rest of the settings."""
        now_us = self._clock.boottime_us()
        blind = []
        for camera, maker in self._makers.items():
            hidden = [event for event in maker.open if group_of(event.kind) == "tamper"]
            if hidden and camera in self._options().cameras:
                first = min(hidden, key=lambda event: event.from_us)
                how = first.kind.partition(".")[2]
                blind.append({"camera": camera, "how": how, "since_us": first.from_us, "event": first.id})
        named = {item["camera"] for item in blind}
        lately = {
            camera for camera, (until_us, at_us) in self._looked.items() if until_us and now_us - at_us <= LOST_US
        }
        clear = sorted((lately & self._options().cameras) - named)
        unclear = sorted(self._options().cameras - named - set(clear))
        return {"blind": blind, "clear": clear, "unclear": unclear}
