"""Stills are decoded by a child with limits; its end is never the server's."""

from __future__ import annotations

import asyncio
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
from longwatch.model.sessions import StreamKey
from longwatch.pictures import SlotsFullError
from longwatch.playback import NoVideoError, Stills
from longwatch.playback.stills import MOST_WAITING, decoder_config


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
from longwatch.pictures.still_child import limit
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


class _Slow(Stills):
    """Its child takes as long as it is told to, and no process is there."""

    def __init__(self) -> None:
        super().__init__(seconds_a_still=0.2)
        self.takes_s = self.starts_s = 0.0
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def _running(self) -> None:  # type: ignore[override]  # nobody is there
        await asyncio.sleep(self.starts_s)

    async def _ask(self, _child: object, _request: bytes) -> tuple[int, bytes]:
        self.asked += 1
        await self.gate.wait()
        await asyncio.sleep(self.takes_s)
        return 0, b"jpeg"


MJPEG = TrackFormat(Kind.VIDEO, Codec.MJPEG, 90_000, b"", "")


async def test_a_camera_whose_pictures_take_too_long_is_no_delay_of_others() -> None:
    stills, bad, good = _Slow(), StreamKey("bad", "main"), StreamKey("good", "main")
    stills.takes_s = 10.0
    for _ in range(2):
        with pytest.raises(LongwatchError, match="could not be decoded"):
            await stills.decoded(MJPEG, b"x", 0, bad)
    asked, stills.takes_s = stills.asked, 0.0
    for _ in range(5):
        with pytest.raises(LongwatchError, match="could not be decoded") as refused:
            await stills.decoded(MJPEG, b"x", 0, bad)
        assert "take too long" in refused.value.why
    assert stills.asked == asked, "the child is not even asked"
    assert await stills.decoded(MJPEG, b"x", 0, good) == b"jpeg"
    assert await stills.decoded(MJPEG, b"x", 0) == b"jpeg"  # of no camera that is set up: one that is only tried


async def test_one_slow_picture_is_forgiven() -> None:
    stills, key = _Slow(), StreamKey("gate", "main")
    for takes_s in (10.0, 0.0, 10.0, 0.0):
        stills.takes_s = takes_s
        if takes_s:
            with pytest.raises(LongwatchError):
                await stills.decoded(MJPEG, b"x", 0, key)
        else:
            assert await stills.decoded(MJPEG, b"x", 0, key) == b"jpeg"


async def test_a_child_that_starts_slowly_makes_its_picture_all_the_same() -> None:
    stills, key = _Slow(), StreamKey("gate", "main")
    stills.starts_s = 0.3  # longer than a still may take
    for _ in range(3):
        assert await stills.decoded(MJPEG, b"x", 0, key) == b"jpeg"


async def test_those_who_wait_for_a_picture_are_bounded() -> None:
    stills = _Slow()
    stills._seconds = 60.0
    stills.gate.clear()
    waiting = [asyncio.ensure_future(stills.decoded(MJPEG, b"x", 0)) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(SlotsFullError):
        await stills.decoded(MJPEG, b"x", 0)
    stills.gate.set()
    assert await asyncio.gather(*waiting) == [b"jpeg"] * MOST_WAITING
    assert await stills.decoded(MJPEG, b"x", 0) == b"jpeg"


@pytest.mark.slow
async def test_the_child_is_not_told_what_the_server_was_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment may hold cameras' passwords, and the child meets bytes that anybody made."""
    monkeypatch.setenv("GATE_PASSWORD", "canary-in-the-environment")
    shelf = Shelf(tmp_path)
    shelf.write_run(load_clip("lot"))
    stills = Stills()
    try:
        await stills.still(shelf, KEY, WALL_US)
        assert stills._child is not None
        environment = Path(f"/proc/{stills._child.pid}/environ").read_bytes()
        score = Path(f"/proc/{stills._child.pid}/oom_score_adj").read_text()
    finally:
        await stills.aclose()
    assert b"PATH=" in environment
    assert int(score) >= 800, "where memory ends, it goes first"
    assert b"canary" not in environment
