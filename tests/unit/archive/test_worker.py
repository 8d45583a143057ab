import asyncio
import threading

import pytest

from longwatch.archive.worker import Worker
from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError


async def test_jobs_come_one_after_another_and_errors_come_back():
    worker = Worker("test", ManualClock())
    seen: list[int] = []

    def job(n: int) -> int:
        seen.append(n)
        if n == 2:
            raise OSError(5, "two")
        return n * 10

    results = await asyncio.gather(*(worker.run(job, n) for n in range(4)), return_exceptions=True)
    assert seen == [0, 1, 2, 3]
    assert [r for r in results if not isinstance(r, OSError)] == [0, 10, 30]
    assert worker.stop(5)


async def test_it_says_since_when_it_is_busy_and_refuses_endless_work():
    clock = ManualClock(boottime_us=77)
    worker = Worker("slow disk", clock)
    held, begun = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        held.wait(20)

    stuck = asyncio.ensure_future(worker.run(hang))
    await asyncio.to_thread(begun.wait, 5)
    clock.tick(1000)
    assert worker.busy_since_boot_us == 77
    waiting = [asyncio.ensure_future(worker.run(int)) for _ in range(256)]
    await asyncio.sleep(0)
    with pytest.raises(LongwatchError, match="slow disk does not come back"):
        await worker.run(int)
    assert not worker.stop(0.01)
    held.set()
    await asyncio.gather(stuck, *waiting)
    assert worker.stop(5)
    assert worker.busy_since_boot_us is None
