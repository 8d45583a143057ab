"""Passwords that become names of the secrets file."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.base.errors import UsageError
from longwatch.config.expand import Names, secrets_file, url
from longwatch.config.naming import name_for, secrets_text, split


@pytest.mark.parametrize(
    ("typed", "bare", "user", "password", "named"),
    [
        ("rtsp://h/1", "rtsp://h/1", "", None, ""),
        ("rtsp://u@h/1", "rtsp://h/1", "u", None, ""),
        ("rtsp://u:p%40s@h:88/1?a=b", "rtsp://h:88/1?a=b", "u", "p@s", ""),
        ("rtsp://u:${X}@h/1", "rtsp://h/1", "u", None, "${X}"),
        ("rtsp://u:a@b@h/1", "rtsp://h/1", "u", "a@b", ""),
        ("nonsense", "nonsense", "", None, ""),
    ],
)
def test_a_login_is_taken_out(typed: str, bare: str, user: str, password: str | None, named: str) -> None:
    parts = split(typed)
    assert (parts.bare, parts.user, parts.password, parts.named) == (bare, user, password, named)


def test_a_name_that_others_use_is_not_taken() -> None:
    assert name_for("main-gate", "x", {}, (), "") == "MAIN_GATE_PASSWORD"
    assert name_for("7th", "x", {}, (), "") == "CAMERA_7TH_PASSWORD"
    assert name_for("gate", "x", {}, ("GATE_PASSWORD",), "") == "GATE_PASSWORD_2"
    assert name_for("gate", "x", {"GATE_PASSWORD": "y"}, (), "sub: ${GATE_PASSWORD}") == "GATE_PASSWORD_2"
    assert name_for("gate", "y", {"GATE_PASSWORD": "y"}, (), "sub: ${GATE_PASSWORD}") == "GATE_PASSWORD"


def test_the_secrets_file_keeps_its_lines() -> None:
    text = "# ours\nA=1\n\nB=two words\n"
    assert secrets_text(text, {"A": "new", "C": "x=y "}) == "# ours\nA=new\n\nB=two words\nC=x=y \n"
    assert secrets_text("", {"A": "b"}) == "A=b\n"
    for wrong in ("a\nB=c", "a\r", "\0"):
        with pytest.raises(UsageError):
            secrets_text(text, {"A": wrong})


@settings(deadline=None)
@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=40),
    st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=1, max_size=12),
)
def test_any_login_reaches_the_camera_as_it_was_typed(
    tmp_path_factory: pytest.TempPathFactory, password: str, user: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "secrets.env"
    path.touch(0o600)
    path.write_text(secrets_text("", {"GATE_PASSWORD": password}), encoding="utf-8")
    whole = url(split("rtsp://10.0.0.5/1").with_login(user, "${GATE_PASSWORD}"), Names({}, secrets_file(path)))
    found = split(whole)
    assert (found.user, found.password) == (user, password)
