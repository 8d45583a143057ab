"""The words of a message: in every language, for whatever may be told; and one line of it stays one line, whatever a name from elsewhere holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from longwatch.base import secrets
from longwatch.base.messages import LANGUAGES
from longwatch.model.events import KINDS, Event, EventChange
from longwatch.model.events import Phase as EventPhase
from longwatch.model.said import Said, Words, in_words
from longwatch.notify.feeds import of_event
from longwatch.notify.happening import WORDS
from longwatch.notify.rules import Item, Message
from longwatch.notify.words import MOST_BODY, MOST_LINE, MOST_TITLE, Reader, name_of, named

AT = 1_767_268_800_000_000  # 2026-01-01T12:00:00Z, a Thursday


def message(says: Words = "", word: str = "motion", count: int = 1, why: str = "new") -> Message:
    item = Item("event/1", word, "north.gate", AT, says)
    return Message("k", "rule", "ada", why, AT, (item,), count, ((word, "north.gate", count),), 0, True, AT)


@pytest.mark.parametrize("language", LANGUAGES)
def test_whatever_rules_may_name_has_a_name_in_every_language(language: str) -> None:
    for word in sorted(WORDS):
        assert named(word), word
        assert "." not in in_words(name_of(word), language), word


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_event_is_told_in_every_language(language: str) -> None:
    told = set()
    for kind in KINDS:
        event = Event("e", "gate", kind, AT, zones=("yard",) if not kind.startswith("tamper") else ())
        text = in_words(of_event(EventChange(EventPhase.NEW, event), "Main gate").says, language)
        assert "Main gate" in text
        assert "told." not in text
        assert "." in text
        told.add(text)
    assert len(told) == len(KINDS)


def test_a_whole_message_in_each_language_and_in_the_readers_time() -> None:
    names = {"north.gate": "Gate"}
    whole = replace(message(Said("told.moves", {"where": "Gate"}), count=1234, why="again"), held=2)
    english = Reader(names, "en", "UTC")
    assert english.title(whole, "Ridge") == "Ridge: Still: Motion at Gate, and 1233 more"
    assert english.body(whole).split("\n") == [
        "01 Jan 12:00:00  Something moves at Gate.", "and 1233 more; in all: Motion at Gate: 1234",
        "2 messages were held back since 01 Jan 12:00; what they had to say is in this one.",
    ]  # fmt: skip
    french = Reader(names, "fr", "Europe/Paris")
    assert french.title(whole, "Ridge") == "Ridge: Toujours : Mouvement à Gate, et 1233 de plus"
    assert french.body(whole).split("\n")[0] == "01 janv. 13:00:00  Quelque chose bouge à Gate."
    spanish = Reader(names, "es", "America/Bogota")
    assert spanish.body(whole).split("\n")[2].startswith("2 mensajes fueron retenidos desde el 01 ene 07:00;")
    swahili = Reader(names, "sw", "Africa/Nairobi")
    assert swahili.body(whole).split("\n")[0] == "01 Jan 15:00:00  Kitu kinasogea: Gate."


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_months_are_twelve(language: str) -> None:
    reader = Reader({}, language)
    days = {
        reader.body(
            replace(message("x"), items=(replace(message("x").items[0], from_us=AT + n * 31 * 86_400_000_000),))
        )
        for n in range(12)
    }
    assert len(days) == 12
    assert reader.trial("Ridge")[0].startswith("Ridge: ")
    assert all(reader.trial("Ridge"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_unknown_zone_and_an_unknown_word_end_nothing(language: str) -> None:
    reader = Reader({}, language, "Nowhere/Land")
    assert reader.title(message(word="of.tomorrow"), "Ridge").isprintable()
    assert reader.body(message(Said("of.tomorrow", {"a": 1})))


@pytest.mark.parametrize("name", [
    "Gate\r\nBcc: all@example.org\u2028x", "\x1b[31mred\x07", "a\u202etxt.exe", "<img src=x onerror=alert(1)>{n, plural, other {#}}", "x" * 5000, "\ud800", "\x00",
])  # fmt: skip
def test_a_name_adds_no_header_no_line_and_no_message_within(name: str) -> None:
    for language in LANGUAGES:
        reader = Reader({"north.gate": name}, language)
        told = reader.title(replace(message(), count=3), f"Ridge {name[:9]}\n")
        assert told.isprintable()
        assert len(told) <= MOST_TITLE
        body = reader.body(message(Said("told.moves", {"where": name})))
        assert body.isprintable()
        assert len(body) <= MOST_LINE
        assert len(reader.body(replace(message(name, count=99), items=message(name).items * 8))) <= MOST_BODY
    assert "Gate  Bcc: all@example.org x" in Reader({"north.gate": "Gate\r\nBcc: all@example.org\u2028x"}).title(
        message(), "Ridge"
    )


def test_a_secret_that_got_into_a_name_is_not_told() -> None:
    secrets.register("hunter2-the-second")
    reader = Reader({"north.gate": "rtsp://a:hunter2-the-second@gate"}, "es")
    assert "hunter2" not in reader.title(message(), "Ridge") + reader.body(message())
    counted = replace(message(count=9), items=())
    assert "hunter2" not in reader.body(counted)
