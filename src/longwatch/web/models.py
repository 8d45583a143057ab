"""What the answers look like: for the OpenAPI, and for what is small. The timeline is written without them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

Moment = datetime


class Login(BaseModel):
    """Name and password."""

    model_config = ConfigDict(str_strip_whitespace=False)
    name: str = Field(min_length=1, max_length=200, validation_alias=AliasChoices("name", "user"))
    password: str = Field(min_length=1, max_length=2000)


class SetUp(BaseModel):
    """The code of `setup-code`, and the first administrator."""

    code: str = Field(min_length=1, max_length=200)
    name: str = Field(min_length=1, max_length=200, validation_alias=AliasChoices("name", "user"))
    password: str = Field(min_length=1, max_length=2000)


class SetUpState(BaseModel):
    """Whether set-up is still to be done."""

    needed: bool


class Post(BaseModel):
    """The post. timezone: IANA name."""

    id: str
    name: str
    timezone: str
    version: str


class Me(BaseModel):
    """Who is signed in. cameras: the only ones allowed; null means all."""

    name: str
    role: Literal["viewer", "operator", "inspector", "admin"]
    rights: list[str]
    cameras: list[str] | None
    post: Post


class Stream(BaseModel):
    """One encoding of a camera; what is not known yet is null."""

    name: str
    state: str
    recording: bool
    detail: str
    codec: str | None
    width: int | None
    height: int | None
    fps: float | None
    bitrate: int | None
    audio: str | None


class Camera(BaseModel):
    """state: "recording", or a cause's name. reason: in words. recorded_until: what is durable."""

    id: str
    name: str
    kind: str
    state: str
    reason: str | None
    since: Moment | None
    next_attempt: Moment | None
    recorded_until: Moment | None
    set_up: Moment | None
    streams: list[Stream]


class Cameras(BaseModel):
    """All that the caller may see."""

    items: list[Camera]
    next: str | None


class TimelineItem(BaseModel):
    """state: recorded, gap or pending. cause and evidence of a gap; held and provenance of what is recorded."""

    model_config = ConfigDict(populate_by_name=True)
    from_: Moment = Field(alias="from")
    to: Moment
    state: Literal["recorded", "gap", "pending"]
    cause: str | None
    evidence: dict[str, object] | None
    held: str | None = None
    provenance: str | None = None
    run: int | None = None
    also: list[int] | None = None


class Timeline(BaseModel):
    """Tiles the whole interval, without holes or overlaps."""

    items: list[TimelineItem]
    accounted_until: Moment
    next: str | None


class Gap(BaseModel):
    """One gap. open: it reaches up to `accounted_until`; there may be more of it."""

    model_config = ConfigDict(populate_by_name=True)
    camera: str
    stream: str
    from_: Moment = Field(alias="from")
    to: Moment
    open: bool
    cause: str
    evidence: dict[str, object]


class Gaps(BaseModel):
    """By camera and stream, then time."""

    items: list[Gap]
    accounted_until: Moment
    next: str | None


class SignedUrlRequest(BaseModel):
    """What a player that sends no header is to fetch."""

    model_config = ConfigDict(populate_by_name=True)
    what: Literal["video.mp4", "playlist.m3u8"] = "video.mp4"
    from_: str = Field(alias="from", max_length=40, json_schema_extra={"format": "date-time"})
    to: str = Field(max_length=40, json_schema_extra={"format": "date-time"})
    stream: str | None = Field(default=None, max_length=40)


class SignedUrl(BaseModel):
    """Good for ten minutes."""

    url: str
    expires: Moment


class Removal(BaseModel):
    """A segment that retention takes next, and why."""

    model_config = ConfigDict(populate_by_name=True)
    camera: str
    stream: str
    from_: Moment = Field(alias="from")
    to: Moment
    bytes: int
    why: str


class RetentionPreview(BaseModel):
    """Oldest first."""

    items: list[Removal]
    next: str | None


class RetentionApproved(BaseModel):
    """The time that was vouched for."""

    time: Moment


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Issue(BaseModel):
    """What keeps this post from recording as planned."""

    rule: str
    subject: str
    what: str
    why: str
    remedy: str


class Ready(BaseModel):
    """issues: null without a login."""

    ready: bool
    issues: list[Issue] | None
