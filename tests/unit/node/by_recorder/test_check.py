"""A check while no recorder runs changes nothing of how the recorder ended: the next start must name the gap right."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.archive_case import BOOT, opened

from longwatch.archive import Mode
from longwatch.archive.ops import Heartbeat
from longwatch.base.clock import ManualClock
from longwatch.node.by_recorder.check import check


@pytest.mark.parametrize("orderly", [True, False])
async def test_how_the_recorder_ended_stays_as_it_was(tmp_path: Path, orderly: bool) -> None:
    folder, clock = tmp_path / "data", ManualClock()
    async with opened([folder], orderly=orderly, clock=clock) as (archive, _):
        await archive.commit([Heartbeat(BOOT, clock.boottime_us(), clock.wall_us(), clock.wall_us())])
    assert (await asyncio.to_thread(check, [folder], Mode.SIZE, repair=False))["ok"]
    async with opened([folder]) as (_, report):
        assert report.orderly_stop is orderly
