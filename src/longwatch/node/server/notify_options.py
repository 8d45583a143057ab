"""From settings to what the room `notify` wants to know."""

from __future__ import annotations

from longwatch.base.secrets import missing
from longwatch.config import Settings
from longwatch.config.notify import Rule as GivenRule
from longwatch.config.week import Window
from longwatch.node.server.options import public_address
from longwatch.notify import ChannelOptions, MqttOptions, Options, Recipient, Rule, Step
from longwatch.notify.options import PUSH, PUSH_SERVICES
from longwatch.notify.week import Hours

BUILT_IN = Rule("alarms", (PUSH,), ("alarm",))
"""Where the settings name no rules: every alarm to the browsers that people switched it on for."""


def options_of(settings: Settings) -> Options:
    """Everything but the broker."""
    given = settings.notify
    channels = [ChannelOptions(PUSH, PUSH)]
    channels += [
        ChannelOptions(
            name, one.kind, one.url, one.secret or "", one.ca, one.attach, missing(one.lacking) if one.lacking else ""
        )
        for name, one in given.channels.items()
    ]
    recipients = [Recipient(one.name, (one.name,)) for one in channels]
    recipients += [
        Recipient(name, tuple(one.channels), _hours(one.quiet), one.user, one.language or "", one.timezone or "")
        for name, one in given.people.items()
    ]
    rules = [BUILT_IN] if given.rules is None else [_rule(name, one) for name, one in given.rules.items()]
    return Options(
        settings.post.id,
        settings.post.name,
        settings.post.timezone,
        given.address or public_address(settings).rstrip("/"),
        given.contact,
        tuple(channels),
        tuple(recipients),
        tuple(rules),
        (*PUSH_SERVICES, *given.push_services),
        given.keep * 1_000_000,
        tuple((camera.id, camera.name) for camera in settings.cameras.values()),
        given.language,
    )


def _rule(name: str, given: GivenRule) -> Rule:
    return Rule(
        name,
        tuple(given.to),
        tuple(given.kinds),
        tuple(given.cameras),
        tuple(given.zones),
        _hours(given.hours),
        given.group * 1_000_000,
        given.most,
        given.per * 1_000_000,
        0 if given.repeat == "off" else given.repeat * 1_000_000,
        tuple(Step(step.after * 1_000_000, tuple(step.to)) for step in given.escalate),
        given.ends,
        given.urgent,
    )


def _hours(windows: list[Window]) -> tuple[Hours, ...]:
    return tuple(Hours(frozenset(one.days), one.from_, one.to) for one in windows)


def mqtt_of(settings: Settings) -> MqttOptions | None:
    """The broker; None where none is set."""
    given = settings.mqtt
    if given is None:
        return None
    return MqttOptions(
        given.host, given.port or (8883 if given.tls else 1883), given.user, given.password or "", given.tls, given.ca, given.cert,
        given.key, given.prefix, given.discovery, given.commands, given.pictures,
    )  # fmt: skip
