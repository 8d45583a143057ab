"""What a thermal camera measures: `radiometry` of a camera. docs/design/thermal.md."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from longwatch.config import values
from longwatch.config.problems import Wrong
from longwatch.config.section import Section
from longwatch.config.watching import Label

MOST_ALARMS = 32
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
        default="", description="The camera's spot or box, by its id or name there. Default: each that it sends."
    )
    of: Literal["highest", "lowest", "mean"] = Field(
        default="highest", description="Which temperature of a box counts."
    )
    above: Degrees = Field(default=None, description="Degrees Celsius over which it is `thermal.hot`.")
    below: Degrees = Field(default=None, description="Degrees Celsius under which it is `thermal.cold`.")
    for_: Seconds = Field(default=3, alias="for", ge=0, le=3600, description="So long it has to hold, as `3s`.")


class Radiometry(Section):
    """Temperatures that a camera sends beside its picture, as ONVIF metadata in its main stream."""

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
