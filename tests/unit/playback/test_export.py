"""An export is the file that video.mp4 would be, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.shelf import KEY, WALL_US, Shelf, load_clip

from longwatch.base.errors import LongwatchError
from longwatch.playback import VideoRequest, export, open_video

REQUEST = VideoRequest(KEY, WALL_US + 5_000_000, WALL_US + 50_000_000)
UNTIL = {"accounted_until_us": WALL_US + 3600 * 1_000_000}


def _shelf(folder: Path) -> Shelf:
    shelf = Shelf(folder)
    clip = load_clip("lot")
    shelf.write_run(clip)
    shelf.write_run(clip, run=2, wall_us=WALL_US + 40_000_000)
    return shelf


def test_it_writes_what_a_player_would_get(tmp_path: Path) -> None:
    shelf = _shelf(tmp_path)
    told: list[tuple[int, int]] = []
    result = export(
        shelf, REQUEST, tmp_path / "out.mp4", **UNTIL, progress=lambda done, whole: told.append((done, whole))
    )
    video = open_video(shelf, REQUEST, **UNTIL)
    assert (tmp_path / "out.mp4").read_bytes() == b"".join(video.chunks())
    assert result.size == video.size == told[-1][0] == told[-1][1]
    assert result.gaps == ((WALL_US + 30_160_000, WALL_US + 40_000_000, "unknown"),)
    assert result.from_us == WALL_US + 4_960_000


def test_what_was_begun_goes_and_an_older_file_stays(tmp_path: Path) -> None:
    shelf = _shelf(tmp_path)
    out = tmp_path / "exports"
    out.mkdir()
    (out / "out.mp4").write_bytes(b"older")
    Path(shelf.rows[2].path).unlink()
    with pytest.raises(LongwatchError):
        export(shelf, REQUEST, out / "out.mp4", **UNTIL)
    assert [p.name for p in out.iterdir()] == ["out.mp4"]
    assert (out / "out.mp4").read_bytes() == b"older"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LongwatchError, match="cannot write"):
        export(_shelf(tmp_path), REQUEST, tmp_path / "no" / "out.mp4", **UNTIL)
