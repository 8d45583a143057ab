"""Asking the recorder how it is, without asking it once per visitor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.health.snapshot import Snapshot

_FRESH_US = 500_000
_PATIENCE_S = 3.0


class RecorderLink(Protocol):
    """The socket to the recorder, as `node` hands it in."""

    async def request(self, kind: str, /, *, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]:
        """Ask, and wait for the answer. Raises LongwatchError where the recorder is not there, or says no."""
        ...


class RecorderStatus:
    """The last snapshot, at most half a second old. Owner: the server's event loop. also: each adds what the server knows itself."""

    def __init__(self, link: RecorderLink, clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._turn = asyncio.Lock()
        self._last: Snapshot | None = None
        self._asked_boot_us = 0
        self.also: list[Callable[[Snapshot], Awaitable[Snapshot]]] = []

    async def now(self) -> Snapshot:
        """Never raises: a recorder that does not answer is a snapshot that says so."""
        async with self._turn:
            now_us = self._clock.boottime_us()
            if self._last is None or now_us - self._asked_boot_us >= _FRESH_US:
                found = await self._ask()
                for add in self.also:
                    found = await add(found)
                self._last = found
                self._asked_boot_us = now_us
            return self._last

    async def _ask(self) -> Snapshot:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                answer = await self._link.request("status")
            return Snapshot.read(self._clock.wall_us(), answer)
        except TimeoutError:
            return Snapshot.silent(self._clock.wall_us(), f"the recorder did not answer within {_PATIENCE_S:.0f} s")
        except (LongwatchError, OSError) as error:
            return Snapshot.silent(self._clock.wall_us(), str(error))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return Snapshot.silent(self._clock.wall_us(), f"the recorder's answer cannot be read: {error!r}")
