"""Answers and bodies of the routes of requests: stretches that are wanted at a hub."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from longwatch.web.model import Model
from longwatch.web.models import Moment


class RequestBody(Model):
    """What is wanted. camera: `post.camera`. reason: goes into the ledgers of the hub and of the post."""

    model_config = ConfigDict(populate_by_name=True, extra="forbid")
    camera: str = Field(max_length=81)
    stream: str = Field(default="main", max_length=40, pattern="^[a-z0-9-]+$")
    from_: str = Field(alias="from", max_length=40, json_schema_extra={"format": "date-time"})
    to: str = Field(max_length=40, json_schema_extra={"format": "date-time"})
    reason: str = Field(min_length=1, max_length=500)


class Asked(Model):
    """A stretch that was asked for. state: waiting (its post has not heard of it yet), queued there, coming (some of it is here), done, gone (the post has it
    no more), refused, withdrawn. bytes: null until the post has said it. eta: as the post expects it. by, reason: null to whoever may neither operate nor
    inspect, and where they were erased.
    """

    model_config = ConfigDict(populate_by_name=True)
    id: int
    post: str
    camera: str
    stream: str
    from_: Moment = Field(alias="from")
    to: Moment
    by: str | None
    reason: str | None
    asked: Moment
    state: Literal["waiting", "queued", "coming", "done", "gone", "refused", "withdrawn"]
    bytes: int | None
    done_bytes: int
    eta: Moment | None
    why: str | None


class AskedList(Model):
    """Requests, the newest first."""

    items: list[Asked]
    next: str | None
