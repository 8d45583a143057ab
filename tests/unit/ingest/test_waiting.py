import asyncio

import pytest

from longwatch.base.clock import ManualClock, SystemClock
from longwatch.base.tasks import Tasks
from longwatch.ingest.waiting import within


async def test_a_result_in_time() -> None:
    async def work() -> int:
        return 7

    assert await within(ManualClock(), 5, work()) == 7


async def test_an_error_is_handed_on_as_it_is() -> None:
    async def work() -> None:
        raise ConnectionRefusedError(111, "refused")

    with pytest.raises(ConnectionRefusedError):
        await within(SystemClock(), 5, work())


async def test_too_late() -> None:
    clock = ManualClock()
    cancelled = asyncio.Event()
    ends: list[BaseException] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def wait() -> None:
        try:
            await within(clock, 5, work())
        except TimeoutError as error:
            ends.append(error)

    tasks = Tasks("test")
    tasks.start("wait", wait())
    await clock.advance(4.9)
    assert not ends
    await clock.advance(0.2)
    assert len(ends) == 1
    assert cancelled.is_set()
