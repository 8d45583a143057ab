"""What recording may be told. Times in microseconds, as everywhere."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """segment_us: how long a segment lasts before the next sync sample ends it. stream_buffer_bytes: what one stream may
    hold while storage takes nothing; total_buffer_bytes: what all may. live_cache_bytes: what all groups of pictures kept for
    viewers who join may take. writer: goes into every segment's identity.
    """

    post: str
    writer: str = "longwatch"
    segment_us: int = 60_000_000
    stream_buffer_bytes: int = 24 << 20
    total_buffer_bytes: int = 256 << 20
    live_cache_bytes: int = 32 << 20


class Budget:
    """Bytes that several streams share. Owner of its state: the recorder's loop."""

    __slots__ = ("limit_bytes", "used_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0

    def take(self, size: int) -> bool:
        """Take `size` bytes; False where they are not there."""
        if self.used_bytes + size > self.limit_bytes:
            return False
        self.used_bytes += size
        return True

    def give_back(self, size: int) -> None:
        """Return what was taken."""
        self.used_bytes -= size
