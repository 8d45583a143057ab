"""Stills of a thermal camera, fetched beside its video: one every so often, while the session plays. docs/design/thermal.md.

A still that does not come is never the session's fault: it is said once, and asked for again. What asks, and how, is given from outside (`StillSource`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.secrets import scrub
from longwatch.formats.codecs import thermal_still
from longwatch.formats.media import Sample

MOST_BYTES = 4 << 20
_MOST_TIMES = 6
"""A camera that does not answer is asked so many times less often at the least."""
_LOOK_S = 0.25
_log = structlog.get_logger(__name__)


class StillSource(Protocol):
    """Where a camera's stills come from."""

    @property
    def every_s(self) -> float: ...

    async def fetch(self) -> bytes:
        """One file of at most MOST_BYTES. Raises LongwatchError, without a secret in it; takes a few seconds at most."""
        ...


async def follow(
    source: StillSource,
    track: int,
    camera: str,
    clock: Clock,
    wanted: Callable[[], bool],
    take: Callable[[Sample], None],
) -> None:
    """For ever. track: its number in the session. wanted: whether there is video to keep one beside. take: gets each still, as a sample. Times are those of
    arrival.
    """
    failed = 0
    while True:
        while not wanted():
            await clock.sleep(_LOOK_S)
        began_us = clock.boottime_us()
        try:
            data = await source.fetch()
            if not data or len(data) > MOST_BYTES:
                raise LongwatchError(f"a still of {len(data)} bytes is not taken")
        except LongwatchError as error:
            failed += 1
            if failed == 1:
                _log.warning("no still of a thermal camera", camera=camera, reason=scrub(str(error)))
        else:
            if failed:
                _log.info("stills of a thermal camera come again", camera=camera, missed=failed)
            failed = 0
            now_us = clock.boottime_us()
            take(Sample(track, now_us * thermal_still.RATE // 1_000_000, 0, True, data, now_us))
        wait_s = source.every_s * min(1 + failed, _MOST_TIMES)
        await clock.sleep(max(0.1, wait_s - (clock.boottime_us() - began_us) / 1e6))
