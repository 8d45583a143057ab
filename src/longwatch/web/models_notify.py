"""Messages to people, as the API says them."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from longwatch.web.model import Model


class Try(Model):
    """One attempt. outcome: sent, again or failed."""

    at: str
    took_ms: int
    outcome: str
    problem: str


class Delivery(Model):
    """One way that a message goes. target: of web push, the number of a browser. state: waiting, sent, failed or summarised."""

    channel: str
    target: str
    state: str
    attempts: int
    next: str | None
    ended: str | None
    problem: str
    tries: list[Try] = Field(default_factory=list)


class Message(Model):
    """why: new, again, escalated, held, summary or test."""

    id: int
    rule: str
    to: str
    why: str
    title: str
    body: str
    link: str
    grave: bool
    count: int
    held: int
    made: str
    acknowledged: str | None
    deliveries: list[Delivery]


class Messages(Model):
    """The newest first."""

    items: list[Message]
    next: str | None


class Channel(Model):
    """sent, failed, summarised: of the deliveries that are kept."""

    name: str
    kind: str
    dead: bool
    failing: int
    since: str | None
    problem: str
    waiting: int
    oldest: str | None
    sent: int
    failed: int
    summarised: int


class Hours(Model):
    """days: 0 is Monday."""

    days: list[int]
    from_minute: int
    to_minute: int


class Step(Model):
    """After so many seconds."""

    after: float
    to: list[str]


class Rule(Model):
    """As in the settings; times in seconds. repeat: 0 is never. held: messages held back so far."""

    name: str
    to: list[str]
    kinds: list[str]
    cameras: list[str]
    zones: list[str]
    hours: list[Hours]
    group: float
    most: int
    per: float
    repeat: float
    escalate: list[Step]
    ends: bool | None
    urgent: bool
    held: int


class Recipient(Model):
    """user: whose browsers are meant."""

    name: str
    channels: list[str]
    quiet: list[Hours]
    user: str


class Broker(Model):
    """The MQTT broker."""

    connected: bool
    problem: str
    since: str | None
    published: int
    dropped: int


class Telling(Model):
    """How people are told."""

    channels: list[Channel]
    rules: list[Rule]
    recipients: list[Recipient]
    broker: Broker | None
    browsers: int
    address: str


class BrokerTrial(Model):
    """What became of a message to the broker that has to come back. why: null where it did; else one of the words below. detail: in the words of whoever refused."""

    why: Literal[
        "unknown_host", "refused", "no_answer", "login", "certificate", "files", "no_tls", "closed", "not_heard", "not_back"
    ] | None  # fmt: skip
    detail: str
    took_ms: int
    topic: str


class Made(Model):
    """Number of a message, as in /api/v1/notifications."""

    message: int


class PushKeys(Model):
    """As `PushSubscription.toJSON()` says them."""

    model_config = ConfigDict(extra="forbid")
    p256dh: str = Field(min_length=1, max_length=100)
    auth: str = Field(min_length=1, max_length=40)


class PushBrowser(Model):
    """A browser that wants to be told. Other members that browsers send (`expirationTime`) are left out."""

    endpoint: str = Field(min_length=10, max_length=1000)
    keys: PushKeys


class OwnBrowser(Model):
    """mark: the first 16 hexadecimal digits of the SHA-256 of its endpoint, by which it knows itself."""

    id: int
    agent: str
    created: str
    used: str | None
    mark: str


class OwnPush(Model):
    """key: `applicationServerKey`. told: whether any rule sends to browsers of whoever asks."""

    key: str
    told: bool
    browsers: list[OwnBrowser]


class PushAdded(Model):
    """Number of the browser."""

    id: int
