"""`longwatch audit`: who did and viewed what, read at the post. That it is read is entered first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from longwatch.accounts import at_the_post
from longwatch.archive import ArchiveReader, Mention, Question
from longwatch.base.clock import SystemClock
from longwatch.ledger import kinds
from longwatch.node.by_recorder.entering import recorder_or_folder

_PAGE = 500


def audit(volumes: Sequence[Path], asked: Question) -> list[Mention]:
    """Up to `asked.limit` entries, in the order they happened. Raises LongwatchError where the reading cannot be entered."""
    asyncio.run(_enter(volumes, asked))
    found: list[Mention] = []
    reader = ArchiveReader(volumes)
    try:
        while len(found) < asked.limit:
            after = (found[-1].at_us, found[-1].seq) if found else None
            page = reader.audit(replace(asked, after=after, limit=min(_PAGE, asked.limit - len(found))))
            if not page:
                break
            found += page
    finally:
        reader.close()
    return found


async def _enter(volumes: Sequence[Path], asked: Question) -> None:
    now_us = SystemClock().wall_us()
    body: dict[str, object] = {
        "scope": "all", "from_us": min(asked.from_us, now_us), "to_us": min(asked.to_us, now_us), "at_us": now_us,
    }  # fmt: skip
    if asked.camera is not None:
        body["camera"] = asked.camera
    if asked.kinds is not None:
        body["kinds"] = sorted(set(asked.kinds))
    async with recorder_or_folder(volumes) as recorder:
        await recorder.request("entry", kind=kinds.AUDIT_READ, body=body, person=at_the_post().person())
