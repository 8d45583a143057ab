"""What a start knows of the mains as the process before it last did."""

from __future__ import annotations

from pathlib import Path

from longwatch.archive import Archive, Options
from longwatch.archive.ops import Entry
from longwatch.base.clock import ManualClock
from longwatch.ledger import kinds
from longwatch.model.surroundings import MainsState, Power
from longwatch.surroundings.mains import body

OFF = MainsState(Power.OFF, 7, 60, "nut ups@127.0.0.1:3493", 1_767_225_600_000_000, low_battery=True)
ON = MainsState(Power.ON, 100, None, "nut ups@127.0.0.1:3493", 5, forced_shutdown=True)


async def last(folder: Path, *entries: Entry) -> MainsState | None:
    """What the start finds; then these entries are written."""
    archive, report = await Archive.open((folder,), Options(), ManualClock(), "0" * 32)
    for entry in entries:
        await archive.enter(entry)
    await archive.close(orderly=True)
    return report.mains


async def test_the_newest_word_is_found_whatever_came_after_it(tmp_path: Path) -> None:
    others = [Entry(kinds.TASK_DIED, {"task": str(n), "error": "x"}) for n in range(5)]
    assert await last(tmp_path, Entry(kinds.POWER_CHANGED, body(ON, "OL")), *others) is None
    assert await last(tmp_path, *others) == ON
    assert await last(tmp_path, Entry(kinds.POWER_CHANGED, body(OFF, "OB LB")), *others) == ON
    assert await last(tmp_path) == OFF
