"""A thread that does one blocking job after another for the event loop: one per volume, and one for the index.

A disk that hangs holds its thread, and nobody else: the job does not return, health sees since when, and the process can
still end, since the thread is a daemon.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError

_T = TypeVar("_T")
_LIMIT = 256  # jobs that wait; a tick is one, so more than a few mean a disk that hangs


class Worker:
    """Owner of its thread. Jobs run in the order of `run`. busy_since_boot_us: when the job of this moment began, or None."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.busy_since_boot_us: int | None = None
        self._clock = clock
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(_LIMIT)
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, job: Callable[..., _T], *args: Any) -> _T:
        """The job's result, or its exception. Cancelling the wait does not stop the job."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_T] = loop.create_future()

        def finish(result: _T | None, error: BaseException | None) -> None:
            if future.cancelled():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]  # None only where _T is None

        def work() -> None:
            result, failure = None, None
            try:
                result = job(*args)
            except BaseException as error:  # noqa: BLE001  # the thread's boundary: every error belongs to who waits
                failure = error
            try:
                loop.call_soon_threadsafe(finish, result, failure)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return

        try:
            self._jobs.put_nowait(work)
        except queue.Full as error:
            raise LongwatchError(f"{self.name} does not come back", why=f"{_LIMIT} jobs wait for it") from error
        return await future

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self.busy_since_boot_us = self._clock.boottime_us()
            job()
            self.busy_since_boot_us = None

    def stop(self, timeout_s: float) -> bool:
        """No more jobs; wait for the last one. False where it hangs."""
        try:
            self._jobs.put_nowait(None)
        except queue.Full:
            return False
        self._thread.join(timeout_s)
        return not self._thread.is_alive()
