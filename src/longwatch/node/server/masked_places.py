"""Where the cameras with masks are, so that trying an address shows no picture of one: it would be unmasked."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from collections.abc import Iterable

from longwatch.config import Settings

_PORTS = {"rtsp": 554, "rtsps": 322}


def urls_of(settings: Settings) -> tuple[str, ...]:
    """Of every stream of a camera with masks."""
    return tuple(
        str(url)
        for camera in settings.cameras.values()
        if camera.masks
        for url in (camera.streams.main, camera.streams.sub)
        if url is not None
    )


def leads_to(url: str, masked: Iterable[str]) -> bool:
    """Whether an address is that of a masked camera, whatever its path and port (cameras show the same picture by more than one; only on
    this machine are ports cameras of their own): by name or by what the names lead to. What cannot be read counts as one, where there
    are any. Blocks while names are looked up. It registers no secret.
    """
    places = [_place(each) for each in masked]
    if not places:
        return False
    asked = _place(url)
    if asked is None or None in places:
        return True
    found = _addresses(*asked)
    return any(place is not None and found & _addresses(*place) for place in places)


def _place(url: str) -> tuple[str, int] | None:
    scheme, _, rest = url.strip().partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    match = re.fullmatch(r"(\[[^\]]+\]|[^:\s]+)(?::(\d{1,5}))?", authority)
    if match is None or scheme.lower() not in _PORTS:
        return None
    return match[1].strip("[]").rstrip(".").lower(), int(match[2] or _PORTS[scheme.lower()])


def _addresses(host: str, port: int) -> set[tuple[str, int]]:
    """What a name leads to; with its port on this machine, else with none."""
    found = {(host, 0)}
    with contextlib.suppress(OSError, UnicodeError):
        for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
            address = ipaddress.ip_address(str(info[4][0]).partition("%")[0])
            mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
            found.add((str(mapped or address), 0))
    if any(_is_loopback(name) for name, _ in found):
        return {(name, port) for name, _ in found}
    return found


def _is_loopback(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False
