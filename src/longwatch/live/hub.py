"""All feeds, and the subscriptions at the recorder that they need."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks
from longwatch.live.feed import Feed
from longwatch.live.viewer import MOST_WAITING_BYTES, Viewer
from longwatch.model.sessions import StreamKey
from longwatch.wire.frames import Frame
from longwatch.wire.media import decode_format, decode_sample

_RETRY_S = 1.0
_log = structlog.get_logger(__name__)


class RecorderLink(Protocol):
    """The socket to the recorder, as `node` hands it in."""

    async def request(self, kind: str, /, *, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]:
        """Raises LongwatchError where the recorder is not there, or says no."""
        ...

    def on_push(self, callback: Callable[[Frame], None]) -> None:
        """Call back, on the loop, for each frame that is no answer."""
        ...

    def on_connect(self, callback: Callable[[], None]) -> None:
        """Call back, on the loop, each time the connection stands (again)."""
        ...


@dataclass(frozen=True, slots=True)
class WatchedStream:
    """viewers: now. dropped: chunks that slow viewers lost since the server started."""

    key: StreamKey
    viewers: int
    dropped: int


class Hub:
    """Subscribes at the recorder to what is watched, and to nothing else; again after the recorder was restarted."""

    def __init__(self, link: RecorderLink, clock: Clock, *, most_waiting_bytes: int = MOST_WAITING_BYTES) -> None:
        self._link = link
        self._clock = clock
        self._most_waiting_bytes = most_waiting_bytes
        self._feeds: dict[StreamKey, Feed] = {}
        self._dropped: Counter[StreamKey] = Counter()
        self._tasks = Tasks("live")
        self._turn = asyncio.Lock()
        self._closed = False
        self._retrying = False
        link.on_push(self._pushed)
        link.on_connect(self._connected)

    async def aclose(self) -> None:
        """Every viewer gets its end."""
        self._closed = True
        for feed in self._feeds.values():
            for viewer in feed.viewers:
                viewer.close()
        await self._tasks.aclose()

    def watched(self) -> list[WatchedStream]:
        """Who watches what, for the metrics."""
        keys = sorted({*self._feeds, *self._dropped})
        return [
            WatchedStream(
                key,
                len(self._feeds[key].viewers) if key in self._feeds else 0,
                self._dropped[key] + sum(v.dropped for v in (self._feeds[key].viewers if key in self._feeds else ())),
            )
            for key in keys
        ]

    @contextlib.contextmanager
    def watch(self, key: StreamKey) -> Iterator[Viewer]:
        """A viewer of a stream for as long as the block lasts."""
        feed = self._feeds.setdefault(key, Feed())
        viewer = Viewer("/".join(key), self._to_wall_us, self._most_waiting_bytes)
        feed.add(viewer)
        self._settle()
        try:
            yield viewer
        finally:
            feed.viewers.discard(viewer)
            self._dropped[key] += viewer.dropped
            self._settle()

    def _to_wall_us(self, boot_us: int) -> int:
        return boot_us - self._clock.boottime_us() + self._clock.wall_us()

    def _pushed(self, frame: Frame) -> None:
        if frame.type == "live_sample":
            key, generation, sample = decode_sample(frame)
            feed = self._feeds.get(StreamKey(*key))
            if feed is not None:
                feed.sample(generation, sample)
        elif frame.type == "live_format":
            key, generation, tracks = decode_format(frame)
            feed = self._feeds.get(StreamKey(*key))
            if feed is not None:
                feed.format(generation, tracks)

    def _connected(self) -> None:
        for feed in self._feeds.values():
            feed.restarted()
        self._settle()

    def _settle(self) -> None:
        if not self._closed:
            self._tasks.start("subscriptions", self._subscriptions())

    async def _subscriptions(self) -> None:
        """Make what is subscribed equal to what is watched. What fails now is tried again, and when the recorder is back."""
        async with self._turn:
            refused = False
            for key, feed in list(self._feeds.items()):
                try:
                    await self._settle_one(key, feed)
                except (LongwatchError, OSError):
                    refused = True
        if refused and not self._retrying:
            self._retrying = True
            self._tasks.start("retry", self._retry())

    async def _retry(self) -> None:
        """A recorder may learn of a stream only with its next settings. No sample waits for this."""
        await self._clock.sleep(_RETRY_S)
        self._retrying = False
        self._settle()

    async def _settle_one(self, key: StreamKey, feed: Feed) -> None:
        if feed.viewers and not feed.subscribed:
            feed.subscribed = True  # before the answer: what is pushed may overtake it
            try:
                await self._link.request("subscribe", stream=list(key))
            except (LongwatchError, OSError) as error:
                feed.subscribed = False
                _log.debug(
                    "live subscription waits for the recorder", camera=key.camera, stream=key.stream, why=str(error)
                )
                raise
        elif not feed.viewers:
            del self._feeds[key]
            if feed.subscribed:
                await self._link.request("unsubscribe", stream=list(key))
