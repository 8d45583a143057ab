"""Motion vectors of one access unit alone: the same as those of a decoder that has all before it, wherever in a group it stands; and what gives none."""

from __future__ import annotations

import random

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.fuzz.campaign import mutate
from tests.support.looked import HEIGHT, WIDTH, clip

from longwatch.base.errors import LongwatchError
from longwatch.formats.media import Codec, Sample, TrackFormat
from longwatch.pictures.form import decoder_config
from longwatch.pictures.vectors import BLOCK, Vectors

ROWS, COLUMNS = -(-HEIGHT // BLOCK), -(-WIDTH // BLOCK)
Field = tuple[NDArray[np.float64], NDArray[np.float64]]


def truth(track: TrackFormat, samples: list[Sample]) -> list[Field | None]:
    """Sums and counts of each picture by a decoder that is given all of them, one vector after another. None: of a sync sample."""
    context = av.CodecContext.create("h264", "r")
    context.thread_count, context.extradata = 1, decoder_config(track)
    context.options = {"flags2": "+export_mvs"}
    made: list[Field | None] = []
    for frame in [frame for sample in samples for frame in context.decode(av.Packet(sample.data))] + list(
        context.decode(None)
    ):
        told = frame.side_data.get("MOTION_VECTORS")
        sums, counts = np.zeros((2, ROWS, COLUMNS)), np.zeros((ROWS, COLUMNS))
        for each in [] if told is None else told.to_ndarray():
            row, column = each["dst_y"] // BLOCK, each["dst_x"] // BLOCK
            part = int(each["w"]) * int(each["h"]) / BLOCK**2
            counts[row, column] += part
            sums[0, row, column] += part * each["motion_x"] / each["motion_scale"]
            sums[1, row, column] += part * each["motion_y"] / each["motion_scale"]
        made.append(None if told is None else (sums, counts))
    return made


@pytest.mark.parametrize("more", ["cabac=0", "cabac=1:partitions=all:subme=4", "cabac=1:ref=3:weightp=2", "slices=4"])
def test_a_picture_out_of_the_midst_of_a_group_has_the_vectors_that_it_has_with_all_before_it(more: str):
    track, samples = clip(8, (1, 8), gop_s=4, fps=10, more=more)
    expected = truth(track, samples)
    vectors = Vectors(track)
    asked = 0
    for number in [35, 7, 61, 12, 13, 79, 36]:  # in no order: none knows of another
        field, known = vectors.field(samples[number]), expected[number]
        assert field is not None
        assert known is not None
        np.testing.assert_allclose(field[0], known[0], atol=1e-4)
        np.testing.assert_allclose(field[1], known[1], atol=1e-4)
        asked += bool(np.abs(known[0]).max() > 1)
    assert asked >= 5, "something moves in them"


def test_where_something_moves_there_are_vectors_and_nowhere_else():
    track, samples = clip(4, (0, 4), gop_s=4, fps=5)
    field = Vectors(track).field(samples[9])
    assert field is not None
    left, right = 20 + 1.6 * 60, 20 + 1.8 * 60 + 40  # of the block in the picture before, and in this one
    rows, columns = np.nonzero(np.abs(field[0]).max(axis=0))
    assert len(rows)
    assert set(rows) <= set(range(60 // BLOCK, 130 // BLOCK + 1))
    assert set(columns) <= set(range(int(left) // BLOCK, int(right) // BLOCK + 1))


def test_a_sync_sample_builds_on_nothing_and_has_none():
    track, samples = clip(1)
    field = Vectors(track).field(samples[0])
    assert field is not None
    assert not field[1].any()
    assert field[0].shape == (2, ROWS, COLUMNS)


def test_what_cannot_be_decoded_gives_nothing_and_spoils_nothing():
    track, samples = clip(6, (0, 6), gop_s=2, fps=5)
    vectors, chance = Vectors(track), random.Random(3)
    sound = vectors.field(samples[8])
    assert sound is not None
    for number in range(200):
        bad = samples[1 + number % 25]
        vectors.field(Sample(0, bad.dts, 0, False, mutate(bad.data, chance), bad.arrival_boot_us))
    vectors.field(Sample(0, 0, 0, False, b"", 0))
    vectors.field(Sample(0, 0, 0, False, b"\0\0\0\x05\x41\xff\xff\xff\xff", 0))
    again = vectors.field(samples[8])
    assert again is not None
    np.testing.assert_array_equal(sound[0], again[0])
    np.testing.assert_array_equal(sound[1], again[1])


def test_of_an_encoding_whose_vectors_nobody_tells_that_is_said():
    track, _ = clip(1)
    with pytest.raises(LongwatchError, match="motion vectors of"):
        Vectors(TrackFormat(track.kind, Codec.H265, 90_000, b"", "", 320, 180))
