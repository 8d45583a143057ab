"""Pictures of many cameras at many moments, as one body: what is chosen, and how it is laid out. docs/design/strips.md has the format."""

from __future__ import annotations

import hashlib
import json
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from longwatch.strips.day_index import Picture

MEDIA_TYPE = "application/vnd.longwatch.strips"
_LENGTH = struct.Struct("<I")


def picked_at(pictures: Sequence[Picture], moments_us: Sequence[int], oldest_us: int) -> list[Picture | None]:
    """For each moment the newest picture at or before it that is not older than that."""
    times = [one.at_us for one in pictures]
    found: list[Picture | None] = []
    for moment_us in moments_us:
        n = bisect_right(times, moment_us) - 1
        found.append(pictures[n] if n >= 0 and moment_us - times[n] <= oldest_us else None)
    return found


@dataclass(frozen=True, slots=True)
class Packed:
    """A body that is served with ranges: a length, a head in JSON, and the pictures."""

    body: bytes = field(repr=False)
    etag: str
    media_type: str = MEDIA_TYPE

    @property
    def size(self) -> int:
        return len(self.body)

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes [start, end)."""
        yield self.body[start:end]


def pack(
    head: dict[str, object], of: Sequence[tuple[dict[str, object], Sequence[Picture | None], Sequence[bytes]]]
) -> Packed:
    """head: what is said of all. of: of each camera what is said of it, its pictures, and their bytes; null stands where there is none.

    The strong ETag is of the whole body.
    """
    items: list[dict[str, object]] = []
    parts: list[bytes] = []
    at = 0
    for said, pictures, jpegs in of:
        rows: list[list[int] | None] = []
        for picture, jpeg in zip(pictures, jpegs, strict=True):
            if picture is None or not jpeg:
                rows.append(None)
                continue
            rows.append([picture.at_us, at, len(jpeg)])
            parts.append(jpeg)
            at += len(jpeg)
        items.append({**said, "pictures": rows})
    text = json.dumps({**head, "items": items}, separators=(",", ":")).encode()
    body = b"".join([_LENGTH.pack(len(text)), text, *parts])
    return Packed(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
