"""Countersignatures of checkpoints: C2SP tlog-cosignature, `cosignature/v1` (c2sp.org/tlog-cosignature), with Ed25519.

A hub that verified a log up to a head says so, with the time, in one more signature line under the note. From then on the log cannot show
anybody another history up to there without the hub's knowing. Pure: who signs, and what time it is, come in.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Callable

from longwatch.ledger.checkpoint import KEY_BYTES, CheckpointError, parse_unverified, verify_signature

_TYPE = b"\x04"
_TIME = struct.Struct(">Q")
_SIGNATURE_BYTES = 64
MAX_TIME_S = (1 << 63) - 1


class CosignatureError(ValueError):
    """A note that this key did not countersign."""


def cosigner_name(hub: str) -> str:
    """What a hub is called in the signature line."""
    return f"longwatch-hub/{hub}"


def cosigner_key_id(name: str, public_key: bytes) -> bytes:
    """What names a countersigning key in a note: 4 bytes. Its type is 4, so that it is never that of the same key as a log's."""
    return hashlib.sha256(name.encode() + b"\n" + _TYPE + public_key).digest()[:4]


def cosigner_vkey(name: str, public_key: bytes) -> str:
    """The verifier key of one line."""
    return f"{name}+{cosigner_key_id(name, public_key).hex()}+{base64.b64encode(_TYPE + public_key).decode()}"


def cosign(note: str, name: str, sign: Callable[[bytes], bytes], public_key: bytes, at_s: int) -> str:
    """The note with this cosigner's line below the others; one of its own from before is replaced. The log's signature is the caller's to verify.

    at_s: POSIX seconds. sign: makes the Ed25519 signature of some bytes. Raises CheckpointError for what is no note.
    """
    parse_unverified(note)
    if len(public_key) != KEY_BYTES or not 0 <= at_s <= MAX_TIME_S:
        raise CheckpointError("no key, or no time")
    body, lines = _split(note)
    key = cosigner_key_id(name, public_key)
    raw = key + _TIME.pack(at_s) + sign(_message(body, at_s))
    own = f"\u2014 {name} {base64.b64encode(raw).decode()}"
    kept = [line for line in lines if not _is_by(line, name, key)]
    return f"{body}\n" + "".join(f"{line}\n" for line in [*kept, own])


def open_cosigned(note: str, name: str, public_key: bytes) -> int:
    """The time, in POSIX seconds, at which this cosigner signed the note. Raises CosignatureError where it did not, or the line is not that of its
    text. Says nothing of the log's own signature.
    """
    try:
        _, signatures = parse_unverified(note)
    except CheckpointError as error:
        raise CosignatureError(str(error)) from error
    wanted = cosigner_key_id(name, public_key)
    found = [each for each in signatures if each.name == name and each.key_id == wanted]
    if not found:
        raise CosignatureError(f"{name} has not countersigned this")
    body, _ = _split(note)
    at_s = 0
    for each in found:
        if len(each.signature) != _TIME.size + _SIGNATURE_BYTES:
            raise CosignatureError("a countersignature of the wrong length")
        (at_s,) = _TIME.unpack_from(each.signature)
        if not verify_signature(public_key, each.signature[_TIME.size :], _message(body, at_s)):
            raise CosignatureError(f"the countersignature of {name} is not that of its text")
    return int(at_s)


def _message(body: str, at_s: int) -> bytes:
    return f"cosignature/v1\ntime {at_s}\n{body}".encode()


def _split(note: str) -> tuple[str, list[str]]:
    """Text, its last newline included, and signature lines."""
    at = note.rindex("\n\n") + 1
    return note[:at], note[at + 1 : -1].split("\n")


def _is_by(line: str, name: str, key: bytes) -> bool:
    said_name, _, encoded = line.removeprefix("\u2014 ").partition(" ")
    return said_name == name and base64.b64decode(encoded)[:4] == key
