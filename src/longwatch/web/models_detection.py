"""Answers of `/api/v1/detection` and of `/api/v1/cameras/{id}/movement`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from longwatch.web.model import Model
from longwatch.web.models import Moment


class CameraDetection(Model):
    """How one camera is looked at. All counts are since the watcher was started."""

    camera: str
    doing: Literal["off", "not_installed", "starting", "waiting", "no_pictures", "looking", "resting", "failing"]
    stream: str = Field(description="Which of its streams is looked at; empty where none is.")
    why: str = Field(description="In words, where something is wrong.")
    gate: Literal["quiet", "key", "more", "less", "stirs", "found", "untold", "full"] = Field(
        description="Why all is decoded now; `quiet`: only a key frame in some seconds is; `full`: its settings say so."
    )
    sizes_tell: bool = Field(description="False where the encoder pads: the gate then stays open.")
    level: Literal["all", "fewer", "keys", "turns"] = Field(
        description="How closely it is looked at, as far as the processor allows."
    )
    behind_s: float = Field(description="Age of the oldest sample that waits.")
    looked_until: datetime | None
    samples: int
    pictures: int
    decoded: int
    skipped: int = Field(description="Samples that were to be looked at and were not.")
    missed: int = Field(description="Samples that were lost on the way from the recorder.")
    failed: int = Field(description="Samples that could not be decoded.")
    child_deaths: int
    vectors_asked: int = Field(
        description="Pictures that were asked for their motion vectors alone, to tell whether something goes by."
    )
    objects_asked: int = Field(description="Crops of what moves that the model for objects was asked about.")
    objects_skipped: int = Field(description="Crops that were due and for which there was no room.")
    cpu_s: float
    open_share: float = Field(description="Part of the time in which all was decoded.")


class LookChild(Model):
    """A process that decodes and looks."""

    pid: int
    resident_bytes: int
    cpu_s: float
    deaths: int


class WatcherProcess(Model):
    """The process that decides what is decoded."""

    running: bool
    resident_bytes: int
    cpu_s: float
    restarts: int
    children: list[LookChild]


class ObjectModel(Model):
    """The model for objects: `resting` after it ended a process, `failing` where it is not used."""

    doing: Literal["none", "opening", "ready", "resting", "failing"]
    why: str
    name: str
    version: str
    licence: str
    finds: list[str] = Field(description="Classes that it may say.")
    ask_s: float = Field(description="Processor time of one crop.")
    deaths: int = Field(description="Of processes that it ended.")


class Detection(Model):
    """watcher: null for whom it is none of their business."""

    items: list[CameraDetection]
    model: ObjectModel
    watcher: WatcherProcess | None
    next: str | None


class Stretch(Model):
    """A stretch of time."""

    model_config = ConfigDict(populate_by_name=True)
    from_: Moment = Field(alias="from")
    to: Moment


class Unlooked(Model):
    """Recorded, and not looked at: nothing is known of what moved then. off: the settings have it so for all of the camera's time."""

    model_config = ConfigDict(populate_by_name=True)
    camera: str
    off: bool
    seconds: float
    stretches: list[Stretch]


class UnlookedCameras(Model):
    """Those of which there is something to say."""

    items: list[Unlooked]
    next: str | None


class Movement(Model):
    """What moved where in a camera's picture; all of the last `span_hours` clock hours. Lists go row by row from the top left."""

    camera: str
    span_hours: int
    doing: Literal["off", "not_installed", "starting", "waiting", "no_pictures", "looking", "resting", "failing"]
    columns: int
    rows: int
    looked_s: float = Field(
        description="Seconds that its picture was looked at; zones in which nothing counts, and masks, are left out."
    )
    looked_hours: int = Field(description="Clock hours in which it was looked at.")
    seconds: list[float] = Field(description="Seconds of movement in each part of the picture.")
    hours: list[int] = Field(description="In so many clock hours something moved there for a second at least.")
