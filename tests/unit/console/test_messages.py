"""Every word of the console in four languages: the same keys, the same values, and no English left in a translation."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[3] / "console/src"
I18N = SOURCES / "i18n"
SHARED = Path(__file__).parents[3] / "src/longwatch/model/words"
"""What the post says in mails and reports, and the console on its pages: keys with their area."""
OTHERS = ("fr", "es", "sw")
OWN = sorted(path.stem for path in (I18N / "en").glob("*.json"))
AREAS = [*OWN, "shared"]
# Words that are the same in two languages by their nature: units, names of standards, and true cognates.
SAME_IN_ALL = re.compile(r"^[\W\d_]*$|^(\{\w+\}|[\s\W\d]|MB|GB|kB|s|min|h|d)*$")
SAME = json.loads((Path(__file__).parent / "same_words.json").read_text("utf-8"))


def arguments(message: str) -> set[str]:
    """Names of what is put in: a brace opens an argument, and within one (plural, select) a message again."""
    found, depth = set(), 0
    for n, letter in enumerate(message):
        if letter == "{":
            if depth % 2 == 0 and (name := re.match(r"\s*(\w+)\s*[,}]", message[n + 1 :])):
                found.add(name[1])
            depth += 1
        elif letter == "}":
            depth -= 1
        assert depth >= 0, message
    assert depth == 0, message
    return found


@cache
def catalogue(language: str, area: str) -> dict[str, str]:
    path = SHARED / f"{language}.json" if area == "shared" else I18N / language / f"{area}.json"
    return json.loads(path.read_text("utf-8"))


def test_every_language_has_every_area():
    for language in OTHERS:
        assert sorted(path.stem for path in (I18N / language).glob("*.json")) == OWN


def test_no_key_has_words_in_two_places():
    own = {f"{area}.{key}" for area in OWN for key in catalogue("en", area)}
    assert not own & set(catalogue("en", "shared"))


@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize("language", OTHERS)
def test_the_keys_and_their_values_are_the_same(language: str, area: str):
    english, other = catalogue("en", area), catalogue(language, area)
    assert list(english) == list(other)
    for key, message in english.items():
        assert arguments(message) == arguments(other[key]), key
        assert message.strip()
        assert other[key].strip()


@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize("language", OTHERS)
def test_no_translation_is_the_english(language: str, area: str):
    english, other = catalogue("en", area), catalogue(language, area)
    allowed = set(SAME["all"]) | set(SAME[language])
    same = [
        f"{area}.{key}: {message}"
        for key, message in english.items()
        if other[key] == message and message not in allowed and not SAME_IN_ALL.match(message)
    ]
    assert same == []


def test_every_key_that_is_asked_for_is_there():
    known = {f"{area}.{key}" for area in OWN for key in catalogue("en", area)} | set(catalogue("en", "shared"))
    for source in sorted([*SOURCES.rglob("*.svelte"), *SOURCES.rglob("*.ts")]):
        for key in re.findall(r"""\bt\(\s*['"]([a-z]\w*\.[\w.]+)['"]""", source.read_text("utf-8")):
            assert key in known, f"{source.name}: {key}"
