"""Of an open segment only what was appended is scanned, and nothing that was handed out changes by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.shelf import KEY, WALL_US, Shelf, load_clip

from longwatch.playback.stills import find_row
from longwatch.playback.tables import SegmentTable, TableCache


def _columns(table: SegmentTable) -> list[object]:
    return [
        None if each is None else (each.sizes, each.flags, each.durations, each.pts, each.breaks, each.chunk_offsets)
        for each in table.tracks
    ]


@pytest.mark.parametrize("clip", ["lot", "room"])
def test_an_open_segment_is_scanned_from_where_it_ended(tmp_path: Path, clip: str) -> None:
    shelf, cache = Shelf(tmp_path), TableCache()
    loaded = load_clip(clip)
    whole = shelf.write(loaded.tracks, loaded.samples, run=1, sequence=0, wall_us=WALL_US, sealed=False)
    ends = [each.offset + each.size for each in shelf.fragments(whole)]
    assert len(ends) > 8
    given, reads = [], []
    for end in ends[2:]:
        before, row = shelf.reads, replace(whole, durable_bytes=end)
        table = cache.table(shelf, row)
        reads.append(shelf.reads - before)
        alone = TableCache().table(shelf, row)
        assert _columns(table) == _columns(alone)
        given.append((table, alone))
    assert max(reads[1:]) <= 3, "the header, and one or two of the fragment that is new"
    for table, alone in given:
        assert _columns(table) == _columns(alone), "what was handed out stays as it was"


def test_one_that_was_cut_back_is_scanned_anew(tmp_path: Path) -> None:
    shelf, cache = Shelf(tmp_path), TableCache()
    loaded = load_clip("lot")
    whole = shelf.write(loaded.tracks, loaded.samples, run=1, sequence=0, wall_us=WALL_US, sealed=False)
    shorter = replace(whole, durable_bytes=shelf.fragments(whole)[1].offset)
    cache.table(shelf, whole)
    assert _columns(cache.table(shelf, shorter)) == _columns(TableCache().table(shelf, shorter))


@pytest.mark.parametrize("clip", ["lot", "room"])
def test_a_picture_of_an_open_segment_is_found_in_the_fragments_around_it(tmp_path: Path, clip: str) -> None:
    """The same sample by sample as in the sealed one, of which the whole table is read."""
    loaded = load_clip(clip)
    (tmp_path / "sealed").mkdir()
    shelf, sealed = Shelf(tmp_path), Shelf(tmp_path / "sealed")
    row = shelf.write(loaded.tracks, loaded.samples, run=1, sequence=0, wall_us=WALL_US, sealed=False)
    sealed.write(loaded.tracks, loaded.samples, run=1, sequence=0, wall_us=WALL_US)
    cache, reads = TableCache(), []
    for at_us in range(WALL_US + 500_000, row.wall_end_us + 2_000_000, 170_000):
        before = shelf.reads
        wall_us, format_, samples = find_row(shelf, TableCache(), KEY, at_us)
        reads.append(shelf.reads - before - len(samples))
        assert (wall_us, format_, samples) == find_row(sealed, cache, KEY, at_us)
    assert sorted(reads)[len(reads) // 2] < len(shelf.fragments(row)) // 2, "not the whole of it, as a rule"
