"""A real H.265 stream with open groups of pictures, cut anywhere, decodes without a picture that refers to nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.moving import moving_clip
from tests.support.played import play
from tests.support.shelf import KEY, WALL_US, Clip, Shelf

from longwatch.playback import Stills, VideoRequest, open_video

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clip() -> tuple[Clip, list[str]]:
    """Samples as a camera would send them, and every picture in order of display."""
    return moving_clip("libx265")


def test_it_has_pictures_that_refer_over_a_sync_sample(clip: tuple[Clip, list[str]]) -> None:
    kinds = [s[4][4] >> 1 & 0x3F for s in clip[0].samples[0]]
    assert kinds.count(21) >= 3
    assert {8, 9} & set(kinds)


@pytest.mark.parametrize("shown", [0, 11, 13, 23, 24, 25, 30, 47])
def test_from_any_picture_on(tmp_path: Path, clip: tuple[Clip, list[str]], shown: int) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(clip[0], segment_90k=60_000)
    first_us = (clip[0].samples[0][0][1]) * 100 // 9
    request = VideoRequest(KEY, WALL_US + first_us + shown * 40_000 + 10_000, WALL_US + 10_000_000)
    played = play(b"".join(open_video(shelf, request, accounted_until_us=WALL_US + 10**9).chunks()))
    assert played.pictures == clip[1][shown:]
    assert played.damaged == 0


def test_after_a_lost_beginning(tmp_path: Path, clip: tuple[Clip, list[str]]) -> None:
    """The first sync sample that there is refers back: what was to be shown before it is left out."""
    shelf = Shelf(tmp_path)
    samples = clip[0].samples[0]
    start = next(n for n, s in enumerate(samples) if n and s[3])
    shelf.write(clip[0].tracks, [samples[start:]], run=1, sequence=3, wall_us=WALL_US)
    request = VideoRequest(KEY, WALL_US, WALL_US + 10_000_000)
    played = play(b"".join(open_video(shelf, request, accounted_until_us=WALL_US + 10**9).chunks()))
    assert played.damaged == 0
    assert played.pictures == clip[1][12:]


async def test_a_still_of_a_cra(tmp_path: Path, clip: tuple[Clip, list[str]]) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(clip[0], segment_90k=60_000)
    stills = Stills()
    try:
        still = await stills.still(shelf, KEY, WALL_US + 900_000)
    finally:
        await stills.aclose()
    assert still.wall_us == WALL_US + 14 * 40_000
    assert still.jpeg[:2] == b"\xff\xd8"
