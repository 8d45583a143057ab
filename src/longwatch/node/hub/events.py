"""What posts saw, at their hub: for pages, for who is told, and for the hub above. docs/design/events.md.

Rows come by the links, at whichever process of the hub. This follows their numbers: of a post that told something at once, of those that another process took
within a second. A page that listens hears of every change; who is told by rules hears of none that is older than an hour when it comes: after days without a link
that would be a flood of what nobody can help any more. Pictures that somebody asks for are asked of their post at each connection, until they have come.
Owner of the state: the event loop; of the rows: `fleet`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks
from longwatch.events.outgoing import Lives
from longwatch.fleet import Fleet, FleetEvents, ObjectStore
from longwatch.fleet.events import GONE, Changed, WantedPicture
from longwatch.model.event_rows import Stored, ToldEvent
from longwatch.model.events import Event, EventChange, Phase
from longwatch.model.uplink import Position
from longwatch.server_db import ServerDb
from longwatch.wire.uplink import Body, Message

FRESH_US = 3_600_000_000
EVERY_S = 1.0
PICTURE = "event_picture"
_AT_ONCE = 500
_MOST_REVIEWED = 1_000
_MOST_ASKED = 500
_log = structlog.get_logger(__name__)


class Links(Protocol):
    """`node.hub.links.HubLinks`, as far as it is asked here."""

    def on(self, kind: str, handler: Any) -> None: ...
    def on_connect(self, told: Any) -> None: ...
    def say(self, post: str, message: Message | Body) -> bool: ...


class Fresh:
    """What those hear who are told by rules: nothing that is over for long. See `node.server.notifying.Events`."""

    def __init__(self, store: FleetEvents) -> None:
        self.on_change: list[Callable[[EventChange], None]] = []
        self.on_review: list[Callable[[str], None]] = []
        self._store = store

    def since(self, from_us: int) -> Sequence[Event]:
        """The newest that began then or later. Blocks."""
        return self._store.since(from_us)


class HubPictures:
    """Pictures of events that are here."""

    def __init__(self, store: FleetEvents, objects: ObjectStore, read: Callable[..., Awaitable[Any]]) -> None:
        self._store = store
        self._objects = objects
        self._read = read

    async def of(self, stored: Stored) -> bytes | None:
        """The JPEG; None where it is not here."""
        jpeg: bytes | None = await self._read(self._look, stored.event.id)
        return jpeg

    def _look(self, event: str) -> bytes | None:
        sha256 = self._store.picture(event)
        if sha256 is None:
            return None
        try:
            return self._objects.read_all(sha256)
        except LongwatchError as error:
            _log.warning("a picture of an event cannot be read", of=event, reason=str(error))
            return None


class HubEvents:
    """`web.deps.EventDesk`. alone: no other process of this hub takes anything. read: runs what blocks, off the loop."""

    def __init__(
        self, fleet: Fleet, objects: ObjectStore, links: Links, clock: Clock, read: Callable[..., Awaitable[Any]], *, alone: bool = True
    ) -> None:  # fmt: skip
        self.store = fleet.events
        self.pictures = HubPictures(fleet.events, objects, read)
        self.on_change: list[Callable[[EventChange], None]] = []
        self.on_gone: list[Callable[[str, str, str], None]] = []
        """Told of a picture that was asked for and that its post does not have: post, event there, and why."""
        self.fresh = Fresh(fleet.events)
        self._fleet = fleet
        self._links = links
        self._clock = clock
        self._read = read
        self._alone = alone
        self._known: dict[str, int] | None = None
        self._touched: set[str] = set()
        self._reviewed: OrderedDict[str, None] = OrderedDict()
        self._wake = asyncio.Event()
        links.on(PICTURE, self._answered)
        links.on_connect(self._connected)

    def start(self, tasks: Tasks) -> None:
        """For as long as these run."""
        tasks.start("hub-events", self._run())

    def taken(self, posts: Collection[str]) -> None:
        """Something of these came."""
        self._touched.update(posts)
        self._wake.set()

    # -- what changed

    async def _run(self) -> None:
        while True:
            try:
                await self.step()
            except Exception as error:  # noqa: BLE001 - boundary: what one post said must not keep all others from being told
                _log.warning("what posts saw cannot be followed now", reason=str(error) or repr(error))
            self._wake.clear()
            if self._touched and self._known is not None:
                continue
            try:
                async with asyncio.timeout(EVERY_S):  # `wait_for` may swallow a cancellation that comes with the event
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def step(self) -> None:
        """Say what changed since the last look."""
        touched, self._touched = self._touched, set()
        if self._known is None:
            self._known = await self._read(self.store.newest)
            return
        if self._alone and not touched:
            return
        newest: dict[str, int] = await self._read(self.store.newest)
        for post, rev in newest.items():
            while (after := self._known.get(post, 0)) < rev:
                found: list[Changed] = await self._read(self.store.changed, post, after, _AT_ONCE)
                self._known[post] = found[-1].rev if len(found) == _AT_ONCE else max(rev, found[-1].rev if found else 0)
                for change in found:
                    self._say(change)

    def _say(self, changed: Changed) -> None:
        event = changed.stored.event
        if event.id in self._reviewed:  # by whoever looks here: that was said
            del self._reviewed[event.id]
            return
        is_over = event.to_us is not None
        phases = [Phase.NEW] if changed.is_new else []
        phases += [Phase.END] if is_over else [] if changed.is_new else [Phase.UPDATE]
        heard = [self.on_change]
        if self._clock.wall_us() - max(event.last_us, event.from_us) < FRESH_US:
            heard.append(self.fresh.on_change)
        for told in (each for listeners in heard for each in listeners):
            for phase in phases:
                _tell(told, EventChange(phase, event))

    # -- what people do

    async def reviewed(self, event: str, *, done: bool, subject: int, by: str) -> Stored | None:
        """Somebody here looked at an event, or takes that back: the hub's own; the post is not told. None where there is none."""
        self._reviewed[event] = None
        while len(self._reviewed) > _MOST_REVIEWED:
            self._reviewed.popitem(last=False)
        at_us = self._clock.wall_us() if done else None
        if not await self._fleet.db.call(self.store.review, event, at_us, subject, by):
            self._reviewed.pop(event, None)
            return None
        self.taken([event.partition(".")[0]])
        for told in self.fresh.on_review if done else ():
            told(event)
        found: Stored | None = await self._read(self.store.one, event)
        return found

    async def forget(self, subject: int) -> None:
        """The name of a person goes from what they reviewed."""
        await self._fleet.db.call(self.store.forget, subject)

    async def ask(self, event: str, by: str = "") -> Stored | None:
        """Its picture is wanted here. It is asked of the post now, and at each connection until it has come. None where there is no such event."""
        wanted: WantedPicture | None = await self._fleet.db.call(self.store.ask, event, self._clock.wall_us())
        if wanted is None:
            return None
        self._want(wanted, by)
        found: Stored | None = await self._read(self.store.one, event)
        return found

    def _want(self, wanted: WantedPicture, by: str) -> None:
        body: dict[str, object] = {
            "at_us": wanted.at_us,
            "by": by,
            "camera": wanted.camera,
            "event": wanted.event,
            "post": wanted.post,
        }
        self._links.say(wanted.post, Message(PICTURE, body))

    async def _connected(self, site: str) -> None:
        """What was asked for meanwhile."""
        rows = await self._read(self._fleet.posts)
        mine = [row.id for row in rows if row.id == site or (row.via and row.via[-1] == site)]
        for wanted in (await self._read(self.store.asked, mine))[:_MOST_ASKED]:
            self._want(wanted, "")

    async def _answered(self, post: str, message: Message | Body) -> None:
        """A post does not have it any more, or keeps it to itself."""
        said = message.body if isinstance(message, Message) else {}
        event, why = said.get("event"), said.get("why")
        if isinstance(event, str) and len(event) <= 40 and isinstance(why, str):
            await self._fleet.db.call(self.store.ask, f"{post}.{event}", GONE)
            self.taken([post])
            for told in self.on_gone:
                told(post, event, why[:300])


def _tell(told: Callable[[EventChange], None], change: EventChange) -> None:
    try:
        told(change)
    except Exception as error:  # noqa: BLE001 - boundary: who listens badly costs nobody else anything
        _log.error("an event could not be told", reason=str(error) or repr(error))


class FleetEventSource:
    """What a hub tells the hub above of its posts' events (`model.uplink.EventSource`). Calls block; for one thread. db: the hub's own."""

    def __init__(self, store: FleetEvents, db: ServerDb, clock: Clock) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._newest: Mapping[str, int] = {}
        self._read_us: int | None = None
        self._lives: dict[str, Lives] = {}

    def posts(self) -> Sequence[str]:
        """Those that told of any. Read anew every second."""
        now_us = self._clock.boottime_us()
        if self._read_us is None or now_us - self._read_us >= EVERY_S * 1_000_000:
            self._newest, self._read_us = self._store.newest(), now_us
        return [post for post, newest in self._newest.items() if newest]

    def end(self, post: str) -> Position:
        """See EventSource."""
        return self._of(post).at(self._newest.get(post, 0))

    def fits(self, post: str, position: Position) -> bool:
        """See EventSource."""
        return self._of(post).fits(position)

    def anew(self, post: str) -> None:
        """See EventSource."""
        self._of(post).anew()

    def after(self, post: str, position: Position, limit: int) -> tuple[Sequence[ToldEvent], Position]:
        """See EventSource."""
        newest = self._newest.get(post, 0)
        rows = self._store.told(post, position.rev, limit)
        last = rows[-1][0] if len(rows) == limit else max(newest, rows[-1][0] if rows else 0)
        return [row for _, row in rows], self._of(post).at(last)

    def _of(self, post: str) -> Lives:
        lives = self._lives.get(post)
        if lives is None:
            lives = self._lives[post] = Lives(self._db, lambda: self._newest.get(post, 0), post)
            lives.begin()
        return lives
