"""How many children may decode and encode for viewers at one time: a limit that is seen, and said when it is reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from longwatch.base.errors import LongwatchError

if TYPE_CHECKING:
    from longwatch.base.clock import Clock  # which imports asyncio: no child of this room needs it


class SlotsFullError(LongwatchError):
    """All are taken."""


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """One that is taken. kind: live, recorded, exact or cost. since_us: wall time."""

    camera: str
    stream: str
    kind: str
    since_us: int


class Slots:
    """Owner of its state: the server's event loop. refused: how often none was free. spent_us: processor time of those that were given back."""

    def __init__(self, limit: int, clock: Clock) -> None:
        self.limit = limit
        self.refused = 0
        self.spent_us = 0
        self._clock = clock
        self._taken: list[Slot] = []

    @property
    def running(self) -> tuple[Slot, ...]:
        """Those that are taken, the oldest first."""
        return tuple(self._taken)

    @property
    def full(self) -> bool:
        """Whether none is free."""
        return len(self._taken) >= self.limit

    def take(self, camera: str, stream: str, kind: str) -> Slot:
        """Raises SlotsFullError where none is free."""
        if self.full:
            self.refused += 1
            if not self.limit:
                raise SlotsFullError(
                    "this post makes no other encoding", why="`transcodes` is 0 in its settings",
                    remedy="use what the camera sends, or its sub-stream; a file without `exact`",
                )  # fmt: skip
            busy = ", ".join(f"{slot.camera} ({slot.kind})" for slot in self._taken[:4])
            raise SlotsFullError(
                f"all {self.limit} transcodes of this post are in use", why=busy,
                remedy="wait until one ends, use the sub-stream, or raise `transcodes` in the settings",
            )  # fmt: skip
        slot = Slot(camera, stream, kind, self._clock.wall_us())
        self._taken.append(slot)
        return slot

    def give_back(self, slot: Slot, spent_us: int = 0) -> None:
        """It is over. spent_us: processor time that it took, where that is known."""
        if slot in self._taken:
            self._taken.remove(slot)
            self.spent_us += spent_us
