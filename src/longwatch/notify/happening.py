"""What may be told: something that began, went on and ended, under one id. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from longwatch.model import events
from longwatch.model.said import Words

ALARM_WORDS = (
    "not_recording", "switched_off", "disk", "power", "post_silent", "unexplained", "accounting", "ledger", "hold", "removed", "detection",
    "channel",
)  # fmt: skip
"""What rules call that which is no event. `alarm` stands for all of them and for `blind`."""
WORDS = frozenset(
    {
        "all", "alarm", "event", "blind", *ALARM_WORDS, *events.KINDS, *(events.group_of(kind) for kind in events.KINDS),
    }
)  # fmt: skip
"""Every word that may stand in a rule."""


class Phase(enum.StrEnum):
    """WENT_ON: something about it changed, or it was said again. SETTLED: somebody acknowledged or reviewed it."""

    BEGAN = "began"
    WENT_ON = "went_on"
    ENDED = "ended"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Happening:
    """One step of it. id: the same over its life, as `event/...`, `alarm/7`. words: all that a rule may call it by, the most exact first.

    at_us: when this step was; from_us: when it began. says: for people, in no language yet. lasts: its end is worth a message (an alarm's is, a
    movement's is not). grave: it is told first where much waits. link: behind `#/` of the console.
    """

    id: str
    words: tuple[str, ...]
    phase: Phase
    at_us: int
    from_us: int
    camera: str = ""
    zones: tuple[str, ...] = ()
    says: Words = ""
    lasts: bool = True
    grave: bool = True
    link: str = ""
