"""Tasks that have a name, an owner and a witness. Raw `asyncio.create_task` is not used elsewhere.

A task that dies is reported to `on_death` (a health issue and a ledger entry in the recorder), never silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

import structlog

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")
_AGAIN_S = 1.0


async def ended(tasks: Iterable[asyncio.Task[Any]], again_s: float | None = None) -> None:
    """Cancel these tasks until each is done. Once is not enough: `asyncio.wait_for` of Python 3.11 loses a cancellation that comes in the moment of what it
    waits for (bpo-37658), and a task that loops goes on for ever. We use `asyncio.timeout`; libraries do not. again_s: when one is cancelled again, which breaks
    off what it does at its end: longer for one that has much to do there.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN_S if again_s is None else again_s)


class Tasks:
    """Keeps the tasks of one owner; `aclose` cancels them and waits until each is done.

    on_death: called on the loop with the task's name and its error when a task ends by an exception.
    """

    def __init__(self, owner: str, on_death: Callable[[str, BaseException], None] | None = None) -> None:
        self._owner = owner
        self._on_death = on_death
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, name: str, coroutine: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Run `coroutine` as a named task of this owner."""
        task = asyncio.get_running_loop().create_task(coroutine, name=f"{self._owner}/{name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            _log.error("task died", task=task.get_name(), error=repr(error), exc_info=error)
            if self._on_death is not None:
                self._on_death(task.get_name(), error)

    async def aclose(self) -> None:
        """Cancel every task and wait for its end."""
        await ended(self._tasks)
