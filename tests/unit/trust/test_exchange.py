"""What is said at joining: the same again at the other end, and nothing else is believed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwatch.base.errors import LongwatchError
from longwatch.trust.codes import CodeError, parse_code
from longwatch.trust.exchange import Asking, ExchangeError, Given, parse_asking, parse_given, refusal

ASKING = Asking(b"s" * 16, "ridge", "North ridge \u00e9", "post", "longwatch/ridge/0123/1", b"k" * 32, b"-----BEGIN")
GIVEN = Given("hq", "Headquarters", b"-----BEGIN", 1_800_000_000_000_000, b"c" * 32, b"d" * 32, "age1x")


def test_what_is_said_is_heard() -> None:
    assert parse_asking(ASKING.text()) == ASKING
    assert parse_asking(ASKING.text().encode()) == ASKING
    assert parse_given(GIVEN.text()) == GIVEN


def test_no_secret_in_a_repr() -> None:
    assert repr(ASKING.secret) not in repr(ASKING)


def test_a_refusal_is_told_in_the_hubs_words() -> None:
    with pytest.raises(LongwatchError, match="the hub refuses: the code is too old") as caught:
        parse_given(refusal(LongwatchError("the code is too old", why="w", remedy="r"), "expired"))
    assert (caught.value.why, caught.value.remedy) == ("w", "r")


@pytest.mark.parametrize(
    "wrong",
    [
        {"v": 2}, {"secret": "00"}, {"secret": "zz" * 16}, {"secret": None}, {"post": "A B"}, {"post": 1}, {"role": "king"}, {"key": "00" * 31},
        {"csr": "x" * 9000}, {"csr": "\u00e9"}, {"origin": "o" * 201}, {"name": "n" * 101},
    ],
)  # fmt: skip
def test_what_is_no_request(wrong: dict[str, Any]) -> None:
    with pytest.raises(ExchangeError):
        parse_asking(json.dumps(json.loads(ASKING.text()) | wrong))


@pytest.mark.parametrize(
    "wrong", [{"hub": "A"}, {"expires_us": "x"}, {"expires_us": True}, {"cosigner": "00"}, {"certificate": None}]
)
def test_what_is_no_answer(wrong: dict[str, Any]) -> None:
    with pytest.raises(ExchangeError):
        parse_given(json.dumps(json.loads(GIVEN.text()) | wrong))


def test_too_much_is_not_looked_at() -> None:
    with pytest.raises(ExchangeError):
        parse_asking(replace(ASKING, csr=b"x" * 40_000).text())


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200)))
def test_noise_is_refused_in_words(noise: bytes | str) -> None:
    for read in (parse_asking, parse_given):
        with pytest.raises(LongwatchError):
            read(noise)
    with pytest.raises(CodeError):
        parse_code(noise if isinstance(noise, str) else "lw1-" + noise.hex())
