"""A stream that nobody asks for, since a secret in its address is missing: it says why, and waits for other settings."""

from __future__ import annotations

import asyncio

from longwatch.base.clock import Clock
from longwatch.base.secrets import missing
from longwatch.model.sessions import Activity, Fault, StreamSink, StreamStatus


class Unasked:
    """See the module (model.sessions.SampleSource). A camera that is asked without its password would count it as a wrong try, and may lock us out."""

    def __init__(self, names: tuple[str, ...], clock: Clock) -> None:
        self._names = names
        self._clock = clock

    async def run(self, sink: StreamSink) -> None:
        """For ever."""
        await self.run_once(sink)
        await asyncio.Event().wait()

    async def run_once(self, sink: StreamSink) -> None:
        """Say it."""
        sink.status(StreamStatus(Activity.WAITING, self._clock.boottime_us(), Fault.NO_SECRET, missing(self._names)))

    def try_now(self) -> None:
        """There is nothing to try."""

    def hurry(self, on: bool) -> None:
        """Nothing comes, whoever watches."""
