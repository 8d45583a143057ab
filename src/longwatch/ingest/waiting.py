"""Waiting with a limit, on a clock that is a parameter."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from longwatch.base.clock import Clock
from longwatch.base.tasks import Tasks

_T = TypeVar("_T")


async def within(clock: Clock, seconds: float, coroutine: Coroutine[Any, Any, _T]) -> _T:
    """The coroutine's result. Raises TimeoutError, and cancels it, after `seconds` on this clock."""
    tasks = Tasks("within")
    try:
        work = tasks.start("work", _caught(coroutine))
        limit = tasks.start("limit", clock.sleep(seconds))
        await asyncio.wait({work, limit}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise TimeoutError
        result = work.result()
        if isinstance(result, _Failed):
            raise result.error
        return result
    finally:
        await tasks.aclose()


class _Failed:
    """An error on its way to whoever waits: it is theirs, and not the death of a task."""

    def __init__(self, error: Exception) -> None:
        self.error = error


async def _caught(coroutine: Coroutine[Any, Any, _T]) -> _T | _Failed:
    try:
        return await coroutine
    except Exception as error:  # noqa: BLE001  named boundary: handed on whole by `within`
        return _Failed(error)
