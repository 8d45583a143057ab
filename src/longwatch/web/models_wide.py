"""What the answers about many cameras at once look like: the wide view, and the calendar."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from longwatch.web.model import Model
from longwatch.web.models import Moment


class WideCamera(Model):
    """A stream in the wide view. spans: `[at, code]` or `[at, code, share]`: from the step `at`, counted from `from_us`, to the next
    span. share: where something is there too, at most so many percent of it are absent.
    """

    camera: str
    stream: str
    spans: list[tuple[int, int] | tuple[int, int, int]]


class Timelines(Model):
    """Steps lie on multiples of step_us since 1970 UTC; codes: what a code means, by its number."""

    from_us: int
    to_us: int
    step_us: int
    accounted_until_us: int
    codes: list[str]
    shares: list[int]
    items: list[WideCamera]


class CalendarPeriod(Model):
    """A local day, or a month, over the cameras asked for. recorded_s: held here; gone_s: recorded, and removed since."""

    day: str | None = Field(default=None, description="2026-11-30")
    month: str | None = Field(default=None, description="2026-11")
    from_: Moment = Field(alias="from")
    to: Moment
    recorded_s: float
    gone_s: float
    gap_s: float
    pending_s: float
    worst: str | None
    causes: dict[str, float]
    cameras: int
    with_footage: int


class Calendar(Model):
    """timezone: of the post."""

    timezone: str
    accounted_until: Moment
    by: Literal["day", "month"]
    items: list[CalendarPeriod]
