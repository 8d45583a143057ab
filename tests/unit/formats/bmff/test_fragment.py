"""Fragments as the standard says them, read back by our own scanner and, in test_players, by others."""

from __future__ import annotations

import struct
import timeit
import tracemalloc

import pytest
from tests.support.tracks import audio_samples, video_samples

from longwatch.formats.bmff import GUARD_BYTES, LIFTED, StoredSample, fragment, guard, live_chunk, scan_fragments
from longwatch.formats.bmff.fragment import DELTA_FLAGS, SYNC_FLAGS, fragment_head


def test_the_bytes_of_a_small_fragment() -> None:
    parts = fragment(
        9, [(0, [StoredSample(90_000, 3600, 7200, True, b"abc"), StoredSample(97_200, 0, 7100, False, b"d")])]
    )
    assert parts[1:] == [b"abc", b"d"]
    assert parts[0] == b"".join(
        [
            struct.pack(">I4s", 120, b"moof"), struct.pack(">I4sII", 16, b"mfhd", 0, 9), struct.pack(">I4s", 96, b"traf"),
            struct.pack(">I4sII", 16, b"tfhd", 0x020000, 1), struct.pack(">I4sIQ", 20, b"tfdt", 1 << 24, 90_000),
            struct.pack(">I4sIIi", 52, b"trun", 0x01000F01, 2, 128),
            struct.pack(">IIIi", 7200, 3, SYNC_FLAGS, 3600), struct.pack(">IIIi", 7100, 1, DELTA_FLAGS, 0),
            struct.pack(">I4s", 12, b"mdat"),
        ]
    )  # fmt: skip


def _scan(data: bytes) -> list:
    return list(scan_fragments(lambda offset, size: data[offset : offset + size], 0, len(data)))


def test_tracks_keep_their_own_samples() -> None:
    video, audio = video_samples(17), audio_samples(30)
    data = b"".join(fragment(1, [(0, video), (1, audio)]))
    (found,) = _scan(data)
    assert (found.offset, found.size, found.sequence) == (0, len(data), 1)
    for run, samples in zip(found.runs, (video, audio), strict=True):
        at = run.data_offset
        for size, stored in zip(run.sizes, samples, strict=True):
            assert data[at : at + size] == stored[4]
            at += size
        assert list(run.durations) == [s[2] for s in samples]
    assert found.video_times() == (0, 17 * 7200, (0, 5 * 7200, 10 * 7200, 15 * 7200))


def test_a_picture_that_is_shown_before_it_is_decoded_keeps_its_sign() -> None:
    head = fragment(1, [(0, [StoredSample(7200, -7200, 7200, False, b"x")])])[0]
    assert struct.unpack(">i", head[-12:-8]) == (-7200,)


def test_fragments_of_every_length_leave_next_to_nothing_in_memory() -> None:
    """What is kept for each number of samples: a recorder meets new ones for days."""
    heads = [[(0, 0, [0] * (4 * count), 0)] for count in range(1, 512)]
    tracemalloc.start()
    try:
        for head in heads:
            fragment_head(1, head, 0)
        assert tracemalloc.get_traced_memory()[0] < 1 << 20  # 330 kB; 18 MB with a format that is written out
    finally:
        tracemalloc.stop()


def test_a_gap_stays_a_gap() -> None:
    """Where a sample does not begin where the last one ended a new traf says so; no sample is lengthened."""
    early, late = video_samples(3), video_samples(2, start=900_000)
    (found,) = _scan(b"".join(fragment(1, [(0, early + late)])))
    assert [(run.dts, list(run.durations)) for run in found.runs] == [(0, [7200] * 3), (900_000, [7200] * 2)]


def test_damaged_samples_are_marked() -> None:
    (found,) = _scan(b"".join(fragment(1, [(0, [(0, 0, 1, True, b"x", True), (1, 0, 1, False, b"y", False)])])))
    assert list(found.runs[0].flags) == [SYNC_FLAGS | 1, DELTA_FLAGS]


def test_a_live_chunk_is_a_fragment_of_one_sample() -> None:
    chunk = live_chunk(3, 0, 1 << 40, 3600, 7200, True, b"picture")
    (found,) = _scan(chunk)
    assert (found.runs[0].dts, list(found.runs[0].cts_offsets)) == (1 << 40, [3600])
    assert chunk.endswith(b"picture")


@pytest.mark.slow
def test_it_is_quick_enough_for_two_hundred_cameras() -> None:
    """Aim: 60 us for the 17 samples of a tick. The limit here is ten times that, for slow machines."""
    samples = video_samples(17)
    assert min(timeit.repeat(lambda: fragment(1, [(0, samples)]), number=200, repeat=5)) / 200 < 600e-6


@pytest.mark.parametrize("size", range(1, 10))
def test_what_is_stored_ends_at_a_multiple_of_eight(size: int) -> None:
    samples = [StoredSample(0, 0, 3600, True, b"x" * size), StoredSample(3600, 0, 3600, False, b"yz")]
    data = b"".join(fragment(1, [(0, samples)], stored=True))
    (found,) = _scan(data)
    assert len(data) % GUARD_BYTES == 0
    assert found.size == len(data)
    assert list(found.runs[0].sizes) == [size, 2]


def test_a_fragment_is_found_behind_its_guard_lifted_or_not() -> None:
    body = b"".join(fragment(1, [(0, video_samples(17))], stored=True))
    for head in (guard(len(body)), LIFTED + b"free"):
        (found,) = _scan(head + body)
        assert (found.offset, found.size) == (GUARD_BYTES, len(body))
        at = found.runs[0].data_offset
        assert (head + body)[at : at + found.runs[0].sizes[0]] == video_samples(1)[0][4]
