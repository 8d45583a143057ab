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
OFTEN = ("6", "11..14", "9+5", "40..43", "30+9")
"""Counted in each thread by itself."""
THIRTY_TIMES = ("6", "11..14", "9+5", "19..22", "15+9")
CASES = [
    (call, error, when)
    for call, errors, whens in (
        ("fdatasync", ("EIO",), OFTEN),
        ("fsync", ("EIO",), THIRTY_TIMES),
        ("syncfs", ("EIO", "ENOSPC"), THIRTY_TIMES),
        ("pwrite64", ("EIO", "ENOSPC"), OFTEN),
        ("pwritev", ("EIO", "ENOSPC"), OFTEN),
        ("ftruncate", ("EIO",), ("1", "2", "2+1", "3", "4..5")),  # five times in all
        ("rename", ("EIO", "ENOSPC"), ("2", "6", "8..10", "3+3", "9+5")),
        ("unlink", ("EIO",), OFTEN),
    )
    for error in errors
    for when in whens
]
ALSO_CALLED = {"pwritev": "pwritev,pwritev2", "rename": "rename,renameat,renameat2", "unlink": "unlink,unlinkat"}
"""By a C library of one age or another, for the same thing."""


@pytest.mark.parametrize(("call", "error", "when"), CASES)
def test_nothing_crashes_and_nothing_acknowledged_is_lost(tmp_path: Path, call: str, error: str, when: str):
    paths = [tmp_path / "a", tmp_path / "b"]
    calls = ALSO_CALLED.get(call, call)
    done = subprocess.run(
        [
            # --seccomp-bpf: the process stands still at these calls alone, and not at every other one too. Fifty ticks, a second: a volume that failed is tried again
            # after some time on the clock, and thirty were over before that on a busy machine.
            "strace", "-f", "--seccomp-bpf", "-qq", "-o", tmp_path / "trace", "-e", f"trace={calls}",
            "-e", f"inject={calls}:error={error}:when={when}",
            sys.executable, "-m", "tests.support.archive_workload", *paths, "--ticks", "50", "--pause-ms", "20", "--seal-every", "4",
            "--sample-bytes", "300",
        ],
        capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip
    if "ptrace" in done.stderr and "not permitted" in done.stderr:
        pytest.skip("this machine does not let strace trace")
    assert "(INJECTED)" in (tmp_path / "trace").read_text(errors="replace"), f"{call} was not called so often"
    story = read_story(done.stdout.splitlines())
    opened = story.ready or "cannot be opened" in done.stderr
    assert opened, done.stderr
    if story.ready:
        assert story.done, done.stderr
        assert done.returncode == 0, done.stderr
        assert len(story.acks) > 4
    judgement = judge(paths, story, play=False)
    assert judgement.sound, judgement
