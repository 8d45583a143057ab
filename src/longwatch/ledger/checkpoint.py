"""Signed heads of a log: C2SP tlog-checkpoint, a signed note (c2sp.org/signed-note) with an Ed25519 signature.

A checkpoint says: the log `origin` had `size` entries, and their Merkle tree this root. Keys are 32 raw bytes here; PEM and the
one-line verifier key of the Go checksum database are read and written for people and other tools.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

KEY_BYTES = 32
MAX_NOTE_BYTES = 64 << 10
MAX_SIZE = (1 << 53) - 1
_ED25519 = b"\x01"
_MAX_SIGNATURES = 64
_DASH = "\u2014 "


class CheckpointError(ValueError):
    """Text that is no checkpoint, or none that this key signed."""


class KeyTextError(ValueError):
    """Text that is no Ed25519 public key."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A head of a log. origin: its name, which is also the name of its key. root: 32 bytes."""

    origin: str
    size: int
    root: bytes

    @property
    def body(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line. key_id: the first 4 bytes of its hash over name and key."""

    name: str
    key_id: bytes
    signature: bytes


def origin_of(post: str, data_id: str, number: int) -> str:
    """The name of a post's log and of the key that signs it. number: of the log's folder."""
    return f"longwatch/{post}/{data_id}/{number}"


def key_id(name: str, public_key: bytes) -> bytes:
    """What names a key in a note: 4 bytes."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:4]


def fingerprint(public_key: bytes) -> str:
    """How a key is told to people: "SHA256:" and the unpadded base64 of the SHA-256 of its 32 bytes."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(public_key).digest()).decode().rstrip("=")


def sign(checkpoint: Checkpoint, sign: Callable[[bytes], bytes], public_key: bytes) -> str:
    """The checkpoint as a signed note. sign: makes the Ed25519 signature of some bytes. Raises CheckpointError."""
    _check(checkpoint)
    return sign_text(checkpoint.body, checkpoint.origin, sign, public_key)


def sign_text(text: str, name: str, sign: Callable[[bytes], bytes], public_key: bytes) -> str:
    """A signed note of any text that ends with a line feed. name: of the key. Raises CheckpointError."""
    if not _is_name(name) or not text.endswith("\n") or "\n\n" in text:
        raise CheckpointError("not a text that can be signed, or no name of a key")
    signature = base64.b64encode(key_id(name, public_key) + sign(text.encode())).decode()
    return f"{text}\n{_DASH}{name} {signature}\n"


def open_text(note: str, name: str, public_key: bytes) -> str:
    """The text of a signed note, once the signatures of it by this key under this name are verified. Raises CheckpointError."""
    _, lines = _parts(note)
    _verify(note, [_signature(line) for line in lines], name, public_key, name)
    return note[: note.rindex("\n\n") + 1]


def _check(checkpoint: Checkpoint) -> None:
    if not _is_name(checkpoint.origin) or not 0 <= checkpoint.size <= MAX_SIZE or len(checkpoint.root) != KEY_BYTES:
        raise CheckpointError("not the head of a log")


def open_note(text: str, public_key: bytes) -> Checkpoint:
    """The checkpoint of a note, once this key's signature of it is verified. Raises CheckpointError."""
    checkpoint, signatures = parse_unverified(text)
    _verify(text, signatures, checkpoint.origin, public_key, f"the checkpoint of {checkpoint.origin}")
    return checkpoint


def _verify(note: str, signatures: list[Signature], name: str, public_key: bytes, what: str) -> None:
    wanted = key_id(name, public_key)
    ours = [each for each in signatures if each.name == name and each.key_id == wanted]
    if not ours:
        raise CheckpointError(f"{what} is not signed by the key {fingerprint(public_key)}")
    body = note[: note.rindex("\n\n") + 1].encode()
    for each in ours:
        if not verify_signature(public_key, each.signature, body):
            raise CheckpointError(f"a signature of {what} is not that of its text")


def verify_signature(public_key: bytes, signature: bytes, data: bytes) -> bool:
    """Whether the Ed25519 signature is that of the data (RFC 8032)."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def parse_unverified(text: str) -> tuple[Checkpoint, list[Signature]]:
    """What a note says and who says to have signed it, before anything is verified. Raises CheckpointError."""
    body, lines = _parts(text)
    if len(body) < 3 or not all(body):
        raise CheckpointError("a checkpoint has three lines: origin, size, root")
    origin, size, root = body[:3]
    if not (size.isascii() and size.isdigit()) or len(size) > 16 or (size[0] == "0" and size != "0"):
        raise CheckpointError("the size of a checkpoint is no number")
    checkpoint = Checkpoint(origin, int(size), _base64(root))
    _check(checkpoint)
    return checkpoint, [_signature(line) for line in lines]


def _parts(text: str) -> tuple[list[str], list[str]]:
    if len(text) > MAX_NOTE_BYTES or not text.endswith("\n"):
        raise CheckpointError("not a signed note")
    if any(char < " " and char != "\n" for char in text):
        raise CheckpointError("a note holds no control characters")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise CheckpointError("a note is UTF-8")
    body, blank, rest = text[:-1].rpartition("\n\n")
    lines = rest.split("\n")
    if not blank or len(lines) > _MAX_SIGNATURES:
        raise CheckpointError("a note without signatures, or with too many")
    return body.split("\n"), lines


def _signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space or not _is_name(name):
        raise CheckpointError("a note ends with signature lines")
    raw = _base64(encoded)
    if len(raw) < 5:
        raise CheckpointError("a signature line without a signature")
    return Signature(name, raw[:4], raw[4:])


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(char.isspace() or char < " " for char in name)


def _base64(text: str) -> bytes:
    """Standard base64 with its padding, in its one form."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CheckpointError("not base64") from error
    if base64.b64encode(data).decode() != text:
        raise CheckpointError("base64 with stray bits")
    return data


# -- checkpoints within other texts

_NOTE = re.compile(
    r"^(?P<body>[^\s+]+\n\d{1,16}\n[A-Za-z0-9+/]{43}=\n)\n(?P<lines>(?:\u2014 [^\s+]+ [A-Za-z0-9+/]+={0,2}\n)+)",
    re.MULTILINE,
)


def find_notes(text: str) -> list[str]:
    """The checkpoints that a text holds, in order: a note itself, or a report or manifest that quotes it (HTML or JSON)."""
    found: dict[str, None] = {}
    for form in (text, html.unescape(text), *_json_texts(text)):
        for match in _NOTE.finditer(form if form.endswith("\n") else form + "\n"):
            note = f"{match['body']}\n{match['lines']}"
            try:
                parse_unverified(note)
            except CheckpointError:
                continue
            found[note] = None
    return list(found)


def _json_texts(text: str) -> list[str]:
    """Every string of a JSON document; none where it is no JSON."""
    try:
        stack = [json.loads(text)]
    except (ValueError, RecursionError):
        return []
    texts = []
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, dict):
            stack += value.values()
        elif isinstance(value, list):
            stack += value
    return texts


# -- keys as text


def vkey(name: str, public_key: bytes) -> str:
    """The verifier key of one line that other tools of transparency logs take."""
    return f"{name}+{key_id(name, public_key).hex()}+{base64.b64encode(_ED25519 + public_key).decode()}"


def public_pem(public_key: bytes) -> str:
    """The key as SubjectPublicKeyInfo in PEM."""
    key = Ed25519PublicKey.from_public_bytes(public_key)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def parse_public_key(text: str) -> bytes:
    """The 32 bytes of a key in PEM or as a verifier key. Raises KeyTextError."""
    text = text.strip()
    if text.startswith("-----BEGIN"):
        try:
            key = load_pem_public_key(text.encode() + b"\n")
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeyTextError("not a public key in PEM") from error
        if not isinstance(key, Ed25519PublicKey):
            raise KeyTextError("not an Ed25519 key")
        return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise KeyTextError("neither PEM nor a verifier key")
    try:
        raw = _base64(parts[2])
    except CheckpointError as error:
        raise KeyTextError("not a verifier key") from error
    if len(raw) != 1 + KEY_BYTES or raw[:1] != _ED25519 or key_id(parts[0], raw[1:]).hex() != parts[1]:
        raise KeyTextError("not an Ed25519 verifier key, or one whose id is not its own")
    return raw[1:]
