"""Answer of `/api/v1/cameras/{id}/temperatures`."""

from __future__ import annotations

from pydantic import Field

from longwatch.web.model import Model


class Temperature(Model):
    """One spot or box of a camera. Degrees Celsius."""

    item: str = Field(description="The camera's id of it.")
    name: str = Field(description="What the camera calls it; may be empty.")
    highest: float
    lowest: float
    mean: float | None


class TemperatureList(Model):
    """What was read in the last half a minute. unreadable: documents since the start that could not be read."""

    items: list[Temperature]
    unreadable: int
    next: None = None
