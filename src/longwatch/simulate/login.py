"""The camera's side of a login: RFC 7616 Digest (MD5 and SHA-256) and RFC 7617 Basic."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

from longwatch.base.errors import UsageError

SCHEMES = ("digest", "digest-sha256", "basic", "any", "none")
_PAIR = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')


class Login:
    """Checks the Authorization header of one connection. scheme: one of SCHEMES; `any` offers all three."""

    def __init__(self, scheme: str, user: str, password: str, realm: str = "Simulated camera") -> None:
        if scheme not in SCHEMES:
            raise UsageError(f"there is no login {scheme!r}", remedy=f"one of {', '.join(SCHEMES)}")
        self._scheme = scheme
        self._user = user
        self._password = password
        self._realm = realm
        self._nonce = secrets.token_hex(16)

    def challenges(self) -> list[str]:
        """WWW-Authenticate headers, strongest first."""
        offers = {
            "digest-sha256": f'Digest realm="{self._realm}", nonce="{self._nonce}", algorithm=SHA-256, qop="auth"',
            "digest": f'Digest realm="{self._realm}", nonce="{self._nonce}"',
            "basic": f'Basic realm="{self._realm}"',
        }
        return list(offers.values()) if self._scheme == "any" else [offers[self._scheme]]

    def accepts(self, method: str, authorization: str) -> bool:
        """Whether the credentials are right for this request."""
        if self._scheme == "none":
            return True
        kind, _, rest = authorization.strip().partition(" ")
        if kind.lower() == "basic" and self._scheme in {"basic", "any"}:
            expected = base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
            return hmac.compare_digest(rest.strip().encode(), expected.encode())
        if kind.lower() == "digest" and self._scheme != "basic":
            return self._digest(method, rest)
        return False

    def _digest(self, method: str, text: str) -> bool:
        given = {name.lower(): quoted or plain for name, quoted, plain in _PAIR.findall(text)}
        sha256 = given.get("algorithm", "MD5").upper() == "SHA-256"
        if sha256 != (self._scheme == "digest-sha256") and self._scheme != "any":
            return False
        if given.get("nonce") != self._nonce or given.get("username") != self._user:
            return False

        def digest(text: str) -> str:
            kind = hashlib.sha256 if sha256 else hashlib.md5
            return kind(text.encode()).hexdigest()

        parts = [digest(f"{self._user}:{self._realm}:{self._password}"), self._nonce]
        if given.get("qop"):
            parts += [given.get("nc", ""), given.get("cnonce", ""), given["qop"]]
        parts.append(digest(f"{method}:{given.get('uri', '')}"))
        return hmac.compare_digest(given.get("response", ""), digest(":".join(parts)))
