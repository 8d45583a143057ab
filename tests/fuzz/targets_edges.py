"""Fuzz targets at the edges: the settings file, camera URLs in it, the words for faults, requests to a simulated camera."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from longwatch.base.errors import UsageError
from longwatch.config import Problem, SettingsError, compose
from longwatch.simulate.faults import parse
from longwatch.simulate.login import Login
from longwatch.simulate.requests import Request, RequestReader, transport_options


def settings_file(data: bytes) -> None:
    """Any text is settings, or is refused with a place for every problem."""
    problems = _problems(data.decode("utf-8", "replace"))
    assert problems is None or problems
    assert all(p.line >= 1 and p.column >= 1 and p.what for p in problems or [])


def _problems(text: str) -> list[Problem] | None:
    try:
        compose(Path("x.yml"), text, {"NAME": 'p"@:/#%'}, Path("/nowhere"))
    except SettingsError as error:
        return error.problems
    return None


def faults(data: bytes) -> None:
    """Any word is a fault, or is refused."""
    try:
        fault = parse(data.decode("utf-8", "replace"))
    except UsageError:
        return
    assert fault.at_s >= 0


def requests(data: bytes) -> None:
    """Any bytes are requests and packets, or an error; the same however they are cut."""
    whole = _read([data])
    assert _read([data[:7], data[7:]]) == whole
    for item in whole or []:
        if isinstance(item, Request):
            transport_options(item.headers.get("transport", ""))
            Login("any", "u", "p").accepts(item.method, item.headers.get("authorization", ""))


def _read(parts: list[bytes]) -> list[object] | None:
    reader = RequestReader()
    try:
        return [item for part in parts for item in reader.feed(part)]
    except ValueError:
        return None


TARGETS: dict[str, Callable[[bytes], None]] = {
    "settings-file": settings_file,
    "simulate-faults": faults,
    "simulate-requests": requests,
}
