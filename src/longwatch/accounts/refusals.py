"""Logins that were refused: a flood of guesses is one entry a minute for each address.

The first of a minute is durable at once, so a cut costs the count and not the fact; the minute's end makes the count whole. A
name that no account has is not kept: people type passwords into the wrong field. Pure but for the clock that is handed in.
Owner of the state: the server's loop.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from longwatch.accounts.limits import place_of
from longwatch.accounts.outbox import Said
from longwatch.accounts.who import STRANGER, Who
from longwatch.ledger import kinds

MINUTE_US = 60_000_000
_MOST_ADDRESSES = 200  # in one minute; those beyond share one entry
_MOST_NAMES = 10
_MOST_COUNTED = 10_000


@dataclass(slots=True)
class Minute:
    """One address and what it tried. row: of the outbox; None before it is put, or where it found no room."""

    begin_boot_us: int
    from_us: int
    to_us: int
    agent: str
    row: int | None = None
    tries: int = 0
    throttled: int = 0
    names: dict[str, int] = field(default_factory=dict)  # of accounts, to their subject
    unknown: bool = False
    addresses: set[str] = field(default_factory=set)

    def said(self) -> Said:
        """As it is known now."""
        subjects = set(self.names.values())
        subject = subjects.pop() if len(subjects) == 1 and not self.unknown else STRANGER
        body: dict[str, object] = {
            "tries": self.tries, "throttled": self.throttled, "from_us": self.from_us, "to_us": self.to_us,
            "at_us": self.to_us, "addresses": len(self.addresses),
        }  # fmt: skip
        address = next(iter(self.addresses)) if len(self.addresses) == 1 else ""
        who = Who(subject, user=", ".join(sorted(self.names)), address=address, agent=self.agent)
        return Said(kinds.LOGIN_REFUSED, body, subject, who.text())


class Refusals:
    """The minutes of this moment."""

    def __init__(self) -> None:
        self._minutes: dict[str, Minute] = {}

    def refuse(
        self, address: str, agent: str, account: tuple[str, int] | None, boot_us: int, wall_us: int, *, throttled: bool
    ) -> Minute | None:
        """One try. account: name and subject where there is such a one. The minute that begins with it, to be held, or None."""
        place = place_of(address)
        if place not in self._minutes and len(self._minutes) >= _MOST_ADDRESSES:
            place = ""
        minute = self._minutes.get(place)
        begins = minute is None
        if minute is None:
            minute = self._minutes[place] = Minute(boot_us, wall_us, wall_us, agent)
        minute.to_us = max(minute.to_us, wall_us)
        minute.throttled += throttled
        minute.tries += not throttled
        if len(minute.addresses) < _MOST_COUNTED:
            minute.addresses.add(address)
        if account is not None and len(minute.names) < _MOST_NAMES:
            minute.names[account[0]] = account[1]
        minute.unknown = minute.unknown or (account is None and not throttled)
        return minute if begins else None

    def due(self, boot_us: int, *, everything: bool = False) -> list[Minute]:
        """Minutes that are over; they are forgotten here."""
        over = [
            place
            for place, minute in self._minutes.items()
            if everything or boot_us - minute.begin_boot_us >= MINUTE_US
        ]
        return [self._minutes.pop(place) for place in over]
