"""Live views and fresh stills of a post's cameras, seen from a hub: one feed for all who watch, for as long as somebody does.

A hub asks (`live_open`), the post sends what its link carries (`live_part`, a message in parts), and either ends it (`live_close`, `live_end`). Nothing is
stored, and nothing is sent twice: what the link cannot carry is left out at the post. Somebody who joins lets the feed begin anew, so that each
viewer starts with a sync sample. docs/design/media-at-a-hub.md. Owner of the state: the hub's event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.queues import BoundedQueue
from longwatch.base.rfc3339 import format_us
from longwatch.base.tasks import Tasks
from longwatch.live.hub import WatchedStream
from longwatch.model.sessions import StreamKey
from longwatch.wire.uplink import Body, Message

LIMIT_S = 120
MOST_LIMIT_S = 3600
STILL_S = 30.0
TIME_IS_OVER, TOO_THIN, POST_AWAY = 4408, 4409, 4410
MOST_FEEDS = 64
_MARGIN_S = 3  # the hub ends it, and the post for itself a little later
_MOST_MESSAGE_BYTES = 8 << 20
_MOST_WAITING_BYTES = 8 << 20
_ENDS = {"limit": (TIME_IS_OVER, "the time is over"), "too_thin": (TOO_THIN, "the link does not carry this")}
_log = structlog.get_logger(__name__)


class Uplinks(Protocol):
    """`replication.serving.Uplinks`, as far as it is asked here."""

    def on(self, kind: str, handler: Any) -> None: ...
    def connected(self, post: str) -> bool: ...
    def say(self, post: str, message: Message | Body) -> bool: ...


class PostAwayError(LongwatchError):
    """The post is not in touch, or does not send this."""


class RemoteViewer:
    """One who watches. ended: the code and reason with which a WebSocket is to be closed, once it is over."""

    def __init__(self, name: str, ends_us: int) -> None:
        self.dropped = 0
        self.ended: tuple[int, str] | None = None
        self.ends_us = ends_us
        self._queue: BoundedQueue[str | bytes] = BoundedQueue(f"remote/{name}", _MOST_WAITING_BYTES)
        self._fresh = True

    async def next(self) -> str | bytes | None:
        """The next message for the browser; None when it is over."""
        return await self._queue.get()

    def offer(self, message: str | bytes) -> bool:
        """False where it does not keep up: what waited is dropped, and it waits for a new beginning."""
        if self._fresh and not isinstance(message, str):
            return True
        self._fresh = False
        if self._queue.put(message, len(message)):
            return True
        self.dropped += self._queue.clear() + 1
        self._fresh = True
        return False

    def begin_anew(self) -> None:
        """The feed begins again: what comes next is a text."""
        self._fresh = True

    def end(self, code: int, reason: str) -> None:
        """It is over, and why."""
        if self.ended is None:
            self.ended = code, reason
        self._queue.close()

    def close(self) -> None:
        """No more comes."""
        self._queue.close()


class _Feed:
    """One stream of a post on its way here. number: what the post calls it; a new one with every beginning."""

    def __init__(self, key: StreamKey, transcode: bool) -> None:
        self.key = key
        self.transcode = transcode
        self.number = 0
        self.viewers: set[RemoteViewer] = set()
        self.parts: list[bytes] = []
        self.size = 0
        self.by = ""

    @property
    def post(self) -> str:
        return self.key.camera.partition(".")[0]


class RemoteLive:
    """What `live.Hub` is at a post: `watch` and `watched`. who asks is told to the post, for its ledger."""

    def __init__(self, uplinks: Uplinks, clock: Clock) -> None:
        self.pass_on: Callable[[str, Message | Body], None] = lambda _post, _message: None
        """What comes from a post and nobody here asked for: for the hub above."""
        self._uplinks = uplinks
        self._clock = clock
        self._numbers = itertools.count(clock.wall_us() // 1000 << 10)
        self._feeds: dict[tuple[StreamKey, bool], _Feed] = {}
        self._by_number: dict[int, _Feed] = {}
        self._stills: dict[int, tuple[str, asyncio.Future[tuple[bytes, int]], list[bytes]]] = {}
        self._asking: dict[tuple[StreamKey, int | None], asyncio.Task[tuple[bytes, int]]] = {}
        self._tasks = Tasks("remote-live")
        self._timers: dict[RemoteViewer, asyncio.TimerHandle] = {}
        uplinks.on("live_part", self._part)
        uplinks.on("live_end", self._over)
        uplinks.on("still", self._still)

    async def aclose(self) -> None:
        """Every viewer gets its end."""
        for feed in list(self._feeds.values()):
            for viewer in list(feed.viewers):
                viewer.close()
        await self._tasks.aclose()

    def broken(self, reached: Callable[[str], bool]) -> None:
        """Something of these posts did not come: what is half here of theirs never becomes whole."""
        for feed in list(self._feeds.values()):
            if reached(feed.post):
                self._begin(feed)
        for post, arrived, _ in list(self._stills.values()):
            if reached(post) and not arrived.done():
                arrived.set_exception(PostAwayError("a part of the picture did not come", remedy="ask again"))

    def watched(self) -> list[WatchedStream]:
        """Who watches what, for the metrics."""
        return [
            WatchedStream(feed.key, len(feed.viewers), sum(viewer.dropped for viewer in feed.viewers))
            for _, feed in sorted(self._feeds.items())
        ]

    # -- watching

    @contextlib.contextmanager
    def watch(
        self, key: StreamKey, *, audio: bool = True, transcode: bool = False, limit_s: int = LIMIT_S, by: str = ""
    ) -> Iterator[RemoteViewer]:  # fmt: skip
        """A viewer for as long as the block lasts, and at most `limit_s`. Sound stays at the post: the link is thin. Raises PostAwayError."""
        del audio
        limit_s = max(5, min(limit_s, MOST_LIMIT_S))
        feed = self._feeds.get((key, transcode)) or _Feed(key, transcode)
        if not self._uplinks.connected(feed.post):
            raise PostAwayError(
                f"{feed.post} is not in touch", remedy="ask for a stretch: it comes when the post is back"
            )
        if (key, transcode) not in self._feeds and len(self._feeds) >= MOST_FEEDS:
            raise PostAwayError("too many live views come over links now", why=f"{MOST_FEEDS}", remedy="close some")
        self._feeds[key, transcode] = feed
        feed.by = by or feed.by
        viewer = RemoteViewer("/".join(key), self._clock.wall_us() + limit_s * 1_000_000)
        feed.viewers.add(viewer)
        loop = asyncio.get_running_loop()
        self._timers[viewer] = loop.call_later(limit_s, viewer.end, *_ENDS["limit"])
        try:
            self._begin(feed)
            yield viewer
        finally:
            self._timers.pop(viewer).cancel()
            feed.viewers.discard(viewer)
            if not feed.viewers:
                self._close(feed)

    def _begin(self, feed: _Feed) -> None:
        """Ask for it, from a sync sample on; what came before is over."""
        self._by_number.pop(feed.number, None)
        if feed.number:
            self._uplinks.say(feed.post, Message("live_close", {"live": feed.number, "post": feed.post}))
        feed.number, feed.parts, feed.size = next(self._numbers), [], 0
        self._by_number[feed.number] = feed
        for viewer in feed.viewers:
            viewer.begin_anew()
        left_us = max(viewer.ends_us for viewer in feed.viewers) - self._clock.wall_us()
        said = {
            "live": feed.number, "post": feed.post, "camera": feed.key.camera.partition(".")[2], "stream": feed.key.stream,
            "transcode": feed.transcode, "limit_s": max(1, left_us // 1_000_000) + _MARGIN_S, "by": feed.by,
        }  # fmt: skip
        if not self._uplinks.say(feed.post, Message("live_open", said)):
            self._end_all(feed, POST_AWAY, f"{feed.post} is not in touch")

    def _close(self, feed: _Feed) -> None:
        self._by_number.pop(feed.number, None)
        self._feeds.pop((feed.key, feed.transcode), None)
        self._uplinks.say(feed.post, Message("live_close", {"live": feed.number, "post": feed.post}))

    def _end_all(self, feed: _Feed, code: int, reason: str) -> None:
        for viewer in feed.viewers:
            viewer.end(code, reason)

    # -- what comes

    async def _part(self, post: str, message: Message | Body) -> None:
        """A part of a message: `t` says what it is, `last` that it is whole now."""
        if not isinstance(message, Body):
            return
        feed = self._by_number.get(_number(message.header, "live"))
        if feed is None or feed.post != post:
            self.pass_on(post, message)
            return
        feed.parts.append(message.data)
        feed.size += len(message.data)
        if feed.size > _MOST_MESSAGE_BYTES:
            feed.parts, feed.size = [], 0
            return
        if message.header.get("last") is not True:
            return
        whole = b"".join(feed.parts)
        feed.parts, feed.size = [], 0
        text = message.header.get("t") == "text"
        behind = [viewer for viewer in feed.viewers if not viewer.offer(self._said(whole, viewer) if text else whole)]
        if behind:
            _log.info("somebody who watches a post does not keep up", camera=feed.key.camera)
            self._begin(feed)

    def _said(self, text: bytes, viewer: RemoteViewer) -> str:
        """The post's first text, and what the way here adds."""
        try:
            said = json.loads(text)
        except ValueError:
            return "{}"
        if isinstance(said, dict) and "mime" in said:
            via = said.get("via")
            quality = via.get("quality") if isinstance(via, dict) else None
            left_s = max(0, (viewer.ends_us - self._clock.wall_us()) // 1_000_000)
            said["via"] = {"quality": quality, "limit_s": left_s, "ends": format_us(viewer.ends_us)}
        return json.dumps(said)

    async def _over(self, post: str, message: Message | Body) -> None:
        """The post ends it: `why` is limit, too_thin, or words."""
        said = message.body if isinstance(message, Message) else {}
        feed = self._by_number.get(_number(said, "live"))
        if feed is None or feed.post != post:
            self.pass_on(post, message)
            return
        why = str(said.get("why", ""))[:100]
        self._end_all(feed, *_ENDS.get(why, (POST_AWAY, why or "the post ended it")))

    # -- stills

    async def still(self, key: StreamKey, width: int | None, by: str = "") -> tuple[bytes, int]:
        """A picture of now, and when it was taken. Whoever asks for the same meanwhile gets the same. Raises PostAwayError."""
        known = self._asking.get((key, width))
        if known is None:
            known = self._asking[key, width] = self._tasks.start(f"still {key.camera}", self._ask_still(key, width, by))
            known.add_done_callback(lambda _: self._asking.pop((key, width), None))
        return await asyncio.shield(known)

    async def _ask_still(self, key: StreamKey, width: int | None, by: str) -> tuple[bytes, int]:
        post, _, camera = key.camera.partition(".")
        number = next(self._numbers)
        arrived: asyncio.Future[tuple[bytes, int]] = asyncio.get_running_loop().create_future()
        self._stills[number] = post, arrived, []
        said = {"ask": number, "post": post, "camera": camera, "stream": key.stream, "width": width or 640, "by": by}
        try:
            if not self._uplinks.say(post, Message("still", said)):
                raise PostAwayError(f"{post} is not in touch", remedy="the newest picture that is here is still shown")
            async with asyncio.timeout(STILL_S):
                return await arrived
        except TimeoutError as error:
            raise PostAwayError(f"{post} sent no picture within {STILL_S:.0f} s", why="its link is slow") from error
        finally:
            del self._stills[number]

    async def _still(self, post: str, message: Message | Body) -> None:
        said = message.header if isinstance(message, Body) else message.body
        known = self._stills.get(_number(said, "ask"))
        if known is None or known[0] != post:
            self.pass_on(post, message)
            return
        if known[1].done():
            return
        if isinstance(message, Message):
            known[1].set_exception(PostAwayError("the post sends no picture", why=str(said.get("why", ""))[:300]))
            return
        known[2].append(message.data)
        if sum(map(len, known[2])) > _MOST_MESSAGE_BYTES:
            known[1].set_exception(PostAwayError("the post sends a picture that is too large"))
        elif said.get("last") is True:
            known[1].set_result((b"".join(known[2]), _number(said, "at_us")))


def _number(said: Any, name: str) -> int:
    value = said.get(name)
    return value if type(value) is int and 0 <= value < 1 << 53 else -1
