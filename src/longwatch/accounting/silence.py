"""The silence of one camera's stream: the gaps since its last footage, what was heard meanwhile, and how often a word may change.

Owner: the stream's account. A silence begins with the first gap after footage and ends with the next footage, over all the
causes that it had; what was learnt in it is judged by when it began.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from longwatch.causes import Evidence, Verdict
from longwatch.model.causes import Cause, Pause
from longwatch.model.sessions import Fault
from longwatch.model.stores import GapSpan
from longwatch.model.surroundings import UNKNOWN, Surroundings

REFINED_AT_MOST = 8
"""Refinements of one gap; its end may bring one more."""
HOLD_US = 2_000_000
_LONGEST_HOLD_US = 600_000_000
_GAPS = 16
_HEARD = 6
_OF_THE_CAMERA = frozenset(
    {Cause.CAMERA_UNREACHABLE, Cause.CAMERA_SWITCHED_OFF, Cause.CAMERA_REFUSED, Cause.STREAM_STALLED}
)
_OF_A_RESTART = frozenset({Cause.POST_STOPPED, Cause.RECORDER_FAILED, Cause.POST_POWER_LOST})
_FLEETING = frozenset(
    {
        "attempts",
        "battery_percent",
        "detail",
        "durable_until",
        "heard",
        "learnt",
        "port_detail",
        "switch_started",
        "why",
    }
)
_WHO = frozenset({"neighbours_answer", "neighbours_silent"})


@dataclass(frozen=True, slots=True)
class Known:
    """What is known at a tick beside the stream's own session. boot_us: CLOCK_BOOTTIME now; None where only the wall is known.

    power_plan: why the camera need not have power now. pause: recording is paused. durable_us: up to when footage is safe.
    """

    boot_us: int | None = None
    around: Surroundings = UNKNOWN
    power_plan: str = ""
    pause: Pause | None = None
    durable_us: int | None = None


NOTHING_KNOWN = Known()


@dataclass(frozen=True, slots=True)
class Tail:
    """What the archive knows of a stream when the process starts. until_us: where what was said of it ends. past: the gaps
    that lead up to there without footage between, the oldest first.
    """

    until_us: int
    past: Sequence[GapSpan] = ()


@dataclass(slots=True)
class Gap:
    """A gap of this silence. token: the process's own number for it. row: of one that the process before this one told."""

    token: int
    from_us: int
    cause: Cause
    evidence: dict[str, object]
    to_us: int | None = None
    settled: bool = False
    after_session: bool = False
    first_attempt: int | None = None
    refined: int = 0
    since_boot_us: int = 0  # this cause was named then
    row: int | None = None

    @property
    def excused(self) -> bool:
        """Something larger than the camera was dark with it: the mains, or all behind its switch."""
        return "neighbours_silent" in self.evidence or self.evidence.get("mains") == "off"

    @property
    def verdict(self) -> Verdict:
        """Its cause as it is known now."""
        return Verdict(self.cause, self.evidence)


def essence(verdict: Verdict) -> dict[str, object]:
    """The evidence without what changes by itself: two words that mean the same have the same. Of neighbours it matters that there
    is one, and not which.
    """
    return {
        name: name in _WHO or fact
        for name, fact in verdict.evidence.items()
        if name not in _FLEETING and not name.endswith(("_learnt", "_by"))
    }


@dataclass(slots=True)
class Silence:
    """From the end of footage to its return."""

    began_boot_us: int | None = None
    gaps: deque[Gap] = field(default_factory=lambda: deque(maxlen=_GAPS))
    _heard: deque[tuple[int, Fault]] = field(default_factory=lambda: deque(maxlen=_HEARD + 1))
    _waiting: tuple[object, int] | None = None
    _changes: int = 0

    def over(self) -> None:
        """Footage is back."""
        self.began_boot_us = None
        self.gaps.clear()
        self._heard.clear()
        self._waiting = None
        self._changes = 0

    def hear(self, evidence: Evidence, at_us: int) -> tuple[int, tuple[tuple[int, Fault], ...]]:
        """A fault was seen at wall time at_us. Gives when it was first, and the faults before it."""
        fault = evidence.fault
        if fault is None:
            return 0, ()
        if not self._heard or self._heard[-1][1] is not fault:
            self._heard.append((at_us, fault))
        *before, (first_us, _) = self._heard
        return first_us, tuple(before)

    def holds(self, word: object, boot_us: int, least_us: int = HOLD_US) -> bool:
        """Whether a word of the surroundings has been the same for long enough; longer after each that was taken."""
        if self._waiting is None or self._waiting[0] != word:
            self._waiting = (word, boot_us)
        hold_us = max(least_us, min(HOLD_US << min(self._changes, 16), _LONGEST_HOLD_US))
        if boot_us - self._waiting[1] < hold_us:
            return False
        self._waiting = None
        self._changes += 1
        return True

    def steady(self) -> None:
        """What is known is what is said."""
        self._waiting = None

    def dark_from_us(self, back_us: int) -> int:
        """Since when the camera brought nothing, up to back_us: over its own gaps, and those of a recorder that did not run between."""
        from_us = back_us
        for gap in reversed(self.gaps):
            if gap.cause in _OF_THE_CAMERA:
                from_us = gap.from_us
            elif gap.cause not in _OF_A_RESTART:
                break
        return from_us

    def since(self, from_us: int) -> Iterator[Gap]:
        """Its gaps from from_us on, the oldest first."""
        return (gap for gap in self.gaps if gap.from_us >= from_us)
