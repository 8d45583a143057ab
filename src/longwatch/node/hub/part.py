"""A hub's server: what it has beside all that a post's server has. The fleet's database and media, the desk, the door where posts dial in, and what the
console shows of them. docs/design/enrolment.md, fleet.md, uplink.md.

Its own recorder runs beside it, without cameras, and keeps the hub's own ledger: who signed in, watched, invited, revoked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import structlog

from longwatch.accounts import POST, Who
from longwatch.base.clock import Clock
from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.base.tasks import Tasks
from longwatch.config import Settings
from longwatch.config.hub import AllowedSilence
from longwatch.fleet import Fleet, FleetDb, FleetIndex, ObjectStore, OwnIndex
from longwatch.health import DoorState, Snapshot
from longwatch.ledger.checkpoint import Checkpoint
from longwatch.ledger.cosignature import cosign, cosigner_name
from longwatch.node.hub.commands import CommandDesk
from longwatch.node.hub.desk import HubDesk, HubOptions
from longwatch.node.hub.door_asking import answer_doors
from longwatch.node.hub.keeping import HubStore
from longwatch.node.hub.links import HubLinks
from longwatch.node.hub.process import HubProcess, claimed
from longwatch.node.hub.silence import HubSilence, tell_for_ever
from longwatch.node.hub.through import Through
from longwatch.node.hub.upgrade_verbs import verbs_of
from longwatch.node.hub.upgrades import UpgradeDesk
from longwatch.node.hub.view import HubView
from longwatch.node.hub.ways import HubWays
from longwatch.node.issuing.reporting import Fleet as Reported
from longwatch.node.issuing.statements import make_statement
from longwatch.node.link import Ledger
from longwatch.replication.serving import Uplinks
from longwatch.trust import Authority, SigningKey, authority_of
from longwatch.web import Site

_log = structlog.get_logger(__name__)
FOLDER = "fleet"
_DOORS_FRESH_US = 5_000_000


def open_desk(settings: Settings, ledger: Ledger, clock: Clock) -> HubDesk:
    """The desk over the hub's database and keys, which are made where they are not there yet. Blocks. Raises LongwatchError."""
    return _desk(settings, ledger, clock, _fleet(settings, authority_of(settings.volumes[0], settings.post.id), clock))


def open_fleet(settings: Settings, clock: Clock, spool: str) -> tuple[Authority, Fleet, ObjectStore]:
    """Keys, database and media for a verb beside a server that runs. spool: a folder of its own for what is half here. Blocks. Raises LongwatchError."""
    return _fleet(settings, authority_of(settings.volumes[0], settings.post.id), clock, spool)


def _fleet(
    settings: Settings, authority: Authority, clock: Clock, spool: str = "spool"
) -> tuple[Authority, Fleet, ObjectStore]:
    return authority, *fleet_of(settings, authority.cosigner, clock, spool)


def fleet_of(settings: Settings, cosigner: SigningKey, clock: Clock, spool: str = "spool") -> tuple[Fleet, ObjectStore]:
    """Database and media, as the console and every door has them. Blocks. Raises LongwatchError."""
    folder = settings.volumes[0] / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    db = FleetDb(settings.database or folder / "fleet.db")
    store = ObjectStore(settings.media or folder / "media", folder / spool)
    name = cosigner_name(settings.post.id)

    def countersign(_: Checkpoint, note: str) -> str:
        return cosign(note, name, cosigner.sign, cosigner.public, clock.wall_us() // 1_000_000)

    return Fleet(db, store, cosign=countersign, wall_us=clock.wall_us), store


def _desk(
    settings: Settings, ledger: Ledger, clock: Clock, made: tuple[Authority, Fleet, ObjectStore]
) -> HubDesk:  # fmt: skip
    post = settings.post
    options = HubOptions(post.id, post.name, settings.uplink.address, settings.volumes[0])
    return HubDesk(options, made[0], made[1], ledger, clock)


class HubPart:
    """Made by `open_hub`. `web.deps.Posts`. Owner of the connections and of the fleet's database in this process. process: None where it is the only one."""

    def __init__(
        self, settings: Settings, ledger: Ledger, clock: Clock, site: Callable[[], Site], own: OwnIndex,
        made: tuple[Authority, Fleet, ObjectStore], process: HubProcess | None = None,
    ) -> None:  # fmt: skip
        self.desk = _desk(settings, ledger, clock, made)
        self.fleet = made[1]
        self.store = made[2]
        self.process = process
        self.index = FleetIndex(self.fleet.db, self.store, own)
        self.uplinks = Uplinks(clock)
        bus = None if process is None else process.bus
        processes = None if process is None else process.processes
        self.links = HubLinks(self.uplinks, clock, bus, processes)
        self.orders = CommandDesk(self.fleet, made[0], settings.post.id, self.links, ledger, clock)
        self.upgrades = UpgradeDesk(self.fleet, settings.volumes[0] / FOLDER, ledger, clock, self.orders, self.links)
        self.through = Through(self.fleet, settings.post.id, self._joined_below(asyncio.get_running_loop()))
        self.allowed: Callable[[], AllowedSilence] = lambda: _allowed(settings)
        self.silence = HubSilence(self.fleet, clock, lambda post: self.allowed().of(post))
        self.view = HubView(self.fleet, clock, site, self.links.connected, self.silence, alone=process is None)
        self.uplinks.on_taken.append(self.view.changed)
        name = "" if process is None else process.name
        self.ways = HubWays(
            self.desk, self.fleet, self.uplinks, self.through, clock, name, bus, processes, self.silence.refused
        )
        self.commands: dict[str, Callable[[dict[str, Any]], Any]] = {
            **commands_of(self.desk, self.view.items),
            **verbs_of(self.upgrades),
        }
        self.kept = HubStore(self.fleet, self.store, own, ledger, clock, lambda: settings)
        self._settings = settings
        self._ledger = ledger
        self._clock = clock
        self._doors: tuple[int, tuple[DoorState, ...]] = (0, ())
        self._tasks = Tasks("hub")
        if bus is not None:
            answer_doors(bus, self.desk, self.silence.refused)

    async def start(self) -> None:
        """Listen, once the posts were read. Raises LongwatchError."""
        await self.view.refresh()
        assert self._settings.uplink.listen is not None
        listen = self._settings.uplink.listen
        await self.ways.listener.start(listen.host, listen.port)
        self.silence.listening()
        if self.process is not None:
            self.process.start()
        self.links.start()
        self._tasks.start("view", self.view.run())
        self._tasks.start("keep", self.kept.keep())
        self._tasks.start("tell", self.kept.tell())
        self._tasks.start("upgrades", self.upgrades.run())
        self._tasks.start("silence", tell_for_ever(self._ledger, self._clock, self.view.seen))
        _log.info("posts may dial in", address=self.desk.options.address, fingerprint=self.desk.authority.fingerprint())

    def settings_now(self, settings: Callable[[], Settings]) -> None:
        """Where to ask for settings that may change while it runs."""
        self.allowed = lambda: _allowed(settings())
        self.kept.settings = settings

    async def aclose(self) -> None:
        """End every connection, then the database."""
        await self.ways.aclose()
        await self.links.aclose()
        await self._tasks.aclose()
        if self.process is not None:
            await self.process.aclose()
        await asyncio.to_thread(self.fleet.db.close)

    def _joined_below(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        """What a thread of the store calls when a hub below speaks of a post that was not known."""

        def told() -> None:
            loop.call_soon_threadsafe(self.desk.joined)

        return told

    # -- web.deps.Posts

    def items(self) -> list[dict[str, Any]]:
        """As HubView."""
        return self.view.items()

    def changes(self, since: str) -> tuple[list[dict[str, Any]], str, bool]:
        """As HubView."""
        return self.view.changes(since)

    def item(self, post: str) -> dict[str, Any] | None:
        """As HubView."""
        return self.view.item(post)

    def checkpoint(self, post: str) -> str | None:
        """As HubView."""
        return self.view.checkpoint(post)

    def snapshot(self, own: Snapshot) -> Snapshot:
        """As HubView."""
        return self.view.snapshot(own)

    def reported(self) -> Reported:
        """What a report at this hub is about."""
        return Reported(self.index, {camera.id: camera.name for camera in self.view.site().cameras})

    async def added(self, own: Snapshot) -> Snapshot:
        """With how the processes of this hub are, at most some seconds old."""
        if self.process is None:
            return own
        if self._clock.boottime_us() - self._doors[0] >= _DOORS_FRESH_US or not self._doors[1]:
            self._doors = self._clock.boottime_us(), await self.desk.doors()
        return replace(own, doors=self._doors[1])

    async def invite(self, post: str, who: Who, reason: str) -> tuple[str, int]:
        """As HubDesk; the code as its text."""
        code, expires_us = await self.desk.invite(post, who, reason)
        await self.view.refresh()
        return code.text(), expires_us

    async def statement(self, post: str, who: Who, reason: str) -> bytes:
        """As `statements.make_statement`."""
        hub, settings = self.desk.options, self._settings
        package, _ = await make_statement(
            self.fleet, post, {"id": hub.id, "name": hub.name}, self.desk.authority.cosigner.public, settings.volumes, self._clock,
            who.person(reason),
        )  # fmt: skip
        return package

    async def revoke(self, post: str, who: Who, reason: str) -> None:
        """As HubDesk."""
        await self.desk.revoke(post, who, reason)
        await self.view.refresh()


async def open_hub(
    settings: Settings, ledger: Ledger, clock: Clock, site: Callable[[], Site], own: OwnIndex
) -> HubPart:
    """Keys, database and media; they are made where they are not there yet. Raises LongwatchError."""
    made = await asyncio.to_thread(lambda: _fleet(settings, authority_of(settings.volumes[0], settings.post.id), clock))
    process = await claimed(settings, made[1].db, made[0].cosigner, clock)
    return HubPart(settings, ledger, clock, site, own, made, process)


def _allowed(settings: Settings) -> AllowedSilence:
    return AllowedSilence() if settings.hub is None else settings.hub.silence


Items = Callable[[], list[dict[str, Any]]]


def commands_of(desk: HubDesk, items: Items | None = None) -> dict[str, Callable[[dict[str, Any]], Any]]:
    """What verbs ask of a hub: `hub_invite`, `hub_posts`, `hub_revoke`, `hub_doors`. items: how posts stand, where a server knows."""

    async def invite(fields: Mapping[str, Any]) -> dict[str, Any]:
        code, expires_us = await desk.invite(str(fields.get("post", "")), _by(fields), str(fields.get("reason") or ""))
        return {"code": code.text(), "post": code.post, "address": code.address, "expires": format_us(expires_us)}

    async def posts(_: Mapping[str, Any]) -> dict[str, Any]:
        if items is not None:
            return {"items": items()}
        rows = await desk.posts()
        return {
            "items": [
                {"id": row.id, "name": row.name, "via": list(row.via), "state": "revoked" if row.revoked_us else "unknown",
                 "last_contact": None if row.status_us is None else format_us(row.status_us)}
                for row in rows
            ]
        }  # fmt: skip

    async def revoke(fields: Mapping[str, Any]) -> dict[str, Any]:
        post = str(fields.get("post", ""))
        await desk.revoke(post, _by(fields), str(fields.get("reason") or ""))
        return {"post": post}

    async def doors(_: Mapping[str, Any]) -> dict[str, Any]:
        return {"items": await desk.processes()}

    return {"hub_invite": invite, "hub_posts": posts, "hub_revoke": revoke, "hub_doors": doors}


def _by(fields: Mapping[str, Any]) -> Who:
    """Whoever reaches the socket owns the data, and says who types."""
    return Who(POST, user=str(fields.get("by", "")))


def check_is_hub(settings: Settings) -> None:
    """Raises UsageError at a post, and at a door."""
    if settings.door:
        raise UsageError(
            f"{settings.path} is the file of a door, `{settings.door}`",
            remedy="run this at the console of the hub, which has its ledger",
        )
    if settings.role != "hub":
        raise UsageError(
            f"{settings.path} is a post's file",
            remedy="run this at the hub; a hub's file has `hub:` in place of `post:`",
        )
