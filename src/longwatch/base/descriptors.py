"""How many files and connections a process may have open: the soft limit is raised as far as it is allowed to, which needs no rights (setrlimit(2))."""

from __future__ import annotations

import resource


def allow_descriptors(wanted: int) -> int:
    """Raise the limit to `wanted` where it is lower and that is allowed. How many there may be now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted if soft == resource.RLIM_INFINITY else soft
    may = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (may, hard))
    return may
