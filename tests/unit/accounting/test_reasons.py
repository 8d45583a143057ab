"""A reason is one short line that can be read."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwatch.accounting.reasons import LONGEST, reason_of
from longwatch.base.errors import UsageError


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("roof", "roof"),
        ("  the roof, at last  ", "the roof, at last"),
        ("Du\u0308nger", "D\u00fcnger"),
        ("x" * LONGEST, "x" * LONGEST),
        ("7", "7"),
        ("\u5c4b\u6839", "\u5c4b\u6839"),
        ("\u0645\u06cc\u200c\u0634\u0648\u062f", "\u0645\u06cc\u200c\u0634\u0648\u062f"),
    ],
)
def test_a_reason_is_kept_as_it_reads(given_: str, kept: str) -> None:
    assert reason_of(given_) == kept


@pytest.mark.parametrize(
    "given_",
    [
        None,
        "",
        " ",
        "\t",
        "---",
        "x" * (LONGEST + 1),
        "x" * 1_000_000,
        "a\nb",
        "a\0b",
        "\x1b[31mred",
        "\u202egnp",
        "a\u2028b",
        "\ud800",
        7,
        [],
        {},
        True,
    ],
)
def test_what_is_none(given_: object) -> None:
    with pytest.raises(UsageError):
        reason_of(given_)


def test_where_none_is_needed_nothing_is_no_reason() -> None:
    assert reason_of(None, needed=False) == ""
    assert reason_of("", needed=False) == ""
    with pytest.raises(UsageError):
        reason_of("a\nb", needed=False)


@given(st.one_of(st.text(), st.integers(), st.none(), st.binary(), st.lists(st.text())))
def test_whatever_comes_it_is_a_short_line_or_refused(given_: object) -> None:
    try:
        kept = reason_of(given_)
    except UsageError:
        return
    assert 0 < len(kept) <= LONGEST
    assert len(kept.splitlines()) == 1
    assert not any(unicodedata.category(letter) == "Cc" for letter in kept)
    kept.encode()
