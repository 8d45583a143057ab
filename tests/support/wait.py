"""Waiting for something to become true, with a deadline instead of a guess."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def _pause(took_s: float) -> float:
    """Until the next look: on two processors what looks without a pause takes one from those it waits for."""
    return min(max(0.01, 2 * took_s), 0.2)


async def until(condition: Callable[[], T | Awaitable[T]], what: str = "", seconds: float = 240.0) -> T:
    """The first true value of `condition`, asked every 10 ms, or every third of the time where asking takes long; AssertionError after `seconds`, which only bound a failure."""
    deadline = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or inspect.getsource(condition).strip()}"
        await asyncio.sleep(_pause(time.monotonic() - began))


def until_now(condition: Callable[[], T], what: str = "", seconds: float = 240.0, every_s: float = 0.01) -> T:
    """The same for tests without an event loop. every_s: longer where each look costs a server an answer."""
    deadline = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or inspect.getsource(condition).strip()}"
        time.sleep(_pause(time.monotonic() - began))
