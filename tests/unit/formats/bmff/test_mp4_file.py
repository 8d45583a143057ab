"""Anybody's mp4: the tables of real files, compared with what libav makes of them."""

from __future__ import annotations

import av
import pytest
from tests.support.shelf import MEDIA

from longwatch.formats.bmff import BmffError, Mp4File
from longwatch.formats.bmff.boxes import box


@pytest.mark.parametrize("name", ["lot", "room"])
def test_real_files_as_libav_reads_them(name: str) -> None:
    data = (MEDIA / f"{name}.mp4").read_bytes()
    file = Mp4File.from_bytes(data)
    with av.open(str(MEDIA / f"{name}.mp4"), options={"ignore_editlist": "1"}) as container:
        packets: dict[int, list] = {}
        for packet in container.demux():
            if packet.size:
                packets.setdefault(packet.stream.index, []).append(packet)
    for index, track in enumerate(file.tracks):
        theirs = packets[index]
        assert len(track.samples) == len(theirs)
        shift = theirs[0].dts - track.samples[0].dts
        for sample, packet in zip(track.samples, theirs, strict=True):
            assert (sample.dts + shift, sample.dts + shift + sample.cts_offset) == (packet.dts, packet.pts)
            assert sample.sync == packet.is_keyframe
            assert file.data(sample) == bytes(packet)


def test_what_lies_behind_the_end_of_the_file_is_an_error() -> None:
    data = (MEDIA / "room.mp4").read_bytes()[:100_000]
    file = Mp4File.from_bytes(data)
    with pytest.raises(BmffError, match="ends inside"):
        file.data(file.tracks[0].samples[-1])


@pytest.mark.parametrize("data", [b"", b"not an mp4 at all, but long enough", box(b"ftyp", b"isom"), box(b"moov", b"")])
def test_what_is_no_mp4_is_an_error(data: bytes) -> None:
    with pytest.raises(BmffError):
        Mp4File.from_bytes(data)
