"""Network addresses as people write them. Pure."""

from __future__ import annotations

_MOST = 200


def is_address(text: str) -> bool:
    """Whether it is HOST:PORT, with an IPv6 address in brackets."""
    host, colon, port = text.rpartition(":")
    if not (colon and text.isascii() and text.isprintable() and " " not in text and len(text) <= _MOST):
        return False
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        return False
    return bool(host.strip("[]")) and "/" not in host and "@" not in host and port.isdigit() and 0 < int(port) < 65_536
