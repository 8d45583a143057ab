"""Proofs: the vectors published with RFC 6962 implementations, and that each proves its own claim and no other."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.ledger.test_tree import LEAVES as EIGHT
from tests.unit.ledger.test_tree import ROOTS

from longwatch.ledger import checkpoint, inclusion_path, leaf_hash, proofs, root, verify_inclusion
from longwatch.ledger.checkpoint import Checkpoint
from longwatch.ledger.proofs import ProofError
from longwatch.ledger.tiles import Frontier, Tile, TileError, tile_of

LEAVES = [leaf_hash(n.to_bytes(4, "big")) for n in range(66_000)]
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = PRIVATE.public_key().public_bytes_raw()
INCLUSION = {  # leaf (from 1), size: path; from the reference vectors of certificate-transparency
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (3, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (2, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


@pytest.mark.parametrize(("leaf", "size"), INCLUSION)
def test_published_inclusion(leaf: int, size: int) -> None:
    path = proofs.inclusion(leaf - 1, size, proofs.from_leaves(EIGHT))
    assert [digest.hex() for digest in path] == INCLUSION[leaf, size]
    assert verify_inclusion(leaf - 1, size, EIGHT[leaf - 1], path, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old", "size"), CONSISTENCY)
def test_published_consistency(old: int, size: int) -> None:
    path = proofs.consistency_path(old, size, proofs.from_leaves(EIGHT))
    assert [digest.hex() for digest in path] == CONSISTENCY[old, size]
    assert proofs.verify_consistency(old, size, bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[size]), path)


def files(size: int) -> dict[Tile, bytes]:
    return Frontier().extend(LEAVES[:size])


SIZES = st.one_of(st.integers(1, 600), st.sampled_from([255, 256, 257, 512, 65_536, 65_537, 66_000]))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(SIZES, st.data())
def test_an_entry_is_proven_from_tiles(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    asked: list[Tile] = []
    held = files(size)

    def read(tile: Tile) -> bytes:
        asked.append(tile)
        return held[tile]

    path = proofs.inclusion(index, size, proofs.from_tiles(size, read))
    assert path == inclusion_path(index, LEAVES[:size])
    assert verify_inclusion(index, size, LEAVES[index], path, root(LEAVES[:size]))
    assert len(asked) <= 6, "two a level"


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(SIZES, st.data())
def test_a_log_is_proven_to_grow_out_of_an_earlier_one(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, size))
    old_root, new_root = root(LEAVES[:old]), root(LEAVES[:size])
    path = proofs.consistency_path(old, size, proofs.from_tiles(size, files(size).__getitem__))
    assert proofs.verify_consistency(old, size, old_root, new_root, path)
    assert not proofs.verify_consistency(old, size, leaf_hash(b"forked"), new_root, path)
    if old not in {0, size}:
        assert not proofs.verify_consistency(old, size, old_root, leaf_hash(b"forked"), path)
        wrong = data.draw(st.integers(0, len(path) - 1))
        changed = [leaf_hash(b"x") if n == wrong else digest for n, digest in enumerate(path)]
        assert not proofs.verify_consistency(old, size, old_root, new_root, changed)
        assert not proofs.verify_consistency(old, size, old_root, new_root, path[:-1])
    assert not proofs.verify_consistency(old, size, old_root, new_root, [*path, new_root])
    assert not proofs.verify_consistency(size + 1, size, new_root, new_root, [])


def test_every_small_log_out_of_every_earlier_one() -> None:
    for size in range(1, 20):
        for old in range(size + 1):
            path = proofs.consistency_path(old, size, proofs.from_leaves(LEAVES[:size]))
            for claimed in range(size + 1):
                holds = proofs.verify_consistency(claimed, size, root(LEAVES[:old]), root(LEAVES[:size]), path)
                assert holds == (claimed == old), (old, claimed, size)


def test_what_cannot_be_proven() -> None:
    with pytest.raises(ValueError):
        proofs.inclusion(3, 3, proofs.from_leaves(LEAVES[:3]))
    with pytest.raises(ValueError):
        proofs.consistency_path(4, 3, proofs.from_leaves(LEAVES[:3]))
    with pytest.raises(TileError):
        proofs.inclusion(0, 300, proofs.from_tiles(300, lambda _: bytes(32)))
    assert tile_of(0, 0, 300).width == 256


SIZE = 300
NOTE = checkpoint.sign(Checkpoint("longwatch/post/data/1", SIZE, root(LEAVES[:SIZE])), PRIVATE.sign, KEY)
TEXT = proofs.proof_text(7, inclusion_path(7, LEAVES[:SIZE]), NOTE)


def test_the_form_of_a_proof() -> None:
    assert proofs.proof_text(5, [bytes(32)], "checkpoint\n") == (
        "c2sp.org/tlog-proof@v1\nindex 5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\ncheckpoint\n"
    )
    assert proofs.proof_text(0, [], "checkpoint\n", b"hi") == (
        "c2sp.org/tlog-proof@v1\nextra aGk=\nindex 0\n\ncheckpoint\n"
    )


def test_a_proof_alone_convinces() -> None:
    proof = proofs.parse_proof(TEXT)
    assert proofs.verify_proof(proof, LEAVES[7], KEY).size == SIZE
    with pytest.raises(ProofError):
        proofs.verify_proof(proof, LEAVES[8], KEY)
    with pytest.raises(ProofError):
        proofs.verify_proof(proof, LEAVES[7], bytes(32))
    assert proofs.parse_proof(proofs.proof_text(7, proof.path, NOTE, b"more")).extra == b"more"


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_byte_of_a_proof_can_be_changed(data: st.DataObject) -> None:
    raw = bytearray(TEXT.encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError):
        proofs.verify_proof(proofs.parse_proof(raw.decode()), LEAVES[7], KEY)


@pytest.mark.parametrize(
    "text",
    [
        "", "c2sp.org/tlog-proof@v1\n", "c2sp.org/tlog-proof@v2\nindex 0\n\n" + NOTE, "c2sp.org/tlog-proof@v1\n\n" + NOTE,
        "c2sp.org/tlog-proof@v1\nindex 01\n\n" + NOTE, "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\n" + NOTE,
        "c2sp.org/tlog-proof@v1\nextra !!\nindex 0\n\n" + NOTE, "c2sp.org/tlog-proof@v1\nindex 0\n\nnothing\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n" + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" * 65 + "\n" + NOTE,
    ],
)  # fmt: skip
def test_what_is_no_proof(text: str) -> None:
    with pytest.raises(ProofError):
        proofs.parse_proof(text)
