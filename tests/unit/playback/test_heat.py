"""The child that reads thermal stills: what it answers, and what happens where it dies, hangs, or is sent what no camera should send."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import numpy as np
import pytest
from tests.support import flir
from tests.support.thermal_camera import centikelvin, png, scene

from longwatch.base.errors import LongwatchError
from longwatch.model.heat import HeatPart, HeatScale
from longwatch.pictures import SlotsFullError
from longwatch.playback import heat
from longwatch.playback.heat import HeatStill, HeatStills
from longwatch.playback.heat_wire import MOST_STILL

KELVIN = HeatScale(0.01, -273.15)
LEVELS = centikelvin(scene(95.0))


@pytest.fixture
async def stills() -> AsyncIterator[HeatStills]:
    reader = HeatStills()
    yield reader
    await reader.aclose()


async def test_each_level_and_each_part_comes_back(stills: HeatStills) -> None:
    still = await stills.read("oven", png(LEVELS), KELVIN, [HeatPart("Door", ((0.1, 0.9),))])
    assert (still.width, still.height, still.gain, still.offset) == (160, 120, 0.01, -273.15)
    assert (np.frombuffer(still.levels, "<u2").reshape(120, 160) == LEVELS).all()
    assert [each.name for each in still.reads] == ["picture", "Door"]
    assert still.reads[0].highest == pytest.approx(95.0)
    few = await stills.read("oven", png(LEVELS), KELVIN, [], picture=False)
    assert few.levels == b""


async def test_what_cannot_be_read_is_said_and_the_next_is_read(stills: HeatStills) -> None:
    with pytest.raises(LongwatchError, match="neither a PNG"):
        await stills.read("oven", b"hello", KELVIN, [])
    whole = flir.still(LEVELS)
    assert (await stills.read("oven", whole, KELVIN, [])).width == 160
    with pytest.raises(LongwatchError, match="too large"):
        await stills.read("oven", bytes(MOST_STILL + 1), KELVIN, [])


async def test_a_child_that_dies_costs_its_camera_a_rest_and_others_nothing(stills: HeatStills) -> None:
    await stills.read("oven", png(LEVELS), KELVIN, [])
    assert stills._child is not None
    os.kill(stills._child.pid, signal.SIGSTOP)
    stills._seconds = 0.2  # what hangs is a decoder: here, one that was stopped
    with pytest.raises(LongwatchError, match="its reader ended"):
        await stills.read("oven", png(LEVELS), KELVIN, [])
    stills._seconds = 5.0
    with pytest.raises(LongwatchError, match="take too long"):
        await stills.read("oven", png(LEVELS), KELVIN, [])
    assert (await stills.read("kiln", png(LEVELS), KELVIN, [])).width == 160


async def test_what_alarms_wait_for_is_read_before_all_but_one_that_people_ask_for(stills: HeatStills) -> None:
    await stills.read("oven", png(LEVELS), KELVIN, [])
    read: list[str] = []

    async def ask(name: str, *, picture: bool) -> HeatStill:
        still = await stills.read(name, png(LEVELS), KELVIN, [], picture=picture)
        read.append(name)
        return still

    crowd = [asyncio.create_task(ask(f"looker {n}", picture=True)) for n in range(heat._MOST_WAITING)]
    await asyncio.sleep(0)  # each begins
    with pytest.raises(SlotsFullError):
        await ask("one more", picture=True)
    assert (await ask("alarm", picture=False)).levels == b""
    assert len(read) <= 2, "at most the one that was being read came first"
    await asyncio.gather(*crowd)


async def test_a_still_that_comes_as_the_idle_child_ends_is_read(stills: HeatStills) -> None:
    await stills.read("oven", png(LEVELS), KELVIN, [])
    stills._leave()  # what the idle timer does
    assert (await stills.read("oven", png(LEVELS), KELVIN, [])).width == 160


async def test_a_child_that_has_worked_for_long_is_replaced_before_its_time_is_up(
    stills: HeatStills, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stills.read("oven", png(LEVELS), KELVIN, [])
    assert stills._child is not None
    before = stills._child
    monkeypatch.setattr(heat, "_MOST_BUSY_SECONDS", 0.0)
    await stills.read("oven", png(LEVELS), KELVIN, [])
    assert stills._child is not before
    assert before.returncode is not None


async def test_the_child_can_open_nothing(stills: HeatStills) -> None:
    await stills.read("oven", png(LEVELS), KELVIN, [])
    assert stills._child is not None
    with open(f"/proc/{stills._child.pid}/limits") as limits:
        said = {line[:26].strip(): line[26:].split()[0] for line in limits.readlines()[1:]}
    assert said["Max open files"] == "3"
    assert said["Max file size"] == "0"
    assert said["Max address space"] == str(1 << 30)
