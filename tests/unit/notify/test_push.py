"""What is pushed to a browser is never larger than its maker's service takes."""

from __future__ import annotations

import json

import pytest

from longwatch.notify.letter import Letter
from longwatch.notify.push import MOST_BYTES, MOST_TEXT, payload


def letter(title: str, body: str) -> Letter:
    return Letter(
        1,
        "all-64a7b1c2d3e4f-123456",
        "push",
        "1",
        title,
        body,
        "https://ridge.lan/#/camera/gate/2026-01-01T00:00:00Z",
        True,
        0,
        {},
    )


@pytest.mark.parametrize("one", ["a", "é", "東", "\U0001f4f7", '"', "\\"])
def test_it_fits_in_any_alphabet_and_the_body_gives_way(one: str) -> None:
    made = payload(letter(one * 120, one * 2_400))
    told = json.loads(made)
    assert len(made) <= MOST_BYTES
    assert told["title"] == one * 120
    assert len(told["body"]) == MOST_TEXT or len(made) > MOST_BYTES * 8 // 10, "and no more of it than has to"
    assert told["link"] == "/camera/gate/2026-01-01T00:00:00Z"


def test_what_fits_is_whole() -> None:
    assert json.loads(payload(letter("Ridge: Motion", "Something moves.")))["body"] == "Something moves."
