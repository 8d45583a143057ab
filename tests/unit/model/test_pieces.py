"""Cutting a segment's leaves: every leaf once, in order, within the sizes, and the same for whoever cuts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwatch.model.pieces import ENOUGH_BYTES, MOST_BYTES, cut, touching

KB = 1 << 10
LEAVES = st.lists(st.tuples(st.integers(1, 3 << 20), st.booleans()), min_size=1, max_size=60)


@given(LEAVES)
def test_every_leaf_is_in_one_piece_in_order_and_no_piece_is_longer_than_it_must_be(leaves):
    sizes, sync = [size for size, _ in leaves], [mark for _, mark in leaves]
    pieces = cut(sizes, sync)
    assert [leaf for first, last in pieces for leaf in range(first, last + 1)] == list(range(len(sizes)))
    assert pieces[0] == (0, 0)
    for (first, last), following in zip(pieces[1:], [*pieces[2:], None][: len(pieces) - 1], strict=True):
        size = sum(sizes[first : last + 1])
        assert size <= MOST_BYTES or first == last
        if following is not None:
            nxt = following[0]
            assert (size >= ENOUGH_BYTES and sync[nxt]) or size + sizes[nxt] > MOST_BYTES
        for leaf in range(first + 1, last + 1):
            assert not (sync[leaf] and sum(sizes[first:leaf]) >= ENOUGH_BYTES), "it was to be cut here"


@given(LEAVES, st.data())
def test_what_is_needed_for_some_leaves_holds_them_and_the_header_and_nothing_else(leaves, data):
    pieces = cut([size for size, _ in leaves], [mark for _, mark in leaves])
    first = data.draw(st.integers(0, len(leaves) - 1))
    last = data.draw(st.integers(first, len(leaves) - 1))
    found = touching(pieces, first, last)
    assert found[0] == (0, 0)
    held = {leaf for a, b in found for leaf in range(a, b + 1)}
    assert held >= set(range(first, last + 1))
    assert all(piece == (0, 0) or (piece[0] <= last and piece[1] >= first) for piece in found)


def test_as_it_stands_in_the_reference():
    sizes = [1 * KB, 200 * KB, 100 * KB, 100 * KB, 300 * KB, 900 * KB, 2048 * KB, 10 * KB]
    sync = [False, True, False, True, False, False, True, False]
    assert cut(sizes, sync) == [(0, 0), (1, 2), (3, 4), (5, 5), (6, 6), (7, 7)]


def test_a_segment_of_a_header_alone_is_one_piece():
    assert cut([700], [False]) == [(0, 0)]
    assert cut([], []) == []
    with pytest.raises(ValueError, match="leaves"):
        cut([1, 2], [True])
