"""Live views and fresh stills that a hub asks of this post: sent in real time as the link carries them, never kept, never sent again.

What the link cannot carry waits in the viewer's own queue (`live.Viewer`), which drops what is late up to the next sync sample; a stream of which it
drops most is ended as too thin, and the hub shows stills. A view ends at the limit of the settings at the latest. Who looks is entered here as
everybody's viewing is, as somebody at the hub. Owner of the state: the server's loop.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Protocol

import structlog

from longwatch.accounts import Look, Who
from longwatch.accounts.who import AT_A_HUB
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks
from longwatch.live import Hub, Viewer
from longwatch.model.sessions import StreamKey
from longwatch.model.uplink import Class
from longwatch.pictures import SlotsFullError
from longwatch.playback import Stills
from longwatch.wire.uplink import Body, Message

PART_BYTES = 12 << 10
"""Small, so that an alarm or an entry never waits for more than this."""
MOST_VIEWS = 8
MOST_BEGUN = 2_000  # in an hour
MOST_STILLS = 16
_WAITING = 3  # parts in the uplink's hands; the rest waits where it may be dropped
_LOOK_S = 0.02
_THIN_AFTER_US = 10_000_000
_log = structlog.get_logger(__name__)


class Link(Protocol):
    """`node.post.uplink.Uplink`, as far as it is asked here."""

    def on(self, kind: str, handler: Any) -> None: ...
    def say(self, message: Message | Body, cls: Class = ...) -> bool: ...
    def saying(self, cls: Class = ...) -> int: ...


class Journal(Protocol):
    """`accounts.Journal`, as far as it is asked here."""

    async def live_begins(self, who: Who, camera: str, stream: str) -> int: ...
    async def live_ends(self, number: int) -> None: ...
    async def looked(self, who: Who, camera: str, look: Look, *, goes_on: bool = False, part: bool = False) -> None: ...


class Rules(Protocol):
    """What the settings say now."""

    @property
    def withheld(self) -> frozenset[str]: ...
    @property
    def hub(self) -> str: ...
    @property
    def live_limit_s(self) -> int: ...


class PostLive:
    """knows: whether there is such a stream. index: the archive, for stills."""

    def __init__(
        self, link: Link, live: Hub, stills: Stills, index: Any, journal: Journal, rules: Callable[[], Rules],
        knows: Callable[[StreamKey], Awaitable[bool]], clock: Clock,
    ) -> None:  # fmt: skip
        self._link = link
        self._live = live
        self._stills = stills
        self._index = index
        self._journal = journal
        self._rules = rules
        self._knows = knows
        self._clock = clock
        self._tasks = Tasks("post-live")
        self._views: dict[int, Viewer | None] = {}
        self._begun, self._begun_since_us = 0, clock.boottime_us()
        self._asked = 0
        link.on("live_open", self._open)
        link.on("live_close", self._close)
        link.on("still", self._still)

    async def aclose(self) -> None:
        """Every view ends."""
        await self._tasks.aclose()

    def _who(self, said: Mapping[str, Any]) -> Who:
        by = said.get("by")
        return Who(AT_A_HUB, user=f"{by if isinstance(by, str) and by else 'somebody'} at {self._rules().hub}"[:200])

    async def _refused(self, said: Mapping[str, Any]) -> tuple[StreamKey, str]:
        """The stream, and why it is not sent; "" where it is."""
        camera, stream = said.get("camera"), said.get("stream")
        if not isinstance(camera, str) or not isinstance(stream, str):
            return StreamKey("", ""), "no stream is named"
        key = StreamKey(camera, stream)
        if not await self._knows(key):
            return key, "this post has no such stream"
        if camera in self._rules().withheld:
            return key, "this post's settings keep this camera's pictures here"
        return key, ""

    # -- live

    async def _open(self, message: Message | Body) -> None:
        said = message.body if isinstance(message, Message) else {}
        number, limit_s = said.get("live"), said.get("limit_s")
        if type(number) is not int or type(limit_s) is not int:
            return
        key, why = await self._refused(said)
        if number in self._views:  # a number is for one view: else there would be more of them than are counted
            return
        if not why and len(self._views) >= MOST_VIEWS:
            why = f"{MOST_VIEWS} views go out of this post already"
        if not why and not self._is_within_hour():
            why = f"more than {MOST_BEGUN} views were asked for within an hour"
        if why:
            self._end(number, why)
            return
        limit_s = max(1, min(limit_s, self._rules().live_limit_s))
        self._views[number] = None
        self._tasks.start(
            f"view {number}", self._view(number, key, limit_s, self._who(said), said.get("transcode") is True)
        )

    def _is_within_hour(self) -> bool:
        """Each view is an entry of this post's ledger."""
        now_us = self._clock.boottime_us()
        if now_us - self._begun_since_us >= 3_600_000_000:
            self._begun_since_us, self._begun = now_us, 0
        self._begun += 1
        return self._begun <= MOST_BEGUN

    async def _close(self, message: Message | Body) -> None:
        number = message.body.get("live") if isinstance(message, Message) else None
        viewer = self._views.get(number) if type(number) is int else None
        if viewer is not None:
            viewer.close()
        if type(number) is int:
            self._views.pop(number, None)

    def _end(self, number: int, why: str) -> None:
        self._link.say(Message("live_end", {"live": number, "why": why}), Class.LEDGER)

    async def _view(self, number: int, key: StreamKey, limit_s: int, who: Who, transcode: bool) -> None:
        entered = await self._journal.live_begins(who, key.camera, key.stream)
        why = ""
        try:
            with self._live.watch(key, audio=False, transcode=transcode) as viewer:
                if number not in self._views:
                    return
                self._views[number] = viewer
                over = asyncio.Event()
                timer = asyncio.get_running_loop().call_later(limit_s, _end_viewer, viewer, over)
                try:
                    why = await self._send(number, viewer, "transcode" if transcode else key.stream)
                finally:
                    timer.cancel()
                why = "limit" if over.is_set() else why
        except SlotsFullError as full:
            why = str(full)
        finally:
            still_wanted = self._views.pop(number, 0) != 0
            if still_wanted:
                self._end(number, why)
            await asyncio.shield(self._tasks.start("entered", self._journal.live_ends(entered)))

    async def _send(self, number: int, viewer: Viewer, quality: str) -> str:
        """Until it ends; why, where the link is at fault."""
        init = False
        begun_us, sent = self._clock.boottime_us(), 0
        while True:
            while self._link.saying(Class.ASKED) > _WAITING:
                await self._clock.sleep(_LOOK_S)
            if viewer.dropped > max(20, sent) and self._clock.boottime_us() - begun_us > _THIN_AFTER_US:
                return "too_thin"
            message = await viewer.next()
            if message is None:
                return ""
            if isinstance(message, str):
                kind, data = "text", _with_quality(message, quality)
                init = '"mime"' in message
            else:
                kind, data = ("init" if init else "chunk"), message
                init = False
                sent += 1
            for part, last in _parts(data):
                header = {"live": number, "t": kind, "last": last}
                while not self._link.say(Body("live_part", header, part), Class.ASKED):
                    if number not in self._views or not self._link.saying(Class.ASKED):
                        return "the link was cut"
                    await self._clock.sleep(_LOOK_S)

    # -- stills

    async def _still(self, message: Message | Body) -> None:
        said = message.body if isinstance(message, Message) else {}
        number = said.get("ask")
        if type(number) is not int:
            return
        key, why = await self._refused(said)
        if not why and self._asked >= MOST_STILLS:
            why = "too many pictures are asked for at once"
        if why:
            self._link.say(Message("still", {"ask": number, "why": why}), Class.LEDGER)
            return
        width = said.get("width")
        self._asked += 1
        wide = width if type(width) is int and 16 <= width <= 3840 else 640
        self._tasks.start(f"still {number}", self._send_still(number, key, wide, self._who(said)))

    async def _send_still(self, number: int, key: StreamKey, width: int, who: Who) -> None:
        """The newest picture that is stored: at most a tick old while its camera records."""
        try:
            until_us = await asyncio.to_thread(self._index.accounted_until_us)
            found = await self._stills.still(self._index, key, until_us, width=width)
            await self._journal.looked(
                who, key.camera, Look(key.stream, "still", found.wall_us, found.wall_us), goes_on=True
            )
            for part, last in _parts(found.jpeg):
                self._link.say(Body("still", {"ask": number, "at_us": found.wall_us, "last": last}, part), Class.ASKED)
        except LongwatchError as error:
            self._link.say(Message("still", {"ask": number, "why": str(error)[:300]}), Class.LEDGER)
        finally:
            self._asked -= 1


def _end_viewer(viewer: Viewer, over: asyncio.Event) -> None:
    over.set()
    viewer.close()


def _parts(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """A message in parts, and whether it is the last."""
    for at in range(0, max(1, len(data)), PART_BYTES):
        yield data[at : at + PART_BYTES], at + PART_BYTES >= len(data)


def _with_quality(text: str, quality: str) -> bytes:
    said = json.loads(text)
    return json.dumps({**said, "via": {"quality": quality}}).encode()
