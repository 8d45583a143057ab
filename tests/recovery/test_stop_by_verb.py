"""A whole post, its alarms read and dealt with from the command line, and stopped by `longwatch stop`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.post import Post, is_running
from tests.support.sooner import SILENT_CAMERA
from tests.support.wait import until_now
from typer.testing import CliRunner

from longwatch.base.errors import LongwatchError
from longwatch.base.rfc3339 import parse_us
from longwatch.cli.app import app

pytestmark = pytest.mark.slow


@pytest.fixture
def post(tmp_path: Path):
    made = Post(tmp_path, {"gate": "rtsp://127.0.0.1:9/none"}, sooner=SILENT_CAMERA)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def longwatch(post: Post, *words: str) -> subprocess.CompletedProcess[str]:
    """A verb of the command line, in this process: to start another takes longer than what it does."""
    done = CliRunner().invoke(app, [*words, "--config", str(post.config)])
    if isinstance(done.exception, LongwatchError):  # as longwatch.cli.main says it
        return subprocess.CompletedProcess(words, done.exception.exit_code, done.stdout, str(done.exception))
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)


def of_its_own(post: Post, *words: str) -> subprocess.CompletedProcess[str]:
    """The same as a process."""
    return subprocess.run(
        [sys.executable, "-m", "longwatch.cli", *words, "--config", str(post.config)],
        capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip


def test_alarms_from_the_command_line_and_a_stop_with_a_reason(post: Post) -> None:
    def raised() -> list[dict[str, object]]:
        return json.loads(longwatch(post, "alarms", "--json").stdout)["items"]

    (alarm,) = until_now(raised, "the absent camera is raised")
    assert alarm["kind"] == "camera_silent"
    assert "gate" in longwatch(post, "alarms").stdout.lower()
    silence = longwatch(post, "acknowledge", str(alarm["id"]), "--reason", " ")
    assert (silence.returncode, "asks for a reason" in silence.stderr) == (2, True)
    assert longwatch(post, "acknowledge", str(alarm["id"]), "--reason", "it comes on Monday").returncode == 0
    (dealt,) = raised()
    assert dealt["acknowledged"]["reason"] == "it comes on Monday"
    (over_http,) = post.get("/api/v1/alarms").json()["items"]
    assert over_http["acknowledged"] == dealt["acknowledged"]
    paused = json.loads(longwatch(post, "pause", "gate", "--reason", "no camera yet", "--for", "1h", "--json").stdout)
    assert (paused["kind"], paused["by"]) == ("paused_by_operator", "recorder")
    assert parse_us(paused["until"]) - parse_us(paused["since"]) == 3_600_000_000
    until_now(lambda: raised() == [], "a planned rest is no alarm")
    assert longwatch(post, "pause", "barn", "--reason", "none").returncode == 2
    assert longwatch(post, "resume", "gate").returncode == 0
    assert longwatch(post, "resume", "gate").returncode == 2

    recorder, server = post.recorder_pid, post.server_pid
    assert recorder is not None
    assert server is not None
    assert longwatch(post, "stop").returncode == 2, "a reason is asked for"
    stopped = of_its_own(post, "stop", "--reason", "moving the cabinet")
    assert stopped.returncode == 0, stopped.stderr
    assert post.supervisor is not None
    assert post.supervisor.wait(180) == 0
    assert not is_running(recorder)
    assert not is_running(server)
    assert longwatch(post, "stop", "--reason", "once more").returncode == 1, "nothing runs"
    assert "is started again" not in post.log.read_text()
    post.start()
    kinds = [item["kind"] for item in post.get("/api/v1/alarms", all="true").json()["items"]]
    assert "accounting_reduced" not in kinds


def test_a_recorder_that_was_adopted_is_stopped_with_its_supervisor(post: Post) -> None:
    assert post.supervisor is not None
    post.supervisor.kill()
    post.supervisor.wait()
    post.start()  # comes back at once: the server of before answers
    until_now(lambda: post.log.read_text().count(": adopted") == 2, "another supervisor has found both")
    assert longwatch(post, "stop", "--reason", "moving the cabinet").returncode == 0
    assert post.supervisor.wait(180) == 0
    assert post.recorder_pid is None
