"""The settings as they are published: one Pydantic model per section, each unknown key refused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    WithJsonSchema,
    model_validator,
)

from longwatch.base.secrets import scrub
from longwatch.config import values
from longwatch.config.problems import Wrong

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
Days = Annotated[
    tuple[int, ...],
    BeforeValidator(values.days),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Minute = Annotated[
    int, BeforeValidator(values.minute), WithJsonSchema({"type": "string", "pattern": r"^\d{1,2}:\d\d$"})
]


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


class Section(BaseModel):
    """What all sections share."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, ser_json_timedelta="float")


class Post(Section):
    """The post itself."""

    id: Slug = Field(description="The post's id in its network: a-z, 0-9, -, at most 40. It never changes.")
    name: Label = Field(default="", validate_default=False, description="For people. Default: the id.")
    timezone: Timezone = Field(default="UTC", description="IANA name; schedules are in this local time.")


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
    behind_proxy: list[Network] = Field(
        default_factory=list, description="Networks of the reverse proxy, which speaks TLS and whose word is taken."
    )


class Window(Section):
    """A part of the week, in local time. Where `to` is not after `from`, it ends on the next day."""

    days: Days = Field(default=tuple(range(7)), description="`mon-fri`, `sat`, `[mon, wed]` or `daily` (the default).")
    from_: Minute = Field(alias="from", description="'HH:MM', in quotes.")
    to: Minute = Field(description="'HH:MM', up to '24:00'.")


class Retention(Section):
    """How long it is kept. Default: 30 days, and 5 % of each volume stays free."""

    max_age: Duration = Field(default=30 * 86_400, ge=60, description="Strict maximum age, as `14d`.")
    max_size: Size | None = Field(default=None, gt=0, description="Over all volumes, as `500GB`. Default: no limit.")
    keep_free: KeepFree = Field(default=values.KeepFree(), description="On each volume: `5%`, or a size.")


class CameraRetention(Section):
    """A camera's own limits, below those of the post."""

    max_age: Duration | None = Field(default=None, ge=60, description="Strict maximum age, as `14d`.")
    max_size: Size | None = Field(default=None, gt=0, description="Of this camera's media, as `50GB`.")


class Streams(Section):
    """A camera's encodings."""

    main: Url = Field(description="What is recorded and shown on the timeline.")
    sub: Url | None = Field(default=None, description="A smaller one, recorded too and used for live tiles.")


def _record(value: object) -> object:
    if value == "events":
        raise Wrong("recording by events is not in this version", "write `continuous` or `never`")
    return value


def _detect(value: object) -> object:
    if value is True:
        raise Wrong("detection is not in this version", "leave it out, or write `false`")
    return value


class Camera(Section):
    """One camera."""

    name: Label = Field(default="", validate_default=False, description="For people. Default: made of the id.")
    streams: Streams = Field(description="`main` and, where there is one, `sub`.")
    transport: Literal["tcp", "udp"] = Field(default="tcp", description="How RTP comes in.")
    record: Annotated[Literal["continuous", "never"], BeforeValidator(_record)] = Field(
        default="continuous", description="`never`: live only."
    )
    schedule: list[Window] | None = Field(
        default=None, description="When to record, in the post's local time. Default: always."
    )
    audio: bool = Field(default=True, strict=True, description="Whether sound is recorded.")
    detect: Annotated[Literal[False], BeforeValidator(_detect)] = Field(
        default=False, description="Detection is not in this version: only `false`."
    )
    verify_certificate: bool = Field(
        default=True, strict=True, description="For `rtsps`: `false` takes any certificate, as most cameras need."
    )
    kind: Literal["visible", "thermal"] = Field(default="visible", description="What it sees by.")
    retention: CameraRetention = Field(default_factory=CameraRetention, description="Limits of its own.")
    _id: str = PrivateAttr("")

    @property
    def id(self) -> str:
        """The key it stands under."""
        return self._id


def _volumes(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Settings(Section):
    """A post's settings file."""

    post: Post
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
    _path: Path = PrivateAttr(Path())

    @property
    def path(self) -> Path:
        """The file these settings came from."""
        return self._path

    @property
    def volumes(self) -> list[Path]:
        """The volumes; the first is the index volume."""
        return self.data

    @model_validator(mode="after")
    def _named(self) -> Settings:
        self.post.name = self.post.name or self.post.id
        for camera_id, camera in self.cameras.items():
            camera._id = camera_id  # noqa: SLF001 - the key is the id; a model does not know its key
            camera.name = camera.name or camera_id.replace("-", " ").capitalize()
        return self
