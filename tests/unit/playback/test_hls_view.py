"""HLS over stored bytes: every part begins with a sync sample, and together they are the stored samples."""

from __future__ import annotations

import io
import re
from pathlib import Path
from urllib.parse import parse_qsl

import av
import pytest
from tests.support.shelf import KEY, WALL_US, Clip, Shelf, load_clip

from longwatch.base.errors import UsageError
from longwatch.formats.bmff import Mp4File
from longwatch.playback import NoVideoError, VideoRequest, open_part, open_playlist

LATER_US = WALL_US + 3600 * 1_000_000


@pytest.fixture(scope="module")
def lot() -> Clip:
    return load_clip("lot")


def _playlist(shelf: Shelf, from_s: float, to_s: float, accounted_s: float = 3600) -> str:
    request = VideoRequest(KEY, WALL_US + round(from_s * 1e6), WALL_US + round(to_s * 1e6))
    return open_playlist(shelf, request, accounted_until_us=WALL_US + round(accounted_s * 1e6))


def _fetch(shelf: Shelf, url: str) -> bytes:
    name, query = url.split("?")
    assert name == "segment.mp4"
    part = open_part(shelf, KEY, dict(parse_qsl(query)))
    data = b"".join(part.chunks())
    assert len(data) == part.size
    return data


def _parts(shelf: Shelf, playlist: str) -> list[tuple[bytes, bytes]]:
    """(initialization segment, media) of each part."""
    found, init = [], b""
    for line in playlist.splitlines():
        if line.startswith("#EXT-X-MAP"):
            init = _fetch(shelf, line.split('"')[1])
        elif line and not line.startswith("#"):
            found.append((init, _fetch(shelf, line)))
    return found


def test_every_part_begins_with_a_sync_sample_and_none_is_lost(tmp_path: Path, lot: Clip) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(lot, segment_90k=500_000)
    played: list[bytes] = []
    heard: list[bytes] = []
    for init, media in _parts(shelf, _playlist(shelf, 0, 40)):
        file = Mp4File.from_bytes(init + media)
        assert file.tracks[0].samples[0].sync
        played += [file.data(s) for s in file.tracks[0].samples]
        heard += [file.data(s) for s in file.tracks[1].samples]
    assert played == [s[4] for s in lot.samples[0]]
    assert heard == [s[4] for s in lot.samples[1] if s[0] * 90_000 // 48_000 < 377 * 7200]


def test_a_part_may_lie_in_two_files(tmp_path: Path) -> None:
    """Where a segment does not begin with a sync sample, its first pictures belong to the part before."""
    clip = load_clip("lot", audio=False)
    shelf = Shelf(tmp_path)
    video = clip.samples[0]
    for sequence, (a, b) in enumerate(((0, 100), (100, 377))):
        shelf.write(clip.tracks, [video[a:b]], run=1, sequence=sequence, wall_us=WALL_US + video[a][0] * 100 // 9)
    played = []
    for init, media in _parts(shelf, _playlist(shelf, 0, 40)):
        file = Mp4File.from_bytes(init + media)
        assert file.tracks[0].samples[0].sync
        played += [(s.dts, file.data(s)) for s in file.tracks[0].samples]
    assert played == [(s[0], s[4]) for s in video]


def test_libav_plays_a_run_of_parts(tmp_path: Path) -> None:
    clip = load_clip("room")
    shelf = Shelf(tmp_path)
    shelf.write_run(clip)
    parts = _parts(shelf, _playlist(shelf, 0, 12))
    with av.open(io.BytesIO(parts[0][0] + b"".join(media for _, media in parts))) as container:
        packets = [p for p in container.demux(video=0) if p.size]
    assert [(p.dts, p.pts) for p in packets] == [(s[0], s[0] + s[1]) for s in clip.samples[0][: len(packets)]]
    assert len(packets) == 119, (
        "what is shown before 12 s: each picture is shown a tenth of a second after its decode time"
    )


def test_a_second_run_is_a_discontinuity_with_its_own_time(tmp_path: Path, lot: Clip) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(lot)
    shelf.write_run(lot, run=2, wall_us=WALL_US + 60_000_000)
    text = _playlist(shelf, 10.5, 70)
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1
    times = re.findall("DATE-TIME:(.*)", text)
    assert times[0] == "2026-01-01T00:00:09.600000Z"
    assert "2026-01-01T00:01:00Z" in times
    assert len(times) == text.count("#EXTINF"), "each part says when it is"
    assert text.count("#EXT-X-MAP") == 1, "the same parameters share an initialization segment"
    assert "#EXT-X-START:TIME-OFFSET=0.880000,PRECISE=YES" in text


def test_a_change_of_parameters_has_its_own_map(tmp_path: Path, lot: Clip) -> None:
    shelf = Shelf(tmp_path)
    shelf.write_run(lot)
    shelf.write_run(load_clip("room"), run=2, wall_us=WALL_US + 31_000_000)
    assert _playlist(shelf, 0, 70).count("#EXT-X-MAP") == 2


def test_a_playlist_that_goes_on_only_grows(tmp_path: Path, lot: Clip) -> None:
    """While `to` lies ahead there is no end, and what was listed stays as it was."""
    shelf = Shelf(tmp_path)
    shelf.write_run(lot)
    before: list[str] = []
    for accounted_s in (8, 12, 20, 30, 31):
        text = _playlist(shelf, 0, 3000, accounted_s)
        assert "ENDLIST" not in text
        lines = [line for line in text.splitlines() if line.startswith("segment")]
        assert lines[: len(before)] == before
        before = lines
    assert len(before) == 6
    assert "#EXT-X-ENDLIST" in _playlist(shelf, 0, 30, 31)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"part": "media", "run": "1", "from": "0", "to": "1", "start": "0", "end": str(1 << 50)},
        {"part": "media", "run": "1", "from": "0", "to": "1", "start": "9", "end": "3"},
        {"part": "media", "run": "-1", "from": "0", "to": "1", "start": "0", "end": "3"},
        {"part": "init", "run": "1", "from": "１", "sequence": "0"},
        {"part": "../secret", "run": "1", "from": "0"},
    ],
)
def test_urls_we_never_made_are_refused(tmp_path: Path, params: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        open_part(Shelf(tmp_path), KEY, params)


def test_a_part_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NoVideoError):
        open_part(Shelf(tmp_path), KEY, {"part": "init", "run": "1", "from": "0", "sequence": "0"})
    with pytest.raises(NoVideoError):
        open_part(Shelf(tmp_path), KEY, {"part": "media", "run": "1", "from": "0", "to": "1", "start": "0", "end": "9"})
