"""What is larger than a message of the bus goes in parts: consecutive messages of one sender, the last of them marked. Pure."""

from __future__ import annotations

from collections.abc import Iterator

PART_BYTES = 24 << 10
MOST_BYTES = 2 << 20


def parts_of(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """Each part, and whether it is the last."""
    for at in range(0, max(1, len(data)), PART_BYTES):
        yield data[at : at + PART_BYTES], at + PART_BYTES >= len(data)


class Joined:
    """Puts parts together again. Owner of what is half here, bounded, by sender."""

    def __init__(self) -> None:
        self._half: dict[str, bytes] = {}

    def take(self, sender: str, part: bytes, *, last: bool) -> bytes | None:
        """The whole, once it is; None before, and of what is too large."""
        whole = self._half.pop(sender, b"") + part
        if last:
            return whole if len(whole) <= MOST_BYTES else None
        self._half[sender] = whole[: MOST_BYTES + 1]
        return None

    def drop(self, sender: str) -> None:
        """A part did not come: what is half here never becomes whole."""
        self._half.pop(sender, None)
