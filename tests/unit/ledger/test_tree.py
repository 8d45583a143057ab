"""RFC 6962 trees against the published vectors of the certificate-transparency project, and against their definition."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.ledger import EMPTY_ROOT, inclusion_path, leaf_hash, root, segment_root, verify_inclusion

INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(bytes.fromhex(text)) for text in INPUTS]


@pytest.mark.parametrize("size", range(9))
def test_the_published_roots(size: int) -> None:
    assert root(LEAVES[:size]).hex() == ROOTS[size]


def test_the_empty_tree_is_the_hash_of_nothing() -> None:
    assert root([]) == EMPTY_ROOT == hashlib.sha256().digest()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.data())
def test_a_path_proves_its_leaf_and_no_other(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(bytes([n])) for n in range(size)]
    index = data.draw(st.integers(0, size - 1))
    path, whole = inclusion_path(index, leaves), root(leaves)
    assert verify_inclusion(index, size, leaves[index], path, whole)
    assert not verify_inclusion(index, size, leaf_hash(b"other"), path, whole)
    for other in range(size):
        if other != index:
            assert not verify_inclusion(other, size, leaves[index], path, whole)
    assert not verify_inclusion(index, size, leaves[index], [*path, whole], whole)
    if path:
        assert not verify_inclusion(index, size, leaves[index], path[:-1], whole)


def test_no_path_outside_the_tree() -> None:
    with pytest.raises(ValueError):
        inclusion_path(3, LEAVES[:3])
    assert not verify_inclusion(3, 3, LEAVES[0], [], root(LEAVES[:3]))


def test_a_segments_leaves_are_its_header_and_its_fragments_in_order() -> None:
    header, one, two = (hashlib.sha256(text).digest() for text in (b"header", b"one", b"two"))
    by_hand = hashlib.sha256(
        b"\x01" + hashlib.sha256(b"\x01" + leaf_hash(header) + leaf_hash(one)).digest() + leaf_hash(two)
    ).digest()
    assert segment_root(header, [one, two]) == by_hand
    assert segment_root(header, [two, one]) != by_hand
