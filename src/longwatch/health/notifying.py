"""How the ways to people are, for rules and gauges. The composition root fills it in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric


@dataclass(frozen=True, slots=True)
class ChannelState:
    """One channel. failing: attempts in a row that did not come through, since since_us; dead: so many that people rely on it in vain.

    waiting: messages; oldest_us: when the oldest of them was made. sent, failed, summarised: of those that are kept.
    """

    name: str
    kind: str
    dead: bool = False
    failing: int = 0
    since_us: int | None = None
    problem: str = ""
    waiting: int = 0
    oldest_us: int | None = None
    sent: int = 0
    failed: int = 0
    summarised: int = 0


@dataclass(frozen=True, slots=True)
class BrokerState:
    """The MQTT broker. dropped: events that it never heard of, since the server started."""

    connected: bool
    problem: str = ""
    since_us: int | None = None
    published: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Telling:
    """All of it. broker: None where none is set. held_back: messages by rule. messages: made since the server started."""

    channels: tuple[ChannelState, ...] = ()
    broker: BrokerState | None = None
    held_back: Mapping[str, int] = field(default_factory=dict)
    messages: int = 0
    browsers: int = 0


def notify_gauges(telling: Telling, wall_us: int) -> list[Metric]:
    """Nothing where nothing is told from here, or it is none of the asker's business."""
    if not telling.channels:
        return []
    up = GaugeMetricFamily("longwatch_notify_channel_up", "0 while nothing comes through", labels=["channel"])
    waiting = GaugeMetricFamily("longwatch_notify_waiting", "Messages that wait to be sent", labels=["channel"])
    oldest = GaugeMetricFamily(
        "longwatch_notify_oldest_waiting_seconds", "Age of the oldest of them", labels=["channel"]
    )
    ended = GaugeMetricFamily(
        "longwatch_notify_deliveries", "Deliveries that are kept, by what became of them", labels=["channel", "outcome"]
    )
    for one in telling.channels:
        up.add_metric([one.name], int(not one.dead))
        waiting.add_metric([one.name], one.waiting)
        oldest.add_metric([one.name], 0 if one.oldest_us is None else max(0, wall_us - one.oldest_us) / 1e6)
        for outcome, number in (("sent", one.sent), ("failed", one.failed), ("summarised", one.summarised)):
            ended.add_metric([one.name, outcome], number)
    held = CounterMetricFamily(
        "longwatch_notify_held_back", "Messages held back, to be told in a later one", labels=["rule"]
    )
    for rule, number in sorted(telling.held_back.items()):
        held.add_metric([rule], number)
    families: list[Metric] = [
        up, waiting, oldest, ended, held,
        CounterMetricFamily("longwatch_notify_messages", "Messages made", telling.messages),
        GaugeMetricFamily("longwatch_notify_browsers", "Browsers that take web push", telling.browsers),
    ]  # fmt: skip
    if telling.broker is not None:
        families += [
            GaugeMetricFamily("longwatch_mqtt_connected", "1 while the broker is there", int(telling.broker.connected)),
            CounterMetricFamily("longwatch_mqtt_published", "Messages that the broker took", telling.broker.published),
            CounterMetricFamily(
                "longwatch_mqtt_dropped", "Events that the broker never heard of", telling.broker.dropped
            ),
        ]
    return families
