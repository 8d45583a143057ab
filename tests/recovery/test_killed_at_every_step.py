"""Ended at every numbered step of docs/design/segment-lifecycle.md, again and again: nothing acknowledged is lost.

The process really ends (os._exit in a child) and the next one really recovers. What the kernel had in memory survives here;
the power-cut rig takes that away too.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.archive_workload import judge, read_story

pytestmark = pytest.mark.slow

CASES = [(step, nth) for step in ("S1", "S2", "S3", "S4", "S5", "S6", "S7") for nth in (2, 13)] + [
    ("D1", 1),
    ("D2", 2),
    ("D3", 1),
    ("D4", 1),
    *((f"P{step}", nth) for step in range(1, 9) for nth in (1, 2, 5)),
    ("L1", 1),
    ("L2", 1),
]


def run(folder: Path, step: str, nth: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable, "-m", "tests.support.archive_workload", folder / "a", folder / "b", "--ticks", "14", "--pause-ms", "1",
            "--seal-every", "3", "--sample-bytes", "300", "--end-at", f"{step}:{nth}", *(["--retain-bytes", "30000"] if step[0] == "D" else []),
        ],
        capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip


@pytest.mark.parametrize(("step", "nth"), CASES)
def test_nothing_acknowledged_is_lost(tmp_path: Path, step: str, nth: int):
    done = run(tmp_path, step, nth)
    assert done.returncode == 77, (done.returncode, done.stderr)
    story = read_story(done.stdout.splitlines())
    judgement = judge([tmp_path / "a", tmp_path / "b"], story)
    assert judgement.sound, judgement
    assert judgement.open_us < 2_000_000


@pytest.mark.parametrize("step", ["R4", "R5", "R6"])
def test_a_recovery_that_is_cut_is_recovered(tmp_path: Path, step: str):
    done = run(tmp_path, "S5", 9)
    assert done.returncode == 77
    story = read_story(done.stdout.splitlines())
    again = run(tmp_path, step, 1)
    assert again.returncode == 77, (again.returncode, again.stderr)
    judgement = judge([tmp_path / "a", tmp_path / "b"], story)
    assert judgement.sound, judgement


def test_killed_from_outside_at_any_moment(tmp_path: Path):
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.support.archive_workload", tmp_path / "a", "--ticks", "10000", "--pause-ms", "0"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    lines = []
    for line in child.stdout:
        lines.append(line)
        if len(lines) == 61:
            child.kill()
            break
    lines += child.stdout.readlines()
    child.wait()
    child.stdout.close()
    judgement = judge([tmp_path / "a"], read_story(lines))
    assert judgement.acknowledged > 1
    assert judgement.sound, judgement
