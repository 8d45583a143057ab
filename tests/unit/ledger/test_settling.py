"""Which leaves a signed root speaks of, out of copies that were changed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.ledger import EMPTY_ROOT, leaf_hash, root
from longwatch.ledger.settling import settle

LEAVES = [leaf_hash(n.to_bytes(4, "big")) for n in range(1200)]
SIZES = st.one_of(st.integers(1, 40), st.sampled_from([255, 256, 257, 511, 512, 513, 768, 1200]))


@settings(max_examples=80, deadline=None)
@given(SIZES, st.data())
def test_one_changed_copy_of_each_entry_does_not_hide_the_truth(size: int, data: st.DataObject) -> None:
    truth = LEAVES[:size]
    copies: list[list[bytes | None]] = [list(truth) for _ in range(data.draw(st.integers(2, 4)))]
    for n in data.draw(st.lists(st.integers(0, size - 1), max_size=5, unique=True)):
        copy = data.draw(st.sampled_from(copies))
        copy[n] = data.draw(st.sampled_from([None, leaf_hash(b"other"), LEAVES[(n + 1) % 1200]]))
    assert settle(size, root(truth), copies) == truth


@pytest.mark.slow
def test_a_minority_may_be_right() -> None:
    truth, other = LEAVES[:300], [leaf_hash(b"x")] * 300
    assert settle(300, root(truth), [other, [*truth[:299], None], other]) is None
    assert settle(300, root(truth), [other, truth, other]) == truth
    assert settle(300, root(truth), [[*other[:5], *truth[5:]], [*truth[:5], *other[5:10], *truth[10:]]]) == truth


@pytest.mark.slow
def test_a_stretch_that_one_copy_has_otherwise_is_chosen_as_one() -> None:
    truth = LEAVES[:1000]
    forged: list[bytes | None] = [leaf_hash(b"f%d" % n) if n >= 100 else leaf for n, leaf in enumerate(truth)]
    half: list[bytes | None] = [*truth[:900], *[None] * 100]
    assert settle(1000, root(truth), [forged, half, half]) is None
    assert settle(1000, root(truth), [forged, half, [*[None] * 900, *truth[900:]]]) == truth


def test_where_all_were_changed_alike_nothing_fits() -> None:
    truth = LEAVES[:20]
    forged = [leaf_hash(b"x") if n == 7 else leaf for n, leaf in enumerate(truth)]
    assert settle(20, root(truth), [forged, forged]) is None
    assert settle(20, root(truth), [truth[:19]]) is None
    assert settle(20, root(truth), []) is None
    assert settle(0, EMPTY_ROOT, [[]]) == []
