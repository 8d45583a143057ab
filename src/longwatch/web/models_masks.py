"""Answers and requests about masks, their cost, and transcodes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from longwatch.web.model import Model

Coordinate = Annotated[float, Field(ge=0, le=1)]
Point = Annotated[list[Coordinate], Field(min_length=2, max_length=2)]


class AreaOfPicture(Model):
    """A polygon, in parts of the picture's width and height."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    polygon: Annotated[list[Point], Field(min_length=3, max_length=32)]


class CostRequest(Model):
    """masks: as they would be; null: as they are."""

    masks: Annotated[list[AreaOfPicture], Field(max_length=16)] | None = None


class MaskCost(Model):
    """Measured on the newest recorded seconds of the main stream, which is decoded, painted over and encoded as it would be, for each stream.

    percent_of_core: 100 is one core, all the time. bitrate: bits a second that were recorded, and would be, of all streams made.
    """

    seconds: float
    pictures: int
    percent_of_core: float
    cores: int
    bitrate_before: int
    bitrate_after: int
    streams: list[str]


class RunningTranscode(Model):
    """One that is made now."""

    camera: str
    stream: str
    kind: str
    since: str


class Transcodes(Model):
    """used: of all cameras. running: of those that the caller may see. refused: how often none was free, since the server started."""

    limit: int
    used: int
    running: list[RunningTranscode]
    refused: int
