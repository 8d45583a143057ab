"""Passwords in the file itself: none is shown, all are put back, and none in another's place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.config.hiding import check_places, hidden, restored
from longwatch.config.problems import SettingsError

KEY = b"of this server"
LITERALS = ("lit-one", 'wi"th quote', "in-a-comment", "of=param", "mon-word", "auth-word-8", "com-munity")
TEXT = """
cameras:
  a: {streams: {main: 'rtsp://u:lit-one@10.0.0.5/1', sub: 'rtsp://u:wi"th quote@10.0.0.5/2'}}
  # was rtsp://admin:in-a-comment@10.0.0.9/1
  b:
    streams:
      main: rtsp://10.0.0.6/1?user=a&password=of=param
      sub: rtsp://u:${NAMED}@10.0.0.6/2
switches:
  hut: {snmp: {address: 10.0.0.2, user: reader, auth_password: auth-word-8}}
  den: {snmp: {address: 10.0.0.3, community: "com-munity"}}
  pub: {snmp: {address: 10.0.0.4, community: public}}
ups: {nut: ups@127.0.0.1, user: monitor, password: mon-word}
secrets: secrets.env
"""


def test_every_password_is_hidden_and_comes_back() -> None:
    shown, held = hidden(TEXT, KEY)
    assert [word for word in LITERALS if word in shown] == []
    assert "${NAMED}" in shown
    assert "community: public" in shown
    assert "secrets: secrets.env" in shown
    assert restored(shown, held) == TEXT
    assert shown.count("\n") == TEXT.count("\n")


def test_a_stand_in_is_the_same_in_every_version_and_another_under_another_key() -> None:
    one, _ = hidden("a: rtsp://u:word-one@h/\n", KEY)
    two, _ = hidden("b: 1\na: rtsp://u:word-one@h/x\n", KEY)
    assert one.partition("u:")[2].partition("@")[0] == two.partition("u:")[2].partition("@")[0]
    assert hidden("a: rtsp://u:word-one@h/\n", b"other")[0] != one


def test_one_that_the_file_does_not_know_is_named_with_its_place() -> None:
    shown, _ = hidden("a: rtsp://u:gone@h/\n", KEY)
    with pytest.raises(SettingsError) as caught:
        restored(f"# so\n{shown}", {})
    assert [(p.line, p.column) for p in caught.value.problems] == [(2, 13)]


def test_what_is_no_yaml_hides_what_it_can() -> None:
    shown, held = hidden("cameras: [\n  main: rtsp://u:half-typed@h/1\n", KEY)
    assert "half-typed" not in shown
    assert "half-typed" in restored(shown, held)


@settings(deadline=None)
@given(
    st.text(
        st.characters(codec="ascii", min_codepoint=33, max_codepoint=126, exclude_characters="/\\'\"{}$"),
        min_size=4,
        max_size=30,
    )
)
def test_any_password_of_a_url_is_hidden_and_comes_back(word: str) -> None:
    text = f"cameras:\n  a:\n    streams:\n      main: 'rtsp://someone:{word}@10.9.8.7/stream1'\n"
    shown, held = hidden(text, KEY)
    assert restored(shown, held) == text
    assert f":{word}@" not in shown


X = "•••0123abcd"


@pytest.mark.parametrize(
    "node",
    [
        {"cameras": {"a": {"streams": {"main": f"rtsp://u:{X}@h/1", "sub": f"rtsp://h/1?password={X}&x=1"}}}},
        {"cameras": {"a": {"relay": {"url": f"http://u:{X}@h/"}}}},
        {"ups": {"password": X}, "switches": {"x": {"snmp": {"community": X, "auth_password": X}}}},
        {"web": {"oidc": {"client_secret": X}}},
    ],
)
def test_a_stand_in_may_stand_where_a_password_may(node: object) -> None:
    check_places(node)


@pytest.mark.parametrize(
    "node",
    [
        {"post": {"name": X}},
        {"cameras": {"a": {"name": f"rtsp://u:{X}@h/1"}}},
        {"cameras": {"a": {"covers": f"the gate {X}"}}},
        {"cameras": {"a": {"streams": {"main": f"rtsp://{X}.example/1"}}}},
        {"cameras": {"a": {"streams": {"main": f"rtsp://{X}:p@h/1"}}}},
        {"cameras": {"a": {"masks": [{"name": X}]}}},
        {"cameras": {X: {}}},
        {"notice": {"contact": f"password: {X}"}},
        {"notify": {"people": {"ada": {"user": X}}}},
        {"ups": {"user": X}},
        {"mqtt": {"user": X, "password": X}},
        {"switches": {"hut": {"snmp": {"user": X}}}},
        [X],
        X,
    ],
)
def test_a_stand_in_stands_nowhere_else(node: object) -> None:
    with pytest.raises(SettingsError, match="people would read it"):
        check_places(node)


def test_beside_a_password_a_stand_in_stays_where_the_file_has_it_and_comes_nowhere_anew() -> None:
    """A user is shown as it is, unless it happens to be somebody's password too: then it is hidden where it stands, and stays."""
    shown, held = hidden("ups: {user: mon-word, password: mon-word}\nmqtt: {user: bridge}\n", KEY)
    assert "mon-word" not in shown
    (stand_in,) = held
    before = {"ups": {"user": stand_in, "password": stand_in}, "mqtt": {"user": "bridge"}}
    check_places(before, before=before)
    check_places({"user": stand_in}, ("ups",), before)
    for where, user in (("mqtt", stand_in), ("ups", f"{stand_in}x"), ("ups", "•••00000000")):
        with pytest.raises(SettingsError, match="people would read it"):
            check_places({where: {"user": user}}, before=before)


@pytest.mark.parametrize("said", ["${BROKER}", "'${BROKER}'", '"${BROKER}"', "${ONE}${TWO}"])
def test_a_name_is_shown_as_it_stands_with_and_without_quotes(said: str) -> None:
    text = f"mqtt:\n  host: broker.lan\n  password: {said}  # of the broker\n"
    assert hidden(text, KEY) == (text, {})
    mixed = f"mqtt:\n  password: half-{said.strip(chr(39) + chr(34))}\n"
    shown, held = hidden(mixed, KEY)
    assert "half" not in shown, "what stands beside a name is a password"
    assert restored(shown, held) == mixed
