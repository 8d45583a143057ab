"""What a hub does with what it holds, by and by: the law and the room, days of wide views, and what did not fit becomes an alarm of its own.

Every step is short and may be cut anywhere: the next goes on from what the database says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError
from longwatch.config import Settings
from longwatch.fleet import EvidenceRow, Fleet, FleetRetention, HubKeeping, ObjectStore, OwnIndex, Removed, WideDays
from longwatch.node.link import Ledger

_log = structlog.get_logger(__name__)
KEEP_EVERY_S = 60.0
TELL_EVERY_S = 5.0
COUNT_EVERY = 30  # rounds: counting rows of all posts takes a while
SPOOL_S = 7 * 86_400  # what was begun and not gone on with for so long is begun anew


class HubStore:
    """State: what of the media store goes, and the packed days. settings: as they are now. own: the hub's holds."""

    def __init__(
        self, fleet: Fleet, store: ObjectStore, own: OwnIndex, recorder: Ledger, clock: Clock, settings: Callable[[], Settings]
    ) -> None:  # fmt: skip
        self._fleet = fleet
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self.settings = settings
        self._days = WideDays(fleet.db)
        self._retention = FleetRetention(fleet.db, store, clock.wall_us, own.holds)
        self._rounds = 0
        self.last = Removed()

    async def keep(self) -> None:
        """For ever: one round of removing, then packed days as long as there are any to make."""
        while True:
            await self._clock.sleep(KEEP_EVERY_S)
            await self._round("what the hub keeps cannot be looked at now", self.keep_once)

    async def keep_once(self) -> None:
        """Raises LongwatchError."""
        call = self._fleet.db.call
        trusted = bool((await self._recorder.request("status")).get("time_trusted"))
        self.last = await call(lambda: self._retention.run(_keeping(self.settings()), trusted=trusted))
        if self.last.segments or self.last.pictures or self.last.full:
            _log.info(
                "footage was removed", segments=self.last.segments, pictures=self.last.pictures, full=self.last.full
            )
        if trusted:
            await self._forget_events()
        self._store.sweep(self._clock.wall_us() / 1_000_000 - SPOOL_S)
        while await call(self._days.step):
            await self._clock.sleep(0.05)

    async def _forget_events(self) -> None:
        """What is older than the hub's own `events.keep`; now and then what is too much of one post."""
        call, events = self._fleet.db.call, self._fleet.events
        await call(events.drop_before, self._clock.wall_us() - self.settings().events.keep * 1_000_000)
        if self._rounds % COUNT_EVERY == 0:
            await call(events.drop_too_many)
        self._rounds += 1

    async def tell(self) -> None:
        """For ever: what posts sent and did not fit is an alarm in the hub's own ledger, once."""
        while True:
            await self._clock.sleep(TELL_EVERY_S)
            await self._round("what did not fit cannot be told now", self.tell_once)

    async def tell_once(self) -> None:
        """Raises LongwatchError."""
        for row in await self._fleet.db.call(lambda: self._fleet.evidence(untold=True)):
            await self._recorder.request("ledger_doubted", post=row.post, doubt=str(row.doubt), detail=_detail(row))
            await self._fleet.db.call(self._fleet.evidence_told, row.id)

    async def _round(self, what: str, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except LongwatchError as error:
            _log.warning(what, reason=str(error))
        except Exception as error:  # noqa: BLE001 - boundary: the law is kept for all posts, whatever one of them said
            _log.error(what, reason=repr(error)[:500], exc_info=error)


def _keeping(settings: Settings) -> HubKeeping:
    kept = settings.retention
    return HubKeeping(kept.max_size, kept.keep_free.size_bytes or 0, kept.keep_free.fraction or 0.0)


def _detail(row: EvidenceRow) -> str:
    return f"post {row.post}, log {row.number}: {row.why} (evidence {row.id})"
