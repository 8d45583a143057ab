"""Playback over what `recording` writes and `archive` keeps: the real writer, the real files, the real index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl

from tests.support.archive_case import GATE, opened
from tests.support.shelf import Clip, load_clip

from longwatch.archive import Archive, ArchiveReader, ops
from longwatch.formats.bmff import Mp4File
from longwatch.model.stores import Provenance
from longwatch.playback import VideoFile, VideoRequest, open_part, open_playlist, open_video
from longwatch.recording import Options
from longwatch.recording.segments import OpenSegment, RunIdentity

WALL_US = 1_767_225_600_000_000


class _Placed:
    """A run that is placed once and does not drift."""

    provenance = Provenance.NTP

    def wall_us(self, at_90k: int) -> int:
        return WALL_US + at_90k * 100 // 9


def _ticks(clip: Clip, run: int, *, last_open: bool) -> Iterator[ops.Tick]:
    """A clip as ticks of 0.7 s, in segments of at least eight seconds."""
    index: list[ops.IndexOp] = [ops.RunStart(GATE, run, 0, WALL_US, Provenance.NTP)]
    media: list[ops.MediaOp] = []
    identity = RunIdentity(GATE, "ab" * 16, run, _Placed())  # type: ignore[arg-type]  # all that segments ask of a placer
    segment: OpenSegment | None = None
    sequence, heard, until = 0, 0, 63_000
    for sample in clip.samples[0]:
        while heard < len(clip.samples[1]) and clip.samples[1][heard][0] * 90 // 48 < sample[0]:
            if segment is not None:
                segment.other(1, clip.samples[1][heard])
            heard += 1
        if segment is None or (sample[3] and sample[0] - segment.start_90k >= 720_000):
            if segment is not None:
                segment.seal(media.append)
            segment = OpenSegment(identity, sequence, sample[0], clip.tracks, Options("post"))
            sequence += 1
        if sample[0] >= until:
            segment.cut(media.append)
            yield ops.Tick(media, index)
            media, index, until = [], [], until + 63_000
        segment.video(sample, 0)
    assert segment is not None
    (segment.cut if last_open else segment.seal)(media.append)
    yield ops.Tick(media, index)


async def _recorded(archive: Archive, *, last_open: bool = False) -> Clip:
    clip = load_clip("lot")
    for tick in _ticks(clip, archive.next_run_number(), last_open=last_open):
        result = await archive.tick(archive.place(GATE), tick)
        assert result.index_committed
        assert result.failure is None
    return clip


def _video(reader: ArchiveReader, from_s: float, to_s: float) -> VideoFile:
    request = VideoRequest(GATE, WALL_US + round(from_s * 1e6), WALL_US + round(to_s * 1e6))
    return open_video(reader, request, accounted_until_us=WALL_US + 10**9)


async def test_every_stored_sample_is_played_sealed_or_open(tmp_path: Path) -> None:
    async with opened([tmp_path / "a"]) as (archive, _):
        clip = await _recorded(archive, last_open=True)
        reader = ArchiveReader([tmp_path / "a"])
        try:
            file = Mp4File.from_bytes(b"".join(_video(reader, 0, 60).chunks()))
        finally:
            reader.close()
    assert [file.data(s) for s in file.tracks[0].samples] == [s[4] for s in clip.samples[0]]
    assert {s.duration for s in file.tracks[0].samples} == {7200}
    assert len(file.tracks[1].samples) >= 1405


async def test_a_seek_begins_at_the_sync_sample_before(tmp_path: Path) -> None:
    async with opened([tmp_path / "a"]) as (archive, _):
        await _recorded(archive)
        reader = ArchiveReader([tmp_path / "a"])
        try:
            video = _video(reader, 17, 21)
            assert video.start_wall_us == WALL_US + 14_400_000
            assert video.shown_from_wall_us == WALL_US + 16_960_000
            assert len(b"".join(video.chunks())) == video.size
        finally:
            reader.close()


async def test_the_parts_of_a_playlist_are_all_there(tmp_path: Path) -> None:
    async with opened([tmp_path / "a"]) as (archive, _):
        clip = await _recorded(archive)
        reader = ArchiveReader([tmp_path / "a"])
        try:
            request = VideoRequest(GATE, WALL_US, WALL_US + 60_000_000)
            text = open_playlist(reader, request, accounted_until_us=WALL_US + 10**9)
            pictures = []
            init = b""
            for line in text.splitlines():
                url = line.split('"')[1] if "MAP" in line else line
                if "segment.mp4" not in url:
                    continue
                data = b"".join(open_part(reader, GATE, dict(parse_qsl(url.split("?")[1]))).chunks())
                if "MAP" in line:
                    init = data
                    continue
                file = Mp4File.from_bytes(init + data)
                assert file.tracks[0].samples[0].sync
                pictures += [file.data(s) for s in file.tracks[0].samples]
        finally:
            reader.close()
    assert pictures == [s[4] for s in clip.samples[0]]
