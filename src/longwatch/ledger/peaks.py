"""A tree as its peaks: one hash for each perfect subtree, so that a hub that keeps a thousand logs goes on with any of them from a few bytes.

What `tiles.Frontier` is to whoever publishes a log, this is to whoever only follows one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

from longwatch.ledger.tree import EMPTY_ROOT, node_hash

HASH_BYTES = 32


class Peaks:
    """The tree of a log of `size` entries. Owner: whoever made it."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """peaks: the largest first. Raises ValueError where they are not those of a tree of that size."""
        if size < 0 or len(peaks) != size.bit_count() or any(len(peak) != HASH_BYTES for peak in peaks):
            raise ValueError(f"{len(peaks)} peaks are not those of {size} entries")
        self.size = size
        self._peaks = list(peaks)

    @classmethod
    def load(cls, size: int, data: bytes) -> Self:
        """What `dump` gave. Raises ValueError."""
        return cls(size, [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)])

    def dump(self) -> bytes:
        """The peaks, one after the other."""
        return b"".join(self._peaks)

    def copy(self) -> Peaks:
        """Another one, alike."""
        return Peaks(self.size, self._peaks)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        size = self.size
        while size & 1:
            leaf = node_hash(self._peaks.pop(), leaf)
            size >>= 1
        self._peaks.append(leaf)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """RFC 6962, 2.1."""
        if not self._peaks:
            return EMPTY_ROOT
        digest = self._peaks[-1]
        for left in reversed(self._peaks[:-1]):
            digest = node_hash(left, digest)
        return digest
