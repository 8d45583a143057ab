"""A looped file has no seam: times go on, audio keeps its grid, sync samples are where they were."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import av
import pytest

from longwatch.base.errors import UsageError
from longwatch.formats.media import Codec, Kind
from longwatch.simulate.camera import LOT, ROOM
from longwatch.simulate.clip import load


def times(track, first: int, last: int) -> list[int]:
    return [unit.dts + add for unit, add in map(track.at, range(first, last))]


def test_the_shipped_clips_are_what_they_say():
    lot, room = load(LOT), load(ROOM)
    assert [t.codec for t in lot.tracks] == [Codec.H264, Codec.AAC]
    assert [t.codec for t in room.tracks] == [Codec.H264]
    assert len(lot.video.units) == 377
    assert any(unit.pts != unit.dts for unit in room.video.units)
    assert all(unit.pts == unit.dts for unit in lot.video.units)


@pytest.mark.parametrize("path", [LOT, ROOM])
def test_time_goes_on_over_the_seam(path):
    for track in load(path).tracks:
        around = len(track.units)
        found = times(track, around * 3 - 50, around * 3 + 50)
        steps = {b - a for a, b in itertools.pairwise(found)}
        assert len(steps) == 1
        assert steps.pop() > 0


@pytest.mark.parametrize("path", [LOT, ROOM])
def test_a_place_in_time_is_found_again(path):
    for track in load(path).tracks:
        for number in (0, 1, 100, 376, 377, 378, 5000):
            (unit, add) = track.at(number)
            assert track.number_at(unit.dts + add) == number
            assert track.number_at(unit.dts + add - 1) == number


def test_a_sync_sample_is_found_at_or_before():
    video = load(LOT).video
    for ticks in (0, 1, 90_000 * 4, 90_000 * 5, video.loop - 1, video.loop, video.loop * 7 + 12345):
        number = video.sync_before(ticks)
        unit, add = video.at(number)
        assert unit.sync
        assert unit.dts + add <= ticks
        between = range(number + 1, video.number_at(ticks + 1))
        assert not any(video.at(n)[0].sync for n in between)


def test_audio_and_video_loop_together():
    video, audio = load(LOT).tracks
    assert audio.kind is Kind.AUDIO
    hour = 3600
    at_audio = audio.at(audio.number_at(hour * audio.rate))[0].dts / audio.rate
    at_video = video.at(video.number_at(hour * video.rate))[0].dts / video.rate
    assert abs(at_audio - at_video) < 0.1


@pytest.mark.parametrize("content", [b"", b"no mp4", b"\0\0\0\x08moov", LOT.read_bytes()[:5000]])
def test_what_is_no_clip_is_refused_in_words(tmp_path, content):
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"H\.264 or H\.265"):
        load(path)
    with pytest.raises(UsageError, match="nowhere"):
        load(tmp_path / "nowhere.mp4")


@pytest.mark.parametrize(("encoder", "codec"), [("pcm_mulaw", Codec.PCMU), ("pcm_alaw", Codec.PCMA)])
def test_g711_is_sent_in_packets_of_20_ms(tmp_path: Path, encoder: str, codec: Codec):
    path = tmp_path / f"{encoder}.mov"  # a name of its own: a loaded file is remembered by its path
    with av.open(str(ROOM)) as source, av.open(str(path), "w", format="mov") as out:
        video = out.add_stream_from_template(source.streams.video[0])
        audio = out.add_stream(encoder, rate=8000)
        assert isinstance(audio, av.AudioStream)
        audio.layout = "mono"
        for packet in itertools.islice(source.demux(source.streams.video[0]), 20):
            packet.stream = video
            out.mux(packet)
        frame = av.AudioFrame(format="s16", layout="mono", samples=8000)
        frame.sample_rate, frame.pts, frame.time_base = 8000, 0, Fraction(1, 8000)
        frame.planes[0].update(bytes(range(250)) * 64)
        out.mux(audio.encode(frame))
        out.mux(audio.encode(None))
    track = load(path).tracks[1]
    assert (track.codec, track.rate, track.grid, len(track.units)) == (codec, 8000, 160, 50)
    assert {len(unit.data) for unit in track.units} == {160}
    assert times(track, 0, 3) == [0, 160, 320]
