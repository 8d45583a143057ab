"""The Grafana dashboard asks for nothing that `/metrics` does not say."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from longwatch.health import (
    AlarmCounts,
    BrokerState,
    ChannelState,
    GapSeconds,
    LiveCounts,
    Snapshot,
    StreamTotals,
    StripWork,
    Telling,
    exposition,
)
from longwatch.health.detecting import detection_exposition
from longwatch.health.seeing import Tally
from longwatch.model.sessions import StreamKey
from longwatch.model.watching import DetectionState, Doing, WatcherState

DASHBOARD = Path(__file__).parents[3] / "deploy/grafana/longwatch.json"
GATE = StreamKey("gate", "main")


def said() -> set[str]:
    """Every name of a sample, of a post where everything there is to tell is told."""
    answer = {
        "streams": [
            {"camera": "gate", "stream": "main", "activity": "streaming", "recording": True, "acked_wall_us": 1}
        ],
        "volumes": [{"path": "/a", "state": "ok", "free_bytes": 1}],
        "accounted_until_us": 1,
        "surroundings": {
            "mains": {"mains": "on", "battery_percent": 90, "runtime_s": 60},
            "devices": [{"by": "switch", "answers": True}],
            "cameras": [{"camera": "gate", "address": "answers", "port_power": "on", "port_link": "on"}],
        },
    }
    telling = Telling((ChannelState("mail", "apprise"),), BrokerState(connected=True), {"r": 1})
    snapshot = replace(Snapshot.read(2, answer), telling=telling)
    link = {
        "joined": True, "state": "connected", "hub": {"id": "hq"}, "backlog": {"bulk": 1}, "budget": [{"span": "day", "used": 1}],
        "link": {"bits_per_s": 1},
    }  # fmt: skip
    text = exposition(
        snapshot, [], [StreamTotals(GATE, 1, 1)], [GapSeconds("gate", "unknown", 1.0)], [LiveCounts(GATE, 1, 1)],
        [AlarmCounts("storage", "gate", 1, 0)], strips=StripWork(), link=link,
    ).decode()  # fmt: skip
    states = [DetectionState("gate", Doing.LOOKING)]
    text += detection_exposition(states, WatcherState(running=True), Tally().families(["gate"], None)).decode()
    return {re.split(r"[{ ]", line)[0] for line in text.splitlines() if not line.startswith("#")}


def test_each_metric_of_the_dashboard_exists() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    asked += [each["query"]["query"] for each in dashboard["templating"]["list"] if isinstance(each["query"], dict)]
    names = {name for expression in asked for name in re.findall(r"\blongwatch_[a-z_0-9]+", expression)}
    assert len(names) > 20
    assert names - said() == set()


def test_the_dashboard_is_one_that_grafana_reads() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    panels = dashboard["panels"]
    assert dashboard["schemaVersion"] == 39
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
    assert all(panel["type"] in {"row", "stat", "timeseries"} for panel in panels)
    assert all(target["expr"] and target["refId"] for panel in panels for target in panel.get("targets", []))
