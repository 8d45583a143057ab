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
from longwatch.live.recoded import Recoded
from longwatch.live.viewer import MOST_WAITING_BYTES, Viewer
from longwatch.model.sessions import StreamKey
from longwatch.pictures import Slot, Slots
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

    def __init__(
        self,
        link: RecorderLink,
        clock: Clock,
        *,
        most_waiting_bytes: int = MOST_WAITING_BYTES,
        slots: Slots | None = None,
    ) -> None:
        """slots: how many transcodes there may be, with those of recordings; None: none is asked for."""
        self._link = link
        self._clock = clock
        self._most_waiting_bytes = most_waiting_bytes
        self._feeds: dict[StreamKey, Feed] = {}
        self._dropped: Counter[StreamKey] = Counter()
        self._tasks = Tasks("live")
        self._turn = asyncio.Lock()
        self._closed = False
        self._retrying = False
        self._slots = slots
        self._recoded: dict[StreamKey, Recoded] = {}
        self._slot_of: dict[StreamKey, Slot] = {}
        link.on_push(self._pushed)
        link.on_connect(self._connected)

    async def aclose(self) -> None:
        """Every viewer gets its end."""
        self._closed = True
        for feed in self._feeds.values():
            for viewer in feed.viewers:
                viewer.close()
        for key, recoded in list(self._recoded.items()):
            for viewer in recoded.feed.viewers:
                viewer.close()
            self._forget_recoded(key, recoded)
            await recoded.aclose()
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
    def watch(self, key: StreamKey, *, audio: bool = True, transcode: bool = False) -> Iterator[Viewer]:
        """A viewer of a stream for as long as the block lasts. audio: with its sound. transcode: as H.264, which a child makes.

        Raises SlotsFullError where no more may be made.
        """
        feed = self._recoded_feed(key) if transcode else self._feeds.setdefault(key, Feed())
        viewer = Viewer("/".join(key), self._to_wall_us, self._most_waiting_bytes, audio=audio)
        feed.add(viewer)
        self._settle()
        try:
            yield viewer
        finally:
            feed.viewers.discard(viewer)
            self._dropped[key] += viewer.dropped
            if transcode:
                self._leave_recoded(key, feed)
            self._settle()

    def _recoded_feed(self, key: StreamKey) -> Feed:
        known = self._recoded.get(key)
        if known is not None:
            return known.feed
        assert self._slots is not None, "a hub without slots is asked for no transcodes"
        slot = self._slots.take(key.camera, key.stream, "live")
        recoded = Recoded(key, lambda: self._recoded_over(key))
        self._recoded[key], self._slot_of[key] = recoded, slot
        self._feeds.setdefault(key, Feed()).add_tap(recoded)
        return recoded.feed

    def _leave_recoded(self, key: StreamKey, feed: Feed) -> None:
        recoded = self._recoded.get(key)
        if recoded is not None and recoded.feed is feed and not feed.viewers:
            self._forget_recoded(key, recoded)
            self._tasks.start("transcode over", recoded.aclose())

    def _recoded_over(self, key: StreamKey) -> None:
        """Its child ended by itself: those who watch get their end, and may come again."""
        recoded = self._recoded.get(key)
        if recoded is not None:
            self._forget_recoded(key, recoded)
            for viewer in recoded.feed.viewers:
                viewer.close()
            self._settle()

    def _forget_recoded(self, key: StreamKey, recoded: Recoded) -> None:
        del self._recoded[key]
        assert self._slots is not None
        self._slots.give_back(self._slot_of.pop(key))
        if key in self._feeds:
            self._feeds[key].taps.discard(recoded)

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
        elif frame.type == "live_over":
            feed = self._feeds.get(StreamKey(*[str(part) for part in frame.header.get("stream", ["", ""])]))
            if feed is not None:
                feed.over()

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
        wanted = feed.viewers or feed.taps
        if wanted and not feed.subscribed:
            feed.subscribed = True  # before the answer: what is pushed may overtake it
            try:
                await self._link.request("subscribe", stream=list(key))
            except (LongwatchError, OSError) as error:
                feed.subscribed = False
                _log.debug(
                    "live subscription waits for the recorder", camera=key.camera, stream=key.stream, why=str(error)
                )
                raise
        elif not wanted:
            del self._feeds[key]
            if feed.subscribed:
                await self._link.request("unsubscribe", stream=list(key))
