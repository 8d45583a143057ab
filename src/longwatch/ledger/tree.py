"""Merkle trees of RFC 6962, section 2.1: leaf hashes, roots, inclusion proofs. SHA-256 throughout."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """MTH of one leaf: SHA-256(0x00 || data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """MTH of two subtrees: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """MTH of a tree, from its leaf hashes in order. One pass; keeps one hash a level."""
    stack: list[tuple[int, bytes]] = []
    for leaf in leaves:
        level, digest = 0, leaf
        while stack and stack[-1][0] == level:
            digest = node_hash(stack.pop()[1], digest)
            level += 1
        stack.append((level, digest))
    if not stack:
        return EMPTY_ROOT
    digest = stack.pop()[1]
    while stack:
        digest = node_hash(stack.pop()[1], digest)
    return digest


def segment_root(header_sha256: bytes, fragment_sha256s: Iterable[bytes]) -> bytes:
    """The root of a segment: leaf 0 is its header's SHA-256, leaf n the SHA-256 of its n-th fragment."""
    return root([leaf_hash(header_sha256), *(leaf_hash(digest) for digest in fragment_sha256s)])


def split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(index, leaves) of RFC 6962, 2.1.1, from leaf hashes. Raises ValueError where there is no such leaf."""
    if not 0 <= index < len(leaves):
        raise ValueError(f"leaf {index} of {len(leaves)}")
    path: list[bytes] = []
    low, high = 0, len(leaves)
    while high - low > 1:
        middle = low + split(high - low)
        if index < middle:
            path.append(root(leaves[middle:high]))
            high = middle
        else:
            path.append(root(leaves[low:middle]))
            low = middle
    return path[::-1]


def verify_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], expected_root: bytes) -> bool:
    """Whether `path` proves that the leaf hash `leaf` stands at `index` of the tree of `size` leaves (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, digest = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            digest = node_hash(sibling, digest)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            digest = node_hash(digest, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and digest == expected_root
