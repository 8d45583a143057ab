"""When cameras were looked at, for as long as events are known: so that no event in a stretch is told apart from nobody having looked.

One file, `looked.json`, written each minute and at the end; what a cut takes of it counts as not looked at, which errs to the safe side. Owner: the server's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import structlog

from longwatch.base.clock import Clock

EVERY_S = 5.0
KEEP_US = 60_000_000
JOIN_US = 5_000_000
"""A hole that is shorter is none: between two looks, or of a child that was started again."""
LATE_US = 60_000_000
"""The newest minute is not judged: what waits may be looked at yet."""
MOST_SPANS = 5_000
_MOST_BYTES = 64 << 20
_log = structlog.get_logger(__name__)
Stretch = tuple[int, int]


def joined(spans: Iterable[Stretch], within_us: int = JOIN_US) -> list[Stretch]:
    """Sorted, those that touch or nearly so as one. Empty ones are left out."""
    found: list[Stretch] = []
    for from_us, to_us in sorted(span for span in spans if span[0] < span[1]):
        if found and from_us - found[-1][1] < within_us:
            found[-1] = found[-1][0], max(found[-1][1], to_us)
        else:
            found.append((from_us, to_us))
    return found


def without(whole: Iterable[Stretch], parts: Sequence[Stretch]) -> list[Stretch]:
    """What of `whole` lies in none of `parts` (sorted, apart), where that is no mere hole."""
    left: list[Stretch] = []
    for begin_us, end_us in joined(whole, 1):
        at_us = begin_us
        for from_us, to_us in parts:
            if to_us > at_us and from_us < end_us:
                left.append((at_us, min(from_us, end_us)))
                at_us = max(at_us, to_us)
        left.append((at_us, end_us))
    return [(from_us, to_us) for from_us, to_us in left if to_us - from_us >= JOIN_US]


class Looked:
    """See the module. watched: cameras that are to be looked at now; looked: of one, the newest stretches in which it was. keep_us: asked each time."""

    def __init__(
        self, file: Path, watched: Callable[[], Sequence[str]], looked: Callable[[str], Sequence[Stretch]], keep_us: Callable[[], int],
        clock: Clock,
    ) -> None:  # fmt: skip
        self._file = file
        self._watched = watched
        self._looked = looked
        self._keep_us = keep_us
        self._clock = clock
        self._spans: dict[str, list[Stretch]] = {}
        self._since: dict[str, int] = {}
        self._kept_us = clock.boottime_us()

    async def run(self) -> None:
        """For ever."""
        await asyncio.to_thread(self.load)
        try:
            while True:
                self.take()
                if self._clock.boottime_us() - self._kept_us >= KEEP_US:
                    self._kept_us = self._clock.boottime_us()
                    await asyncio.to_thread(self.keep)
                await self._clock.sleep(EVERY_S)
        finally:
            self.take()
            self.keep()

    def take(self) -> None:
        """What was looked at by now."""
        now_us = self._clock.wall_us()
        watched = set(self._watched())
        for camera in [camera for camera in self._since if camera not in watched]:
            del self._since[camera]
            self._spans.pop(camera, None)
        for camera in watched:
            new = list(self._looked(camera))
            self._since.setdefault(camera, min([now_us, *(from_us for from_us, _ in new)]))
            known = self._spans.get(camera, [])
            oldest_us = min((from_us for from_us, _ in new), default=now_us)
            split = next((n for n, span in enumerate(known) if span[1] >= oldest_us - JOIN_US), len(known))
            every = [*known[:split], *joined([*known[split:], *new])]
            self._spans[camera] = [span for span in every if span[1] > now_us - self._keep_us()][-MOST_SPANS:]

    def unlooked(self, camera: str, recorded: Iterable[Stretch], from_us: int, to_us: int) -> list[Stretch]:
        """Of what was recorded in [from_us, to_us), in what nobody looked. Before this program began to look there nothing is said."""
        since_us = self._since.get(camera)
        if since_us is None:
            return []
        spans = self._spans.get(camera, [])
        oldest_us = spans[0][0] if len(spans) >= MOST_SPANS else since_us
        from_us = max(from_us, oldest_us)
        to_us = min(to_us, max(self._clock.wall_us() - LATE_US, max((to for _, to in spans), default=0)))
        return without(((max(a, from_us), min(b, to_us)) for a, b in recorded), spans)

    def load(self) -> None:
        """What was kept. What cannot be read is forgotten. Blocks."""
        with contextlib.suppress(FileNotFoundError):
            try:
                if self._file.stat().st_size > _MOST_BYTES:
                    raise ValueError("it is too large")
                for camera, (since_us, spans) in json.loads(self._file.read_bytes()).items():
                    self._spans[str(camera)] = joined((int(a), int(b)) for a, b in spans)
                    self._since[str(camera)] = int(since_us)
            except FileNotFoundError:
                raise
            except (OSError, ValueError, TypeError, AttributeError) as error:
                self._spans, self._since = {}, {}
                _log.warning("when cameras were looked at cannot be read; it is known from now on", reason=str(error))

    def keep(self) -> None:
        """What cannot be written is not looked at, later. Blocks."""
        told: dict[str, Any] = {
            camera: [since, self._spans.get(camera, [])] for camera, since in list(self._since.items())
        }
        begun = self._file.with_suffix(".part")
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            begun.write_text(json.dumps(told, separators=(",", ":")))
            begun.replace(self._file)
