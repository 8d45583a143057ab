"""Signed notes: the example of the Go checksum database's `note` package, those of c2sp.org, and that no byte can be changed."""

import base64
import html
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.ledger import checkpoint
from longwatch.ledger.checkpoint import Checkpoint, CheckpointError, KeyTextError

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = PRIVATE.public_key().public_bytes_raw()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
ORIGIN = checkpoint.origin_of("north-ridge", "5b0c6a52-0a3c-4f0e-9a36-0d3a6e1b6c11", 1)
HEAD = Checkpoint(ORIGIN, 20_852_163, bytes(range(32)))
NOTE = checkpoint.sign(HEAD, PRIVATE.sign, KEY)
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_TEXT = b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETERS_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
SOFA = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\u2014 example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)


def test_the_key_and_signature_of_the_note_package() -> None:
    key = checkpoint.parse_public_key(PETER)
    raw = base64.b64decode(PETERS_SIGNATURE)
    assert checkpoint.key_id("PeterNeumann", key).hex() == "c74f20a3" == raw[:4].hex()
    assert checkpoint.vkey("PeterNeumann", key) == PETER
    assert checkpoint.verify_signature(key, raw[4:], PETERS_TEXT)
    assert not checkpoint.verify_signature(key, raw[4:], PETERS_TEXT + b"\n")


def test_the_example_of_tlog_checkpoint() -> None:
    head, signatures = checkpoint.parse_unverified(SOFA)
    assert (head.origin, head.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert [each.key_id.hex() for each in signatures] == ["033de0ae"]
    assert SOFA.startswith(head.body + "\n")


def test_the_key_of_the_go_checksum_database() -> None:
    text = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
    assert checkpoint.vkey("sum.golang.org", checkpoint.parse_public_key(text)) == text


def test_what_is_signed_is_opened() -> None:
    assert checkpoint.open_note(NOTE, KEY) == HEAD
    with pytest.raises(CheckpointError, match="not signed by the key"):
        checkpoint.open_note(NOTE, OTHER)


def test_signatures_of_others_are_passed_over() -> None:
    witness = "\u2014 witness.example/w1 " + base64.b64encode(bytes(76)).decode() + "\n"
    assert checkpoint.open_note(NOTE + witness, KEY) == HEAD
    body, _, line = NOTE.rpartition("\n\n")
    assert checkpoint.open_note(f"{body}\n\n{witness}{line}", KEY) == HEAD


def test_a_second_signature_of_the_same_key_must_hold_too() -> None:
    forged = "\u2014 " + ORIGIN + " " + base64.b64encode(checkpoint.key_id(ORIGIN, KEY) + bytes(64)).decode() + "\n"
    with pytest.raises(CheckpointError):
        checkpoint.open_note(NOTE + forged, KEY)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_byte_can_be_changed(data: st.DataObject) -> None:
    raw = bytearray(NOTE.encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError):
        checkpoint.open_note(raw.decode(), KEY)


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", NOTE[:-1], NOTE + "\n", NOTE.replace("\n", "\r\n"), "x" * (1 << 17) + "\n",
        NOTE.replace("20852163", "020852163"), NOTE.replace("20852163", "-1"), NOTE.replace("20852163", "\u0661"),
        NOTE.replace("\u2014", "-"), NOTE.replace("\n\n", "\n"), "a\n1\nAA==\n\n\u2014 a AAAAAAA=\n",
    ],
)  # fmt: skip
def test_what_is_no_checkpoint(text: str) -> None:
    with pytest.raises(CheckpointError):
        checkpoint.parse_unverified(text)


def test_what_is_not_signed() -> None:
    for head in (Checkpoint("a b", 1, bytes(32)), Checkpoint("a", -1, bytes(32)), Checkpoint("a", 1, b"")):
        with pytest.raises(CheckpointError):
            checkpoint.sign(head, PRIVATE.sign, KEY)


def test_notes_are_found_in_reports_and_manifests() -> None:
    page = f"<html><pre>\n{html.escape(NOTE)}</pre>"
    assert checkpoint.find_notes(NOTE) == [NOTE]
    assert checkpoint.find_notes(page) == [NOTE]
    assert checkpoint.find_notes(page.replace("\u2014", "&mdash;")) == [NOTE]
    assert checkpoint.find_notes(json.dumps({"log": [{"checkpoint": NOTE}], "size": 5})) == [NOTE]
    assert checkpoint.find_notes(f"first\n{NOTE}\n{SOFA}") == [NOTE, SOFA]
    assert checkpoint.find_notes("nothing") == checkpoint.find_notes("[" * 100_000) == []


def test_keys_as_text() -> None:
    assert checkpoint.parse_public_key(checkpoint.public_pem(KEY)) == KEY
    assert checkpoint.parse_public_key(checkpoint.vkey(ORIGIN, KEY) + "\n") == KEY
    assert checkpoint.fingerprint(KEY).startswith("SHA256:")
    assert len(checkpoint.fingerprint(KEY)) == 7 + 43


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a+b",
        "a+00000000+AQ==",
        PETER.replace("c7", "c8"),
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
    ],
)
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(KeyTextError):
        checkpoint.parse_public_key(text)
