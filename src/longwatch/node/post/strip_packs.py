"""A post's strip pictures on their way to the hub: ten minutes of a camera as one object, thinned to what the settings allow the link.

A pack is made once its ten minutes are over and their pictures are made, the newest first within what was missed. Its bytes lie in `derived/uplink/` until the
hub has them or does not want them; how far a camera has come stands in `server.db`. If either is lost, the same packs are made again, and the hub says
that it has them. Owner of the folder: the server's loop.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import structlog

from longwatch.model.uplink import Class, ObjectInfo
from longwatch.node.post.outgoing import Decoder, Outgoing
from longwatch.replication.stretches import StretchRows
from longwatch.server_db import ServerDb
from longwatch.strips import Picture, Shelf
from longwatch.strips.shelf import STREAMS
from longwatch.wire.strip_pack import BLOCK_US, StripPicture, encode

FIRST_US = 86_400_000_000
"""A post that joins sends the strips of the last day; what is older is not sent by itself."""
_SETTLE_US = 90_000_000
_LATE_US = 3_600_000_000
_AT_ONCE = 12  # packs of one camera in one round
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PackRules:
    """cameras: of which strips go. every_us: at most one picture so often. width: in pixels; 0 as they are. hub: "" for none."""

    cameras: tuple[str, ...] = ()
    every_us: int = 60_000_000
    width: int = 0
    hub: str = ""


class Link(Protocol):
    """`node.post.uplink.Uplink`, as far as it is asked here."""

    def room(self, cls: Class) -> int: ...
    def queue_add(self, info: ObjectInfo, cls: Class, order: int, request: int = ...) -> bool: ...


class StripPacks:
    """Implements model.uplink.ObjectSource for `strip`. complete: whether all pictures of a stretch of a camera are made."""

    def __init__(
        self, db: ServerDb, shelf: Shelf, decoder: Decoder, link: Link, folder: Path, post: str, rules: Callable[[], PackRules],
        complete: Callable[[str, int, int], bool], read: Callable[..., Awaitable[Any]],
    ) -> None:  # fmt: skip
        self._db = db
        self._rows = StretchRows(db.engine)
        self._shelf = shelf
        self._link = link
        self._outgoing = Outgoing(folder, "strip", decoder)
        self._post = post
        self._rules = rules
        self._complete = complete
        self._read = read

    def read(self, info: ObjectInfo, offset: int, size: int) -> bytes:
        """See ObjectSource."""
        return self._outgoing.read(info, offset, size)

    def over(self, info: ObjectInfo) -> None:
        """The hub has it, or is not to have it."""
        if info.kind == "strip":
            self._outgoing.drop(info.sha256)

    async def work(self, until_us: int) -> int:
        """Make what is due. until_us: up to here everything is accounted for. How many packs were handed over."""
        rules, count = self._rules(), 0
        if not rules.hub:
            return 0
        for camera in rules.cameras:
            name = f"strips/{camera}"
            start_us = await self._db.call(self._rows.feed, name)
            if start_us is None:
                start_us = (until_us - FIRST_US) // BLOCK_US * BLOCK_US
            for _ in range(_AT_ONCE):
                end_us = start_us + BLOCK_US
                made = self._complete(camera, start_us, end_us) or end_us + _LATE_US <= until_us
                if end_us + _SETTLE_US > until_us or not made or self._link.room(Class.STRIP) < 1:
                    break
                if await self._pack(camera, start_us, rules):
                    count += 1
                start_us = end_us
                await self._db.call(self._rows.set_feed, name, start_us)
        return count

    async def _pack(self, camera: str, start_us: int, rules: PackRules) -> bool:
        pictures = await self._read(self._shelf.by_step, camera, start_us, start_us + BLOCK_US, rules.every_us)
        jpegs = await self._read(self._shelf.read, camera, pictures)
        found = [
            StripPicture(one.at_us, one.stream, await self._outgoing.small(jpeg, rules.width))
            for one, jpeg in zip(pictures, jpegs, strict=True)
            if jpeg
        ]
        if not found:
            return False
        data = encode(found)
        sha256 = hashlib.sha256(data).digest()
        await self._read(self._outgoing.write, sha256, data)
        info = ObjectInfo(sha256, len(data), "strip", self._post, camera, _stream(pictures), at_us=start_us)
        return self._link.queue_add(info, Class.STRIP, -start_us // 1_000_000)


def _stream(pictures: list[Picture]) -> str:
    return STREAMS[pictures[0].stream]
