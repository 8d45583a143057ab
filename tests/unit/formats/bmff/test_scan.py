"""Files that a power cut tore: what is whole is found, and nothing else."""

from __future__ import annotations

import struct

import pytest
from tests.support.tracks import AUDIO, IDENTITY, VIDEO, audio_samples, video_samples

from longwatch.formats.bmff import (
    BmffError,
    Mp4File,
    closing,
    fragment,
    parse_closing,
    scan_fragments,
    segment_header,
    whole_fragments,
)
from longwatch.formats.bmff.boxes import Box, box, parse_box, top_level
from longwatch.formats.bmff.scan import Defaults, parse_moof

HEADER = segment_header(IDENTITY, [VIDEO, AUDIO])


def _file() -> tuple[bytes, list[int]]:
    """A small segment and where its fragments end."""
    data, ends = HEADER, []
    for n in range(3):
        runs = [(0, video_samples(4, start=n * 28_800)), (1, audio_samples(6, start=n * 15_360))]
        data += b"".join(fragment(n, runs))
        ends.append(len(data))
    return data, ends


def test_torn_at_every_byte_it_is_cut_back_to_the_last_whole_fragment() -> None:
    data, ends = _file()
    for size in range(len(HEADER), len(data) + 1):
        torn = data[:size]
        found = whole_fragments(lambda o, s, d=torn: d[o : o + s], len(HEADER), size, (90_000, 48_000))
        whole = [end for end in ends if end <= size]
        assert found.end == (whole[-1] if whole else len(HEADER))
        assert [f.offset + f.size for f in found.fragments] == whole


def test_a_file_longer_than_its_bytes_is_torn_too() -> None:
    """After a cut a file may be as long as it was, with zeros where the data never came."""
    data, ends = _file()
    for end in range(ends[0], ends[2], 7):
        holed = data[:end] + bytes(len(data) - end)
        found = whole_fragments(lambda o, s, d=holed: d[o : o + s], len(HEADER), len(holed), (90_000, 48_000))
        assert found.end >= max(e for e in ends if e <= end)


def test_the_closing_box_ends_the_scan() -> None:
    data, ends = _file()
    sealed = data + closing((), b"")
    assert parse_closing(sealed) is not None
    found = list(scan_fragments(lambda o, s: sealed[o : o + s], len(HEADER), len(sealed)))
    assert [f.offset + f.size for f in found] == ends


def test_every_torn_file_opens_in_our_own_reader() -> None:
    data, _ = _file()
    for size in range(len(HEADER), len(data), 11):
        file = Mp4File.from_bytes(data[:size])
        assert [t.kind for t in file.tracks] == ["video", "audio"]


def test_a_fragment_of_a_track_the_header_does_not_have_is_not_whole() -> None:
    data = HEADER + b"".join(fragment(0, [(2, video_samples(1))]))
    found = whole_fragments(lambda o, s: data[o : o + s], len(HEADER), len(data), (90_000, 48_000))
    assert found.end == len(HEADER)


def test_samples_outside_their_mdat_are_not_whole() -> None:
    data = bytearray(b"".join(fragment(0, [(0, video_samples(2))])))
    at = data.index(b"trun") + 12
    data[at : at + 4] = struct.pack(">i", 4000)
    assert list(scan_fragments(lambda o, s: bytes(data[o : o + s]), 0, len(data))) == []


def _moof(*boxes: bytes) -> tuple[bytes, Box]:
    data = box(b"moof", *boxes)
    found = parse_box(data, 0, len(data))
    assert found is not None
    return data, found


def test_a_moof_of_others_takes_what_it_does_not_say_from_trex() -> None:
    """tfhd without defaults, trun without sizes, first-sample-flags, no tfdt: as GPAC and others write."""
    trun = box(b"trun", struct.pack(">IIiI", 0x000005, 3, 100, 0x02000000))
    data, moof = _moof(box(b"traf", box(b"tfhd", struct.pack(">II", 0, 5)), trun))
    next_dts = {5: 700}
    _, (run,) = parse_moof(data, moof, 50, {5: Defaults(10, 4, 0x01010000)}, next_dts, 1 << 20)
    assert (run.dts, run.data_offset, list(run.sizes), list(run.durations)) == (700, 150, [4, 4, 4], [10, 10, 10])
    assert list(run.flags) == [0x02000000, 0x01010000, 0x01010000]
    assert next_dts == {5: 730}


@pytest.mark.parametrize(
    "trun",
    [
        struct.pack(">II", 0, 1 << 30),  # a count that its body cannot hold, of samples without size
        struct.pack(">III", 0x000200, 1, 0xFFFFFFFF),  # more media than there is
        struct.pack(">IIi", 0x000001, 1, -(1 << 31)),  # data before the file
    ],
)
def test_claims_that_cannot_be_are_errors(trun: bytes) -> None:
    data, moof = _moof(box(b"traf", box(b"tfhd", struct.pack(">II", 0x020000, 1)), box(b"trun", trun)))
    with pytest.raises(BmffError):
        parse_moof(data, moof, 0, {1: Defaults(1, 1, 0)}, {}, 1 << 20)


def test_top_level_boxes_of_a_torn_file_end_quietly() -> None:
    data, _ = _file()
    kinds = [found.kind for found, _ in top_level(lambda o, s: data[o : o + s][:-1], 0, len(data))]
    assert kinds[:3] == [b"ftyp", b"uuid", b"free"]
