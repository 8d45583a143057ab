"""Pictures and short films of events that go with messages, for channels whose settings say so (`attach`).

What is made here is footage that leaves the post: each is entered before it goes, as a look by whoever reads that channel. Nothing of a camera with shades goes,
since a mail cannot lay them over the picture; and nothing of one that the settings withhold from hubs. At most `MOST_PICTURES` and one film a message.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any, Protocol

from longwatch.accounts.viewings import Look
from longwatch.accounts.who import BY_MESSAGE, Who
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.rfc3339 import format_us
from longwatch.model.clips import AROUND_US, clip_of
from longwatch.model.event_rows import Stored
from longwatch.model.sessions import StreamKey
from longwatch.notify.letter import Enclosure, Letter
from longwatch.notify.options import CLIP
from longwatch.playback import TableCache, VideoFile, VideoRequest
from longwatch.web.deps import EventDesk, Index, Site
from longwatch.web.footage import open_footage

MOST_PICTURES = 4
MOST_CLIP_BYTES = 8 << 20
"""Mail servers commonly take 10 MB and more, a third of which is base64. A main stream beyond that is sent as its sub-stream."""
MOST_PICTURE_BYTES = 2 << 20
PATIENCE_S = 8.0
"""A picture is made some seconds after its event began, and footage is durable within one."""
FRESH_US = 60_000_000
"""What ended longer ago has its picture by now, or never: a message that was held up is not held up more, nor the ones behind it."""
_LOOK_S = 0.5
_STREAMS = ("main", "sub")
Read = Callable[..., Awaitable[Any]]


class Journal(Protocol):
    """The ledger's (`accounts.journal.Journal`)."""

    async def looked(self, who: Who, camera: str, look: Look, *, goes_on: bool = False, part: bool = False) -> None: ...


class Enclosing:
    """See the module. read: runs what blocks on the archive. may_leave: whether pictures of a camera may."""

    def __init__(
        self, desk: EventDesk, index: Index, journal: Journal, read: Read, clock: Clock, may_leave: Callable[[str], bool]
    ) -> None:  # fmt: skip
        self._desk = desk
        self._index = index
        self._journal = journal
        self._read = read
        self._clock = clock
        self._may_leave = may_leave
        self._tables = TableCache(4 << 20)

    async def enclose(self, letter: Letter, attach: str) -> tuple[Enclosure, ...]:
        """`notify.letter.Enclose`."""
        until_us = self._clock.boottime_us() + int(PATIENCE_S * 1e6)
        found: list[Enclosure] = []
        with_clip = attach == CLIP
        for event in letter.events[:MOST_PICTURES]:
            stored = await self._picture(event, until_us)
            if stored is None:
                continue
            found += stored[1]
            if with_clip and (clip := await self._clip(stored[0], until_us)) is not None:
                found.append(clip)
                with_clip = False
        who = Who(BY_MESSAGE, user=f"whoever reads the channel {letter.channel}")
        now_us = self._clock.wall_us()
        for one in found:
            what = "still" if one.kind == "picture" else "recorded"
            look = Look(one.stream, what, min(one.at_us, now_us), min(one.to_us, now_us))
            await self._journal.looked(who, one.camera, look)
        return tuple(found)

    async def _picture(self, event: str, until_us: int) -> tuple[Stored, list[Enclosure]] | None:
        """The event, and its picture once there is one; None where nothing of it may leave, or it is known no more."""
        while True:
            stored: Stored | None = await self._read(self._desk.store.one, event)
            if stored is None or not self._may_leave(stored.event.camera):
                return None
            jpeg = await self._desk.pictures.of(stored)
            at_us = stored.pictured_us
            if jpeg is not None and at_us is not None:
                if len(jpeg) > MOST_PICTURE_BYTES:
                    return stored, []
                name = _name(stored.event.camera, at_us, "jpg")
                camera = stored.event.camera
                return stored, [Enclosure(event, camera, "main", "picture", name, "image/jpeg", at_us, at_us, jpeg)]
            old = self._clock.wall_us() - stored.event.last_us > FRESH_US
            if stored.away or old or self._clock.boottime_us() >= until_us:
                return stored, []
            await self._clock.sleep(_LOOK_S)

    async def _clip(self, stored: Stored, until_us: int) -> Enclosure | None:
        """Of what is durable by now, at least until five seconds after it began."""
        event = stored.event
        from_us, to_us = clip_of(event)
        least_us = min(to_us, event.from_us + AROUND_US)
        while self._clock.boottime_us() < until_us and self._clock.wall_us() - event.last_us <= FRESH_US:
            if int(await self._read(self._index.accounted_until_us, StreamKey(event.camera, "main"))) >= least_us:
                break
            await self._clock.sleep(_LOOK_S)
        for stream in _STREAMS:
            request = VideoRequest(StreamKey(event.camera, stream), from_us, to_us)
            try:
                file: VideoFile = await self._read(open_footage, self._index, self._tables, request)
                if file.size <= MOST_CLIP_BYTES:
                    data: bytes = await self._read(file.read, 0, file.size)
                    name = _name(event.camera, from_us, "mp4")
                    return Enclosure(event.id, event.camera, stream, "clip", name, "video/mp4", from_us, to_us, data)
            except LongwatchError:
                continue  # nothing is held of this stream
        return None


def may_leave(camera: str, site: Site, withheld: Collection[str]) -> bool:
    """Whether pictures of a camera may go with messages. What is not known here does not go."""
    known = site.camera(camera)
    return known is not None and not known.shades and camera not in withheld


def _name(camera: str, at_us: int, kind: str) -> str:
    """As people file it; no sign that a file system or a mail minds."""
    return f"{camera}-{format_us(at_us // 1_000_000 * 1_000_000).replace(':', '-')}.{kind}"
