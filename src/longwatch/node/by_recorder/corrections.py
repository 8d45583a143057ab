"""`longwatch time`: by the running recorder, which alone writes; where none runs, here, under the data folder's lock.

What is in doubt is read from the index by whoever asks (`archive.review`); a correction is an entry before it is told as done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from longwatch.archive import Archive, Options
from longwatch.base.clock import SystemClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.ids import boot_id
from longwatch.node.link import LinkClient, socket_path
from longwatch.node.recorder.corrections import told, wished

_LONGEST_S = 3_600.0


def apply(volumes: Sequence[Path], **wish: Any) -> dict[str, Any]:
    """Ask for a correction: `suggested=True`, or `runs` with `at_us` or `shift_us`; and `person` {subject, text}, `reason`.

    Returns {"runs", "segments", "entries", "by"}. Raises UsageError, LongwatchError.
    """
    if not (volumes[0] / "volume.json").exists():
        raise UsageError(f"{volumes[0]} holds no recordings", remedy="has `longwatch run` run with these settings?")
    return asyncio.run(_apply(volumes, wish))


async def _apply(volumes: Sequence[Path], wish: dict[str, Any]) -> dict[str, Any]:
    client = LinkClient(socket_path(volumes[0], "recorder"), "verb")
    try:
        await client.connect()
    except LongwatchError:
        archive, report = await Archive.open(volumes, Options(), SystemClock(), boot_id())
        try:
            return {**told(await archive.correct_time(wished(wish))), "by": "time"}
        finally:
            await archive.close(orderly=report.orderly_stop)  # how the recorder ended is not ours to change
    try:
        return {**await client.request("time_apply", timeout_s=_LONGEST_S, **wish), "by": "recorder"}
    finally:
        await client.aclose()
