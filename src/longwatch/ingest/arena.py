"""One read buffer for all connections of an event loop.

A read is taken apart before the loop does anything else (asyncio and uvloop call `get_buffer`, read, and call
`buffer_updated` in one go), so one buffer serves every camera: it stays in the processor's cache, and a connection keeps
nothing but the tail of a packet that is not whole yet. Nobody may keep a view of it.
"""

from __future__ import annotations

import asyncio
import weakref

from longwatch.formats.rtsp import MAX_ITEM_BYTES

ARENA_BYTES = 256 << 10
assert ARENA_BYTES >= MAX_ITEM_BYTES + (32 << 10), "a connection's tail and a good read must fit"


class ReadArena:
    """The buffer, and a view of it for the transports."""

    __slots__ = ("__weakref__", "buffer", "view")

    def __init__(self) -> None:
        self.buffer = bytearray(ARENA_BYTES)
        self.view = memoryview(self.buffer)


_arenas: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, ReadArena] = weakref.WeakKeyDictionary()


def arena_of(loop: asyncio.AbstractEventLoop) -> ReadArena:
    """The buffer of this loop. Owner of the state: this module; one per loop, for as long as the loop lives."""
    arena = _arenas.get(loop)
    if arena is None:
        arena = _arenas[loop] = ReadArena()
    return arena
