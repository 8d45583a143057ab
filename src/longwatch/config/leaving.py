"""Where the passwords of a settings text go: to which machine, by which address. Pure.

Whoever changes settings from afar sees no password, and with its name or stand-in could have it sent to a machine of their own. So what is told from afar
may use a password only where, and as, the file uses it already; for anything else it is typed anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from longwatch.config import hiding, secret_places
from longwatch.config.tree import read_plain

_TOKEN = re.compile(hiding.STAND_IN.pattern + r"|\$\{[^}\n]*\}")
_LOGIN = re.compile(r"://[^/?#\s]*@")
_WHERE = frozenset({"kind", "host", "port", "url", "address", "server", "tls", "ca", "version", "prefix"})
"""What stands beside a password and says where it goes, and how well hidden."""
Use = tuple[str, Any]


def uses(shown: str) -> dict[Use, str]:
    """Each password by its name or stand-in, with where it goes; and at which key that stands. shown: with stand-ins. Raises SettingsError."""
    root = read_plain(shown)
    found: dict[Use, str] = {}
    for token, to, place in _of(root, ()):
        found.setdefault((token, to), place)
    if "secrets" in root:
        found.setdefault(("secrets", str(root["secrets"])), "secrets")
    return found


def sent_elsewhere(before: str, after: str) -> list[str]:
    """Keys of the text `after` at which a password would go where `before` does not send it. Raises SettingsError."""
    known = uses(before)
    return sorted({place for use, place in uses(after).items() if use not in known})


def changes_upgrades(before: str, after: str) -> bool:
    """Whether two texts say otherwise who may bring new programs to a post: whoever brings them must not say so. Raises SettingsError."""
    return bool(read_plain(before).get("upgrades") != read_plain(after).get("upgrades"))


def _of(
    node: Any, path: secret_places.Path_, beside: Mapping[str, Any] | None = None
) -> Iterator[tuple[str, Any, str]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _of(value, (*path, str(name)), node)
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _of(value, (*path, number), beside)
    elif isinstance(node, str):
        for match in _TOKEN.finditer(node):
            yield match[0], _goes_to(node, path, beside or {}), ".".join(map(str, path))


def _goes_to(text: str, path: secret_places.Path_, beside: Mapping[str, Any]) -> Any:
    """The machine of a URL; of an address of a channel all of it, since its server may stand anywhere in it; else what stands beside."""
    if "://" in text and not secret_places.is_way(path):
        scheme, _, rest = text.partition("://")
        login = _LOGIN.search(text)
        host = text[login.end() :] if login is not None else rest
        whole = re.split(r"[/?#\s]", host, maxsplit=1)[0]
        return (scheme.lower(), whole.lower(), text if login is None else text[: login.end()])
    if "://" in text or secret_places.is_way(path):
        return text
    return (path[:1], *sorted((name, str(value)) for name, value in beside.items() if name in _WHERE))
