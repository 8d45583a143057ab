"""A hub's posts, wherever they dialled in: what `replication.serving.Uplinks` is for the connections of one process, for those of all.

What is for a post whose connection a door holds goes to that door, and what such a post answers comes from there: frames as they go over the link. A post that
appears at a door is told what waits for it, as one that appears here; and it is told again where something of that did not get through: its link may stand for weeks. Where a post is, is read in the database and kept fresh by facts of the bus.
Owner of what is known of the doors: the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks
from longwatch.bus import Said
from longwatch.fleet import Processes, Reached
from longwatch.replication.serving import Handler, Uplinks
from longwatch.wire.uplink import Body, LinkError, Message, decode, encode

if TYPE_CHECKING:  # most hubs have no broker
    from longwatch.bus import Bus

_log = structlog.get_logger(__name__)
EVERY_S = 30.0


class HubLinks:
    """local: the connections of this process. bus, processes: None where there are no others; then this is `local` and nothing more.

    on_broken: told which posts are reached by a door of which something did not come: what was half here of them never becomes whole.
    """

    def __init__(
        self, local: Uplinks, clock: Clock, bus: Bus | None = None, processes: Processes | None = None
    ) -> None:
        self.local = local
        self.on_broken: list[Callable[[Callable[[str], bool]], None]] = []
        self._clock = clock
        self._bus = bus
        self._processes = processes
        self._far: Mapping[str, Reached] = {}
        self._owed: set[str] = set()  # sites at doors of which something that was said to them got lost
        self._handlers: dict[str, Handler] = {}
        self._on_connect: list[Callable[[str], Coroutine[Any, Any, None]]] = []
        self._fresh = asyncio.Event()
        self._tasks = Tasks("hub-links")
        if bus is not None:
            bus.on("contact", self._changed)
            bus.on("left", self._changed)
            bus.on("unheard", self._unheard)
            bus.on_missed.append(self._missed)
            bus.on_said("frame", self._frame)
            bus.on_broken.append(self._broken)

    def start(self) -> None:
        """Follow the other processes, where there are any."""
        if self._bus is not None:
            self._tasks.start("links", self._run())

    async def aclose(self) -> None:
        """Of the doors nothing is known any more."""
        await self._tasks.aclose()

    # -- as Uplinks

    def on(self, kind: str, handler: Handler) -> None:
        """As Uplinks."""
        self.local.on(kind, handler)
        self._handlers[kind] = handler

    def on_connect(self, told: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        """As Uplinks; at a door too."""
        self.local.on_connect(told)
        self._on_connect.append(told)

    def connected(self, post: str) -> bool:
        """Here, or at a door."""
        return self.local.connected(post) or post in self._far

    def say(self, post: str, message: Message | Body) -> bool:
        """False where the post is nowhere, or too much waits on the way to it."""
        if self.local.connected(post):
            return self.local.say(post, message)
        far = self._far.get(post)
        if far is None or self._bus is None:
            return False
        if self._bus.say(far.process, "frame", {"post": post}, encode(message)):
            return True
        self._owed.add(far.site)
        return False

    # -- what doors say

    async def _frame(self, said: Said) -> None:
        """Of a post, as it came over its link; the door has seen to it that it speaks for that post."""
        post = said.body.get("post")
        try:
            message = decode(said.data)
        except LinkError as error:
            _log.warning("a frame that a door handed on cannot be read", door=said.sender, reason=str(error))
            return
        if isinstance(post, str) and isinstance(message, Message | Body) and message.kind in self._handlers:
            await self._handlers[message.kind](post, message)

    async def _broken(self, sender: str) -> None:
        for told in self.on_broken:
            told(lambda post: (far := self._far.get(post)) is not None and far.process == sender)

    async def _changed(self, _: Said) -> None:
        self._fresh.set()

    async def _missed(self, sender: str) -> None:
        self._owe(sender)

    async def _unheard(self, said: Said) -> None:
        """A door, of which something that was said to it did not come."""
        self._owe(said.sender)

    def _owe(self, process: str) -> None:
        self._owed |= {found.site for found in self._far.values() if process in {"", found.process}}
        self._fresh.set()

    async def _run(self) -> None:
        """For ever: when a fact says so, and now and then."""
        while True:
            try:
                await self.refresh()
            except LongwatchError as error:
                _log.warning("where posts dialled in cannot be read now", reason=str(error))
            try:
                async with asyncio.timeout(EVERY_S):
                    await self._fresh.wait()
            except TimeoutError:
                continue
            await self._clock.sleep(0.1)  # a thousand posts come back together: one look for many of them
            self._fresh.clear()

    async def refresh(self) -> None:
        """Read where the posts are; who appeared at a door, or missed something there, is told what waits. Raises LongwatchError."""
        if self._processes is None or self._bus is None:
            return
        before, me = self._far, self._bus.options.process
        reached = await asyncio.to_thread(self._processes.reached)
        self._far = {post: found for post, found in reached.items() if found.process not in {"", me}}
        appeared = {found.site for found in self._far.values()} - {
            found.site for post, found in before.items() if self._far.get(post) == found
        }
        owed, self._owed = self._owed & {found.site for found in self._far.values()}, set()
        for site in sorted(appeared | owed):
            for told in self._on_connect:
                self._tasks.start(f"appeared {site}", told(site))
