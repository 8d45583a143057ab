"""How grave a kind of event is, for colours, order and what gives way where two share a pixel. Pure."""

from __future__ import annotations

import enum

from longwatch.model.events import group_of

_GRAVE_OBJECTS = frozenset({"object.smoke", "object.fire"})


class Level(enum.IntEnum):
    """MOTION: yellow. DETECTION: orange. ALERT: red: somebody should look."""

    MOTION = 0
    DETECTION = 1
    ALERT = 2

    @property
    def word(self) -> str:
        """`motion`, `detection` or `alert`."""
        return self.name.lower()


def level_of(kind: str) -> Level:
    """Of a kind: what hides the view, heat, smoke and fire are alerts; what has a class, crosses a line or stays is a detection."""
    group = group_of(kind)
    if group in {"tamper", "thermal"} or kind in _GRAVE_OBJECTS:
        return Level.ALERT
    if group == "object" or kind in {"motion.line", "motion.dwell"}:
        return Level.DETECTION
    return Level.MOTION
