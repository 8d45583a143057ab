"""Known secrets never stand in text that goes out, in any of the shapes that URLs and logins give them."""

from __future__ import annotations

import base64
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.base import secrets


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(secrets, "_known", set())
    monkeypatch.setattr(secrets, "_registered", {})
    monkeypatch.setattr(secrets, "_ordered", ())


def test_every_shape_of_a_password_is_masked():
    password = "p@ss/wörd %41"
    secrets.register_login("user", password)
    basic = base64.b64encode(f"user:{password}".encode()).decode()
    for shape in (password, quote(password, safe=""), quote(password), quote_plus(password), basic, repr(password)):
        said = secrets.scrub(f"before {shape} after")
        assert shape.strip("'") not in said
        assert said.startswith("before ")
        assert said.endswith(" after")


def test_the_longest_secret_goes_first():
    secrets.register("abc")
    secrets.register("abcdef")
    assert secrets.scrub("abcdef abc") == "*** ***"


def test_nothing_is_masked_before_anything_is_known_and_empty_is_no_secret():
    secrets.register("")
    secrets.register_login("user", "")
    assert secrets.scrub("user ***") == "user ***"
    assert secrets.known() == []


def test_a_child_can_be_told_what_is_known():
    secrets.register_login("user", "one")
    told = secrets.known()
    assert told[0] == "one"
    for secret in told:
        secrets.register(secret)
    assert secrets.known() == told


@given(st.text(min_size=1, max_size=20).filter(lambda t: t.strip("*")), st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=100, deadline=None)
def test_a_secret_is_gone_wherever_it_stands(secret: str, before: str, after: str):
    secrets._known.clear()
    secrets._registered.clear()
    secrets.register(secret)
    assert secret not in secrets.scrub(before + secret + after).replace("***", "\0") or secret == "\0"
