"""What of a post goes to its hub besides the ledger: stretches that were asked for, clips, bulk, strips, live views. Put together here.

One loop looks every few seconds what there is to hand over; the uplink has its own order and budgets. Nothing here is needed for recording, and none of
it is started before the site has joined a hub. docs/design/media-at-a-hub.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

from longwatch.accounts import Accounts, Who
from longwatch.accounts.who import AT_A_HUB
from longwatch.archive import ArchiveReader
from longwatch.archive.pieces import PieceSource
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.base.tasks import Tasks
from longwatch.config import Settings
from longwatch.config.uplink import Clips, LinkPictures, LinkStrips
from longwatch.events import Level, Pictures
from longwatch.events.outgoing import Outgoing
from longwatch.events.pictures import WIDTH
from longwatch.events.store import EventStore
from longwatch.ledger import kinds
from longwatch.live import Hub
from longwatch.model.causes import PLANNED, Cause
from longwatch.model.sessions import StreamKey
from longwatch.model.uplink import LinkState
from longwatch.node.post.event_pictures import EventPictures, PictureRules
from longwatch.node.post.live import PostLive
from longwatch.node.post.strip_packs import PackRules, StripPacks
from longwatch.node.post.uplink import Uplink
from longwatch.playback import Stills
from longwatch.replication.queue import Change
from longwatch.replication.stretches import Rules, Stretches, StretchRows, Wanted
from longwatch.strips import Strips

EVERY_S = 2.0
_FORGET_US = 90 * 86_400_000_000
_LOOK_BACK_US = 86_400_000_000
_SLOW_TURNS = 5
_OVER = frozenset({"confirmed", "refused", "gone", "dropped"})
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LiveRules:
    """See node.post.live.Rules."""

    withheld: frozenset[str]
    hub: str
    live_limit_s: int


class PostMedia:
    """hub: the id of the hub that was joined, "" for none; asked at each look."""

    def __init__(
        self, uplink: Uplink, accounts: Accounts, index: ArchiveReader, live: Hub, stills: Stills, rough: Stills, strips: Strips,
        settings: Callable[[], Settings], hub: Callable[[], str], clock: Clock,
        read: Callable[..., Awaitable[Any]], events: tuple[EventStore, Pictures] | None = None,
    ) -> None:  # fmt: skip
        """events: what was seen, and its pictures."""
        self._uplink = uplink
        self._accounts = accounts
        self._index = index
        self._settings = settings
        self._hub = hub
        self._clock = clock
        self._read = read
        post = settings().post.id
        pieces = PieceSource(index, post)
        folder = settings().volumes[0] / "derived" / "uplink"
        self._rows = StretchRows(accounts.db.engine)
        self.stretches = Stretches(
            accounts.db, pieces, index, uplink, self._rules, clock, self._enter, pressure=self._pressure, read=read
        )
        self.packs = StripPacks(
            accounts.db, strips.shelf, rough, uplink, folder, post, self._pack_rules, strips.is_complete, read
        )
        self.live = PostLive(uplink, live, stills, index, accounts.journal, self._live_rules, self._knows, clock)
        uplink.sources |= {"piece": pieces, "closing": pieces, "strip": self.packs}
        self.pictures: EventPictures | None = None
        if events is not None:
            self.pictures = EventPictures(
                accounts.db, *events, stills, uplink, folder, post, self._picture_rules, accounts.journal, clock, read
            )
            uplink.sources["picture"] = self.pictures
            uplink.events = Outgoing(events[0], accounts.db, post, lambda: frozenset(settings().uplink.withhold))
            uplink.events.begin()
        uplink.on("want", self.stretches.want)
        uplink.on("unwant", self.stretches.unwant)
        uplink.on_change(self._changed)

    def start(self, tasks: Tasks) -> None:
        """For as long as these run."""
        tasks.start("post-media", self._run())

    async def aclose(self) -> None:
        """End what goes out now."""
        await self.live.aclose()

    # -- rules

    def _rules(self) -> Rules:
        given = self._settings().uplink
        clips = given.clips
        around = (clips.before * 1_000_000, clips.after * 1_000_000) if isinstance(clips, Clips) else None
        return Rules(frozenset(given.withhold), around, given.bulk, self._hub())

    def _live_rules(self) -> LiveRules:
        given = self._settings().uplink
        return LiveRules(frozenset(given.withhold), self._hub(), given.live_limit)

    def _pack_rules(self) -> PackRules:
        settings = self._settings()
        given = settings.uplink.strips
        if not isinstance(given, LinkStrips) or settings.uplink.metered:
            return PackRules(hub=self._hub())
        cameras = tuple(
            camera.id for camera in settings.cameras.values()
            if camera.strips != "off" and camera.id not in settings.uplink.withhold
        )  # fmt: skip
        width = 0 if given.width >= settings.strips.width else given.width
        return PackRules(cameras, given.every * 1_000_000, width, self._hub())

    def _picture_rules(self) -> PictureRules:
        given = self._settings().uplink
        hub, withheld = self._hub(), frozenset(given.withhold)
        if not isinstance(given.pictures, LinkPictures):
            return PictureRules(least=None, withheld=withheld, hub=hub)
        width = 0 if given.pictures.width >= WIDTH else given.pictures.width
        return PictureRules(width, int(Level[given.pictures.of.upper()]), withheld, hub)

    async def _knows(self, key: StreamKey) -> bool:
        camera = self._settings().cameras.get(key.camera)
        return camera is not None and (key.stream == "main" or (key.stream == "sub" and camera.streams.sub is not None))

    def _pressure(self) -> tuple[int, int]:
        state: LinkState = self._uplink.state()
        before = sum(state.backlog.get(name, 0) for name in ("ledger", "picture", "strip", "clip", "asked"))
        return state.rate_bytes_s, before

    async def _enter(self, wanted: Wanted, state: str, why: str) -> None:
        hub = self._hub()
        body: dict[str, object] = {
            "hub": hub, "request": wanted.request, "camera": wanted.key.camera, "stream": wanted.key.stream, "from_us": wanted.from_us,
            "to_us": wanted.to_us, "state": state, "why": why,
        }  # fmt: skip
        who = Who(AT_A_HUB, user=f"{wanted.by or 'somebody'} at {hub}")
        await self._accounts.journal.say(kinds.FOOTAGE_ASKED, body, who, wanted.reason)

    def _changed(self, change: Change) -> None:
        if self.pictures is not None:
            self.pictures.changed(change)
        if change.what in _OVER:
            self.packs.over(change.item.info)

    # -- the loop

    async def _run(self) -> None:
        turn = 0
        while True:
            try:
                if self._hub():
                    await self._work(slow=turn % _SLOW_TURNS == 0)
            except LongwatchError as error:
                _log.warning("what goes to the hub cannot be looked through now", reason=str(error))
            turn += 1
            await self._clock.sleep(EVERY_S)

    async def _work(self, *, slow: bool) -> None:
        await self.stretches.work()
        if self.pictures is not None:
            await self.pictures.work()
        if slow:
            await self._clips()
            until_us: int = await self._read(self._index.accounted_until_us)
            await self.packs.work(until_us)
            await self._accounts.db.call(self._rows.forget, self._clock.wall_us() - _FORGET_US)

    async def _clips(self) -> None:
        """Around alarms of cameras, and around gaps that nobody wanted and that are no mere loss of packets."""
        around = self._rules().clips_us
        if around is None:
            return
        now_us = self._clock.wall_us()
        alarms = await self._read(lambda: self._index.alarms(everything=True, limit=200))
        last = await self._feed("alarms", max((alarm.id for alarm in alarms), default=0))
        for alarm in sorted(alarms, key=lambda one: one.id):
            if alarm.id > last and alarm.camera:
                await self._clip(alarm.camera, alarm.raised_us, around)
        gaps = await self._read(self._index.gaps, None, now_us - _LOOK_BACK_US, now_us)
        numbers = [gap.id for _, gap in gaps if gap.id is not None]
        last = await self._feed("gaps", max(numbers, default=0))
        for key, gap in gaps:
            if gap.id is not None and gap.id > last and gap.cause not in _NO_CLIP and key.stream == "main":
                await self._clip(key.camera, gap.from_us, around)

    async def _feed(self, name: str, now: int) -> int:
        """How far this has come; the first time, what was before is left alone."""
        before = await self._accounts.db.call(self._rows.feed, name)
        if before is None or now > before:
            await self._accounts.db.call(self._rows.set_feed, name, now)
        return now if before is None else before

    async def _clip(self, camera: str, at_us: int, around: tuple[int, int]) -> None:
        """Of the sub-stream where there is one: it is there in minutes, and the main stream can be asked for."""
        configured = self._settings().cameras.get(camera)
        stream = "main" if configured is None or configured.streams.sub is None else "sub"
        await self.stretches.add_clip(StreamKey(camera, stream), at_us - around[0], at_us + around[1])


_NO_CLIP = PLANNED | {Cause.PACKETS_LOST, Cause.NEVER_RECORDED}
