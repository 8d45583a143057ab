"""One upgrade as it was ordered, and how far it is: `upgrades/order.json`. Pure. docs/design/upgrades.md, "The order of steps".

Up to the switch this file is the truth, from there on `upgrade.json` is: what stands here is then told from there.
"""

from __future__ import annotations

import enum
import json
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

MOST_ATTEMPTS = 8
"""So many beginnings that something ended are enough: a bundle that brings the server down is not unpacked for ever."""
_HEX = re.compile(r"[0-9a-f]{64}")


class Stage(enum.StrEnum):
    """How far an upgrade is."""

    WAITING = "waiting"  # the bundle is not here yet
    VERIFYING = "verifying"
    INSTALLING = "installing"
    TRYING = "trying"
    SWITCHING = "switching"
    TRIAL = "trial"  # it runs, and has to show that it is good
    KEPT = "kept"
    RETURNED = "returned"
    REFUSED = "refused"


OVER = frozenset({Stage.KEPT, Stage.RETURNED, Stage.REFUSED})
_WORK = (Stage.VERIFYING, Stage.INSTALLING, Stage.TRYING, Stage.SWITCHING)


@dataclass(frozen=True, slots=True)
class Order:
    """sha256, size: of the bundle's file. version: as it was ordered; "" by hand until the bundle is verified. command: of the hub; 0 by hand.
    entry: number of `upgrade_ordered`. was: the version that ran. why: of a refusal or return; of a trial what is still missing. person: as an
    entry takes it.
    """

    sha256: str
    size: int
    version: str
    was: str
    hub: str = ""
    command: int = 0
    entry: int = 0
    person: str = ""
    subject: int = 0
    stage: Stage = Stage.WAITING
    why: str = ""
    attempts: int = 0

    @property
    def id(self) -> str:
        """What `upgrade.json` calls it."""
        return f"{self.hub}/{self.command}" if self.hub else f"hand/{self.entry}"

    @property
    def over(self) -> bool:
        """Whether nothing more is to be done."""
        return self.stage in OVER

    @property
    def wants_bundle(self) -> bool:
        """Whether it waits for its bundle."""
        return self.stage is Stage.WAITING

    @property
    def workable(self) -> bool:
        """Whether there is something to do before the switch."""
        return self.stage in _WORK

    def at(self, stage: Stage, why: str = "") -> Order:
        """The same, one step on."""
        return replace(self, stage=stage, why=why[:1000])


def arrived(order: Order) -> Order:
    """Its bundle is here."""
    return order.at(Stage.VERIFYING) if order.wants_bundle else order


def begun(order: Order) -> Order:
    """One more attempt to do what is before the switch: from the beginning, whatever an interruption left."""
    order = replace(order, attempts=order.attempts + 1)
    if order.attempts > MOST_ATTEMPTS:
        return order.at(Stage.REFUSED, f"it was begun {MOST_ATTEMPTS} times, and each time interrupted")
    return order.at(Stage.VERIFYING)


def text(order: Order) -> bytes:
    """As it is kept."""
    return json.dumps(asdict(order), sort_keys=True, indent=1).encode() + b"\n"


def parse(raw: bytes) -> Order:
    """Raises ValueError for what is none."""
    try:
        said: dict[str, Any] = json.loads(raw)
        known = {field.name for field in fields(Order)}
        order = Order(**{name: value for name, value in said.items() if name in known})
        order = replace(order, stage=Stage(order.stage))
        numbers = (order.size, order.command, order.entry, order.subject, order.attempts)
        texts = (order.version, order.was, order.hub, order.person, order.why)
    except (TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no order: {error!r}") from None
    if (
        not _HEX.fullmatch(order.sha256)
        or any(type(n) is not int for n in numbers)
        or any(type(t) is not str for t in texts)
    ):
        raise ValueError("no order: its fields are not what they should be")
    return order
