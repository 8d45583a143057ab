"""A progressive header says where each sample lies, below and beyond 4 GiB."""

from __future__ import annotations

import struct
from array import array

import pytest
from tests.support.tracks import VIDEO

from longwatch.formats.bmff import BmffError, Mp4File
from longwatch.formats.bmff.progressive import ProgressiveTrack, SampleTables, progressive_header, run_lengths
from longwatch.formats.media import Kind


def _tables(places: list[tuple[int, list[int]]]) -> SampleTables:
    tables = SampleTables()
    for offset, sizes in places:
        packed = struct.pack(f">{len(sizes)}I", *sizes)
        tables.add_samples(packed, [(len(sizes), 3600)], [(len(sizes), 0)], [0])
        tables.add_chunk(offset, len(sizes), 0)
    return tables


def _track(tables: SampleTables) -> ProgressiveTrack:
    return ProgressiveTrack(Kind.VIDEO, 90_000, (VIDEO.sample_entry,), tables, ((7200, 3600),), 64, 48)


@pytest.mark.parametrize("mdat_bytes", [1000, (1 << 32) - 600, 1 << 32, 9 << 30])
def test_offsets_are_those_of_the_file(mdat_bytes: int) -> None:
    places = [(0, [5, 6]), (400, [7]), (mdat_bytes - 8, [8])]
    header = progressive_header([_track(_tables(places))], mdat_bytes)
    file = Mp4File(lambda offset, size: header[offset : offset + size].ljust(size, b"\0"), len(header) + mdat_bytes)
    base = len(header)
    assert [(s.offset - base, s.size, s.sync) for s in file.tracks[0].samples] == [
        (0, 5, True), (5, 6, False), (400, 7, True), (mdat_bytes - 8, 8, True),
    ]  # fmt: skip
    assert (b"co64" in header) is (mdat_bytes + len(header) > 1 << 32)
    assert file.tracks[0].edits == ((7200, 3600),)
    assert int.from_bytes(header[-8:], "big") == 16 + mdat_bytes


def test_the_last_duration_can_be_set_anew() -> None:
    tables = _tables([(0, [1, 1])])
    tables.set_last_duration(100)
    tables.set_last_duration(100)
    tables.add_samples(bytes(4), [(1, 3600)], [(1, 0)], ())
    tables.add_chunk(2, 1, 0)
    header = progressive_header([_track(tables)], 3)
    file = Mp4File.from_bytes(header + b"abc")
    assert [s.dts for s in file.tracks[0].samples] == [0, 3600, 3700]
    assert tables.duration == 7300


def test_run_lengths() -> None:
    assert run_lengths(array("I", [4, 4, 4])) == [(3, 4)]
    assert run_lengths([1, 1, 2, 1]) == [(2, 1), (1, 2), (1, 1)]
    assert run_lengths([]) == []


def test_a_file_without_tracks_is_no_file() -> None:
    with pytest.raises(BmffError):
        progressive_header([], 0)
