"""Settings of the way between a post and its hub. A hub says where posts dial in; whoever dials (a post, or a hub below another) says what may go.

docs/design/uplink.md says what becomes of it.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from longwatch.config import values
from longwatch.config.problems import Wrong
from longwatch.config.section import Section
from longwatch.config.week import Window

RATE_PATTERN = r"^\d+(\.\d+)?\s*([kM]?bit)(/s)?$"
_RATE_UNITS = {"bit": 1, "kbit": 1000, "mbit": 1_000_000}


def rate_bits(value: object) -> int:
    """`64kbit`, `2Mbit`, bits a second."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)\s*(bit|kbit|mbit)(?:/s)?", str(value).strip().lower())
    if match is None or isinstance(value, bool):
        raise Wrong(f"{value!r} is not a rate", "write it as 64kbit or 2Mbit")
    bits = round(float(match[1]) * _RATE_UNITS[match[2]])
    if bits < 2400:
        raise Wrong(f"{value!r} is too little for a link", "write at least 2400bit")
    return bits


Rate = Annotated[int, BeforeValidator(rate_bits), WithJsonSchema({"type": "string", "pattern": RATE_PATTERN})]
Size = Annotated[
    int, BeforeValidator(values.size_bytes), WithJsonSchema({"type": "string", "pattern": values.SIZE_PATTERN})
]
Duration = Annotated[
    int, BeforeValidator(values.duration_s), WithJsonSchema({"type": "string", "pattern": values.DURATION_PATTERN})
]
Listen = Annotated[values.Listen, BeforeValidator(values.listen), WithJsonSchema({"type": "string"})]


def _off(value: object) -> object:
    return "off" if value is False else value


class LinkBudget(Section):
    """At most so many bytes of the link, both ways, in each hour, day and month of local time. The ledger is counted and never withheld."""

    hour: Size | None = Field(default=None, gt=0, description="As `20MB`. Default: no limit.")
    day: Size | None = Field(default=None, gt=0, description="As `200MB`. Default: no limit.")
    month: Size | None = Field(default=None, gt=0, description="As `4GB`. Default: no limit.")


class Clips(Section):
    """Footage around alarms and gaps."""

    before: Duration = Field(default=10, le=600, description="Before it began, as `10s`.")
    after: Duration = Field(default=30, le=600, description="After it began, as `30s`.")


class LinkStrips(Section):
    """Pictures for dragging."""

    every: Duration = Field(default=60, ge=2, le=3600, description="One picture so often, as `60s`.")
    width: int = Field(default=160, ge=64, le=640, strict=True, description="In pixels.")


class LinkPictures(Section):
    """Pictures of events."""

    width: int = Field(
        default=480, ge=160, le=960, strict=True, description="In pixels. Who asks for one gets it whole."
    )
    of: Literal["motion", "detection", "alert"] = Field(
        default="motion",
        description="From how grave an event on one goes by itself: `motion` is all of them, `detection` objects, lines and what stays, `alert` hidden views, heat, smoke, fire.",
    )


ClipsOrOff = Annotated[
    Annotated[Literal["off"], BeforeValidator(_off), Tag("word")] | Annotated[Clips, Tag("keys")],
    Discriminator(lambda value: "keys" if isinstance(value, dict | Clips) else "word"),
]
PicturesOrOff = Annotated[
    Annotated[Literal["off"], BeforeValidator(_off), Tag("word")] | Annotated[LinkPictures, Tag("keys")],
    Discriminator(lambda value: "keys" if isinstance(value, dict | LinkPictures) else "word"),
]
StripsOrOff = Annotated[
    Annotated[Literal["off"], BeforeValidator(_off), Tag("word")] | Annotated[LinkStrips, Tag("keys")],
    Discriminator(lambda value: "keys" if isinstance(value, dict | LinkStrips) else "word"),
]


class Uplink(Section):
    """The link between a post and its hub. `listen` and `address` are a hub's; all else is said by the side that dials."""

    listen: Listen | None = Field(default=None, description="A hub: HOST:PORT where posts dial in, by mutual TLS.")
    address: Annotated[str, AfterValidator(str.strip)] = Field(
        default="", max_length=260, description="A hub: HOST:PORT under which posts reach it; stands in the codes of `hub invite`."
    )  # fmt: skip
    rate: Rate | None = Field(
        default=None, description="At most so much on average, as `64kbit`. Default: what the link carries."
    )
    budget: LinkBudget = Field(default_factory=LinkBudget, description="Bytes by hour, day and month.")
    windows: list[Window] = Field(
        default_factory=list,
        max_length=50,
        description="When bulk may go; as `schedule`. Default: always, after all else.",
    )
    metered: bool = Field(
        default=False, strict=True, description="Each byte costs: no strips and no bulk; what is asked for still comes."
    )
    pictures: PicturesOrOff = Field(
        default_factory=LinkPictures,
        description="Pictures of events, or `off`: then one goes where somebody at the hub asks for it.",
    )
    strips: StripsOrOff = Field(default_factory=LinkStrips, description="Pictures for dragging, or `off`.")
    clips: ClipsOrOff = Field(default_factory=Clips, description="Footage around alarms and gaps, or `off`.")
    bulk: bool = Field(
        default=False,
        strict=True,
        description="All footage goes to the hub, the oldest first, as windows and budget allow.",
    )
    live_limit: Duration = Field(
        default=120, ge=10, le=3600, description="A live view through the hub ends after this at the latest, as `2m`."
    )
    withhold: list[Annotated[str, AfterValidator(values.slug)]] = Field(
        default_factory=list, max_length=1000,
        description="Cameras of which no footage, picture or event leaves the post by link or courier; their ledger does.",
    )  # fmt: skip
