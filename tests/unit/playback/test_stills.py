"""Stills are decoded by a child with limits; its end is never the server's."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest
from tests.support.shelf import KEY, WALL_US, Shelf, load_clip
from tests.support.tracks import visual_entry

from longwatch.base.errors import LongwatchError
from longwatch.formats.media import Codec, Kind, TrackFormat
from longwatch.playback import NoVideoError, Stills
from longwatch.playback.stills import decoder_config


def _size(jpeg: bytes) -> tuple[int, int]:
    with av.open(io.BytesIO(jpeg), format="jpeg_pipe") as container:
        frame = next(container.decode(video=0))
        return frame.width, frame.height


@pytest.mark.slow
async def test_the_picture_of_a_moment(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(load_clip("lot"))
    stills = Stills()
    try:
        still = await stills.still(shelf, KEY, WALL_US + 12_000_000)
        assert still.wall_us == WALL_US + 9_600_000
        assert _size(still.jpeg) == (768, 432)
        assert _size((await stills.still(shelf, KEY, WALL_US + 12_000_000, width=200)).jpeg) == (200, 112)
        with pytest.raises(NoVideoError):
            await stills.still(shelf, KEY, WALL_US - 1)
    finally:
        await stills.aclose()


@pytest.mark.slow
async def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(load_clip("lot"))
    stills = Stills()
    try:
        await stills.still(shelf, KEY, WALL_US)
        child = stills._child
        assert child is not None
        os.kill(child.pid, signal.SIGKILL)
        await child.wait()
        assert (await stills.still(shelf, KEY, WALL_US)).jpeg
    finally:
        await stills.aclose()


@pytest.mark.slow
async def test_one_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(load_clip("lot"))
    stills = Stills(seconds_a_still=0.001)
    try:
        with pytest.raises(LongwatchError, match="could not be decoded"):
            await stills.still(shelf, KEY, WALL_US)
        assert stills._child is None
    finally:
        await stills.aclose()


@pytest.mark.slow
async def test_bytes_that_are_no_picture_are_an_answer(tmp_path: Path) -> None:
    clip = load_clip("lot", audio=False)
    shelf = Shelf(tmp_path)
    shelf.write(clip.tracks, [[(0, 0, 7200, True, b"\0\0\0\4junk" * 50, False)]], run=1, sequence=0, wall_us=WALL_US)
    stills = Stills()
    try:
        with pytest.raises(LongwatchError, match="could not be decoded"):
            await stills.still(shelf, KEY, WALL_US)
        child = stills._child
        assert child is not None
        assert child.returncode is None, "the child lives on"
    finally:
        await stills.aclose()


@pytest.mark.slow
def test_the_child_can_open_nothing() -> None:
    """No file, no socket, no process: after its limits are set no new descriptor can be made."""
    script = """
import socket, subprocess
from longwatch.playback.still_child import limit
limit()
for what in (lambda: open("/etc/passwd"), socket.socket, lambda: subprocess.run(["true"])):
    try:
        what()
    except OSError as error:
        print(error.errno)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30)
    assert done.stdout.split() == ["24", "24", "24"], done.stderr


async def test_a_motion_jpeg_sample_is_the_still(tmp_path: Path) -> None:
    track = TrackFormat(Kind.VIDEO, Codec.MJPEG, 90_000, visual_entry(b"jpeg"), "mp4v.6C", 64, 48)
    shelf = Shelf(tmp_path)
    shelf.write(
        [track], [[(0, 0, 7200, True, b"\xff\xd8 a picture \xff\xd9", False)]], run=1, sequence=0, wall_us=WALL_US
    )
    still = await Stills().still(shelf, KEY, WALL_US + 1)
    assert (still.jpeg, still.wall_us) == (b"\xff\xd8 a picture \xff\xd9", WALL_US)


def test_the_decoder_gets_the_stored_parameter_sets() -> None:
    assert decoder_config(visual_entry(config=b"sets"), b"avcC") == b"sets"
    with pytest.raises(LongwatchError):
        decoder_config(visual_entry(), b"hvcC")
    with pytest.raises(LongwatchError):
        decoder_config(b"short", b"hvcC")
