"""Passwords that stand in the settings themselves, hidden where the file is shown and put back where it is saved. Pure.

Each becomes a *stand-in*: three dots and eight hexadecimal digits, of a keyed hash, so that it says nothing, and the same
password has the same stand-in in every version of the file. `${NAME}` is no password and stays as it stands.

Found by where they stand (the login of a URL, a parameter of its path, a key of that name), in comments too. What a look
at the YAML finds beside that is hidden wherever it stands.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Mapping
from typing import Any

from longwatch.config import secret_places
from longwatch.config.problems import Problem, SettingsError
from longwatch.config.tree import read_plain

STAND_IN = re.compile(r"•••[0-9a-f]{8}")
_LOGIN = re.compile(r"://[^\s:/@]*:([^\s/]*)@")
_PARAMETER = re.compile(
    r"[?&/;_](?:password|passwd|pwd|pass|psw|token)=([^\s&;#/'\"{},]+|\$\{[^}\n]*\}[^\s&;#/'\"{},]*)", re.IGNORECASE
)
_KEY = re.compile(
    r"(?:password|passwd|community|secret|token)[\"']?[ \t]*:[ \t]+"
    r"(?:'((?:[^'\n]|'')+)'|\"((?:[^\"\\\n]|\\.)+)\"|((?:\$\{[^}\n]*\}|[^\s'\"#,{}\[\]|>&*])(?:\$\{[^}\n]*\}|[^,}\]\n])*?))(?=[ \t]*(?:[,}\]\n]|$|[ \t]#))",
    re.IGNORECASE,
)
_WIDE_LOGIN = re.compile(r"://[^:@]*:(.*)@", re.DOTALL)
"""A login with blanks or slashes in it, which only quotes allow."""
_NAMED = re.compile(r"(?:\$\{[^}\n]*\})+")
_NAMED_IN_A_WAY = re.compile(r"(?:\$\{[^}\n]*\})+@[^@?\s]*\?.*", re.DOTALL)
"""A login that ends before a query with an @ of its own, as `mailtos://user:${NAME}@host?to=ada@example.org`."""
_NO_SECRETS = frozenset({"public", "private"})  # the communities that everybody knows
_LEAST = 3  # a shorter one, standing where none is looked for, is no more than a syllable


def hidden(text: str, key: bytes) -> tuple[str, dict[str, str]]:
    """The text as it may be shown, and what each stand-in stands for. key: the same for as long as stand-ins are to hold."""
    told = _told_by_yaml(text)
    spans = sorted([*_spans(text), *_spans_of(text, told)], key=lambda span: (span[0], -span[1]))
    held: dict[str, str] = {}
    pieces: list[str] = []
    end = 0
    for first, last in spans:
        if first >= end:
            pieces += [text[end:first], _stand_in(text[first:last], key, held)]
            end = last
    shown = "".join([*pieces, text[end:]])
    for secret in sorted(told, key=len, reverse=True):
        if len(secret) >= _LEAST and secret in shown:
            shown = shown.replace(secret, _stand_in(secret, key, held))
    return shown, held


def check_places(node: Any, path: secret_places.Path_ = (), before: Any = None) -> None:
    """Raises SettingsError where a stand-in is put where no password may stand: there it would be read by people once it is put back.

    node: settings that were parsed, or the part of them at `path`. before: all of them as they are shown now: what stands at the `user` beside a password is
    shown too, once that password is no other's, so that a stand-in may only stay there.
    """
    if isinstance(node, dict):
        for name, value in node.items():
            _check_text(str(name), (*path, "name of a key"), before)
            check_places(value, (*path, str(name)), before)
    elif isinstance(node, list):
        for number, value in enumerate(node):
            check_places(value, (*path, number), before)
    elif isinstance(node, str):
        _check_text(node, path, before)


def _check_text(text: str, path: secret_places.Path_, before: Any) -> None:
    if secret_places.is_secret(path) and (path[-1] != "user" or text == _at(before, path)):
        return
    allowed = []
    if secret_places.is_stream(path) or secret_places.is_device(path):
        allowed = [m.span(1) for pattern in (_LOGIN, _PARAMETER, _WIDE_LOGIN) for m in pattern.finditer(text)]
    for match in STAND_IN.finditer(text):
        if not any(first <= match.start() and match.end() <= end for first, end in allowed):
            place = ".".join(map(str, path))
            says = "a password is put where people would read it"
            raise SettingsError(None, [Problem(1, 1, place, says, "take it out")])


def _at(node: Any, path: secret_places.Path_) -> Any:
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return node


def restored(shown: str, held: Mapping[str, str]) -> str:
    """The text with its passwords again. Raises SettingsError where a stand-in is none of this file's."""
    problems = []
    for match in STAND_IN.finditer(shown):
        if match[0] not in held:
            line = shown.count("\n", 0, match.start()) + 1
            column = match.start() - (shown.rfind("\n", 0, match.start()) + 1) + 1
            remedy = "type the password itself, or ${NAME} for one of the secrets file"
            problems.append(
                Problem(line, column, "", "this stands for a password that is not in the file any more", remedy)
            )
    if problems:
        raise SettingsError(None, problems)
    return STAND_IN.sub(lambda match: held[match[0]], shown)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    for pattern in (_LOGIN, _PARAMETER, _KEY):
        for match in pattern.finditer(text):
            group = match.lastindex or 0
            if group and _is_secret(match[group]):
                yield match.span(group)


def _spans_of(text: str, secrets: set[str]) -> Iterator[tuple[int, int]]:
    """Where what the YAML tells stands behind a colon or an equals sign."""
    for secret in secrets:
        for match in re.finditer(r"[:=][ \t]*[\"']?(" + re.escape(secret) + ")", text):
            yield match.span(1)


def _is_secret(value: str) -> bool:
    named = _NAMED.fullmatch(value) or _NAMED_IN_A_WAY.fullmatch(value)
    return bool(value) and not named and value not in _NO_SECRETS and not STAND_IN.fullmatch(value)


def _stand_in(secret: str, key: bytes, held: dict[str, str]) -> str:
    made = "•••" + hmac.new(key, secret.encode("utf-8", "surrogatepass"), "sha256").hexdigest()[:8]
    held[made] = secret
    return made


def _told_by_yaml(text: str) -> set[str]:
    """Passwords as the YAML says them, whatever way they are written."""
    try:
        root = read_plain(text)
    except SettingsError:
        return set()
    return set(_of_node(root, "", ()))


def _of_node(node: Any, key: str, path: secret_places.Path_) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _of_node(value, str(name), (*path, str(name)))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _of_node(value, key, (*path, number))
    elif isinstance(node, str):
        if secret_places.SECRET_KEY.search(key) and _is_secret(node):
            yield node
        if secret_places.is_way(path) and "${" not in node and _is_secret(node):
            yield node  # tokens stand anywhere in it
        for pattern in (_LOGIN, _PARAMETER):
            yield from (match[1] for match in pattern.finditer(node) if _is_secret(match[1]))
        yield from (match[1] for match in _WIDE_LOGIN.finditer(node) if _is_secret(match[1]))
