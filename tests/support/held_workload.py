"""A process that records, protects footage and removes some, and ends at a chosen step: `python -m tests.support.held_workload FOLDER STEP:NTH`.

It prints a line once something is acknowledged: `held HOLD SEGMENT` and `ended HOLD`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.support.archive_case import BOOT, held, record, stream
from tests.support.archive_faults import EndsAt

from longwatch.archive import Archive, Options, Retention, RetentionTime
from longwatch.archive.ops import HoldPlace, HoldRelease, Person
from longwatch.base.clock import ManualClock
from longwatch.model.holds import HoldEnd

ADA = Person(12, '{"reason":"theft","user":"ada"}')
DAY_US = 86_400_000_000


async def main(folder: Path, step: str, nth: int) -> None:
    """Six segments; holds over the second and the fourth, the first of which is released; room for nothing, then the law."""
    rules = Retention(max_age_us=30 * DAY_US, max_size_bytes=1, keep_free_fraction=0)
    flushing = EndsAt(step, 1 << 30)
    archive, _ = await Archive.open([folder], Options(rules, flushing), ManualClock(), BOOT)
    await record(archive, stream(archive), segments=6)
    segments = held([folder])
    flushing._left = nth  # from here on: the steps before are tried elsewhere
    for number, segment in ((1, segments[1]), (2, segments[3])):
        span = segment.wall_start_us, segment.wall_end_us
        await archive.act(HoldPlace(("gate",), (), *span, None, "", span[0], ADA))
        print("held", number, segment.sequence, flush=True)
    await archive.act(HoldRelease(1, HoldEnd.RELEASED, 50, ADA))
    print("ended 1", flush=True)
    await archive.retain(RetentionTime(segments[5].wall_end_us, trusted=True, agreed_for_us=DAY_US))
    await archive.retain(RetentionTime(segments[5].wall_end_us + 40 * DAY_US, trusted=True, agreed_for_us=DAY_US))
    await archive.close()


if __name__ == "__main__":
    wanted, _, times = sys.argv[2].partition(":")
    asyncio.run(main(Path(sys.argv[1]), wanted, int(times)))
