"""The server process: API, console, live and playback. It may die at any time; recording goes on without it.

`python -m longwatch.node.server --config FILE`. It writes `server.db`, `setup-code`, `tls/` and `derived/`, reads the
archive, and asks the recorder over its socket. SIGTERM ends it at once; SIGHUP, `reload` on its socket, or a newer
settings file make it read the settings again.
"""

from __future__ import annotations

from longwatch.base import log, starting  # first: see there

# isort: split
import argparse
import asyncio
import contextlib
import dataclasses
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
import uvloop
from fastapi import FastAPI

from longwatch.accounts import Accounts
from longwatch.archive import ArchiveReader
from longwatch.archive.published import PublishedLog
from longwatch.base.clock import Clock, SystemClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.tasks import Tasks
from longwatch.config import Settings, load_kept, load_lacking
from longwatch.events.looked import Looked
from longwatch.health import RecorderStatus, Snapshot
from longwatch.live import Hub
from longwatch.model.alarms import Alarm
from longwatch.model.silence import Stop
from longwatch.model.watching import Doing
from longwatch.node.host_state import is_going_down
from longwatch.node.link import LinkClient, LinkServer, socket_path
from longwatch.node.post.confirming import Confirming
from longwatch.node.post.fetching import Fetching
from longwatch.node.post.hub_link import FAREWELL_S, PostLink, policy_of
from longwatch.node.post.joining import Joining, Rotation, commands_of, joiner_of
from longwatch.node.post.media import PostMedia
from longwatch.node.post.obeying import Obeying, stand_in_key
from longwatch.node.post.uplink_log import PostLog, own_last_words
from longwatch.node.sd_notify import notify
from longwatch.node.server.commands import handler, take_lock
from longwatch.node.server.enclosing import Enclosing, may_leave
from longwatch.node.server.exports import desk_of
from longwatch.node.server.http import http_server, listen
from longwatch.node.server.masked_places import urls_of
from longwatch.node.server.notifying import Notifying, best_picture
from longwatch.node.server.options import (
    Door,
    by_events_of,
    door_of,
    events_of,
    provider_of,
    site_of,
    stamps_of,
    strips_of,
    temperatures_of,
    web_of,
)
from longwatch.node.server.probing import Probing
from longwatch.node.server.reports import ServerReports
from longwatch.node.server.stamping import Stamping
from longwatch.node.server.upgrade_verbs import upgrade_commands
from longwatch.node.server.verifying import VerifyingJob
from longwatch.node.upgrade.state import AGAIN
from longwatch.node.upgrade.upgrading import Upgrading
from longwatch.node.watch.keeping import Keeping
from longwatch.node.watch.looking import Looking
from longwatch.node.watch.options import orders_of
from longwatch.node.watch.temperatures import Heat
from longwatch.node.watch.watching import Watching
from longwatch.pictures import Slots
from longwatch.playback import Recoder, Stills
from longwatch.playback.heat import HeatStills
from longwatch.server_db import ServerDb
from longwatch.strips import Shelf, Strips
from longwatch.trust import enrolment_of
from longwatch.web import Deps, Options, create_app
from longwatch.web.deps import Index
from longwatch.web.settings_desk import SettingsDesk
from longwatch.web.warming import warm

if TYPE_CHECKING:  # see there
    from longwatch.node.server.hub import FleetLog, HubMedia, HubPart

_log = structlog.get_logger(__name__)
_WATCH_S = 2.0
_ROOM_EVERY_S, _LOOKS = 5.0, 2


class _ThroughStructlog(logging.Handler):
    """What libraries log by `logging` is scrubbed like all else."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger(record.name).log(record.levelno, record.getMessage(), exc_info=record.exc_info)


async def _with_full_disk(db: ServerDb, data: Path, snapshot: Snapshot) -> Snapshot:
    """With what is said where the server's own file could not be opened, since nothing was free."""
    if not db.is_beside:
        return snapshot
    said = f"the disk of {data} is full: logins and what people do are kept in memory alone, and no account can be changed, until there is room"
    return dataclasses.replace(snapshot, reported=(*snapshot.reported, said))


class ServerProcess:
    """Everything of one server, put together. Owner of the settings in force, and of what is made from them."""

    def __init__(self, config: Path, clock: Clock | None = None) -> None:
        self.config = config
        self.clock: Clock = clock or SystemClock()
        self.settings: Settings
        self.settings, wrong = load_kept(config)
        for problem in wrong:
            _log.error("the settings are wrong; the last good ones are used", problem=str(problem))
        self._say_what_lacks()
        self._site = site_of(self.settings)
        self._stamps = self._stamps_now()
        self._tasks = Tasks("server")
        self._looking: Looking | None = None
        self._notifying: Notifying | None = None
        self.exit_code = 0
        self._end = asyncio.Event()
        self._reload = asyncio.Event()

    async def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises LongwatchError where it cannot start."""
        data = self.settings.volumes[0]
        with take_lock(data):
            accounts = Accounts(data, self.clock)
            try:
                await self._run(data, accounts)
            finally:
                await accounts.aclose()

    async def _run(self, data: Path, accounts: Accounts) -> None:
        code = accounts.offer_set_up()
        if code is not None:
            file = str(accounts.setup_code.path)
            _log.info("nobody has an account yet; the set-up code is in the data folder", file=file)
        link = LinkClient(socket_path(data, "recorder"), "server")
        own = ArchiveReader(self.settings.volumes)
        hub_part = await self._hub(link, own)
        index: Index = own if hub_part is None else hub_part.index
        slots = Slots(self.settings.web.transcodes, self.clock)
        hub = Hub(link, self.clock, slots=slots)
        stills = Stills()
        heat_stills = HeatStills()
        options = Options(
            version=version("longwatch"), name=self.settings.web.name, provider=provider_of(self.settings)
        )
        deps = Deps(
            accounts,
            index,
            link,
            RecorderStatus(link, self.clock),
            hub,
            stills,
            self.clock,
            (lambda: self._site) if hub_part is None else hub_part.view.site,
            options,
            ServerReports(lambda: self.settings, self.clock, lambda: None if hub_part is None else hub_part.reported()),
            VerifyingJob(lambda: self.settings.volumes, self.clock, self._tasks),
            PublishedLog(self.settings.volumes),
        )
        deps.heat_stills = heat_stills
        deps.posts = hub_part
        if hub_part is not None:
            hub_part.settings_now(lambda: self.settings)
            if hub_part.process is not None:
                hub_part.process.on_taken_over.append(self._end.set)
        joining = Joining(lambda: joiner_of(self.settings), link, self.clock)
        uplink = self._uplink(accounts.db, deps, hub_part)
        deps.link = uplink
        joining.on_change.append(uplink.changed)
        if hub_part is not None:
            hub_part.desk.on_joined.append(uplink.changed)  # dials the hub above anew, and says of whom it speaks
        rotation = Rotation(joining, self.clock)
        uplink.uplink.on_connect(lambda welcome: rotation.told(dict(welcome)))
        uplink.uplink.on_refused(rotation.refused)
        confirming = Confirming(own, link, self.clock, deps.read)
        uplink.uplink.on_change(confirming.changed)
        deps.settings = SettingsDesk(
            self.config, link, self._read_again, lambda: web_of(self.settings), stand_in_key(data / "hub")
        )
        obeying = upgrading = None
        if hub_part is None:
            upgrading = Upgrading(
                data, self.config, lambda: self.settings, link, uplink.uplink, self.clock, self._start_again
            )
            obeying = Obeying(
                uplink.uplink, deps.settings, link, lambda: enrolment_of(data), self.clock, data / "hub", upgrading=upgrading
            )  # fmt: skip
        else:
            deps.commands, deps.upgrades = hub_part.orders, hub_part.upgrades
        deps.probing = Probing(stills, lambda: urls_of(self.settings))
        deps.recoder = Recoder(slots)
        exports = desk_of(accounts.db, link, accounts.journal, index, lambda: self.settings, self.clock, deps.site)
        deps.exports = exports
        accounts.on_erasure.append(exports.forget)
        rough = Stills(rough=True)  # a child of its own: a strip is never in the way of a still
        slow = Stills()  # and one for pictures of events, which take a row of samples each
        shelf = Shelf(data / "derived" / "strips")
        strips = Strips(shelf, own, rough, self.clock, lambda: strips_of(self.settings))
        deps.strips = strips
        watching = None
        if hub_part is None:
            watching = Watching(
                data, accounts.db, own, slow, link, self.clock, lambda: events_of(self.settings), deps.read
            )
            accounts.on_erasure.append(watching.forget)
            deps.events = watching
            self._looking = deps.detection = Looking(
                lambda: orders_of(self.settings), socket_path(data, "recorder"), data / "derived" / "looking", self.clock, watching
            )  # fmt: skip
        notifying = self._notifying = Notifying(
            accounts.db,
            data,
            lambda: self.settings,
            index,
            link,
            deps.camera_states,
            deps.read,
            self.clock,
            options.version,
        )
        deps.notify = notifying.desk
        deps.status.also.append(notifying.added)
        deps.status.also.append(partial(_with_full_disk, accounts.db, data))
        if hub_part is not None:
            deps.status.also.append(hub_part.added)
        if self._looking is not None:
            looking = self._looking
            notifying.detection, notifying.model = looking.states, lambda: looking.watcher.model
            deps.looked = Looked(
                data / "derived" / "looked.json",
                lambda: [state.camera for state in looking.states() if state.doing is not Doing.OFF],
                looking.looked,
                lambda: self.settings.events.keep * 1_000_000,
                self.clock,
            )
        media = self._media(deps, hub_part, uplink, own, hub, rough, strips, watching)
        if deps.events is not None:

            def leaves(camera: str) -> bool:
                return may_leave(camera, deps.site(), self.settings.uplink.withhold)

            notifying.best_picture = partial(best_picture, deps.events, deps.read, leaves)
            enclosing = Enclosing(deps.events, index, accounts.journal, deps.read, self.clock, leaves)
            notifying.desk.enclose = enclosing.enclose
        if hub_part is not None:
            notifying.name_of = hub_part.view.name_of
        more = commands_of(joining) | ({} if hub_part is None else hub_part.commands)
        if upgrading is not None:
            more |= upgrade_commands(upgrading)
        commands = LinkServer(socket_path(data, "server"), "server", handler(accounts, self.reload, link, more))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        try:
            door = await asyncio.to_thread(door_of, self.settings)
            listening = listen(door)
            door = dataclasses.replace(door, port=listening.getsockname()[1])
            await commands.start()
            if hub_part is not None:
                await hub_part.start()
            self._tasks.start("recorder-link", link.run())
            self._tasks.start("settings", self._follow_settings())
            self._tasks.start("people", accounts.journal.run(link))
            self._tasks.start("logins", accounts.run())
            self._tasks.start("room", self._follow_room(accounts.db))
            await exports.start()
            stamping = Stamping(self.settings.volumes, link, self.clock, lambda: stamps_of(self.settings))
            self._tasks.start("stamps", stamping.run())
            self._tasks.start("rotation", rotation.run())
            self._tasks.start("confirming", confirming.run())
            uplink.start(self._tasks)
            if hub_part is not None:
                from longwatch.node.server.hub import TellingAbove

                telling = TellingAbove(uplink.uplink, hub_part.view.below, self.clock)
                self._tasks.start("telling-above", telling.run())
            if obeying is not None:
                self._tasks.start("obeying", obeying.run())
            if upgrading is not None:
                self._tasks.start("upgrading", upgrading.run())
                fetching = Fetching(
                    self.settings.post.id, uplink.uplink, upgrading, self.clock, data / "upgrades" / "spool",
                    lambda: policy_of(self.settings).rate_bytes_s,
                )  # fmt: skip
                self._tasks.start("fetching", fetching.run())
            self._tasks.start("strips", strips.run())
            media.start(self._tasks)
            if watching is not None:
                watching.start(self._tasks)
                heat = deps.temperatures = Heat(
                    link, lambda: temperatures_of(self.settings), watching, self.clock, heat_stills
                )
                self._tasks.start("temperatures", heat.run())
                self._tasks.start("thermal-stills", heat.run_stills())
                notifying.stills = heat.troubles
                self._tasks.start("temperatures-asked", heat.ask())
            if self._looking is not None:
                self._tasks.start("looking", self._looking.run())
            if deps.looked is not None:
                self._tasks.start("looked", deps.looked.run())
            if self._looking is not None and watching is not None:
                keeping = Keeping(
                    self.clock,
                    link,
                    lambda: by_events_of(self.settings),
                    self._looking.looked,
                    watching.unsure_until_us,
                    watching.between,
                )
                self._tasks.start("by-events", keeping.run())
            await notifying.start(watching if isinstance(media, PostMedia) else media.events.fresh)
            app = create_app(deps)
            self._tasks.start("warming", warm(app, deps))
            await self._serve(app, door, listening, hub, code, partial(uplink.farewell, self._how_it_ends))
        finally:
            await commands.aclose()
            await exports.aclose()
            await media.aclose()
            await notifying.aclose()
            await self._tasks.aclose()
            if hub_part is not None:
                await hub_part.aclose()
            strips.close()
            await rough.aclose()
            await slow.aclose()
            await stills.aclose()
            await heat_stills.aclose()
            await deps.recoder.aclose()
            deps.readers.shutdown(wait=False, cancel_futures=True)
            own.close()

    async def _hub(self, link: LinkClient, own: ArchiveReader) -> HubPart | None:
        """What a hub has beside all that a post has."""
        if self.settings.role == "post":
            return None
        from longwatch.node.server.hub import open_hub

        return await open_hub(self.settings, link, self.clock, lambda: self._site, own)

    def _media(
        self, deps: Deps, hub: HubPart | None, uplink: PostLink, own: ArchiveReader, live: Hub, rough: Stills, strips: Strips,
        watching: Watching | None,
    ) -> HubMedia | PostMedia:  # fmt: skip
        """What goes to a hub from here; at a hub, what comes from its posts."""
        if hub is None:
            return PostMedia(
                uplink.uplink, deps.accounts, own, live, deps.stills, rough, strips, lambda: self.settings, uplink.hub, self.clock,
                deps.read, None if watching is None else (watching.store, watching.pictures),
            )  # fmt: skip
        from longwatch.node.server.hub import HubMedia

        media = HubMedia(
            hub.fleet, hub.store, hub.index, hub.links, deps.accounts, deps.recorder, self.clock, deps.read, uplink.uplink, uplink.hub,
            lambda: self.settings.uplink.strips != "off" and not self.settings.uplink.metered, alone=hub.process is None,
        )  # fmt: skip
        hub.uplinks.on_taken.append(media.events.taken)
        deps.requests, deps.remote, deps.strips, deps.events = media.requests, media.live, media.strips, media.events
        return media

    def _uplink(self, db: ServerDb, deps: Deps, hub: HubPart | None) -> PostLink:
        """The way to a hub, once one is joined: of the published ledger here, and at a hub of those of its posts too."""
        settings = self.settings
        log: PostLog | FleetLog = PostLog(settings.post.id, settings.volumes)
        through = None
        if hub is not None:
            from longwatch.node.server.hub import FleetLog, told_above

            log = FleetLog(hub.fleet, log, settings.post.id, self.clock)
            through = partial(told_above, hub.fleet)

        async def alarms() -> list[Alarm]:
            return [alarm for alarm in await deps.read(partial(deps.index.alarms, limit=100)) if alarm.ended_us is None]

        return PostLink(
            lambda: self.settings, log, db, self.clock, deps.status.now, alarms, version=deps.options.version, through=through
        )  # fmt: skip

    async def _serve(
        self, app: FastAPI, door: Door, listening: socket.socket, hub: Hub, code: str | None, farewell: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:  # fmt: skip
        server = http_server(app, door)
        serving = self._tasks.start("http", server.serve(sockets=[listening]))
        ending = self._tasks.start("end", self._end.wait())
        starting.is_over()
        _log.info("server is up", address=door.url)
        if sys.stderr.isatty():
            sys.stderr.write(greeting(self.settings.post.name, door.url, code))
        notify("READY=1")
        await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
        notify("STOPPING=1")
        leaving = self._tasks.start("farewell", farewell())
        await hub.aclose()
        server.should_exit = True
        await serving
        await asyncio.wait({leaving})

    async def _how_it_ends(self) -> str:
        """A word of `model.silence.Stop`: what the ledger says, as far as it is published; else what the host says."""
        words = await asyncio.to_thread(own_last_words, self.settings.post.id, self.settings.volumes)
        if words is Stop.NONE:
            words = Stop.HOST if await is_going_down(FAREWELL_S / 3) else Stop.SIGNAL
        return str(words)

    def _start_again(self) -> None:
        """End, so that the supervisor starts a server from the environment that is to be used now."""
        self.exit_code = AGAIN
        self._end.set()

    async def _follow_room(self, db: ServerDb) -> None:
        """Begin anew once the disk has no byte for `server.db` any more, and once it has. What is so twice in a row: a disk is full for a moment, too."""
        looks = 0
        while looks < _LOOKS:
            await self.clock.sleep(_ROOM_EVERY_S)
            looks = looks + 1 if await asyncio.to_thread(db.is_better_begun_anew) else 0
        _log.warning("the server begins anew, since its disk is full or has room again")
        self._start_again()

    def reload(self) -> None:
        """Read the settings again, soon; what cannot be read leaves those in force."""
        self._reload.set()

    async def _follow_settings(self) -> None:
        """For ever: when told to, and within two seconds of a change of the file, or of that with its secrets."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_WATCH_S):
                    await self._reload.wait()
            stamps = self._stamps_now()
            if self._reload.is_set() or (stamps[0] is not None and stamps != self._stamps):
                self._reload.clear()
                self._stamps = stamps
                await self._read_again()

    def _stamps_now(self) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
        secrets = self.settings.secrets
        return _stamp(self.config), None if secrets is None else _stamp(secrets)

    def _say_what_lacks(self) -> None:
        for problem in self.settings.lacking:
            _log.error("a secret is missing, and what needs it is left out", problem=str(problem))

    async def _read_again(self) -> None:
        try:
            settings = await asyncio.to_thread(load_lacking, self.config)
        except UsageError as error:
            _log.error("the settings are wrong; those before stay in force", reason=str(error))
            return
        if settings.web != self.settings.web or settings.volumes != self.settings.volumes:
            _log.warning("a change of `web` or `data` needs a restart of the server")
        if _of_hub(settings) != _of_hub(self.settings):
            _log.warning("a change of what a hub listens on and keeps things in needs a restart of the server")
        self.settings, self._site = settings, site_of(settings)
        self._say_what_lacks()
        if self._looking is not None:
            self._looking.changed()
        if self._notifying is not None:
            await self._notifying.reload()
        _log.info("settings are read again", cameras=len(self._site.cameras))


def _of_hub(settings: Settings) -> tuple[object, ...]:
    """What is read at the start alone."""
    return (
        settings.role, settings.door, settings.uplink.listen, settings.uplink.address, settings.database, settings.media, settings.broker,
    )  # fmt: skip


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


def greeting(post: str, address: str, code: str | None) -> str:
    """What a person at a terminal is told once the page answers; never a journal, since the code opens the post."""
    lines = [f"{post}: open {address}"]
    if code is not None:
        lines.append(f"set-up code: {code}   (the page asks for it once, then for a name and a password)")
    lines.append("Ctrl-C ends it")
    return "\n" + "".join(f"  {line}\n" for line in lines) + "\n"


def main() -> int:
    """The exit code: 0 after SIGTERM, 1 where it could not run, 2 where the settings are wrong, 77 where it is only to be started anew."""
    parser = argparse.ArgumentParser(prog="longwatch-server")
    parser.add_argument("--config", type=Path, required=True)
    config = parser.parse_args().config
    os.umask(0o077)
    log.configure(json=not sys.stderr.isatty())
    logging.basicConfig(handlers=[_ThroughStructlog()], level=logging.WARNING)
    try:
        return uvloop.run(_main(config))
    except LongwatchError as error:
        _log.error("the server does not start", reason=str(error))
        return error.exit_code


async def _main(config: Path) -> int:
    process = ServerProcess(config)
    await process.run()
    return process.exit_code
