"""Simulated devices as a process of their own: serve until told to end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import uvloop

Simulated = AbstractAsyncContextManager[Any]
"""A camera, a switch, a relay: whatever begins and ends with its context."""


def serve(cameras: Sequence[Simulated], ready: Callable[[], None], *, until_end_of: int | None = None) -> None:
    """Start all, call `ready`, and serve until SIGINT or SIGTERM; or until the pipe with descriptor `until_end_of` ends,
    which is how a child notices that its parent is gone.
    """
    uvloop.run(_serve(cameras, ready, until_end_of))


async def _serve(cameras: Sequence[Simulated], ready: Callable[[], None], until_end_of: int | None) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with contextlib.AsyncExitStack() as stack:
        for camera in cameras:
            await stack.enter_async_context(camera)
        if until_end_of is not None:
            loop.add_reader(until_end_of, _read, loop, until_end_of, ended)
        ready()
        await ended.wait()


def _read(loop: asyncio.AbstractEventLoop, descriptor: int, ended: asyncio.Event) -> None:
    """There is something to read, or the other end is gone."""
    if not os.read(descriptor, 4096):
        loop.remove_reader(descriptor)
        ended.set()
