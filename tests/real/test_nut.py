"""The mains as the real nut-server tells them: its dummy driver loses mains, runs down, and dies."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.nut import RealNut, needs_nut, real_nut
from tests.support.wait import until

from longwatch.archive.ops import Entry
from longwatch.base.clock import SystemClock
from longwatch.model.surroundings import MainsState, Power
from longwatch.surroundings import Options, Ups, Watch

pytestmark = [pytest.mark.slow, needs_nut]


@contextlib.asynccontextmanager
async def watched(nut: RealNut, entries: list[Entry], told: MainsState | None = None) -> AsyncIterator[Watch]:
    clock = SystemClock()
    watch = Watch(
        Options(ups=Ups("ups", "127.0.0.1", nut.port)), clock, heard=lambda _: 0, wall_us=clock.wall_us,
        enter=entries.append, told=told,
    )  # fmt: skip
    task = asyncio.ensure_future(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_mains_that_fail_and_a_battery_that_runs_down_are_entries() -> None:
    entries: list[Entry] = []
    with tempfile.TemporaryDirectory(prefix="lwnut") as folder, real_nut(Path(folder)) as nut:
        async with watched(nut, entries) as watch:
            await until(lambda: watch.mains.mains is Power.ON)
            nut.say("OB", 80, 900)
            await until(lambda: watch.mains.mains is Power.OFF)
            since_us = watch.mains.since_wall_us
            nut.say("OB LB", 7, 60)
            await until(lambda: watch.mains.low_battery)
            assert watch.issues()
            assert watch.mains.since_wall_us == since_us, "since when the mains are off"
            nut.say("OL CHRG", 8, 80)
            await until(lambda: watch.mains.mains is Power.ON)
            assert not watch.issues()
            nut.stop_driver()
            await until(lambda: watch.mains.mains is Power.UNKNOWN)
    said = [
        (e.body["mains"], e.body["battery_percent"], e.body["low_battery"], e.body["status"]) for e in entries
    ]  # fmt: skip
    assert said == [
        ("on", 100, False, "OL"), ("off", 80, False, "OB"), ("off", 7, True, "OB LB"), ("on", 8, False, "OL CHRG"),
    ]  # fmt: skip


async def test_a_start_after_a_cut_says_that_the_mains_are_back() -> None:
    """The process before ended on battery; that is carried over, and only what differs is an entry."""
    entries: list[Entry] = []
    before = MainsState(Power.OFF, 7, 60, "nut ups@127.0.0.1", 1_000_000, low_battery=True)
    with tempfile.TemporaryDirectory(prefix="lwnut") as folder, real_nut(Path(folder)) as nut:
        async with watched(nut, entries, before):
            await until(lambda: entries)
        assert [e.body["mains"] for e in entries] == ["on"]
        entries.clear()
        async with watched(nut, entries, MainsState(Power.ON, 100, 1000, "x", 1_000_000)) as watch:
            await until(lambda: watch.mains.mains is Power.ON)
            assert watch.mains.since_wall_us == 1_000_000
        assert entries == []
