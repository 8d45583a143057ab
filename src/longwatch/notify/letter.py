"""What a channel is handed, and how it says that it did not go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Enclosure:
    """Footage that goes with a message: the best picture of an event, or its short film. kind: picture or clip. at_us, to_us: what it shows."""

    event: str
    camera: str
    stream: str
    kind: str
    name: str
    media_type: str
    at_us: int
    to_us: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Letter:
    """One message on its way by one channel. key: the same at each attempt. facts: for machines (webhooks), as JSON. target: what the
    channel knows it by (a browser's subscription); "" where it has one. enclosed: made for this attempt, and kept nowhere.
    """

    delivery: int
    key: str
    channel: str
    target: str
    title: str
    body: str
    link: str
    grave: bool
    made_us: int
    facts: dict[str, Any]
    enclosed: tuple[Enclosure, ...] = ()

    @property
    def events(self) -> list[str]:
        """Ids of the events that it speaks of."""
        return [thread.removeprefix("event/") for thread in self.facts.get("about", ()) if thread.startswith("event/")]

    @property
    def whole_link(self) -> str:
        """An address that anybody can follow; "" where the settings name none for the console."""
        return "" if self.link.startswith("/") else self.link


Enclose = Callable[[Letter, str], Awaitable[tuple[Enclosure, ...]]]
"""What goes with a message by a channel whose settings say `attach`: picture or clip. Whoever makes it enters that it leaves. May raise anything."""


class SendingError(Exception):
    """It did not go. final: no attempt will do better. after_s: the receiver wishes not to be asked before. No secret may be in it."""

    def __init__(self, what: str, *, final: bool = False, after_s: float = 0.0) -> None:
        super().__init__(what)
        self.final = final
        self.after_s = after_s


class Channel(Protocol):
    """A way to people. Owner of its connections."""

    async def send(self, letter: Letter) -> None:
        """Returns once the receiver accepted it. Raises SendingError."""
        ...

    async def aclose(self) -> None:
        """Give up what it holds."""
        ...
