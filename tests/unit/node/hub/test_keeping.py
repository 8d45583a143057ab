"""What a hub does with what it holds, by and by."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.archive_case import GATE
from tests.support.evidence_case import T0_US, record_post
from tests.support.fleet_case import RIDGE, Hub, Ledger, objects_of, send
from tests.unit.archive.test_restoring import ledger

from longwatch.archive import ArchiveReader
from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError
from longwatch.model.event_rows import ToldEvent
from longwatch.model.events import Event
from longwatch.model.uplink import Position
from longwatch.node.hub.keeping import HubStore

DAY_US = 86_400_000_000


class Recorder:
    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.trusted = True
        self.away = False

    async def request(self, kind: str, /, *, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]:
        if self.away:
            raise LongwatchError("the recorder is away")
        self.asked.append((kind, fields))
        return {"time_trusted": self.trusted}


def settings() -> Any:
    free = SimpleNamespace(size_bytes=None, fraction=0.0)
    retention, events = SimpleNamespace(max_size=None, keep_free=free), SimpleNamespace(keep=90 * 86_400)
    return SimpleNamespace(retention=retention, events=events)


@pytest.fixture
async def kept(tmp_path: Path):
    await record_post(tmp_path / "data")
    hub = Hub(tmp_path / "fleet.db", tmp_path)
    log = Ledger(entries=ledger([tmp_path / "data"]))
    log.enrol(hub.fleet)
    log.tell(hub.fleet)
    reader = ArchiveReader([tmp_path / "data"])
    for each in objects_of(reader, GATE):
        send(hub.fleet, *each)
    reader.close()
    recorder, clock = Recorder(), ManualClock(T0_US + 31 * DAY_US)
    own = SimpleNamespace(holds=list)
    yield hub, log, recorder, HubStore(hub.fleet, hub.store, own, recorder, clock, settings)
    hub.close()


async def test_the_law_holds_once_the_clock_is_trusted(kept) -> None:
    hub, _, recorder, store = kept
    now_us, keep_us = T0_US + 31 * DAY_US, 90 * DAY_US
    seen = [
        Event(f"{n:022x}", "gate", "motion", at_us, at_us, at_us)
        for n, at_us in enumerate((now_us - keep_us - 1, now_us - keep_us + DAY_US))
    ]
    hub.fleet.take_events(RIDGE, Position(), Position(1, 2), [ToldEvent(event) for event in seen], anew=True)
    recorder.trusted = False
    await store.keep_once()
    assert store.last.segments == 0
    assert len(hub.fleet.events.since(0)) == 2
    recorder.trusted = True
    await store.keep_once()
    assert store.last.segments == 3
    assert [event.id for event in hub.fleet.events.since(0)] == [f"{RIDGE}.{1:022x}"]


async def test_what_did_not_fit_is_told_once_and_again_where_the_recorder_was_away(kept) -> None:
    hub, log, recorder, store = kept
    hub.fleet.take_head(RIDGE, 1, log.note(3), log.public)
    recorder.away = True
    with pytest.raises(LongwatchError):
        await store.tell_once()
    recorder.away = False
    await store.tell_once()
    await store.tell_once()
    ((kind, fields),) = recorder.asked
    assert kind == "ledger_doubted"
    assert (fields["post"], fields["doubt"]) == (RIDGE, "rolled_back")
    assert "restored from a backup" in fields["detail"]
