"""Fuzz targets for what the ledger reads from files and from people: bundles, tiles, entries, notes, proofs, keys."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from longwatch.ledger import checkpoint, entry_bytes, parse_entry, proofs, tiles
from longwatch.ledger.checkpoint import Checkpoint, CheckpointError, KeyTextError
from longwatch.ledger.entries import EntryError
from longwatch.ledger.proofs import ProofError
from longwatch.ledger.tiles import TileError

_PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = _PRIVATE.public_key().public_bytes_raw()
HEAD = Checkpoint("longwatch/post/data/1", 5, bytes(32))
NOTE = checkpoint.sign(HEAD, _PRIVATE.sign, KEY)
PROOF = proofs.proof_text(3, [bytes(32)] * 3, NOTE, b"extra")
ENTRY = entry_bytes(7, 1, "0" * 32, "gap_closed", {"gap": 1, "never_was": False, "to_us": 5, "t": "ü\u2028\x01"})


def bundle(data: bytes) -> None:
    """What is read is written again as it was."""
    with suppress(TileError):
        entries = tiles.parse_bundle(data)
        assert 1 <= len(entries) <= tiles.WIDTH
        assert tiles.bundle(entries) == data


def tile(data: bytes) -> None:
    with suppress(TileError):
        assert b"".join(tiles.parse_tile(data)) == data


def entry(data: bytes) -> None:
    with suppress(EntryError):
        read = parse_entry(data)
        assert entry_bytes(read.seq, read.wall_us, read.boot, read.kind, read.body) == data


def note(data: bytes) -> None:
    """A note opens only where it says what was signed."""
    text = data.decode(errors="surrogateescape")
    with suppress(CheckpointError):
        head, signatures = checkpoint.parse_unverified(text)
        assert text.startswith(head.origin)
        assert signatures
    with suppress(CheckpointError):
        assert checkpoint.open_note(text, KEY) == HEAD


def proof(data: bytes) -> None:
    text = data.decode(errors="surrogateescape")
    with suppress(ProofError):
        read = proofs.parse_proof(text)
        assert proofs.proof_text(read.index, read.path, read.checkpoint, read.extra) == text


def key(data: bytes) -> None:
    with suppress(KeyTextError):
        assert len(checkpoint.parse_public_key(data.decode(errors="replace"))) == checkpoint.KEY_BYTES


TARGETS: dict[str, Callable[[bytes], None]] = {
    "ledger-bundle": bundle,
    "ledger-tile": tile,
    "ledger-entry": entry,
    "ledger-note": note,
    "ledger-proof": proof,
    "ledger-key": key,
}
SEEDS: dict[str, list[bytes]] = {
    "ledger-bundle": [tiles.bundle([ENTRY, b"", ENTRY])],
    "ledger-tile": [bytes(64)],
    "ledger-entry": [ENTRY],
    "ledger-note": [NOTE.encode()],
    "ledger-proof": [PROOF.encode()],
    "ledger-key": [checkpoint.public_pem(KEY).encode(), checkpoint.vkey("a", KEY).encode()],
}
