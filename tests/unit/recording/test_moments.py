"""Stills beside the video: each is written with its own tick, at the moment when it came."""

from __future__ import annotations

from longwatch.formats.media import Sample
from longwatch.recording.moments import MomentLine

RUN_US = 5_000_000


def at(us: int, data: bytes = b"x") -> Sample:
    return Sample(2, 0, 0, True, data, RUN_US + us)


def test_none_waits_for_the_next_one() -> None:
    line = MomentLine(90_000, RUN_US)
    stored = line.take(at(1_000_000, b"first"))
    assert stored is not None
    assert stored[0] == 90_000
    assert stored[4] == b"first"
    later = line.take(at(61_000_000))
    assert later is not None
    assert later[0] == 61 * 90_000


def test_what_came_before_the_first_picture_is_not_of_this_run() -> None:
    assert MomentLine(90_000, RUN_US).take(at(-1)) is None


def test_two_at_once_follow_one_another() -> None:
    line = MomentLine(90_000, RUN_US)
    first, second = line.take(at(500)), line.take(at(500))
    assert first is not None
    assert second is not None
    assert second[0] == first[0] + first[2]
