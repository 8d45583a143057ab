"""The server process: API, console, live and playback. It may die at any time; recording goes on without it.

`python -m longwatch.node.server --config FILE`. It writes `server.db`, `setup-code`, `tls/` and `derived/`, reads the
archive, and asks the recorder over its socket. SIGTERM ends it at once; SIGHUP, `reload` on its socket, or a newer
settings file make it read the settings again.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import gc
import logging
import os
import signal
import socket
import sys
from importlib.metadata import version
from pathlib import Path

import structlog
import uvloop
from fastapi import FastAPI

from longwatch.accounts import Accounts
from longwatch.archive import ArchiveReader
from longwatch.base import log
from longwatch.base.clock import Clock, SystemClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.tasks import Tasks
from longwatch.config import Settings, load, load_kept
from longwatch.health import RecorderStatus
from longwatch.live import Hub
from longwatch.node.link import LinkClient, LinkServer, socket_path
from longwatch.node.sd_notify import notify
from longwatch.node.server_commands import handler, take_lock
from longwatch.node.server_http import http_server, listen
from longwatch.node.server_options import Door, door_of, site_of
from longwatch.playback import Stills
from longwatch.web import Deps, Options, create_app

_log = structlog.get_logger(__name__)
_WATCH_S = 2.0


class _ThroughStructlog(logging.Handler):
    """What libraries log by `logging` is scrubbed like all else."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger(record.name).log(record.levelno, record.getMessage(), exc_info=record.exc_info)


class ServerProcess:
    """Everything of one server, put together. Owner of the settings in force, and of what is made from them."""

    def __init__(self, config: Path, clock: Clock | None = None) -> None:
        self.config = config
        self.clock: Clock = clock or SystemClock()
        self.settings: Settings
        self.settings, wrong = load_kept(config)
        for problem in wrong:
            _log.error("the settings are wrong; the last good ones are used", problem=str(problem))
        self._site = site_of(self.settings)
        self._stamp = _stamp(config)
        self._tasks = Tasks("server")
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
        _offer_set_up(accounts)
        link = LinkClient(socket_path(data, "recorder"), "server")
        index = ArchiveReader(self.settings.volumes)
        hub = Hub(link, self.clock)
        stills = Stills()
        options = Options(version=version("longwatch"))
        deps = Deps(
            accounts,
            index,
            link,
            RecorderStatus(link, self.clock),
            hub,
            stills,
            self.clock,
            lambda: self._site,
            options,
        )
        commands = LinkServer(socket_path(data, "server"), "server", handler(accounts, self.reload))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        try:
            door = await asyncio.to_thread(door_of, self.settings)
            listening = listen(door)
            door = dataclasses.replace(door, port=listening.getsockname()[1])
            await commands.start()
            self._tasks.start("recorder-link", link.run())
            self._tasks.start("settings", self._follow_settings())
            await self._serve(create_app(deps), door, listening, hub)
        finally:
            await commands.aclose()
            await self._tasks.aclose()
            await stills.aclose()
            deps.readers.shutdown(wait=False, cancel_futures=True)
            index.close()

    async def _serve(self, app: FastAPI, door: Door, listening: socket.socket, hub: Hub) -> None:
        server = http_server(app, door)
        serving = self._tasks.start("http", server.serve(sockets=[listening]))
        ending = self._tasks.start("end", self._end.wait())
        gc.collect()
        gc.freeze()  # what is there now stays: a full collection over it took 50 ms, in the midst of live chunks
        _log.info("server is up", address=door.url)
        notify("READY=1")
        await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
        notify("STOPPING=1")
        await hub.aclose()
        server.should_exit = True
        await serving

    def reload(self) -> None:
        """Read the settings again, soon; what cannot be read leaves those in force."""
        self._reload.set()

    async def _follow_settings(self) -> None:
        """For ever: when told to, and within two seconds of a change of the file."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._reload.wait(), _WATCH_S)
            stamp = _stamp(self.config)
            if self._reload.is_set() or stamp not in {None, self._stamp}:
                self._reload.clear()
                self._stamp = stamp
                await self._read_again()

    async def _read_again(self) -> None:
        try:
            settings = await asyncio.to_thread(load, self.config)
        except UsageError as error:
            _log.error("the settings are wrong; those before stay in force", reason=str(error))
            return
        if settings.web != self.settings.web or settings.volumes != self.settings.volumes:
            _log.warning("a change of `web` or `data` needs a restart of the server")
        self.settings, self._site = settings, site_of(settings)
        _log.info("settings are read again", cameras=len(self._site.cameras))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


def _offer_set_up(accounts: Accounts) -> None:
    code = accounts.offer_set_up()
    if code is None:
        return
    _log.info("nobody has an account yet; the set-up code is in the data folder", file=str(accounts.setup_code.path))
    if sys.stderr.isatty():
        sys.stderr.write(f"\n  set-up code: {code}\n\n")  # to a person at a terminal, never to a journal


def main() -> int:
    """The exit code: 0 after SIGTERM, 1 where it could not run, 2 where the settings are wrong."""
    parser = argparse.ArgumentParser(prog="longwatch-server")
    parser.add_argument("--config", type=Path, required=True)
    config = parser.parse_args().config
    os.umask(0o077)
    log.configure(json=not sys.stderr.isatty())
    logging.basicConfig(handlers=[_ThroughStructlog()], level=logging.WARNING)
    try:
        uvloop.run(_main(config))
    except LongwatchError as error:
        _log.error("the server does not start", reason=str(error))
        return error.exit_code
    return 0


async def _main(config: Path) -> None:
    await ServerProcess(config).run()


if __name__ == "__main__":
    sys.exit(main())
