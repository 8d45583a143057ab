"""Answers and bodies of the routes of events."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from longwatch.web.model import Model
from longwatch.web.models import Moment


class Best(Model):
    """Where it is seen best. box: left, top, right, bottom in parts of the picture; null too while the picture is of an
    earlier moment than this one, until the event is over. picture: whether there is one to be had now. held: where it is: `here`; `gone`: there is
    none to be had, because nothing was recorded then or it is held no more; at a hub `post` (it can be asked for) or `asked` (somebody did); null where none was made yet.
    """

    at: Moment
    box: list[float] | None
    picture: bool
    held: Literal["here", "post", "asked", "gone"] | None = None


class Reviewed(Model):
    """Somebody looked at it. by: null where that name was erased, for whoever may only view, and at a hub where it was somebody at the post."""

    at: Moment
    by: str | None


class Clip(Model):
    """The stretch that shows it: five seconds before and after it, at most half a minute. While it goes on the end moves."""

    model_config = ConfigDict(populate_by_name=True)
    from_: Moment = Field(alias="from")
    to: Moment


class Event(Model):
    """Something seen. from, to: where it was seen first and last; to is null while it lasts. zones: names of zones and lines, as in the settings. twin: the event
    of the other camera of a pair. At a hub id, camera and twin have the post's id and a dot before them.
    """

    model_config = ConfigDict(populate_by_name=True)
    id: str
    camera: str
    kind: str
    level: Literal["motion", "detection", "alert"]
    from_: Moment = Field(alias="from")
    to: Moment | None
    score: float
    zones: list[str]
    count: int
    best: Best
    clip: Clip
    detail: str
    twin: str | None
    reviewed: Reviewed | None


class Events(Model):
    """The newest first."""

    items: list[Event]
    next: str | None


class CameraCrowds(Model):
    """spans: [from_us, to_us, level, how many]; to_us is null where one goes on; level 0 motion, 1 detection, 2 alert. blind: [from_us, to_us, how, id]: recorded,
    and the view hidden;
    these are in no crowd.
    """

    camera: str
    spans: list[tuple[int, int | None, int, int]]
    blind: list[tuple[int, int | None, str, str]]


class Crowds(Model):
    """Events over a long time, many together where they begin within step_us of each other."""

    from_us: int
    to_us: int
    step_us: int
    items: list[CameraCrowds]


class ReviewRequest(Model):
    """Whether it is done with."""

    model_config = ConfigDict(extra="forbid")
    reviewed: bool
