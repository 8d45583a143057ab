"""Waiting for something to become true, with a deadline instead of a guess."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(condition: Callable[[], T | Awaitable[T]], what: str = "", seconds: float = 10.0) -> T:
    """The first true value of `condition`, asked every 10 ms; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or inspect.getsource(condition).strip()}"
        await asyncio.sleep(0.01)


def until_now(condition: Callable[[], T], what: str = "", seconds: float = 10.0) -> T:
    """The same for tests without an event loop."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or inspect.getsource(condition).strip()}"
        time.sleep(0.01)
    return value
