"""What a hub removes: the law of each post, then what there is no room for; never what a hold protects; and it says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.archive_case import GATE, ROAD
from tests.support.evidence_case import T0_US
from tests.support.fleet_case import RIDGE, Hub, Ledger, objects_of, send
from tests.unit.archive.test_restoring import ledger

from longwatch.archive import ArchiveReader
from longwatch.fleet import FleetRetention, HubKeeping, Removed
from longwatch.ledger import kinds
from longwatch.model.holds import Hold
from longwatch.model.sessions import StreamKey
from longwatch.timeline import State

DAY = 86_400_000_000
ALL = HubKeeping(keep_free_fraction=0)


@pytest.fixture
def full(hub: Hub, recorded: Path) -> Hub:
    """All footage of a post with two cameras is here; its law says ten days, of one camera one."""
    log = Ledger(entries=ledger([recorded]))
    added = {"retention.max_age_s": 10 * 86_400, "retention.cameras.road.max_age_s": 86_400}
    log.add(kinds.SETTINGS, {"changes": {"added": added, "changed": {}, "removed": {}}}, T0_US + 60_000_000)
    log.enrol(hub.fleet)
    log.tell(hub.fleet)
    reader = ArchiveReader([recorded])
    for key in (GATE, ROAD):
        for each in objects_of(reader, key):
            send(hub.fleet, *each)
    reader.close()
    return hub


def held(hub: Hub, key: StreamKey) -> set[str]:
    return {str(t.held) for t in hub.tiles(key, T0_US) if t.state is State.RECORDED}


def stored(hub: Hub) -> int:
    return sum(1 for path in (hub.folder / "media").rglob("*") if path.is_file())


def rows(hub: Hub) -> int:
    with hub.db.read() as db:
        return int(db.exec_driver_sql("SELECT count(DISTINCT sha256) FROM objects").scalar_one())


def hold(key: StreamKey, *, firm: bool) -> Hold:
    return Hold(
        1,
        (f"{RIDGE}.{key.camera}",),
        (),
        T0_US,
        T0_US + 1_000_000,
        T0_US + 99 * DAY if firm else None,
        "court" if firm else "",
        0,
        1,
    )


def run(
    hub: Hub, now_us: int, keeping: HubKeeping = ALL, holds: Sequence[Hold] = (), *, trusted: bool = True
) -> Removed:
    return FleetRetention(hub.db, hub.store, lambda: now_us, lambda: holds).run(keeping, trusted=trusted)


def test_the_law_of_the_post_holds_at_the_hub(full: Hub) -> None:
    assert stored(full) == rows(full) > 6
    assert run(full, T0_US + DAY // 2) == Removed()
    done = run(full, T0_US + 2 * DAY)
    assert done.segments == 3
    assert (held(full, GATE), held(full, ROAD)) == ({"here"}, {"post"})
    assert stored(full) == rows(full), "bytes go with their rows"
    assert full.index.stats(StreamKey("ridge.road", "main")).bytes == 0
    assert full.index.segments(StreamKey("ridge.road", "main"), 0, 1 << 60) == []
    assert run(full, T0_US + 11 * DAY).segments == 3
    assert stored(full) == 0


def test_a_clock_that_is_not_trusted_ends_nothing(full: Hub) -> None:
    assert run(full, T0_US + 999 * DAY, trusted=False) == Removed()


def test_a_hold_with_authority_and_end_stands_against_the_law_and_another_does_not(full: Hub) -> None:
    assert run(full, T0_US + 2 * DAY, holds=[hold(ROAD, firm=True)]).segments == 2
    assert held(full, ROAD) == {"here", "post"}
    assert run(full, T0_US + 2 * DAY, holds=[hold(ROAD, firm=False)]).segments == 1
    assert held(full, ROAD) == {"post"}


def test_where_there_is_no_room_the_oldest_goes_and_what_is_held_stays(full: Hub) -> None:
    sizes = [full.index.stats(StreamKey(f"ridge.{name}", "main")).bytes for name in ("gate", "road")]
    done = run(full, T0_US, HubKeeping(max_size_bytes=1, keep_free_fraction=0), [hold(GATE, firm=False)])
    assert done.full, "all that is left is held"
    assert done.segments == 5
    assert 0 < full.index.stats(StreamKey("ridge.gate", "main")).bytes < sizes[0]
    assert "here" in held(full, GATE)
    assert held(full, ROAD) == {"post"}
    done = run(full, T0_US, HubKeeping(max_size_bytes=1, keep_free_fraction=0))
    assert (done.segments, done.full) == (1, False)
    assert stored(full) == 0


def test_what_is_gone_at_the_post_too_is_gone(full: Hub, tmp_path: Path) -> None:
    assert full.index.gone(StreamKey("ridge.road", "main"), 0, 1 << 60) == []
    log = Ledger(folder="other", entries=[])
    log.enrol(full.fleet)
    (first, *_) = full.index.segments(StreamKey("ridge.road", "main"), 0, 1 << 60)
    told = {
        "boot": first.boot, "run": first.run, "camera": "road", "stream": "main", "why": "max_age", "sequences": [[0, 5]],
        "segments": 3, "bytes": 5, "from_us": first.wall_start_us, "to_us": first.wall_end_us, "unconfirmed": 0,
    }  # fmt: skip
    log.add(kinds.SEGMENTS_REMOVED, {"runs": [told]}, T0_US)
    log.tell(full.fleet)
    assert held(full, ROAD) == {"here"}, "what is here is here"
    run(full, T0_US + 2 * DAY)
    assert held(full, ROAD) == {"gone"}
    assert full.index.gone(StreamKey("ridge.road", "main"), 0, 1 << 60) != []


def test_what_the_post_discarded_is_here_as_long_as_it_is_here_and_then_a_gap(full: Hub) -> None:
    key = StreamKey("ridge.road", "main")
    log = Ledger(folder="other", entries=[])
    log.enrol(full.fleet)
    (first, *_, last) = full.index.segments(key, 0, 1 << 60)
    told = {
        "boot": first.boot, "run": first.run, "camera": "road", "stream": "main", "why": "no_event", "sequences": [[0, 5]],
        "segments": 3, "bytes": 5, "from_us": first.wall_start_us, "to_us": last.wall_end_us, "unconfirmed": 0,
    }  # fmt: skip
    log.add(kinds.SEGMENTS_REMOVED, {"runs": [told]}, T0_US)
    log.tell(full.fleet)
    assert held(full, ROAD) == {"here"}, "what is here is here"
    assert [gap for gap in full.index.gaps_of(key, 0, 1 << 60) if gap.id is None] == []
    run(full, T0_US + 2 * DAY)
    assert held(full, ROAD) == set()
    assert [gap.evidence for gap in full.index.gaps_of(key, 0, 1 << 60) if gap.id is None] == [{"why": "no event"}]


@pytest.mark.slow
def test_a_cut_between_the_rows_and_the_bytes_is_made_good(full: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    retention = FleetRetention(full.db, full.store, lambda: T0_US + 2 * DAY)
    with monkeypatch.context() as patch:
        patch.setattr(retention, "sweep", lambda: None)
        retention.run(ALL)
    assert stored(full) > rows(full)
    retention.sweep()
    assert stored(full) == rows(full)


def test_what_was_removed_may_come_again(full: Hub, recorded: Path) -> None:
    reader = ArchiveReader([recorded])
    sent = objects_of(reader, ROAD)
    retention = FleetRetention(full.db, full.store, lambda: T0_US + 2 * DAY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retention, "sweep", lambda: None)
        retention.run(ALL)
    for each in sent:
        send(full.fleet, *each)
    retention.sweep()
    assert held(full, ROAD) == {"here"}
    (row, *_) = full.index.segments(StreamKey("ridge.road", "main"), 0, 1 << 60)
    assert full.index.read(row, 0, 1 << 24) == Path(reader.segments(ROAD, 0, 1 << 60)[0].path).read_bytes()
    reader.close()


def test_what_a_post_says_of_itself_stops_the_law_of_no_other(full: Hub) -> None:
    """A post may say any number and any form: the rounds of the hub go on."""
    for id_, age in (([], 1), ({}, 5), ("gate", float("inf")), ("road", 1 << 1000)):
        full.fleet.take_site(RIDGE, {"cameras": [{"id": id_, "max_age_s": age}, 7]})
        assert run(full, T0_US + DAY // 2) == Removed()
    full.fleet.take_site(RIDGE, {})
    log = Ledger("swamp")
    log.add(kinds.STREAM_SET_UP, {"camera": "gate", "stream": "main", "at_us": T0_US}, T0_US)
    added = {"retention.max_age_s": (1 << 53) - 1}
    log.add(kinds.SETTINGS, {"changes": {"added": added, "changed": {}, "removed": {}}}, T0_US)
    log.enrol(full.fleet)
    log.tell(full.fleet)
    assert run(full, T0_US + 2 * DAY).segments == 3, "of ridge, by its own law"
