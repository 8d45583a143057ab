"""What the first who asks would wait for is done when the server starts."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import httpx
import pytest
from fastapi import FastAPI
from tests.support.memory_index import MemoryIndex

from longwatch.archive.reader import NotReadyError
from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError
from longwatch.web import warming
from longwatch.web.deps import READERS, Deps
from longwatch.web.warming import forget_sources, warm

_T = TypeVar("_T")


class Asked(MemoryIndex):
    """Remembers which threads asked it, and what it is to answer first."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__(set_up=[("gate", "main", 0)])
        self.threads: set[int] = set()
        self.rehearsed = 0
        self.errors = list(errors)

    def cameras(self) -> list[tuple[str, str, int]]:
        if self.errors:
            raise self.errors[0]
        self.threads.add(threading.get_ident())
        return super().cameras()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, the readers meet."""
    monkeypatch.setattr(warming, "_TOGETHER_S", 60.0)


async def warmed(index: Asked, clock: ManualClock, meanwhile: Callable[[], None] = lambda: None) -> None:
    with ThreadPoolExecutor(READERS) as readers:

        async def read(function: Callable[..., _T], *arguments: Any) -> _T:
            return await asyncio.get_running_loop().run_in_executor(readers, function, *arguments)

        async def rehearse() -> None:
            index.rehearsed += 1

        accounts = SimpleNamespace(journal=SimpleNamespace(rehearse=rehearse))
        deps = cast("Deps", SimpleNamespace(read=read, index=index, clock=clock, posts=None, accounts=accounts))
        task = asyncio.ensure_future(warm(FastAPI(), deps))
        while not task.done():
            await clock.advance(0.1)
            meanwhile()
        await task


async def test_every_reader_has_looked_once():
    index = Asked()
    await warmed(index, ManualClock())
    assert len(index.threads) == READERS
    assert index.rehearsed == 1


async def test_an_index_that_is_still_being_made_is_waited_for():
    index, clock = Asked(NotReadyError("not yet")), ManualClock()
    before_us = clock.wall_us()

    def made_after_three_seconds() -> None:
        if clock.wall_us() - before_us > 3_000_000:
            index.errors.clear()

    await warmed(index, clock, made_after_three_seconds)
    assert len(index.threads) == READERS


async def test_an_index_that_cannot_be_read_is_left_to_who_asks():
    index = Asked(LongwatchError("broken"))
    await warmed(index, ManualClock())
    assert not index.threads


async def test_no_source_is_looked_up_at_the_first_request(monkeypatch: pytest.MonkeyPatch):
    looked_up: list[object] = []
    monkeypatch.setattr(inspect, "getsourcelines", lambda func: (looked_up.append(func), 1))

    async def ask(*, ready: bool) -> None:
        app = FastAPI()

        @app.get("/")
        async def endpoint() -> str:
            return "here"

        if ready:
            forget_sources(app)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            assert (await client.get("/")).json() == "here"

    await ask(ready=True)
    assert looked_up == []
    await ask(ready=False)  # else this test would not see it
    assert len(looked_up) == 1
