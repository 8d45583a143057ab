"""What the settings say of telling people, as this room wants to know it. `config` composes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from longwatch.base.messages import ENGLISH
from longwatch.notify.rules import Recipient, Rule

DAY_US = 86_400_000_000
PUSH = "push"
"""The channel that is there without being named: the browsers that people switched it on for."""
NOTHING, PICTURE, CLIP = "nothing", "picture", "clip"
"""What goes with a message about events: words alone, the best picture, or that and the short film."""
PUSH_SERVICES = (
    "fcm.googleapis.com", "*.push.services.mozilla.com", "*.push.apple.com", "*.notify.windows.com",
)  # fmt: skip
"""Hosts of the browser makers' services. A browser's user says the address; nothing is sent to any other."""


@dataclass(frozen=True, slots=True)
class ChannelOptions:
    """kind: apprise, webhook or push. url, secret: never shown. ca: PEM file of a private authority. lacking: why it cannot be used, in words; "" where
    it can.
    """

    name: str
    kind: str
    url: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    ca: Path | None = None
    attach: str = NOTHING
    lacking: str = ""


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """prefix: of all topics. discovery: the prefix Home Assistant listens to; "" is none. commands: whether `.../set` is obeyed.

    cert, key: of this client. pictures: whether the last event's picture is published.
    """

    host: str
    port: int = 1883
    user: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    prefix: str = "longwatch"
    discovery: str = "homeassistant"
    commands: bool = False
    pictures: bool = True


@dataclass(frozen=True, slots=True)
class Options:
    """address: of the console, without a slash at its end; "" where it has no name. keep_us: how long deliveries are kept."""

    post: str
    name: str
    timezone: str = "UTC"
    address: str = ""
    contact: str = ""
    channels: tuple[ChannelOptions, ...] = (ChannelOptions(PUSH, PUSH),)
    recipients: tuple[Recipient, ...] = ()
    rules: tuple[Rule, ...] = ()
    push_services: tuple[str, ...] = PUSH_SERVICES
    keep_us: int = 30 * DAY_US
    cameras: tuple[tuple[str, str], ...] = ()
    """id and name of each."""
    language: str = ENGLISH
    """For those of whom nothing else is known."""
