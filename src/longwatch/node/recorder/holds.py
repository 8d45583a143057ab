"""Holds on a running recorder: placed, ended, warned of; and the leases of exports under way. docs/design/holds.md.

A hold is an entry, durable, before it takes effect: retention reads the rows before each run. Owner of the leases: the recorder's loop;
they are forgotten with the process, and whoever exports asks for them again. A verb that finds no recorder makes one of these over the
archive alone (node/by_recorder/acts.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from longwatch.accounting.reasons import reason_of
from longwatch.archive import Archive, RetentionReport, RetentionTime
from longwatch.archive.ops import HoldPlace, HoldRelease, HoldWarn
from longwatch.base.clock import Clock
from longwatch.base.errors import UsageError
from longwatch.base.ids import is_slug
from longwatch.ledger.canonical import MAX_INTEGER
from longwatch.model.holds import Guard, Hold, HoldEnd
from longwatch.node.recorder.acts import RecorderActs, person_with_reason

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
WARN_DAYS = (1, 7)
MOST_CAMERAS = 200
LONGEST_LEASE_S = 600
MOST_LEASES = 64
_FARTHEST_US = 50 * 366 * DAY_US
_log = structlog.get_logger(__name__)


class RecorderHolds:
    """wall_us: the host's time as the recorder counts it. acts: who raises alarms."""

    def __init__(self, archive: Archive, clock: Clock, wall_us: Callable[[], int], acts: RecorderActs) -> None:
        self._archive = archive
        self._clock = clock
        self._wall_us = wall_us
        self._acts = acts
        self._leases: dict[str, list[Guard]] = {}
        self.commands: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
            "hold_place": self.place, "hold_end": self.end, "holds": self.listed, "protect": self.protect,
        }  # fmt: skip

    # ---- what people ask for ----------------------------------------------------------------------------------------

    async def place(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Request `hold_place {cameras, streams, from_us, to_us, until_us, authority, reason, person}`. Raises UsageError."""
        cameras, streams = _slugs(fields, "cameras"), _slugs(fields, "streams", needed=False)
        now_us = self._wall_us()
        from_us, to_us = moment_of(fields, "from_us"), moment_of(fields, "to_us")
        if from_us >= to_us:
            raise UsageError("from is not before to", remedy="give a stretch of time that is not empty")
        if to_us > now_us + 366 * DAY_US:
            raise UsageError("a hold reaches at most a year ahead", remedy="give an earlier end of the stretch")
        until_us = None if fields.get("until_us") is None else moment_of(fields, "until_us")
        if until_us is not None and not now_us < until_us < now_us + _FARTHEST_US:
            raise UsageError("the hold's own end is not ahead", remedy="give a day that is still to come")
        authority = _authority(fields.get("authority"))
        person = person_with_reason(fields)
        seq = await self._archive.act(
            HoldPlace(cameras, streams, from_us, to_us, until_us, authority, now_us, person)
        )  # fmt: skip
        placed = next(hold for hold in await self._archive.holds() if hold.seq == seq)
        return {"seq": seq, **await self._told(placed)}

    async def end(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Request `hold_end {hold, reason, person}`. Raises UsageError where there is none, or it has ended."""
        number = fields.get("hold")
        if not isinstance(number, int) or isinstance(number, bool) or not 0 < number <= MAX_INTEGER:
            raise UsageError("`hold` is the number of a hold")
        release = HoldRelease(number, HoldEnd.RELEASED, self._wall_us(), person_with_reason(fields))
        return {"seq": await self._archive.act(release), "hold": number}

    async def listed(self, _: dict[str, Any]) -> dict[str, Any]:
        """Request `holds`: those that stand, with the moment from which the law takes of them."""
        return {"items": [await self._told(hold) for hold in await self._archive.holds()]}

    async def _told(self, hold: Hold) -> dict[str, Any]:
        law_us, _ = await self._archive.stands_until(hold)
        return {"hold": hold.id, "from_us": hold.from_us, "to_us": hold.to_us, "firm": hold.firm, "law_us": law_us}

    # ---- exports under way ------------------------------------------------------------------------------------------

    async def protect(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Request `protect {name, streams, from_us, to_us, for_s}`: what an export is being made of stays, as if held, for so long; 0 ends
        it. The law stands above it. Raises UsageError.
        """
        name, for_s, streams = fields.get("name"), fields.get("for_s"), fields.get("streams")
        if not isinstance(name, str) or not 0 < len(name) <= 80:
            raise UsageError("`name` says which export this is")
        if not isinstance(for_s, int) or isinstance(for_s, bool) or not 0 <= for_s <= LONGEST_LEASE_S:
            raise UsageError(f"`for_s` is 0 to {LONGEST_LEASE_S}")
        if for_s == 0:
            self._leases.pop(name, None)
            return {}
        if not isinstance(streams, list) or not 0 < len(streams) <= MOST_CAMERAS or not all(map(_is_key, streams)):
            raise UsageError("`streams` is a list of [camera, stream]")
        span = moment_of(fields, "from_us"), moment_of(fields, "to_us")
        self.lease(name, [(str(camera), str(stream)) for camera, stream in streams], span, for_s)
        return {}

    def lease(self, name: str, streams: Sequence[tuple[str, str]], span: tuple[int, int], for_s: int) -> None:
        """Raises UsageError where too much is exported at once."""
        self._forget()
        if name not in self._leases and len(self._leases) >= MOST_LEASES:
            raise UsageError("too many exports are under way", remedy="wait until one is done")
        until_us = self._clock.boottime_us() + for_s * 1_000_000
        self._leases[name] = [Guard(camera, stream, *span, until_us) for camera, stream in streams]

    def guards(self) -> list[Guard]:
        """What exports are being made of, now."""
        self._forget()
        return [guard for guards in self._leases.values() for guard in guards]

    def _forget(self) -> None:
        now_us = self._clock.boottime_us()
        self._leases = {
            name: guards for name, guards in self._leases.items() if guards and guards[0].until_boot_us > now_us
        }

    # ---- by itself --------------------------------------------------------------------------------------------------

    async def look(self, now: RetentionTime) -> None:
        """Before each run of retention: what ends by itself, and what the law is going to take from. Raises LongwatchError."""
        for hold in await self._archive.holds():
            begins_us, ends_us = await self._archive.stands_until(hold)
            own, law = _passed(hold.until_us, now), _passed(ends_us, now)
            if own or law:
                why = HoldEnd.EXPIRED if own else HoldEnd.LAW
                await self._archive.act(HoldRelease(hold.id, why, now.wall_us))
                _log.info("a hold has ended", hold=hold.id, why=str(why))
            elif begins_us is not None and now.trusted:
                await self._warn(hold, begins_us, now.wall_us)

    async def _warn(self, hold: Hold, begins_us: int, now_us: int) -> None:
        if hold.until_us is not None and hold.until_us <= begins_us:
            return  # it ends before the law comes to it
        days = next((days for days in WARN_DAYS if begins_us - now_us <= days * DAY_US), 0)
        if days and not 0 < hold.warned_days <= days:
            await self._archive.act(HoldWarn(hold.id, days, begins_us))
            self._acts.hold_told(f"hold {hold.id}, {days} d", {"hold": hold.id, "days": days, "goes_us": begins_us})

    def removed(self, report: RetentionReport) -> None:
        """Footage of holds that was removed all the same."""
        for number, why in report.overruled:
            self._acts.hold_told(f"hold {number}, {why}", {"hold": number, "overruled": why})


def _passed(at_us: int | None, now: RetentionTime) -> bool:
    """Nothing ends by age while time is not trusted, and what ended long ago waits as footage does."""
    if at_us is None or not now.trusted or now.wall_us < at_us:
        return False
    return now.wall_us - at_us <= DAY_US or now.approved or now.agreed_for_us >= HOUR_US


def _slugs(fields: dict[str, Any], name: str, *, needed: bool = True) -> list[str]:
    given = fields.get(name) or []
    if not isinstance(given, list) or len(given) > MOST_CAMERAS or (needed and not given):
        raise UsageError(f"`{name}` is a list of ids, at most {MOST_CAMERAS}")
    if not all(isinstance(item, str) and is_slug(item) for item in given):
        raise UsageError(f"`{name}` holds something that is no id")
    return list(dict.fromkeys(given))


def _is_key(item: object) -> bool:
    return isinstance(item, list) and len(item) == 2 and all(isinstance(part, str) for part in item)


def moment_of(fields: dict[str, Any], name: str) -> int:
    """A time in us that a request must carry. Raises UsageError."""
    given = fields.get(name)
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given <= MAX_INTEGER:
        raise UsageError(f"`{name}` is a time in microseconds")
    return given


def _authority(given: object) -> str:
    try:
        return reason_of(given, needed=False)
    except UsageError as error:
        raise UsageError("the authority is one line of text", why=error.what) from None
