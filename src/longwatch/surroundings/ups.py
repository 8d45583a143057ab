"""The mains and the battery, as a NUT server (upsd) tells them; through aionut."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping

from aionut import AIONUTClient, NUTError

from longwatch.base.clock import Clock
from longwatch.base.secrets import scrub
from longwatch.model.surroundings import MainsState, Power
from longwatch.surroundings.device import DeviceError, Feed
from longwatch.surroundings.options import Ups

logging.getLogger("aionut.client").addFilter(
    lambda record: record.levelno > logging.DEBUG
)  # there it writes the password

_PATIENCE_S = 4.0
_WHOLE_S = 10.0
_MAX_NUMBER = 1_000_000_000


class UpsDevice:
    """One UPS, asked over one connection that is kept. state: the newest; its since_wall_us is left to the watch."""

    def __init__(self, options: Ups, clock: Clock) -> None:
        self.by = options.by
        self.state = MainsState(by=options.by)
        self.status = ""
        self.asked_boot_us = 0
        self._options = options
        self._clock = clock
        self._client: AIONUTClient | None = None

    async def run_once(self) -> None:
        """Ask once. Raises DeviceError."""
        client = self._client or self._connect()
        try:
            async with asyncio.timeout(_WHOLE_S):
                said = await client.list_vars(self._options.name)
        except (NUTError, EOFError, OSError, ValueError, asyncio.LimitOverrunError) as error:
            self.close()
            raise DeviceError(f"{self.by} does not answer", why=scrub(str(error) or type(error).__name__)) from error
        self.state, self.status = read(said, self.by)
        self.asked_boot_us = self._clock.boottime_us()

    def forget(self) -> None:
        """Nobody knows any more whether there is mains."""
        self.state = MainsState(by=self.by)
        self.status = ""

    def by_of(self, camera: str) -> str:  # noqa: ARG002 - the same for all
        """Who says it."""
        return self.by

    def feed(self, camera: str) -> Feed:  # noqa: ARG002 - a UPS feeds the post, and no camera is asked of it
        """Nothing: it stands before the post."""
        return Feed()

    def close(self) -> None:
        """Hang up."""
        client, self._client = self._client, None
        if client is not None:
            writer = client._writer  # noqa: SLF001 - aionut 4.3 forgets it where the login fails, and it would stay open for ever
            client.shutdown()
            if writer is not None:
                writer.close()

    def _connect(self) -> AIONUTClient:
        options = self._options
        self._client = AIONUTClient(
            options.host,
            options.port,
            quoted(options.user) if options.user else None,
            quoted(options.password) if options.password else None,
            timeout=_PATIENCE_S,
        )
        return self._client


def quoted(word: str) -> str:
    """A word as upsd reads it: in quotes where it holds blanks, quotes or backslashes (docs/net-protocol of NUT)."""
    if re.fullmatch(r"[!-~]+", word) and not re.search(r'["\\#=]', word):
        return word
    return '"' + re.sub(r'(["\\])', r"\\\1", word) + '"'


def read(said: Mapping[str, str], by: str) -> tuple[MainsState, str]:
    """What a UPS's variables mean, and `ups.status` as it stands. Pure. Raises DeviceError where the driver lost its UPS.

    OL: on mains. OB: on battery. LB: the battery ends soon. FSD: it was told to cut its output. Where neither OL nor OB is said
    (a driver that is starting) the mains are unknown.
    """
    status = re.sub(r"[^ -~]", "?", said.get("ups.status", ""))[:100]  # it goes into an entry as it stands
    words = set(status.split())
    if not words or "WAIT" in words:
        raise DeviceError(f"{by} does not know yet", why=f"ups.status is {status!r}")
    mains = Power.OFF if "OB" in words else Power.ON if "OL" in words else Power.UNKNOWN
    state = MainsState(
        mains,
        battery_percent=_number(said.get("battery.charge"), 100),
        runtime_s=_number(said.get("battery.runtime"), _MAX_NUMBER),
        by=by,
        low_battery="LB" in words,
        forced_shutdown="FSD" in words,
    )
    return state, status


def _number(text: str | None, highest: int) -> int | None:
    match = re.fullmatch(r"(\d{1,12})(?:\.\d+)?", (text or "").strip())
    return None if match is None else min(int(match[1]), highest)
