"""Settings of telling people: channels, people, rules; and of MQTT. docs/design/notify.md says what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, WithJsonSchema

from longwatch.base import secrets
from longwatch.base.errors import UsageError
from longwatch.config import values
from longwatch.config.around import Secret
from longwatch.config.problems import Problem, Wrong
from longwatch.config.section import Section
from longwatch.config.tree import Path_, Tree
from longwatch.config.week import Window
from longwatch.notify.apprise_addresses import plugin_of
from longwatch.notify.happening import WORDS
from longwatch.notify.options import PUSH

Slug = Annotated[
    str,
    AfterValidator(values.slug),
    WithJsonSchema({"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"}),
]
Duration = Annotated[
    int, BeforeValidator(values.duration_s), WithJsonSchema({"type": "string", "pattern": values.DURATION_PATTERN})
]
_LEAST_SECRET = 16
_TOPIC = r"^[0-9A-Za-z_-][0-9A-Za-z_./-]*$"


def _off(value: object) -> object:
    return "off" if value is False else value


def _text_of_a_way(value: object) -> object:
    if not isinstance(value, str) or not value.strip() or len(value) > 2000:  # never quoted: it holds a login
        raise Wrong("this is not an address", "write it as mailtos://..., https://..., or ${NAME} of the secrets file")
    secrets.register(value.strip())  # as it is used, or it is not known again where a library says it
    return value.strip()


def _word(value: str) -> str:
    if value not in WORDS:
        raise Wrong(f"{value!r} is nothing that is told", f"one of {', '.join(sorted(WORDS))}")
    return value


def _address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise Wrong(f"{value!r} is not the address of the console", "write it as https://north-ridge.lan")
    return value.rstrip("/")


def _mail(value: str) -> str:
    if value and not re.fullmatch(r"[^@\s]{1,64}@[\w.-]{1,190}", value):
        raise Wrong(f"{value!r} is not a mail address", "write it as post@example.org")
    return value


Way = Annotated[str, BeforeValidator(_text_of_a_way), WithJsonSchema({"type": "string"})]
Word = Annotated[str, AfterValidator(_word), WithJsonSchema({"enum": sorted(WORDS)})]


Language = Literal["en", "fr", "es", "sw"]
"""`base.messages.LANGUAGES`; a test holds the two together."""


class Channel(Section):
    """A way to people."""

    kind: Literal["apprise", "webhook"] = Field(description="`apprise` (mail, chat, SMS gateways ...) or `webhook`.")
    url: Way = Field(
        description="Where it goes. It holds logins: write them as `${NAME}`, or all of it as one `${NAME}`."
    )
    secret: Secret | None = Field(
        default=None, description="A webhook's: what its messages are signed with; at least 16 characters."
    )
    ca: Path | None = Field(default=None, description="A webhook's: PEM file of a private authority.")
    attach: Literal["nothing", "picture", "clip"] = Field(
        default="nothing",
        description="What goes with a message about events: `picture`, the best one of each; `clip`, a short film of the first too.",
    )
    _lacking: tuple[str, ...] = PrivateAttr(())

    @property
    def lacking(self) -> tuple[str, ...]:
        """Names of its secrets that are missing: `config.lacking`."""
        return self._lacking


class Person(Section):
    """Somebody who is told. Several channels are all used."""

    channels: list[Slug] = Field(min_length=1, max_length=20, description="Names of `channels`, or `push`.")
    user: str = Field(
        default="", max_length=80, description="The account whose browsers `push` goes to. Default: every account's."
    )
    language: Language | None = Field(
        default=None,
        description="Of their messages. Default: what `user` chose in the console, else `notify.language`.",
    )
    timezone: Annotated[str, AfterValidator(values.timezone)] | None = Field(
        default=None, description="Of the times in their messages, and of `quiet`. Default: the post's."
    )
    quiet: list[Window] = Field(
        default_factory=list, max_length=50, description="When only what is `urgent` is told, in local time, as `schedule`; the rest follows in one message."
    )  # fmt: skip


class Escalation(Section):
    """Who is told when nobody has acknowledged it."""

    after: Duration = Field(ge=10, le=604_800, description="Since the first message, as `10m`.")
    to: list[Slug] = Field(min_length=1, max_length=20, description="People or channels.")


class Rule(Section):
    """What is told to whom, and when."""

    to: list[Slug] = Field(
        min_length=1, max_length=20, description="People, channels, or `push` (every browser that was switched on)."
    )
    kinds: list[Word] = Field(
        default_factory=lambda: ["all"], min_length=1, max_length=50,
        description="Events by kind (`motion`, `object.person`, `tamper` ...), or `not_recording`, `switched_off`, `blind`, `disk`, `power`, `post_silent` ...; `alarm` is every alarm.",
    )  # fmt: skip
    cameras: list[str] = Field(
        default_factory=list, max_length=1000, description="Ids. Default: all, and what is about no camera."
    )
    zones: list[str] = Field(
        default_factory=list, max_length=100, description="Names of zones or lines: only events in one of them."
    )
    hours: list[Window] = Field(
        default_factory=list, max_length=50, description="When, in local time, as `schedule`. Default: always."
    )
    group: Duration = Field(
        default=10, ge=0, le=3600, description="What comes within so long is one message, as `10s`."
    )
    most: int = Field(default=12, ge=1, le=1000, strict=True, description="So many messages to one recipient ...")
    per: Duration = Field(
        default=3600, ge=60, le=604_800, description="... in so long; the rest is counted, and told in the next one."
    )
    repeat: Annotated[
        Literal["off"] | Duration, BeforeValidator(_off),
        WithJsonSchema({"anyOf": [{"const": "off"}, {"type": "string", "pattern": values.DURATION_PATTERN}]}),
    ] = Field(default="off", description="Said again so often while it lasts and nobody has acknowledged it, as `1h`.")  # fmt: skip
    escalate: list[Escalation] = Field(default_factory=list, max_length=10, description="Who else is told, and when.")
    ends: bool | None = Field(
        default=None, strict=True, description="Whether the end is told too. Default: of alarms, not of events."
    )
    urgent: bool = Field(default=False, strict=True, description="In quiet hours too.")


class Notify(Section):
    """Telling people."""

    address: Annotated[str, AfterValidator(_address)] | None = Field(
        default=None,
        description="Of the console, for links, as `https://north-ridge.lan`. Default: made of `web.name`.",
    )
    contact: Annotated[str, AfterValidator(_mail)] = Field(
        default="",
        max_length=255,
        description="Mail address that the makers of browsers may write to about web push. They are shown it.",
    )
    language: Language = Field(
        default="en", description="Of messages to those of whom no other is known: English, French, Spanish or Swahili."
    )
    channels: dict[Slug, Channel] = Field(default_factory=dict, description="By name. `push` is always there.")
    people: dict[Slug, Person] = Field(default_factory=dict, description="By name.")
    rules: dict[Slug, Rule] | None = Field(default=None, description="By name. Default: every alarm to `push`.")
    push_services: list[str] = Field(
        default_factory=list, max_length=20, description="Push services beside those of the known browsers: hosts, `*.` for all below, or an origin."
    )  # fmt: skip
    keep: Duration = Field(
        default=30 * 86_400, ge=86_400, description="How long messages and their deliveries are kept, as `30d`."
    )


class Mqtt(Section):
    """A broker, for Home Assistant and others. docs/ref/mqtt.md has the topics."""

    host: str = Field(max_length=253, pattern=r"^[0-9A-Za-z:._-]+$", description="Name or address of the broker.")
    port: int | None = Field(default=None, ge=1, le=65535, strict=True, description="Default: 1883, or 8883 with TLS.")
    user: str = Field(default="", max_length=200, description="May be `${NAME}`.")
    password: Secret | None = Field(default=None, description="As `${NAME}`, from the secrets file.")
    tls: bool = Field(default=False, strict=True, description="Whether the connection is encrypted.")
    ca: Path | None = Field(default=None, description="PEM file of a private authority. Default: those of the system.")
    cert: Path | None = Field(default=None, description="PEM file of a client certificate.")
    key: Path | None = Field(default=None, description="PEM file of its key.")
    prefix: str = Field(default="longwatch", max_length=100, pattern=_TOPIC, description="Of all topics.")
    discovery: Annotated[str, BeforeValidator(_off), Field(max_length=100, pattern=_TOPIC)] = Field(
        default="homeassistant", description="Prefix of Home Assistant's discovery, or `off`."
    )
    commands: bool = Field(
        default=False,
        strict=True,
        description="Whether the record switch works: whoever may write to the broker may then pause recording.",
    )
    pictures: bool = Field(default=True, strict=True, description="Whether the picture of the last event is published.")


def rules_of(notify: Notify, mqtt: Mqtt | None, cameras: Collection[str] | None, tree: Tree) -> list[Problem]:
    """What holds between keys. cameras: None at a hub, whose cameras are those of its posts."""
    problems: list[Problem] = []
    for name, channel in notify.channels.items():
        problems += _of_channel(name, channel, tree)
        if name in notify.people or name == PUSH:
            remedy = "give one of them another name"
            problems.append(
                tree.problem(("notify", "channels", name), f"{name} is a person or `push` already", remedy, key=True)
            )
    ways = {*notify.channels, PUSH}
    for name, person in notify.people.items():
        problems += _named(("notify", "people", name, "channels"), person.channels, ways, "channel", tree)
    for name, rule in (notify.rules or {}).items():
        path: Path_ = ("notify", "rules", name)
        problems += _named((*path, "to"), rule.to, ways | set(notify.people), "person or channel", tree)
        for number, step in enumerate(rule.escalate):
            known = ways | set(notify.people)
            problems += _named((*path, "escalate", number, "to"), step.to, known, "person or channel", tree)
        if cameras is not None:
            problems += _named((*path, "cameras"), rule.cameras, cameras, "camera", tree)
    if mqtt is not None and (mqtt.cert is None) != (mqtt.key is None):
        problems.append(tree.problem(("mqtt",), "a client certificate and its key go together", "name both, or none"))
    if mqtt is not None and not mqtt.tls and (mqtt.ca or mqtt.cert):
        problems.append(tree.problem(("mqtt",), "certificates are for TLS", "add `tls: true`"))
    return problems


def _named(path: Path_, names: Collection[str], known: Collection[str], what: str, tree: Tree) -> list[Problem]:
    remedy = f"known here: {', '.join(sorted(known)) or 'none'}"
    return [
        tree.problem((*path, number), f"there is no {what} {name!r}", remedy)
        for number, name in enumerate(names)
        if name not in known
    ]


def _of_channel(name: str, channel: Channel, tree: Tree) -> list[Problem]:
    path: Path_ = ("notify", "channels", name)
    if channel.lacking:
        return []
    if channel.kind == "webhook":
        problems = []
        if channel.secret is None or len(channel.secret) < _LEAST_SECRET:
            remedy = "add `secret: ${NAME}` with at least 16 characters; the receiver checks signatures with it"
            problems.append(tree.problem((*path, "secret") if channel.secret else path, "a webhook is signed", remedy))
        if not re.fullmatch(r"https?://[^\s/?#]+(/\S*)?", channel.url):
            problems.append(
                tree.problem(
                    (*path, "url"), "a webhook is an http or https address", "write it as https://example.org/hook"
                )
            )
        return problems
    if channel.secret is not None or channel.ca is not None:
        return [tree.problem(path, "`secret` and `ca` are a webhook's", "take them out")]
    try:
        plugin_of(channel.url)
    except UsageError as error:
        return [tree.problem((*path, "url"), error.what + (f": {error.why}" if error.why else ""), error.remedy)]
    return []
