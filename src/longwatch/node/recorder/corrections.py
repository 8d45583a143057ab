"""Corrections of recorded time, as the recorder is asked for them: `time_apply`. A correction is an entry before it is told as done."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from longwatch.archive import Archive, Corrected, Correction, stated, suggested
from longwatch.base.errors import UsageError
from longwatch.node.recorder.acts import person_with_reason

MOST_RUNS = 100_000


def commands(archive: Archive) -> Mapping[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]]:
    """`time_apply` of the recorder's socket (docs/design/socket.md)."""

    async def apply(fields: dict[str, Any]) -> dict[str, Any]:
        return told(await archive.correct_time(wished(fields)))

    return {"time_apply": apply}


def wished(fields: dict[str, Any]) -> Callable[[sqlite3.Connection], Correction | None]:
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
