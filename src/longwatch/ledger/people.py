"""What an entry says of a person: a number and a commitment, never clear text (docs/ref/ledger-format.md, "People")."""

from __future__ import annotations

import hashlib

SALT_BYTES = 32
_DOMAIN = b"longwatch personal 1\n"


def commitment(salt: bytes, text: str) -> bytes:
    """SHA-256 of a fixed line, the salt of 32 bytes and the UTF-8 text. Whoever has salt and text can prove what was said;
    once both are erased nobody can guess it. Raises ValueError where the salt has another length.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt is {SALT_BYTES} bytes")
    return hashlib.sha256(_DOMAIN + salt + text.encode()).digest()


def mention(subject: int, salt: bytes, text: str) -> dict[str, object]:
    """What stands under `person` in a body. subject: a number for the person; 0 is the command line of the post."""
    return {"commitment": commitment(salt, text).hex(), "subject": subject}
