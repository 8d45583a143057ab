"""The quantizer of a picture, read from its slice header: as x264 was told to set it, and whatever bytes come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.looked import clip

from longwatch.formats.codecs.bits import CodecError
from longwatch.formats.codecs.h264_qp import SliceQp, parameter_sets, parse_pps
from longwatch.formats.media import Codec
from longwatch.wire.looking import measured

FORMAT, SAMPLES = clip(2.0, more="qp=31:ipratio=1.0:ref=1")
PLAIN, SENT = clip(2.0, more="qp=31:ipratio=1.0:ref=1:weightp=0")
WEIGHTED, SENT_WEIGHTED = clip(2.0, more="qp=31:ipratio=1.0:ref=1:weightp=1:cabac=1")


@pytest.mark.parametrize("qp", [18, 31, 44])
@pytest.mark.parametrize(
    "more",
    [
        "cabac=1:ref=1:weightp=2:no-deblock=1",
        "cabac=0:ref=3:weightp=0",
        "slices=4:ref=4",
        "interlaced=1",
        "8x8dct=1:bframes=2:b-pyramid=2",
    ],
)
def test_it_is_what_the_encoder_was_told(qp: int, more: str):
    format_, samples = clip(2.0, (0.0, 2.0), more=f"qp={qp}:ipratio=1.0:pbratio=1.0:aq-mode=0:{more}")
    quantizer = SliceQp(*parameter_sets(format_.sample_entry))
    read = [quantizer.of_slice(measured(Codec.H264, sample.data)[1]) for sample in samples]
    assert read == [qp] * len(samples)


def test_what_cannot_be_read_is_none():
    sps, pps = parameter_sets(FORMAT.sample_entry)
    head = measured(Codec.H264, SAMPLES[3].data)[1]
    assert SliceQp(sps, pps).of_slice(head) == 31
    assert SliceQp([], []).of_slice(head) is None
    assert SliceQp(sps, []).of_slice(head) is None
    assert SliceQp([b"", b"\x67"], [b"\x68"]).of_slice(head) is None
    assert [SliceQp(sps, pps).of_slice(head[:n]) for n in (0, 1, 2)] == [None, None, None]
    with pytest.raises(CodecError):
        parameter_sets(b"nothing of the kind")
    with pytest.raises(CodecError):
        parameter_sets(b"....avcC\1\2\3\4\xff\xff\0\7")
    with pytest.raises(CodecError):
        parse_pps(b"\x67\0\0")


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_give_a_quantizer_or_none(sps: bytes, pps: bytes, head: bytes):
    known, good = parameter_sets(FORMAT.sample_entry)
    for made in (SliceQp([b"\x67" + sps], [b"\x68" + pps]), SliceQp(known, [*good, b"\x68" + pps])):
        for nal in (head, b"\x41" + head, b"\x65" + head):
            got = made.of_slice(nal)
            assert got is None or 0 <= got <= 51


@given(st.binary(max_size=60), st.booleans())
def test_the_quick_way_says_what_the_whole_reading_says(head: bytes, weighted: bool):
    made = SliceQp(*parameter_sets((WEIGHTED if weighted else PLAIN).sample_entry))
    for nal in (b"\x41" + head, b"\x01" + head, b"\x41\x9a" + head, b"\x01\xe2" + head):
        quick = made._quick(nal)
        assert quick is None or quick == made._slice(nal)


def test_the_quick_way_reads_what_cameras_send():
    for format_, samples in ((PLAIN, SENT), (WEIGHTED, SENT_WEIGHTED)):
        made = SliceQp(*parameter_sets(format_.sample_entry))
        heads = [measured(Codec.H264, sample.data)[1] for sample in samples if not sample.sync]
        assert [made._quick(head) for head in heads] == [31] * len(heads)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_sample_entry_or_are_refused(data: bytes):
    try:
        sps, pps = parameter_sets(b"avcC" + data)
    except CodecError:
        return
    SliceQp(sps, pps)
