"""What processes cost, by the kernel's own accounts (/proc)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User plus system time of a process so far; 0 where it is gone."""
    try:
        # the command name stands in brackets and may hold anything: fields are counted from behind it
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def memory_bytes(pid: int) -> int:
    """Proportional set size: shared pages counted once over all who share them, which is fair to many small processes."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def children(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


@dataclass(frozen=True, slots=True)
class Cost:
    """What a set of processes took over a window, and the media that reached their files in it."""

    cpu_seconds: float
    wall_seconds: float
    memory_bytes: int
    media_bytes: int

    @property
    def cores(self) -> float:
        """Share of one core, as a fraction."""
        return self.cpu_seconds / self.wall_seconds
