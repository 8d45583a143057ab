"""The closing box is found from the end of a file, and is all or nothing."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from longwatch.formats.bmff import BmffError, ClosedFragment, closing, closing_size, parse_closing
from longwatch.formats.bmff.closing import closing_sample_index

ROWS = tuple(
    ClosedFragment(1000 + n * 500, 500, n * 63_000, n * 63_000 + 62_999, (0, 30_000)[: n % 3], hashlib.sha256(bytes([n])).digest())
    for n in range(5)
)  # fmt: skip


def test_what_is_written_is_read_back() -> None:
    box = closing(ROWS, b"the index", wall_end_us=123, damaged=True, recovered=True)
    found = parse_closing(b"media before it" + box)
    assert found is not None
    assert (found.fragments, found.sample_index, found.wall_end_us) == (ROWS, b"the index", 123)
    assert (found.damaged, found.recovered, found.size) == (True, True, len(box))
    assert closing_size(box[-16:]) == len(box)
    assert closing_sample_index(b"media" + box) == b"the index"


def test_what_is_not_said_is_not_known() -> None:
    found = parse_closing(closing((), b""))
    assert found is not None
    assert (found.fragments, found.wall_end_us, found.damaged, found.recovered) == ((), None, False, False)


def test_cut_off_anywhere_a_file_is_not_sealed() -> None:
    data = b"media" + closing(ROWS, b"index")
    for size in range(len(data)):
        assert parse_closing(data[:size]) is None


def test_a_tail_that_begins_inside_the_box_is_not_enough() -> None:
    box = closing(ROWS, b"index")
    assert parse_closing(box[1:]) is None


def test_a_box_that_contradicts_itself_is_an_error() -> None:
    box = bytearray(closing(ROWS, b"index"))
    box[31] += 1  # one fragment more than there are
    with pytest.raises(BmffError):
        parse_closing(bytes(box))


def test_a_newer_version_is_refused_by_name() -> None:
    box = bytearray(closing(ROWS, b"index"))
    box[24] = 9
    with pytest.raises(BmffError, match="version 9"):
        parse_closing(bytes(box))


def test_a_fragment_without_its_hash_is_never_sealed() -> None:
    with pytest.raises(BmffError, match="hash"):
        closing([dataclasses.replace(ROWS[0], sha256=b"")], b"")
