"""The supervisor's parts; the whole, with real processes, is in tests/e2e/test_processes.py."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.wait import until_now

from longwatch.node.sd_notify import notify
from longwatch.node.supervisor.process import BACK_OFF_S, STOPPED_BY_ORDER, Folder, Hold, Role, lock_holder, supervise
from longwatch.server_db import DataLock


def test_the_holder_of_a_lock_is_found_without_touching_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "server.lock"
    assert lock_holder(path) is None
    with DataLock(path):
        assert lock_holder(path) == os.getpid()
        other = tmp_path / "other.lock"
        other.touch()
        assert lock_holder(other) is None
    assert lock_holder(path) is None


def test_a_role_that_cannot_run_is_tried_again_later_and_later(tmp_path: Path) -> None:
    said: list[str] = []
    role = Role("server", tmp_path / "missing.yml", Folder(tmp_path, said.append), said.append)
    role._command = [sys.executable, "-SEc", "raise SystemExit(2)"]
    now, waits = 0.0, []
    for _ in range(3):
        role.begin(now)
        assert role.pid
        until_now(lambda: os.waitid(os.P_PIDFD, role.pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT), "it ends")
        role.ended(now)
        waits.append(role.due - now)
        now = role.due
    assert waits == list(BACK_OFF_S[:3])
    assert all("exit 2" in line for line in said)


@pytest.mark.parametrize(("set_to", "seen"), [(None, "2"), ("7", "7")])
def test_threads_share_two_heaps_unless_somebody_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_to: str | None, seen: str
) -> None:
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    if set_to:
        monkeypatch.setenv("MALLOC_ARENA_MAX", set_to)
    role = Role("server", tmp_path / "missing.yml", Folder(tmp_path, print), lambda _: None)
    code = f"import os; open({str(tmp_path / 'seen')!r}, 'w').write(os.environ['MALLOC_ARENA_MAX'])"
    role._command = [sys.executable, "-SEc", code]
    role.begin(0.0)
    until_now(lambda: os.waitid(os.P_PIDFD, role.pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT), "it ends")
    role.ended(0.0)
    assert (tmp_path / "seen").read_text() == seen


def test_a_role_that_ran_long_is_started_again_soon(tmp_path: Path) -> None:
    role = Role("server", tmp_path / "missing.yml", Folder(tmp_path, print), lambda _: None)
    role._command = [sys.executable, "-SEc", "raise SystemExit(2)"]
    role._failures = 5
    role.begin(100.0)
    until_now(lambda: os.waitid(os.P_PIDFD, role.pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT), "it ends")
    role.ended(161.0)
    assert role.due == 161.0 + BACK_OFF_S[0]


def test_a_data_folder_that_cannot_be_made_is_said_once_and_looked_at_later_and_later(tmp_path: Path) -> None:
    said: list[str] = []
    mount = tmp_path / "mount"
    mount.touch()
    folder = Folder(mount / "data", said.append)
    roles = [Role(name, tmp_path / "missing.yml", folder, said.append) for name in ("recorder", "server")]
    now, waits = 0.0, []
    for _ in range(7):
        for role in roles:
            role.begin(now)
            assert role.pidfd < 0, "nothing is started"
        waits.append(roles[0].due - now)
        now = roles[0].due
    assert waits == [*BACK_OFF_S, BACK_OFF_S[-1]]
    assert len(said) == 2
    assert "is not a folder" in said[0]
    mount.unlink()
    roles[0]._command = [sys.executable, "-SEc", "raise SystemExit(0)"]
    roles[0].begin(now)
    assert said[2:] == [f"{mount / 'data'} can be written now"]
    until_now(lambda: os.waitid(os.P_PIDFD, roles[0].pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT), "it ends")
    roles[0].ended(now)


def test_a_recorder_that_was_stopped_by_order_is_said_to_be_stopped_and_not_to_be_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    role = Role("recorder", tmp_path / "missing.yml", Folder(tmp_path, said.append), said.append)
    for status, ordered in ((STOPPED_BY_ORDER, True), (0, False), (1, False)):
        role._command = [sys.executable, "-SEc", f"raise SystemExit({status})"]
        role.begin(0.0)
        until_now(lambda: os.waitid(os.P_PIDFD, role.pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT), "it ends")
        role.ended(1.0)
        assert role.ordered is ordered
        assert ("is started again" in said[-1]) is not ordered


@pytest.mark.slow
def test_wrong_settings_end_it_with_2_before_anything_starts(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "longwatch.yml"
    config.write_text("post: {id: ridge}\ndata: x\nfoo: 1\n")
    assert supervise(config) == 2
    assert "foo" in capfd.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_second_one_on_the_same_settings_leaves_the_first_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "longwatch.yml"
    config.write_text(
        f"post: {{id: ridge, name: Ridge, timezone: UTC}}\ndata: {tmp_path}/data\nweb: {{listen: 127.0.0.1:0}}\ncameras: {{}}\n"
    )
    with DataLock(config):
        assert supervise(config) == 1
    assert f"it runs already with these settings, as process {os.getpid()}" in capfd.readouterr().err
    assert not (tmp_path / "data").exists(), "nothing was started"


def test_the_lock_follows_a_settings_file_that_was_replaced(tmp_path: Path) -> None:
    config = tmp_path / "longwatch.yml"
    config.write_text("one")
    with contextlib.closing(Hold(config)) as hold:
        assert hold.taken()
        for text in ("two", "three"):
            fresh = tmp_path / "fresh"
            fresh.write_text(text)
            fresh.replace(config)
            assert lock_holder(config) is None
            hold.renew()
            assert lock_holder(config) == os.getpid()
    assert lock_holder(config) is None


@pytest.mark.slow
def test_a_sigterm_before_anything_was_started_is_an_orderly_end(tmp_path: Path) -> None:
    config = tmp_path / "longwatch.yml"
    config.write_text(f"post: {{id: ridge}}\ndata: {tmp_path / 'data'}\ncameras: {{}}\n")
    command = [sys.executable, "-m", "longwatch.node.supervisor", "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        status = Path(f"/proc/{process.pid}/status")
        term = 1 << (signal.SIGTERM - 1)

        def listens() -> bool:
            caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
            return bool(int(caught.split()[1], 16) & term)

        until_now(listens, "it listens for signals")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_it_imports_nothing_but_the_standard_library() -> None:
    code = "import longwatch.node.supervisor.process, sys; print([m for m in sys.modules if m.split('.')[0] in {'structlog', 'fastapi', 'pydantic', 'sqlalchemy', 'asyncio', 'uvloop'}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_service_manager_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        notify("READY=1")
        assert manager.recv(100) == b"READY=1"
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")
