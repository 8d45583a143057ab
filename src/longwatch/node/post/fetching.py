"""A bundle comes to this post over its link: asked for part by part, written behind what is there, handed over once its hash is right. docs/design/upgrades.md.

Only what an ordered upgrade waits for is fetched, and of that only the one file. What is there survives cuts, kills and power cuts: how much of it is durable
stands beside it, and what was written behind that is fetched again. Owner of `upgrades/spool` of the first volume.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.model.uplink import Class
from longwatch.replication.fetching import MAX_PART, Fetch
from longwatch.trust.keys import write_private
from longwatch.trust.release import sha256_of
from longwatch.wire.uplink import MAX_OBJECT_BYTES, Body, LinkError, Message

FLUSH_BYTES = 128 << 10
MOST_WRONG = 3
"""So often something else came whole before it is given up."""
LOOK_S = 1.0
IDLE_S = 30.0
_RETRY_US = 30_000_000
_log = structlog.get_logger(__name__)
_WHY = {
    "stopped": "the hub stopped this roll-out before the bundle was here",
    "unknown": "the hub does not know any more that it told this",
    "gone": "the bundle is not at the hub any more",
}


class Link(Protocol):
    """`node.post.uplink.Uplink`, as far as it is asked here."""

    @property
    def connected(self) -> bool: ...
    @property
    def quantum(self) -> int: ...
    def on(self, kind: str, handler: Any) -> None: ...
    def on_connect(self, told: Callable[[Mapping[str, Any]], None]) -> None: ...
    def say(self, message: Message | Body, cls: Class = Class.ASKED) -> bool: ...
    def saying(self, cls: Class = Class.ASKED) -> int: ...


class Upgrading(Protocol):
    """`node.upgrade.upgrading.Upgrading`, as far as it is asked here."""

    on_wanted: list[Callable[[], None]]

    def wanted(self) -> tuple[str, int] | None: ...
    async def arrived(self, sha256: str, path: Path) -> None: ...
    async def travel_failed(self, sha256: str, why: str) -> None: ...


class Fetching:
    """See the module. post: its id. rate: bytes a second that the settings allow the link; None: no cap."""

    def __init__(
        self, post: str, link: Link, upgrading: Upgrading, clock: Clock, folder: Path, rate: Callable[[], int | None]
    ) -> None:  # fmt: skip
        self._post = post
        self._link = link
        self._upgrading = upgrading
        self._clock = clock
        self._folder = folder
        self._rate = rate
        self._fetch: Fetch | None = None
        self._durable = 0
        self._wrong = 0
        self._not_before_us = 0
        self._turn = asyncio.Lock()
        self._fresh = asyncio.Event()
        link.on("part", self._part)
        link.on("no_fetch", self._refused)
        link.on_connect(self._connected)
        upgrading.on_wanted.append(self._fresh.set)

    # -- running

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self.look()
            except (LongwatchError, OSError) as error:
                _log.warning("the bundle that the hub sends cannot be taken now", reason=str(error))
                self._not_before_us = self._clock.boottime_us() + _RETRY_US
            wait_s = LOOK_S if self._fetch is not None else IDLE_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._fresh.wait()
            self._fresh.clear()

    async def look(self) -> None:
        """Ask for what is next, if anything is. Raises LongwatchError, OSError."""
        async with self._turn:
            wanted = self._upgrading.wanted()
            if wanted is None or not 0 < wanted[1] <= MAX_OBJECT_BYTES or not re.fullmatch("[0-9a-f]{64}", wanted[0]):
                await self._leave(wanted)
                return
            if self._fetch is None or (self._fetch.sha256, self._fetch.size) != wanted:
                self._fetch = await asyncio.to_thread(self._begin, *wanted)
                self._fetch.begin(self._clock.boottime_us())
            if self._fetch.whole:
                await self._finish(self._fetch)
            else:
                self._ask(self._fetch)

    def _ask(self, fetch: Fetch) -> None:
        now_us = self._clock.boottime_us()
        if now_us < self._not_before_us or not self._link.connected or self._link.saying(Class.BULK):
            return  # one that waits for its window, or its budget, is enough
        rate = self._rate()
        body = fetch.next(now_us, min(MAX_PART, self._link.quantum), None if rate is None else rate // 2)
        if body is not None:
            self._link.say(Message("fetch", {"post": self._post, **body}), Class.BULK)

    async def _leave(self, wanted: tuple[str, int] | None) -> None:
        if wanted is not None:
            await self._upgrading.travel_failed(wanted[0], "this is too large to come over a link, or no bundle's name")
        if self._fetch is not None:
            self._fetch = None
            await asyncio.to_thread(self._sweep, "")

    # -- the file

    def _begin(self, sha256: str, size: int) -> Fetch:
        """As much as is durable is gone on from. Blocks."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep(sha256)
        have = 0
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            have = min(
                int(json.loads(self._beside(sha256).read_bytes())["durable"]), self._file(sha256).stat().st_size, size
            )
        descriptor = os.open(self._file(sha256), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.ftruncate(descriptor, max(0, have))
        finally:
            os.close(descriptor)
        self._durable, self._wrong = max(0, have), 0
        return Fetch(sha256, size, self._durable)

    def _sweep(self, but: str) -> None:
        """What was begun for another order."""
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            if not but or not path.name.startswith(but):
                path.unlink(missing_ok=True)

    def _file(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.part"

    def _beside(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.json"

    def _write(self, fetch: Fetch, data: bytes) -> None:
        with self._file(fetch.sha256).open("r+b") as file:
            file.seek(fetch.have - len(data))
            file.write(data)
            if fetch.have - self._durable >= FLUSH_BYTES or fetch.whole:
                file.flush()
                os.fdatasync(file.fileno())
        if fetch.have - self._durable >= FLUSH_BYTES or fetch.whole:
            write_private(self._beside(fetch.sha256), json.dumps({"durable": fetch.have}).encode())
            self._durable = fetch.have

    async def _finish(self, fetch: Fetch) -> None:
        path = self._file(fetch.sha256)
        found, _ = await asyncio.to_thread(sha256_of, path)
        if found.hex() == fetch.sha256:
            _log.info("the bundle of a release is here", sha256=fetch.sha256, size=fetch.size)
            self._fetch = None
            await self._upgrading.arrived(fetch.sha256, path)
            await asyncio.to_thread(self._sweep, "")
            return
        self._wrong += 1
        _log.error(
            "what came is not the bundle that was ordered", sha256=fetch.sha256, found=found.hex(), times=self._wrong
        )
        if self._wrong >= MOST_WRONG:
            self._fetch = None
            await self._upgrading.travel_failed(fetch.sha256, "what came is not the bundle that was ordered")
            await asyncio.to_thread(self._sweep, "")
            return
        await asyncio.to_thread(os.truncate, path, 0)
        self._durable = 0
        fetch.anew(self._clock.boottime_us())
        self._fresh.set()

    # -- the link

    def _connected(self, _: Mapping[str, Any]) -> None:
        if self._fetch is not None:
            self._fetch.begin(self._clock.boottime_us())
        self._fresh.set()

    async def _part(self, message: Message | Body) -> None:
        """Of the bundle that is wanted; else it is passed over: it may have been on its way."""
        if not isinstance(message, Body):
            return
        offset, of = message.header.get("offset"), message.header.get("of")
        async with self._turn:
            fetch = self._fetch
            if fetch is None or type(offset) is not int or offset < 0 or of != fetch.sha256[:16]:
                return
            have = fetch.have
            try:
                fresh = fetch.take(offset, message.data, self._clock.boottime_us())
                if fresh:
                    await asyncio.to_thread(self._write, fetch, fresh)
            except (LinkError, LongwatchError, OSError) as error:
                _log.warning("a part of a bundle cannot be taken", reason=str(error))
                fetch.have = have
                fetch.begin(self._clock.boottime_us())
                self._not_before_us = self._clock.boottime_us() + _RETRY_US
                return
            if fetch.whole:
                self._fresh.set()
            else:
                self._ask(fetch)

    async def _refused(self, message: Message | Body) -> None:
        said = message.body if isinstance(message, Message) else {}
        async with self._turn:
            if self._fetch is None or said.get("sha256") != self._fetch.sha256:
                return
            sha256, self._fetch = self._fetch.sha256, None
            why = _WHY.get(str(said.get("what")), "the hub does not send it")
            _log.warning("the hub does not send the bundle", sha256=sha256, why=why)
            await self._upgrading.travel_failed(sha256, why)
            await asyncio.to_thread(self._sweep, "")
