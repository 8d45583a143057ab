"""Live samples: who joins gets the open group of pictures first, and memory is bounded."""

from collections.abc import Sequence

from tests.support.recording import VIDEO

from longwatch.formats.media import Sample, TrackFormat
from longwatch.recording import Budget, LiveTap


def sample(n: int, *, sync: bool = False, size: int = 100) -> Sample:
    return Sample(0, n, 0, sync, bytes(size), 0)


class Viewer:
    def __init__(self) -> None:
        self.generations: list[int] = []
        self.seen: list[int] = []

    def formats(self, generation: int, tracks: tuple[TrackFormat, ...]) -> None:
        self.generations.append(generation)

    def samples(self, generation: int, batch: Sequence[Sample]) -> None:
        self.seen += [item.dts for item in batch]


def test_a_viewer_begins_with_the_last_sync_sample_and_misses_none() -> None:
    tap = LiveTap(Budget(1 << 20))
    tap.formats((VIDEO,), 0)
    tap.samples([sample(0, sync=True), sample(1)], 200, 0)
    tap.samples([sample(2), sample(3, sync=True), sample(4)], 300, 1)
    viewer = Viewer()
    tap.subscribe(1, viewer.formats, viewer.samples)
    tap.samples([sample(5)], 100, -1)
    assert viewer.seen == [3, 4, 5]
    tap.formats((VIDEO,), 0)
    assert viewer.generations == [1, 2]
    tap.unsubscribe(1)
    tap.samples([sample(6)], 100, -1)
    assert viewer.seen == [3, 4, 5]


def test_what_memory_does_not_allow_waits_for_the_next_sync_sample() -> None:
    budget = Budget(250)
    tap = LiveTap(budget)
    tap.formats((VIDEO,), 0)
    tap.samples([sample(0, sync=True)], 100, 0)
    tap.samples([sample(1)], 100, -1)
    tap.samples([sample(2)], 100, -1)
    assert budget.used_bytes == 0
    viewer = Viewer()
    tap.subscribe(1, viewer.formats, viewer.samples)
    assert viewer.seen == []
    tap.samples([sample(3, sync=True)], 100, 0)
    assert budget.used_bytes == 100
    tap.closed()
    assert budget.used_bytes == 0


def test_after_a_session_there_is_nothing_to_join() -> None:
    tap = LiveTap(Budget(1000))
    tap.formats((VIDEO,), 0)
    tap.samples([sample(0, sync=True)], 100, 0)
    tap.closed()
    viewer = Viewer()
    tap.subscribe(1, viewer.formats, viewer.samples)
    assert viewer.generations == []


def test_the_first_who_joins_and_the_last_who_leaves_are_heard_of() -> None:
    tap = LiveTap(Budget(1000))
    heard: list[bool] = []
    tap.on_watched = heard.append
    viewer = Viewer()
    assert not tap.watched
    tap.subscribe(1, viewer.formats, viewer.samples)
    tap.subscribe(2, viewer.formats, viewer.samples)
    tap.unsubscribe(1)
    assert heard == [True]
    assert tap.watched
    tap.unsubscribe(2)
    tap.unsubscribe(2)
    assert heard == [True, False]
    assert not tap.watched
