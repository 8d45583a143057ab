"""What is to be said to people before it is in any language: a key of the catalogue `words/LANGUAGE.json`, and what is put in. Pure.

Those who know what happened make it; it is put in words where it is known who reads. The console has the same catalogue, so that a page, a mail and a
report call a thing by one name. Names, and what a device or a library said itself, are text in no language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from longwatch.base import messages
from longwatch.base.messages import ENGLISH, LANGUAGES

_HERE = "longwatch.model"
_MOST_DEPTH = 5


@dataclass(frozen=True, slots=True)
class Said:
    """One message. values: by name; one may be a message itself."""

    key: str
    values: Mapping[str, Words | float] = field(default_factory=dict)


Words = str | Said | tuple["Words", ...]
"""Text, a message, or sentences that follow each other."""


def has(key: str) -> bool:
    """Whether there are words for it."""
    return key in messages.catalogue(_HERE, ENGLISH)


def first_of(*keys: str) -> str:
    """The first of these that there are words for; the last where there are none."""
    return next((key for key in keys if has(key)), keys[-1])


def in_words(words: Words, language: str = ENGLISH) -> str:
    """In a language that we speak, or in English."""
    spoken = language if language in LANGUAGES else ENGLISH
    if isinstance(words, str):
        return words
    if isinstance(words, tuple):
        return " ".join(told for told in (in_words(part, spoken) for part in words) if told)
    values = {
        name: value if isinstance(value, int | float) else in_words(value, spoken)
        for name, value in words.values.items()
    }
    for tongue in dict.fromkeys([spoken, ENGLISH]):
        message = messages.catalogue(_HERE, tongue).get(words.key)
        if message is not None:
            return messages.written(message, tongue, values)
    return words.key


def as_json(words: Words) -> Any:
    """Text, a list, or an object with `key` and `values`."""
    if isinstance(words, str):
        return words
    if isinstance(words, tuple):
        return [as_json(part) for part in words]
    values = {name: value if isinstance(value, int | float) else as_json(value) for name, value in words.values.items()}
    return {"key": words.key, "values": values}


def from_json(value: Any, depth: int = 0) -> Words:
    """What `as_json` made. Raises ValueError."""
    if isinstance(value, str):
        return value
    if depth < _MOST_DEPTH and isinstance(value, list):
        return tuple(from_json(part, depth + 1) for part in value)
    if depth < _MOST_DEPTH and isinstance(value, dict) and isinstance(value.get("key"), str):
        given = value.get("values")
        if isinstance(given, dict):
            return Said(
                value["key"],
                {
                    str(name): one if isinstance(one, int | float) else from_json(one, depth + 1)
                    for name, one in given.items()
                },
            )
    raise ValueError(f"no words: {str(value)[:80]!r}")
