"""A hub's end of the WebSockets: who is taken to be connected, and who is told what."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support.uplink_memory import MemoryHub

from longwatch.base.clock import ManualClock
from longwatch.replication.serving import Uplinks
from longwatch.wire.uplink import Message, decode, encode


class Wire:
    """What a site sends is put into `frames`; what it is told stands in `said`."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[bytes] = asyncio.Queue()
        self.said: list[Any] = []

    async def send(self, message: bytes) -> None:
        self.said.append(decode(message))

    async def recv(self, decode: bool | None = None) -> str | bytes:
        return await self.frames.get()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.said.append((code, reason))


async def call(function: Any, *arguments: Any) -> Any:
    return function(*arguments)


async def test_a_post_that_says_to_be_others_hides_no_silence_and_is_told_nothing_of_theirs() -> None:
    uplinks, wire = Uplinks(ManualClock()), Wire()
    serving = asyncio.ensure_future(uplinks.serve(wire, "north", MemoryHub(), call, {"hub": "hq"}))
    await wire.frames.put(encode(Message("hello", {"site": "north", "posts": ["north", "south", "*", 7]})))
    while not wire.said:
        await asyncio.sleep(0)
    assert uplinks.connected("north")
    assert not uplinks.connected("south"), "its silence would be hidden"
    assert not uplinks.say("south", Message("want", {"request": 1, "reason": "a secret of south"}))
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    await uplinks.aclose()
