"""Any sequence of sightings, looks, losses and restarts gives well-formed lives."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.events import Maker
from longwatch.model.events import Event, EventChange, Phase, Sighting

S = 1_000_000
T0 = 1_800_000_000 * S
_KINDS = ("motion", "motion.line", "motion.dwell", "object.person", "object.vehicle", "tamper.covered", "thermal.hot")
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["sight", "sight", "sight", "over", "idle", "lost", "restart"]),
        st.integers(0, 12 * S),  # how much later it is
        st.sampled_from(_KINDS), st.integers(0, 3), st.sampled_from([(), ("a",), ("b", "a")]), st.floats(0, 1),
    ),
    max_size=60,
)  # fmt: skip


def _lived(
    steps: list[tuple[str, int, str, int, tuple[str, ...], float]], back: set[int]
) -> tuple[list[EventChange], Maker]:
    maker, now_us, said = Maker("gate"), T0, []
    for n, (what, later_us, kind, track, zones, score) in enumerate(steps):
        now_us += -3_600 * S if n in back else later_us
        if what == "restart":
            maker = Maker("gate", open_events=maker.open)
        elif what == "idle":
            said += maker.idle(now_us)
        elif what == "lost":
            said += maker.lost()
        else:
            box = (0.1, 0.1, 0.1 + score / 2, 0.5)
            said += maker.sighting(Sighting("gate", kind, now_us, score, box, track or None, zones, on=what == "sight"))
    return said, maker


def _check(said: list[EventChange], maker: Maker) -> dict[str, Event]:
    """New, changes, one end; the end after the beginning; what is told grows and never shrinks. What is open at last is what had no end."""
    state: dict[str, Phase] = {}
    last: dict[str, Event] = {}
    for change in said:
        event = change.event
        if change.phase is Phase.NEW:
            assert event.id not in state
        else:
            assert state[event.id] is not Phase.END
            before = last[event.id]
            assert (event.from_us, event.kind) == (before.from_us, before.kind)
            assert event.count >= before.count
            assert event.score >= before.score
            assert set(before.zones) <= set(event.zones)
        assert (event.to_us is None) == (change.phase is not Phase.END)
        assert event.from_us <= event.best_us <= event.last_us
        assert event.to_us is None or event.to_us == event.last_us
        state[event.id], last[event.id] = change.phase, event
    assert {event.id for event in maker.open} == {id_ for id_, phase in state.items() if phase is not Phase.END}
    return last


@settings(max_examples=150, deadline=None)
@given(_STEPS)
def test_lives_are_whole_and_of_one_thing_never_overlap(steps):
    said, maker = _lived(steps, set())
    said += maker.lost()
    last = _check(said, maker)
    of_thing: dict[tuple[str, str], list[Event]] = {}
    for event in last.values():
        if event.kind in {"motion", "tamper.covered"}:
            of_thing.setdefault((event.camera, event.kind), []).append(event)
    for events in of_thing.values():
        events.sort(key=lambda event: event.id)
        assert events == sorted(events, key=lambda event: event.from_us)
        for a, b in itertools.pairwise(events):
            assert a.to_us is not None
            assert a.to_us < b.from_us


@settings(max_examples=100, deadline=None)
@given(_STEPS, st.sets(st.integers(0, 59), max_size=3))
def test_a_clock_that_steps_back_leaves_whole_lives_too(steps, back):
    said, maker = _lived(steps, back)
    _check(said + maker.lost(), maker)


@settings(max_examples=60, deadline=None)
@given(_STEPS)
def test_the_same_sightings_make_the_same_events(steps):
    assert _lived(steps, set())[0] == _lived(steps, set())[0]
