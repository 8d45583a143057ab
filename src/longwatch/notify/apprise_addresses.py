"""Addresses of Apprise: what one may say, and what in it is a secret. Settings are read with this, and without a channel's threads.

Apprise takes half a second and 40 MB to import, and most posts have no channel of it: it is imported when the first address is read.
"""

from __future__ import annotations

import importlib
import re
from typing import Any
from urllib.parse import unquote, urlsplit

from longwatch.base import secrets
from longwatch.base.errors import UsageError

_REFUSED = frozenset({"dbus", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"})
"""They tell a desktop of this machine, where nobody sits."""
_FILES = re.compile(r"[?&;][\s+]*(keyfile|subfile|pgppub|pgpprv|template)[\s+]*=", re.IGNORECASE)
"""Parameters of Apprise that name a file of this machine, which it then sends, or uses: whoever writes an address would read it that way."""
_TEMPLATES = frozenset({"gupshup", "kaleyra", "notifyre", "onesignal", "sendgrid", "sendpulse", "whatsapp"})
"""Here `template` is an id at the service, and no file."""
_LEAST_SECRET = 6


def scheme_of(url: str) -> str:
    """In small letters."""
    return url.partition("://")[0].strip().lower()


def _names_a_file(url: str) -> bool:
    """However it is written: Apprise decodes what it reads."""
    written = {url, unquote(url), unquote(unquote(url))}
    named = {match[1].lower() for text in written for match in _FILES.finditer(text)}
    return bool(named - {"template"}) or ("template" in named and scheme_of(url) not in _TEMPLATES)


def _check_files(url: str) -> None:
    if _names_a_file(url):
        raise UsageError(
            "an address may name no file of this machine", why="Apprise would send it, or what it opens, to whom the address says",
            remedy="leave out template, keyfile, subfile, pgppub and pgpprv",
        )  # fmt: skip


def register(url: str) -> None:
    """The address and the parts of it that open something are secrets."""
    secrets.register(url)
    try:
        parts = urlsplit(url)
        login, password = parts.username or "", parts.password or ""
    except ValueError:
        return
    if password:
        secrets.register_login(unquote(login), unquote(password))
    for part in (*parts.path.split("/"), login if not password and parts.scheme not in {"mailto", "mailtos"} else ""):
        if len(part) >= _LEAST_SECRET * 2 and any(letter.isdigit() for letter in part):
            secrets.register(part)


def plugin_of(url: str) -> Any:
    """What Apprise makes of an address; it is registered as a secret. Raises UsageError, which never quotes it."""
    scheme = scheme_of(url)
    if "://" not in url or scheme in _REFUSED:
        raise UsageError(
            "this is no way to people",
            remedy="write it as mailtos://user:${MAIL_PASSWORD}@mail.example.org?to=me@example.org",
        )
    register(url)
    _check_files(url)
    apprise = importlib.import_module("apprise")
    # Where a receiver sends us on to is its word, and it may be this machine. `redirect=yes` in the address is the admin's own.
    plugin = apprise.Apprise.instantiate(
        url, asset=apprise.AppriseAsset(http_redirects=False), suppress_exceptions=True
    )
    if plugin is None:
        raise UsageError(
            f"Apprise does not take this address of {scheme}://"
            if scheme.isalnum()
            else "Apprise does not take this address",
            why="something in it is missing or malformed",
            remedy="its form stands in the documentation of Apprise",
        )
    return plugin
