"""One-time codes: all that a post needs to find its hub and to know it again, in one word that a person carries. Pure.

`lw1-` and base32 (RFC 4648, no padding, case does not matter) of: the hub's address, the SHA-256 of its CA certificate, a secret of 16 random
bytes and the post's id, with a checksum behind, so that a mistyped code is told from one that was used. Upper case letters, digits and `-` alone, so
that its QR code is small (ISO/IEC 18004, alphanumeric mode).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass, field

from longwatch.base.addresses import is_address
from longwatch.base.errors import UsageError
from longwatch.base.ids import is_slug

PREFIX = "lw1-"
SECRET_BYTES = 16
_HASH_BYTES = 32
_SUM_BYTES = 4
_MOST_TEXT = 700
_SLIPS = str.maketrans({"0": "o", "1": "l", "8": "b", "9": "g"})
"""Digits that base32 does not have, typed for letters that look like them."""


class CodeError(UsageError):
    """What was typed is no code, or is mistyped."""


@dataclass(frozen=True, slots=True)
class Code:
    """address: HOST:PORT where the hub listens. fingerprint: of its CA certificate, in hex. post: whom it is for."""

    address: str
    fingerprint: str
    post: str
    secret: bytes = field(repr=False)

    def text(self) -> str:
        """As it is printed, in lower case."""
        address, post = self.address.encode("ascii"), self.post.encode("ascii")
        body = (
            bytes([len(address)]) + address + bytes.fromhex(self.fingerprint) + self.secret + bytes([len(post)]) + post
        )
        return PREFIX + base64.b32encode(body + _sum(body)).decode().rstrip("=").lower()


def fresh_secret() -> bytes:
    """A secret for a new code."""
    return secrets.token_bytes(SECRET_BYTES)


def hash_of(secret: bytes) -> bytes:
    """What the hub keeps of a secret. It has 128 random bits: nothing slower than this is needed."""
    return hashlib.sha256(b"longwatch invite\n" + secret).digest()


def parse_code(text: str) -> Code:
    """The code that somebody typed or pasted, blanks and line breaks within it or not. Raises CodeError."""
    word = "".join(text[:_MOST_TEXT].split()).lower()
    if not word.startswith(PREFIX):
        raise CodeError(
            "this is no code of a hub", why=f"it does not begin with {PREFIX}",
            remedy="`longwatch hub invite POST` at the hub prints one as its last word",
        )  # fmt: skip
    encoded = word.removeprefix(PREFIX).replace("-", "").translate(_SLIPS).upper()
    try:
        raw = base64.b32decode(encoded + "=" * (-len(encoded) % 8))
    except (binascii.Error, ValueError):
        raw = b""
    body = raw[:-_SUM_BYTES]
    if len(raw) <= _SUM_BYTES or _sum(body) != raw[-_SUM_BYTES:]:
        raise CodeError(
            "the code is mistyped, or a part of it is missing", remedy="compare it with what the hub printed"
        )
    return _parsed(body)


def _parsed(body: bytes) -> Code:
    address, rest = _counted(body)
    fingerprint, secret, last = (
        rest[:_HASH_BYTES],
        rest[_HASH_BYTES:][:SECRET_BYTES],
        rest[_HASH_BYTES + SECRET_BYTES :],
    )
    post, more = _counted(last)
    if more or len(secret) != SECRET_BYTES or not is_slug(post) or not is_address(address):
        raise CodeError("the code is of a newer version", remedy="upgrade this post to the hub's version")
    return Code(address, fingerprint.hex(), post, secret)


def _counted(data: bytes) -> tuple[str, bytes]:
    """A text with its length before it, and what comes after; ("", ...) where it is none."""
    length = data[0] if data else 0
    try:
        text = data[1 : 1 + length].decode("ascii")
    except UnicodeDecodeError:
        text = ""
    return text, data[1 + length :]


def _sum(body: bytes) -> bytes:
    return hashlib.sha256(PREFIX.encode() + body).digest()[:_SUM_BYTES]
