"""How much of a processor there is for anybody just now: what a promise in seconds is stretched by, on a machine that others use too."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

QUIET_S = 0.002
"""What the work below takes on a quiet machine of today: on one that is slow as a whole, its shortest is slow too."""


def stretch() -> float:
    """How many times longer than alone, or than on a quiet machine, the same piece of work takes: 1 where nobody else wants the processor."""
    took = []
    for _ in range(40):
        began = time.perf_counter()
        sum(range(150_000))
        took.append(time.perf_counter() - began)
    return max(1.0, sum(took) / len(took) / min(*took, QUIET_S))


@contextlib.contextmanager
def within(seconds: float, what: str = "") -> Iterator[None]:
    """That the block takes no longer, or as much longer as everything takes on this machine just now."""
    before, began = stretch(), time.monotonic()
    yield
    took_s = time.monotonic() - began
    most_s = seconds * max(before, stretch())
    assert took_s < most_s, f"{what or 'it'} took {took_s:.1f} s; {most_s:.1f} s would do"
