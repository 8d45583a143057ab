"""One viewer of a stream: a bounded queue between the feed and a WebSocket."""

from __future__ import annotations

from collections.abc import Callable

from longwatch.base.queues import BoundedQueue
from longwatch.live.chunks import Chunk
from longwatch.live.formats import LiveFormat

MOST_WAITING_BYTES = 16 << 20


class Viewer:
    """Takes chunks without ever waiting. One that is too slow loses what waits, up to the next sync sample, counted.

    to_wall_us: places an arrival (CLOCK_BOOTTIME) on the wall, for `start`.
    """

    def __init__(self, name: str, to_wall_us: Callable[[int], int], limit: int = MOST_WAITING_BYTES) -> None:
        self.dropped = 0
        self._queue: BoundedQueue[str | bytes] = BoundedQueue(f"live/{name}", limit)
        self._to_wall_us = to_wall_us
        self._started = False
        self._wants_sync = True
        self._told: LiveFormat | None = None

    async def next(self) -> str | bytes | None:
        """The next message for the browser; None when the feed has been closed."""
        return await self._queue.get()

    def offer(self, chunk: Chunk) -> None:
        """Called by the feed for every chunk."""
        if self._wants_sync and not chunk.sync:
            self.dropped += self._started
            return
        self._wants_sync = False
        self._started = True
        if self._told is not chunk.format:
            start_wall_us = self._to_wall_us(chunk.arrival_boot_us)
            self._tell(chunk.format, start_wall_us, chunk.media_s)
        if not self._queue.put(chunk.data, len(chunk.data)):
            self._lag()

    def refuse(self, live_format: LiveFormat) -> None:
        """Nothing of this stream can be played: say what it is, and end."""
        self._tell(live_format, None, 0.0)
        self._queue.close()

    def close(self) -> None:
        """No more comes."""
        self._queue.close()

    def _tell(self, live_format: LiveFormat, start_wall_us: int | None, media_s: float) -> None:
        # Both are small and must not be lost alone: cost 0, and whatever drops them forgets that they were told.
        self._queue.put(live_format.announcement(start_wall_us, media_s), 0)
        if live_format.init:
            self._queue.put(live_format.init, 0)
        self._told = live_format

    def _lag(self) -> None:
        self.dropped += self._queue.clear() + 1
        self._wants_sync = True
        self._told = None
