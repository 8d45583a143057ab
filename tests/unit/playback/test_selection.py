"""Which samples a file begins with: pictures that refer to what is not there are left out."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from tests.support.shelf import KEY, WALL_US, Shelf
from tests.support.tracks import VIDEO, video_samples, visual_entry

from longwatch.formats.bmff import Mp4File, Stored
from longwatch.formats.media import Codec
from longwatch.playback import NoVideoError, VideoRequest, open_video

CRA, RASL, RADL, TRAIL, IDR = 21, 8, 6, 1, 19
H265 = dataclasses.replace(VIDEO, codec=Codec.H265, sample_entry=visual_entry(b"hvc1"), codec_string="hvc1.1.6.L93.B0")


def _access_unit(kind: int, number: int) -> bytes:
    """A prefix SEI (39), then a slice of `kind`."""
    nals = (bytes([39 << 1, 1, 0xFF]), bytes([kind << 1, 1, number]))
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)


def _group(kinds: list[tuple[int, int]], start: int) -> list[Stored]:
    """Samples of (NAL type, display place) in decode order, 3600 apart, shown two pictures later."""
    return [
        ((start + n) * 3600, (place - n + 2) * 3600, 3600, kind in {CRA, IDR}, _access_unit(kind, start + n), False)
        for n, (kind, place) in enumerate(kinds)
    ]


def _numbers(shelf: Shelf, from_us: int) -> list[int]:
    request = VideoRequest(KEY, WALL_US + from_us, WALL_US + 60_000_000)
    data = b"".join(open_video(shelf, request, accounted_until_us=WALL_US + 10**9).chunks())
    file = Mp4File.from_bytes(data)
    return [file.data(s)[-1] for s in file.tracks[0].samples]


OPEN_GROUP = [(CRA, 2), (RASL, 0), (RASL, 1), (TRAIL, 3), (TRAIL, 4)]


def test_rasl_pictures_behind_a_leading_cra_are_dropped(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    samples = _group(OPEN_GROUP, 0) + _group(OPEN_GROUP, 5)
    shelf.write([H265], [samples], run=1, sequence=0, wall_us=WALL_US)
    assert _numbers(shelf, 0) == [0, 3, 4, 5, 6, 7, 8, 9], "only those of the CRA that the file begins with"


def test_radl_pictures_and_those_of_an_idr_stay(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    samples = _group([(CRA, 1), (RADL, 0), (TRAIL, 2)], 0)
    shelf.write([H265], [samples], run=1, sequence=0, wall_us=WALL_US)
    assert _numbers(shelf, 0) == [0, 1, 2]


def test_a_leading_picture_is_shown_from_the_group_before(tmp_path: Path) -> None:
    """At `from` a RASL picture is on the screen: it needs the sync sample before its own CRA."""
    shelf = Shelf(tmp_path)
    samples = _group(OPEN_GROUP, 0) + _group(OPEN_GROUP, 5)
    shelf.write([H265], [samples], run=1, sequence=0, wall_us=WALL_US)
    assert _numbers(shelf, (5 + 2) * 40_000 + 1000)[0] == 0
    assert _numbers(shelf, (5 + 2 + 2) * 40_000 + 1000)[0] == 5


def test_a_run_without_a_sync_sample_has_nothing_to_show(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.write([VIDEO], [[(*s[:3], False, *s[4:]) for s in video_samples(5)]], run=1, sequence=0, wall_us=WALL_US)
    with pytest.raises(NoVideoError):
        _numbers(shelf, 0)


def test_what_comes_before_the_first_sync_sample_is_left_out(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    samples = [(*s[:3], n == 3, s[4], False) for n, s in enumerate(video_samples(8))]
    shelf.write([VIDEO], [samples], run=1, sequence=4, wall_us=WALL_US)
    assert _numbers(shelf, 0) == [3, 4, 5, 6, 7]
