"""A slip in the settings file, and then a crash: what records goes on recording, by the last good settings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.post import running_post
from tests.support.wait import until_now

from longwatch.simulate.camera import LOT

pytestmark = pytest.mark.slow


@pytest.fixture
def camera_url():
    child = subprocess.Popen(
        [sys.executable, "-m", "longwatch.simulate"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    child.stdin.write(json.dumps([{"files": {"main": str(LOT)}}]) + "\n")
    child.stdin.flush()

    yield json.loads(child.stdout.readline())[0]["main"]
    child.stdin.close()
    child.wait(60)
    child.stdout.close()


def test_a_slip_and_a_crash_keep_nothing_down(tmp_path: Path, camera_url: str):
    with running_post(tmp_path, {"gate": camera_url}) as post:
        assert (post.data / "settings.last-good").stat().st_mode & 0o777 == 0o600
        right = post.config.read_text()
        post.config.write_text(right.replace("streams:", "steams:"))
        for role, pid in (("recorder", post.recorder_pid), ("server", post.server_pid)):
            os.kill(pid, signal.SIGKILL)
            until_now(lambda r=role, p=pid: getattr(post, f"{r}_pid") not in {None, p}, f"the {role} is back")
        until_now(post.answers, "the server answers")
        before = post.recorded_until("gate")
        until_now(lambda: post.recorded_until("gate") > before, "it records again")
        assert "steams" in post.log.read_text()
        assert post.stop() == 0
        done = subprocess.run(
            [sys.executable, "-m", "longwatch.cli", "run", "--config", str(post.config)],
            capture_output=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == 2, "who starts it by hand is told"
        assert b"Did you mean `streams`?" in done.stderr
