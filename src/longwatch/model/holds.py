"""Holds: stretches of footage that somebody protects from removal, and how a hold ranks. docs/design/holds.md."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass


class HoldEnd(enum.StrEnum):
    """Why a hold is over. RELEASED: a person ended it. EXPIRED: its own end passed. LAW: max_age leaves nothing of it to hold."""

    RELEASED = "released"
    EXPIRED = "expired"
    LAW = "law"


@dataclass(frozen=True, slots=True)
class HoldEnded:
    """at_us: wall time. seq: the entry that says it. by, reason: None where nobody did it, or that text was erased."""

    why: HoldEnd
    at_us: int
    seq: int
    by: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Footage of `cameras` (of `streams`; empty: all) in [from_us, to_us) is kept. Wall times in microseconds.

    authority: who ordered it, "" where nobody is named. until_us: its own end. overruled: by what footage of it had to go all the
    same ("max_age", "recording"). by, reason: None where that text was erased.
    """

    id: int
    cameras: tuple[str, ...]
    streams: tuple[str, ...]
    from_us: int
    to_us: int
    until_us: int | None
    authority: str
    placed_us: int
    seq: int
    by: str | None = None
    reason: str | None = None
    warned_days: int = 0
    overruled: tuple[str, ...] = ()
    ended: HoldEnded | None = None

    @property
    def firm(self) -> bool:
        """It names its authority and its own end: then the maximum age does not end it (SEMANTICS, "What gives way to what")."""
        return bool(self.authority) and self.until_us is not None

    def covers(self, camera: str, stream: str) -> bool:
        """Whether it speaks of this stream."""
        return camera in self.cameras and (not self.streams or stream in self.streams)


@dataclass(frozen=True, slots=True)
class Guard:
    """Footage that an export is being made of: it ranks with holds, and is forgotten with the process. until_boot_us: CLOCK_BOOTTIME."""

    camera: str
    stream: str
    from_us: int
    to_us: int
    until_boot_us: int


def merged(stretches: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Half-open stretches as a sorted list without overlaps; empty ones are left out."""
    found: list[tuple[int, int]] = []
    for from_us, to_us in sorted(s for s in stretches if s[0] < s[1]):
        if found and from_us <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], to_us))
        else:
            found.append((from_us, to_us))
    return found
