"""HTTP authentication as RTSP uses it: Digest (RFC 7616: SHA-256 and MD5, qop auth and auth-int; RFC 2069 without qop)
and Basic (RFC 7617). The strongest scheme on offer is taken. No randomness here: the client nonce is handed in.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_PARAMETER = re.compile(r'([A-Za-z0-9_*-]{1,40})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')
_SCHEME = re.compile(r"(?:^|,)\s*(Digest|Basic)(?=\s|$|,)", re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_MAX_CHALLENGES = 8


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to a camera. Neither shows in a repr."""

    user: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One offer of a 401. scheme: `digest` or `basic`. algorithm: upper case, MD5 where unsaid."""

    scheme: str
    realm: str = ""
    nonce: str = ""
    opaque: str | None = None
    algorithm: str = "MD5"
    qop: tuple[str, ...] = ()
    stale: bool = False


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


_HASHES: dict[str, Callable[[bytes], str]] = {"SHA-256": _sha256, "MD5": _md5}


def challenges(values: Sequence[str]) -> list[Challenge]:
    """What the WWW-Authenticate lines offer, each line with one offer or several; what we cannot answer left out."""
    found: list[Challenge] = []
    for value in values:
        marks = list(_SCHEME.finditer(_QUOTED.sub(lambda quoted: "_" * len(quoted[0]), value)))
        ends = [*(mark.start() for mark in marks[1:]), len(value)]
        for mark, end in zip(marks, ends, strict=False):
            challenge = _challenge(mark[1].lower(), value[mark.end() : end])
            if challenge is not None and len(found) < _MAX_CHALLENGES:
                found.append(challenge)
    return found


def _challenge(scheme: str, text: str) -> Challenge | None:
    parameters = {
        m[1].lower(): re.sub(r"\\(.)", r"\1", m[2]) if m[2] is not None else m[3] for m in _PARAMETER.finditer(text)
    }
    realm = parameters.get("realm", "")
    if scheme == "basic":
        return Challenge("basic", realm)
    algorithm = parameters.get("algorithm", "").upper() or "MD5"
    qop = tuple(word.strip().lower() for word in parameters.get("qop", "").split(",") if word.strip())
    if algorithm.removesuffix("-SESS") not in _HASHES or "nonce" not in parameters:
        return None
    if qop and not {"auth", "auth-int"} & set(qop):
        return None
    return Challenge(
        "digest",
        realm,
        parameters["nonce"],
        parameters.get("opaque"),
        algorithm,
        qop,
        parameters.get("stale", "").lower() == "true",
    )


def strongest(offers: Sequence[Challenge]) -> Challenge | None:
    """SHA-256 before MD5 before Basic."""
    ranks = {"SHA-256": 0, "SHA-256-SESS": 0, "MD5": 1, "MD5-SESS": 1}
    return min(offers, key=lambda c: ranks[c.algorithm] if c.scheme == "digest" else 2, default=None)


class Authenticator:
    """The Authorization lines for one challenge; counts the uses of its nonce (RFC 7616, 3.4: nc)."""

    def __init__(self, challenge: Challenge, login: Login, cnonce: str) -> None:
        self.challenge = challenge
        self._login = login
        self._cnonce = cnonce
        self._uses = 0

    def header(self, method: str, uri: str, body: bytes = b"") -> str:
        """The value of Authorization for this request."""
        if self.challenge.scheme == "basic":
            pair = f"{self._login.user}:{self._login.password}".encode()
            return f"Basic {base64.b64encode(pair).decode('ascii')}"
        return self._digest(method, uri, body)

    def _digest(self, method: str, uri: str, body: bytes) -> str:
        c = self.challenge
        digest = _HASHES[c.algorithm.removesuffix("-SESS")]
        self._uses += 1
        nc = f"{self._uses:08x}"
        a1 = digest(f"{self._login.user}:{c.realm}:{self._login.password}".encode())
        if c.algorithm.endswith("-SESS"):
            a1 = digest(f"{a1}:{c.nonce}:{self._cnonce}".encode())
        qop = "auth" if "auth" in c.qop else "auth-int" if c.qop else ""
        a2 = digest(f"{method}:{uri}:{digest(body)}".encode() if qop == "auth-int" else f"{method}:{uri}".encode())
        middle = f"{c.nonce}:{nc}:{self._cnonce}:{qop}" if qop else c.nonce
        response = digest(f"{a1}:{middle}:{a2}".encode())
        parts = [
            f'username="{_quoted(self._login.user)}"', f'realm="{_quoted(c.realm)}"', f'nonce="{_quoted(c.nonce)}"',
            f'uri="{uri}"', f'response="{response}"',
        ]  # fmt: skip
        if c.algorithm != "MD5":
            parts.append(f"algorithm={c.algorithm.replace('SESS', 'sess')}")
        if c.opaque is not None:
            parts.append(f'opaque="{_quoted(c.opaque)}"')
        if qop:
            parts += [f"qop={qop}", f"nc={nc}"]
        if qop or c.algorithm.endswith("-SESS"):
            parts.append(f'cnonce="{self._cnonce}"')
        return f"Digest {', '.join(parts)}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
