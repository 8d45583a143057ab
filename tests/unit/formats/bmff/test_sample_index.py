"""The packed sample index holds every sample's place and times in a few bytes each."""

from __future__ import annotations

import random

import pytest
from tests.support.tracks import audio_samples, video_samples

from longwatch.formats.bmff import (
    BmffError,
    IndexBuilder,
    fragment,
    pack_sample_index,
    unpack_sample_index,
    whole_fragments,
)


def _segment() -> tuple[bytes, IndexBuilder]:
    """Three fragments of two tracks, with a gap in the video before the last."""
    data, index = b"x" * 100, IndexBuilder([90_000, 48_000])
    for n, start in enumerate((0, 36_000, 400_000)):
        runs = [(0, video_samples(5, start=start)), (1, audio_samples(20, start=start * 48 // 90))]
        parts = fragment(n, runs)
        index.add(len(data), len(parts[0]), runs)
        data += b"".join(parts)
    return data, index


def test_it_survives_packing() -> None:
    _, index = _segment()
    assert unpack_sample_index(index.pack()) == index.index


def test_the_recorder_and_a_scan_of_the_file_agree_to_the_byte() -> None:
    """A recovered file gets the very index that its writer would have written."""
    data, index = _segment()
    found = whole_fragments(lambda offset, size: data[offset : offset + size], 100, len(data), (90_000, 48_000))
    assert found.end == len(data)
    assert found.sample_index == index.pack()


def test_a_real_minute_costs_less_than_six_bytes_a_sample() -> None:
    rng = random.Random(1)
    index = IndexBuilder([90_000, 48_000])
    at = 0
    for n in range(86):
        video = [
            (at + k * 3600 + rng.randrange(90), 0, 3600, False, bytes(rng.randrange(5000, 30_000)), False)
            for k in range(17)
        ]
        runs = [
            (0, video),
            (1, [(n * 33 * 1024 + k * 1024, 0, 1024, True, bytes(rng.randrange(300, 400)), False) for k in range(33)]),
        ]
        index.add(n * 400_000, 900, runs)
        at += 17 * 3600
    assert len(index.pack()) < 6 * 86 * (17 + 33)


def test_damage_is_known_without_reading_media() -> None:
    index = IndexBuilder([90_000])
    index.add(0, 8, [(0, [(0, 0, 1, True, b"x", False)])])
    assert not index.index.damaged
    index.add(9, 8, [(0, [(1, 0, 1, False, b"y", True)])])
    assert unpack_sample_index(index.pack()).damaged


def test_a_bomb_is_not_inflated() -> None:
    """Counts beyond the limit are refused before anything is inflated; more bytes than the counts say are an error."""
    packed = pack_sample_index(IndexBuilder([90_000]).index)
    with pytest.raises(BmffError):
        unpack_sample_index(packed[:8] + b"\xff" * 8 + packed[16:])
    _, index = _segment()
    whole = index.pack()
    with pytest.raises(BmffError):
        unpack_sample_index(whole[: 4 + 8] + (24).to_bytes(4, "big") + whole[16:])


@pytest.mark.parametrize("size", [0, 3, 10, 30])
def test_cut_off_it_is_an_error(size: int) -> None:
    _, index = _segment()
    with pytest.raises(BmffError):
        unpack_sample_index(index.pack()[:size])
