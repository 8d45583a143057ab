"""Whether the host is going down, as its service manager says."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from longwatch.node import host_state


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A program that takes systemctl's place."""

    def put(script: str) -> None:
        program = tmp_path / "systemctl"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(host_state, "_BOOTED", tmp_path)
        monkeypatch.setattr(host_state, "_SYSTEMCTL", (program,))

    return put


@pytest.mark.parametrize(
    ("script", "down"),
    [
        ('test "$1" = is-system-running && echo stopping; exit 1', True),
        ("echo running", False),
        ("echo degraded; exit 1", False),
        ("echo not stopping", False),
        ("exit 1", False),
        ("kill -9 $$", False),
    ],
)
async def test_only_its_own_word_counts(says, script: str, down: bool) -> None:
    says(script)
    assert await host_state.is_going_down() is down


async def test_one_that_hangs_is_not_waited_for(says) -> None:
    says("exec sleep 60")
    began = time.monotonic()
    assert not await host_state.is_going_down(0.2)
    assert time.monotonic() - began < 5


async def test_a_host_without_it_is_not_going_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_state, "_BOOTED", tmp_path / "absent")
    assert not await host_state.is_going_down()
    monkeypatch.setattr(host_state, "_BOOTED", tmp_path)
    monkeypatch.setattr(host_state, "_SYSTEMCTL", (tmp_path / "absent",))
    assert not await host_state.is_going_down()
