"""One viewer of a stream: a bounded queue between the feed and a WebSocket."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from longwatch.base.queues import BoundedQueue
from longwatch.live.chunks import Chunk
from longwatch.live.formats import LiveFormat, correction

MOST_WAITING_BYTES = 16 << 20
MOST_LATE_US = 6_000_000
_CLOCKS_APART_US = 250_000


class _Waiting(NamedTuple):
    """A message, and the moment (CLOCK_BOOTTIME) from which it has waited."""

    message: str | bytes
    since_boot_us: int


class Viewer:
    """Takes chunks without ever waiting. One that is too slow loses what waits, up to the next sync sample, counted: too slow
    is who has more than `limit` bytes waiting, or something for more than six seconds. Live is never that late.

    to_wall_us: places an arrival (CLOCK_BOOTTIME) on the wall, for `start`. audio: whether it takes the sound.
    """

    def __init__(
        self, name: str, to_wall_us: Callable[[int], int], limit: int = MOST_WAITING_BYTES, *, audio: bool = True
    ) -> None:
        self.dropped = 0
        self._queue: BoundedQueue[_Waiting] = BoundedQueue(f"live/{name}", limit)
        self._to_wall_us = to_wall_us
        self._audio = audio
        self._started = False
        self._wants_sync = True
        self._told: LiveFormat | None = None
        self._epoch_us = 0

    async def next(self) -> str | bytes | None:
        """The next message for the browser; None when the feed has been closed."""
        waiting = await self._queue.get()
        return None if waiting is None else waiting.message

    def offer(self, chunk: Chunk, now_boot_us: int) -> None:
        """Called by the feed for every chunk. now_boot_us: when the newest of the feed arrived."""
        if chunk.audio and not self._audio:
            return
        oldest = self._queue.first()
        if oldest is not None and now_boot_us - oldest.since_boot_us > MOST_LATE_US:
            self._lag(0)
        if self._wants_sync and not chunk.sync:
            self.dropped += self._started
            return
        self._wants_sync = False
        self._started = True
        if self._told is not chunk.format:
            start_wall_us = self._to_wall_us(chunk.arrival_boot_us)
            self._epoch_us = start_wall_us - round(chunk.media_s * 1_000_000)
            self._tell(chunk.format, start_wall_us, chunk.media_s, now_boot_us)
        elif chunk.sync:
            self._correct(chunk, now_boot_us)
        if not self._queue.put(_Waiting(chunk.data, now_boot_us), len(chunk.data)):
            self._lag(1)

    def refuse(self, live_format: LiveFormat) -> None:
        """Nothing of this stream can be played: say what it is, and end."""
        self._tell(live_format, None, 0.0, 0)
        self._queue.close()

    def close(self) -> None:
        """No more comes."""
        self._queue.close()

    def _tell(self, live_format: LiveFormat, start_wall_us: int | None, media_s: float, now_boot_us: int) -> None:
        # Both are small and must not be lost alone: cost 0, and whatever drops them forgets that they were told.
        text = live_format.announcement(start_wall_us, media_s, audio=self._audio)
        self._queue.put(_Waiting(text, now_boot_us), 0)
        init = live_format.init if self._audio else live_format.silent_init
        if init:
            self._queue.put(_Waiting(init, now_boot_us), 0)
        self._told = live_format

    def _correct(self, chunk: Chunk, now_boot_us: int) -> None:
        """A camera's clock runs away from the wall's, or the wall's is set: who shows ages must hear of it."""
        start_wall_us = self._to_wall_us(chunk.arrival_boot_us)
        epoch_us = start_wall_us - round(chunk.media_s * 1_000_000)
        if abs(epoch_us - self._epoch_us) > _CLOCKS_APART_US:
            self._epoch_us = epoch_us
            self._queue.put(_Waiting(correction(start_wall_us, chunk.media_s), now_boot_us), 0)

    def _lag(self, refused: int) -> None:
        self.dropped += self._queue.clear() + refused
        self._wants_sync = True
        self._told = None
