"""Words before they are in a language: every language has all of them, with the same values; and they survive being kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.console.test_messages import arguments

from longwatch.base.messages import LANGUAGES, catalogue, written
from longwatch.model.said import Said, as_json, first_of, from_json, has, in_words

WORDS = Path(__file__).parents[3] / "src/longwatch/model/words"
OTHERS = sorted(set(LANGUAGES) - {"en"})


def test_a_catalogue_for_each_language_and_no_other() -> None:
    assert sorted(path.stem for path in WORDS.iterdir()) == sorted(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_can_be_written(language: str) -> None:
    for key, message in catalogue("longwatch.model", language).items():
        for number in (0, 1, 2, 1_000_000):
            values = dict.fromkeys(arguments(message), number)
            told = written(message, language, values)
            assert told.strip(), key
            assert "{" not in told, key


@pytest.mark.parametrize("language", OTHERS)
def test_what_a_language_lacks_is_said_in_english(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {name: catalogue("longwatch.model", name) for name in LANGUAGES}
    less = {key: text for key, text in kept[language].items() if key != "alarms.over"}
    monkeypatch.setattr("longwatch.base.messages.catalogue", lambda _, name: less if name == language else kept[name])
    assert in_words(Said("alarms.over"), language) == kept["en"]["alarms.over"]
    assert in_words(Said("alarms.removed"), language) == kept[language]["alarms.removed"]


def test_an_unknown_language_is_english_and_an_unknown_key_is_itself() -> None:
    assert in_words(Said("told.moves", {"where": "Gate"}), "tlh") == "Something moves at Gate."
    assert in_words(Said("told.nothing_of_the_kind")) == "told.nothing_of_the_kind"
    assert first_of("alarms.how.nonsense", "alarms.how.hidden") == "alarms.how.hidden"
    assert not has("alarms.how.nonsense")


def test_words_are_kept_as_json_and_come_back() -> None:
    words = (
        Said("alarms.silent", {"name": "Gate", "why": Said("alarms.why.unknown")}),
        "disk on fire.",
        Said("alarms.andMore", {"n": 2}),
    )
    again = from_json(json.loads(json.dumps(as_json(words))))
    assert again == words
    assert in_words(again, "fr").startswith("La caméra Gate n’envoie pas de vidéo")
    assert in_words(again, "fr").endswith("disk on fire. Et 2 de plus.")


@pytest.mark.parametrize(
    "kept",
    [None, 5, {}, {"key": 5, "values": {}}, {"key": "a"}, {"key": "a", "values": {"b": None}}, [[[[[[["deep"]]]]]]]],
)
def test_what_was_kept_by_another_is_refused(kept: object) -> None:
    with pytest.raises(ValueError, match="no words"):
        from_json(kept)
