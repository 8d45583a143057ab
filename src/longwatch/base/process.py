"""What this process holds of the machine, as Linux tells it (proc(5))."""

from __future__ import annotations

import os
import pwd
import resource
import time
from pathlib import Path


def resident_bytes() -> int | None:
    """Memory that is in use now; None where /proc does not say."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def cpu_us() -> int:
    """Processor time so far, in user and kernel."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return round((used.ru_utime + used.ru_stime) * 1_000_000)


def up_us() -> int | None:
    """How long ago it began, sleep of the machine included; None where /proc does not say."""
    try:
        said = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    began_us = int(said[19]) * 1_000_000 // os.sysconf("SC_CLK_TCK")  # starttime, field 22
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000 - began_us


def described() -> dict[str, int | None]:
    """All of it, for `status`."""
    return {"resident_bytes": resident_bytes(), "cpu_us": cpu_us(), "up_us": up_us()}


def machine_memory() -> tuple[int, int] | None:
    """(total, available) bytes of the machine; None where /proc does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        said = {name: int(value.split()[0]) * 1024 for name, _, value in (line.partition(":") for line in lines)}
        return said["MemTotal"], said["MemAvailable"]
    except (OSError, KeyError, ValueError, IndexError):
        return None


def who_types() -> str:
    """The user of the operating system who started this process, and before `sudo`."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    before = os.environ.get("SUDO_USER", "")
    return f"{before} (as {name})" if before and before != name else name
