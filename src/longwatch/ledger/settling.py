"""Which entries a signed head speaks of, where the copies at hand disagree. Pure.

Each copy gives a leaf hash an entry, or none. The root says which combination is the right one: where every copy was changed alike
nothing fits, and that is known too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from longwatch.ledger.tree import node_hash, root

Copy = Sequence[bytes | None]
_CHUNK = 256
_MOST_TRIES = 4096
_MOST_WORK = 20_000_000  # leaf hashes looked at


def settle(size: int, signed_root: bytes, copies: Sequence[Copy]) -> list[bytes] | None:
    """The leaf hashes of the log whose root at `size` entries was signed, out of copies of them; None where no combination that was
    tried leads there. A copy may be shorter or longer than the log.
    """
    for copy in copies:
        leaves = [leaf for leaf in copy[:size] if leaf is not None]
        if len(leaves) == size and root(leaves) == signed_root:
            return leaves
    candidates = [_distinct(n, copies) for n in range(size)]
    if not all(candidates):
        return None
    groups = list(_groups(candidates, copies))
    return _try(signed_root, candidates, groups) or _try(
        signed_root, candidates, [[n] for group in groups for n in group]
    )


def _try(
    signed_root: bytes, candidates: Sequence[Sequence[bytes]], groups: Sequence[Sequence[int]]
) -> list[bytes] | None:
    """Every choice for the groups in doubt, up to a bound of work."""
    size = len(candidates)
    tries = min(_MOST_TRIES, 1 + _MOST_WORK // max(1, sum(map(len, groups)) + size // _CHUNK))
    leaves = [found[0] for found in candidates]
    tree = _Tree(leaves)
    choices = [range(max(len(candidates[n]) for n in group)) for group in groups]
    for choice in itertools.islice(itertools.product(*choices), tries):
        for group, option in zip(groups, choice, strict=True):
            for n in group:
                tree.set(n, candidates[n][min(option, len(candidates[n]) - 1)])
        if tree.root() == signed_root:
            return leaves
    return None


def _distinct(n: int, copies: Sequence[Copy]) -> list[bytes]:
    """What the copies say of one entry, what most say first."""
    said = [leaf for copy in copies if n < len(copy) and (leaf := copy[n]) is not None]
    return sorted(dict.fromkeys(said), key=lambda leaf: -said.count(leaf))


def _groups(candidates: Sequence[Sequence[bytes]], copies: Sequence[Copy]) -> Iterator[list[int]]:
    """Entries in doubt; neighbours on which the copies take the same sides are chosen together."""
    group: list[int] = []
    before: tuple[int, ...] = ()
    for n, found in enumerate(candidates):
        sides: tuple[int, ...] = ()
        if len(found) > 1:
            sides = tuple(_side(found, copy[n] if n < len(copy) else None) for copy in copies)
        if group and (sides != before or not sides):
            yield group
            group = []
        if sides:
            group.append(n)
        before = sides
    if group:
        yield group


def _side(found: Sequence[bytes], leaf: bytes | None) -> int:
    return -1 if leaf is None else found.index(leaf)


class _Tree:
    """The root over leaves of which few change: only the chunks that they stand in are hashed anew."""

    def __init__(self, leaves: list[bytes]) -> None:
        self._leaves = leaves
        self._chunks: list[bytes | None] = [None] * -(-len(leaves) // _CHUNK)

    def set(self, n: int, leaf: bytes) -> None:
        if self._leaves[n] != leaf:
            self._leaves[n] = leaf
            self._chunks[n // _CHUNK] = None

    def root(self) -> bytes:
        """Chunks are perfect subtrees of one height, but for the last."""
        for n, chunk in enumerate(self._chunks):
            if chunk is None:
                self._chunks[n] = root(self._leaves[n * _CHUNK : (n + 1) * _CHUNK])
        whole = [chunk for chunk in self._chunks if chunk is not None]
        if len(self._leaves) % _CHUNK == 0:
            return root(whole)
        return _joined(whole)


def _joined(chunks: Sequence[bytes]) -> bytes:
    """MTH over chunks of which the last is not full: it stands to the right of every perfect subtree."""
    stack: list[tuple[int, bytes]] = []
    for digest in chunks[:-1]:
        level, joined = 0, digest
        while stack and stack[-1][0] == level:
            joined = node_hash(stack.pop()[1], joined)
            level += 1
        stack.append((level, joined))
    digest = chunks[-1]
    while stack:
        digest = node_hash(stack.pop()[1], digest)
    return digest
