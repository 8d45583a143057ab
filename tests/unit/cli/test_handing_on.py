"""After an upgrade the installed command hands on to the release that runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import longwatch
from longwatch.cli import handing_on
from longwatch.node.supervisor.process import data_folder
from longwatch.node.upgrade.files import Places, change
from longwatch.node.upgrade.state import RELEASE, Release, switched

NEW = Release("9.0.0-00112233", "9.0.0")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings that only the release reads, which is on trial: its interpreter tells what it was given, and resolves anything."""
    monkeypatch.delenv(RELEASE, raising=False)
    path, data = tmp_path / "x.yml", tmp_path / "data"
    path.write_text("post: {id: ridge}\ndata: data\nof_a_newer_version: 1\n")
    python = Places(data).python(NEW)
    python.parent.mkdir(parents=True)
    python.write_text(f"""#!/bin/sh\necho '{{"volumes": ["{data}"], "given": "'"$*"'"}}'\n""")
    python.chmod(0o755)
    change(
        data,
        longwatch.__version__,
        lambda state: switched(state, NEW, "hand/1", boot="a", now_us=0, length_us=1, hub=False, cameras=()),
    )
    return path


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "longwatch.cli", *words], capture_output=True, text=True, check=False, env=os.environ | environ
    )  # fmt: skip


@pytest.mark.slow
def test_a_verb_is_done_by_the_release(config: Path):
    said = run("gaps", "--config", str(config), "--json")
    assert json.loads(said.stdout)["given"] == f"-P -m longwatch.cli gaps --config {config} --json"


def test_what_runs_and_what_only_asks_for_help_stays(config: Path, monkeypatch: pytest.MonkeyPatch):
    def never(*_: object) -> None:
        raise AssertionError("handed on")

    monkeypatch.setattr(handing_on.os, "execve", never)
    handing_on.hand_on(["run", "--config", str(config)])
    handing_on.hand_on(["gaps", "--help", "--config", str(config)])
    handing_on.hand_on(["gaps", "--config", str(config.with_name("gone.yml"))])
    with monkeypatch.context() as of_the_release:
        of_the_release.setenv(RELEASE, NEW.name)
        handing_on.hand_on(["gaps", "--config", str(config)])
    with pytest.raises(AssertionError, match="handed on"):
        handing_on.hand_on(["gaps", f"--config={config}"])


@pytest.mark.slow
def test_the_supervisor_lets_the_release_read_its_settings(config: Path):
    assert data_folder(config) == (config.with_name("data"), ("recorder", "server"))


def test_where_nothing_was_upgraded_nothing_is_handed_on(tmp_path: Path):
    path = tmp_path / "x.yml"
    path.write_text("post: {id: ridge}\ndata: data\n")
    assert handing_on.release_of(path) is None
    assert handing_on.release_of(tmp_path / "gone.yml") is None
