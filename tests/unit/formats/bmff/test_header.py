"""The header of a segment file says who wrote it, which segment it is, and its tracks."""

from __future__ import annotations

import dataclasses

import pytest
from tests.support.tracks import AUDIO, IDENTITY, VIDEO

from longwatch.formats.bmff import BmffError, live_init, mime_type, parse_header, segment_header


def test_what_is_written_is_read_back() -> None:
    header = segment_header(IDENTITY, [VIDEO, AUDIO])
    parsed = parse_header(header + b"what follows")
    assert parsed.identity == IDENTITY
    assert parsed.tracks == (VIDEO, AUDIO)
    assert parsed.header_bytes == len(header)
    assert header[4:8] == b"ftyp"


def test_names_of_every_script_and_times_before_1970() -> None:
    identity = dataclasses.replace(IDENTITY, writer="Wächter 夜", wall_start_us=-5_000_000, start_90k=(1 << 62) - 1)
    assert parse_header(segment_header(identity, [VIDEO])).identity == identity


def test_an_unsaid_frame_rate_stays_unsaid() -> None:
    track = dataclasses.replace(VIDEO, fps=None)
    assert parse_header(segment_header(IDENTITY, [track])).tracks == (track,)


def test_cut_off_anywhere_it_is_no_header() -> None:
    header = segment_header(IDENTITY, [VIDEO, AUDIO])
    for size in range(len(header)):
        with pytest.raises(BmffError):
            parse_header(header[:size])


def test_a_file_of_somebody_else_is_no_segment() -> None:
    with pytest.raises(BmffError, match="identity"):
        parse_header(live_init([VIDEO]))


def test_a_newer_version_is_refused_by_name() -> None:
    header = bytearray(segment_header(IDENTITY, [VIDEO]))
    at = header.index(b"longwatch 0.1") - 6
    assert header[at : at + 4] == b"\x01\x00\x00\x00"
    header[at] = 2
    with pytest.raises(BmffError, match="version 2"):
        parse_header(bytes(header))


def test_mime_type_names_every_codec() -> None:
    assert mime_type([VIDEO, AUDIO]) == 'video/mp4; codecs="avc1.42c01e,mp4a.40.2"'
    assert mime_type([AUDIO]) == 'audio/mp4; codecs="mp4a.40.2"'
