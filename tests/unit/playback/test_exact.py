"""`exact`: the file begins with the first picture from `from` on, and nothing from before that is in it."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import itertools
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import av
import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from tests.support.moving import FRAMES, moving_clip
from tests.support.played import play
from tests.support.shelf import KEY, WALL_US, Clip, Shelf, load_clip
from tests.support.wait import until

from longwatch.base.clock import SystemClock
from longwatch.base.errors import LongwatchError
from longwatch.formats.bmff import Mp4File
from longwatch.formats.media import Codec, Sample
from longwatch.pictures import Slots, SlotsFullError
from longwatch.pictures.decoding import Decoder
from longwatch.playback import NoVideoError, Recoder, VideoFile, VideoRequest, open_exact, open_video
from longwatch.playback.exact import Made

pytestmark = pytest.mark.slow

LATER_US = WALL_US + 3600 * 1_000_000
GOOD_DB = 44.0
"""Of a picture that was encoded once more: nobody tells it from the one that is stored."""


@pytest_asyncio.fixture
async def recoder() -> AsyncIterator[Recoder]:
    made = Recoder(Slots(1, SystemClock()))
    try:
        yield made
    finally:
        await made.aclose()


def _request(from_s: float, to_s: float) -> VideoRequest:
    return VideoRequest(KEY, WALL_US + round(from_s * 1e6), WALL_US + round(to_s * 1e6))


async def _exact(recoder: Recoder, shelf: Shelf, from_s: float, to_s: float) -> tuple[VideoFile, Made | None]:
    opened = open_exact(shelf, _request(from_s, to_s), accounted_until_us=LATER_US)
    made = None if opened.anew is None else await recoder.exact(shelf, KEY, opened.anew)
    return opened.file(made), made


def _plain(shelf: Shelf, from_s: float, to_s: float) -> VideoFile:
    return open_video(shelf, _request(from_s, to_s), accounted_until_us=LATER_US)


def _bytes(video: VideoFile) -> bytes:
    data = b"".join(video.chunks())
    assert len(data) == video.size
    return data


def _pictures(data: bytes) -> list[av.VideoFrame]:
    with av.open(io.BytesIO(data)) as container:
        return list(container.decode(video=0))


def _luma(frame: av.VideoFrame) -> NDArray[np.float64]:
    depth = np.uint16 if "le" in frame.format.name else np.uint8
    rows = np.frombuffer(memoryview(frame.planes[0]).cast("B"), depth).reshape(frame.height, -1)
    return rows[:, : frame.width].astype(float)


def _db(one: av.VideoFrame, other: av.VideoFrame) -> float:
    """How like each other two pictures are."""
    assert one.format.name == other.format.name
    most = 1023 if "10" in one.format.name else 255
    error = float(np.mean((_luma(one) - _luma(other)) ** 2))
    return 10 * float(np.log10(most**2 / error)) if error else 99.0


def _with_one_entry(data: bytes, clip: Clip) -> list[av.VideoFrame]:
    """What a player shows that knows but the first sample entry of a file, as Chromium does."""
    file = Mp4File.from_bytes(data)
    track = file.tracks[0]
    decoder = Decoder(dataclasses.replace(clip.tracks[0], sample_entry=track.sample_entries[0]))
    shown = []
    for sample in track.samples:
        shown += decoder.decode(Sample(0, sample.dts, sample.cts_offset, sample.sync, file.data(sample), 0))
    shown += decoder.rest()
    assert decoder.failed == 0
    return [frame for frame, _ in sorted(shown, key=lambda pair: pair[0].pts or 0)]


@pytest.mark.parametrize(
    ("name", "frame_s", "from_s", "first_s", "sync_s"),
    [("lot", 0.08, 7.33, 7.36, 9.6), ("room", 0.1, 47.33, 47.4, 48.1)],
)
async def test_it_begins_with_the_picture_at_from_and_goes_on_with_what_is_stored(
    tmp_path: Path, recoder: Recoder, name: str, frame_s: float, from_s: float, first_s: float, sync_s: float
) -> None:
    clip = load_clip(name)
    shelf = Shelf(tmp_path)
    shelf.write_run(clip)
    video, made = await _exact(recoder, shelf, from_s, 57)
    assert made is not None
    data, plain = _bytes(video), _bytes(_plain(shelf, from_s, 57))
    assert video.start_wall_us == video.shown_from_wall_us == WALL_US + round(first_s * 1e6)
    assert len(made.pictures) == round((sync_s - first_s) / frame_s)

    played, hidden = play(data), play(plain)
    count = len(played.pictures)
    assert count == len(hidden.pictures) - 1, "the plain file shows what was on the screen at `from`"
    assert played.shown == pytest.approx([n * frame_s for n in range(count)])
    assert played.damaged == 0
    assert played.pictures[len(made.pictures) :] == hidden.pictures[1 + len(made.pictures) :]
    pairs = list(zip(_pictures(data), _pictures(plain)[1:], strict=True))
    assert min(_db(*pair) for pair in pairs[: len(made.pictures)]) > GOOD_DB

    file, stored = Mp4File.from_bytes(data), Mp4File.from_bytes(plain)
    samples, originals = file.tracks[0].samples, stored.tracks[0].samples
    assert samples[0].sync
    assert len(samples) == count, "nothing that is only decoded"
    copied = [(file.data(s), s.sync, s.entry) for s in samples[len(made.pictures) :]]
    assert copied == [(stored.data(s), s.sync, 1) for s in originals[-len(copied) :]]
    assert not {file.data(s) for s in samples} & {stored.data(s) for s in originals[: -len(copied)]}
    shown = _with_one_entry(data, clip)
    assert [_db(*pair) for pair in zip(shown, _pictures(data), strict=True)] == [99.0] * count


async def test_sound_begins_with_the_picture(tmp_path: Path, recoder: Recoder) -> None:
    """Also what a segment holds of it whose pictures are all from before; and no sample of it from before."""
    clip = load_clip("lot")
    told_apart = [(*s[:4], n.to_bytes(4, "big"), False) for n, s in enumerate(clip.samples[1])]
    clip = Clip(clip.tracks, (clip.samples[0], told_apart))
    shelf = Shelf(tmp_path)
    ends = ((0, 0), (655_000, 700_000), (2_000_000, 2_000_000))  # sound that comes 0.5 s after its picture
    for sequence, ((video_from, audio_from), (video_to, audio_to)) in enumerate(itertools.pairwise(ends)):
        part = [
            [s for s in clip.samples[0] if video_from <= s[0] < video_to],
            [s for s in clip.samples[1] if audio_from <= s[0] * 90_000 // 48_000 < audio_to],
        ]
        shelf.write(clip.tracks, part, run=1, sequence=sequence, wall_us=WALL_US + part[0][0][0] * 100 // 9)
    video, _ = await _exact(recoder, shelf, 7.41, 12)
    file = Mp4File.from_bytes(_bytes(video))
    assert video.start_wall_us == WALL_US + 7_440_000
    sound = file.tracks[1]
    numbers = [int.from_bytes(file.data(s), "big") for s in sound.samples]
    first = -(-7_440_000 * 48 // 1024_000)
    assert numbers == list(range(first, numbers[-1] + 1))
    (empty, nothing), (_, media_time) = sound.edits
    assert (nothing, media_time) == (-1, 0)
    assert empty / 90_000 == pytest.approx(first * 1024 / 48_000 - 7.44, abs=0.0001)


async def test_from_a_sync_sample_nothing_is_encoded(tmp_path: Path, recoder: Recoder) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(load_clip("lot"))
    for from_s in (4.8, 4.79):  # on it, and after the picture before it
        video, made = await _exact(recoder, shelf, from_s, 9)
        assert made is None
        assert video.start_wall_us == WALL_US + 4_800_000
        assert video.pieces
    assert _bytes(video) == _bytes(_plain(shelf, 4.8, 9))


async def test_from_a_gap_it_begins_with_the_next_run(tmp_path: Path, recoder: Recoder) -> None:
    shelf = Shelf(tmp_path)
    clip = load_clip("lot")
    shelf.write_run(clip)
    shelf.write_run(clip, run=2, wall_us=WALL_US + 60_000_000)
    video, made = await _exact(recoder, shelf, 40, 65)
    assert made is None
    assert video.start_wall_us == WALL_US + 60_000_000
    assert _bytes(video) == _bytes(_plain(shelf, 40, 65))


async def test_a_gap_behind_from_is_closed_up_as_ever(tmp_path: Path, recoder: Recoder) -> None:
    """The gap is in the middle of a group, and what follows it is what a decoder made of it."""
    shelf = Shelf(tmp_path)
    shelf.write_run(load_clip("lot"), skip_90k=(8 * 90_000, 9 * 90_000 + 1))
    video, made = await _exact(recoder, shelf, 7.33, 12)
    plain = _plain(shelf, 7.33, 12)
    assert made is not None
    assert [(g.from_us, g.to_us) for g in video.gaps] == [(g.from_us, g.to_us) for g in plain.gaps]
    assert [g.at_us for g in video.gaps] == [g.at_us - 80_000 for g in plain.gaps if g.at_us is not None]
    pairs = list(zip(_pictures(_bytes(video)), _pictures(_bytes(plain))[1:], strict=True))
    assert min(_db(*pair) for pair in pairs) > GOOD_DB
    shown = play(_bytes(video)).shown
    assert shown == pytest.approx([n * 0.08 for n in range(len(shown))])


@pytest.mark.parametrize(("name", "to_s", "count", "frame_us"), [("lot", 8, 8, 80_000), ("room", 7.62, 3, 100_000)])
async def test_a_span_within_a_group_is_all_made_and_ends_at_to(
    tmp_path: Path, recoder: Recoder, name: str, to_s: float, count: int, frame_us: int
) -> None:
    """Also where what is shown before `to` refers to a picture behind it."""
    shelf = Shelf(tmp_path)
    shelf.write_run(load_clip(name))
    video, made = await _exact(recoder, shelf, 7.33, to_s)
    assert made is not None
    assert (len(made.pictures), video.duration_us) == (count, count * frame_us)
    assert len(Mp4File.from_bytes(_bytes(video)).tracks[0].samples) == count
    assert not video.pieces or name == "lot", "what is copied is sound"
    with pytest.raises(NoVideoError):
        await _exact(recoder, shelf, 7.33, 7.35)


async def test_made_anew_elsewhere_it_is_the_same_bytes_in_any_range(tmp_path: Path, recoder: Recoder) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(load_clip("lot"))
    other = Recoder(Slots(1, SystemClock()))
    try:
        (one, made), (two, again) = await _exact(recoder, shelf, 7.33, 25), await _exact(other, shelf, 7.33, 25)
    finally:
        await other.aclose()
    assert made is not again
    data = _bytes(one)
    assert (one.etag, data) == (two.etag, _bytes(two))
    assert one.etag != _plain(shelf, 7.33, 25).etag
    size = len(data)
    cuts = [0, 100, one.head_bytes - 1, one.head_bytes + 1, size // 2, size]
    assert b"".join(two.read(a, b) for a, b in itertools.pairwise(cuts)) == data


async def test_of_several_that_wait_none_is_refused_because_another_was_first(
    tmp_path: Path, recoder: Recoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longwatch.playback.recoded.WAIT_S", 60.0)
    shelf = Shelf(tmp_path)
    shelf.write_run(load_clip("lot"))
    opened = [open_exact(shelf, _request(2.0 + n, 3.0 + n), accounted_until_us=LATER_US).anew for n in range(4)]
    made = await asyncio.gather(*(recoder.exact(shelf, KEY, anew) for anew in opened if anew is not None))
    assert len(made) == 4
    assert all(each.pictures for each in made)


async def test_who_asks_for_the_same_at_one_time_waits_for_it(tmp_path: Path, recoder: Recoder) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(load_clip("lot"))
    answers = await asyncio.gather(*(_exact(recoder, shelf, 7.33, 25) for _ in range(4)))
    assert len({id(made) for _, made in answers}) == 1


@pytest.mark.parametrize(
    ("pixels", "shown"),
    [
        ("yuv420p", 5),
        ("yuv420p", 11),
        ("yuv420p", 13),
        ("yuv420p", 23),
        ("yuv420p", 47),
        ("gray10le", 13),
        ("yuvj420p", 13),
    ],
)
async def test_h265_stays_h265_and_its_open_groups_go_on(
    tmp_path: Path, recoder: Recoder, pixels: str, shown: int
) -> None:
    """Also of ten bits without colours, as thermal cameras send it."""
    clip, _ = moving_clip("libx265", pixels=pixels)
    shelf = Shelf(tmp_path)
    shelf.write_run(clip, segment_90k=60_000)
    from_s = clip.samples[0][0][1] / 90_000 + shown * 0.04 - 0.005
    video, made = await _exact(recoder, shelf, from_s, 10)
    assert made is not None
    data = _bytes(video)
    track = Mp4File.from_bytes(data).tracks[0]
    assert [entry[4:8] for entry in track.sample_entries] == [b"hvc1", b"hvc1"]
    shown_at = [sample.dts + sample.cts_offset for sample in track.samples]
    assert len(set(shown_at)) == len(shown_at) == FRAMES - shown, "none of an open group is there twice"
    played, plain = _pictures(data), _pictures(_bytes(_plain(shelf, from_s, 10)))[1:]
    likeness = [_db(*pair) for pair in zip(played, plain, strict=True)]
    assert len(played) == FRAMES - shown
    assert likeness[len(made.pictures) :] == [99.0] * (FRAMES - shown - len(made.pictures))
    assert min(likeness) > GOOD_DB
    assert len(made.pictures) < 12
    one_entry = _with_one_entry(data, clip)
    assert [_db(*pair) for pair in zip(one_entry, played, strict=True)] == [99.0] * len(played)


@pytest.mark.parametrize(
    ("parameters", "copies"), [("keyint=12:bframes=2", True), ("open-gop=1:keyint=12:bframes=3", False)]
)
async def test_h264_goes_on_at_an_idr_picture_alone(
    tmp_path: Path, recoder: Recoder, parameters: str, copies: bool
) -> None:
    """Of a stream that has none all that is asked for is made."""
    clip, _ = moving_clip("libx264", parameters)
    shelf = Shelf(tmp_path)
    shelf.write_run(clip, segment_90k=60_000)
    from_s = clip.samples[0][0][1] / 90_000 + 13 * 0.04 - 0.005
    video, made = await _exact(recoder, shelf, from_s, 10)
    assert made is not None
    assert (len(made.pictures) < FRAMES - 13) is copies
    played, plain = _pictures(_bytes(video)), _pictures(_bytes(_plain(shelf, from_s, 10)))
    assert len(played) == FRAMES - 13
    assert min(_db(*pair) for pair in zip(played, plain[1:], strict=True)) > GOOD_DB


async def test_of_jpegs_nothing_is_encoded(tmp_path: Path, recoder: Recoder) -> None:
    lot = load_clip("lot", audio=False)
    jpegs = [(*s[:3], True, b"\xff\xd8" + n.to_bytes(2, "big"), False) for n, s in enumerate(lot.samples[0])]
    shelf = Shelf(tmp_path)
    shelf.write_run(Clip((dataclasses.replace(lot.tracks[0], codec=Codec.MJPEG),), (jpegs,)))
    video, made = await _exact(recoder, shelf, 7.33, 9)
    assert made is None
    file = Mp4File.from_bytes(_bytes(video))
    assert file.data(file.tracks[0].samples[0]) == b"\xff\xd8" + (92).to_bytes(2, "big")
    assert video.start_wall_us == WALL_US + 7_360_000


async def test_a_child_that_is_killed_is_told_and_leaves_nothing(
    tmp_path: Path, recoder: Recoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from longwatch.pictures.recoding import Recoding

    children: list[int] = []
    started = Recoding.start

    async def start(command: tuple[str, ...]) -> Recoding:
        child = await started(command)
        children.append(child.pid)
        os.kill(child.pid, signal.SIGSTOP)
        return child

    monkeypatch.setattr(Recoding, "start", start)
    shelf = Shelf(tmp_path)
    shelf.write_run(load_clip("lot"))
    asked = asyncio.create_task(_exact(recoder, shelf, 7.33, 12))
    await until(lambda: len(recoder.slots.running) == 1 and bool(children), "it is under way")
    assert recoder.slots.running[0].kind == "exact"
    with pytest.raises(SlotsFullError, match="in use"):
        recoder.slots.take("yard", "main", "live")
    os.kill(children[0], signal.SIGKILL)
    with pytest.raises(LongwatchError, match="could not be encoded anew") as told:
        await asked
    assert "ended" in told.value.why
    assert "without `exact`" in told.value.remedy
    assert recoder.slots.running == ()
    assert not Path(f"/proc/{children[0]}").exists()
    monkeypatch.undo()
    _, made = await _exact(recoder, shelf, 7.33, 12)
    assert made is not None


async def test_a_child_that_takes_too_long_is_ended(
    tmp_path: Path, recoder: Recoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longwatch.playback.recoded.SECONDS_A_PART", 0.001)
    shelf = Shelf(tmp_path)
    shelf.write_run(load_clip("lot"))
    with pytest.raises(LongwatchError, match="could not be encoded anew") as told:
        await _exact(recoder, shelf, 7.33, 12)
    assert "takes too long" in told.value.why
    assert recoder.slots.running == ()


async def test_where_parameters_change_the_rest_is_as_it_was_stored(tmp_path: Path, recoder: Recoder) -> None:
    """Within a run, at a key picture that is shown long after `from`; and in another run."""
    lot, room = load_clip("lot", audio=False), load_clip("room", audio=False)
    later = [(720_000 + s[0], *s[1:]) for s in room.samples[0][:40]]
    shelf = Shelf(tmp_path)
    before = [s for s in lot.samples[0] if s[0] < 720_000]
    shelf.write(lot.tracks, [before], run=1, sequence=0, wall_us=WALL_US)
    shelf.write(room.tracks, [later], run=1, sequence=1, wall_us=WALL_US + 8_000_000)
    shelf.write_run(lot, run=2, wall_us=WALL_US + 20_000_000)
    video, made = await _exact(recoder, shelf, 7.33, 22)
    assert made is not None
    assert len(made.pictures) == 8
    file = Mp4File.from_bytes(_bytes(video))
    samples = file.tracks[0].samples
    assert [file.data(s) for s in samples[8:48]] == [s[4] for s in later]
    assert [file.data(s) for s in samples[48:]] == [s[4] for s in lot.samples[0][: len(samples) - 48]]
    assert [s.entry for s in samples] == [0] * 8 + [1] * 40 + [2] * (len(samples) - 48)
    assert len(_pictures(_bytes(video))) == len(_pictures(_bytes(_plain(shelf, 7.33, 22)))) - 1


async def test_what_cannot_be_decoded_is_left_out(tmp_path: Path, recoder: Recoder) -> None:
    """As a player leaves it out. `start_wall_us` says where there is something."""
    lot = load_clip("lot", audio=False)
    broken = [(*s[:4], b"\0\0\0\x04\x41nil", False) if s[0] < 9.5 * 90_000 else s for s in lot.samples[0]]
    shelf = Shelf(tmp_path)
    shelf.write_run(Clip(lot.tracks, (broken,)))
    video, made = await _exact(recoder, shelf, 7.33, 12)
    assert made is not None
    assert made.pictures == ()
    assert video.start_wall_us == WALL_US + 9_600_000
    assert len(_pictures(_bytes(video))) == 30
    with pytest.raises(NoVideoError, match="no picture begins"):
        await _exact(recoder, shelf, 7.33, 9)


async def test_at_the_begin_of_a_run_too_each_is_decoded_after_the_one_before(tmp_path: Path, recoder: Recoder) -> None:
    """The key picture behind is shown longer after it is decoded than the run is old where the file begins."""
    clip, _ = moving_clip("libx265")
    shelf = Shelf(tmp_path)
    shelf.write_run(clip)
    cut = next(s for s in clip.samples[0][1:] if s[3])
    from_s = clip.samples[0][0][1] / 90_000 + 0.035
    assert cut[1] > from_s * 90_000 + 3600
    video, made = await _exact(recoder, shelf, from_s, 10)
    assert made is not None
    samples = Mp4File.from_bytes(_bytes(video)).tracks[0].samples
    assert all(a.dts < b.dts for a, b in itertools.pairwise(samples))
    shown = sorted(s.dts + s.cts_offset for s in samples)
    assert [b - a for a, b in itertools.pairwise(shown)] == [3600] * (FRAMES - 2)
