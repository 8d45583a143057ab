"""The vectors of docs/ref/ledger-format.md: each is made here, and stands on the page as it is made."""

import hashlib
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from longwatch.ledger import checkpoint, entry_bytes, kinds, leaf_hash, parse_entry, people, proofs, root
from longwatch.ledger.checkpoint import Checkpoint
from longwatch.ledger.tiles import Frontier, Tile, bundle, tiles_of
from longwatch.model.sessions import StreamKey

PAGE = (Path(__file__).parents[3] / "docs/ref/ledger-format.md").read_text(encoding="utf-8")
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = PRIVATE.public_key().public_bytes_raw()
AT = 1_767_225_600_000_000
GAP = kinds.gap_opened(StreamKey("gate", "main"), 1, AT, "camera_unreachable", {"detail": "Tür zu"})
PERSON = people.mention(10, bytes(range(32)), '{"address":"10.0.0.1","user":"Kari Nordmann"}')
ENTRIES = [
    entry_bytes(0, AT, "0" * 32, kinds.GAP_OPENED, GAP),
    entry_bytes(
        1, AT + 5_000_000, "0" * 32, kinds.VIEWING, {"at_us": AT + 5_000_000, "camera": "gate", "person": PERSON}
    ),
]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
ORIGIN = checkpoint.origin_of("north-ridge", "5b0c6a52-0a3c-4f0e-9a36-0d3a6e1b6c11", 1)
NOTE = checkpoint.sign(Checkpoint(ORIGIN, 2, root(LEAVES)), PRIVATE.sign, KEY)
PROOF = proofs.proof_text(1, proofs.inclusion(1, 2, proofs.from_leaves(LEAVES)), NOTE)


def code(text: str) -> str:
    """As an indented block of the page."""
    return "".join(f"    {line}\n" if line else "\n" for line in text.rstrip("\n").split("\n"))


@pytest.mark.parametrize(
    "vector",
    [
        *[entry.decode() for entry in ENTRIES], *[leaf.hex() for leaf in LEAVES], hashlib.sha256(bundle(ENTRIES)).hexdigest(),
        code(NOTE), code(PROOF), code(checkpoint.public_pem(KEY)), checkpoint.vkey(ORIGIN, KEY), checkpoint.fingerprint(KEY),
        str(PERSON["commitment"]), *[tile.path for tile in tiles_of(0, 2)],
    ],
)  # fmt: skip
def test_each_vector_stands_on_the_page(vector: str) -> None:
    assert vector in PAGE


def test_the_page_alone_convinces() -> None:
    """A reader who has nothing but the page: the note and the proof are taken from it, and hold for the entry on it."""
    proof = proofs.parse_proof(re.sub(r"^ {4}", "", _block("The proof of entry 1:"), flags=re.M))
    (entry,) = re.findall(r"^\{.*\"seq\":1,.*\}$", PAGE, re.M)
    assert parse_entry(entry.encode()).kind == kinds.VIEWING
    assert proofs.verify_proof(proof, leaf_hash(entry.encode()), KEY).origin == ORIGIN
    assert Frontier().extend(LEAVES) == {Tile(0, 0, 2): b"".join(LEAVES)}


def _block(after: str) -> str:
    """The indented block behind a line."""
    lines = PAGE[PAGE.index(after) :].split("\n")[2:]
    end = next(n for n, line in enumerate(lines) if line and not line.startswith("    "))
    return "\n".join(lines[:end]).rstrip("\n") + "\n"
