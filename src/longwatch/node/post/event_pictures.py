"""A post's pictures of events on their way to the hub: each as one object of the class PICTURE, as small as the settings say; and whole, where somebody at the hub asks for one.

What is to go stands in the table of events (`EventStore.to_send`), the newest first, a hundred at most in the uplink's hands. The bytes lie in `derived/uplink` until the hub has them. If queue or
folder is lost, the same pictures are made again, and the hub says what it has. A picture is footage: once that is gone here nothing is sent of it.
Owner of those files: the server's loop.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import structlog

from longwatch.accounts import Look, Who
from longwatch.accounts.who import AT_A_HUB
from longwatch.base.clock import Clock
from longwatch.events import EventStore, Stored
from longwatch.model.uplink import Class, ObjectInfo
from longwatch.node.post.outgoing import Decoder, Outgoing
from longwatch.replication.queue import Change
from longwatch.replication.stretches import StretchRows
from longwatch.server_db import ServerDb
from longwatch.wire.uplink import Body, Message

FIRST_US = 86_400_000_000
"""A post that joins sends the pictures of the last day; an older one where somebody asks."""
MOST_WAITING = 100
MOST_ASKED = 2_000
"""Within an hour: each is an entry of this post's ledger."""
ANSWERED = "event_picture"
_AT_ONCE = 8
_HOUR_US = 3_600_000_000
_OVER = frozenset({"confirmed", "refused", "gone", "dropped"})
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PictureRules:
    """width: in pixels; 0 as they are. least: from which level of events on (`model.event_levels`); None: none goes by itself. hub: "" for none."""

    width: int = 480
    least: int | None = 0
    withheld: frozenset[str] = frozenset()
    hub: str = ""


class Link(Protocol):
    """`node.post.uplink.Uplink`, as far as it is asked here."""

    def room(self, cls: Class) -> int: ...
    def queue_add(self, info: ObjectInfo, cls: Class, order: int, request: int = ...) -> bool: ...
    def say(self, message: Message | Body, cls: Class = ...) -> bool: ...
    def on(self, kind: str, handler: Callable[[Message | Body], Awaitable[None]]) -> None: ...


class Made(Protocol):
    """`events.Pictures`."""

    async def of(self, stored: Stored) -> bytes | None: ...


class Journal(Protocol):
    """`accounts.Journal`."""

    async def looked(self, who: Who, camera: str, look: Look, *, goes_on: bool = False, part: bool = False) -> None: ...


class EventPictures:
    """Implements model.uplink.ObjectSource for `picture`."""

    def __init__(
        self, db: ServerDb, store: EventStore, made: Made, decoder: Decoder, link: Link, folder: Path, post: str,
        rules: Callable[[], PictureRules], journal: Journal, clock: Clock, read: Callable[..., Awaitable[Any]],
    ) -> None:  # fmt: skip
        self._db = db
        self._rows = StretchRows(db.engine)
        self._store = store
        self._made = made
        self._link = link
        self._outgoing = Outgoing(folder, "picture", decoder)
        self._post = post
        self._rules = rules
        self._journal = journal
        self._clock = clock
        self._read = read
        self._waiting: dict[
            tuple[str, int], tuple[Class, bytes]
        ] = {}  # by camera and moment: the last that was handed over
        self._over: deque[Change] = deque()
        self._asked, self._asked_since_us = 0, clock.boottime_us()
        link.on(ANSWERED, self._wanted)

    def read(self, info: ObjectInfo, offset: int, size: int) -> bytes:
        """See ObjectSource."""
        return self._outgoing.read(info, offset, size)

    def changed(self, change: Change) -> None:
        """What became of an object. On the loop."""
        if change.item.info.kind == "picture" and change.what in _OVER:
            self._over.append(change)

    # -- by itself

    async def work(self) -> int:
        """Hand over what is to go. How many."""
        await self._settle()
        rules, count = self._rules(), 0
        if not rules.hub or rules.least is None:
            return 0
        since_us = await self._since(rules.hub)
        if len(self._waiting) >= MOST_WAITING:
            return 0
        for stored in await self._read(self._store.to_send, since_us, MOST_WAITING + _AT_ONCE):
            event, at_us = stored.event, stored.pictured_us
            if at_us is None or (event.camera, at_us) in self._waiting:
                continue
            if event.camera in rules.withheld or stored.level < rules.least:
                await self._db.call(self._store.sent, event.camera, at_us)
                continue
            if count >= _AT_ONCE or self._link.room(Class.PICTURE) < 1:
                break
            count += await self._hand_over(stored, at_us, rules.width, Class.PICTURE)
        return count

    async def _settle(self) -> None:
        """What the hub has, or is not to have, is not sent again; what was lost here on the way is."""
        while self._over:
            change = self._over.popleft()
            info = change.item.info
            if self._waiting.get((info.camera, info.at_us), (None, b""))[1] == info.sha256:
                del self._waiting[info.camera, info.at_us]
            if change.what in {"confirmed", "refused"}:
                await self._db.call(self._store.sent, info.camera, info.at_us)
            self._outgoing.drop(info.sha256)

    async def _since(self, hub: str) -> int:
        """From when on they go: a day before this hub was joined."""
        number = int.from_bytes(hashlib.sha256(hub.encode()).digest()[:6], "big")
        since_us = await self._db.call(self._rows.feed, "events/since")
        if since_us is None or await self._db.call(self._rows.feed, "events/hub") != number:
            since_us = self._clock.wall_us() - FIRST_US
            await self._db.call(self._store.none_sent)
            await self._db.call(self._rows.set_feed, "events/since", since_us)
            await self._db.call(self._rows.set_feed, "events/hub", number)
        return since_us

    async def _hand_over(self, stored: Stored, at_us: int, width: int, cls: Class) -> bool:
        """False where it is gone, or finds no room."""
        event = stored.event
        jpeg = await self._made.of(stored)
        if jpeg is None:
            await self._db.call(self._store.sent, event.camera, at_us)
            return False
        data = await self._outgoing.small(jpeg, width)
        sha256 = hashlib.sha256(data).digest()
        await self._read(self._outgoing.write, sha256, data)
        info = ObjectInfo(sha256, len(data), "picture", self._post, event.camera, "main", at_us=at_us)
        if not self._link.queue_add(info, cls, -event.from_us // 1_000_000):
            return False
        self._waiting[event.camera, at_us] = cls, sha256
        return True

    # -- asked for

    async def _wanted(self, message: Message | Body) -> None:
        """Somebody at the hub wants one that is not there: entered here, and sent before other footage. Said again at each connection until it has come."""
        said = message.body if isinstance(message, Message) else {}
        event = said.get("event")
        if not isinstance(event, str) or said.get("post") != self._post:
            return
        stored: Stored | None = await self._read(self._store.one, event)
        why = self._refused(stored)
        if not why and stored is not None and stored.pictured_us is not None:
            if self._waiting.get((stored.event.camera, stored.pictured_us), (None, b""))[0] is Class.ASKED:
                return  # the small one may be on its way too: this is the whole
            await self._enter(said, stored, stored.pictured_us)
            if not await self._hand_over(stored, stored.pictured_us, 0, Class.ASKED):
                why = "its footage is gone"
        if why:
            self._link.say(Message(ANSWERED, {"event": event, "post": self._post, "why": why}), Class.LEDGER)

    def _refused(self, stored: Stored | None) -> str:
        if stored is None or stored.pictured_us is None:
            return "this post has no picture of it"
        if stored.event.camera in self._rules().withheld:
            return "this post's settings keep this camera's pictures here"
        now_us = self._clock.boottime_us()
        if now_us - self._asked_since_us >= _HOUR_US:
            self._asked, self._asked_since_us = 0, now_us
        self._asked += 1
        return f"more than {MOST_ASKED} pictures were asked for within an hour" if self._asked > MOST_ASKED else ""

    async def _enter(self, said: Mapping[str, Any], stored: Stored, at_us: int) -> None:
        by = said.get("by")
        who = Who(AT_A_HUB, user=f"{by if isinstance(by, str) and by else 'somebody'} at {self._rules().hub}"[:200])
        await self._journal.looked(who, stored.event.camera, Look("main", "still", at_us, at_us))
