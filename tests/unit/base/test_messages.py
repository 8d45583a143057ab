"""Messages in ICU form: what the console's own library would make of them (checked against intl-messageformat 12.1.5, which the console has), and what is none."""

from __future__ import annotations

import pytest

from longwatch.base.messages import language_of, number_text, plural, written


def said(message: str, language: str = "en", **values: str | float) -> str:
    return written(message, language, values)


def test_what_is_put_in_is_text_whatever_it_looks_like() -> None:
    assert (
        said("Camera {name}: {why}.", name="{x, plural, other {#}}", why="it's '{off}'")
        == "Camera {x, plural, other {#}}: it's '{off}'."
    )


@pytest.mark.parametrize(
    ("language", "number", "told"),
    [
        ("en", 0, "0 gaps"), ("en", 1, "one gap"), ("en", 1234, "1,234 gaps"), ("fr", 0, "one gap"), ("fr", 2, "2 gaps"), ("fr", 1234, "1\u202f234 gaps"),
        ("es", 1234, "1234 gaps"), ("es", 12345, "12.345 gaps"), ("sw", 1, "one gap"), ("sw", 7, "7 gaps"),
    ],
)  # fmt: skip
def test_a_number_takes_its_form(language: str, number: int, told: str) -> None:
    assert said("{n, plural, one {one gap} other {# gaps}}", language, n=number) == told


def test_an_exact_number_goes_before_its_form_and_messages_stand_within_each_other() -> None:
    message = "{n, plural, =0 {nobody} one {{name} alone} other {{name} and {k, select, a {# friends} other {others}}}}"
    assert said(message, n=0, name="Ada", k="a") == "nobody"
    assert said(message, n=1, name="Ada", k="a") == "Ada alone"
    assert said(message, n=3, name="Ada", k="b") == "Ada and others"


def test_apostrophes() -> None:
    assert said("l'index '{'n'}' {n}", n=1) == "l'index {n} 1"
    assert said("it''s {n}", n=1) == "it's 1"


def test_numbers_are_written_as_the_language_does() -> None:
    assert [number_text(1234.5, language) for language in ("en", "fr", "es", "sw")] == [
        "1,234.5", "1\u202f234,5", "1234,5", "1,234.5",
    ]  # fmt: skip
    assert (number_text(-0.5, "fr"), number_text(12, "en"), number_text(1_000_000, "es")) == ("-0,5", "12", "1.000.000")
    assert [plural(number, "fr") for number in (0, 1.5, 2, 1_000_000)] == ["one", "one", "other", "many"]


@pytest.mark.parametrize(
    "message", ["{", "}", "{n", "{n,", "{n, date}", "{n, plural, one {x}}", "{n, plural, other {x}", "{n, plural, other x}", "a {b c} d"]
)  # fmt: skip
def test_what_is_no_message_is_refused(message: str) -> None:
    with pytest.raises(ValueError, match="in '"):
        said(message, n=1)


def test_the_nearest_language() -> None:
    assert language_of("sw", "fr") == "sw"
    assert language_of("xx", "de, fr-CA;q=0.8, es;q=0.9") == "es"
    assert language_of("", "*;q=0.1, " + "x," * 5000) == "en"
    assert language_of("", "fr;q=nonsense, en;q=0") == "en"
