"""Proofs from tiles: that an entry stands in a log, and that a log grew out of an earlier one (RFC 6962 and RFC 9162, 2.1).

A tree is asked through `Subtree`: the hash of the entries [low, high). It comes from tiles (`from_tiles`) or from leaf hashes.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from longwatch.ledger.checkpoint import MAX_NOTE_BYTES, Checkpoint, CheckpointError, open_note, parse_unverified
from longwatch.ledger.tiles import HASH_BYTES, HEIGHT, WIDTH, Tile, TileError, parse_tile, tile_of
from longwatch.ledger.tree import EMPTY_ROOT, node_hash, root, split, verify_inclusion

Subtree = Callable[[int, int], bytes]
_HEAD = "c2sp.org/tlog-proof@v1"
_MAX_PATH = 64
_MAX_EXTRA = 64 << 10


class ProofError(ValueError):
    """Text that is no proof, or a proof that does not hold."""


def from_leaves(leaves: Sequence[bytes]) -> Subtree:
    """A tree whose leaf hashes are all at hand."""
    return lambda low, high: root(leaves[low:high])


def from_tiles(size: int, read: Callable[[Tile], bytes]) -> Subtree:
    """The tree of a log of `size` entries. read: the bytes of a tile, as wide as that size has it. Raises TileError, and what
    `read` raises.
    """
    known: dict[Tile, list[bytes]] = {}

    def hashes(level: int, index: int) -> list[bytes]:
        tile = tile_of(level, index, size)
        found = known.get(tile)
        if found is None:
            found = known[tile] = parse_tile(read(tile))
            if len(found) != tile.width:
                raise TileError(f"{tile.path} holds {len(found)} hashes")
        return found

    def subtree(low: int, high: int) -> bytes:
        count = high - low
        if count & (count - 1) == 0 and low % count == 0:
            level = (count.bit_length() - 1) // HEIGHT
            first, wide = low >> HEIGHT * level, count >> HEIGHT * level
            return root(hashes(level, first // WIDTH)[first % WIDTH : first % WIDTH + wide])
        middle = low + split(count)
        return node_hash(subtree(low, middle), subtree(middle, high))

    return subtree


def inclusion(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962, 2.1.1, from the leaf's sibling upwards. Raises ValueError where there is no such leaf."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} of {size}")
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + split(high - low)
        if index < middle:
            path.append(subtree(middle, high))
            high = middle
        else:
            path.append(subtree(low, middle))
            low = middle
    return path[::-1]


def consistency_path(old_size: int, size: int, subtree: Subtree) -> list[bytes]:
    """PROOF(old_size, D[size]) of RFC 6962, 2.1.2; empty where one of the two is the other, or nothing. Raises ValueError."""
    if not 0 <= old_size <= size:
        raise ValueError(f"a log of {size} entries never had {old_size}")
    path: list[bytes] = []
    low, high, whole = 0, size, True
    if old_size == 0:
        return path
    while old_size < high:
        middle = low + split(high - low)
        if old_size <= middle:
            path.append(subtree(middle, high))
            high = middle
        else:
            path.append(subtree(low, middle))
            low, whole = middle, False
    if not whole:
        path.append(subtree(low, high))
    return path[::-1]


def verify_consistency(old_size: int, size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` proves that the log of `size` entries begins with the one of `old_size` (RFC 9162, 2.1.4.2)."""
    if not 0 <= old_size <= size:
        return False
    if old_size in {0, size}:
        expected = new_root if old_size else EMPTY_ROOT
        return not path and old_root == expected and (size > 0 or new_root == EMPTY_ROOT)
    hashes = list(path)
    if old_size & (old_size - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        return False
    position, last = old_size - 1, size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    first = second = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


@dataclass(frozen=True, slots=True)
class Proof:
    """c2sp.org/tlog-proof@v1: entry `index` stands in the log whose signed checkpoint is given as text. extra: not proven."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: str
    extra: bytes = b""


def proof_text(index: int, path: Sequence[bytes], checkpoint: str, extra: bytes = b"") -> str:
    """A proof as text, in the form of c2sp.org/tlog-proof. checkpoint: the signed note."""
    lines = [_HEAD]
    if extra:
        lines.append(f"extra {_encode(extra)}")
    lines += [f"index {index}", *map(_encode, path)]
    return "\n".join(lines) + "\n\n" + checkpoint


def parse_proof(text: str) -> Proof:
    """The parts of a proof; nothing is verified. Raises ProofError."""
    if len(text) > MAX_NOTE_BYTES + 2 * _MAX_EXTRA:
        raise ProofError("a proof that is far too long")
    head, blank, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not blank or lines[0] != _HEAD:
        raise ProofError(f"a proof begins with {_HEAD}")
    extra = b""
    if len(lines) > 1 and lines[1].startswith("extra "):
        extra = _decode(lines.pop(1).removeprefix("extra "))
        if not extra:
            raise ProofError("an extra line without extra data")
    if len(lines) < 2 or not lines[1].startswith("index "):
        raise ProofError("a proof without the index of its entry")
    number = lines[1].removeprefix("index ")
    if not (number.isascii() and number.isdigit()) or len(number) > 16 or (number[0] == "0" and number != "0"):
        raise ProofError("the index of a proof is no number")
    path = tuple(_decode(line) for line in lines[2:])
    if len(path) > _MAX_PATH or any(len(digest) != HASH_BYTES for digest in path):
        raise ProofError("a proof's path is made of at most 64 hashes of 32 bytes")
    try:
        parse_unverified(checkpoint)
    except CheckpointError as error:
        raise ProofError(str(error)) from error
    return Proof(int(number), path, checkpoint, extra)


def verify_proof(proof: Proof, leaf: bytes, public_key: bytes) -> Checkpoint:
    """The checkpoint that a proof leads to, once this key's signature and the path of the leaf hash hold. Raises ProofError."""
    try:
        checkpoint = open_note(proof.checkpoint, public_key)
    except CheckpointError as error:
        raise ProofError(str(error)) from error
    if not verify_inclusion(proof.index, checkpoint.size, leaf, proof.path, checkpoint.root):
        raise ProofError(f"the path does not lead from entry {proof.index} to the root of {checkpoint.size} entries")
    return checkpoint


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProofError("not base64") from error
    if _encode(data) != text:
        raise ProofError("base64 with stray bits")
    return data
