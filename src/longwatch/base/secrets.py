"""Known secrets, so that they can be taken out of text by value.

Scrubbing by pattern leaks (a well-known recorder misses 5 of 7 ordinary URL shapes). What is a secret is known when the
settings are read: it is registered here, and every log line, error and answer passes through `scrub`.
Owner of the state: this module's one registry; written by whoever learns a secret, read by all.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from urllib.parse import quote, quote_plus, unquote

_MASK = "***"
_known: set[str] = set()
_registered: dict[str, None] = {}
_ordered: tuple[str, ...] | None = ()


def register(secret: str) -> None:
    """Remember a secret, and the shapes it takes in URLs and in Basic credentials."""
    global _ordered
    if not secret or secret in _registered:
        return
    _registered[secret] = None
    _known.update(
        {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), unquote(secret), repr(secret)[1:-1]}
    )
    _known.discard("")
    _ordered = None


def register_login(user: str, password: str) -> None:
    """Remember a password and the Basic credentials made of it (RFC 7617)."""
    register(password)
    if password:
        register(base64.b64encode(f"{user}:{password}".encode()).decode("ascii"))


def missing(names: Sequence[str]) -> str:
    """What is said where names of secrets stand for nothing, as the evidence of a gap and for people."""
    return f"its secret {names[0]} is missing" if len(names) == 1 else f"its secrets {', '.join(names)} are missing"


def known() -> list[str]:
    """The values registered so far, for a child of ours that must know them too. They go through a pipe, never a file."""
    return list(_registered)


def scrub(text: str) -> str:
    """`text` with every known secret replaced, the longest first.

    Plain searching, not one pattern of alternatives: a thousand cameras have a thousand passwords, and compiling and
    trying such a pattern costs a hundred times as much.
    """
    global _ordered
    if _ordered is None:
        _ordered = tuple(sorted(_known, key=len, reverse=True))
    for secret in _ordered:
        if secret in text:
            text = text.replace(secret, _MASK)
    return text
