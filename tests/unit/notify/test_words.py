"""The words of a message hold to one line, whatever a name from elsewhere holds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from longwatch.notify import words


def message(says: str) -> Any:
    item = SimpleNamespace(word="motion", camera="north.gate", over=False, from_us=0, says=says)
    return SimpleNamespace(items=[item], count=1, why="new", held=0, counts=[], since_us=0)


def test_a_name_adds_no_header_and_no_line() -> None:
    names = {"north.gate": "Gate\r\nBcc: all@example.org\u2028x"}
    told = words.title(message(""), "Ridge\n", names)
    assert told.isprintable()
    assert "Gate  Bcc: all@example.org x" in told
    assert "\n" not in words.body(message("a\nb"), "UTC", names)
