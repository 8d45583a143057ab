"""How the leaves of a sealed segment are cut into pieces. Pure, and the same for ever: link and courier make the same pieces, so that what
came one way is known when it comes the other.

Leaf 0 is the segment's header, leaf n its n-th fragment. A piece is consecutive leaves, concatenated without the guards between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

ENOUGH_BYTES = 256 << 10
MOST_BYTES = 1 << 20


def cut(leaf_sizes: Sequence[int], sync: Sequence[bool]) -> list[tuple[int, int]]:
    """(first, last) of each piece, both in it; every leaf is in exactly one, in order.

    leaf_sizes: of header and fragments, bytes. sync: whether the leaf begins with a sync sample of the video; sync[0] is not looked at. The
    header is a piece by itself. A piece ends before a fragment that begins with a sync sample once ENOUGH_BYTES are gathered, and before
    any that would make it longer than MOST_BYTES; a fragment that is longer alone is a piece by itself.
    """
    if len(leaf_sizes) != len(sync):
        raise ValueError(f"{len(leaf_sizes)} leaves and {len(sync)} marks")
    if not leaf_sizes:
        return []
    pieces = [(0, 0)]
    first, gathered = 1, 0
    for leaf in range(1, len(leaf_sizes)):
        full = gathered >= ENOUGH_BYTES and sync[leaf]
        if leaf > first and (full or gathered + leaf_sizes[leaf] > MOST_BYTES):
            pieces.append((first, leaf - 1))
            first, gathered = leaf, 0
        gathered += leaf_sizes[leaf]
    if len(leaf_sizes) > 1:
        pieces.append((first, len(leaf_sizes) - 1))
    return pieces


def touching(pieces: Sequence[tuple[int, int]], first: int, last: int) -> list[tuple[int, int]]:
    """The pieces that hold any leaf of [first, last], and the header's, which every player needs."""
    return [piece for piece in pieces if piece == (0, 0) or (piece[1] >= first and piece[0] <= last)]


class Fragment(Protocol):
    """As `model.stores.FragmentRow`, or as a closing box names it."""

    @property
    def start_90k(self) -> int: ...
    @property
    def sync_offsets_90k(self) -> tuple[int, ...]: ...


def between(rows: Sequence[Fragment], wall_start_us: int, from_us: int, to_us: int) -> tuple[int, int]:
    """First and last leaf of the fragments that show [from_us, to_us): from the last sync sample at or before its beginning on. Nothing where
    first > last. rows: of a segment that stands on the wall from wall_start_us on.
    """
    first, last = 1, 0
    for leaf, row in enumerate(rows, 1):
        start_us = wall_start_us + (row.start_90k - rows[0].start_90k) * 100 // 9
        if start_us < to_us:
            last = leaf
        if any(start_us + sync * 100 // 9 <= from_us for sync in row.sync_offsets_90k):
            first = leaf
    return first, last
