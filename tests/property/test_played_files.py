"""Whatever was recorded, in whatever runs, fragments and segments: a file shows exactly what was asked for."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.support.shelf import KEY, WALL_US, Shelf
from tests.support.tracks import AUDIO, VIDEO, visual_entry

from longwatch.formats.bmff import Mp4File, Mp4Sample, Stored
from longwatch.formats.media import TrackFormat
from longwatch.playback import NoVideoError, VideoRequest, open_video

_GAP_90K = 900_000
_TICK_US = 12  # of the video's clock of 90 kHz: what is on the screen for less has no length in a file
_FORMATS = (VIDEO, TrackFormat(VIDEO.kind, VIDEO.codec, 90_000, visual_entry(config=b"other"), "avc1.4d401f", 32, 32))


@dataclass(frozen=True)
class Picture:
    """What the oracle knows of a sample. stretch: which unbroken stretch it is in."""

    number: int
    wall_us: int
    pts: int
    duration: int
    stretch: int


@st.composite
def runs(draw: st.DrawFn) -> list[tuple[list[Stored], list[int], bool]]:
    """Video samples of up to three runs: groups of pictures with B-frames, jitter and gaps, and where segments begin."""
    found = []
    for _ in range(draw(st.integers(1, 3))):
        b_frames = draw(st.sampled_from((0, 1, 2)))
        groups = draw(st.lists(st.integers(1, 3), min_size=1, max_size=5))
        jitter = draw(st.lists(st.integers(-30, 30), min_size=40, max_size=40))
        gaps = draw(st.sets(st.integers(1, 30), max_size=2))
        found.append(
            (
                _samples(groups, b_frames, jitter, gaps),
                sorted(draw(st.sets(st.integers(1, 25), max_size=3))),
                draw(st.booleans()),
            )
        )
    return found


def _samples(groups: list[int], b_frames: int, jitter: list[int], gaps: set[int]) -> list[Stored]:
    order: list[tuple[int, bool]] = []  # display number in decode order, and whether it is a sync sample
    for minis in groups:
        first = len(order)
        order.append((first, True))
        for mini in range(minis):
            last = first + (mini + 1) * (b_frames + 1)
            order.append((last, False))
            order += [(last - b_frames + k, False) for k in range(b_frames)]
    delay = 1 if b_frames else 0
    times = []
    at = 0
    for n in range(len(order) + delay + 1):
        times.append(at)
        at += 3600 + jitter[n % len(jitter)] + (_GAP_90K if n in gaps and not b_frames else 0)
    samples = []
    for n, (display, sync) in enumerate(order):
        duration = times[n + 1] - times[n]
        guess = 3600 if duration >= _GAP_90K else duration
        samples.append((times[n], times[display + delay] - times[n], guess, sync, n.to_bytes(4, "big"), False))
    return samples


def _record(shelf: Shelf, made: list[tuple[list[Stored], list[int], bool]], fragment_90k: int) -> list[Picture]:
    pictures = []
    wall_us = WALL_US
    stretch = 0
    for run, (samples, cuts, other) in enumerate(made, 1):
        numbered = [(*s[:4], (run * 1000 + n).to_bytes(4, "big"), False) for n, s in enumerate(samples)]
        edges = [0, *(c for c in cuts if c < len(samples)), len(samples)]
        for sequence, (a, b) in enumerate(pairwise(edges)):
            part = numbered[a:b]
            heard = [
                (k * 1024, 0, 1024, True, b"a", False)
                for k in range(part[0][0] * 48 // 92_160, part[-1][0] * 48 // 92_160)
            ]
            shelf.write(
                [_FORMATS[other], AUDIO], [part, heard], run=run, sequence=sequence,
                wall_us=wall_us + part[0][0] * 100 // 9, fragment_90k=fragment_90k,
            )  # fmt: skip
            start_us = wall_us + part[0][0] * 100 // 9
            for n in range(a, b):
                dts, cts, duration, *_ = numbered[n]
                stretch += n > 0 and dts - numbered[n - 1][0] > 90_000
                at_us = start_us + (dts + cts) * 1_000_000 // 90_000 - part[0][0] * 100 // 9
                pictures.append(Picture(run * 1000 + n, at_us, dts + cts, duration, stretch))
        wall_us += (numbered[-1][0] + numbered[-1][1]) * 100 // 9 + 5_000_000
        stretch += 1
    return sorted(pictures, key=lambda p: p.wall_us)


def _expected(pictures: list[Picture], from_us: int, to_us: int) -> list[Picture]:
    shown = [p for p in pictures if from_us <= p.wall_us < to_us]
    before = [p for p in pictures if p.wall_us < from_us]
    if before and not (shown and shown[0].wall_us - from_us < _TICK_US):
        last = before[-1]
        following = next((p for p in pictures if p.wall_us >= from_us), None)
        reaches = (
            following is not None and following.stretch == last.stretch
        ) or from_us < last.wall_us + last.duration * 1_000_000 // 90_000
        if reaches:
            shown.insert(0, last)
    return shown


def _shown(file: Mp4File) -> list[tuple[int, int]]:
    """(number, presentation time) of what the edit list shows of the video track."""
    ((duration, media_time),) = file.tracks[0].edits
    listed = [(s.dts + s.cts_offset - media_time, int.from_bytes(file.data(s), "big")) for s in file.tracks[0].samples]
    return [(number, at) for at, number in sorted(listed) if 0 <= at < duration]


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(made=runs(), fragment_90k=st.sampled_from((4000, 20_000, 63_000)), data=st.data())
def test_a_file_shows_what_was_asked_for(
    made: list[tuple[list[Stored], list[int], bool]], fragment_90k: int, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shelf = Shelf(Path(folder))
        pictures = _record(shelf, made, fragment_90k)
        first, last = pictures[0].wall_us, pictures[-1].wall_us
        from_us = data.draw(st.integers(first - 1_000_000, last))
        to_us = data.draw(st.integers(from_us + 1, last + 2_000_000))
        expected = _expected(pictures, from_us, to_us)
        try:
            video = open_video(shelf, VideoRequest(KEY, from_us, to_us), accounted_until_us=last + 10**9)
        except NoVideoError:
            assert len(expected) <= 1  # at most the end of a picture whose duration was a guess
            return
        content = b"".join(video.chunks())
        assert len(content) == video.size
        file = Mp4File.from_bytes(content)
        shown = _shown(file)
        _check(file, shown, expected, pictures)


def _check(file: Mp4File, shown: list[tuple[int, int]], expected: list[Picture], pictures: list[Picture]) -> None:
    by_number = {p.number: p for p in pictures}
    samples: list[Mp4Sample] = file.tracks[0].samples
    assert samples[0].sync
    assert [number for number, _ in shown] == [p.number for p in expected]
    assert shown[0][1] == 0
    decoded = [int.from_bytes(file.data(s), "big") for s in samples]
    assert decoded == sorted(decoded), "decode order is that of the runs"
    for (a, at), (b, following) in pairwise(shown):
        if by_number[a].stretch == by_number[b].stretch:
            assert following - at == by_number[b].pts - by_number[a].pts
        else:
            assert 0 < following - at <= 4 * 3700, "a gap is closed up"
