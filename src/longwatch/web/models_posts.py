"""Answers and bodies of the routes of posts, at a hub. What is null is not known."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from longwatch.web.model import Model
from longwatch.web.models import Moment


class Backlog(Model):
    """Bytes that wait at the post for this hub, by class, in the order in which they are sent."""

    ledger: int
    picture: int
    strip: int
    clip: int
    asked: int
    bulk: int


class LinkUse(Model):
    """Bits a second that go now; rate: the cap of the post's settings."""

    model_config = ConfigDict(extra="allow")
    bits_per_s: float | None = None
    rate: float | None = None
    round_trip_ms: float | None = None


class BudgetUse(Model):
    """Bytes of a span of time that are used, and may be."""

    model_config = ConfigDict(extra="allow")
    span: Literal["hour", "day", "month"]
    used: int
    limit: int


class Waits(Model):
    """What goes next, and why it waits."""

    model_config = ConfigDict(populate_by_name=True, extra="allow")
    class_: str = Field(alias="class")
    bytes: int | None = None
    why: str
    until: Moment | None


class Power(Model):
    """What feeds the post, where something there can tell."""

    model_config = ConfigDict(extra="allow")
    mains: str | None = None
    battery_percent: float | None = None


class Head(Model):
    """The newest head of the post's ledger that was verified here: entries, and when. countersigned: with this hub's signature."""

    size: int
    at: Moment
    countersigned: bool


class Place(Model):
    """WGS 84, degrees."""

    lat: float
    lon: float


class PostProblem(Model):
    """What the post says is wrong there."""

    what: str
    why: str
    remedy: str


class Revoked(Model):
    """Since when nothing is taken from it, and why."""

    at: Moment
    reason: str


class Silence(Model):
    """Why a post is not in touch, as far as can be told. expected_at: from when on it should speak; ahead while it rests. alarm_at: when somebody is
    told, null while it rests by plan.
    """

    state: Literal["plan", "link", "power", "hand", "unknown"]
    since: Moment
    expected_at: Moment | None
    alarm_at: Moment | None
    overdue: bool
    resting: bool
    evidence: dict[str, object]


class Post(Model):
    """state: connected; silent: it was in touch, and is not; revoked; never: it was invited, and has not been in touch. since: of that state.

    via: hubs between it and this one, the nearest first. recording: cameras that record now, as it told. accounted_until: up to when every second is known here.
    invited_until: a code for it that nobody used yet is good until then.
    """

    id: str
    name: str
    timezone: str = "UTC"
    via: list[str]
    state: Literal["connected", "silent", "revoked", "never"]
    since: Moment | None
    silence: Silence | None = None
    last_contact: Moment | None
    enrolled: Moment | None = None
    backlog: Backlog | None = None
    link: LinkUse | None = None
    budget: list[BudgetUse] | None = None
    waits: Waits | None = None
    power: Power | None = None
    cameras: int = 0
    recording: int = 0
    accounted_until: Moment | None = None
    checkpoint: Head | None = None
    place: Place | None = None
    alarms: int = 0
    problems: list[PostProblem] = []  # noqa: RUF012 - Pydantic copies it
    version: str | None = None
    revoked: Revoked | None = None
    invited_until: Moment | None = None


class Posts(Model):
    """By id; those of which the caller may see a camera, or all. cursor: for `since`, the next time. whole: these are all of them, not what changed alone."""

    items: list[Post]
    next: str | None
    cursor: str
    whole: bool


class InviteRequest(Model):
    """A reason is welcome, and kept beside the ledger."""

    model_config = ConfigDict(extra="forbid")
    reason: str | None = Field(default=None, max_length=500)


class Invited(Model):
    """code: for `longwatch join CODE` at the post, once. It is shown this once."""

    code: str
    expires: Moment


class StatementRequest(Model):
    """What the statement is for; kept beside its entry."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=500)


class RevokeRequest(Model):
    """Why nothing more is to be taken from it."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=500)
