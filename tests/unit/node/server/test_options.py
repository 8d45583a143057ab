"""From settings to the server's rooms, and what the server's log lets through."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

import pytest
import structlog
from cryptography import x509

from longwatch.base import log, secrets
from longwatch.base.errors import UsageError
from longwatch.config import load
from longwatch.node.server.http import listen
from longwatch.node.server.options import Door, door_of, site_of
from longwatch.node.server.process import _ThroughStructlog

SECRET = "s3cr3t-of-the-gate"


def settings(folder: Path, web: str = "{listen: '127.0.0.1:0'}"):
    path = folder / "longwatch.yml"
    path.write_text(
        f"post: {{id: ridge, timezone: Europe/Oslo}}\ndata: {folder / 'data'}\nweb: {web}\ncameras:\n"
        f"  gate:\n    name: Gate\n    kind: thermal\n    record: never\n"
        f"    streams: {{main: 'rtsp://u:{SECRET}@10.0.0.5/1', sub: 'rtsp://u:{SECRET}@10.0.0.5/2'}}\n"
        f"  yard: {{streams: {{main: 'rtsp://10.0.0.6/1'}}}}\n"
    )
    (folder / "data").mkdir(exist_ok=True)
    return load(path)


def test_the_web_learns_no_address_of_a_camera(tmp_path: Path) -> None:
    site = site_of(settings(tmp_path))
    assert (site.id, site.name, site.timezone) == ("ridge", "ridge", "Europe/Oslo")
    gate, yard = site.cameras
    assert (gate.kind, gate.record, gate.streams, yard.streams) == ("thermal", "never", ("main", "sub"), ("main",))
    assert "10.0.0" not in repr(site)
    assert SECRET not in repr(site)
    assert site.camera("attic") is None


def test_a_camera_says_how_many_zones_and_lines_are_drawn(tmp_path: Path) -> None:
    drawn = (
        "    zones: [{name: lawn, polygon: [[0, 0], [1, 0], [1, 1]]}, {name: drive, polygon: [[0, 0], [1, 0], [1, 1]]}]\n"
        "    lines: [{name: gate, from: [0, 0.5], to: [1, 0.5]}]\n"
    )
    settings(tmp_path)
    file = tmp_path / "longwatch.yml"
    file.write_text(file.read_text().replace("    kind: thermal\n", f"    kind: thermal\n{drawn}"))
    gate, yard = site_of(load(file)).cameras
    assert (gate.zones, gate.lines, yard.zones, yard.lines) == (2, 1, 0, 0)


def test_doors(tmp_path: Path) -> None:
    assert door_of(settings(tmp_path)) == Door("127.0.0.1", 0)
    secure = door_of(settings(tmp_path, "{listen: '0.0.0.0:8460', name: ridge.lan, tls: self-signed}"))
    assert secure.url == "https://0.0.0.0:8460/"
    found = x509.load_pem_x509_certificate(secure.certificate.read_bytes())
    named = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    names = [str(name.value) for name in named]
    assert names[0] == "ridge.lan"
    assert {"localhost", "127.0.0.1"} <= set(names)
    assert "0.0.0.0" not in names
    proxied = door_of(settings(tmp_path, "{listen: '0.0.0.0:8460', behind_proxy: [10.0.0.0/8]}"))
    assert proxied.proxies == ("10.0.0.0/8",)
    assert Door("::1", 8460).url == "http://[::1]:8460/"


def test_an_address_that_is_taken_is_said_with_a_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(UsageError, match="cannot listen on") as refused:
            listen(Door("127.0.0.1", taken.getsockname()[1]))
        assert "web.listen" in refused.value.remedy


@pytest.fixture
def logging_as_before():
    yield
    structlog.reset_defaults()


def test_what_libraries_log_is_scrubbed(capfd: pytest.CaptureFixture[str], logging_as_before: None) -> None:
    secrets.register(SECRET)
    log.configure(json=True)
    record = logging.LogRecord("uvicorn.error", logging.ERROR, "x", 1, "bad: %s", (f"rtsp://u:{SECRET}@h/",), None)
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)
    _ThroughStructlog().emit(record)
    said = capfd.readouterr().err
    assert "***" in said
    assert SECRET not in said
