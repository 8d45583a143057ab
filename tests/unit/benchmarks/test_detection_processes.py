"""What watching costs in real processes: a post that watches, less one beside it that only records, against `motion` on the same streams."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from benchmarks.detection import processes
from benchmarks.detection.processes import CAMERAS, Account
from tests.scenes import BUSY, QUIET


def took(**parts: float) -> Account:
    return Account(parts, dict.fromkeys(parts, 0.0))


def test_what_a_post_takes_is_told_by_the_hour_and_camera():
    before = Account({"watcher": 1.0, "child": 5.0}, {"watcher": 100.0, "child": 0.0})
    after = Account({"watcher": 1.0 + CAMERAS, "child": 5.0}, {"watcher": 100.0 + 36 * CAMERAS, "child": 0.0})
    told = after.less(before, 36.0)
    assert told.took == pytest.approx({"watcher": 100.0, "child": 0.0})
    assert told.woke == pytest.approx({"watcher": 1.0, "child": 0.0})


def test_recording_is_not_counted_as_watching_and_what_it_costs_more_is():
    all_ = {
        (QUIET, False): took(recorder=10.0, server=5.0),
        (QUIET, True): took(recorder=11.0, server=5.5, watcher=1.5, child=2.0),
        (QUIET, None): took(motion=50.0),
        (BUSY, False): took(recorder=10.0),
        (BUSY, True): took(recorder=10.0, child=20.0),
        (BUSY, None): took(motion=50.0),
    }
    quiet, busy = processes._ratios(all_)
    assert (quiet["Longwatch, CPU s a camera-hour"], quiet["ratio"], quiet["goal"]) == ("5.0", "10.0", 10)
    assert (busy["Longwatch, CPU s a camera-hour"], busy["ratio"], busy["goal"]) == ("20.0", "2.5", 3)
    rows = processes._by_part(all_)
    assert [row["detection"] for row in rows] == ["off", "on", "motion"] * 2


def test_errands_that_are_over_are_counted_once():
    spent = "import time\nuntil = time.process_time() + 0.3\nwhile time.process_time() < until: pass"
    found = {"server": [os.getpid()], "other": []}
    before = Account.of(found)
    subprocess.run([sys.executable, "-c", spent], check=True)
    after = Account.of(found)
    assert after.took["other"] - before.took["other"] >= 0.3
    assert after.woke["server"] > before.woke["server"]
    assert processes._took(2**22 + 1) == (0.0, 0.0), "of a process that is not there"
