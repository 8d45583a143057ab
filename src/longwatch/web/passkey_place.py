"""Whether a browser may use passkeys at the address that it shows, and under which name (W3C WebAuthn Level 3, 5.1.3)."""

from __future__ import annotations

import re

from starlette.requests import HTTPConnection

from longwatch.accounts.passkeys import Place
from longwatch.web.errors import RefusedError
from longwatch.web.guard import is_secure

_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def place_of(connection: HTTPConnection) -> tuple[Place | None, str]:
    """The place, or None and why not: `address` (it is no domain: an IP address has no name to bind a key to), `insecure`
    (neither TLS nor this machine).
    """
    host = (connection.url.hostname or "").lower()
    if len(host) > 253 or not _DOMAIN.fullmatch(host) or host.replace(".", "").isdecimal():
        return None, "address"
    if not is_secure(connection) and host != "localhost" and not host.endswith(".localhost"):
        return None, "insecure"
    scheme = "https" if is_secure(connection) else "http"
    port = connection.url.port
    shown = "" if port is None or port == _DEFAULT_PORTS[scheme] else f":{port}"
    return Place(host, f"{scheme}://{host}{shown}"), ""


def needed_place(connection: HTTPConnection) -> Place:
    """The place. Raises RefusedError 422 where passkeys cannot be used."""
    place, why = place_of(connection)
    if place is None:
        raise RefusedError(
            422,
            "passkeys cannot be used at this address",
            why="a passkey is bound to a name, and an IP address has none"
            if why == "address"
            else "the connection is not encrypted",
            remedy="open the post by its name, over https",
        )
    return place
