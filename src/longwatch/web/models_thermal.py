"""Answers of `/api/v1/cameras/{id}/temperatures`, and what `thermal` says before its levels."""

from __future__ import annotations

from pydantic import Field

from longwatch.web.model import Model
from longwatch.web.models import Moment


class Temperature(Model):
    """One spot or box of a camera. Degrees Celsius."""

    item: str = Field(description="The camera's id of it.")
    name: str = Field(description="What the camera calls it; may be empty.")
    highest: float
    lowest: float
    mean: float | None


class ThermalStills(Model):
    """How its stills go. trouble: why the last could not be read, or that none comes; empty where all is well."""

    every_s: float
    last: Moment | None
    trouble: str


class TemperatureList(Model):
    """What was read lately: in the last half a minute, or of stills in three times the time between two. unreadable: documents since the start that could not
    be read. stills: null where the camera is to give none.
    """

    items: list[Temperature]
    unreadable: int
    stills: ThermalStills | None
    next: None = None
