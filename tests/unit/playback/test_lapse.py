"""A time-lapse: one picture every so often, each with its wall time; its pictures are decoded by a child that can do nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import pytest
from tests.support.shelf import KEY, WALL_US, Shelf, load_clip

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.model.causes import Cause
from longwatch.model.stores import GapSpan
from longwatch.playback import LapseRequest, NoVideoError, write_lapse
from longwatch.playback import lapse as lapse_module

pytestmark = pytest.mark.slow
SECOND_US = 1_000_000


def shelf(folder: Path) -> Shelf:
    made = Shelf(folder)
    made.write_run(load_clip("lot"))
    return made


def texts(path: Path) -> list[bytes]:
    """Of the timed-text track, each sample's own bytes, without its length."""
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.subtitles[0])
        return [bytes(packet)[2:] for packet in packets if packet.size]


def test_it_is_a_film_of_every_key_picture_asked_for(tmp_path: Path) -> None:
    source, out, told = shelf(tmp_path), tmp_path / "film.mp4", []
    request = LapseRequest(KEY, WALL_US, WALL_US + 12 * SECOND_US, 2 * SECOND_US)
    gap = GapSpan(WALL_US + 3 * SECOND_US, WALL_US + 4 * SECOND_US, Cause.CAMERA_UNREACHABLE)
    made = write_lapse(source, request, out, gaps=[gap], progress=lambda done, of: told.append((done, of)))
    assert told == [(n, 6) for n in range(1, 7)]
    with av.open(str(out)) as container:
        frames = [frame for frame in container.decode(video=0)]
        assert (frames[0].width, frames[0].height) == (768, 432)
        assert float(container.streams.video[0].average_rate or 0) == pytest.approx(25)
    assert len(frames) == made.pictures
    assert 1 < made.pictures <= 6
    assert made.duration_us == made.pictures * 40_000
    said = texts(out)
    assert len(said) == made.pictures
    assert said[0] == b"2026-01-01 00:00:00 UTC" or said[0].startswith(b"2026")
    assert sum(b"no video 2026" in text and b"camera_unreachable" in text for text in said) >= 1
    assert made.gaps == ((gap.from_us, gap.to_us, "camera_unreachable"),)
    assert {path.name for path in tmp_path.iterdir() if ".part" in path.name or ".samples" in path.name} == set()
    assert out.stat().st_size == made.size


def test_a_moment_without_a_new_picture_is_left_out(tmp_path: Path) -> None:
    source = shelf(tmp_path)
    often = write_lapse(source, LapseRequest(KEY, WALL_US, WALL_US + 6 * SECOND_US, 100_000), tmp_path / "a.mp4")
    syncs = {sync for rows in source.fragment_rows.values() for row in rows for sync in (row.start_90k,)}
    assert often.pictures <= len(syncs)
    with pytest.raises(NoVideoError):
        write_lapse(
            source, LapseRequest(KEY, WALL_US - 9 * SECOND_US, WALL_US - SECOND_US, SECOND_US), tmp_path / "b.mp4"
        )
    assert not (tmp_path / "b.mp4").exists()


def test_what_cannot_be_is_refused() -> None:
    for from_us, to_us, every_us in ((5, 5, 1), (0, 5, 0), (0, 10**12, 1)):
        with pytest.raises(UsageError):
            LapseRequest(KEY, from_us, to_us, every_us)


def test_a_child_that_ends_fails_the_film_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dead(*args: object, **kwargs: object) -> subprocess.Popen[bytes]:
        return real([sys.executable, "-c", ""], **kwargs)  # type: ignore[call-overload, no-any-return]

    real = subprocess.Popen
    monkeypatch.setattr(lapse_module.subprocess, "Popen", dead)
    source = shelf(tmp_path)
    before = set(tmp_path.iterdir())
    with pytest.raises(LongwatchError, match="could not be decoded"):
        write_lapse(source, LapseRequest(KEY, WALL_US, WALL_US + SECOND_US, SECOND_US), tmp_path / "c.mp4")
    assert set(tmp_path.iterdir()) == before


def test_hostile_bytes_are_no_picture(tmp_path: Path) -> None:
    with lapse_module._Child(432) as child:
        from longwatch.formats.media import Codec, Kind, TrackFormat

        for codec in (Codec.H264, Codec.H265, Codec.MJPEG):
            track = TrackFormat(Kind.VIDEO, codec, 90_000, b"\xff" * 100, "")
            assert child.encoded(track, b"\x00\x00\x00\x04\x65\xff\xff\xff" * 50) == (False, b"", b"")
