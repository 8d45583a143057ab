"""What a package from a hub has beside the hub's own ledger: the entries of the post that recorded the footage, and how they are shown to be its.

The hub's ledger attests the export. That the footage is what the post recorded is shown by the post's own: its signed head with the hub's
countersignature, the entries that seal the segments and open the gaps, and the proof of each. docs/ref/evidence-package.md, "From a hub".
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from longwatch.base.errors import LongwatchError
from longwatch.evidence.reading import PackageReader
from longwatch.ledger import EntryError, kinds, leaf_hash, parse_entry, segment_root
from longwatch.ledger.checkpoint import (
    CheckpointError,
    KeyTextError,
    fingerprint,
    open_note,
    parse_public_key,
    public_pem,
)
from longwatch.ledger.cosignature import CosignatureError, cosigner_name, cosigner_vkey, open_cosigned
from longwatch.ledger.proofs import ProofError, Subtree, inclusion, parse_proof, proof_text
from longwatch.ledger.tree import verify_inclusion

KEY, CHECKPOINT, COSIGNER = "post/key.pem", "post/checkpoint", "post/cosigner"
_MOST = 1 << 20


def entry_name(seq: int) -> str:
    """Of an entry of the post's ledger."""
    return f"post/entries/{seq}.json"


def proof_name(seq: int) -> str:
    """Of its proof."""
    return f"post/proofs/{seq}.tlog-proof"


@dataclass(frozen=True, slots=True)
class Sealed:
    """What seals a segment at the post. seq: its entry. first: the fragment that the handed over file begins with, from 0. fragments: hashes of all."""

    seq: int
    first: int
    fragments: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PostLedger:
    """The ledger of a post as a hub holds it. note: its newest verified head, countersigned. entry: by number. subtree: of that head's size."""

    hub: str
    post: str
    camera: str
    note: str
    size: int
    key: bytes = field(repr=False)
    cosigner: bytes = field(repr=False)
    entry: Callable[[int], bytes] = field(repr=False)
    subtree: Subtree = field(repr=False)

    def files(self, seqs: Sequence[int]) -> list[tuple[str, bytes]]:
        """Names and bytes, for the package."""
        made = [
            (KEY, public_pem(self.key).encode()), (CHECKPOINT, self.note.encode()),
            (COSIGNER, (cosigner_vkey(cosigner_name(self.hub), self.cosigner) + "\n").encode()),
        ]  # fmt: skip
        for seq in sorted(set(seqs)):
            path = inclusion(seq, self.size, self.subtree)
            made.append((entry_name(seq), self.entry(seq)))
            made.append((proof_name(seq), proof_text(seq, path, self.note).encode()))
        return made

    def said(self, seqs: Sequence[int], seals: Mapping[str, Sealed]) -> dict[str, object]:
        """Part `via` of the manifest. seals: by the segment's file."""
        return {
            "hub": self.hub, "post": self.post, "camera": self.camera, "fingerprint": fingerprint(self.key), "size": self.size,
            "entries": sorted(set(seqs)),
            "seals": {
                name: {"entry": one.seq, "first": one.first, "fragments": [digest.hex() for digest in one.fragments]}
                for name, one in seals.items()
            },
        }  # fmt: skip


# -- checking; what is read may come from an enemy


Blame = Callable[[str, str], None]
"""(file, why) of what does not hold."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What of a post's ledger holds. sealed: files whose segment an entry of the post seals. key: of the post; b"" where it cannot be told."""

    key: bytes
    sealed: frozenset[str]
    gaps: frozenset[int]


def check_post(reader: PackageReader, via: Any, segments: Mapping[str, tuple[bytes, ...]], identity: Mapping[str, tuple[str, int, int]], stream: str, blame: Blame) -> Shown:  # fmt: skip
    """via: part of the manifest. segments: leaves of the header and fragments of each file; identity: (boot, run, sequence) of each."""
    nothing = Shown(b"", frozenset(), frozenset())
    try:
        key = parse_public_key(_text(reader, KEY))
        head = open_note(_text(reader, CHECKPOINT), key)
    except (KeyTextError, CheckpointError, LongwatchError, UnicodeDecodeError) as error:
        blame(CHECKPOINT, f"is not signed by the post's key: {error}")
        return nothing
    try:
        camera, hub = str(via["camera"]), str(via["hub"])
        cosigner = _cosigner(_text(reader, COSIGNER), hub)
        open_cosigned(_text(reader, CHECKPOINT), cosigner_name(hub), cosigner)
    except (CosignatureError, KeyTextError, LongwatchError, UnicodeDecodeError, KeyError, TypeError) as error:
        blame(CHECKPOINT, f"is not countersigned by the hub: {error}")
        return nothing
    bodies: dict[int, tuple[str, Mapping[str, Any]]] = {}
    listed = via.get("entries")
    for seq in listed if isinstance(listed, list) else []:
        why = _wrong(reader, seq, head.size, head.root, bodies)
        if why:
            blame(entry_name(seq) if type(seq) is int else CHECKPOINT, why)
    sealed = set()
    for name, leaves in segments.items():
        said = via.get("seals", {}).get(name)
        why = (
            "no entry of the post seals it"
            if said is None
            else _wrong_seal(said, leaves, identity[name], (camera, stream), bodies)
        )
        if why:
            blame(name, why)
        else:
            sealed.add(name)
    gaps = {
        int(body["gap"]) for kind, body in bodies.values() if kind == kinds.GAP_OPENED and type(body.get("gap")) is int
    }
    return Shown(key, frozenset(sealed), frozenset(gaps))


def _text(reader: PackageReader, name: str) -> str:
    if name not in reader.names:
        raise LongwatchError(f"{name} is not in the package")
    return reader.read(name, 0, _MOST).decode()


def _cosigner(vkey: str, hub: str) -> bytes:
    """The key of one line. Raises KeyTextError."""
    try:
        name, digits, key = vkey.strip().split("+", 2)
        raw = base64.b64decode(key, validate=True)
    except ValueError as error:
        raise KeyTextError("not a verifier key") from error
    if len(raw) != 33 or vkey.strip() != cosigner_vkey(name, raw[1:]) or name != cosigner_name(hub):
        raise KeyTextError(f"not the verifier key of {hub}: {digits[:20]}")
    return raw[1:]


def _wrong(reader: PackageReader, seq: object, size: int, root: bytes, bodies: dict[int, tuple[str, Mapping[str, Any]]]) -> str:  # fmt: skip
    """What is wrong with an entry; "" for nothing, and then its body is kept."""
    if type(seq) is not int or not 0 <= seq < size:
        return "no entry of this ledger"
    try:
        data = _text(reader, entry_name(seq)).encode()
        entry = parse_entry(data)
        proof = parse_proof(_text(reader, proof_name(seq)))
    except (EntryError, ProofError, LongwatchError, UnicodeDecodeError) as error:
        return f"cannot be read: {error}"
    if (entry.seq, proof.index) != (seq, seq) or not verify_inclusion(seq, size, leaf_hash(data), proof.path, root):
        return f"is not entry {seq} of the post's ledger"
    bodies[seq] = entry.kind, entry.body
    return ""


def _wrong_seal(said: Any, leaves: tuple[bytes, ...], identity: tuple[str, int, int], key: tuple[str, str], bodies: Mapping[int, tuple[str, Mapping[str, Any]]]) -> str:  # fmt: skip
    try:
        fragments, first = tuple(bytes.fromhex(one) for one in said["fragments"]), said["first"]
        kind, body = bodies[said["entry"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        return "the entry of the post that seals it cannot be told"
    named = tuple(body.get(name) for name in ("camera", "stream", "boot", "run", "sequence"))
    if kind != kinds.SEGMENT_SEALED or named != (*key, *identity):
        return "the entry of the post seals another segment"
    if type(first) is not int or fragments[first : first + len(leaves) - 1] != leaves[1:]:
        return "its fragments are not those that the post sealed"
    if body.get("root") != segment_root(leaves[0], fragments).hex():
        return "is not what the post sealed"
    return ""
