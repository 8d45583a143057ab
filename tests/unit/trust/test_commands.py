"""A command is taken as it was signed, by whom it was signed, for whom it is, and in its time."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwatch.ledger.canonical import canonical
from longwatch.trust.commands import Command, CommandError, open_command, sign_command
from longwatch.trust.keys import SigningKey, key_in

GIVEN = Command("hq", "ridge", 7, "settings_read", 1_000, 2_000, "ada", "a look", {})


def test_as_it_was_signed_and_by_nobody_else(tmp_path: Path) -> None:
    ours, other = key_in(tmp_path / "a"), key_in(tmp_path / "b")
    signed = sign_command(GIVEN, ours.sign)
    assert open_command(signed, ours.public, "hq", "ridge", 1_999) == GIVEN
    assert open_command(signed, ours.public, "hq", "ridge", None) == GIVEN
    foreign = sign_command(GIVEN, other.sign)
    changed = signed.replace(b'"number":7', b'"number":8')
    bare = ours.sign(GIVEN.text()) + GIVEN.text()  # signed, but not as a command
    for wrong in (foreign, changed, bare, b"", signed[:64], signed + b" "):
        with pytest.raises(CommandError, match="not signed"):
            open_command(wrong, ours.public, "hq", "ridge", 1_500)


def test_for_this_post_of_this_hub_and_in_its_time(tmp_path: Path) -> None:
    key = key_in(tmp_path / "a")
    signed = sign_command(GIVEN, key.sign)
    for hub, post in (("hq", "valley"), ("other", "ridge")):
        with pytest.raises(CommandError, match="another post"):
            open_command(signed, key.public, hub, post, 1_500)
    with pytest.raises(CommandError, match="too old"):
        open_command(signed, key.public, "hq", "ridge", 2_000)
    with pytest.raises(CommandError, match="cannot be read"):
        open_command(sign_command(replace(GIVEN, number=0), key.sign), key.public, "hq", "ridge", 1_500)
    with pytest.raises(CommandError, match="too large"):
        sign_command(replace(GIVEN, body={"text": "x" * 400_000}), key.sign)


def _hostile(key: SigningKey, text: bytes) -> bytes:
    """Signed by our hub, whatever it says."""
    return key.sign(b"longwatch command v1\n" + text) + text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("expires_us", "soon"), ("expires_us", None), ("expires_us", True), ("expires_us", -1), ("issued_us", "1"), ("issued_us", []),
        ("number", True), ("number", "7"), ("number", -1), ("hub", ["hq"]), ("post", None), ("post", ""), ("kind", 5), ("kind", "Rm -rf"),
        ("kind", "x" * 50), ("by", {}), ("by", "a" * 300), ("reason", 1), ("reason", "a" * 3000), ("body", []), ("body", "text"), ("body", None),
    ],
)  # fmt: skip
def test_no_field_is_believed_to_have_its_form(tmp_path: Path, field: str, value: Any) -> None:
    key = key_in(tmp_path / "a")
    text = canonical({**asdict(GIVEN), field: value})
    for now_us in (None, 1_500):
        with pytest.raises(CommandError, match="cannot be read"):
            open_command(_hostile(key, text), key.public, "hq", "ridge", now_us)


@pytest.mark.parametrize(
    "text",
    [b"", b"null", b"7", b"[]", b"{}", b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe", b'"\\ud800"', b"1e999", b"NaN",
     canonical({**asdict(GIVEN), "more": 1}), canonical({k: v for k, v in asdict(GIVEN).items() if k != "by"}), canonical(asdict(GIVEN)) + b"\n"],
)  # fmt: skip
def test_what_is_no_command_is_refused_and_no_more(tmp_path: Path, text: bytes) -> None:
    key = key_in(tmp_path / "a")
    with pytest.raises(CommandError):
        open_command(_hostile(key, text), key.public, "hq", "ridge", 1_500)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 54), 1 << 54) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(sorted(asdict(GIVEN))), _JSON, max_size=3))
def test_any_values_are_a_command_or_are_refused(
    tmp_path_factory: pytest.TempPathFactory, said: dict[str, Any]
) -> None:
    key = _key(tmp_path_factory)
    try:
        text = canonical({**asdict(GIVEN), **said})
    except ValueError:
        return
    try:
        command = open_command(_hostile(key, text), key.public, "hq", "ridge", 1_500)
    except CommandError:
        return
    assert isinstance(command.expires_us, int)
    assert command.text() == text


_keys: list[SigningKey] = []


def _key(factory: pytest.TempPathFactory) -> SigningKey:
    if not _keys:
        _keys.append(key_in(factory.mktemp("keys") / "a"))
    return _keys[0]
