"""What the web is made of, handed in by the composition root; and the site as the settings describe it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from longwatch.accounts import Accounts
from longwatch.base.clock import Clock
from longwatch.health import RecorderLink, RecorderStatus
from longwatch.live import Hub
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import GapSpan, RecordedSpan, SegmentSource
from longwatch.playback import Stills

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SiteCamera:
    """A camera of the settings, without its addresses: the web has no need to know them."""

    id: str
    name: str
    kind: str = "visible"
    record: str = "continuous"
    audio: bool = True
    streams: tuple[str, ...] = ("main",)


@dataclass(frozen=True, slots=True)
class Site:
    """The post as its settings describe it; replaced whole on a reload."""

    id: str
    name: str
    timezone: str
    cameras: tuple[SiteCamera, ...] = ()

    def camera(self, camera_id: str) -> SiteCamera | None:
        """By id."""
        return next((camera for camera in self.cameras if camera.id == camera_id), None)


@dataclass(frozen=True, slots=True)
class Options:
    """static: the console's built pages. version: of the program."""

    static: Path = Path(__file__).parent / "static"
    version: str = ""


class StoredTotals(Protocol):
    """What is stored of a stream: bytes, number of segments, first and last moment."""

    @property
    def bytes(self) -> int: ...
    @property
    def segments(self) -> int: ...
    @property
    def first_us(self) -> int | None: ...
    @property
    def last_us(self) -> int | None: ...


class Index(SegmentSource, Protocol):
    """The archive as the server reads it (`archive.ArchiveReader`). Calls block; use `Deps.read`."""

    def cameras(self) -> Sequence[tuple[str, str, int | None]]: ...
    def recorded_spans(self, key: StreamKey, from_us: int, to_us: int) -> list[RecordedSpan]: ...
    def gaps(self, camera: str | None, from_us: int, to_us: int) -> list[tuple[StreamKey, GapSpan]]: ...
    def gaps_of(self, key: StreamKey, from_us: int, to_us: int) -> list[GapSpan]: ...
    def accounted_until_us(self) -> int: ...
    def stats(self, key: StreamKey) -> StoredTotals: ...


@dataclass(slots=True)
class Deps:
    """site: asked at each request, so that a reload shows at once."""

    accounts: Accounts
    index: Index
    recorder: RecorderLink
    status: RecorderStatus
    live: Hub
    stills: Stills
    clock: Clock
    site: Callable[[], Site]
    options: Options = field(default_factory=Options)
    readers: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(4, thread_name_prefix="archive-reader")
    )

    async def read(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Run something that reads the archive, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.readers, function, *arguments)
