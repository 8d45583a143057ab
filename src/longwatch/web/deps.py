"""What the web is made of, handed in by the composition root; and the site as the settings describe it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from longwatch.accounts import Accounts, Who
from longwatch.accounts.provider import ProviderOptions
from longwatch.archive.published import PublishedLog
from longwatch.base.clock import Clock
from longwatch.events.looked import Looked
from longwatch.exports import ExportDesk
from longwatch.formats.onvif_radiometry import Reading
from longwatch.health import RecorderLink, RecorderStatus, Snapshot
from longwatch.live import Hub
from longwatch.live.remote import RemoteLive
from longwatch.model.alarms import Alarm
from longwatch.model.areas import Area
from longwatch.model.audit import Mention, Question
from longwatch.model.event_rows import Asked, Crowd, Stored
from longwatch.model.events import Event, EventChange
from longwatch.model.heat import StillNews, StillOptions
from longwatch.model.holds import Hold
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import GapSpan, RecordedSpan, SegmentSource
from longwatch.model.watching import DetectionState, Moved, WatcherState
from longwatch.notify.desk import Desk
from longwatch.playback import Recoder, Stills
from longwatch.playback.heat import HeatStills
from longwatch.strips import Strips
from longwatch.strips.distant import DistantStrips
from longwatch.timeline import Tile
from longwatch.timeline.wide import WideRows
from longwatch.web.settings_desk import SettingsDesk

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SiteCamera:
    """A camera of the settings, without its addresses: the web has no need to know them. covers: what it sees, in the owner's words.
    scheduled: it is not recorded all the time. max_age_s: how long its footage is kept at most. masks: parts of the picture that are
    never recorded; shades: those that are only hidden from viewers. masked, shaded: where they are. stills: it gives thermal stills. zones, lines: how
    many there are; None: that is known at its post.
    """

    id: str
    name: str
    kind: str = "visible"
    record: str = "continuous"
    audio: bool = True
    streams: tuple[str, ...] = ("main",)
    covers: str = ""
    scheduled: bool = False
    max_age_s: int = 30 * 86_400
    masks: int = 0
    shades: int = 0
    masked: tuple[Area, ...] = ()
    shaded: tuple[Area, ...] = ()
    stills: bool = False
    zones: int | None = None
    lines: int | None = None


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long footage is kept at most, and what stays free of each volume: bytes, or a fraction of it."""

    max_age_s: int = 30 * 86_400
    max_size_bytes: int | None = None
    keep_free_bytes: int = 0
    keep_free_fraction: float = 0.0

    def keep_free_of(self, size_bytes: int) -> int:
        """Of a volume of that size."""
        return max(self.keep_free_bytes, round(size_bytes * self.keep_free_fraction))


@dataclass(frozen=True, slots=True)
class NoticeText:
    """What the owner tells the public: who runs the post, what for, whom to ask. address: of this post, as people type it."""

    operator: str = ""
    purpose: str = ""
    contact: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """The post as its settings describe it; replaced whole on a reload."""

    id: str
    name: str
    timezone: str
    cameras: tuple[SiteCamera, ...] = ()
    keeping: Keeping = field(default_factory=Keeping)
    notice: NoticeText = field(default_factory=NoticeText)
    _by_id: dict[str, SiteCamera] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._by_id.update((camera.id, camera) for camera in reversed(self.cameras))

    def camera(self, camera_id: str) -> SiteCamera | None:
        """By id: a hub has ten thousand."""
        return self._by_id.get(camera_id)


READERS = 4
"""Threads that read the archive."""


@dataclass(frozen=True, slots=True)
class Options:
    """static: the console's built pages. version: of the program. name: the host name that people type, "" where none is set.
    provider: of identities, by which people may sign in too.
    """

    static: Path = Path(__file__).parent / "static"
    version: str = ""
    name: str = ""
    provider: ProviderOptions | None = None


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
    def set_up_us(self, key: StreamKey) -> int | None: ...
    def recorded_spans(self, key: StreamKey, from_us: int, to_us: int) -> list[RecordedSpan]: ...
    def gaps(self, camera: str | None, from_us: int, to_us: int) -> list[tuple[StreamKey, GapSpan]]: ...
    def gaps_of(self, key: StreamKey, from_us: int, to_us: int) -> list[GapSpan]: ...
    def wide(
        self, keys: Sequence[StreamKey], from_us: int, to_us: int, *, whole_quarters: bool = False
    ) -> WideRows: ...
    def tilings(self, keys: Sequence[StreamKey], from_us: int, to_us: int) -> Sequence[tuple[int, Sequence[Tile]]]: ...
    def gone(self, key: StreamKey, from_us: int, to_us: int) -> list[tuple[int, int]]: ...
    def accounted_until_us(self, key: StreamKey | None = None) -> int: ...
    def stats(self, key: StreamKey) -> StoredTotals: ...
    def audit(self, asked: Question) -> list[Mention]: ...
    def alarms(
        self,
        *,
        everything: bool = False,
        before: int | None = None,
        limit: int = 1000,
        cameras: Sequence[str] | None = None,
    ) -> list[Alarm]: ...
    def alarm(self, number: int) -> Alarm | None: ...
    def holds(self, *, everything: bool = False, number: int | None = None) -> list[Hold]: ...
    def alarm_counts(self) -> dict[tuple[str, str], tuple[int, int]]: ...


class Reporting(Protocol):
    """Reports of the archive, as `node` makes them. Calls block."""

    def look(self, from_us: int, to_us: int, cameras: frozenset[str] | None) -> bytes:
        """As JSON; of these cameras, None for all. Raises LongwatchError."""
        ...

    def make(self, from_us: int, to_us: int, person: dict[str, Any]) -> bytes:
        """Signed, as a zip; its entry is durable before this returns. Raises LongwatchError."""
        ...


class Verifying(Protocol):
    """One proof of the data folder at a time."""

    def start(self) -> None:
        """Begin, unless one is under way."""
        ...

    def describe(self) -> dict[str, Any]:
        """`models_condition.Verification`."""
        ...


class Probing(Protocol):
    """Trying a camera, as `node` does it."""

    async def probe(self, url: str, transport: str, *, verify_certificate: bool) -> dict[str, Any]:
        """As models_settings.Probed. Raises LongwatchError."""
        ...


class OwnLink(Protocol):
    """The link of this site to its hub, as `node` knows it."""

    def describe(self) -> dict[str, Any]:
        """As models_link.OwnLink."""
        ...


class Posts(Protocol):
    """The posts of a hub, as `node` knows them."""

    def items(self) -> list[dict[str, Any]]:
        """Each as models_posts.Post."""
        ...

    def changes(self, since: str) -> tuple[list[dict[str, Any]], str, bool]:
        """Those that changed since a cursor, a newer cursor, and whether these are all."""
        ...

    def item(self, post: str) -> dict[str, Any] | None:
        """One of them."""
        ...

    def checkpoint(self, post: str) -> str | None:
        """The newest head of its ledger that was verified, countersigned."""
        ...

    def snapshot(self, own: Snapshot) -> Snapshot:
        """The hub's own, with the states of all cameras of its posts."""
        ...

    async def invite(self, post: str, who: Who, reason: str) -> tuple[str, int]:
        """A code, and when it ends. Raises UsageError."""
        ...

    async def statement(self, post: str, who: Who, reason: str) -> bytes:
        """What is left of it, signed, as a zip. Raises LongwatchError."""
        ...

    async def revoke(self, post: str, who: Who, reason: str) -> None:
        """From now on nothing is taken from it. Raises UsageError."""
        ...


class CommandDesk(Protocol):
    """What people at a hub tell its posts to do: `node.hub.commands`. Rows: `fleet.CommandRow`."""

    async def read(self, post: str, who: Who, reason: str) -> Any:
        """Ask for the text of its settings."""
        ...

    async def check(self, post: str, text: str, revision: str) -> dict[str, Any]:
        """As models_settings.Checked."""
        ...

    async def save(self, post: str, text: str, revision: str, who: Who, reason: str) -> Any:
        """Settings that it is to take."""
        ...

    async def acknowledge(self, alarm: int, who: Who, reason: str) -> int:
        """An alarm of a post, by its number here. The number of our own entry."""
        ...

    async def acknowledging(self) -> dict[int, Any]:
        """By alarm: the newest acknowledgement that was given here."""
        ...

    async def listed(self, post: str) -> Sequence[Any]:
        """The newest first."""
        ...

    async def withdraw(self, post: str, number: int, who: Who) -> None:
        """One that it has not heard of."""
        ...


class EventRows(Protocol):
    """What was seen, as it is kept: `events.EventStore`, at a hub `fleet.FleetEvents`. Calls block; use `Deps.read`."""

    def one(self, event: str, /) -> Stored | None: ...
    def find(self, asked: Asked, limit: int, /) -> list[Stored]: ...
    def crowds(self, asked: Asked, step_us: int, /) -> list[Crowd]: ...
    def blind(self, asked: Asked, limit: int = 2_000, /) -> list[Event]: ...


class EventPictures(Protocol):
    """Their pictures, as far as they are here."""

    async def of(self, stored: Stored, /) -> bytes | None: ...


class UpgradeDesk(Protocol):
    """New versions for a hub's posts (`node.hub.upgrades.UpgradeDesk`, whose docstrings say what each does). Rows: `fleet.releases`."""

    def incoming(self, name: str) -> Path: ...
    async def add(self, path: Path, who: Who, reason: str, *, move: bool = False) -> Any: ...
    async def remove(self, sha256: str, who: Who, reason: str) -> None: ...
    async def releases(self) -> Sequence[Any]: ...
    async def posts(self, sha256: str) -> list[dict[str, Any]]: ...
    async def roll(self, sha256: str, posts: Sequence[str], who: Who, reason: str) -> Any: ...
    async def stop(self, number: int, who: Who, reason: str) -> Any: ...
    async def rollouts(self) -> Sequence[tuple[Any, list[dict[str, Any]]]]: ...


class EventDesk(Protocol):
    """What was seen: at a post `node.watch.watching.Watching`, at a hub `node.hub.events.HubEvents`. on_change: told of each, on the loop."""

    on_change: list[Callable[[EventChange], None]]

    @property
    def store(self) -> EventRows: ...
    @property
    def pictures(self) -> EventPictures: ...

    async def reviewed(self, event: str, *, done: bool, subject: int, by: str) -> Stored | None:
        """Somebody looked at it, or takes that back. None where there is no such event."""
        ...

    async def ask(self, event: str, by: str = "") -> Stored | None:
        """Its picture lies at its post, and is wanted here. None where there is no such event. At a post they are all here."""
        ...


class StretchDesk(Protocol):
    """Stretches that people want at a hub (`node.hub.requests.RequestDesk`, whose docstrings say what each does)."""

    async def make(self, key: StreamKey, from_us: int, to_us: int, who: Who, reason: str) -> Any: ...
    async def listed(self, limit: int = 1000) -> Sequence[Any]: ...
    async def one(self, number: int) -> Any: ...
    async def withdraw(self, number: int, who: Who) -> None: ...


class Detection(Protocol):
    """How looking at pictures goes: `node.watch.looking`."""

    @property
    def watcher(self) -> WatcherState: ...
    def state(self, camera: str) -> DetectionState | None: ...
    def states(self) -> Sequence[DetectionState]: ...
    async def moved(self, camera: str, hours: int) -> Moved: ...


class Thermometers(Protocol):
    """What thermal cameras measure: `node.watch.temperatures`."""

    def now(self, camera: str) -> Mapping[str, Reading]: ...
    def unread(self, camera: str) -> int: ...
    def still_options(self, camera: str) -> StillOptions | None: ...
    def still_news(self, camera: str) -> StillNews | None: ...


@dataclass(slots=True)
class Deps:
    """site: asked at each request, so that a reload shows at once. posts, requests, remote: None at a post."""

    accounts: Accounts
    index: Index
    recorder: RecorderLink
    status: RecorderStatus
    live: Hub
    stills: Stills
    clock: Clock
    site: Callable[[], Site]
    options: Options = field(default_factory=Options)
    reporting: Reporting | None = None
    verifying: Verifying | None = None
    log: PublishedLog = field(default_factory=lambda: PublishedLog(()))
    strips: Strips | DistantStrips | None = None
    recoder: Recoder | None = None
    settings: SettingsDesk | None = None
    probing: Probing | None = None
    exports: ExportDesk | None = None
    events: EventDesk | None = None
    posts: Posts | None = None
    requests: StretchDesk | None = None
    commands: CommandDesk | None = None
    upgrades: UpgradeDesk | None = None
    link: OwnLink | None = None
    remote: RemoteLive | None = None
    notify: Desk | None = None
    detection: Detection | None = None
    looked: Looked | None = None
    temperatures: Thermometers | None = None
    heat_stills: HeatStills | None = None
    readers: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(READERS, thread_name_prefix="archive-reader")
    )
    long_turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    async def camera_states(self) -> Snapshot:
        """How every camera that is shown here is now: at a hub, those of its posts."""
        own = await self.status.now()
        return own if self.posts is None else self.posts.snapshot(own)

    async def read(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Run something that reads the archive, off the event loop."""
        return await self.begin_reading(function, *arguments)

    def begin_reading(self, function: Callable[..., _T], *arguments: Any) -> asyncio.Future[_T]:
        """The same, begun now, to be awaited later."""
        return asyncio.get_running_loop().run_in_executor(self.readers, function, *arguments)

    async def read_long(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """The same of what looks through months: at most half of the readers, so that pictures never wait for reports."""
        async with self.long_turns:
            return await self.read(function, *arguments)
