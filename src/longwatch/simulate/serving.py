"""Simulated cameras as a process of their own: serve until told to end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence

import uvloop

from longwatch.base.tasks import Tasks
from longwatch.simulate.camera import SimulatedCamera


def serve(cameras: Sequence[SimulatedCamera], ready: Callable[[], None], *, until_end_of: int | None = None) -> None:
    """Start all, call `ready`, and serve until SIGINT or SIGTERM; or until the pipe with descriptor `until_end_of` ends,
    which is how a child notices that its parent is gone.
    """
    uvloop.run(_serve(cameras, ready, until_end_of))


async def _serve(cameras: Sequence[SimulatedCamera], ready: Callable[[], None], until_end_of: int | None) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    tasks = Tasks("simulate")
    async with contextlib.AsyncExitStack() as stack:
        for camera in cameras:
            await stack.enter_async_context(camera)
        if until_end_of is not None:
            tasks.start("parent", _parent_gone(until_end_of, ended))
        ready()
        await ended.wait()
        await tasks.aclose()


async def _parent_gone(descriptor: int, ended: asyncio.Event) -> None:
    while await asyncio.to_thread(os.read, descriptor, 4096):
        pass
    ended.set()
