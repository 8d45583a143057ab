"""One task a channel: sends what waits, the oldest first, again and again until it is accepted or there is no use.

Behaviour over time: an attempt has `LIMIT_S`. One that failed is made again after 10 s, then twice as long each time, up to an hour, drawn
from between half and all of that, so that posts that lost the same receiver do not come back all at once. After `GIVE_UP_US` it is given up.
What a channel is to attach is made anew for an attempt, and left out after two that failed: the
message matters more than its pictures, and they may be why it was refused.
A failure of one letter holds back the letters behind it (they go the same way) unless it was that letter's own fault. Before each turn what has
become too old or too much is summarised. A channel is dead when nothing came through for `DEAD_AFTER` attempts in a row.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import structlog

from longwatch.base.clock import Clock
from longwatch.base.secrets import scrub
from longwatch.notify.letter import Channel, Enclosure, Letter, SendingError
from longwatch.notify.store import NotifyStore
from longwatch.server_db import ServerDb

LIMIT_S = 60.0
FIRST_WAIT_US = 10_000_000
MOST_WAIT_US = 3_600_000_000
GIVE_UP_US = 7 * 86_400_000_000
DEAD_AFTER = 3
ENCLOSED_TRIES = 2
ENCLOSE_S = 20.0
"""So long an attempt waits for pictures; then it goes without."""
_LOOK_S = 30.0
_log = structlog.get_logger(__name__)


def wait_us(attempts: int, draw: float) -> int:
    """After so many attempts (1 is the first). draw: 0 to 1."""
    whole = min(FIRST_WAIT_US << min(max(attempts, 1) - 1, 20), MOST_WAIT_US)
    return whole // 2 + int(whole // 2 * draw)


@dataclass(slots=True)
class Pulse:
    """How a channel is. failing: attempts in a row that did not come through; since_us: of the first of them."""

    failing: int = 0
    since_us: int | None = None
    problem: str = ""
    sent_us: int | None = None
    sent: int = 0
    failed: int = 0

    @property
    def dead(self) -> bool:
        """Whether people rely on it in vain."""
        return self.failing >= DEAD_AFTER


class Sender:
    """See the module. Owner of the channel."""

    def __init__(
        self, name: str, channel: Channel, db: ServerDb, clock: Clock, draw: random.Random | None = None, limit_s: float = LIMIT_S,
        enclose: Callable[[Letter], Awaitable[tuple[Enclosure, ...]]] | None = None,
    ) -> None:  # fmt: skip
        self._enclose = enclose
        self.name = name
        self.pulse = Pulse()
        self._channel = channel
        self._db = db
        self._store = NotifyStore(db)
        self._clock = clock
        self._draw = draw or random.Random()  # noqa: S311  it spreads load, and guards nothing
        self._limit_s = limit_s
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There is something new."""
        self._wake.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            self._wake.clear()
            if await self.run_once():
                continue
            due_us = await self._db.call(self._store.due_us, self.name)
            wait_s = _LOOK_S if due_us is None else min(max((due_us - self._clock.wall_us()) / 1e6, 0.05), _LOOK_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()

    async def run_once(self) -> bool:
        """One turn over what may be tried now. Whether there may be more at once."""
        now_us = self._clock.wall_us()
        many = await self._db.call(self._store.summarise, self.name, now_us)
        if many:
            _log.info("messages that waited for long are told in one", channel=self.name, messages=many)
        letters = await self._db.call(self._store.next, self.name, now_us)
        for letter in letters:
            if not await self._try(letter):
                return False
        return bool(letters)

    async def _try(self, letter: Letter) -> bool:
        """Whether the channel is good for the next one."""
        letter = await self._with_enclosures(letter)
        began_us = self._clock.boottime_us()
        try:
            async with asyncio.timeout(self._limit_s):
                await self._channel.send(letter)
        except TimeoutError:
            error = SendingError(f"no answer within {self._limit_s:.0f} s")
        except SendingError as said:
            error = said
        except Exception as unexpected:  # noqa: BLE001  the boundary: whatever a channel's library raises is a failed attempt
            error = SendingError(repr(unexpected))
        else:
            await self._sent(letter, began_us)
            return True
        return await self._failed(letter, error, began_us)

    async def _with_enclosures(self, letter: Letter) -> Letter:
        if self._enclose is None or not letter.events:
            return letter
        if await self._db.call(self._store.attempts_of, letter.delivery) >= ENCLOSED_TRIES:
            return letter
        try:
            async with asyncio.timeout(ENCLOSE_S):
                return replace(letter, enclosed=await self._enclose(letter))
        except Exception as error:  # noqa: BLE001  the boundary: whatever keeps a picture from being made, people are told in words
            _log.warning("a message goes without its pictures", channel=self.name, reason=str(error) or repr(error))
            return letter

    async def _sent(self, letter: Letter, began_us: int) -> None:
        now_us = self._clock.wall_us()
        was_failing = self.pulse.failing
        self.pulse = Pulse(sent_us=now_us, sent=self.pulse.sent + 1, failed=self.pulse.failed)
        await self._db.call(self._store.tried, letter.delivery, now_us, self._took_ms(began_us), "sent")
        if was_failing:
            await self._db.call(self._store.wake, self.name, now_us)

    async def _failed(self, letter: Letter, error: SendingError, began_us: int) -> bool:
        now_us, problem = self._clock.wall_us(), scrub(str(error))
        attempts = 1 + await self._db.call(self._store.attempts_of, letter.delivery)
        final = error.final or now_us - letter.made_us > GIVE_UP_US
        wait = max(wait_us(attempts, self._draw.random()), int(min(error.after_s, 3600.0) * 1e6))
        outcome = "failed" if final else "again"
        self.pulse.failed += final
        await self._db.call(
            self._store.tried, letter.delivery, now_us, self._took_ms(began_us), outcome, problem, now_us + wait
        )
        _log.warning("a message did not go", channel=self.name, attempt=attempts, final=final, problem=problem)
        if not letter.target:  # one browser that is gone says nothing about the others
            self.pulse.failing += 1
            self.pulse.since_us = self.pulse.since_us or now_us
            self.pulse.problem = problem
        return final or bool(letter.target)

    def _took_ms(self, began_us: int) -> int:
        return (self._clock.boottime_us() - began_us) // 1000

    async def aclose(self) -> None:
        """The task that runs this must have ended."""
        await self._channel.aclose()
