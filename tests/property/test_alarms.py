"""Whatever happens to a post for hours, its alarms make sense: each is raised once, ends once, goes on over restarts, and they are few."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.accounting.alarms import Alarms, Seen, Subject, Trouble
from longwatch.archive.ops import Act, AlarmEnd, AlarmRaise, AlarmRefine, AlarmRepeat, GapClose, GapOpen, GapRefine
from longwatch.base.clock import ManualClock
from longwatch.model.alarms import ENDS_BY_ITSELF, Acknowledgement, Alarm, AlarmKind
from longwatch.model.causes import Cause
from longwatch.model.sessions import StreamKey

SECOND, HOUR = 1_000_000, 3_600_000_000
CAMERAS = ("gate", "yard")
_STATES = ("silent", "silent", "well", "well", "rests", "unclear", "absent")


class Rows:
    """What the archive would hold, and what may not be said of it."""

    def __init__(self) -> None:
        self.alarms: dict[int, Alarm] = {}
        self.raised: Counter[tuple[Subject, int]] = Counter()

    def take(self, said: list[Act], boot_us: int) -> None:
        for op in said:
            if isinstance(op, AlarmRaise):
                assert op.id not in self.alarms, "numbers are never used twice"
                subject = Subject(op.kind, op.subject)
                standing = [a for a in self.alarms.values() if a.stands and (a.kind, a.subject) == subject]
                assert standing == [], "one stands for a subject"
                assert op.since_us <= op.raised_us
                body = {"subject": op.subject, "cause": op.cause, **op.facts}
                self.alarms[op.id] = Alarm(op.id, op.kind, op.camera, op.raised_us, None, 0, body)
                self.raised[subject, boot_us // HOUR] += 1
                continue
            assert isinstance(op, AlarmEnd | AlarmRepeat | AlarmRefine)
            row = self.alarms[op.id]
            assert row.ended_us is None, "nothing is said of what is over"
            if isinstance(op, AlarmRepeat):
                assert row.acknowledged is None, "what is acknowledged is not said again"
                assert op.repeats == row.repeats + 1
                self._change(row, repeats=op.repeats)
            elif isinstance(op, AlarmEnd):
                self._change(row, ended_us=op.ended_us)

    def acknowledge(self, number: int, wall_us: int) -> None:
        row = self.alarms[number]
        ended_us = row.ended_us if row.kind in ENDS_BY_ITSELF or row.ended_us is not None else wall_us
        self._change(row, ended_us=ended_us, acknowledged=Acknowledgement(1, wall_us, "ada", "x"))

    def _change(self, row: Alarm, **to: object) -> None:
        values = {
            name: getattr(row, name)
            for name in ("id", "kind", "camera", "raised_us", "ended_us", "repeats", "body", "acknowledged")
        }
        self.alarms[row.id] = Alarm(**(values | to))

    def standing(self) -> list[Alarm]:
        return [row for row in self.alarms.values() if row.ended_us is None]


def seen(states: dict[str, str], wall_us: int, causes: random.Random) -> Seen:
    troubles, well, resting, unclear = [], set(), {}, set()
    for camera, state in states.items():
        subject = Subject(AlarmKind.CAMERA_SILENT, camera)
        if state == "silent":
            cause = causes.choice(["camera_unreachable", "stream_stalled", "camera_switched_off"])
            troubles.append(Trouble(subject, wall_us - causes.randrange(5) * SECOND, camera, cause))
        elif state == "well":
            well.add(subject)
        elif state == "rests":
            resting[subject] = "planned"
        elif state == "unclear":
            unclear.add(subject)
    return Seen(troubles, frozenset(well), resting, frozenset(unclear))


@pytest.mark.slow
@settings(deadline=None)
@given(st.integers(0, 1 << 32))
def test_hours_of_anything(seed: int) -> None:
    """States last from a second to minutes; the recorder is killed, clocks are set, people acknowledge, gaps come unexplained."""
    chance = random.Random(seed)
    clock, rows = ManualClock(), Rows()
    alarms = Alarms((), 1, clock.wall_us(), clock.boottime_us())
    states = dict.fromkeys(CAMERAS, "well")
    token = 0
    for _ in range(1500):
        if chance.random() < 0.1:
            states[chance.choice(CAMERAS)] = chance.choice(_STATES)
        what = chance.random()
        if what < 0.005:
            clock.tick(chance.randrange(HOUR))
            next_id = 1 + max(rows.alarms, default=0)
            cut = chance.random() < 0.5
            alarms = Alarms(rows.standing(), next_id, clock.wall_us(), clock.boottime_us(), after_power_cut=cut)
        elif what < 0.01:
            clock.step_wall(
                chance.randrange(-(10**16), 10**15) if clock.wall_us() > 2 * 10**16 else chance.randrange(10**15)
            )
        elif what < 0.02 and rows.alarms:
            number = chance.choice(list(rows.alarms))
            if rows.alarms[number].acknowledged is None:
                rows.acknowledge(number, clock.wall_us())
                alarms.acknowledged(number)
        elif what < 0.04:
            token += 1
            at_us = clock.wall_us()
            said: list[GapOpen | GapRefine | GapClose] = [
                GapOpen(token, StreamKey("gate", "main"), at_us, Cause.UNKNOWN, {})
            ]
            if chance.random() < 0.5:
                said.append(GapRefine(token, Cause.RECORDER_FAILED, {}))
            if chance.random() < 0.5:
                said.append(GapClose(token, at_us + chance.randrange(SECOND)))
            rows.take(alarms.gap_told("gate", said, clock.boottime_us(), clock.wall_us()), clock.boottime_us())
        elif what < 0.05:
            subject = Subject(chance.choice([AlarmKind.ACCOUNTING_REDUCED, AlarmKind.UNCONFIRMED_REMOVED]), "x")
            rows.take(
                alarms.told(Trouble(subject, clock.wall_us()), clock.boottime_us(), clock.wall_us()),
                clock.boottime_us(),
            )
        clock.tick(chance.choice([SECOND, SECOND, 2 * SECOND, 7 * SECOND]))
        said_now = alarms.look(seen(states, clock.wall_us(), chance), clock.boottime_us(), clock.wall_us())
        rows.take(said_now, clock.boottime_us())
        assert {Subject(row.kind, row.subject) for row in rows.standing()} == alarms.standing
    silent = {key: count for key, count in rows.raised.items() if key[0].kind is AlarmKind.CAMERA_SILENT}
    assert max(silent.values(), default=0) <= 60


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["silent", "well"]), st.integers(1, 700)), min_size=5, max_size=60))
def test_a_camera_that_goes_and_comes_as_it_likes_is_bounded_in_every_hour(story: list[tuple[str, int]]) -> None:
    clock = ManualClock()
    alarms = Alarms((), 1, clock.wall_us(), clock.boottime_us())
    raised_at: list[int] = []
    chance = random.Random(0)
    for state, seconds in story:
        for _ in range(seconds):
            clock.tick(SECOND)
            said = alarms.look(seen({"gate": state}, clock.wall_us(), chance), clock.boottime_us(), clock.wall_us())
            raised_at += [clock.boottime_us() for op in said if isinstance(op, AlarmRaise)]
    for at_us in raised_at:
        assert sum(1 for other in raised_at if at_us <= other < at_us + HOUR) <= 12
