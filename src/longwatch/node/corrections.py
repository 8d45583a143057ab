"""`longwatch time`: by the running recorder, which alone writes; where none runs, here, under the data folder's lock.

What is in doubt is read from the index by whoever asks (`archive.review`); a correction is an entry before it is told as done.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from longwatch.archive import Archive, Corrected, Correction, Options, stated, suggested
from longwatch.base.clock import SystemClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.ids import boot_id
from longwatch.node.link import LinkClient, socket_path
from longwatch.node.recorder_acts import person_with_reason

_LONGEST_S = 3_600.0
MOST_RUNS = 100_000


def commands(archive: Archive) -> Mapping[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]]:
    """`time_apply` of the recorder's socket (docs/design/socket.md)."""

    async def apply(fields: dict[str, Any]) -> dict[str, Any]:
        return told(await archive.correct_time(_wish(fields)))

    return {"time_apply": apply}


def _wish(fields: dict[str, Any]) -> Callable[[sqlite3.Connection], Correction | None]:
    """What a request asks for. Raises UsageError."""
    person = person_with_reason(fields)
    if fields.get("suggested"):
        return lambda db: suggested(db, person)
    runs, at_us, shift_us = fields.get("runs"), fields.get("at_us"), fields.get("shift_us")
    if not isinstance(runs, list) or not all(isinstance(run, int) for run in runs) or len(runs) > MOST_RUNS:
        raise UsageError("`time_apply` wants `suggested`, or `runs`: numbers of runs")
    if not all(each is None or isinstance(each, int) for each in (at_us, shift_us)) or (at_us is None) is (
        shift_us is None
    ):
        raise UsageError("`time_apply` wants `at_us` or `shift_us`")
    return lambda db: stated(db, runs, at_us, shift_us, person)


def told(done: Sequence[Corrected]) -> dict[str, Any]:
    """What was done, as JSON can carry it."""
    return {
        "runs": sum(each.runs for each in done),
        "segments": sum(each.segments for each in done),
        "entries": [seq for each in done for seq in each.entries],
    }


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
            return {**told(await archive.correct_time(_wish(wish))), "by": "time"}
        finally:
            await archive.close(orderly=report.orderly_stop)  # how the recorder ended is not ours to change
    try:
        return {**await client.request("time_apply", timeout_s=_LONGEST_S, **wish), "by": "recorder"}
    finally:
        await client.aclose()
