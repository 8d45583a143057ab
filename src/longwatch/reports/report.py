"""A report as values: what it says, before it is written as HTML, CSV or JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from longwatch.model.causes import Cause
from longwatch.reports.days import Period
from longwatch.reports.figures import Figures


@dataclass(frozen=True, slots=True)
class Post:
    """Of which post. timezone: by whose clock days begin."""

    id: str
    name: str
    timezone: str


@dataclass(frozen=True, slots=True)
class CameraFigures:
    """One camera, by its main stream. days, weeks: as the report's. held_bytes: of all its streams, now."""

    id: str
    name: str
    stream: str
    set_up_us: int | None
    total: Figures
    days: tuple[Figures, ...]
    weeks: tuple[Figures, ...]
    held_bytes: int


@dataclass(frozen=True, slots=True)
class Interruption:
    """An unplanned gap, of one camera or of several at once. evidence: as the ledger has it, of the first."""

    cameras: tuple[str, ...]
    from_us: int
    to_us: int
    cause: Cause
    evidence: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class AlarmSaid:
    """An alarm that was raised in the span. acknowledged_us: None where nobody dealt with it; by, reason: None where erased."""

    id: int
    kind: str
    camera: str
    says: str
    raised_us: int
    ended_us: int | None
    repeats: int
    acknowledged_us: int | None = None
    by: str | None = None
    reason: str | None = None
    entry: int | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """An entry of the ledger that the report names: a start, a step of the clock, a correction of time. said: in words."""

    seq: int
    kind: str
    at_us: int
    said: str


@dataclass(frozen=True, slots=True)
class VolumeSaid:
    """A volume as it is when the report is made."""

    path: str
    present: bool
    size_bytes: int
    free_bytes: int
    held_bytes: int
    segments: int


@dataclass(frozen=True, slots=True)
class LedgerSaid:
    """What signs the report. checkpoint: the newest before it, a signed note: whoever keeps the paper can hold the ledger to it."""

    origin: str
    fingerprint: str
    size: int
    checkpoint: str


@dataclass(frozen=True, slots=True)
class Report:
    """All of it. days, weeks: of [from_us, to_us), by the post's clock; every camera has a row for each."""

    post: Post
    from_us: int
    to_us: int
    accounted_until_us: int
    made_us: int
    version: str
    days: tuple[Period, ...]
    weeks: tuple[Period, ...]
    cameras: tuple[CameraFigures, ...]
    total: Figures
    day_totals: tuple[Figures, ...]
    week_totals: tuple[Figures, ...]
    interruptions: tuple[Interruption, ...]
    alarms: tuple[AlarmSaid, ...]
    alarms_left_out: int
    told: tuple[Told, ...]
    volumes: tuple[VolumeSaid, ...]
    ledger: LedgerSaid | None
    versions: tuple[str, ...] = field(default=())
