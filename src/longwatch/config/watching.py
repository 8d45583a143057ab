"""How cameras are looked at: `detect`, `zones` and `lines` of a camera, and `detection` of the post."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from longwatch.config import values
from longwatch.config.problems import Wrong
from longwatch.config.section import Section
from longwatch.model.areas import MOST_AREAS, Point
from longwatch.model.events import KINDS, OBJECTS
from longwatch.model.watching import Attention

Label = Annotated[str, AfterValidator(values.label)]
Polygon = Annotated[
    tuple[tuple[float, float], ...],
    BeforeValidator(values.polygon),
    WithJsonSchema(
        {
            "type": "array", "minItems": 3, "maxItems": 32,
            "items": {
                "type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "number", "minimum": 0, "maximum": 1},
            },
        }
    ),
]  # fmt: skip
_GROUPS = tuple(dict.fromkeys(kind.partition(".")[0] for kind in KINDS))


def _kind(value: object) -> object:
    """`person` is short for `object.person`, `object` for all of them."""
    kind = f"object.{value}" if value in OBJECTS else value
    if kind not in KINDS and kind not in _GROUPS:
        raise Wrong(f"{value!r} is nothing that is looked for", f"one of {', '.join((*_GROUPS, *OBJECTS, *KINDS))}")
    return kind


Kind = Annotated[str, BeforeValidator(_kind)]
Dwell = Annotated[
    int, BeforeValidator(values.duration_s), WithJsonSchema({"type": "string", "pattern": values.DURATION_PATTERN})
]


def _point(value: object) -> Point:
    pair = list(value) if isinstance(value, list | tuple) else []
    if len(pair) != 2 or any(isinstance(v, bool) or not isinstance(v, int | float) for v in pair):
        raise Wrong("a point is two numbers, [x, y]", "write it as [0.1, 0.5]")
    if not all(0 <= v <= 1 for v in pair):
        raise Wrong("a point lies outside the picture", "x and y are parts of its width and height, from 0 to 1")
    return float(pair[0]), float(pair[1])


PointOfPicture = Annotated[
    tuple[float, float],
    BeforeValidator(_point),
    WithJsonSchema(
        {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "number", "minimum": 0, "maximum": 1}}
    ),
]


def _objects(value: object) -> object:
    """`true`: all classes; `false`: none; or a list of them."""
    if isinstance(value, bool):
        return list(OBJECTS) if value else []
    if not isinstance(value, list | tuple):
        raise Wrong(f"{value!r} says no classes", "write true, false, or a list as [person, vehicle]")
    for each in value:
        if each not in OBJECTS:
            raise Wrong(f"{each!r} is no class of objects", f"one of {', '.join(OBJECTS)}")
    return list(dict.fromkeys(value))


Objects = Annotated[
    tuple[str, ...],
    BeforeValidator(_objects),
    WithJsonSchema(
        {"anyOf": [{"type": "boolean"}, {"type": "array", "items": {"type": "string", "enum": list(OBJECTS)}}]}
    ),
]


class PictureZone(Section):
    """A part of the picture with rules of its own."""

    name: Label = Field(description="For people, events and MQTT; no two alike among a camera's zones and lines.")
    polygon: Polygon = Field(
        description="3 to 32 points `[x, y]`, in parts of the picture's width and height, from 0 to 1."
    )
    kinds: list[Kind] = Field(
        default_factory=list,
        description="What counts in it: `motion`, `object`, `tamper`, `thermal`, or one of them, as `person` or `motion.dwell`. Default: all.",
    )
    dwell: Dwell = Field(
        default=0, le=3600, description="How long something stays before it is said, as `30s`. Default: not said."
    )
    ignored: bool = Field(default=False, strict=True, description="Nothing counts in it: a road, a flag, a tree.")
    objects: Objects | None = Field(
        default=None,
        description="Classes that are said of what stands in it: `true`, `false`, or a list, as `[person]`. Default: those of the camera.",
    )


class PictureLine(Section):
    """A line that things cross."""

    name: Label = Field(description="For people, events and MQTT; no two alike among a camera's zones and lines.")
    from_: PointOfPicture = Field(
        alias="from", description="`[x, y]`, in parts of the picture's width and height, from 0 to 1."
    )
    to: PointOfPicture = Field(description="`[x, y]`, the other end.")
    direction: Literal["both", "left_to_right", "right_to_left"] = Field(
        default="both", description="Which way counts, as seen from `from` to `to`."
    )


class Detect(Section):
    """How one camera is looked at."""

    stream: Literal["auto", "sub", "main"] = Field(
        default="auto", description="Which stream is looked at; `auto`: `sub` where there is one."
    )
    fps: float = Field(
        default=5.0, ge=0.5, le=25, description="Pictures a second that are looked at while something moves."
    )
    attention: Attention = Field(
        default=Attention.SPARING,
        description="What is spent on a quiet camera. `sparing`: sizes and motion vectors of pictures say when to look, and more closely for four minutes after something was found; `close`: so closely at all times; `full`: all the time, whatever sizes say. Figures: docs/detection.md.",
    )
    sensitivity: float = Field(default=0.5, ge=0, le=1, description="From 0 to 1, by day.")
    night_sensitivity: float = Field(default=0.5, ge=0, le=1, description="From 0 to 1, by night.")
    tamper: bool = Field(
        default=True, strict=True, description="Whether it is said that a camera is covered, turned, frozen, and so on."
    )
    objects: Objects | None = Field(
        default=None,
        description="Classes of what moves that are said: `true`, `false`, or a list of `person`, `vehicle`, `animal`, `smoke`, `fire`, `boat`, `other`. Default: all, where there is `detection.model`.",
    )


DetectOrNot = Annotated[
    Annotated[bool, Field(strict=True), Tag("word")] | Annotated[Detect, Tag("keys")],
    Discriminator(lambda value: "keys" if isinstance(value, dict | Detect) else "word"),
]


class Detection(Section):
    """What looking at pictures may cost, for all cameras together."""

    workers: int = Field(default=1, ge=1, le=16, strict=True, description="Processes that decode and look.")
    cores: float = Field(
        default=0.5, ge=0.02, le=64,
        description="Processor cores that they may take together: beyond it fewer pictures are looked at, and the page says so.",
    )  # fmt: skip
    model: Path | None = Field(
        default=None,
        description="Folder with a model for objects and its manifest. Default: none; nothing is classified.",
    )
    objects_per_second: float = Field(
        default=2.0, ge=0.1, le=200,
        description="How many crops of what moves the model is asked about, over all cameras; what is left out is counted and said.",
    )  # fmt: skip


Zones = Annotated[list[PictureZone], Field(max_length=MOST_AREAS)]
Lines = Annotated[list[PictureLine], Field(max_length=MOST_AREAS)]
