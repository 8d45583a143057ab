"""The settings as they are published: one Pydantic model per section, each unknown key refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    WithJsonSchema,
    model_validator,
)

from longwatch.base.secrets import scrub
from longwatch.config import around, values
from longwatch.config.hub import EVERYWHERE, AllowedSilence, Broker, Database, Media, Place
from longwatch.config.notify import Mqtt, Notify
from longwatch.config.problems import Problem, Wrong
from longwatch.config.section import Section
from longwatch.config.sign_in import Oidc
from longwatch.config.thermal import Radiometry
from longwatch.config.upgrades import Upgrades
from longwatch.config.uplink import Uplink
from longwatch.config.watching import Detect, Detection, DetectOrNot, Lines, Zones
from longwatch.config.week import Window
from longwatch.model.areas import MOST_AREAS

Slug = Annotated[
    str,
    AfterValidator(values.slug),
    WithJsonSchema({"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"}),
]
Label = Annotated[str, AfterValidator(values.label)]
Timezone = Annotated[str, AfterValidator(values.timezone)]
Size = Annotated[
    int,
    BeforeValidator(values.size_bytes),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": values.SIZE_PATTERN}, {"const": 0}]}),
]
Duration = Annotated[
    int, BeforeValidator(values.duration_s), WithJsonSchema({"type": "string", "pattern": values.DURATION_PATTERN})
]
KeepFree = Annotated[
    values.KeepFree,
    BeforeValidator(values.keep_free),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"const": 0}]}),
]
Listen = Annotated[values.Listen, BeforeValidator(values.listen), WithJsonSchema({"type": "string"})]
Network = Annotated[str, BeforeValidator(values.network)]
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


class StreamUrl(str):
    """A camera's URL with its login. Its repr shows no secret; `str` gives all of it, for the recorder alone."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"StreamUrl({scrub(self)!r})"


def _url(value: object) -> StreamUrl:
    if not isinstance(value, str):
        raise Wrong("a stream is a URL", "write it as rtsp://user:${PASSWORD}@10.0.0.5/stream1")
    return StreamUrl(value)


Url = Annotated[
    StreamUrl,
    BeforeValidator(_url),
    WithJsonSchema({"type": "string", "pattern": "^(?i:rtsps?)://", "description": "rtsp:// or rtsps://"}),
]


class Post(Section):
    """The post itself."""

    id: Slug = Field(description="The post's id in its network: a-z, 0-9, -, at most 40. It never changes.")
    name: Label = Field(default="", validate_default=False, description="For people. Default: the id.")
    timezone: Timezone = Field(default="UTC", description="IANA name; schedules are in this local time.")
    place: Place | None = Field(default=None, description="Where it stands, for the map of a hub: `{lat, lon}`.")
    power_windows: list[Window] | None = Field(
        default=None,
        description="When the post itself has power, in its local time: outside of it its hub expects nothing. Default: always.",
    )


class Hub(Section):
    """The hub itself."""

    id: Slug = Field(
        description="The hub's id in its network: a-z, 0-9, -, at most 40. It never changes once the hub has started."
    )
    name: Label = Field(default="", validate_default=False, description="For people. Default: the id.")
    timezone: Timezone = Field(default="UTC", description="IANA name; days in its reports are local days.")
    place: Place | None = Field(default=None, description="Where it stands, for the map: `{lat, lon}`.")
    silence: AllowedSilence = Field(
        default_factory=AllowedSilence, description="How long posts may be silent when they should speak."
    )
    door: Slug | None = Field(
        default=None,
        description="A further process of this hub, by a name of its own: posts dial in here too, and it has no console.",
    )


class TlsFiles(Section):
    """A certificate of your own."""

    cert: Path = Field(description="PEM file with the certificate chain.")
    key: Path = Field(description="PEM file with the private key.")


def _tls_word(value: object) -> object:
    return "off" if value is False else value


Tls = Annotated[
    Annotated[Literal["off", "self-signed"], BeforeValidator(_tls_word), Tag("word")]
    | Annotated[TlsFiles, Tag("files")],
    Discriminator(lambda value: "files" if isinstance(value, dict | TlsFiles) else "word"),
]


class Web(Section):
    """Console and API."""

    listen: Listen = Field(
        default=values.Listen("127.0.0.1", 8460),
        description="HOST:PORT. Beyond loopback it needs `tls` or `behind_proxy`.",
    )
    name: str = Field(default="", max_length=253, description="Host name that people type; stands in the certificate.")
    tls: Tls = Field(default="off", description="`self-signed`, `{cert: FILE, key: FILE}`, or `off`.")
    transcodes: int = Field(
        default=2, ge=0, le=16, strict=True,
        description="How many streams may be made H.264 at one time for browsers that do not play what the camera sends; also begins of files with `exact=1`. Each takes a part of a core.",
    )  # fmt: skip
    behind_proxy: list[Network] = Field(
        default_factory=list, description="Networks of the reverse proxy, which speaks TLS and whose word is taken."
    )
    oidc: Oidc | None = Field(default=None, description="A provider by which people may sign in too.")


class Retention(Section):
    """How long it is kept. Default: 30 days, and 5 % of each volume stays free."""

    max_age: Duration = Field(default=30 * 86_400, ge=60, description="Strict maximum age, as `14d`.")
    max_size: Size | None = Field(default=None, gt=0, description="Over all volumes, as `500GB`. Default: no limit.")
    keep_free: KeepFree = Field(default=values.KeepFree(), description="On each volume: `5%`, or a size.")
    personal: Duration = Field(
        default=180 * 86_400,
        ge=86_400,
        description="How long clear text about people is kept beside the ledger, as `180d`.",
    )


class Exports(Section):
    """What people export with the console: files in `derived/exports` of the first volume."""

    keep: Duration = Field(
        default=7 * 86_400,
        ge=60,
        description="How long files are kept, as `7d`; never longer than the maximum age allows.",
    )
    max_size: Size = Field(default=20 * 10**9, gt=0, description="Of all of them together, as `20GB`.")
    rate: Size = Field(
        default=50 * 10**6, gt=0, description="Bytes a second at which footage is read at most, as `50MB`."
    )


class Events(Section):
    """What was seen: rows of the server's own, with a picture for each as long as its footage is held."""

    keep: Duration = Field(
        default=90 * 86_400,
        ge=3600,
        description="How long it is known what was seen and when, as `90d`. Pictures of it go with the footage.",
    )


class AroundEvents(Section):
    """What `record: events` keeps beside an event."""

    before: Duration = Field(default=5, ge=0, le=600, description="So long before it begins, as `5s`.")
    after: Duration = Field(default=10, ge=0, le=600, description="So long after its end, as `10s`.")


class CameraRetention(Section):
    """A camera's own limits, below those of the post."""

    max_age: Duration | None = Field(default=None, ge=60, description="Strict maximum age, as `14d`.")
    max_size: Size | None = Field(default=None, gt=0, description="Of this camera's media, as `50GB`.")


class Streams(Section):
    """A camera's encodings."""

    main: Url = Field(description="What is recorded and shown on the timeline.")
    sub: Url | None = Field(default=None, description="A smaller one, recorded too and used for live tiles.")


def _on_off(value: object) -> object:
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


class PictureArea(Section):
    """A polygon on the picture."""

    name: Label = Field(description="For people; no two alike among a camera's masks, or among its shades.")
    polygon: Polygon = Field(
        description="3 to 32 points `[x, y]`, in parts of the picture's width and height, from 0 to 1."
    )


def _named_apart(areas: list[PictureArea]) -> list[PictureArea]:
    names = [area.name for area in areas]
    if len(set(names)) != len(names):
        raise Wrong("two of them have the same name", "give each its own")
    return areas


Areas = Annotated[list[PictureArea], Field(max_length=MOST_AREAS), AfterValidator(_named_apart)]


class Camera(Section):
    """One camera."""

    name: Label = Field(default="", validate_default=False, description="For people. Default: made of the id.")
    streams: Streams = Field(description="`main` and, where there is one, `sub`.")
    transport: Literal["tcp", "udp"] = Field(default="tcp", description="How RTP comes in.")
    record: Literal["continuous", "events", "never"] = Field(
        default="continuous",
        description="`events`: what was looked at and no event needs is discarded. `never`: live only.",
    )
    around_events: AroundEvents = Field(default_factory=AroundEvents)
    schedule: list[Window] | None = Field(
        default=None, description="When to record, in the post's local time. Default: always."
    )
    power_windows: list[Window] | None = Field(
        default=None,
        description="When the camera has power, in the post's local time: outside of it its silence is planned. Default: always.",
    )
    audio: bool = Field(default=True, strict=True, description="Whether sound is recorded.")
    detect: DetectOrNot = Field(
        default=True,
        description="Whether it is looked at: `true`, `false`, or `{stream, fps, sensitivity, night_sensitivity, tamper, objects}`.",
    )
    zones: Zones = Field(
        default_factory=list,
        description="Parts of the picture with rules of their own, as `[{name, polygon, kinds, dwell, ignored, objects}]`.",
    )
    lines: Lines = Field(
        default_factory=list, description="Lines that things cross, as `[{name, from, to, direction}]`."
    )
    verify_certificate: bool = Field(
        default=True, strict=True, description="For `rtsps`: `false` takes any certificate, as most cameras need."
    )
    masks: Areas = Field(
        default_factory=list,
        description="What is painted over before anything is recorded, shown or sent, as `[{name, polygon}]`. Each picture is decoded and encoded for it.",
    )
    shades: Areas = Field(
        default_factory=list,
        description="What the console hides when it shows the camera, as `[{name, polygon}]`. The recording contains it.",
    )
    strips: Annotated[Literal["on", "off"], BeforeValidator(_on_off)] = Field(
        default="on", description="Small pictures for dragging over a day; `off`: none are made or kept."
    )
    kind: Literal["visible", "thermal"] = Field(default="visible", description="What it sees by.")
    twin: Slug | None = Field(
        default=None,
        description="The camera of the other kind that looks at the same: one event then shows both. At one of the two.",
    )
    radiometry: Radiometry | None = Field(
        default=None,
        description="Temperatures that it sends as ONVIF metadata, or gives in stills: `{unit, own_rules, alarms, stills}`. They are recorded with the picture.",
    )
    covers: Label = Field(default="", description="What it sees, in a few words, for the public notice.")
    retention: CameraRetention = Field(default_factory=CameraRetention, description="Limits of its own.")
    behind: Slug | None = Field(default=None, description="The switch it stands behind: a key of `switches`.")
    port: around.Port | None = Field(
        default=None, description="Its port there: a number, or `{poe, interface, group}`."
    )
    relay: around.Relay | None = Field(default=None, description="A relay that feeds it.")
    meter: around.Meter | None = Field(default=None, description="A meter in front of it.")
    _id: str = PrivateAttr("")
    _lacking: dict[str, tuple[str, ...]] = PrivateAttr(default_factory=dict)

    @property
    def id(self) -> str:
        """The key it stands under."""
        return self._id

    @property
    def lacking(self) -> dict[str, tuple[str, ...]]:
        """Its streams (and `stills`) of which the address needs secrets that are missing, and their names: `config.lacking`."""
        return self._lacking

    @property
    def looked_at(self) -> Detect | None:
        """How it is looked at; None: not."""
        if isinstance(self.detect, Detect):
            return self.detect
        return Detect() if self.detect else None

    @property
    def looked_at_stream(self) -> str:
        """Which of its streams is looked at: the smaller one where there is one."""
        asked = self.looked_at
        wanted = "auto" if asked is None else asked.stream
        return "sub" if wanted != "main" and self.streams.sub is not None else "main"


def _authority(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", value):
        raise Wrong(
            "a timestamp authority is an address", "write it as https://stamps.example.org/tsr, without a login"
        )
    return value


class Stamps(Section):
    """A timestamp authority (RFC 3161) that stamps the ledger's checkpoints."""

    url: Annotated[str, BeforeValidator(_authority), WithJsonSchema({"type": "string", "pattern": "^https?://"})] = (
        Field(description="Where it answers, as `https://stamps.example.org/tsr`.")
    )
    every: Duration = Field(default=86_400, ge=3600, description="How often, as `1d`.")
    ca: Path | None = Field(
        default=None,
        description="PEM file of the roots that its certificates lead to. Without it a stamp is kept unchecked.",
    )


class Ledger(Section):
    """What becomes of the ledger's heads beyond the post."""

    stamps: Stamps | None = Field(default=None, description="Have them stamped. Default: not.")


class Notice(Section):
    """What the public notice of this post says, besides what each camera records."""

    operator: Label = Field(default="", description="Who runs the post: a name and an address.")
    purpose: Label = Field(default="", description="What it is for, in a sentence.")
    contact: Label = Field(default="", description="Whom to ask, and how: a telephone number, an address.")


class Strips(Section):
    """Small pictures for dragging over a day, made as footage arrives. They go when their footage goes."""

    every: Duration = Field(
        default=10, ge=2, le=3600, description="At most one picture of a camera in so long, as `10s`."
    )
    width: int = Field(default=160, ge=64, le=640, description="Of a picture, in pixels.")
    budget: Annotated[
        float,
        BeforeValidator(values.share),
        WithJsonSchema({"type": "string", "pattern": r"^\d{1,3}(\.\d{1,3})?\s*%$"}),
    ] = Field(
        default=0.2,
        description="Of one processor core, for decoding them: beyond it fewer are made, and the page says so.",
    )


def _volumes(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Settings(Section):
    """A post's settings file, or a hub's. At a hub `post` is there too, made of `hub`: most of the program need not tell them apart."""

    post: Post = Field(default=cast("Post", None), description="A post's file.")
    hub: Hub | None = Field(default=None, description="A hub's file. One of the two, not both.")
    data: Annotated[
        list[Path],
        BeforeValidator(_volumes),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
    ] = Field(min_length=1, description="One volume, or a list of them; the first holds index and ledger.")
    web: Web = Field(default_factory=Web)
    secrets: Path | None = Field(default=None, description="File of NAME=value lines, mode 0600, for ${NAME}.")
    cameras: dict[Slug, Camera] = Field(default_factory=dict, description="By id.")
    defaults: dict[str, Any] = Field(
        default_factory=dict, description="Any of a camera's keys but name and streams, for all."
    )
    retention: Retention = Field(default_factory=Retention)
    events: Events = Field(default_factory=Events)
    exports: Exports = Field(default_factory=Exports)
    ledger: Ledger = Field(default_factory=Ledger)
    notice: Notice = Field(default_factory=Notice)
    strips: Strips = Field(default_factory=Strips)
    detection: Detection = Field(default_factory=Detection)
    switches: dict[Slug, around.Switch] = Field(default_factory=dict, description="By name: what cameras stand behind.")
    ups: around.Ups | None = Field(default=None, description="What feeds the post.")
    notify: Notify = Field(default_factory=Notify)
    mqtt: Mqtt | None = Field(default=None, description="A broker to speak to. Default: none.")
    uplink: Uplink = Field(
        default_factory=Uplink, description="The way to a hub, once joined; at a hub also where posts dial in."
    )
    upgrades: Upgrades | None = Field(
        default=None, description="How a new version of this program comes to a post. Default: by hand, as a package."
    )
    database: Database | None = Field(
        default=None, description="A hub's: `postgresql://...`. Default: SQLite in the data folder."
    )
    media: Media | None = Field(
        default=None, description="A hub's: `s3://bucket?endpoint=...`. Default: a directory in the data folder."
    )
    broker: Broker | None = Field(
        default=None,
        description="A hub's: `nats://host,host,host`, for several processes of it. Default: none, one process.",
    )
    _path: Path = PrivateAttr(Path())
    _lacking: list[Problem] = PrivateAttr(default_factory=list)
    _doubts: list[Problem] = PrivateAttr(default_factory=list)

    @property
    def path(self) -> Path:
        """The file these settings came from."""
        return self._path

    @property
    def doubts(self) -> list[Problem]:
        """What is right as it is written, and looks as if something else was meant: `expand.mistyped`."""
        return self._doubts

    @property
    def lacking(self) -> list[Problem]:
        """What is left out of these settings, since names in them stand for no secret: `config.lacking`."""
        return self._lacking

    @property
    def volumes(self) -> list[Path]:
        """The volumes; the first is the index volume."""
        return self.data

    @property
    def role(self) -> Literal["post", "hub"]:
        """Whose file it is."""
        return "post" if self.hub is None else "hub"

    @property
    def door(self) -> str:
        """Which door of a hub this is, by its name; "" where there is a console."""
        return (self.hub.door or "") if self.hub is not None else ""

    @model_validator(mode="after")
    def _named(self) -> Settings:
        if self.hub is not None:
            hub = self.hub
            hub.name = hub.name or hub.id
            self.post = Post.model_construct(id=hub.id, name=hub.name, timezone=hub.timezone, place=hub.place)
            listen = self.uplink.listen
            if listen is not None and not self.uplink.address and listen.host not in EVERYWHERE:
                self.uplink.address = str(listen)
        elif getattr(self, "post", None) is None:
            return self  # the loader says so
        self.post.name = self.post.name or self.post.id
        for camera_id, camera in self.cameras.items():
            camera._id = camera_id  # noqa: SLF001 - the key is the id; a model does not know its key
            camera.name = camera.name or camera_id.replace("-", " ").capitalize()
        return self
