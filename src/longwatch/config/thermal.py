"""What a thermal camera measures: `radiometry` of a camera. docs/design/thermal.md."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from longwatch.config import around, values
from longwatch.config.problems import Wrong
from longwatch.config.section import Section
from longwatch.config.watching import Label, PointOfPicture, Polygon

MOST_ALARMS = 32
MOST_AREAS = 16
Seconds = Annotated[
    int, BeforeValidator(values.duration_s), WithJsonSchema({"type": "string", "pattern": values.DURATION_PATTERN})
]


def _degrees(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -273.15 <= value <= 3000:
        raise Wrong(f"{value!r} is no temperature", "write degrees Celsius, as 80")
    return float(value)


Degrees = Annotated[
    float | None,
    BeforeValidator(_degrees),
    WithJsonSchema({"type": "number", "minimum": -273.15, "maximum": 3000}),
]


class HeatAlarm(Section):
    """One alarm by temperature."""

    name: Label = Field(description="For people, events and MQTT; no two alike.")
    item: Label = Field(
        default="",
        description="The camera's spot or box, by its id or name there; or a spot or area of `stills`, `picture` for all of a still. Default: each.",
    )
    of: Literal["highest", "lowest", "mean"] = Field(
        default="highest", description="Which temperature of a box counts."
    )
    above: Degrees = Field(default=None, description="Degrees Celsius over which it is `thermal.hot`.")
    below: Degrees = Field(default=None, description="Degrees Celsius under which it is `thermal.cold`.")
    for_: Seconds = Field(default=3, alias="for", ge=0, le=3600, description="So long it has to hold, as `3s`.")


class HeatArea(Section):
    """A part of a still, of which highest, lowest and mean are read."""

    name: Label = Field(description="For people and for `item` of an alarm; no two alike among areas and spots.")
    polygon: Polygon = Field(
        description="3 to 32 points `[x, y]`, in parts of the still's width and height, from 0 to 1."
    )


class HeatSpot(Section):
    """A point of a still: the mean of the nine pixels around it is read."""

    name: Label = Field(description="For people and for `item` of an alarm; no two alike among areas and spots.")
    at: PointOfPicture = Field(description="`[x, y]`, in parts of the still's width and height, from 0 to 1.")


class HeatStills(Section):
    """Stills that hold what was measured at each pixel, fetched by HTTP and recorded with the main stream."""

    url: around.Url = Field(
        description="Where the camera gives one: a PNG or TIFF of 16-bit grey, a radiometric JPEG of FLIR, or the answer of Hikvision's `jpegPicWithAppendData`. It may hold a login."
    )
    every: Seconds = Field(default=10, ge=1, le=3600, description="How often one is fetched, as `10s`.")
    gain: float | None = Field(
        default=None, gt=-1000, lt=1000,
        description="Of a PNG or TIFF: degrees a step; what is measured is `value x gain + offset`. Default: values are shown and no temperatures. For hundredths of a kelvin: `gain: 0.01, offset: -273.15`.",
    )  # fmt: skip
    offset: float = Field(
        default=0.0, ge=-100_000, le=100_000, description="Degrees Celsius at the value 0, with `gain`."
    )
    areas: list[HeatArea] = Field(
        default_factory=list, max_length=MOST_AREAS, description="What is read of each still: `[{name, polygon}]`."
    )
    spots: list[HeatSpot] = Field(
        default_factory=list, max_length=MOST_AREAS, description="What is read of each still: `[{name, at}]`."
    )


class Radiometry(Section):
    """Temperatures that a camera measures: sent beside its picture as ONVIF metadata in its main stream, or in stills."""

    unit: Literal["kelvin", "celsius"] = Field(
        default="kelvin",
        description="In which the camera sends them. The standard says kelvin; some do not keep to it.",
    )
    own_rules: bool = Field(
        default=True, strict=True, description="Whether the camera's own temperature rules are events too."
    )
    alarms: list[HeatAlarm] = Field(
        default_factory=list, max_length=MOST_ALARMS, description="Alarms, as `[{name, item, of, above, below, for}]`."
    )
    stills: HeatStills | None = Field(
        default=None,
        description="Stills that it gives by HTTP, with what is measured at each pixel: `{url, every, gain, offset, areas, spots}`.",
    )
