"""What the answers about scrub strips look like. Their pictures come in a body of their own (docs/design/strips.md)."""

from __future__ import annotations

from typing import Literal

from longwatch.web.model import Model

StripState = Literal["off", "thinned", "catching_up", "following"]


class Strip(Model):
    """Which pictures there are of a stretch. items: `[at_us, bytes]`. every_us: how far apart they are at best."""

    camera: str
    every_us: int
    state: StripState
    items: list[tuple[int, int]]
