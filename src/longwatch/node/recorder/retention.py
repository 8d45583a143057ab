"""Retention as the recorder runs it: by which clock, how often, who vouched for that clock, and what goes next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from longwatch.archive import Archive, Discard, RetentionTime
from longwatch.archive.confirming import read as read_confirmed
from longwatch.archive.ops import Entry
from longwatch.base.clock import Clock
from longwatch.base.errors import UsageError
from longwatch.ledger import kinds
from longwatch.model.stores import Provenance
from longwatch.node.recorder.acts import RecorderActs
from longwatch.node.recorder.holds import RecorderHolds, moment_of
from longwatch.node.recorder.people import People, person_of
from longwatch.node.recorder.streams import StreamUnit
from longwatch.recording import HostTime

EVERY_S = 30.0
APPROVE = "an operator who knows that the clock is right says so with POST /api/v1/retention/approve"
_MOST_SHOWN = 10_000
_YOUNG_US = 10_000_000


class RecorderRetention:
    """Owner of who vouched for the host's clock. units: every stream there is. by_events: whether a camera records by events."""

    def __init__(
        self, archive: Archive, clock: Clock, host: HostTime, units: Mapping[object, StreamUnit], acts: RecorderActs, people: People,
        holds: RecorderHolds, by_events: Callable[[str], bool],
    ) -> None:  # fmt: skip
        self._archive = archive
        self._clock = clock
        self._host = host
        self._units = units
        self._acts = acts
        self._people = people
        self._holds = holds
        self._by_events = by_events
        self._held_back = ""
        self._kept_back_bytes = 0
        self._approved_epoch = -1  # of the host's clock that an operator vouched for

    def time(self) -> RetentionTime:
        """A clock that nothing disciplines is trusted only where a camera's clock or an operator vouches for it."""
        boot_us = self._clock.boottime_us()
        approved = self._approved_epoch == self._host.epoch
        trusted = (
            approved
            or self._host.provenance is Provenance.NTP
            or any(unit.agrees_with(self._host, boot_us) for unit in self._units.values())
        )
        return RetentionTime(self._host.wall_us(boot_us), trusted, self._host.agreed_for_us(boot_us), approved)

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._clock.sleep(EVERY_S)
            await self._holds.look(self.time())
            report = await self._archive.retain(self.time(), self._holds.guards())
            self._acts.removed(report)
            self._holds.removed(report)
            self._held_back, self._kept_back_bytes = report.held_back, report.kept_back_bytes
            await self._people.expire(self.time())

    def health(self) -> list[dict[str, str]]:
        """Why nothing expires by age, where something should; and what holds keep beyond the sizes that were set."""
        issues = []
        if self._held_back:
            issues.append({"what": "nothing expires by age", "why": f"{self._held_back} ({APPROVE})"})
        if self._kept_back_bytes:
            above = f"{self._kept_back_bytes} bytes are above max_size or keep_free; they are held (see `longwatch hold list`)"
            issues.append({"what": "holds keep more than the settings allow", "why": above, "weight": "remark"})
        return issues

    async def confirm(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Request `confirm {segments}`: a hub holds them, by hash. Raises UsageError."""
        return {"marked": await self._archive.confirm(read_confirmed(fields.get("segments")))}

    async def discard(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Request `discard {camera, from_us, to_us}`: of a camera that records by events, what was looked at and no event needs. What is
        held, open or younger than a moment stays. Raises UsageError.
        """
        camera, from_us, to_us = fields.get("camera"), moment_of(fields, "from_us"), moment_of(fields, "to_us")
        if not isinstance(camera, str) or not self._by_events(camera):
            raise UsageError(
                f"{camera!r} does not record by events: nothing of it is discarded",
                remedy="write `record: events` in the settings, where that is meant",
            )
        newest_us = self._host.wall_us(self._clock.boottime_us()) - _YOUNG_US
        looked = Discard(camera, from_us, min(to_us, newest_us))
        report = await self._archive.discard(looked, self._holds.guards())
        return {"segments": report.removed, "bytes": report.bytes, "problem": report.problem}

    async def preview(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Request `retention_preview {limit}`."""
        limit = max(1, min(int(fields.get("limit", 100)), _MOST_SHOWN))
        removals = await self._archive.preview(self.time(), limit, self._holds.guards())
        return {
            "items": [
                {
                    "camera": r.key.camera, "stream": r.key.stream, "from_us": r.from_us, "to_us": r.to_us, "bytes": r.bytes,
                    "why": r.why, "due_us": r.due_us, "holds": list(r.holds),
                }
                for r in removals
            ],
            "kept_back_bytes": self._kept_back_bytes,
        }  # fmt: skip

    async def approve(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Request `retention_approve {person}`: an operator vouches for the host's clock as it runs now. The entry comes first."""
        epoch, wall_us = self._host.epoch, self._host.wall_us(self._clock.boottime_us())
        body = {"wall_us": wall_us, "provenance": self._host.provenance.name.lower()}
        await self._archive.enter(Entry(kinds.RETENTION_APPROVED, body, person_of(fields)))
        self._approved_epoch = epoch
        return {"wall_us": wall_us}
