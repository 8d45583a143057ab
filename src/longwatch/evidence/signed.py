"""The signed head of a package and what leads to it: the key, the checkpoint, the leaf hashes, the proofs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from longwatch.evidence import layout
from longwatch.evidence.entries import subtrees
from longwatch.ledger.checkpoint import Checkpoint, CheckpointError, open_note, parse_unverified
from longwatch.ledger.proofs import ProofError, parse_proof, proof_text
from longwatch.ledger.tiles import HASH_BYTES
from longwatch.ledger.tree import node_hash, verify_inclusion


@dataclass(frozen=True, slots=True)
class Log:
    """What holds of the log. head, text: the checkpoint, and as it is written. leaves: hashes from entry `begin` on, before them
    the roots of `subtrees(begin)` in `older`; none where they do not lead to the head.
    """

    key: bytes = field(repr=False)
    head: Checkpoint
    text: str = field(repr=False)
    made_proof: bytes | None = field(repr=False)
    begin: int = 0
    older: Sequence[bytes] = field(repr=False, default=())
    leaves: Sequence[bytes] = field(repr=False, default=())

    @classmethod
    def open(
        cls, key: bytes, note: bytes | None, made_proof: bytes | None, leaves: bytes | None
    ) -> tuple[Log | None, list[tuple[str, str]]]:
        """The log, and which files do not hold and why. The checkpoint stands twice: where one is wrong, the other tells whether
        it or the key is to blame; where both are signed and differ, the leaf hashes tell which one belongs here.
        """
        broken: list[tuple[str, str]] = []
        first, why = _opened(note, key)
        second, _ = _opened(None if made_proof is None else made_proof.partition(b"\n\n")[2], key)
        if first is None and second is None:
            if note is not None:
                broken.append((layout.KEY, f"is not the key that signed the checkpoint: {why}"))
            return None, broken
        begin, older, hashes = _leaves(leaves or b"")
        logs = [cls(key, *opened, made_proof, begin, older, hashes) for opened in (first, second) if opened is not None]
        log = next((each for each in logs if each.is_whole), None)
        if log is None and leaves is not None:
            broken.append((layout.LEAVES, "the hashes do not lead to the checkpoint"))
        log = log or replace(logs[0], begin=0, older=(), leaves=())
        if note is not None and (first is None or log.text != first[1]):
            broken.append(
                (layout.CHECKPOINT, why or "is another head than the one that the rest of the package leads to")
            )
        return log, broken

    @property
    def is_whole(self) -> bool:
        """Whether the leaf hashes lead to the head."""
        return self.begin + len(self.leaves) == self.head.size and self.root_at(self.head.size) == self.head.root

    def root_at(self, size: int) -> bytes | None:
        """The root of the first `size` entries; None where the package cannot tell."""
        if not self.leaves or not self.begin <= size <= self.begin + len(self.leaves) or size == 0:
            return None
        stack = [(high - low, digest) for (low, high), digest in zip(subtrees(self.begin), self.older, strict=True)]
        for leaf in self.leaves[: size - self.begin]:
            width, digest = 1, leaf
            while stack and stack[-1][0] == width:
                digest = node_hash(stack.pop()[1], digest)
                width *= 2
            stack.append((width, digest))
        digest = stack.pop()[1]
        while stack:
            digest = node_hash(stack.pop()[1], digest)
        return digest

    def wrong_leaf(self, seq: int, leaf: bytes, proof: bytes | None) -> str:
        """What is wrong with entry `seq` of this leaf hash: "" for nothing, "entry" where the log has another, else why the proof
        does not hold. proof None: it is missing, and that was said.
        """
        if self.leaves and self.begin <= seq:
            known = self.leaves[seq - self.begin] if seq - self.begin < len(self.leaves) else b""
            if known != leaf:
                return "entry"
        if proof is None:
            return ""
        try:
            parsed = parse_proof(proof.decode())
        except (ProofError, UnicodeDecodeError) as error:
            return f"is no proof: {error}"
        if parsed.index != seq or proof.decode() != proof_text(seq, parsed.path, self.text):
            return "is the proof of another entry or to another checkpoint"
        if not verify_inclusion(seq, self.head.size, leaf, parsed.path, self.head.root):
            return f"does not lead from entry {seq} to the checkpoint"
        return ""


def _opened(note: bytes | None, key: bytes) -> tuple[tuple[Checkpoint, str] | None, str]:
    """A note in its one form, with one signature of this key; or why not."""
    try:
        text = (note or b"").decode()
        head = open_note(text, key)
        each = parse_unverified(text)[1][0]
    except (CheckpointError, UnicodeDecodeError) as error:
        return None, str(error)
    line = base64.b64encode(each.key_id + each.signature).decode()
    if text != f"{head.body}\n\u2014 {head.origin} {line}\n":
        return None, "more stands in it than a checkpoint and one signature"
    return (head, text), ""


def _leaves(data: bytes) -> tuple[int, list[bytes], list[bytes]]:
    """The parts of `ledger/leaves`; nothing where it has no such form."""
    begin = int.from_bytes(data[:8], "big")
    hashes = [data[at : at + HASH_BYTES] for at in range(8, len(data), HASH_BYTES)]
    count = begin.bit_count()
    if len(data) < 8 or begin >= 1 << 53 or len(data) % HASH_BYTES != 8 or len(hashes) < count:
        return 0, [], []
    return begin, hashes[:count], hashes[count:]
