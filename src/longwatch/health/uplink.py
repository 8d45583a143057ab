"""Gauges of the link to a hub, from how it describes itself (`web.models_link.OwnLink`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric


def link_gauges(link: Mapping[str, Any] | None) -> list[Metric]:
    """None where no hub was joined."""
    if link is None or not link.get("joined"):
        return []
    connected = GaugeMetricFamily("longwatch_uplink_connected", "1 while the hub is in touch", labels=["hub"])
    connected.add_metric([str((link.get("hub") or {}).get("id", ""))], int(link.get("state") == "connected"))
    backlog = GaugeMetricFamily("longwatch_uplink_backlog_bytes", "What waits for the hub", labels=["class"])
    for name, size in sorted((link.get("backlog") or {}).items()):
        backlog.add_metric([name], size)
    used = GaugeMetricFamily("longwatch_uplink_budget_used_bytes", "Bytes used of a budget", labels=["span"])
    for item in link.get("budget") or []:
        used.add_metric([item["span"]], item["used"])
    bits = GaugeMetricFamily(
        "longwatch_uplink_bits_per_second", "What goes and comes", (link.get("link") or {}).get("bits_per_s") or 0
    )
    return [connected, backlog, used, bits]
