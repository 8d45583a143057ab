"""What the ledger is told about people, on its way from the server to the recorder.

`say` makes an entry durable here; `run` hands what waits to the recorder, in order, as soon as it answers, each exactly once.
Nothing is refused meanwhile: viewing goes on while the recorder is away. Owner of the state: the server's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from longwatch.accounts.limits import Limiter, ThrottledError
from longwatch.accounts.outbox import Outbox, Said
from longwatch.accounts.refusals import Refusals
from longwatch.accounts.viewings import EVERY_US, Look, Viewings
from longwatch.accounts.who import POST, Who
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.ledger import canonical, kinds

MOST_ACTS = 1_000  # of one kind and person at once; then one a second
AT_ONCE = 50  # entries of one request, and of one transaction
_EVERY_S = 2.0
_AWAY_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_log = structlog.get_logger(__name__)


class Recorder(Protocol):
    """The socket to the recorder."""

    async def request(self, kind: str, /, *, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]:
        """Ask, and wait for the answer. Raises LongwatchError; its exit_code is 2 where it will never be otherwise."""
        ...


class Journal:
    """See the module. call: runs something on the thread of the database."""

    def __init__(self, outbox: Outbox, call: Callable[..., Awaitable[Any]], clock: Clock) -> None:
        self._outbox = outbox
        self._call = call
        self._clock = clock
        self._wake = asyncio.Event()
        self._delivering = asyncio.Lock()
        self._viewings = Viewings()
        self._refusals = Refusals()
        self._said_lately: dict[tuple[Who, bytes], int] = {}
        self._limits = Limiter(clock, MOST_ACTS, 1.0)
        self._has_room = True
        self._lost = 0
        self._lost_from_us = 0
        self.away = ""  # why nothing can be delivered; "" while it can

    # -- what is said

    def said(self, kind: str, body: Mapping[str, object], who: Who, reason: str = "") -> Said:
        """An entry to be, of this moment."""
        return Said(kind, {"at_us": self._clock.wall_us(), **body}, who.subject, who.text(reason))

    async def say(self, kind: str, body: Mapping[str, object], who: Who, reason: str = "") -> None:
        """Durable here once this returns; where too many wait, counted, and told later."""
        await self._put([self.said(kind, body, who, reason)])

    async def _put(self, said: list[Said]) -> None:
        """In transactions of at most AT_ONCE: who looks at many cameras at one time waits for one."""
        for n in range(0, len(said), AT_ONCE):
            part = said[n : n + AT_ONCE]
            try:
                await self._tell_lost()
                room = await self._ask(self._outbox.put_all, part)
            except LongwatchError as error:
                for _ in part:
                    self._lose(error)
                continue
            if self._has_room and not room:
                _log.error("entries about people find no room and are only counted", why=self.away)
            self._has_room = room
        if said:
            self.wake()

    async def rehearse(self) -> None:
        """See Outbox.rehearse; where the database takes nothing, the first who looks is told."""
        with contextlib.suppress(LongwatchError):
            await self._ask(self._outbox.rehearse)

    async def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The database, or why not. Raises LongwatchError."""
        try:
            return await self._call(function, *arguments)
        except SQLAlchemyError as error:
            raise LongwatchError("the server's database takes nothing", why=str(error).splitlines()[0]) from error

    def _lose(self, error: LongwatchError) -> None:
        """Its disk is full or gone: whoever looks is not turned away, and what was not kept is counted."""
        if not self._lost:
            _log.error("entries about people are only counted", reason=str(error))
            self._lost_from_us = self._clock.wall_us()
        self._lost += 1

    async def _tell_lost(self) -> None:
        if self._lost:
            body = {
                "count": self._lost, "from_us": self._lost_from_us, "to_us": self._clock.wall_us(),
                "at_us": self._clock.wall_us(),
            }  # fmt: skip
            await self._ask(self._outbox.put, Said(kinds.ENTRIES_DROPPED, body, POST, "{}"))
            self._lost = 0

    def wake(self) -> None:
        """Something was added to the outbox."""
        self._wake.set()

    # -- viewing

    async def looked(self, who: Who, camera: str, look: Look, *, goes_on: bool = False, part: bool = False) -> None:
        """Somebody looks at a stretch of a camera. part: of a playlist, and nothing new where that was entered."""
        boot_us, wall_us = self._clock.boottime_us(), self._clock.wall_us()
        await self._put(self._viewings.look(who, camera, look, boot_us, wall_us, goes_on=goes_on, part=part))

    async def looked_at(self, who: Who, looks: Sequence[tuple[str, Look]]) -> None:
        """The same at several cameras, as one."""
        boot_us, wall_us = self._clock.boottime_us(), self._clock.wall_us()
        await self._put(
            [said for camera, look in looks for said in self._viewings.look(who, camera, look, boot_us, wall_us)]
        )

    async def say_once(self, kind: str, body: Mapping[str, object], who: Who) -> None:
        """The same of the same person and program within a minute is one act, tried again: an export, a page after a page.

        Raises ThrottledError for whoever makes entries by the thousand: each stays in the ledger for ever.
        """
        now_us = self._clock.boottime_us()
        self._said_lately = {key: at_us for key, at_us in self._said_lately.items() if now_us - at_us < EVERY_US}
        key = (who, canonical([kind, body]))
        if key not in self._said_lately:
            wait_s = self._limits.take(f"{kind} {who.subject}")
            if wait_s:
                raise ThrottledError(wait_s)
            self._said_lately[key] = now_us
            await self.say(kind, body, who)

    async def live_begins(self, who: Who, camera: str, stream: str) -> int:
        """A live view; its number for `live_ends`."""
        boot_us, wall_us = self._clock.boottime_us(), self._clock.wall_us()
        number, said = self._viewings.begin_live(who, camera, stream, boot_us, wall_us)
        await self._put(said)
        return number

    async def live_ends(self, number: int) -> None:
        """It is over."""
        await self._put(self._viewings.end_live(number, self._clock.boottime_us(), self._clock.wall_us()))

    # -- refused logins

    async def refused(self, address: str, agent: str, account: tuple[str, int] | None, *, throttled: bool) -> None:
        """Somebody was not let in. account: name and subject, where there is one of that name."""
        boot_us, wall_us = self._clock.boottime_us(), self._clock.wall_us()
        minute = self._refusals.refuse(address, agent, account, boot_us, wall_us, throttled=throttled)
        if minute is not None:
            try:
                await self._tell_lost()
                minute.row = await self._ask(self._outbox.hold, minute.said())
            except LongwatchError as error:
                self._lose(error)

    # -- delivery

    async def run(self, recorder: Recorder) -> None:
        """For ever."""
        failed = 0
        while True:
            try:
                await self.settle()
                await self.deliver(recorder)
                failed = 0
            except LongwatchError as error:
                failed = min(failed + 1, len(_AWAY_S))
                _log.debug("entries about people wait", reason=str(error))
            except Exception:  # noqa: BLE001  # boundary: an error of ours at one entry must not end the delivery of all
                failed = len(_AWAY_S)
                _log.exception("entries about people could not be handed over")
            if failed:
                await asyncio.sleep(_AWAY_S[failed - 1])
                continue
            try:
                async with asyncio.timeout(_EVERY_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def settle(self, *, ends: bool = False, all_that_waits: bool = False) -> None:
        """What is to be said by now becomes a row. all_that_waits: before its time too; ends: so that nothing goes on."""
        boot_us, wall_us = self._clock.boottime_us(), self._clock.wall_us()
        said = self._viewings.due(boot_us, wall_us)
        if ends:
            said += self._viewings.close(boot_us, wall_us)
        elif all_that_waits:
            said += self._viewings.flush(boot_us, wall_us)
        await self._put(said)
        for minute in self._refusals.due(boot_us, everything=ends or all_that_waits):
            if minute.row is not None:
                await self._ask(self._outbox.release, minute.row, minute.said())
                self.wake()

    async def deliver(self, recorder: Recorder) -> int:
        """All that waits, in order. Says how many. Raises LongwatchError where the recorder is away: they stay."""
        count = 0
        async with self._delivering:
            self._wake.clear()
            while waiting := await self._ask(self._outbox.oldest, AT_ONCE):
                try:
                    await recorder.request("entries", items=[one.item() for one in waiting])
                    numbers = [one.number for one in waiting]
                except LongwatchError as error:
                    if error.exit_code != 2:
                        self.away = str(error)
                        raise
                    numbers = await self._one_by_one(recorder, waiting)
                await self._ask(self._outbox.done, numbers)
                count += len(numbers)
            self.away = ""
        return count

    async def _one_by_one(self, recorder: Recorder, waiting: list[Any]) -> list[int]:
        """One of them is refused for good: the others must not wait for it."""
        numbers = []
        for one in waiting:
            try:
                await recorder.request("entries", items=[one.item()])
                numbers.append(one.number)
            except LongwatchError as error:
                if error.exit_code != 2:
                    await self._ask(self._outbox.done, numbers)
                    raise
                _log.error("the recorder refuses an entry", kind=one.said.kind, reason=str(error))
                await self._ask(self._outbox.refused, one)
        return numbers

    async def waiting(self) -> tuple[int, int]:
        """How many entries wait, and how many were dropped and are not told yet."""
        count: tuple[int, int] = await self._ask(self._outbox.waiting)
        return count
