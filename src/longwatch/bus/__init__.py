"""What processes of one hub tell each other, over NATS: small facts (JetStream), and what is for a post that dialled in at another (core NATS).

Nothing counts because it came this way. A fact says "look into the database", and what is missed is found there: every message has a number of its
sender's own, contiguous, and a hole makes the receiver read again. All of it is sealed with a key that only the hub's processes have, so that whoever
runs the broker can hold back and delay, and neither read nor invent. Owner of the connection: the event loop. docs/design/broker.md.

`Bus` is imported when it is first asked for: its client is 150 modules, and most hubs have no broker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from longwatch.bus.message import MAX_BYTES, MessageError, Said, Seal
from longwatch.bus.numbers import Numbers, Taken
from longwatch.bus.options import BusError, BusOptions
from longwatch.bus.parts import Joined, parts_of

if TYPE_CHECKING:
    from longwatch.bus.client import Bus

__all__ = [
    "MAX_BYTES",
    "Bus",
    "BusError",
    "BusOptions",
    "Joined",
    "MessageError",
    "Numbers",
    "Said",
    "Seal",
    "Taken",
    "parts_of",
]


def __getattr__(name: str) -> type[Bus]:
    """PEP 562."""
    if name != "Bus":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from longwatch.bus.client import Bus

    return Bus
