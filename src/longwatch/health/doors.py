"""How the processes of one hub are, for rules and gauges (docs/design/broker.md). The composition root fills it in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, Metric


@dataclass(frozen=True, slots=True)
class DoorState:
    """One process of a hub, the console among them. here: it said so lately. ended: it stopped in order, and is not missed.
    seen_us: when it said so last. connections: of posts, that it holds now.
    """

    name: str
    address: str
    version: str
    started_us: int
    seen_us: int
    here: bool
    ended: bool
    connections: int


def door_gauges(doors: Sequence[DoorState]) -> list[Metric]:
    """Nothing where a hub has one process."""
    if not doors:
        return []
    up = GaugeMetricFamily(
        "longwatch_hub_process_up", "1 while this process of the hub says that it is there", labels=["process"]
    )
    held = GaugeMetricFamily(
        "longwatch_hub_process_connections", "Connections of posts that it holds", labels=["process"]
    )
    for one in doors:
        up.add_metric([one.name], int(one.here))
        held.add_metric([one.name], one.connections if one.here else 0)
    return [up, held]
