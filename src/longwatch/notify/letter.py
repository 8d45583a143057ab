"""What a channel is handed, and how it says that it did not go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Letter:
    """One message on its way by one channel. key: the same at each attempt. facts: for machines (webhooks), as JSON. target: what the
    channel knows it by (a browser's subscription); "" where it has one.
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

    @property
    def whole_link(self) -> str:
        """An address that anybody can follow; "" where the settings name none for the console."""
        return "" if self.link.startswith("/") else self.link


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
