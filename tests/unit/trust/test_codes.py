"""One-time codes: what comes back is what went in, and a slip of the pen is told from a code that is used up."""

from __future__ import annotations

import re

import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st

from longwatch.trust import Code, CodeError, fresh_secret, hash_of, is_address, parse_code

CODE = Code("hq.example.org:8461", "ab" * 32, "north-ridge", bytes(range(16)))


def test_a_code_says_the_same_again() -> None:
    text = CODE.text()
    assert re.fullmatch("lw1-[a-z2-7]+", text)
    assert parse_code(text) == CODE
    assert parse_code("  " + text.upper()[:40] + "\n " + text.upper()[40:] + "\n") == CODE


@given(st.sampled_from(["10.0.0.1:1", "[2001:db8::1]:8461", "a.b:65535"]), st.binary(min_size=16, max_size=16))
def test_every_code_says_the_same_again(address: str, secret: bytes) -> None:
    code = Code(address, "00" * 32, "a", secret)
    assert parse_code(code.text()) == code


@given(st.integers(4, len(CODE.text()) - 1), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_one_wrong_letter_is_a_mistyped_code(at: int, letter: str) -> None:
    text = CODE.text()
    if text[at] == letter or at == len(text) - 1:  # the last letter has bits to spare
        return
    with pytest.raises(CodeError, match="mistyped"):
        parse_code(text[:at] + letter + text[at + 1 :])


def test_digits_that_look_like_letters_are_read_as_those() -> None:
    text = CODE.text()
    slipped = "lw1-" + text[4:].replace("o", "0").replace("b", "8").replace("l", "1")
    assert slipped != text
    assert parse_code(slipped) == CODE


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no code of a hub"), ("lw2-abc", "no code of a hub"), ("lw1-", "mistyped"), (CODE.text()[:-1], "mistyped"),
        (CODE.text() + "a", "mistyped"), ("lw1-\u00e6", "mistyped"),
        (Code("nowhere", "00" * 32, "a", bytes(16)).text(), "newer version"),
        (Code("a:1", "00" * 32, "a", bytes(16)).text()[:4] + Code("a:1", "00" * 31, "a", bytes(17)).text()[4:], ""),
    ],
)  # fmt: skip
def test_what_is_no_code_is_told_why(text: str, what: str) -> None:
    if not what:
        assert parse_code(text).post == "a"  # the lengths add up: a code is its bytes
        return
    with pytest.raises(CodeError, match=what):
        parse_code(text)


def test_a_secret_is_kept_as_a_hash_and_shown_by_no_repr() -> None:
    secret = fresh_secret()
    assert len(secret) == 16
    assert secret != fresh_secret()
    assert hash_of(secret) == hash_of(secret) != hash_of(bytes(16))
    assert repr(CODE.secret) not in repr(CODE)


def test_its_picture_is_small() -> None:
    assert segno.make(CODE.text().upper(), error="l").mode == "alphanumeric"


@pytest.mark.parametrize(
    "address", ["", "host", "host:", ":1", "host:0", "host:70000", "::1:80", "a b:1", "a/b:1", "u@h:1", "h:\u0661"]
)
def test_what_is_no_address(address: str) -> None:
    assert not is_address(address)
