"""`upgrade.json` on the disk: whole at every moment, written by one at a time, and never a reason not to start."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from longwatch.node.upgrade.files import Places, change, current, gone_back_from, read_state, settle_base
from longwatch.node.upgrade.state import Release, State, back, switched, text

NEW = Release("0.9.0-00112233", "0.9.0")


def on_trial(state: State) -> State:
    return switched(state, NEW, "hand/7", boot="a", now_us=0, length_us=1, hub=False, cameras=())


def environment(data: Path) -> Path:
    python = Places(data).python(NEW)
    python.parent.mkdir(parents=True)
    python.touch(0o755)
    return python


def test_a_post_that_was_never_upgraded_has_no_files(tmp_path: Path):
    assert read_state(tmp_path, "0.1.0") == State("0.1.0")
    assert current(tmp_path, "0.1.0") is None
    assert gone_back_from(tmp_path) == ""
    assert not list(tmp_path.iterdir())


def test_a_step_is_written_and_one_that_changes_nothing_is_not(tmp_path: Path):
    change(tmp_path, "0.1.0", lambda state: state)
    assert not Places(tmp_path).state.exists()
    state = change(tmp_path, "0.1.0", on_trial)
    assert read_state(tmp_path, "0.1.0") == state
    assert Places(tmp_path).state.stat().st_mode & 0o777 == 0o600
    change(tmp_path, "0.1.0", lambda state: back(state, "no good"))
    assert gone_back_from(tmp_path) == "no good"


def test_what_runs_is_the_release_while_it_is_there_and_nothing_was_installed_since(tmp_path: Path):
    change(tmp_path, "0.1.0", on_trial)
    assert current(tmp_path, "0.1.0") is None, "its environment is not there"
    python = environment(tmp_path)
    assert current(tmp_path, "0.1.0") == NEW
    assert current(tmp_path, "0.2.0") is None, "another version was installed by hand"
    python.chmod(0o644)
    assert os.geteuid() == 0 or current(tmp_path, "0.1.0") is None


def test_what_another_user_could_have_put_there_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    change(tmp_path, "0.1.0", on_trial)
    environment(tmp_path)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert (current(tmp_path, "0.1.0") is None) is (owner != 0)
    stat = Path.stat

    def of_another(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        found = list(stat(self, follow_symlinks=follow_symlinks))
        found[4] = 4242
        return os.stat_result(found)

    monkeypatch.setattr(Path, "stat", of_another)
    assert current(tmp_path, "0.1.0") is None


def test_what_cannot_be_understood_is_put_aside(tmp_path: Path):
    Places(tmp_path).state.write_text("{")
    assert current(tmp_path, "0.1.0") is None
    assert change(tmp_path, "0.1.0", lambda state: state) == State("0.1.0")
    assert (tmp_path / "upgrade.json.unreadable").read_text() == "{"


def test_a_cut_while_it_is_written_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = change(tmp_path, "0.1.0", on_trial)

    def cut(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", cut)
    with pytest.raises(OSError, match="No space"):
        change(tmp_path, "0.1.0", lambda state: back(state, "x"))
    monkeypatch.undo()
    assert read_state(tmp_path, "0.1.0") == before


def test_another_version_that_was_installed_by_hand_is_meant():
    state = settle_base(on_trial(State("0.1.0")), "0.2.0")
    assert (state.base, state.current, state.trial) == ("0.2.0", None, None)
    assert state.ended is not None
    assert not state.ended.kept
    assert "0.2.0" in state.ended.why
    assert settle_base(state, "0.2.0") == state
    assert text(replace(state, base="0.1.0")) != text(state)
