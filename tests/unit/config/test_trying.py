"""A text tried as though it stood in the file: what is right as it is written, and would still not start, is named too."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from longwatch.config.trying import tried

BASE = "post: {id: a}\ndata: d\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "longwatch.yml"
    file.write_text(BASE)
    return file


def keys(path: Path, text: str) -> list[str]:
    return [problem["key"] for problem in tried(path, text, {})["problems"]]


def test_what_is_right_is_said_in_full(path: Path) -> None:
    said = tried(path, BASE + "cameras: {gate: {streams: {main: 'rtsp://u:${GATE}@h/1'}}}\n", {"GATE": "x y"})
    assert said["problems"] == []
    assert said["resolved"]["cameras"][0]["streams"]["main"] == "rtsp://u:x%20y@h/1"
    assert said["web"]["tls"] == "off"


def test_what_would_not_start_is_named_with_its_place(path: Path) -> None:
    (path.parent / "file").write_text("")
    assert keys(path, "post: {id: a}\ndata: [d, file/sub]\n") == ["data.1"]
    assert keys(path, BASE + "web: {listen: '127.0.0.1:0', tls: {cert: no.pem, key: no.pem}}\n") == ["web.tls.cert"]
    assert keys(path, BASE + "web: {listen: '203.0.113.9:8460', tls: self-signed}\n") == ["web.listen"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        text = BASE + f"web: {{listen: '127.0.0.1:{taken.getsockname()[1]}'}}\n"
        assert keys(path, text) == ["web.listen"]
        path.write_text(text)  # as it runs now: its own door is no other's
        assert keys(path, text) == []


def test_secrets_that_are_to_come_need_no_file_yet(path: Path) -> None:
    text = BASE + "secrets: s.env\ncameras: {gate: {streams: {main: 'rtsp://u:${GATE}@h/1'}}}\n"
    assert tried(path, text, {"GATE": "x"})["problems"] == []
    assert "secrets" in keys(path, text)
