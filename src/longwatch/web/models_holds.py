"""Answers and bodies of the routes of holds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from longwatch.web.model import Model
from longwatch.web.models import Moment

CameraIds = Annotated[list[Annotated[str, Field(max_length=40, pattern="^[a-z0-9-]+$")]], Field(max_length=200)]


class HoldRequest(Model):
    """Footage to be kept. streams: empty for every stream. until: the hold's own end; authority: who ordered it. With both it also stands
    against the maximum age.
    """

    model_config = ConfigDict(populate_by_name=True, extra="forbid")
    cameras: Annotated[CameraIds, Field(min_length=1)]
    streams: CameraIds = []  # noqa: RUF012 - Pydantic copies it
    from_: str = Field(alias="from", max_length=40, json_schema_extra={"format": "date-time"})
    to: str = Field(max_length=40, json_schema_extra={"format": "date-time"})
    until: str | None = Field(default=None, max_length=40, json_schema_extra={"format": "date-time"})
    authority: str = Field(default="", max_length=500)
    reason: str = Field(min_length=1, max_length=500)


class HoldReason(Model):
    """Why it ends."""

    reason: str = Field(min_length=1, max_length=500)


class HoldEnding(Model):
    """How it ended. released: by a person; expired: its own end passed; law: the maximum age left nothing of it."""

    at: Moment
    why: Literal["released", "expired", "law"]
    by: str | None
    reason: str | None
    entry: int


class Hold(Model):
    """One hold. firm: it names an authority and its own end. law: from when on the maximum age takes from it; null: it does not.

    reason, by, authority: null to whoever may neither operate nor inspect, and where that text was erased.
    """

    model_config = ConfigDict(populate_by_name=True)
    id: int
    cameras: list[str]
    streams: list[str]
    from_: Moment = Field(alias="from")
    to: Moment
    until: Moment | None
    authority: str | None
    firm: bool
    law: Moment | None
    placed: Moment
    by: str | None
    reason: str | None
    entry: int
    ended: HoldEnding | None
    overruled: list[Literal["max_age", "recording"]]


class Holds(Model):
    """The newest first."""

    items: list[Hold]
    next: str | None


class HoldEnded(Model):
    """The entry that says it."""

    entry: int
