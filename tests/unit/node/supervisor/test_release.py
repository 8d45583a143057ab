"""From which environment the supervisor starts, and when it goes back. With real processes: tests/rig/test_upgrades.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from longwatch.node.supervisor import release as supervise_release
from longwatch.node.supervisor.release import Crossing, Releases
from longwatch.node.upgrade.files import Places, change, read_state
from longwatch.node.upgrade.state import AGAIN, BASE, RELEASE, SPOKEN, Release, State, kept, switched, told

NEW, OLD = Release("0.9.0-00112233", "0.9.0"), Release("0.8.0-44556677", "0.8.0")
LENGTH_US = 900_000_000


class Host:
    """Its boot and its clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.boot, self.now_us = "a", 0
        monkeypatch.setattr(supervise_release, "boot_id", lambda: self.boot)
        monkeypatch.setattr(supervise_release, "boottime_us", lambda: self.now_us)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def releases(tmp_path: Path, host: Host, said: list[str]) -> Releases:
    for release in (NEW, OLD):
        python = Places(tmp_path).python(release)
        python.parent.mkdir(parents=True)
        python.write_text("#!/bin/sh\nexit 1\n")
        python.chmod(0o755)
    return Releases(tmp_path, tmp_path / "longwatch.yml", said.append, "0.1.0")


def switch(data: Path, was: Release | None = None) -> None:
    def step(state: State) -> State:
        state = State(state.base, was)
        return switched(state, NEW, "hand/7", boot="a", now_us=0, length_us=LENGTH_US, hub=False, cameras=())

    change(data, "0.1.0", step)


def name(releases: Releases) -> str:
    return releases.command("server")[2]


def test_what_was_installed_is_started_where_there_was_no_upgrade(releases: Releases, tmp_path: Path):
    assert releases.look() is None
    command, environment, release = releases.command("recorder")
    assert command == [sys.executable, "-m", "longwatch.node.recorder", "--config", str(tmp_path / "longwatch.yml")]
    assert (environment[SPOKEN], environment[BASE], environment[RELEASE], release) == ("1", "0.1.0", "", "")
    assert not Places(tmp_path).state.exists()


def test_after_the_switch_all_of_it_is_started_from_the_release(
    releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    switch(tmp_path)
    assert releases.look() is None
    command, environment, release = releases.command("recorder")
    assert command[:2] == [str(Places(tmp_path).python(NEW)), "-P"]
    assert environment[RELEASE] == release == NEW.name
    assert "PYTHONPATH" not in environment, "no module of what was installed"


@pytest.mark.parametrize("was", [None, OLD])
def test_a_trial_that_is_over_is_gone_back_from(releases: Releases, tmp_path: Path, host: Host, was: Release | None):
    switch(tmp_path, was)
    host.now_us = LENGTH_US - 1
    assert releases.look() is None
    host.now_us += 1
    crossing = releases.look()
    assert isinstance(crossing, Crossing)
    python = sys.executable if was is None else str(Places(tmp_path).python(was))
    assert crossing.command[0] == python
    assert crossing.command[-2:] == ["longwatch.node.upgrade_back", str(tmp_path)]
    again = Releases(tmp_path, tmp_path / "longwatch.yml", print, "0.1.0").look()
    assert again is not None, "a power cut between goes on with it"
    releases.crossed(crossing)
    assert releases.look() is None
    assert name(releases) == ("" if was is None else was.name)


def test_three_quick_deaths_and_no_others(releases: Releases, tmp_path: Path):
    switch(tmp_path)
    releases.look()
    for ran_s, status in ((1.0, AGAIN), (61.0, 1), (2.0, 1), (2.0, 1)):
        releases.ended(NEW.name, ran_s, status, "server, exit 1")
    releases.ended("", 1.0, 1, "one of before")
    assert releases.look() is None
    releases.ended(NEW.name, 2.0, 1, "server, exit 1")
    crossing = releases.look()
    assert crossing is not None
    assert "server, exit 1" in crossing.why


def test_a_clock_that_was_never_set_and_a_new_boot(releases: Releases, tmp_path: Path, host: Host):
    switch(tmp_path)
    host.boot, host.now_us = "b", 1
    assert releases.look() is None
    trial = read_state(tmp_path, "0.1.0").trial
    assert trial is not None
    assert trial.until_us == LENGTH_US + 1
    host.now_us = LENGTH_US + 1
    assert releases.look() is not None


def test_another_version_that_was_installed_by_hand_goes_before(tmp_path: Path, releases: Releases, said: list[str]):
    switch(tmp_path)
    change(tmp_path, "0.1.0", lambda state: told(kept(state, "hand/7")))
    newer = Releases(tmp_path, tmp_path / "longwatch.yml", said.append, "0.2.0")
    crossing = newer.look()
    assert crossing is not None
    newer.crossed(crossing)
    assert newer.look() is None
    assert name(newer) == ""
    assert read_state(tmp_path, "0.2.0").base == "0.2.0"


def test_a_release_whose_environment_is_gone(tmp_path: Path, releases: Releases):
    switch(tmp_path)
    change(tmp_path, "0.1.0", lambda state: told(kept(state, "hand/7")))
    assert releases.look() is None
    Places(tmp_path).python(NEW).unlink()
    crossing = releases.look()
    assert crossing is not None
    assert crossing.command[0] == sys.executable
    releases.crossed(crossing)
    assert releases.look() is None
    assert name(releases) == ""


def test_a_kept_release_that_cannot_be_loaded_any_more(tmp_path: Path, releases: Releases):
    """The host has another Python by now, say: what was installed by hand runs on it."""
    switch(tmp_path)
    change(tmp_path, "0.1.0", lambda state: told(kept(state, "hand/7")))
    releases.look()
    for _ in range(2):
        releases.ended(NEW.name, 0.1, 1, "recorder, exit 1")
    assert releases.look() is None
    releases.ended(NEW.name, 0.1, 1, "recorder, exit 1")
    crossing = releases.look()
    assert crossing is not None
    assert crossing.command[0] == sys.executable
    releases.crossed(crossing)
    assert releases.look() is None
    assert name(releases) == ""


def test_a_kept_release_that_can_be_loaded_stays(tmp_path: Path, releases: Releases):
    switch(tmp_path)
    change(tmp_path, "0.1.0", lambda state: told(kept(state, "hand/7")))
    Places(tmp_path).python(NEW).write_text("#!/bin/sh\nexit 0\n")
    releases.look()
    for _ in range(9):
        releases.ended(NEW.name, 0.1, 1, "recorder, exit 1")
    assert releases.look() is None
    assert name(releases) == NEW.name


def test_on_a_full_disk_it_goes_back_all_the_same(
    tmp_path: Path, releases: Releases, host: Host, said: list[str], monkeypatch: pytest.MonkeyPatch
):
    switch(tmp_path)
    releases.look()

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        host.now_us = LENGTH_US
        crossing = releases.look()
        assert crossing is not None
        releases.crossed(crossing)
        assert releases.look() is None
        assert name(releases) == ""
        assert sum("cannot be written" in line for line in said) == 1
    assert read_state(tmp_path, "0.1.0").current == NEW
    assert releases.look() is None
    assert read_state(tmp_path, "0.1.0").current is None, "written once there is room"


def test_what_cannot_be_read_now_does_not_change_what_is_started(
    tmp_path: Path, releases: Releases, said: list[str], monkeypatch: pytest.MonkeyPatch
):
    switch(tmp_path)
    releases.look()

    def broken(data: Path, base: str) -> State:
        raise OSError(5, "Input/output error", str(data))

    with monkeypatch.context() as patched:
        patched.setattr(supervise_release, "read_state", broken)
        for _ in range(3):
            assert releases.look() is None
    assert name(releases) == NEW.name
    assert len(said) == 1
    assert os.path.exists(Places(tmp_path).state)
