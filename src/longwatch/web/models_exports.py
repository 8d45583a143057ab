"""Answers and bodies of the routes of exports."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from longwatch.web.api import Problem
from longwatch.web.model import Model
from longwatch.web.models import Moment

Kind = Literal["video", "evidence", "timelapse"]
CameraIds = Annotated[
    list[Annotated[str, Field(max_length=81, pattern="^[a-z0-9-]+(\\.[a-z0-9-]+)?$")]], Field(max_length=32)
]


class ExportRequest(Model):
    """every_s: of a time-lapse, how far its pictures are apart; else left out."""

    model_config = ConfigDict(populate_by_name=True, extra="forbid")
    kind: Kind = "video"
    cameras: Annotated[CameraIds, Field(min_length=1)]
    stream: str = Field(default="main", max_length=40, pattern="^[a-z0-9-]+$")
    from_: str = Field(alias="from", max_length=40, json_schema_extra={"format": "date-time"})
    to: str = Field(max_length=40, json_schema_extra={"format": "date-time"})
    every_s: float | None = Field(default=None, ge=0.04, le=86_400)
    reason: str = Field(min_length=1, max_length=500)


class ExportReason(Model):
    """Why it is removed; may be left out."""

    reason: str = Field(default="", max_length=500)


class Estimate(Model):
    """What an export is expected to cost. room_bytes: what can be had. recorded_s: of the span, over its cameras, as far as it is
    here. at_post_s: what is held at the post: it has to be asked for first. pictures: to decode.
    """

    bytes: int
    files: int
    seconds: float
    pictures: int
    film_s: float
    recorded_s: float
    at_post_s: float
    room_bytes: int
    fits: bool


class ExportFile(Model):
    """One file. sha256: null where nothing was recorded: then there is no file. about: entry, gaps, pictures, or the package's key."""

    model_config = ConfigDict(populate_by_name=True)
    name: str
    camera: str
    from_: Moment = Field(alias="from")
    to: Moment
    bytes: int
    sha256: str | None
    url: str | None
    about: dict[str, Any]


class ExportProgress(Model):
    """part: of the whole, 0 to 1. left_s: null where it cannot be said yet."""

    file: int
    files: int
    step: str
    done: int
    of: int
    part: float
    left_s: float | None


class Export(Model):
    """One export. by, reason: null to whoever may not read the audit, unless it is their own."""

    model_config = ConfigDict(populate_by_name=True)
    id: int
    kind: Kind
    state: Literal["waiting", "running", "done", "failed", "gone"]
    cameras: list[str]
    stream: str
    from_: Moment = Field(alias="from")
    to: Moment
    every_s: float | None
    own: bool
    by: str | None
    reason: str | None
    created: Moment
    ended: Moment | None
    expires: Moment | None
    bytes: int
    bytes_estimated: int
    progress: ExportProgress | None
    problem: Problem | None
    gone: Literal["asked", "expired", "law"] | None
    files: list[ExportFile]


class Exports(Model):
    """The newest first. room_bytes: what new files may have."""

    items: list[Export]
    next: str | None
    room_bytes: int


class ExportRemoved(Model):
    """It is gone."""

    id: int
