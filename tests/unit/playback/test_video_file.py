"""video.mp4: begins at the last sync sample, shows from `from` to `to`, closes gaps up and names them."""

from __future__ import annotations

import functools
import random
import threading
import tracemalloc
from pathlib import Path

import av
import pytest
from tests.support.played import picture, play
from tests.support.shelf import KEY, MEDIA, WALL_US, Clip, Shelf, load_clip

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.formats.bmff import Mp4File
from longwatch.model.causes import Cause
from longwatch.model.stores import GapSpan, Provenance, SegmentRow
from longwatch.playback import NoVideoError, TableCache, VideoFile, VideoRequest, open_video

LATER_US = WALL_US + 3600 * 1_000_000


def _open(shelf: Shelf, from_s: float, to_s: float, **more: object) -> VideoFile:
    request = VideoRequest(KEY, WALL_US + round(from_s * 1e6), WALL_US + round(to_s * 1e6))
    return open_video(shelf, request, **{"accounted_until_us": LATER_US, **more})


def _bytes(video: VideoFile) -> bytes:
    data = b"".join(video.chunks())
    assert len(data) == video.size
    return data


@functools.cache
def _originals(name: str) -> dict[int, str]:
    """Every picture of a clip by its presentation time in milliseconds from the clip's first decode time."""
    with av.open(str(MEDIA / f"{name}.mp4"), options={"ignore_editlist": "1"}) as container:
        frames = list(container.decode(video=0))
    first = Mp4File.from_bytes((MEDIA / f"{name}.mp4").read_bytes()).tracks[0].samples[0].cts_offset
    base = frames[0].pts * frames[0].time_base
    scale = 25_000 if name == "lot" else 200_000
    return {round((f.pts * f.time_base - base) * 1000 + first / scale * 1000): picture(f) for f in frames}


def _shown(video: VideoFile) -> list[float]:
    """When each picture is shown, in seconds, by the tables and the edit list alone."""
    track = Mp4File.from_bytes(_bytes(video)).tracks[0]
    ((duration, media_time),) = track.edits
    times = sorted(s.dts + s.cts_offset - media_time for s in track.samples)
    return [at / 90_000 for at in times if 0 <= at < duration]


@pytest.fixture(scope="module")
def lot() -> Clip:
    return load_clip("lot")


@pytest.fixture(scope="module")
def room() -> Clip:
    return load_clip("room")


@pytest.mark.parametrize(("name", "frame_s"), [("lot", 0.08), pytest.param("room", 0.1, marks=pytest.mark.slow)])
def test_exactly_the_pictures_asked_for_are_shown(tmp_path: Path, name: str, frame_s: float) -> None:
    """The pre-roll is decoded and hidden; the first picture is the one on the screen at `from`, the last before `to`."""
    shelf = Shelf(tmp_path)
    shelf.write_run(load_clip(name))
    originals = _originals(name)
    video = _open(shelf, 7.33, 17.01)
    played = play(_bytes(video))
    wanted = [p for at, p in sorted(originals.items()) if 7330 - frame_s * 1000 < at < 17_010]
    assert played.pictures == wanted
    assert played.shown == pytest.approx([n * frame_s for n in range(len(wanted))])
    assert played.damaged == 0


def test_it_begins_at_the_last_sync_sample(tmp_path: Path, lot: Clip) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(lot)
    video = _open(shelf, 7.33, 12)
    file = Mp4File.from_bytes(_bytes(video))
    assert file.tracks[0].samples[0].sync
    assert video.start_wall_us == WALL_US + 4_800_000
    assert video.shown_from_wall_us == WALL_US + 7_280_000


def test_a_sync_sample_in_an_earlier_segment_is_found(tmp_path: Path) -> None:
    """A segment may begin in the middle of a group of pictures, when another volume took over."""
    clip = load_clip("lot")
    shelf = Shelf(tmp_path)
    at = 0
    for sequence, end in enumerate((200_000, 500_000, 560_000, 2_000_000)):
        part = [
            [s for s in samples if at <= s[0] * 90_000 // t.timescale < end]
            for t, samples in zip(clip.tracks, clip.samples, strict=True)
        ]
        shelf.write(clip.tracks, part, run=1, sequence=sequence, wall_us=WALL_US + part[0][0][0] * 100 // 9)
        at = end
    video = _open(shelf, 7.0, 9.0)
    assert video.start_wall_us == WALL_US + 4_800_000
    played = play(_bytes(video))
    assert played.pictures == [p for ms, p in sorted(_originals("lot").items()) if 6920 < ms < 9000]


def test_stored_bytes_are_the_cameras_own(tmp_path: Path, room: Clip) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(room)
    data = _bytes(_open(shelf, 0, 70))
    file = Mp4File.from_bytes(data)
    assert [file.data(s) for s in file.tracks[0].samples] == [s[4] for s in room.samples[0]]
    assert [(s.dts, s.cts_offset, s.sync) for s in file.tracks[0].samples] == [
        (s[0], s[1], s[3]) for s in room.samples[0]
    ]


def test_a_gap_between_two_runs_is_closed_up_and_named(tmp_path: Path, lot: Clip) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(lot)
    shelf.write_run(lot, run=2, wall_us=WALL_US + 60_000_000)
    gap = GapSpan(WALL_US + 30_160_000, WALL_US + 60_000_000, Cause.CAMERA_UNREACHABLE)
    video = _open(shelf, 20, 70, gaps=[gap])
    assert video.gaps_header == "2026-01-01T00:00:30.160000Z/2026-01-01T00:01:00Z;cause=camera_unreachable;at=10.160000"
    played = play(_bytes(video), decode=False)
    assert _shown(video) == pytest.approx([n * 0.08 for n in range(127 + 125)])
    assert video.duration_us == 20_160_000
    named = [text for at, text in played.texts if "no video" in text]
    assert named
    assert "2026-01-01T00:00:30.160000Z to 2026-01-01T00:01:00Z: camera_unreachable" in named[0]


def test_sound_stays_beside_the_picture_over_a_gap(tmp_path: Path, lot: Clip) -> None:
    """Each audio sample is presented when the picture of its moment is, to less than one audio frame."""
    told_apart = [(*s[:4], n.to_bytes(4, "big"), False) for n, s in enumerate(lot.samples[1])]
    clip = Clip(lot.tracks, (lot.samples[0], told_apart))
    shelf = Shelf(tmp_path)
    shelf.write_run(clip, segment_90k=500_000)
    shelf.write_run(clip, run=2, wall_us=WALL_US + 60_000_000)
    file = Mp4File.from_bytes(_bytes(_open(shelf, 20.5, 70)))
    ((_, media_time),) = file.tracks[1].edits
    joint_s = 30.16 - 20.48  # where the second run begins in the file; its first sample is audio sample 0 again
    taken_by_run: list[list[int]] = [[], []]
    for sample in file.tracks[1].samples:
        number = int.from_bytes(file.data(sample), "big")
        shown_s = (sample.dts - media_time) / 48_000
        run = int(bool(taken_by_run[1]) or number < 900)
        taken_by_run[run].append(number)
        wanted_s = number * 1024 / 48_000 + (joint_s if run else -20.48)
        assert abs(shown_s - wanted_s) < 1024 / 48_000
    assert taken_by_run == [list(range(960, 1414)), list(range(469))]


def test_a_gap_inside_a_run_is_closed_up_and_lengthens_no_sample(tmp_path: Path, lot: Clip) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(
        lot, skip_90k=(864_000, 1_728_000)
    )  # from sync sample to sync sample: nothing depends on what is missing
    video = _open(shelf, 0, 40)
    assert _shown(video) == pytest.approx([n * 0.08 for n in range(377 - 120)])
    assert [(g.from_us - WALL_US, g.to_us - WALL_US, g.cause) for g in video.gaps] == [
        (9_600_000, 19_200_000, Cause.UNKNOWN)
    ]
    file = Mp4File.from_bytes(_bytes(video))
    assert {s.duration for s in file.tracks[0].samples} == {7200}


def test_a_wrong_guess_of_the_last_duration_is_not_a_gap(tmp_path: Path, lot: Clip) -> None:
    """The recorder does not know how long the last sample of a fragment lasts; playback goes by the next one's time."""
    shelf = Shelf(tmp_path)
    guessed = [(*s[:2], 3600 if n % 9 == 8 else s[2], *s[3:]) for n, s in enumerate(lot.samples[0])]
    shelf.write(lot.tracks[:1], [guessed], run=1, sequence=0, wall_us=WALL_US)
    video = _open(shelf, 0, 40)
    assert video.gaps == ()
    assert _shown(video) == pytest.approx([n * 0.08 for n in range(377)])


def test_an_open_segment_plays_as_far_as_it_is_acknowledged(tmp_path: Path, lot: Clip) -> None:
    shelf = Shelf(tmp_path)
    row = shelf.write_run(lot, last_open=True)[-1]
    fragments = shelf.fragments(row)
    changed = shelf.replace(row, durable_bytes=fragments[0].offset + fragments[0].size)
    shelf.fragment_rows[changed.id] = fragments[:1]
    played = play(_bytes(_open(shelf, 28.8, 40)))
    assert len(played.shown) == 9


def test_to_is_clipped_to_what_is_accounted_for(tmp_path: Path, lot: Clip) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(lot)
    clipped = _open(shelf, 0, 25, accounted_until_us=WALL_US + 10_000_000)
    assert clipped.to_us == WALL_US + 10_000_000
    assert len(_shown(clipped)) == 125


def test_the_same_request_is_the_same_bytes_and_tag(tmp_path: Path, lot: Clip) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(lot)
    one, other = _open(shelf, 3, 25), _open(shelf, 3, 25, cache=TableCache(1))
    assert one.etag == other.etag
    assert _bytes(one) == _bytes(other)
    assert _open(shelf, 3, 26).etag != one.etag
    assert one.etag.startswith('"')


def test_any_range_is_the_same_bytes(tmp_path: Path, lot: Clip) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(lot)
    video = _open(shelf, 3, 28)
    data = _bytes(video)
    rng = random.Random(7)
    for _ in range(200):
        start = rng.randrange(len(data))
        end = rng.randrange(start, min(len(data), start + rng.choice((1, 5000, 600_000))) + 1)
        assert video.read(start, end) == data[start:end]


def test_the_better_placement_is_shown_and_the_other_can_be_named(tmp_path: Path, lot: Clip) -> None:
    """Where two runs claim the same second: ntp before rtc; the other one is played by its run number."""
    shelf = Shelf(tmp_path)
    shelf.write_run(lot, run=1, provenance=Provenance.RTC)
    shelf.write_run(lot, run=2, wall_us=WALL_US + 12_000_000, provenance=Provenance.NTP)
    video = _open(shelf, 0, 60)
    assert len(_shown(video)) == 150 + 377
    request = VideoRequest(KEY, WALL_US, WALL_US + 60_000_000, run=1)
    named = open_video(shelf, request, accounted_until_us=LATER_US)
    assert len(_shown(named)) == 377


@pytest.mark.slow
def test_several_formats_stand_in_one_file(tmp_path: Path, lot: Clip, room: Clip) -> None:
    """The parameters changed between two runs: two sample entries, and both play."""
    shelf = Shelf(tmp_path)
    shelf.write_run(lot)
    shelf.write_run(room, run=2, wall_us=WALL_US + 30_160_000)
    data = _bytes(_open(shelf, 0, 60))
    file = Mp4File.from_bytes(data)
    assert len(file.tracks[0].sample_entries) == 2
    assert {s.entry for s in file.tracks[0].samples} == {0, 1}
    assert len(play(data).shown) >= 377 + 290


def test_one_read_a_sealed_segment_besides_its_header(tmp_path: Path, lot: Clip) -> None:
    shelf = Shelf(tmp_path)
    rows = shelf.write_run(lot)
    _open(shelf, 0, 40)
    assert shelf.reads == 2 * len(rows)


class Slow(Shelf):
    """A disk on which a file's begin is there only once that of another is asked for too."""

    together = threading.Barrier(2, timeout=60)

    def read(self, segment: SegmentRow, offset: int, size: int) -> bytes:
        if offset == 0:
            self.together.wait()
        return super().read(segment, offset, size)


def test_the_tables_of_a_file_are_read_side_by_side(tmp_path: Path, lot: Clip) -> None:
    slow = Slow(tmp_path)
    assert len(slow.write_run(lot)) % 2 == 0
    assert _bytes(_open(slow, 0, 40))


def test_a_segment_that_is_gone_is_told_by_who_needs_it(tmp_path: Path, lot: Clip) -> None:
    shelf = Shelf(tmp_path)
    Path(shelf.write_run(lot)[1].path).unlink()
    with pytest.raises(LongwatchError, match="gone"):
        _open(shelf, 0, 40)


def test_what_was_read_ahead_is_not_read_again_and_is_for_that_range_alone(tmp_path: Path, lot: Clip) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(lot)
    video = _open(shelf, 0, 40)
    shelf.reads = 0
    whole = b"".join(video.chunks())
    needed, shelf.reads = shelf.reads, 0
    video.read_ahead(0, video.size)
    assert shelf.reads == 1
    assert b"".join(video.chunks()) == whole
    assert shelf.reads == needed
    start = video.head_bytes + 1000
    video.read_ahead(start, start + 5000)
    assert b"".join(video.chunks(start + 7, start + 5000)) == whole[start + 7 : start + 5000]
    video.read_ahead(0, video.head_bytes)
    video.read_ahead(start, video.size)
    assert b"".join(video.chunks(start)) == whole[start:]


def test_the_tables_that_are_kept_take_no_more_memory_than_they_say(tmp_path: Path, lot: Clip) -> None:
    """What a server's memory fills with in its first hours: with all that is derived from a table once it was played."""
    shelf = Shelf(tmp_path)
    for n in range(3):
        shelf.write_run(lot, run=n + 1, wall_us=WALL_US + n * 40_000_000)

    def held(limit: int) -> int:
        cache = TableCache(limit)
        tracemalloc.start()
        try:
            for n in range(3):
                _open(shelf, 40 * n, 40 * n + 39, cache=cache)
            for n in range(8):  # only the last few files are kept, and these are none
                cache.made(n, lambda: None, keep=lambda _: True)
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    _open(shelf, 0, 39)  # whatever stays of a first use
    assert held(1 << 30) > 150_000
    assert held(80_000) < 120_000


def test_a_damaged_closing_box_costs_a_scan_and_nothing_else(tmp_path: Path, lot: Clip) -> None:
    shelf = Shelf(tmp_path)
    rows = shelf.write_run(lot)
    whole = _bytes(_open(shelf, 0, 40))
    with open(rows[0].path, "r+b") as file:
        file.seek(rows[0].durable_bytes + 60)
        file.write(b"\xff" * 20)
    assert _bytes(_open(shelf, 0, 40)) == whole


@pytest.mark.parametrize(("from_s", "to_s"), [(100, 200), (-50, -10), (30.2, 31)])
def test_where_nothing_is_recorded_there_is_no_file(tmp_path: Path, lot: Clip, from_s: float, to_s: float) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(lot)
    with pytest.raises(NoVideoError):
        _open(shelf, from_s, to_s)


def test_what_lies_ahead_is_not_there_yet(tmp_path: Path) -> None:
    with pytest.raises(NoVideoError, match="yet"):
        _open(Shelf(tmp_path), 5, 9, accounted_until_us=WALL_US)


def test_requests_that_cannot_be() -> None:
    with pytest.raises(UsageError):
        VideoRequest(KEY, 5, 5)
    with pytest.raises(UsageError):
        VideoRequest(KEY, 0, 30 * 3600 * 1_000_000)


def test_a_file_that_retention_removed_says_so(tmp_path: Path, lot: Clip) -> None:
    shelf = Shelf(tmp_path)
    rows = shelf.write_run(lot)
    video = _open(shelf, 0, 40)
    Path(rows[2].path).unlink()
    with pytest.raises(LongwatchError, match="gone"):
        _bytes(video)
