"""The settings of an OpenID Connect provider, and how it fails. Whoever asks one imports `provider_asking`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from longwatch.accounts.roles import Role
from longwatch.base.errors import LongwatchError

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class ProviderError(LongwatchError):
    """Signing in by the provider does not work now. code: for the page, `away` (it cannot be asked) or `refused`."""

    def __init__(self, code: str, what: str, *, why: str = "", remedy: str = "") -> None:
        super().__init__(what, why=why, remedy=remedy)
        self.code = code


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """issuer: as the provider writes it, to the letter. name: on the button. role_claim: of the ID token, with dots for what lies
    deeper; roles: what its values are here, the first that matches. default_role: of those with none of them; None lets them
    not in. ca: PEM of a private authority.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    name: str = "OpenID Connect"
    scopes: tuple[str, ...] = ("openid", "profile")
    role_claim: str = ""
    roles: tuple[tuple[str, Role], ...] = ()
    default_role: Role | None = None
    ca: Path | None = None


def is_safe(url: object) -> bool:
    """HTTPS, or plain HTTP on this machine."""
    if not isinstance(url, str) or len(url) > 2_000:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )
