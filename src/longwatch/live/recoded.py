"""A stream for browsers that cannot play it: decoded and encoded as H.264 by a child, once for all who watch it so.

Behaviour over time: the first such viewer takes a slot and starts the child; samples go to it from the feed of the stream itself. It is ended
when the last one leaves. A child that ends, or does not keep up for ten seconds, ends its viewers too: they come again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks
from longwatch.formats.media import Kind, Sample, TrackFormat
from longwatch.live.feed import Feed
from longwatch.model.sessions import StreamKey
from longwatch.pictures.recoding import Recoding, job_frame
from longwatch.wire.media import decode_format, decode_sample, encode_format, encode_sample

MAX_HEIGHT = 720
SILENT_S = 10.0
_log = structlog.get_logger(__name__)


class Recoded:
    """Its own feed (`feed`), and what the feed of the stream hands it. Owner of the child. over: called once, when the child ended by itself."""

    def __init__(self, key: StreamKey, over: Callable[[], None]) -> None:
        self.key = key
        self.feed = Feed()
        self.pid: int | None = None
        self._over = over
        self._tasks = Tasks(f"transcode {key.camera}")
        self._child: Recoding | None = None
        self._tracks: tuple[TrackFormat, ...] = ()
        self._video = 0
        self._generation = 0
        self._announced = False
        self._wants_sync = True
        self._fed_s: float | None = None
        self._tasks.start("run", self._run())

    async def aclose(self) -> None:
        """End the child."""
        await self._tasks.aclose()

    # ---- what the feed of the stream hands on --------------------------------------------------------------------------

    def format(self, tracks: tuple[TrackFormat, ...]) -> None:
        """The parameters of what follows."""
        self._tracks = tracks
        self._video = next((n for n, track in enumerate(tracks) if track.kind is Kind.VIDEO), 0)
        self._wants_sync = True
        self._announced = False
        self.feed.over()
        if self._child is not None and tracks:
            self._begin(self._child)

    def sample(self, sample: Sample) -> None:
        """One of the stream. Sound goes on as it is; pictures to the child, from a sync sample on where it could not take all."""
        if sample.track != self._video:
            if self._announced:
                self.feed.sample(self._generation, sample)
            return
        child = self._child
        if child is None or not self._tracks or (self._wants_sync and not sample.sync):
            return
        self._wants_sync = not child.push(encode_sample(("", "live"), 0, sample))
        if self._fed_s is None:
            self._fed_s = asyncio.get_running_loop().time()

    # ---- the child -----------------------------------------------------------------------------------------------------

    def _begin(self, child: Recoding) -> None:
        child.push(encode_format(("", "live"), 0, (self._tracks[self._video],)))

    async def _run(self) -> None:
        child = None
        try:
            child = await Recoding.start()
            self.pid = child.pid
            child.push(job_frame([{"name": "live", "max_height": MAX_HEIGHT}]))
            self._child = child
            if self._tracks:
                self._begin(child)
            while True:
                await self._take(child)
        except (LongwatchError, OSError) as error:
            _log.warning("a transcode ended", camera=self.key.camera, reason=str(error))
        finally:
            self._child = None
            if child is not None:
                await asyncio.shield(child.aclose())
        self._over()

    async def _take(self, child: Recoding) -> None:
        try:
            async with asyncio.timeout(SILENT_S):
                frame = await child.next()
        except TimeoutError:
            if self._fed_s is not None and asyncio.get_running_loop().time() - self._fed_s > SILENT_S:
                raise LongwatchError("the decoder does not keep up") from None
            return
        self._fed_s = None
        if frame.type == "live_format":
            (video,) = decode_format(frame)[2]
            self._generation += 1
            self._announced = True
            tracks = tuple(video if n == self._video else track for n, track in enumerate(self._tracks))
            self.feed.format(self._generation, tracks)
        elif frame.type == "live_sample" and self._announced:
            sample = decode_sample(frame)[2]
            sample.track = self._video
            self.feed.sample(self._generation, sample)
