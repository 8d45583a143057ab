"""What the hub confirmed is told to the recorder, segment by segment: by its objects on the link, or by a courier's receipt.

A segment counts when the hub has its closing box and all of its leaves, whatever pieces they came in. What is known of segments that are not whole is kept in
memory alone and bounded: after a start the hub says it again, for what is offered again. Owner of the state: the server's loop.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.health import RecorderLink
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import SegmentRow
from longwatch.model.uplink import ObjectInfo
from longwatch.replication.queue import Change

_log = structlog.get_logger(__name__)
EVERY_S = 2.0
AT_ONCE = 500
MOST_PARTS = 10_000
MOST_WHOLE = 50_000
Name = tuple[str, str, str, int, int]


class Segments(Protocol):
    """Looking up a segment by its identity: `archive.ArchiveReader`."""

    def segment_named(self, key: StreamKey, boot: str, run: int, sequence: int) -> SegmentRow | None: ...


@dataclass(slots=True)
class _Part:
    """What the hub has of a segment. leaves: sorted, apart from each other."""

    closing: bool = False
    leaves: list[tuple[int, int]] = field(default_factory=list)

    def add(self, first: int, last: int) -> None:
        merged: list[tuple[int, int]] = []
        for begin, end in sorted([*self.leaves, (first, last)]):
            if merged and begin <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], end))
            else:
                merged.append((begin, end))
        self.leaves = merged

    def is_whole(self, fragments: int) -> bool:
        return self.closing and self.leaves == [(0, fragments)]


class Confirming:
    """See the module. read: runs something that reads the archive off the loop."""

    def __init__(
        self,
        segments: Segments,
        recorder: RecorderLink,
        clock: Clock,
        read: Callable[..., Awaitable[SegmentRow | None]],
    ) -> None:
        self._segments = segments
        self._recorder = recorder
        self._clock = clock
        self._read = read
        self._parts: OrderedDict[Name, _Part] = OrderedDict()
        self._look: OrderedDict[Name, None] = OrderedDict()
        self._whole: OrderedDict[Name, None] = OrderedDict()
        self._wake = asyncio.Event()

    def changed(self, change: Change) -> None:
        """What became of an object (`Uplink.on_change`)."""
        if change.what == "confirmed" and change.item.info.kind in {"closing", "piece"}:
            self.has(change.item.info)

    def has(self, info: ObjectInfo) -> None:
        """The hub has committed this."""
        name = (info.camera, info.stream, info.boot, info.run, info.sequence)
        part = self._parts.setdefault(name, _Part())
        self._parts.move_to_end(name)
        if info.kind == "closing":
            part.closing = True
        else:
            part.add(info.first_leaf, info.last_leaf)
        while len(self._parts) > MOST_PARTS:
            self._parts.popitem(last=False)
        if part.closing and len(part.leaves) == 1 and part.leaves[0][0] == 0:
            self._look[name] = None
            self._wake.set()

    def whole(self, names: Sequence[Name]) -> None:
        """The hub has all of these segments: a courier's receipt says so."""
        for name in names:
            self._whole[name] = None
        while len(self._whole) > MOST_WHOLE:
            self._whole.popitem(last=False)
        self._wake.set()

    async def run(self) -> None:
        """For ever. What the recorder cannot take now waits."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.run_once()
            await self._clock.sleep(EVERY_S)

    async def run_once(self) -> None:
        """Tell the recorder what is whole."""
        for name in list(self._look):
            del self._look[name]
            await self._judge(name)
        while self._whole:
            batch = list(self._whole)[:AT_ONCE]
            try:
                await self._recorder.request("confirm", segments=[list(name) for name in batch])
            except LongwatchError as error:
                _log.warning("the recorder cannot take now what the hub confirmed", reason=str(error))
                self._wake.set()
                return
            for name in batch:
                self._whole.pop(name, None)

    async def _judge(self, name: Name) -> None:
        camera, stream, boot, run, sequence = name
        part = self._parts.get(name)
        try:
            row = await self._read(self._segments.segment_named, StreamKey(camera, stream), boot, run, sequence)
        except LongwatchError as error:
            _log.warning("the archive cannot be asked now", reason=str(error))
            return
        if row is None:
            self._parts.pop(name, None)
        elif part is not None and row.sealed and part.is_whole(row.fragments):
            self._parts.pop(name, None)
            self._whole[name] = None
