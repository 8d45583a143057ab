"""A post that signs entries of a form that no program of ours writes: they are passed over, and nothing else suffers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.fleet_case import RIDGE, Hub, Ledger

from longwatch.base.rfc3339 import format_us
from longwatch.fleet.standing import standing
from longwatch.ledger import kinds
from longwatch.model.sessions import StreamKey
from longwatch.model.uplink import Held

T0_US = 1_767_225_600_000_000
GATE = {"camera": "gate", "stream": "main"}
PERSON = {"subject": 1, "commitment": "ab" * 32}
SEAL: dict[str, Any] = {
    **GATE, "boot": "b" * 32, "run": 1, "sequence": 0, "wall_start_us": T0_US, "wall_end_us": T0_US + 60_000_000, "provenance": "ntp",
    "root": "00" * 32, "closing": "11" * 32, "damaged": False, "recovered": False, "fragments": 60, "durable_bytes": 1000,
}  # fmt: skip
GAP: dict[str, Any] = {**GATE, "gap": 1, "from_us": T0_US + 60_000_000, "cause": "unknown", "evidence": {}}
ALARM: dict[str, Any] = {"alarm": 1, "kind": "camera_silent", "camera": "gate", "raised_us": T0_US}
HOLD: dict[str, Any] = {
    "hold": 1, "cameras": ["gate"], "streams": [], "from_us": T0_US, "to_us": T0_US + 1, "until_us": None, "authority": "court", "placed_us": T0_US,
}  # fmt: skip
FAR = "9" * 18  # fits into a column, and is beyond every calendar
LONG = "9" * 30  # fits into none


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    made = Hub(tmp_path / "fleet.db", tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(
    # one beyond its range and one of another type in the quick half
    "number",
    [FAR, [1], pytest.param(LONG, marks=pytest.mark.slow), pytest.param(True, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize(
    ("kind", "body", "name"),
    [
        (kinds.STREAM_SET_UP, {"camera": "yard", "stream": "main"}, "at_us"),
        (kinds.SEGMENT_SEALED, SEAL | {"sequence": 1}, "wall_end_us"),
        (kinds.SEGMENT_SEALED, SEAL | {"sequence": 1}, "fragments"),
        (kinds.SEGMENT_SEALED, SEAL | {"sequence": 1}, "run"),
        (kinds.GAP_OPENED, GAP | {"gap": 2}, "from_us"),
        (kinds.GAP_OPENED, GAP | {"from_us": T0_US + 70_000_000}, "gap"),
        (kinds.GAP_CLOSED, {"gap": 1, "never_was": False}, "to_us"),
        (kinds.ALARM_RAISED, ALARM | {"alarm": 2}, "raised_us"),
        (kinds.ALARM_ENDED, {"alarm": 1, "why": "over"}, "ended_us"),
        (kinds.ALARM_REPEATED, {"alarm": 1}, "repeats"),
        (kinds.HOLD_PLACED, HOLD | {"hold": 2}, "to_us"),
        (kinds.HOLD_WARNED, {"hold": 1}, "days"),
        (kinds.PAUSED, {"camera": "gate", "kind": "pause", "until_us": None}, "since_us"),
        (kinds.TIME_CORRECTED, {"runs": []}, "set_up"),
    ],
)
def test_a_number_that_is_none_is_passed_over(
    hub: Hub, kind: str, body: dict[str, Any], name: str, number: object
) -> None:
    if name == "set_up":
        body, name = {**body, "set_up": [{**GATE, "set_up_us": number}]}, ""
    ledger = Ledger()
    ledger.enrol(hub.fleet)
    ledger.add(kinds.STREAM_SET_UP, {**GATE, "at_us": T0_US})
    ledger.add(kinds.SEGMENT_SEALED, SEAL)
    ledger.add(kinds.GAP_OPENED, GAP)
    ledger.add(kinds.ALARM_RAISED, ALARM)
    ledger.add(kinds.HOLD_PLACED, HOLD)
    assert isinstance(ledger.tell(hub.fleet), Held)
    before = _seen(hub)
    ledger.add(kind, body if not name else {**body, name: number})
    assert isinstance(ledger.tell(hub.fleet), Held), "its ledger goes on"
    assert _seen(hub) == before


def _seen(hub: Hub) -> list[Any]:
    """What pages are made of; every time in it can be written down."""
    key = StreamKey(f"{RIDGE}.gate", "main")
    (post,) = standing(hub.fleet).posts
    for stream in post.streams.values():
        for at_us in (stream.set_up_us, stream.until_us, stream.last_us, stream.since_us):
            format_us(at_us or 0)
    everything = (-(1 << 62), 1 << 62)
    return [
        post.streams[("gate", "main")], hub.index.recorded_spans(key, *everything), hub.index.gaps_of(key, *everything),
        hub.index.alarms(everything=True), hub.index.holds(everything=True), hub.index.stats(key),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changes", [{"added": {}, "changed": [], "removed": []}, {"added": {}, "changed": {"a": []}, "removed": []}, [], {}]
)
def test_settings_of_another_form_are_passed_over(hub: Hub, changes: object) -> None:
    ledger = Ledger()
    ledger.enrol(hub.fleet)
    ledger.add(kinds.SETTINGS, {"changes": changes})
    ledger.add(kinds.STREAM_SET_UP, {**GATE, "at_us": T0_US})
    assert isinstance(ledger.tell(hub.fleet), Held)
    assert [row[0] for row in hub.index.cameras()] == [f"{RIDGE}.gate"]


@pytest.mark.parametrize("evidence", ["x", None, [], 1])
def test_evidence_has_names_and_values(hub: Hub, evidence: object) -> None:
    ledger = Ledger()
    ledger.enrol(hub.fleet)
    ledger.add(kinds.STREAM_SET_UP, {**GATE, "at_us": T0_US})
    ledger.add(kinds.GAP_OPENED, GAP | {"evidence": evidence})
    ledger.add(kinds.VIEWING, {"camera": "gate", "person": PERSON | {"subject": "1"}})
    assert isinstance(ledger.tell(hub.fleet), Held)
    assert hub.index.gaps(None, 0, 1 << 62) == []
