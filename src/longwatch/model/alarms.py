"""What is raised until somebody deals with it: the nouns that archive, accounting, health, web and verbs share."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

POSTS_FROM = 1 << 40
"""At a hub, alarms and holds are numbered from here on where they are of posts; below, they are the hub's own."""


class AlarmKind(enum.StrEnum):
    """What an alarm is about. docs/design/alarms.md has the table."""

    CAMERA_SILENT = "camera_silent"
    UNKNOWN_CAUSE = "unknown_cause"
    ACCOUNTING_REDUCED = "accounting_reduced"
    STORAGE = "storage"
    LEDGER = "ledger"
    UNCONFIRMED_REMOVED = "unconfirmed_removed"
    HOLD = "hold"
    POST_SILENT = "post_silent"
    CAMERA_BLIND = "camera_blind"


ENDS_BY_ITSELF = frozenset(
    {
        AlarmKind.CAMERA_SILENT,
        AlarmKind.STORAGE,
        AlarmKind.UNCONFIRMED_REMOVED,
        AlarmKind.POST_SILENT,
        AlarmKind.CAMERA_BLIND,
    }
)
"""These end when what is wrong is over. The others are about what was done or lost: they stand until acknowledged."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Who dealt with an alarm. seq: the entry that says it. by, reason: None where that text was erased."""

    seq: int
    at_us: int
    by: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Alarm:
    """One row. camera: "" where it is about the post. subject: what within its kind it is about (a camera, a volume, "stop").

    raised_us, ended_us: wall time; ended_us is None while what is wrong lasts. body: as the entry `alarm_raised` has it, with the
    cause as it was refined last.
    """

    id: int
    kind: AlarmKind
    camera: str
    raised_us: int
    ended_us: int | None
    repeats: int
    body: Mapping[str, object] = field(default_factory=dict)
    acknowledged: Acknowledgement | None = None

    @property
    def subject(self) -> str:
        """See the class."""
        return str(self.body.get("subject", self.camera))

    @property
    def cause(self) -> str:
        """In the words of `model.causes` where it is about a gap."""
        return str(self.body.get("cause", ""))

    @property
    def evidence(self) -> Mapping[str, object]:
        """What speaks for the cause."""
        evidence = self.body.get("evidence")
        return evidence if isinstance(evidence, Mapping) else {}

    @property
    def stands(self) -> bool:
        """What is wrong lasts, and nobody has dealt with it."""
        return self.ended_us is None and self.acknowledged is None
