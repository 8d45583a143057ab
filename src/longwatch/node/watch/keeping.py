"""`record: events`: what was looked at and no event needs is ordered to be discarded. docs/design/by-events.md.

The server decides, since it knows the events; the recorder discards, since it alone writes. What was not looked at, because detection was
behind, dead or switched off, is never ordered: it is kept until retention takes it. Nothing is remembered over a start of the server: what
it had not decided is kept too. Owner of the state: the server's loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.model.events import Event
from longwatch.model.holds import merged
from longwatch.node.watch.watching import Recorder

EVERY_S = 10.0
SETTLE_US = 10_000_000
"""An event is begun at most so long after the picture that it began with was looked at."""
_AGAIN_US = (
    120_000_000  # segments are discarded whole: one that reached over the end of what was ordered is ordered again
)
_log = structlog.get_logger(__name__)
Stretch = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Around:
    """What is kept beside an event."""

    before_us: int
    after_us: int


def unneeded(looked: Stretch, events: Iterable[Event], around: Around) -> Iterator[Stretch]:
    """What of a stretch that was looked at no event needs, by its begin. The newest of it waits: an event may begin there yet, and needs
    what was before it.
    """
    at_us, end_us = looked[0], looked[1] - around.before_us - SETTLE_US
    far_us = looked[1] + around.after_us
    needed = [
        (event.from_us - around.before_us, far_us if event.to_us is None else event.to_us + around.after_us)
        for event in events
    ]
    for from_us, to_us in merged(needed):
        if at_us < min(from_us, end_us):
            yield at_us, min(from_us, end_us)
        at_us = max(at_us, to_us)
    if at_us < end_us:
        yield at_us, end_us


class Keeping:
    """cameras: those that record by events. looked: stretches that were looked at without a hole, the newest last. unsure_us: until when events may
    have been lost. events: those that reach into a stretch, open ones too.
    """

    def __init__(
        self, clock: Clock, recorder: Recorder, cameras: Callable[[], Mapping[str, Around]],
        looked: Callable[[str], Sequence[Stretch]], unsure_us: Callable[[str], int],
        events: Callable[[str, int, int], Awaitable[Sequence[Event]]],
    ) -> None:  # fmt: skip
        self._clock = clock
        self._recorder = recorder
        self._cameras = cameras
        self._looked = looked
        self._unsure_us = unsure_us
        self._events = events
        self._done: dict[str, int] = {}
        self._problem: dict[str, str] = {}

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._clock.sleep(EVERY_S)
            await self.run_once()

    async def run_once(self) -> None:
        """Each camera once. What one refuses is no reason to keep all of another."""
        for camera, around in self._cameras().items():
            try:
                await self._decide(camera, around)
            except Exception as error:  # noqa: BLE001 - boundary: a database that cannot be read now can be later; until then all is kept
                what = error.what if isinstance(error, LongwatchError) else repr(error)[:200]
                if self._problem.get(camera) != what:
                    self._problem[camera] = what
                    _log.warning("what no event needs is kept for now", camera=camera, why=str(error)[:500])
            else:
                self._problem.pop(camera, None)

    async def _decide(self, camera: str, around: Around) -> None:
        done_us = self._done.get(camera, 0)
        for from_us, to_us in self._looked(camera):
            begin_us = max(from_us, done_us - _AGAIN_US, self._unsure_us(camera))
            if begin_us >= to_us:
                continue
            events = await self._events(camera, begin_us - around.after_us, to_us + around.before_us)
            if self._unsure_us(camera) > begin_us:
                continue
            for free in unneeded((begin_us, to_us), events, around):
                await self._recorder.request("discard", camera=camera, from_us=free[0], to_us=free[1])
            self._done[camera] = max(self._done.get(camera, 0), to_us)
