"""How looking goes, as the API and the metrics tell it: each caller hears of the cameras that are theirs to see."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.site import GATE, Running, running_site

from longwatch.base.rfc3339 import format_us
from longwatch.events.looked import Looked
from longwatch.model.stores import Provenance, RecordedSpan
from longwatch.model.watching import DetectionState, Doing, Moved, WatcherState

S = 1_000_000
STATES = (
    DetectionState(
        "gate", Doing.LOOKING, "sub", gate="more", behind_us=1_500_000, looked_until_us=1_767_225_600_000_000, told=100, pictures=7, skipped=3,
        missed=2, cpu_us=250_000, open_us=1_000_000, closed_us=3_000_000,
    ),
    DetectionState("yard", Doing.RESTING, "main", "it ended the decoder", deaths=4),
)  # fmt: skip
NO_MODEL = {
    "doing": "none",
    "why": "",
    "name": "",
    "version": "",
    "licence": "",
    "finds": [],
    "ask_s": 0.0,
    "deaths": 0,
}


class Looking:
    """As `node.watch.looking`."""

    watcher = WatcherState(
        True, 7, 2_000_000, 35_000_000, ({"pid": 8, "rss_bytes": 90_000_000, "cpu_us": 500_000, "deaths": 1},), 2
    )

    def state(self, camera: str) -> DetectionState | None:
        return next((state for state in STATES if state.camera == camera), None)

    def states(self) -> Sequence[DetectionState]:
        return STATES

    async def moved(self, camera: str, hours: int) -> Moved:
        return (
            Moved(2, 1, 7200.0, hours, (1.25, 0.0), (3, 0))
            if camera == "gate"
            else Moved(2, 1, 0.0, 0, (0.0, 0.0), (0, 0))
        )


@pytest.fixture
async def site(tmp_path: Path):
    async with running_site(tmp_path) as running:
        running.deps.detection = Looking()
        yield running


async def test_what_was_recorded_and_looked_at_by_nobody_is_told_to_whom_the_camera_is_theirs(
    site: Running, tmp_path: Path
) -> None:
    now_us = site.clock.wall_us()
    spans = [(now_us - 500 * S, now_us - 300 * S)]
    log = Looked(tmp_path / "looked.json", lambda: ["gate", "yard"], lambda _: spans, lambda: 86_400 * S, site.clock)
    site.deps.looked = log
    log.take()
    site.index.spans[GATE] = [RecordedSpan(now_us - 900 * S, now_us, 1, Provenance.NTP)]
    stretch = {"from": format_us(now_us - 900 * S), "to": format_us(now_us)}
    asked = "/api/v1/detection/unlooked"
    async with site.client("admin") as client, site.client("gate-only") as one:
        told = (await client.get(asked, params=stretch)).json()["items"]
        assert told == [
            {
                "camera": "gate",
                "off": False,
                "seconds": 240.0,
                "stretches": [{"from": format_us(now_us - 300 * S), "to": format_us(now_us - 60 * S)}],
            }
        ]
        assert (await one.get(asked, params=stretch | {"camera": "gate"})).json()["items"] == told
        assert (await one.get(asked, params=stretch | {"camera": "yard"})).status_code == 403
        assert (await client.get(asked, params={"from": stretch["to"], "to": stretch["from"]})).status_code == 422


async def test_who_is_behind_and_by_how_much(site: Running) -> None:
    async with site.client("admin") as client:
        told = (await client.get("/api/v1/detection")).json()
    gate, yard = told["items"]
    assert (gate["doing"], gate["gate"], gate["behind_s"], gate["skipped"], gate["missed"]) == (
        "looking",
        "more",
        1.5,
        3,
        2,
    )
    assert (gate["open_share"], gate["cpu_s"], gate["looked_until"]) == (0.25, 0.25, "2026-01-01T00:00:00Z")
    assert (yard["doing"], yard["child_deaths"], yard["looked_until"]) == ("resting", 4, None)
    assert told["watcher"]["children"] == [{"pid": 8, "resident_bytes": 90_000_000, "cpu_s": 0.5, "deaths": 1}]


async def test_nobody_hears_of_cameras_that_are_not_theirs(site: Running) -> None:
    async with site.client("gate-only") as client:
        told = (await client.get("/api/v1/detection")).json()
        lines = (await client.get("/metrics")).text.splitlines()
    assert [item["camera"] for item in told["items"]] == ["gate"]
    assert told["watcher"] is None
    mine = [line for line in lines if line.startswith("longwatch_detection_")]
    assert mine
    assert not any("yard" in line or "process" in line or "watcher" in line for line in mine)


async def test_metrics_say_what_is_looked_at_and_what_is_not(site: Running) -> None:
    async with site.client("admin") as client:
        lines = set((await client.get("/metrics")).text.splitlines())
    assert {
        'longwatch_detection_behind_seconds{camera="gate"} 1.5',
        'longwatch_detection_looking{camera="yard"} 0.0',
        'longwatch_detection_gate_open_ratio{camera="gate"} 0.25',
        'longwatch_detection_skipped_total{camera="gate"} 3.0',
        'longwatch_detection_cpu_seconds_total{camera="gate"} 0.25',
        'longwatch_detection_child_deaths_total{camera="yard"} 4.0',
        'longwatch_detection_level{camera="gate",level="all"} 1.0',
        'longwatch_detection_process_resident_bytes{process="watcher"} 3.5e+07',
        "longwatch_detection_watcher_restarts_total 2.0",
    } <= lines


async def test_a_hub_looks_at_nothing(site: Running) -> None:
    site.deps.detection = None
    async with site.client("admin") as client:
        assert (await client.get("/api/v1/detection")).json() == {
            "items": [],
            "model": NO_MODEL,
            "watcher": None,
            "next": None,
        }
        assert "longwatch_detection" not in (await client.get("/metrics")).text
        told = (await client.get("/api/v1/cameras/gate/movement")).json()
        assert (told["doing"], told["looked_s"], told["seconds"]) == ("off", 0, [])


async def test_where_things_move_is_told_to_whoever_may_see_the_camera(site: Running) -> None:
    async with site.client("gate-only") as client:
        told = (await client.get("/api/v1/cameras/gate/movement?hours=168")).json()
        assert told == {
            "camera": "gate", "span_hours": 168, "doing": "looking", "columns": 2, "rows": 1, "looked_s": 7200.0, "looked_hours": 168,
            "seconds": [1.2, 0.0], "hours": [3, 0],
        }  # fmt: skip
        refused = [await client.get(f"/api/v1/cameras/{name}/movement") for name in ("yard", "nobody")]
        assert [each.status_code for each in refused] == [403, 403]
        assert refused[0].json()["what"].replace("yard", "nobody") == refused[1].json()["what"]
        assert (await client.get("/api/v1/cameras/gate/movement?hours=169")).status_code == 422
    async with site.client("admin") as client:
        assert (await client.get("/api/v1/cameras/nobody/movement")).status_code == 404
        assert (await client.get("/api/v1/cameras/yard/movement")).json()["doing"] == "resting"
