"""What the answers look like: for the OpenAPI, and for what is small. The timeline is written without them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import AliasChoices, ConfigDict, Field

from longwatch.web.model import Model
from longwatch.web.models_masks import AreaOfPicture

Moment = datetime


class Login(Model):
    """Name and password."""

    model_config = ConfigDict(str_strip_whitespace=False)
    name: str = Field(min_length=1, max_length=200, validation_alias=AliasChoices("name", "user"))
    password: str = Field(min_length=1, max_length=2000)


class SetUp(Model):
    """The code of `setup-code`, and the first administrator."""

    code: str = Field(min_length=1, max_length=200)
    name: str = Field(min_length=1, max_length=200, validation_alias=AliasChoices("name", "user"))
    password: str = Field(min_length=1, max_length=2000)


class SetUpState(Model):
    """Whether set-up is still to be done."""

    needed: bool


class Post(Model):
    """The post, or the hub. timezone: IANA name."""

    id: str
    name: str
    timezone: str
    version: str
    role: Literal["post", "hub"]


class Me(Model):
    """Who is signed in. kind: a person or a program. subject: the number that the ledger knows them by. cameras: the only ones
    allowed; null means all. expires: of this login or token.
    """

    kind: Literal["user", "token"]
    subject: int
    name: str
    role: Literal["viewer", "operator", "inspector", "admin"]
    rights: list[str]
    cameras: list[str] | None
    begun: Moment
    expires: Moment | None
    post: Post


class Stream(Model):
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


class CameraPause(Model):
    """Somebody paused it. until: null is until resumed."""

    kind: Literal["paused_by_operator", "privacy_pause"]
    since: Moment
    until: Moment | None


class Camera(Model):
    """state: "recording", or a cause's name. reason: in words. recorded_until: what is durable. masks: how many parts of its
    picture are never recorded. shades: what is to be hidden when it is shown; the recording contains it. stills: it gives thermal stills. zones, lines:
    how many are drawn on its picture; null at a hub, where that is not told.
    """

    id: str
    name: str
    kind: str
    state: str
    reason: str | None
    since: Moment | None
    next_attempt: Moment | None
    recorded_until: Moment | None
    set_up: Moment | None
    pause: CameraPause | None
    masks: int
    shades: list[AreaOfPicture]
    zones: int | None
    lines: int | None
    stills: bool
    streams: list[Stream]


class Cameras(Model):
    """All that the caller may see."""

    items: list[Camera]
    next: str | None


class TimelineItem(Model):
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


class Timeline(Model):
    """Tiles the whole interval, without holes or overlaps."""

    items: list[TimelineItem]
    accounted_until: Moment
    next: str | None


class Gap(Model):
    """One gap. open: it reaches up to `accounted_until`; there may be more of it."""

    model_config = ConfigDict(populate_by_name=True)
    camera: str
    stream: str
    from_: Moment = Field(alias="from")
    to: Moment
    open: bool
    cause: str
    evidence: dict[str, object]


class Gaps(Model):
    """By camera and stream, then time."""

    items: list[Gap]
    accounted_until: Moment
    next: str | None


class SignedUrlRequest(Model):
    """What a player that sends no header is to fetch. exact: a file that begins at `from`, with nothing in it from before that."""

    model_config = ConfigDict(populate_by_name=True)
    what: Literal["video.mp4", "playlist.m3u8"] = "video.mp4"
    from_: str = Field(alias="from", max_length=40, json_schema_extra={"format": "date-time"})
    to: str = Field(max_length=40, json_schema_extra={"format": "date-time"})
    stream: str | None = Field(default=None, max_length=40)
    exact: bool = False


class SignedUrl(Model):
    """Good for ten minutes."""

    url: str
    expires: Moment


class Removal(Model):
    """A segment that retention takes next, and why. due: when it does, by age; null: now. holds: those that protect it, and do not stand against this."""

    model_config = ConfigDict(populate_by_name=True)
    camera: str
    stream: str
    from_: Moment = Field(alias="from")
    to: Moment
    bytes: int
    why: str
    due: Moment | None = None
    holds: list[int]


class RetentionPreview(Model):
    """Oldest first. kept_back_bytes: what is above a size of the settings and stays, since it is held."""

    items: list[Removal]
    kept_back_bytes: int
    next: str | None


class RetentionApproved(Model):
    """The time that was vouched for."""

    time: Moment


class Alive(Model):
    """The process answers."""

    status: Literal["ok"]


class Issue(Model):
    """What keeps this post from recording as planned (blocks), or is to be seen to all the same."""

    rule: str
    subject: str
    what: str
    why: str
    remedy: str
    blocks: bool


class Ready(Model):
    """issues: null without a login."""

    ready: bool
    issues: list[Issue] | None


class Acknowledged(Model):
    """Who dealt with it. by, reason: null where that text was erased. entry: of the ledger."""

    at: Moment
    by: str | None
    reason: str | None
    entry: int


class Acknowledging(Model):
    """What was said of an alarm at a hub, while it is not in its post's ledger. state: as of a command; why: where the post refused."""

    by: str
    reason: str
    at: Moment
    state: str
    why: str | None


class Alarm(Model):
    """camera: null where it is about the post. ended: null while what is wrong lasts. says: for people."""

    id: int
    kind: Literal[
        "camera_silent", "unknown_cause", "accounting_reduced", "storage", "ledger", "unconfirmed_removed", "hold", "post_silent",
        "camera_blind",
    ]  # fmt: skip
    camera: str | None
    cause: str | None
    evidence: dict[str, object]
    raised: Moment
    ended: Moment | None
    acknowledged: Acknowledged | None
    acknowledging: Acknowledging | None
    repeats: int
    facts: dict[str, Any]
    says: str


class Alarms(Model):
    """The newest first."""

    items: list[Alarm]
    next: str | None


_REASON = Field(min_length=1, max_length=500, description="One line; kept beside the ledger, with who said it.")


class Acknowledge(Model):
    """Why it is dealt with."""

    reason: str = _REASON


class PauseRequest(Model):
    """for_s: seconds; null is until resumed. privacy: for somebody's privacy; live view ends too."""

    reason: str = _REASON
    for_s: int | None = Field(default=None, strict=True, ge=1, le=366 * 86_400)
    privacy: bool = False


class ResumeRequest(Model):
    """A reason is welcome, and not asked for."""

    reason: str | None = Field(default=None, max_length=500)


class Acted(Model):
    """Done. entry: the ledger's entry that says so."""

    entry: int


class Paused(Model):
    """until: null is until resumed."""

    entry: int
    camera: str
    kind: Literal["paused_by_operator", "privacy_pause"]
    since: Moment
    until: Moment | None


class AuditPerson(Model):
    """What may be erased later; what is not known is left out."""

    user: str | None = None
    token: str | None = None
    address: str | None = None
    agent: str | None = None
    reason: str | None = None


class AuditItem(Model):
    """One entry of the ledger about a person. person: null where `erased`. body: as the entry has it, times in microseconds."""

    seq: int
    at: Moment
    kind: str
    camera: str | None
    subject: int
    person: AuditPerson | None
    erased: bool
    body: dict[str, object]


class Audit(Model):
    """In the order it happened. scope: `all` to those who audit, `own` to everybody else, `rights` to who administers (own, and what is
    about accounts and acts, not who viewed what).
    """

    items: list[AuditItem]
    scope: Literal["all", "rights", "own"]
    next: str | None


class EraseRequest(Model):
    """Of whom: the number that the audit shows, or the name of a user that is there."""

    subject: int | None = Field(default=None, strict=True, ge=0, lt=1 << 53)
    user: str | None = Field(default=None, min_length=1, max_length=200)
    reason: str = Field(min_length=1, max_length=2000)


class Erased(Model):
    """entries: how many lost their clear text. seq: the entry that says so. gone_from_file: nothing of it is left in the index's files;
    false: it will be within minutes. left_behind: files of a damaged index that may still hold it.
    """

    entries: int
    seq: int | None
    gone_from_file: bool
    left_behind: list[str]
