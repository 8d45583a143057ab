"""When cameras were looked at, and in what of their footage nobody did."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from longwatch.base.clock import ManualClock
from longwatch.events import looked
from longwatch.events.looked import Looked, Stretch, joined, without

S = 1_000_000
T = 1_767_225_600 * S


class Looking:
    """Tells of one camera what it is set to."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.spans: list[Stretch] = []
        self.cameras = ["gate"]
        self.log = Looked(
            folder / "looked.json", lambda: self.cameras, lambda _: self.spans, lambda: 90 * 86_400 * S, clock
        )


def at(clock: ManualClock, wall_s: float) -> None:
    """Time passes until so long after T."""
    clock.tick(T + int(wall_s * S) - clock.wall_us())


def test_recorded_time_in_which_nobody_looked_is_told(tmp_path: Path) -> None:
    clock = ManualClock(wall_us=T)
    of = Looking(tmp_path, clock)
    of.log.take()
    at(clock, 1_000)
    of.spans = [(T + 10 * S, T + 300 * S), (T + 302 * S, T + 500 * S), (T + 700 * S, T + 998 * S)]
    of.log.take()
    recorded = [(T - 500 * S, T + 600 * S), (T + 650 * S, T + 1_000 * S)]
    assert of.log.unlooked("gate", recorded, T - 500 * S, T + 1_000 * S) == [
        (T, T + 10 * S),  # before this program looked there nothing is known
        (T + 500 * S, T + 600 * S),
        (T + 650 * S, T + 700 * S),  # and of 600 to 650 there is nothing to look at
    ]
    assert of.log.unlooked("gate", recorded, T + 540 * S, T + 580 * S) == [(T + 540 * S, T + 580 * S)]
    assert of.log.unlooked("yard", recorded, T, T + 1_000 * S) == []


def test_the_newest_minute_is_not_judged(tmp_path: Path) -> None:
    clock = ManualClock(wall_us=T)
    of = Looking(tmp_path, clock)
    of.spans = [(T, T + 5 * S)]
    of.log.take()
    recorded = [(T, T + 200 * S)]
    at(clock, 50)
    assert of.log.unlooked("gate", recorded, T, T + 200 * S) == []
    at(clock, 200)
    assert of.log.unlooked("gate", recorded, T, T + 200 * S) == [(T + 5 * S, T + 140 * S)]


def test_it_outlives_a_restart_and_what_a_cut_took_counts_as_not_looked_at(tmp_path: Path) -> None:
    clock = ManualClock(wall_us=T)
    of = Looking(tmp_path, clock)
    of.spans = [(T, T + 100 * S)]
    of.log.take()
    of.log.keep()
    of.spans = [(T, T + 200 * S)]
    of.log.take()  # and the power fails
    again = Looking(tmp_path, clock)
    again.log.load()
    at(clock, 600)
    again.spans = [(T + 300 * S, T + 590 * S)]
    again.log.take()
    assert again.log.unlooked("gate", [(T, T + 600 * S)], T, T + 600 * S) == [(T + 100 * S, T + 300 * S)]


def test_a_file_that_is_damaged_is_forgotten_and_said(tmp_path: Path) -> None:
    clock = ManualClock(wall_us=T)
    for text in ("", "[]", '{"gate": 3}', '{"gate": [1, [["x", 2]]]}', "\x00\xff"):
        (tmp_path / "looked.json").write_bytes(text.encode("latin-1"))
        of = Looking(tmp_path, clock)
        of.log.load()
        of.log.take()
        assert of.log.unlooked("gate", [(T - 90 * S, T)], T - 90 * S, T) == []


def test_what_is_too_old_or_of_no_camera_goes(tmp_path: Path) -> None:
    clock = ManualClock(wall_us=T)
    of = Looking(tmp_path, clock)
    of.spans = [(T, T + 100 * S)]
    of.log.take()
    at(clock, 91 * 86_400)
    of.spans = []
    of.log.take()
    assert of.log._spans["gate"] == []
    of.cameras = []
    of.log.take()
    assert of.log._since == of.log._spans == {}


SPANS = st.lists(
    st.tuples(st.integers(0, 500), st.integers(0, 40)).map(lambda of: (of[0] * S, (of[0] + of[1]) * S)), max_size=12
)


@given(SPANS, SPANS)
def test_every_second_of_what_was_recorded_was_looked_at_or_not(recorded: list[Stretch], seen: list[Stretch]) -> None:
    parts = joined(seen)
    left = without(recorded, parts)
    for second in range(560):
        at_us = second * S + S // 2
        inside = any(a <= at_us < b for a, b in recorded)
        watched = any(a <= at_us < b for a, b in parts)
        told = any(a <= at_us < b for a, b in left)
        assert not told or (inside and not watched)
        if inside and not watched and not told:  # a mere hole: shorter than five seconds
            near = [b - a for a, b in without_holes(recorded, parts) if a <= at_us < b]
            assert near
            assert max(near) < looked.JOIN_US


def without_holes(recorded: list[Stretch], parts: list[Stretch]) -> list[Stretch]:
    """The plain difference, second by second."""
    plain = [any(a <= n * S < b for a, b in recorded) and not any(a <= n * S < b for a, b in parts) for n in range(600)]
    found: list[Stretch] = []
    for n, is_left in enumerate(plain):
        if is_left and found and found[-1][1] == n * S:
            found[-1] = found[-1][0], (n + 1) * S
        elif is_left:
            found.append((n * S, (n + 1) * S))
    return found
