"""Posts that are not there: their lives, ledgers and pictures are what a hub takes for real, in virtual time."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import av
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.support.fleet_case import Hub, send

from longwatch.base.errors import LongwatchError
from longwatch.ledger import kinds
from longwatch.ledger.checkpoint import open_note
from longwatch.model.event_rows import Asked, ToldEvent
from longwatch.model.sessions import StreamKey
from longwatch.model.uplink import Confirmed, Held, Position
from longwatch.simulate.fleet_events import FleetEvents
from longwatch.simulate.fleet_life import Habits, Life, Taken, Told
from longwatch.simulate.fleet_log import MemoryLog
from longwatch.simulate.fleet_pictures import Pictures, info_of, picture
from longwatch.trust import SigningKey

T0 = 1_767_225_600_000_000
HOUR_US = 3_600_000_000
TROUBLED = Habits(fails_every_s=600, fails_for_s=120, pictures_every_s=300)


def made(post: str = "sim-0001", cameras: int = 3, seed: int = 7) -> tuple[Life, MemoryLog]:
    life = Life(post, cameras, seed, T0, TROUBLED)
    return life, MemoryLog(post, "0123abcd", life.boot, SigningKey(Ed25519PrivateKey.generate()))


def live(life: Life, log: MemoryLog, until_us: int) -> list[Taken]:
    taken = []
    for happened in life.until(until_us):
        if isinstance(happened, Told):
            log.add(happened.kind, happened.body, happened.wall_us)
        else:
            taken.append(happened)
    log.publish()
    return taken


def test_the_same_seed_tells_the_same_life_however_often_one_looks() -> None:
    whole = Life("sim-0001", 3, 7, T0, TROUBLED).until(T0 + HOUR_US)
    stepped = Life("sim-0001", 3, 7, T0, TROUBLED)
    pieces = [each for minute in range(61) for each in stepped.until(T0 + minute * 60_000_000)]
    assert pieces == whole
    assert Life("sim-0001", 3, 8, T0, TROUBLED).until(T0 + HOUR_US) != whole


def test_every_second_of_a_camera_is_in_a_seal_or_in_a_gap() -> None:
    said = [each for each in Life("sim-0001", 2, 7, T0, TROUBLED).until(T0 + 6 * HOUR_US) if isinstance(each, Told)]
    assert {each.kind for each in said} >= {kinds.GAP_OPENED, kinds.GAP_CLOSED, kinds.ALARM_RAISED, kinds.ALARM_ENDED}
    for camera in ("cam-1", "cam-2"):
        seals = [each.body for each in said if each.kind == kinds.SEGMENT_SEALED and each.body["camera"] == camera]
        opened = {
            each.body["gap"]: each.body["from_us"]
            for each in said
            if each.kind == kinds.GAP_OPENED and each.body["camera"] == camera
        }
        closed = {each.body["gap"]: each.body["to_us"] for each in said if each.kind == kinds.GAP_CLOSED}
        stretches = [(body["wall_start_us"], body["wall_end_us"]) for body in seals]
        stretches += [(from_us, closed[gap]) for gap, from_us in opened.items() if gap in closed]
        ordered = sorted(stretches)
        assert ordered[0][0] == T0
        assert all(one[1] == other[0] for one, other in pairwise(ordered))


def test_a_log_gives_what_it_signed_and_forgets_what_is_held() -> None:
    life, log = made()
    live(life, log, T0 + 3 * HOUR_US)
    head = log.logs(log.post)[0]
    assert open_note(head.note, head.key).size == head.size == log.size > 512
    entries: list[bytes] = []
    while len(entries) < head.size:
        entries += log.entries(log.post, 1, len(entries), head.size)
    assert len(set(entries)) == head.size
    log.forget(300)
    assert log.entries(log.post, 1, 256, 260) == entries[256:260]
    with pytest.raises(LongwatchError, match="not kept"):
        log.entries(log.post, 1, 0, 1)


def test_a_hub_tells_of_a_simulated_post_what_happened_there(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "fleet.db", tmp_path)
    life, log = made()
    taken = live(life, log, T0 + 6 * HOUR_US)
    hub.fleet.add_post(log.post, log.post, "serial", log.origin, log.key.public)
    entries: list[bytes] = []
    while len(entries) < log.size:
        entries += log.entries(log.post, 1, len(entries), log.size)
    assert hub.fleet.take_entries(log.post, 1, 0, entries) == log.size
    head = log.logs(log.post)[0]
    held = hub.fleet.take_head(log.post, 1, head.note, head.key)
    assert isinstance(held, Held)
    assert held.untold == log.size - 1_000, "a step at a time"
    steps = 1
    while hub.fleet.tell_more(log.post):
        steps += 1
    assert steps == -(-(log.size - 1_000) // 1_000)
    for camera in life.cameras:
        tiles = hub.tiles(StreamKey(camera, "main"), T0, post=log.post)
        assert tiles[-1].to_us > T0 + 6 * HOUR_US - 600_000_000
        assert {str(tile.state) for tile in tiles} == {"recorded", "gap"}
    info = info_of(log.post, taken[0].camera, taken[0].at_us)
    assert isinstance(send(hub.fleet, info, Pictures().read(info, 0, info.size)), Confirmed)
    hub.close()


def test_pictures_are_jpegs_and_each_is_another() -> None:
    one, other = picture("sim-0001", "cam-1", T0), picture("sim-0001", "cam-1", T0 + 1)
    assert one != other
    with av.open(io.BytesIO(one), "r") as file:
        assert [(frame.width, frame.height) for frame in file.decode(video=0)] == [(320, 180)]


def test_a_hub_hears_of_what_is_on_the_pictures(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "fleet.db", tmp_path)
    hub.fleet.add_post("sim-0001", "One", "1", "longwatch/sim-0001/data/1", bytes(32))
    seen = FleetEvents("sim-0001", 7)
    for taken in Life("sim-0001", 2, 7, T0, TROUBLED).until(T0 + HOUR_US):
        if isinstance(taken, Taken):
            seen.saw(taken.camera, taken.at_us)
    position, end = Position(), seen.end("sim-0001")
    while position != end:
        told, after = seen.after("sim-0001", position, 5)
        told = [ToldEvent.from_json(each.as_json()) for each in told]
        assert hub.fleet.take_events("sim-0001", position, after, told, anew=not position.life) == after
        position = after
    found = hub.fleet.events.find(Asked(T0, T0 + 2 * HOUR_US), 999)
    assert len(found) == end.rev > 5
    assert {stored.away for stored in found} == {"post"}
    assert seen.fits("sim-0001", end)
    hub.close()
