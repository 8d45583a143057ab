"""Sizes and bytes of samples on their way to who looks: rows there and back, what fills up, and bytes that are no rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.looked import frame_of

from longwatch.base.errors import LongwatchError
from longwatch.formats.media import Codec, Sample
from longwatch.wire.frames import Frame
from longwatch.wire.looking import HEAD_BYTES, ROW, Row, decode_rows, encode_rows, measured, row_of

KEY = ("gate", "sub")


def nal(first: int, size: int) -> bytes:
    return size.to_bytes(4) + bytes([first]) + bytes(size - 1)


samples = st.lists(
    st.builds(
        Sample, st.just(0), st.integers(-(2**62), 2**62), st.integers(0, 2**31), st.booleans(), st.binary(max_size=60),
        st.integers(0, 2**62), st.booleans(),
    ),
    max_size=20,
)  # fmt: skip


@pytest.mark.slow
@given(samples, st.sampled_from([Codec.H264, Codec.H265, Codec.MJPEG]), st.booleans(), st.integers(0, 2**40))
def test_rows_come_back_as_they_went(of: list[Sample], codec: Codec, whole: bool, missed: int):
    data = encode_rows(
        "look_batch", KEY, 3, [row_of(s, codec, whole=whole) for s in of], [s.data for s in of] if whole else [], missed
    )
    frame = frame_of(data)
    rows, at = decode_rows(frame)
    assert frame.header["missed"] == missed
    for row, sample in zip(rows, of, strict=True):
        assert (row.dts, row.cts, row.sync, row.damaged) == (sample.dts, sample.cts_offset, sample.sync, sample.damaged)
        assert row.arrival_us == sample.arrival_boot_us
        assert 0 <= row.size <= len(sample.data)
        if whole:
            assert frame.body[at : at + row.given] == sample.data
        at += row.given
    assert at == len(frame.body)


def test_what_only_fills_up_is_not_counted_and_the_head_is_that_of_the_first_slice():
    data = nal(9, 2) + nal(6, 30) + nal(0x65, 500) + nal(0x65, 300) + nal(12, 4000)
    kinds = 1 << 9 | 1 << 6 | 1 << 5
    assert measured(Codec.H264, data) == (2 + 30 + 500 + 300 + 4 * 4, (b"\x65" + bytes(499))[:HEAD_BYTES], kinds)
    assert measured(Codec.H264, nal(0x65, 500)) == (504, (b"\x65" + bytes(499))[:HEAD_BYTES], 1 << 5)
    assert measured(Codec.H265, nal(2, 700) + nal(38 << 1, 5000)) == (704, b"", 1 << 1)
    assert measured(Codec.MJPEG, b"\xff\xd8" + bytes(100)) == (102, b"", 0)


def test_of_a_sync_sample_it_is_told_of_which_kinds_of_units_it_is_made():
    def makeup(*units: int, sync: bool = True, codec: Codec = Codec.H264) -> int:
        data = b"".join(nal(unit, 30 + unit) for unit in units)
        (row,), _ = decode_rows(frame_of(encode_rows("look_batch", KEY, 3, [row_of(Sample(0, 0, 0, sync, data, 1), codec, whole=False)], [], 0)))  # fmt: skip
        assert (row.sync, row.damaged) == (sync, False)
        return row.makeup

    plain = makeup(0x67, 0x68, 0x65)
    assert plain == makeup(0x67, 0x68, 0x65, 0x65, 12), "more slices, and what fills up, are no other kinds"
    assert len({plain, makeup(0x65), makeup(6, 0x65), makeup(9, 0x65), makeup(0x67, 0x68, 6, 0x65)}) == 5
    assert makeup(6, 0x41, sync=False) == 0
    assert makeup(32 << 1, 19 << 1, codec=Codec.H265) != makeup(32 << 1, 39 << 1, 19 << 1, codec=Codec.H265)


@given(st.binary(max_size=200))
def test_any_bytes_have_a_size(data: bytes):
    for codec in (Codec.H264, Codec.H265):
        size, head, _ = measured(codec, data)
        assert 0 <= size <= len(data)
        assert len(head) <= HEAD_BYTES


@given(st.binary(max_size=200), st.integers(-3, 10))
def test_bytes_that_are_no_rows_are_refused(body: bytes, count: int):
    try:
        rows, at = decode_rows(Frame({"type": "look_batch", "samples": count}, body))
    except LongwatchError:
        return
    assert len(rows) == count
    assert at + sum(row.given for row in rows) == len(body)


@pytest.mark.parametrize("count", [None, "1", 1.0, True, -1, 1 << 40])
def test_a_count_that_cannot_be_is_refused(count: object):
    with pytest.raises(LongwatchError):
        decode_rows(Frame({"type": "look_batch", "samples": count}, ROW.pack(*Row(1, 1, 0, 5, 3, 1))))


def test_of_a_hundred_thousand_units_few_are_looked_through():
    unit = b"\x00\x00\x00\x01\x0c"
    assert measured(Codec.H264, unit * 100_000) == (500_000 - 256 * 5, b"", 0)
