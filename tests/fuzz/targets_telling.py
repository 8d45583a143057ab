"""Fuzz targets of telling people: what a name from elsewhere may hold, what was kept of words, and what receivers and brokers answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

from longwatch.base.messages import LANGUAGES, language_of, written
from longwatch.model.events import Event
from longwatch.model.said import Said, as_json, from_json, in_words
from longwatch.notify import discovery, mqtt_topics
from longwatch.notify.letter import Letter
from longwatch.notify.mqtt_topics import CameraFacts, PostFacts, Seen
from longwatch.notify.rules import Item, Message
from longwatch.notify.webhook import after_s, body_of
from longwatch.notify.words import MOST_BODY, MOST_LINE, MOST_TITLE, Reader

NOW = datetime(2026, 1, 1, tzinfo=UTC)
_AT_US = 1_767_268_800_000_000


def names(data: bytes) -> None:
    """Whatever a name holds: one line for a title, bounded lines for a body, in every language; and JSON that a webhook can send."""
    text = data.decode("utf-8", "replace")[:5_000]
    item = Item("event/1", text[:20] or "motion", "gate", _AT_US, Said("told.moves", {"where": text}))
    message = Message(
        "k",
        "rule",
        "ada",
        "again",
        _AT_US,
        (item,) * 3,
        9,
        (("motion", "gate", 9), (text[:30], text[30:60], 2)),
        2,
        True,
        _AT_US,
    )
    for language in LANGUAGES:
        reader = Reader({"gate": text}, language, text[:30])
        title, body = reader.title(message, text), reader.body(message)
        assert title.isprintable()
        assert len(title) <= MOST_TITLE
        assert len(body) <= MOST_BODY
        assert all(line.isprintable() and len(line) <= MOST_BODY for line in body.split("\n"))
        assert len(body.split("\n")[0]) <= MOST_LINE
        body_of(Letter(1, "k", "c", "", title, body, "", True, _AT_US, {}), text)


def kept_words(data: bytes) -> None:
    """Anything may have been kept as words: refused, or they can be said in every language and kept again."""
    try:
        words = from_json(json.loads(data))
    except (ValueError, RecursionError):
        return
    json.dumps(as_json(words))
    for language in LANGUAGES:
        try:
            in_words(words, language)
        except KeyError:  # a value that its message wants was not kept: those who restore say so and begin anew
            return


def messages(data: bytes) -> None:
    """Any text is a message of a catalogue: written, or refused, and never for long."""
    text = data.decode("utf-8", "replace")[:4_000]
    try:
        for language in LANGUAGES:
            written(text, language, {"n": 3, "name": text[:9], "k": 1.5})
    except (ValueError, KeyError, RecursionError):
        return


def answers(data: bytes) -> None:
    """What a receiver wishes, and what a browser says that it speaks."""
    text = data.decode("latin-1")
    assert after_s(text, NOW) >= 0
    assert language_of(text[:9], text) in LANGUAGES


def broker(data: bytes) -> None:
    """Names in Home Assistant's messages, and what somebody says at the broker."""
    text = data.decode("utf-8", "replace")
    facts = PostFacts(
        "ridge", text, "1", "", cameras=(CameraFacts("gate", text), CameraFacts("north.gate", "b", may_pause=False))
    )
    for payload in discovery.messages("p", "homeassistant", facts, commands=True, pictures=True).values():
        assert isinstance(json.loads(payload), dict)
        payload.encode()
    seen = Seen()
    seen.last["gate"] = Event("e", "gate", "motion", _AT_US, zones=(text,), detail=text)
    for payload in mqtt_topics.retained("p", facts, seen).values():
        payload.encode()
    topic, _, said = text.partition("\n")
    told = mqtt_topics.switched("p", "ridge", topic, said, facts.cameras)
    assert told is None or (topic == "p/ridge/gate/record/set" and told[0] == "gate")


TARGETS: dict[str, Callable[[bytes], None]] = {
    "names": names,
    "words": kept_words,
    "messages": messages,
    "answers": answers,
    "broker": broker,
}
_TEXTS = [
    "Gate\r\nBcc: all@example.org",
    "\x1b[31mred",
    "a\u202etxt.exe",
    "<img src=x>{n, plural, one {#} other {# '{'x'}'}}",
    "Portail n° 2",
    "東門 دروازه",
]
_WORDS = (
    Said("alarms.silent", {"name": "Gate", "why": Said("alarms.why.unknown")}),
    "text",
    Said("alarms.andMore", {"n": 2}),
)
SEEDS: dict[str, list[bytes]] = {
    "names": [text.encode() for text in _TEXTS],
    "words": [json.dumps(as_json(_WORDS)).encode(), json.dumps(as_json(_WORDS[0])).encode()],
    "messages": [
        b"{n, plural, =0 {a} one {b {name}} other {# {k, select, a {x} other {y}}}} '{'",
        *(text.encode() for text in _TEXTS),
    ],
    "answers": [b"120", b"Wed, 21 Oct 2026 07:28:00 GMT", b"fr-CA, fr;q=0.9, *;q=0.1"],
    "broker": [
        b"p/ridge/gate/record/set\nON",
        b"p/ridge/north/gate/record/set\nOFF",
        *(text.encode() for text in _TEXTS),
    ],
}
