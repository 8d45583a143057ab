"""Settings of another machine, tried at a hub: no file of this one is read, and passwords stay stand-ins."""

from __future__ import annotations

from pathlib import Path

import pytest

from longwatch.config.afar import tried_afar

TEXT = """post: {id: ridge, timezone: Europe/Oslo}
data: data
web: {listen: 127.0.0.1:8460}
secrets: secrets.env
cameras:
  gate:
    streams: {main: 'rtsp://u:\u2022\u2022\u20220123abcd@10.0.0.5/s', sub: 'rtsp://u:${GATE}@10.0.0.5/s'}
    transport: tcp
"""


def test_names_and_stand_ins_stand_for_themselves() -> None:
    said = tried_afar(TEXT, TEXT, "ridge")
    assert said["problems"] == []
    assert said["before"] == said["resolved"]
    assert said["resolved"]["cameras"][0]["streams"]["sub"] == "rtsp://u:secret-GATE@10.0.0.5/s"


@pytest.mark.parametrize("named", ["/etc/shadow", "/no/such/file", "../../x"])
def test_no_file_of_this_machine_is_read(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(self: Path, *_: object) -> None:
        raise AssertionError(f"{self} was opened")

    monkeypatch.setattr(Path, "open", opened)
    monkeypatch.setattr(Path, "read_bytes", opened)
    monkeypatch.setattr(Path, "exists", opened)
    text = TEXT.replace("secrets.env", named).replace("data: data", "data: /etc")
    assert tried_afar(text, TEXT, "ridge")["problems"] == []


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ("id: ridge", "id: valley", "post.id"), ("post:", "hub:", "cameras"), ("tcp", "tpc", "cameras.gate.transport"),
        ("/s', sub", "/ s', sub", "cameras.gate.streams.main"), ("data: data", "data: [", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_has_its_place(before: str, after: str, key: str) -> None:
    said = tried_afar(TEXT.replace(before, after), TEXT, "ridge")
    assert key in [problem["key"] for problem in said["problems"]]
    assert "resolved" not in said
    assert "pw-" not in str(said), "stand-ins are shown as they were"


def test_where_what_stands_there_is_wrong_nothing_is_compared() -> None:
    assert tried_afar(TEXT, "post: [", "ridge")["before"] is None
