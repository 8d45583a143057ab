"""`record: events`: what is ordered to be discarded is what was looked at, and what no event needs."""

import itertools
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError
from longwatch.model.events import Event
from longwatch.node.watch.keeping import SETTLE_US, Around, Keeping, unneeded

S = 1_000_000
AROUND = Around(5 * S, 10 * S)


def event(from_s: float, to_s: float | None, number: int = 0) -> Event:
    return Event(f"{number}", "gate", "motion", int(from_s * S), None if to_s is None else int(to_s * S))


def test_what_lies_around_an_event_is_needed() -> None:
    found = list(unneeded((0, 115 * S), [event(30, 40), event(48, 50)], AROUND))
    assert found == [(0, 25 * S), (60 * S, 100 * S)]


def test_an_event_that_lasts_needs_all_that_follows_and_the_newest_waits() -> None:
    assert list(unneeded((0, 115 * S), [event(60, None)], AROUND)) == [(0, 55 * S)]
    assert list(unneeded((0, 15 * S), [], AROUND)) == []
    assert list(unneeded((0, 16 * S), [], AROUND)) == [(0, 1 * S)]


events = st.lists(
    st.tuples(st.integers(0, 400), st.one_of(st.none(), st.integers(0, 100))).map(
        lambda pair: event(pair[0], None if pair[1] is None else pair[0] + pair[1])
    ),
    max_size=8,
)


@given(st.integers(0, 200), st.integers(0, 300), events, st.integers(0, 60), st.integers(0, 60))
def test_every_second_is_needed_or_not_and_never_both(
    begin: int, length: int, seen: list[Event], before: int, after: int
) -> None:
    around = Around(before * S, after * S)
    looked = (begin * S, (begin + length) * S)
    free = list(unneeded(looked, seen, around))
    assert all(a < b for a, b in free)
    assert all(first[1] < second[0] for first, second in itertools.pairwise(free))
    for second in range(begin, begin + length):
        at = second * S + S // 2
        needed = any(
            e.from_us - around.before_us <= at and (e.to_us is None or at < e.to_us + around.after_us) for e in seen
        )
        waits = at >= looked[1] - around.before_us - SETTLE_US
        assert any(a <= at < b for a, b in free) == (not needed and not waits)


class Orders:
    def __init__(self) -> None:
        self.given: list[tuple[str, int, int]] = []
        self.refuses = ""

    async def request(self, kind: str, **fields: Any) -> dict[str, Any]:
        assert kind == "discard"
        if fields["camera"] == self.refuses:
            raise LongwatchError("the recorder is away")
        self.given.append((fields["camera"], fields["from_us"], fields["to_us"]))
        return {}


async def test_what_was_not_looked_at_is_never_ordered_and_one_camera_is_no_matter_of_another() -> None:
    unsure = {"gate": 0, "yard": 0}
    recorder, looked = Orders(), {"gate": [(0, 100 * S), (200 * S, 300 * S)], "yard": [(0, 50 * S)]}

    async def between(camera: str, from_us: int, to_us: int) -> Sequence[Event]:
        all_of_it = [event(240, 250)] if camera == "gate" else []
        return [e for e in all_of_it if e.from_us < to_us and (e.to_us or 1 << 60) > from_us]

    keeping = Keeping(
        ManualClock(),
        recorder,
        lambda: dict.fromkeys(("yard", "gate"), AROUND),
        looked.__getitem__,
        unsure.__getitem__,
        between,
    )
    recorder.refuses = "yard"
    await keeping.run_once()
    assert recorder.given == [("gate", 0, 85 * S), ("gate", 200 * S, 235 * S), ("gate", 260 * S, 285 * S)]
    recorder.refuses, recorder.given = "", []
    looked["gate"] = [(200 * S, 400 * S)]
    await keeping.run_once()
    assert recorder.given == [("yard", 0, 35 * S), ("gate", 200 * S, 235 * S), ("gate", 260 * S, 385 * S)]
    # Something that was seen at the yard was lost: what was looked at before is kept.
    recorder.given, looked["yard"], unsure["yard"] = [], [(0, 200 * S)], 150 * S
    await keeping.run_once()
    assert recorder.given[0] == ("yard", 150 * S, 185 * S)
