"""The kernel itself says EIO or ENOSPC, at the nth call of its kind, to Python and SQLite alike (strace injects it)."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.archive_workload import judge, read_story

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]
CASES = [
    (call, error, when)
    for call, errors in (
        ("fdatasync", ("EIO",)),
        ("fsync", ("EIO",)),
        ("syncfs", ("EIO", "ENOSPC")),
        ("pwrite64", ("EIO", "ENOSPC")),
        ("pwritev", ("EIO", "ENOSPC")),
        ("ftruncate", ("EIO",)),
        ("rename", ("EIO", "ENOSPC")),
        ("unlink", ("EIO",)),
    )
    for error in errors
    for when in ("6", "11..14", "9+5", "40..43", "30+9")
]


@pytest.mark.parametrize(("call", "error", "when"), CASES)
def test_nothing_crashes_and_nothing_acknowledged_is_lost(tmp_path: Path, call: str, error: str, when: str):
    paths = [tmp_path / "a", tmp_path / "b"]
    done = subprocess.run(
        [
            "strace", "-f", "-qq", "-o", tmp_path / "trace", "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={when}",
            sys.executable, "-m", "tests.support.archive_workload", *paths, "--ticks", "30", "--pause-ms", "20", "--seal-every", "4",
            "--sample-bytes", "300",
        ],
        capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip
    if "ptrace" in done.stderr and "not permitted" in done.stderr:
        pytest.skip("this machine does not let strace trace")
    story = read_story(done.stdout.splitlines())
    opened = story.ready or "cannot be opened" in done.stderr
    assert opened, done.stderr
    if story.ready:
        assert story.done, done.stderr
        assert done.returncode == 0, done.stderr
        assert len(story.acks) > 4
    judgement = judge(paths, story, play=False)
    assert judgement.sound, judgement
