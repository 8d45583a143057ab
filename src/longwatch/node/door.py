"""The door process: a further process of a hub, where posts dial in. It has no console, no accounts and no ledger. docs/design/broker.md.

`python -m longwatch.node.door --config FILE`, started by `longwatch run` where the settings say `hub.door`. What posts tell goes into the hub's database and store; what
is for people goes to the console and comes from there, over the bus. It may die at any time: its posts dial in at another process. SIGTERM ends it at once.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import uvloop

from longwatch.base import log
from longwatch.base.clock import Clock, SystemClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.tasks import Tasks
from longwatch.bus import Said
from longwatch.config import Settings, load_kept
from longwatch.config.hub import CONSOLE
from longwatch.fleet import Fleet, ObjectStore
from longwatch.node.hub.door_asking import DoorDesk
from longwatch.node.hub.keeping import SPOOL_S
from longwatch.node.hub.part import fleet_of
from longwatch.node.hub.process import HubProcess, claimed
from longwatch.node.hub.through import Through
from longwatch.node.hub.ways import HubWays, text_of
from longwatch.node.sd_notify import notify
from longwatch.replication.hub_end import TO_STORE
from longwatch.replication.serving import Uplinks
from longwatch.server_db import DataLock
from longwatch.trust import DoorKeys
from longwatch.trust.authority import FOLDER
from longwatch.wire.uplink import Body, LinkError, Message, decode, encode

if TYPE_CHECKING:  # most hubs have no broker
    from longwatch.bus import Bus

_log = structlog.get_logger(__name__)
LOCK = "door.lock"
_SWEEP_EVERY_S = 3600.0
HANDED_ON = ("answer", "commanded", "event_picture", "fetch", "live_part", "live_end", "still")
"""Kinds of messages that are the console's to deal with; the store takes the others (`TO_STORE`)."""


class DoorProcess:
    """Everything of one door, put together."""

    def __init__(self, config: Path, clock: Clock | None = None) -> None:
        self.settings: Settings
        self.settings, wrong = load_kept(config)
        for problem in wrong:
            _log.error("the settings are wrong; the last good ones are used", problem=str(problem))
        for problem in self.settings.lacking:
            _log.error("a secret is missing, and what needs it is left out", problem=str(problem))
        if not self.settings.door:
            raise UsageError(f"{config} is not the file of a door", remedy="a door's has `hub: {id: ..., door: NAME}`")
        self.clock: Clock = clock or SystemClock()
        self._end = asyncio.Event()
        self._failed = False
        self._tasks = Tasks("door")

    async def run(self) -> bool:
        """Until SIGTERM or SIGINT, or another process takes this one's name: then False. Raises LongwatchError where it cannot start."""
        data = self.settings.volumes[0]
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end.set)
        loop.add_signal_handler(signal.SIGHUP, _log.warning, "a door reads its settings at its start alone")
        with _lock(data):
            keys = await asyncio.to_thread(DoorKeys, data / FOLDER, self.settings.post.id)
            fleet, store = await asyncio.to_thread(fleet_of, self.settings, keys.cosigner, self.clock)
            try:
                process = await claimed(self.settings, fleet.db, keys.cosigner, self.clock)
                assert process is not None  # the settings check asks for a database that all reach, and a broker
                assert process.bus is not None
                self._tasks.start("sweep", self._sweep(store))
                await self._serve(keys, fleet, process, process.bus)
            finally:
                await self._tasks.aclose()
                await asyncio.to_thread(fleet.db.close)
        return not self._failed

    async def _serve(self, keys: DoorKeys, fleet: Fleet, process: HubProcess, bus: Bus) -> None:
        settings, clock, loop = self.settings, self.clock, asyncio.get_running_loop()
        desk = DoorDesk(keys, settings.post.name, fleet, bus, clock)
        uplinks = Uplinks(clock)
        hand_on(uplinks, bus)

        def joined() -> None:
            loop.call_soon_threadsafe(bus.tell, "joined")

        through = Through(fleet, settings.post.id, joined)

        def refused(site: str, why: str) -> None:
            bus.tell("refused", {"site": site, "why": why})

        ways = HubWays(desk, fleet, uplinks, through, clock, process.name, bus, process.processes, refused)
        process.on_taken_over.append(self._taken_over)
        assert settings.uplink.listen is not None
        try:
            await ways.listener.start(settings.uplink.listen.host, settings.uplink.listen.port)
            process.start()
            _log.info(
                "posts may dial in", door=process.name, address=settings.uplink.address, fingerprint=keys.fingerprint()
            )
            notify("READY=1")
            await self._end.wait()
            notify("STOPPING=1")
        finally:
            await ways.aclose()
            await process.aclose()

    async def _sweep(self, store: ObjectStore) -> None:
        """For ever: what was begun here and goes on at another process fills no disk."""
        while True:
            await asyncio.to_thread(store.sweep, self.clock.wall_us() / 1_000_000 - SPOOL_S)
            await self.clock.sleep(_SWEEP_EVERY_S)

    def _taken_over(self) -> None:
        self._failed = True
        self._end.set()


def hand_on(uplinks: Uplinks, bus: Bus) -> None:
    """What is not the store's goes to the console, and what the console says to a post goes down its link."""

    async def up(post: str, message: Message | Body) -> None:
        if not bus.say(CONSOLE, "frame", {"post": post}, encode(message)):
            _log.debug("the console does not hear a post now", post=post, kind=message.kind)

    async def down(said: Said) -> None:
        try:
            message = decode(said.data)
        except LinkError as error:
            _log.warning("what the console says to a post cannot be read", reason=str(error))
            return
        if isinstance(message, Message | Body):
            uplinks.say(text_of(said.body, "post", 100), message)

    async def broken(sender: str) -> None:
        """The console may wait for an answer to what never came here."""
        if sender == CONSOLE:
            bus.tell("unheard", {})

    bus.on_broken.append(broken)
    for kind in HANDED_ON:
        assert kind not in TO_STORE
        uplinks.on(kind, up)
    bus.on_said("frame", down)


def _lock(data: Path) -> DataLock:
    """The folder is made (0700) where it is not there. Raises LongwatchError."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return DataLock(data / LOCK)
    except OSError as error:
        raise LongwatchError(
            f"the data folder {data} cannot be used", why=error.strerror or "", remedy="run it as the user that owns it"
        ) from error


def main() -> int:
    """The exit code: 0 after SIGTERM, 1 where it could not run, 2 where the settings are wrong."""
    parser = argparse.ArgumentParser(prog="longwatch-door")
    parser.add_argument("--config", type=Path, required=True)
    config = parser.parse_args().config
    os.umask(0o077)
    log.configure(json=not sys.stderr.isatty())
    logging.basicConfig(level=logging.ERROR)
    try:
        return 0 if uvloop.run(DoorProcess(config).run()) else 1
    except LongwatchError as error:
        _log.error("the door does not start", reason=str(error))
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
