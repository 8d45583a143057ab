"""Of an open segment only what was appended is scanned, and nothing that was handed out changes by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.shelf import WALL_US, Shelf, load_clip

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
