"""`longwatch check`: by the running recorder, which alone writes; where none runs, here, under the data folder's lock."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from longwatch.archive import Archive, Mode, Options
from longwatch.base.clock import SystemClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.ids import boot_id
from longwatch.node.link import LinkClient, socket_path
from longwatch.node.recorder.checks import told

_LONGEST_S = 7 * 86_400.0


def check(volumes: Sequence[Path], mode: Mode, *, repair: bool) -> dict[str, Any]:
    """Run a check. Returns {"ok", "mode", "segments", "bytes", "entries", "verified", "findings", "by"}.

    findings: {"kind", "what", "detail", "camera", "mended"}. Raises LongwatchError where it cannot be done.
    """
    if not (volumes[0] / "volume.json").exists():
        raise UsageError(f"{volumes[0]} holds no recordings", remedy="has `longwatch run` run with these settings?")
    return asyncio.run(_check(volumes, mode, repair=repair))


async def _check(volumes: Sequence[Path], mode: Mode, *, repair: bool) -> dict[str, Any]:
    client = LinkClient(socket_path(volumes[0], "recorder"), "verb")
    try:
        await client.connect()
    except LongwatchError:
        return await _here(volumes, mode, repair=repair)
    try:
        answer = await client.request("check", timeout_s=_LONGEST_S, mode=mode.value, repair=repair)
    finally:
        await client.aclose()
    return {**answer, "by": "recorder"}


async def _here(volumes: Sequence[Path], mode: Mode, *, repair: bool) -> dict[str, Any]:
    """Opening the archive recovers what a cut left open, as the recorder would."""
    archive, opened = await Archive.open(volumes, Options(), SystemClock(), boot_id())
    try:
        report = await archive.check(mode, repair=repair)
    finally:
        await archive.close(orderly=opened.orderly_stop)  # how the recorder ended is not ours to change
    return told(report)
