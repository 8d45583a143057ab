"""What a child that decodes gives up, seen from outside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_CONFINED = """
import sys
from longwatch.pictures import confine
confine(memory_bytes=2 << 30, descriptors=3, cpu_seconds=60)
sys.stdout.write("confined\\n")
sys.stdout.flush()
sys.stdin.read()
"""


def test_it_goes_first_where_memory_ends_and_its_parent_does_not() -> None:
    with subprocess.Popen([sys.executable, "-c", _CONFINED], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"confined\n"
        score = int(Path(f"/proc/{child.pid}/oom_score_adj").read_text())
        limits = Path(f"/proc/{child.pid}/limits").read_text()
        child.stdin.close()
    assert score == 800
    assert int(Path("/proc/self/oom_score_adj").read_text()) < 800
    assert f"{2 << 30}" in next(line for line in limits.splitlines() if line.startswith("Max address space"))
