"""Tasks end when they are told to."""

from __future__ import annotations

import asyncio

import pytest

from longwatch.base import tasks
from longwatch.base.tasks import Tasks, ended


async def test_a_cancellation_that_is_lost_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `asyncio.wait_for` of Python 3.11 loses it: what was waited for came in the same moment."""
    monkeypatch.setattr(tasks, "_AGAIN_S", 0.01)
    lost = 0

    async def stubborn() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost == 2:
                    raise
                lost += 1

    owner = Tasks("test")
    task = owner.start("stubborn", stubborn())
    await asyncio.sleep(0)  # it begins
    await owner.aclose()
    assert (lost, task.cancelled()) == (2, True)


async def test_what_has_ended_and_what_ends_with_an_error_is_no_matter() -> None:
    async def fails() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("at its end")

    failing, done = asyncio.ensure_future(fails()), asyncio.ensure_future(asyncio.sleep(0))
    await asyncio.sleep(0.001)  # both have begun, one is done
    await ended([failing, done])
    assert isinstance(failing.exception(), ValueError)
    await ended([])
