"""A section changed in the text: what was meant stands there, and nothing else moved."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longwatch.base.errors import UsageError
from longwatch.config.editing import patched, section, with_line, without
from longwatch.config.problems import SettingsError
from longwatch.config.tree import read_plain

TEXT = """# my post
post: {id: ridge, name: "Ridge"}   # here
data: /srv/x

# all cameras
cameras:
  # the gate
  gate:   # west
    name: Gate
    streams:
      main: rtsp://u:${P}@10.0.0.5/1   # hd
    # audio: false
    schedule:
    - {days: mon-fri, from: '06:00', to: '09:00'}

  # the yard
  yard:
    streams: {main: rtsp://10.0.0.6/1}   # old one
# last words
retention: {max_age: 14d}   # law
"""


def comments(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("#")]


def test_a_patch_touches_the_lines_of_its_section_alone() -> None:
    made = patched(TEXT, ("cameras", "gate"), {"audio": False, "streams": {"sub": "rtsp://10.0.0.5/2"}})
    before, after = TEXT.splitlines(), made.splitlines()
    assert after[:8] == before[:8]
    assert after[-6:] == before[-6:]
    assert "      sub: rtsp://10.0.0.5/2" in after
    assert "    audio: false" in after
    assert "    - {days: mon-fri, from: '06:00', to: '09:00'}" in after
    assert comments(made) == comments(TEXT)


def test_a_new_camera_stands_behind_its_brothers_before_what_follows() -> None:
    made = patched(
        TEXT, ("cameras", "new"), {"name": "Né", "schedule": [{"days": "sat", "from": "06:00", "to": "07:00"}]}
    )
    assert (
        made.replace("  new:\n    name: Né\n    schedule:\n    - {days: sat, from: '06:00', to: '07:00'}\n", "") == TEXT
    )


def test_a_camera_goes_and_what_is_said_of_others_stays() -> None:
    made = without(TEXT, ("cameras", "gate"))
    assert "  # the yard\n  yard:\n" in made
    assert read_plain(made)["cameras"].keys() == {"yard"}
    last = without(made, ("cameras", "yard"))
    assert read_plain(last)["cameras"] == {}
    assert "# last words\nretention: {max_age: 14d}   # law\n" in last
    with pytest.raises(UsageError):
        without(last, ("cameras", "yard"))


@pytest.mark.parametrize("empty", ["cameras: {}\n", "cameras:\n", "cameras: {}   # none yet\n", ""])
def test_the_first_camera_of_a_file(empty: str) -> None:
    text = f"post: {{id: a}}\n{empty}retention: {{max_age: 1d}}   # law\n"
    made = patched(text, ("cameras", "gate"), {"streams": {"main": "rtsp://h/1"}})
    assert read_plain(made) == read_plain(text) | {"cameras": {"gate": {"streams": {"main": "rtsp://h/1"}}}}
    assert "# law" in made
    assert ("# none yet" in made) == ("# none yet" in text)


def test_json_stays_json() -> None:
    text = json.dumps({"post": {"id": "a"}, "cameras": {"gate": {"name": "G"}}}, indent=2)
    assert json.loads(patched(text, ("cameras", "gate"), {"audio": False}))["cameras"]["gate"]["audio"] is False
    assert json.loads(without(text, ("cameras", "gate")))["cameras"] == {}
    assert json.loads(with_line(text, "secrets", "s.env", ("post",)))["secrets"] == "s.env"


def test_what_refers_to_elsewhere_in_the_file_is_changed_all_the_same() -> None:
    text = "post: {id: a}\ncameras:\n  one: &base\n    audio: false\n    streams: {main: rtsp://h/1}\n  two:\n    <<: *base\n    name: Two\n"
    made = patched(text, ("cameras", "two"), {"name": "Three"})
    assert read_plain(made)["cameras"]["two"]["name"] == "Three"


def test_a_key_is_put_behind_another() -> None:
    made = with_line(TEXT, "secrets", "secrets.env", ("web", "data", "post"))
    assert "data: /srv/x\nsecrets: secrets.env\n" in made


def test_what_is_no_yaml_or_no_section_is_refused() -> None:
    with pytest.raises(SettingsError):
        patched("a: [", ("post",), {})
    with pytest.raises(UsageError):
        patched("cameras: seven\n", ("cameras", "gate"), {"name": "x"})
    assert section(TEXT, ("cameras", "nobody")) is None


_names = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=20)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(_names, st.sampled_from(["gate", "yard", "new"]), st.booleans())
def test_any_text_comes_back_as_it_was_given(name: str, camera: str, audio: bool) -> None:
    made = patched(TEXT, ("cameras", camera), {"name": name, "audio": audio})
    found = section(made, ("cameras", camera))
    assert (found["name"], found["audio"]) == (name, audio)
    assert comments(made) == comments(TEXT)
    others = read_plain(made)
    assert {k: v for k, v in others.items() if k != "cameras"} == {
        k: v for k, v in read_plain(TEXT).items() if k != "cameras"
    }
