"""Passwords typed into a form: out of the URL, into the secrets file under a name, and `${NAME}` where they stood. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from longwatch.base.errors import UsageError

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?:(?P<user>[^\s:/@]*)(?::(?P<password>[^/]*))?@)?(?P<rest>.*)", re.DOTALL
)
_NAMED = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Split:
    """A URL and its login. password: as it was typed, None where it has none or it is a name; named: `${NAME}` of it, or ""."""

    bare: str
    user: str
    password: str | None
    named: str = ""

    @property
    def origin(self) -> str:
        """Scheme, host and port, as they stand."""
        return (
            self.bare[: len(self.bare) - len(self.bare.partition("://")[2])].lower()
            + re.split(r"[/?#]", self.bare.partition("://")[2], maxsplit=1)[0].lower()
        )

    def with_login(self, user: str, reference: str) -> str:
        """The URL with this login. reference: `${NAME}`, or "" for none."""
        if not user and not reference:
            return self.bare
        scheme, mark, rest = self.bare.partition("://")
        return f"{scheme}{mark}{quote(user, safe='')}{':' + reference if reference else ''}@{rest}"


def split(url: str) -> Split:
    """Take the login out of a URL. What is no URL comes back as it is."""
    match = _URL.fullmatch(url.strip())
    if match is None:
        return Split(url.strip(), "", None)
    bare = match["scheme"] + match["rest"]
    user, password = unquote(match["user"] or ""), match["password"]
    if password is not None and _NAMED.fullmatch(password):
        return Split(bare, user, None, password)
    return Split(bare, user, None if password is None else unquote(password))


def name_for(
    owner: str, value: str, known: Mapping[str, str], environ: Iterable[str], elsewhere: str, what: str = "PASSWORD"
) -> str:  # fmt: skip
    """A name for a secret of `owner` (a camera's id). known: the secrets file; elsewhere: the settings without that owner.

    The same value under its own name stays there; a name that somebody else uses, or the environment has, is not taken.
    """
    base = re.sub(r"[^A-Z0-9]", "_", owner.upper()) + f"_{what}"
    base = base if base[0].isalpha() else f"CAMERA_{base}"
    taken = set(environ)
    for number in range(1, 1000):
        name = base if number == 1 else f"{base}_{number}"
        if name in taken:
            continue
        if known.get(name) == value or f"${{{name}}}" not in elsewhere:
            return name
    raise UsageError(f"there are too many passwords named {base}", remedy="tidy up the secrets file")


def secrets_text(before: str, values: Mapping[str, str]) -> str:
    """The secrets file with these values: a name that is there keeps its line, a new one comes last, comments stay."""
    for value in values.values():
        if _UNSAFE.search(value):
            raise UsageError("a password holds no line break or control character")
    left = dict(values)
    lines = []
    for line in before.split("\n"):
        name = line.partition("=")[0].strip()
        is_value = "=" in line and not line.lstrip().startswith("#")
        if is_value and name in values:
            if name in left:
                lines.append(f"{name}={left.pop(name)}")
            continue
        lines.append(line)
    while lines and not lines[-1].strip():
        lines.pop()
    return "\n".join([*lines, *(f"{name}={value}" for name, value in left.items())]) + "\n"
