"""Countersignatures, against a vector made by hand from the standard's text and against other notes."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from longwatch.ledger.checkpoint import Checkpoint, CheckpointError, open_note, sign
from longwatch.ledger.cosignature import CosignatureError, cosign, cosigner_name, cosigner_vkey, open_cosigned

LOG, HUB = Ed25519PrivateKey.from_private_bytes(bytes(32)), Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
NAME = cosigner_name("hq")


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def note(size: int = 7) -> str:
    return sign(Checkpoint("longwatch/ridge/0123/1", size, hashlib.sha256(b"root").digest()), LOG.sign, public(LOG))


def test_the_line_is_as_the_standard_says() -> None:
    both = cosign(note(), NAME, HUB.sign, public(HUB), 1_800_000_000)
    line = both.splitlines()[-1]
    raw = base64.b64decode(line.split(" ")[2])
    body = note()[: note().index("\n\n") + 1]
    assert line.startswith("\u2014 longwatch-hub/hq ")
    assert raw[:4] == hashlib.sha256(NAME.encode() + b"\n\x04" + public(HUB)).digest()[:4]
    assert raw[4:12] == (1_800_000_000).to_bytes(8, "big")
    HUB.public_key().verify(raw[12:], b"cosignature/v1\ntime 1800000000\n" + body.encode())
    assert cosigner_vkey(NAME, public(HUB)).split("+")[1] == raw[:4].hex()


def test_both_signatures_are_read_from_one_note() -> None:
    both = cosign(note(), NAME, HUB.sign, public(HUB), 1_800_000_000)
    assert both.startswith(note())
    assert open_note(both, public(LOG)).size == 7
    assert open_cosigned(both, NAME, public(HUB)) == 1_800_000_000


def test_its_own_line_is_replaced_and_others_stay() -> None:
    other = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
    both = cosign(cosign(note(), NAME, HUB.sign, public(HUB), 1), "longwatch-hub/top", other.sign, public(other), 2)
    again = cosign(both, NAME, HUB.sign, public(HUB), 3)
    assert again.count(NAME) == 1
    assert open_cosigned(again, NAME, public(HUB)) == 3
    assert open_cosigned(again, "longwatch-hub/top", public(other)) == 2


@pytest.mark.parametrize("spoil", ["body", "time", "key", "name", "short", "not a note"])
def test_what_this_cosigner_did_not_sign(spoil: str) -> None:
    both = cosign(note(), NAME, HUB.sign, public(HUB), 1_800_000_000)
    body, line = both.rsplit("\n", 2)[0], both.splitlines()[-1]
    raw = base64.b64decode(line.split(" ")[2])
    name, key = NAME, public(HUB)
    if spoil == "body":
        both = both.replace("\n7\n", "\n8\n")
    elif spoil == "time":
        both = f"{body}\n\u2014 {NAME} {base64.b64encode(raw[:11] + bytes([raw[11] ^ 1]) + raw[12:]).decode()}\n"
    elif spoil == "short":
        both = f"{body}\n\u2014 {NAME} {base64.b64encode(raw[:-1]).decode()}\n"
    elif spoil == "not a note":
        both = "hello\n"
    elif spoil == "key":
        key = public(LOG)
    else:
        name = cosigner_name("other")
    with pytest.raises(CosignatureError):
        open_cosigned(both, name, key)


def test_what_is_no_note_is_not_signed() -> None:
    for text, at_s in (("hello\n", 1), (note(), -1)):
        with pytest.raises(CheckpointError):
            cosign(text, NAME, HUB.sign, public(HUB), at_s)
