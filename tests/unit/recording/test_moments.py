"""Stills beside the video: each is written with its own tick, at the moment when it came."""

from __future__ import annotations

from dataclasses import replace

from tests.support.recording import VIDEO, Studio

from longwatch.formats.bmff import scan_fragments
from longwatch.formats.codecs import thermal_still
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


def beside(studio: Studio) -> list[tuple[float, float, list[int], bytes]]:
    """Of each fragment with stills: when they begin, in seconds of the run, when its video does, how long each lasts, and their bytes."""
    found = []
    for rows in studio.index.fragments.values():
        for row in rows:
            data = b"".join(row.parts)
            for each in scan_fragments(lambda at, size, data=data: data[at : at + size], 0, len(data)):
                runs = {run.track_index: run for run in each.runs}
                if 1 in runs:
                    held = data[runs[1].data_offset : runs[1].data_offset + sum(runs[1].sizes)]
                    found.append((runs[1].dts / 90_000, runs[0].dts / 90_000, list(runs[1].durations), held))
    return found


def test_a_still_is_durable_with_the_tick_that_it_came_in() -> None:
    studio = Studio()
    studio.open()
    studio.recorder.formats_changed((replace(VIDEO, fps=5.0), thermal_still.track_format()))
    studio.play(3.05)
    studio.recorder.samples([Sample(1, 0, 0, True, b"a still", studio.boot_us)])
    studio.play(0.7)
    ((at, video, _, held),) = beside(studio)
    assert held == b"a still"
    assert abs(at - 3.05) < 0.02
    assert 0 <= at - video < 0.8
    studio.play(20)
    studio.recorder.samples([Sample(1, 0, 0, True, b"another", studio.boot_us)])
    studio.tick(final=True)
    assert [held for *_, held in beside(studio)] == [b"a still", b"another"]


def test_two_within_one_tick_keep_their_moments() -> None:
    studio = Studio()
    studio.open()
    studio.recorder.formats_changed((replace(VIDEO, fps=5.0), thermal_still.track_format()))
    studio.play(3.11)
    studio.recorder.samples([Sample(1, 0, 0, True, b"one", studio.boot_us)])
    studio.recorder.samples([Sample(1, 0, 0, True, b"two", studio.boot_us + 200_000)])
    studio.play(0.7)
    ((_, _, durations, held),) = beside(studio)
    assert held == b"onetwo"
    assert durations[0] == 18_000, "the second begins where it came"
