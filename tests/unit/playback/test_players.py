"""Segment files, sealed, open or torn, are opened by a player that nobody here wrote."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.support.played import play
from tests.support.shelf import Shelf, load_clip

from longwatch.formats.bmff import guard, live_chunk, live_init


@pytest.mark.parametrize("name", ["lot", "room"])
def test_a_sealed_segment_holds_every_sample_with_its_times(tmp_path: Path, name: str) -> None:
    clip = load_clip(name)
    (row,) = Shelf(tmp_path).write_run(clip, segment_90k=1 << 60)
    played = play(Path(row.path).read_bytes(), decode=False)
    for kind, samples in zip(("video", "audio"), clip.samples, strict=False):
        assert [(p[0], p[1], p[2]) for p in played.packets[kind]] == [(s[0], s[0] + s[1], s[3]) for s in samples]


def test_an_open_and_a_torn_segment_play_up_to_the_last_whole_fragment(tmp_path: Path) -> None:
    clip = load_clip("lot")
    shelf = Shelf(tmp_path)
    (row,) = shelf.write_run(clip, segment_90k=1 << 60, last_open=True)
    data = Path(row.path).read_bytes()
    ends = [f.offset + f.size for f in shelf.fragments(row)]
    for size in (len(data), ends[20], ends[20] + 3, ends[20] + 4000, ends[0]):
        fragments = sum(end <= size for end in ends)
        whole = sum(1 for s in clip.samples[0] if s[0] < 63_000 * fragments)
        played = play(data[:size], decode=False)
        # libav also gives what stands whole in the mdat of a torn fragment
        assert len(played.packets.get("video", [])) >= whole


@pytest.mark.slow
def test_no_tear_of_what_was_not_flushed_hides_what_was(tmp_path: Path) -> None:
    """docs/adr/0007: each sector of an unflushed tail may be there or not; players still find all that was acknowledged."""
    clip = load_clip("lot")
    shelf = Shelf(tmp_path)
    (row,) = shelf.write_run(clip, segment_90k=1 << 60, last_open=True)
    fragments = shelf.fragments(row)
    data = Path(row.path).read_bytes()
    acknowledged = data[: fragments[4].offset + fragments[4].size]
    packets = len(play(acknowledged, decode=False).packets["video"])
    assert packets > 0
    last = fragments[5]
    tail = guard(last.size) + data[last.offset : last.offset + last.size]
    rng = random.Random(7)
    first_sector = 512 - len(acknowledged) % 512
    cuts = [0, *range(first_sector, min(len(tail), first_sector + 5 * 512), 512), len(tail)]
    for kept in cuts:
        for size in (kept, len(tail)):  # the length may have become durable before the bytes
            torn = (tail[:kept] + bytes(len(tail)))[:size]
            assert len(play(acknowledged + torn, decode=False).packets["video"]) >= packets, (kept, size)
    for _ in range(60):
        torn = bytearray(tail)
        for sector in range(-first_sector, len(tail), 512):
            if rng.random() < 0.5:
                a, b = max(0, sector), min(len(tail), sector + 512)
                torn[a:b] = bytes(max(0, b - a))
        assert len(play(acknowledged + bytes(torn), decode=False).packets["video"]) >= packets


def test_live_chunks_make_a_stream() -> None:
    clip = load_clip("lot", audio=False)
    data = live_init(clip.tracks)
    for n, (dts, cts, duration, sync, sample, _) in enumerate(clip.samples[0][:100]):
        data += live_chunk(n, 0, dts, cts, duration, sync, sample)
    played = play(data)
    assert len(played.shown) == 100
    assert played.damaged == 0
