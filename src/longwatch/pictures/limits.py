"""What a child that decodes untrusted bytes gives up, and what it is not even given."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


def plain_environment() -> dict[str, str]:
    """The environment of a child: what Python needs. Settings may take passwords from ours, so it is not handed on."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


def killed_first() -> None:
    """Where memory ends, this process goes before any other of the post: what it decodes is a camera's, and may be made to take all there
    is. It would else inherit the protection that the recorder has (OOMScoreAdjust of its unit).
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800")


def confine(
    *, memory_bytes: int, descriptors: int, cpu_seconds: int | None, parent: int | None = None, threads: bool = False
) -> None:
    """Give up what is not needed, for ever: called after the imports and after the threads were started.

    No new process or thread (as far as the kernel counts them: not for root), no file written, no core dump that would hold pictures and
    passwords, no privilege gained, no tracing by others of the same user. parent: its death is ours; None: it ends by its pipes. threads: it
    needs some yet (names are looked up in one), and the kernel counts them as it does processes. Raises OSError where a limit is refused.
    """
    killed_first()
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: descriptors,
    }
    if not threads:
        limits[resource.RLIMIT_NPROC] = 0
    if cpu_seconds is not None:
        limits[resource.RLIMIT_CPU] = cpu_seconds
    for what, most in limits.items():
        resource.setrlimit(what, (most, most))
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_PR_SET_NO_NEW_PRIVS, 1), (_PR_SET_DUMPABLE, 0)):
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    if parent is not None:
        end_with(parent)


def end_with(parent: int) -> None:
    """From now on the end of the parent is ours. parent: its number, taken before it could end. Raises OSError where it is gone."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        raise OSError("the parent is gone")


def behind_all_others() -> None:
    """We and our children get what processor time others leave: they are asked for nothing at a given time."""
    with contextlib.suppress(OSError):
        os.nice(10)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
