"""What the web asks of the fleet: wide views, alarms, holds, mentions, figures."""

from __future__ import annotations

import random

import pytest
from tests.support.fleet_case import RIDGE, Hub, Ledger

from longwatch.archive.ops import SECRET_CHANGED
from longwatch.fleet import WideDays
from longwatch.fleet.index_acts import POSTS_FROM
from longwatch.fleet.telling_acts import SECRET_CHANGED as TOLD_SECRET_CHANGED
from longwatch.ledger import kinds
from longwatch.model.alarms import AlarmKind
from longwatch.model.audit import Question
from longwatch.model.causes import Cause
from longwatch.model.sessions import StreamKey
from longwatch.timeline import Tile, tile
from longwatch.timeline.wide import CODES, DAY_US, pieces_of

T0 = 1_767_225_600_000_000
HOUR = 3_600_000_000
KEYS = [StreamKey("gate", "main"), StreamKey("road", "main")]


def life(log: Ledger, days: int, seed: int = 1) -> None:
    """Two cameras for some days: hours of footage, hours without, removals."""
    draw = random.Random(seed)
    gap = 0
    for run, key in enumerate(KEYS, 1):
        log.add(kinds.STREAM_SET_UP, {"camera": key.camera, "stream": key.stream, "at_us": T0}, T0)
        at_us, sequence = T0, 0
        while at_us < T0 + days * DAY_US:
            for _ in range(draw.randint(1, 9)):
                to_us = at_us + HOUR
                body = kinds.sealed(
                    key, "b" * 32, run * 1000 + gap, sequence, bytes(32), 60, 1, at_us, to_us, "ntp", closing=bytes(32)
                )
                log.add(kinds.SEGMENT_SEALED, body, to_us)
                at_us, sequence = to_us, sequence + 1
            last = (run * 1000 + gap, sequence - 1)
            gap += 1
            cause = draw.choice([Cause.CAMERA_UNREACHABLE, Cause.POWER_PLAN, Cause.UNKNOWN])
            log.add(kinds.GAP_OPENED, kinds.gap_opened(key, gap, at_us, cause, {"n": gap}), at_us)
            at_us += draw.randint(1, 5 * HOUR)
            log.add(kinds.GAP_CLOSED, kinds.gap_closed(gap, at_us), at_us)
            if draw.random() < 0.3:
                told = {
                    "boot": "b" * 32, "run": last[0], "camera": key.camera, "stream": key.stream, "why": "max_size", "sequences": [[last[1], last[1]]],
                    "segments": 1, "bytes": 1, "from_us": at_us - HOUR, "to_us": at_us, "unconfirmed": 1,
                }  # fmt: skip
                log.add(kinds.SEGMENTS_REMOVED, {"runs": [told]}, at_us)


@pytest.fixture
def log(hub: Hub) -> Ledger:
    made = Ledger()
    made.enrol(hub.fleet)
    return made


def here(key: StreamKey) -> StreamKey:
    return StreamKey(f"{RIDGE}.{key.camera}", key.stream)


def exact(hub: Hub, key: StreamKey, from_us: int, to_us: int) -> list[Tile]:
    known = here(key)
    until_us = hub.index.accounted_until_us(known)
    set_up = {StreamKey(camera, stream): at_us for camera, stream, at_us in hub.index.cameras()}
    return tile(
        hub.index.recorded_spans(known, from_us, to_us), hub.index.gaps_of(known, from_us, to_us), from_us, to_us, until_us, set_up.get(known)
    )  # fmt: skip


def check_wide(hub: Hub, draw: random.Random, days: int) -> None:
    keys = [here(key) for key in KEYS]
    for _ in range(6):
        from_us = T0 + draw.randrange(-DAY_US, days * DAY_US)
        to_us = from_us + draw.randrange(1, (days + 2) * DAY_US)
        if draw.random() < 0.5:
            from_us, to_us = from_us // DAY_US * DAY_US, -(-to_us // DAY_US) * DAY_US
        found = hub.index.wide(keys, from_us, to_us)
        tilings = hub.index.tilings(keys, from_us, to_us)
        for key, pieces, (until_us, tiles) in zip(KEYS, found.pieces, tilings, strict=True):
            assert tiles == exact(hub, key, from_us, to_us)
            assert until_us == hub.index.accounted_until_us(here(key))
            assert pieces == pieces_of(tiles)


def test_the_wide_view_says_what_the_timeline_says_packed_or_not(hub: Hub, log: Ledger) -> None:
    life(log, 5)
    log.tell(hub.fleet, len(log.entries) // 2)
    draw = random.Random(3)
    check_wide(hub, draw, 5)
    days = WideDays(hub.db)
    while days.step():
        pass
    check_wide(hub, draw, 5)
    log.tell(hub.fleet)  # what comes after may be of any day that was packed
    check_wide(hub, draw, 5)
    while days.step():
        pass
    check_wide(hub, draw, 5)
    codes = {
        CODES[code] for pieces in hub.index.wide([here(KEYS[0])], T0, T0 + 5 * DAY_US).pieces for *_, code in pieces
    }
    assert {"post", "gone", "power_plan"} & codes == {"post", "gone", "power_plan"}
    never = hub.index.wide([StreamKey("ridge.nowhere", "main")], T0, T0 + DAY_US).pieces
    assert [CODES[code] for *_, code in never[0]] == ["never_recorded"]
    ((_, tiles),) = hub.index.tilings([StreamKey("ridge.nowhere", "main")], T0, T0 + DAY_US)
    assert [tile.cause for tile in tiles] == [Cause.NEVER_RECORDED]


def test_gaps_of_all_cameras_and_figures(hub: Hub, log: Ledger) -> None:
    life(log, 2)
    log.tell(hub.fleet)
    every = hub.index.gaps(None, T0, T0 + 2 * DAY_US)
    assert {key for key, _ in every} == {here(key) for key in KEYS}
    assert [gap.from_us for _, gap in every] == sorted(gap.from_us for _, gap in every)
    one = hub.index.gaps("ridge.gate", T0, T0 + 2 * DAY_US)
    assert [gap for _, gap in one] == hub.index.gaps_of(here(KEYS[0]), T0, T0 + 2 * DAY_US)
    stats = hub.index.stats(here(KEYS[0]))
    assert (stats.bytes, stats.segments, stats.first_us) == (0, 0, T0)
    assert hub.index.stats(StreamKey("ridge.nowhere", "main")).first_us is None
    assert hub.index.accounted_until_us() >= hub.index.accounted_until_us(here(KEYS[1])) > T0
    assert hub.index.accounted_until_us(StreamKey("x.y", "main")) == 0


def test_an_open_gap_lasts_as_long_as_the_post_goes_on_telling(hub: Hub, log: Ledger) -> None:
    log.add(kinds.STREAM_SET_UP, {"camera": "gate", "stream": "main", "at_us": T0}, T0)
    log.add(kinds.GAP_OPENED, kinds.gap_opened(KEYS[0], 1, T0, Cause.CAMERA_UNREACHABLE, {}), T0)
    log.tell(hub.fleet)
    assert hub.index.accounted_until_us(here(KEYS[0])) == T0
    log.add(kinds.LOGIN, {"at_us": T0 + HOUR}, T0 + HOUR)
    log.tell(hub.fleet)
    assert hub.index.accounted_until_us(here(KEYS[0])) == T0 + HOUR - 5_000_000


def test_a_gap_ahead_of_footage_that_is_not_sealed_leaves_that_pending(hub: Hub, log: Ledger) -> None:
    """The session ended, and its last segment is sealed a moment later: nothing may be told of the minute between."""
    log.add(kinds.STREAM_SET_UP, {"camera": "gate", "stream": "main", "at_us": T0}, T0)
    log.add(kinds.GAP_OPENED, kinds.gap_opened(KEYS[0], 1, T0 + HOUR, Cause.CAMERA_UNREACHABLE, {}), T0 + HOUR)
    log.add(kinds.LOGIN, {"at_us": T0 + 2 * HOUR}, T0 + 2 * HOUR)
    log.tell(hub.fleet)
    assert hub.index.accounted_until_us(here(KEYS[0])) == T0
    body = kinds.sealed(KEYS[0], "b" * 32, 1, 0, bytes(32), 60, 1, T0, T0 + HOUR - 40_000, "ntp", closing=bytes(32))
    log.add(kinds.SEGMENT_SEALED, body, T0 + 2 * HOUR)
    log.tell(hub.fleet)
    told = [(str(t.cause or t.state), t.from_us, t.to_us) for t in hub.tiles(KEYS[0], T0)]
    assert told == [("recorded", T0, T0 + HOUR), ("camera_unreachable", T0 + HOUR, T0 + 2 * HOUR - 5_000_000)]


def test_alarms_of_posts_carry_their_cameras_names_here(hub: Hub, log: Ledger) -> None:
    for number, camera in ((1, "gate"), (2, ""), (3, "road")):
        body = {
            "alarm": number, "kind": "camera_silent" if camera else "storage", "camera": camera, "subject": camera or "disk", "cause": "unknown",
            "evidence": {}, "since_us": T0, "raised_us": T0 + number,
        }  # fmt: skip
        log.add(kinds.ALARM_RAISED, body, T0)
    log.add(kinds.ALARM_REFINED, {"alarm": 1, "cause": "camera_refused", "evidence": {"code": 401}}, T0)
    log.add(kinds.ALARM_REPEATED, {"alarm": 1, "repeats": 4}, T0)
    log.add(kinds.ALARM_ENDED, {"alarm": 3, "ended_us": T0 + 9, "why": "over"}, T0)
    log.add(kinds.ALARM_ACKNOWLEDGED, {"alarm": 2, "ended_us": None}, T0 + 77)
    log.tell(hub.fleet)
    found = hub.index.alarms()
    assert [(a.camera, str(a.kind), a.cause, a.repeats) for a in found] == [
        ("ridge.road", "camera_silent", "unknown", 0), ("", "storage", "unknown", 0), ("ridge.gate", "camera_silent", "camera_refused", 4),
    ]  # fmt: skip
    assert all(a.id > POSTS_FROM and a.body["post"] == RIDGE for a in found)
    assert (found[2].subject, found[1].subject) == ("ridge.gate", "disk")
    assert found[1].acknowledged is not None
    assert (found[1].acknowledged.at_us, found[1].acknowledged.by) == (T0 + 77, None)
    assert hub.index.alarm(found[0].id) == found[0]
    assert hub.index.alarm(found[0].id + 50) is None
    assert [a.camera for a in hub.index.alarms(cameras=["ridge.gate"])] == ["ridge.gate"]
    assert hub.index.alarms(before=found[0].id) == found[1:]
    assert hub.index.alarm_counts() == {
        (str(AlarmKind.CAMERA_SILENT), "ridge.gate"): (1, 0),
        (str(AlarmKind.CAMERA_SILENT), "ridge.road"): (0, 1),
    }


def test_holds_of_posts_are_seen(hub: Hub, log: Ledger) -> None:
    log.add(
        kinds.HOLD_PLACED, kinds.hold_placed(1, ["gate", "road"], [], T0, T0 + HOUR, until_us=None, authority="", placed_us=T0), T0
    )  # fmt: skip
    log.add(
        kinds.HOLD_PLACED,
        kinds.hold_placed(2, ["gate"], ["main"], T0, T0 + HOUR, until_us=T0, authority="court", placed_us=T0),
        T0,
    )
    log.add(kinds.HOLD_WARNED, {"hold": 1, "days": 7, "goes_us": T0}, T0)
    log.add(kinds.HOLD_OVERRULED, {"hold": 1, "why": "max_age", "from_us": T0, "cameras": ["gate"]}, T0)
    log.add(kinds.HOLD_ENDED, {"hold": 2, "why": "released", "ended_us": T0 + 5}, T0)
    log.tell(hub.fleet)
    (standing,) = hub.index.holds()
    assert (standing.cameras, standing.warned_days, standing.overruled) == (
        ("ridge.gate", "ridge.road"),
        7,
        ("max_age",),
    )
    both = hub.index.holds(everything=True)
    assert [h.ended is not None for h in both] == [True, False]
    assert hub.index.holds(number=both[0].id) == [both[0]]


def test_who_did_what_at_a_post_is_seen_without_a_word_of_who(hub: Hub, log: Ledger) -> None:
    person = {"subject": 7, "commitment": "ab" * 32}
    for n in range(5):
        log.add(kinds.VIEWING, {"camera": "gate" if n % 2 else "road", "at_us": T0 + n, "person": person}, T0)
    log.tell(hub.fleet)
    assert hub.index.audit(Question(0, 1 << 60)) == [], "the audit is the hub's own"
    asked = hub.index.post_audit(RIDGE, Question(T0, T0 + 10))
    assert [(m.subject, m.kind, m.text) for m in asked] == [(7, kinds.VIEWING, None)] * 5
    assert [m.at_us - T0 for m in hub.index.post_audit(RIDGE, Question(T0, T0 + 10, camera="ridge.gate"))] == [1, 3]
    newest = hub.index.post_audit(RIDGE, Question(T0, T0 + 10, newest=True, limit=2))
    assert [m.at_us - T0 for m in newest] == [4, 3]
    rest = hub.index.post_audit(RIDGE, Question(T0, T0 + 10, newest=True, after=(newest[-1].at_us, newest[-1].seq)))
    assert [m.at_us - T0 for m in rest] == [2, 1, 0]
    assert hub.index.post_audit("valley", Question(0, 1 << 60)) == []


def test_settings_add_up_as_their_entries_say(hub: Hub, log: Ledger) -> None:
    assert SECRET_CHANGED == TOLD_SECRET_CHANGED
    first = {"added": {"a": 1, "b": 2, "c": "x"}, "changed": {}, "removed": {}}
    then = {"added": {}, "changed": {"a": [1, 5], "c": ["x", SECRET_CHANGED]}, "removed": {"b": 2}}
    for changes in (first, then):
        log.add(kinds.SETTINGS, {"changes": changes}, T0)
    log.tell(hub.fleet)
    with hub.db.read() as db:
        assert db.exec_driver_sql("SELECT settings FROM posts").scalar_one() == '{"a":5,"c":"x"}'
