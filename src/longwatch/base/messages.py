"""Words for people in their language: messages in ICU MessageFormat, one catalogue for each language. Pure but for reading the catalogue.

The console reads the same form, and some of the same files. What is read of it here: `{name}`, `{n, number}`, `{n, plural, =0 {...} one {...} other {# ...}}`,
`{x, select, a {...} other {...}}`, messages within each other, and apostrophes (`''` is one; one before a brace quotes to the next). Plurals and numbers are
CLDR's for the languages that we speak. What a language lacks is said in English.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

LANGUAGES = {"en": "English", "fr": "Français", "es": "Español", "sw": "Kiswahili"}
"""By their own names. All are written from left to right."""
ENGLISH = "en"
Value = str | int | float
_GROUPS = {"en": ",", "fr": "\u202f", "es": ".", "sw": ","}
_POINTS = {"en": ".", "fr": ",", "es": ",", "sw": "."}
_LEAST_GROUPED = {"es": 10_000}
"""Spanish writes 1234 and 12.345."""
_ARGUMENT = re.compile(r"\s*(\w+)\s*(?:,\s*(\w+)\s*)?([,}])")
_CHOICE = re.compile(r"\s*(=\d+|\w+)\s*\{")
_END = re.compile(r"\s*\}")


def language_of(asked: str, accepted: str = "") -> str:
    """The language asked for, else the first that a browser accepts (RFC 9110 section 12.5.4), else English."""
    wanted = []
    for n, part in enumerate(accepted[:400].split(",")):
        name, _, quality = part.partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=") or 1)
        except ValueError:
            weight = 0.0
        if weight > 0:
            wanted.append((-weight, n, name.strip().lower().partition("-")[0]))
    return next((name for name in [asked, *(name for _, _, name in sorted(wanted))] if name in LANGUAGES), ENGLISH)


def plural(number: float, language: str) -> str:
    """Which form a number takes (CLDR 46): `one`, `many` or `other`."""
    if language == "fr" and 0 <= abs(number) < 2:
        return "one"
    if language in {"fr", "es"} and number and number % 1_000_000 == 0:
        return "many"
    return "one" if number == 1 else "other"


def number_text(number: float, language: str) -> str:
    """At most three decimals, thousands apart."""
    whole, _, rest = f"{number:.3f}".rstrip("0").rstrip(".").partition(".")
    digits = whole.removeprefix("-")
    if len(digits) > 3 and int(digits) >= _LEAST_GROUPED.get(language, 0):
        whole = f"{int(whole):,}".replace(",", _GROUPS[language])
    return whole + (_POINTS[language] + rest if rest else "")


@dataclass(frozen=True, slots=True)
class _Argument:
    """kind: "" or number; plural and select have choices. `#` is the argument "" of the plural that it stands in."""

    name: str
    kind: str = ""
    choices: tuple[tuple[str, tuple[str | _Argument, ...]], ...] = ()


_Parts = tuple[str | _Argument, ...]


class _Reading:
    """One message being read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def whole(self) -> _Parts:
        parts = self._parts(inside="")
        if self._at < len(self._text):
            raise ValueError(f"a brace too many in {self._text!r}")
        return parts

    def _parts(self, inside: str) -> _Parts:
        """inside: of which kind of argument this is a choice."""
        parts: list[str | _Argument] = []
        plain = ""
        while self._at < len(self._text) and self._text[self._at] != "}":
            letter = self._text[self._at]
            self._at += 1
            if letter == "'":
                plain += self._quoted(inside)
            elif letter == "{" or (letter == "#" and inside == "plural"):
                parts += [plain, self._argument() if letter == "{" else _Argument("", "number")]
                plain = ""
            else:
                plain += letter
        return tuple(part for part in [*parts, plain] if part != "")

    def _quoted(self, inside: str) -> str:
        following = self._text[self._at : self._at + 1]
        if following == "'":
            self._at += 1
            return "'"
        if following not in {"{", "}"} and not (following == "#" and inside == "plural"):
            return "'"
        until = self._text.find("'", self._at)
        until = len(self._text) if until < 0 else until
        told, self._at = self._text[self._at : until], until + 1
        return told

    def _argument(self) -> _Argument:
        found = _ARGUMENT.match(self._text, self._at)
        if found is None or (found[2] or "") not in {"", "number", "plural", "select"}:
            raise ValueError(f"an argument that is not known in {self._text!r}")
        self._at = found.end()
        if found[3] == "}":
            return _Argument(found[1], found[2] or "")
        choices = []
        while (choice := _CHOICE.match(self._text, self._at)) is not None:
            self._at = choice.end()
            choices.append((choice[1], self._parts(found[2])))
            self._at += 1
        end = _END.match(self._text, self._at)
        if end is None or "other" not in dict(choices):
            raise ValueError(f"choices without an end, or without `other`, in {self._text!r}")
        self._at = end.end()
        return _Argument(found[1], found[2], tuple(choices))


@functools.lru_cache(maxsize=2_000)
def _read(message: str) -> _Parts:
    return _Reading(message).whole()


def written(message: str, language: str, values: Mapping[str, Value]) -> str:
    """A message with its values. Raises ValueError for a message that is none, KeyError for a value that it lacks."""
    return _written(_read(message), language, values, 0)


def _written(parts: _Parts, language: str, values: Mapping[str, Value], counted: float) -> str:
    return "".join(part if isinstance(part, str) else _one(part, language, values, counted) for part in parts)


def _one(part: _Argument, language: str, values: Mapping[str, Value], counted: float) -> str:
    value: Value = values[part.name] if part.name else counted
    if part.kind == "":
        return str(value)
    if part.kind == "select":
        choices = dict(part.choices)
        return _written(choices.get(str(value), choices["other"]), language, values, counted)
    number = float(value)
    if part.kind == "number":
        return number_text(number, language)
    choices = dict(part.choices)
    chosen = choices.get(f"={number:g}") or choices.get(plural(number, language)) or choices["other"]
    return _written(chosen, language, values, number)


@functools.cache
def catalogue(package: str, language: str) -> Mapping[str, str]:
    """`words/LANGUAGE.json` of a package: part of the program, as its code is."""
    text = importlib.resources.files(package).joinpath("words", f"{language}.json").read_text("utf-8")
    read: Mapping[str, str] = json.loads(text)
    return read
