"""What the server judges and the recorder raises: troubles of one kind, put before the alarms. docs/design/silence.md, events.md.

The server judges (it has the pictures, or the fleet's database), the recorder raises: it alone writes the ledger, and it repeats, ends and keeps
alarms as any other. Told whole each time. While nothing was told, or not lately, nothing is raised and nothing ends: who stops the judge hides nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from longwatch.accounting.alarms import Seen, Subject, Trouble
from longwatch.base.clock import Clock
from longwatch.base.errors import UsageError
from longwatch.base.ids import is_slug
from longwatch.model.alarms import AlarmKind

LATELY_US = 60_000_000
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Judged:
    """request: its name on the socket. kind: of the alarms. noun: what it is about, "camera" or "post". troubled, well: names of those lists in
    the request. resting: what is said of those that are to be so. trouble: reads one item of the list of the troubled; raises UsageError.
    """

    request: str
    kind: AlarmKind
    noun: str
    troubled: str
    well: str
    resting: str
    trouble: Callable[[Subject, dict[str, Any]], Trouble]


class Told:
    """Request `judged.request {<troubled>: [{<noun>, since_us, ...}], <well>: [id], resting: [id], unclear: [id]}`. Owner of what was told last."""

    def __init__(self, clock: Clock, judged: Judged) -> None:
        self._clock = clock
        self._judged = judged
        self._seen = Seen()
        self._told_boot_us: int | None = None
        self.commands: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {judged.request: self.told}

    async def told(self, fields: dict[str, Any]) -> dict[str, Any]:
        """See the class. Raises UsageError."""
        judged = self._judged
        troubles = [self._trouble(item) for item in self._listed(fields, judged.troubled)]
        well, resting, unclear = (self._subjects(fields, name) for name in (judged.well, "resting", "unclear"))
        self._seen = Seen(troubles, frozenset(well), dict.fromkeys(resting, judged.resting), frozenset(unclear))
        self._told_boot_us = self._clock.boottime_us()
        return {}

    def add(self, seen: Seen, standing: Iterable[Subject]) -> Seen:
        """What the recorder sees itself, with what it was told. standing: subjects whose alarms stand."""
        told_us = self._told_boot_us
        if told_us is None or self._clock.boottime_us() - told_us > LATELY_US:
            return replace(seen, unclear=seen.unclear | frozenset(standing))
        mine = self._seen
        return Seen(
            [*seen.troubles, *mine.troubles], seen.well | mine.well, {**seen.resting, **mine.resting}, seen.unclear | mine.unclear
        )  # fmt: skip

    def _listed(self, fields: dict[str, Any], name: str) -> list[Any]:
        items = fields.get(name, None if name == self._judged.troubled else [])
        if not isinstance(items, list) or len(items) > _MOST:
            raise UsageError(f"`{name}` is a list of {self._judged.noun}s")
        return items

    def _subject(self, name: object) -> Subject:
        if not isinstance(name, str) or not is_slug(name):
            raise UsageError(f"a {self._judged.noun} is named by its id")
        return Subject(self._judged.kind, name)

    def _subjects(self, fields: dict[str, Any], name: str) -> list[Subject]:
        return [self._subject(one) for one in self._listed(fields, name)]

    def _trouble(self, item: object) -> Trouble:
        if not isinstance(item, dict):
            raise UsageError(f"`{self._judged.troubled}` is a list of {self._judged.noun}s")
        since_us = item.get("since_us")
        if type(since_us) is not int or not 0 <= since_us < 1 << 53:
            raise UsageError(f"a {self._judged.noun} in `{self._judged.troubled}` has `since_us`")
        return self._judged.trouble(self._subject(item.get(self._judged.noun)), item)
