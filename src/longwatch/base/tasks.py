"""Tasks that have a name, an owner and a witness. Raw `asyncio.create_task` is not used elsewhere.

A task that dies is reported to `on_death` (a health issue and a ledger entry in the recorder), never silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")


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
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
