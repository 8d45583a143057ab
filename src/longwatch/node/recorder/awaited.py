"""Secrets that are awaited: where settings lack some, whether they are there now is asked of the secrets file, and nobody has to say so.

Behaviour over time: the file is looked at every two seconds, while something lacks its secret. Once it is another than when it was read last, and has not changed between two
looks (somebody may be writing it: half a password is a wrong one), the settings are read again; they take effect where less is missing than before. What fails is tried again after half a minute. Where the settings
file itself was changed meanwhile nothing is done: who changed it says when that holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.node.recorder.options import RecorderOptions, resolve

LOOK_S = 2.0
AGAIN_S = 30.0
"""After what could not be used: a disk may be full, on which there is to be an entry first."""
Stamp = tuple[int, int, int] | None
_log = structlog.get_logger(__name__)


def stamp(path: Path) -> Stamp:
    """What tells one state of a file from another; None where it is not there. Blocks."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def _both(settings: Path, file: Path) -> tuple[Stamp, Stamp]:
    return stamp(settings), stamp(file)


_NONE: Stamp = None


class Awaited:
    """See the module. config: of the settings; None: there is none, and nothing comes. options: those in force. use: makes others so; raises LongwatchError."""

    def __init__(
        self, config: Path | None, options: Callable[[], RecorderOptions], use: Callable[[RecorderOptions], Awaitable[None]], clock: Clock
    ) -> None:  # fmt: skip
        self._config = config
        self._options = options
        self._use = use
        self._clock = clock
        self._of: RecorderOptions | None = None
        self._settings = self._before = self._tried = _NONE
        self._failed_us: int | None = None

    async def run(self) -> None:
        """For ever."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_S)

    async def look(self) -> None:
        """Once. Raises nothing that a file can cause."""
        options = self._options()
        if self._config is None or options.secrets_file is None or not options.lacking:
            self._of = None
            return
        settings, file = await asyncio.to_thread(_both, self._config, options.secrets_file)
        if self._of is not options:  # read a moment ago, and it is not known at which state of the file
            self._of, self._settings, self._before, self._tried = options, settings, file, None
            return
        if settings != self._settings or file is None or file == self._tried:
            return
        if file != self._before:
            self._before = file
            return
        now_us = self._clock.boottime_us()
        if self._failed_us is not None and now_us - self._failed_us < AGAIN_S * 1e6:
            return
        try:
            new = await resolve(self._config)
            if (
                new.problems == options.problems
                and set(new.lacking) < set(options.lacking)
                and self._options() is options
            ):
                _log.info("secrets are there again", still_missing=len(new.lacking))
                await self._use(new)
            self._tried, self._failed_us = file, None
        except (LongwatchError, OSError) as error:
            self._failed_us = now_us
            _log.error("settings whose secrets are there again cannot be used", reason=str(error))
