"""A fact with the time it was learnt."""

from __future__ import annotations

from typing import Generic, TypeVar

from longwatch.model.surroundings import Learnt

_T = TypeVar("_T")


class Fact(Generic[_T]):
    """What is known now. `learn` says whether that is new."""

    __slots__ = ("asked_boot_us", "by", "since_boot_us", "value")

    def __init__(self, value: _T) -> None:
        self.value = value
        self.by = ""
        self.since_boot_us = 0
        self.asked_boot_us = 0

    def learn(self, value: _T, by: str, now_us: int, asked_us: int | None = None) -> bool:
        """It is so, as an answer said that came at asked_us; None is now."""
        changed = value != self.value
        if changed or not self.since_boot_us:
            self.since_boot_us = now_us
        self.value = value
        self.by = by
        self.asked_boot_us = now_us if asked_us is None else asked_us
        return changed

    @property
    def learnt(self) -> Learnt:
        """Where it came from and when."""
        return Learnt(self.by, self.since_boot_us, self.asked_boot_us)
