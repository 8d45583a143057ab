"""Boxes (ISO/IEC 14496-12, 4.2): the frame that everything else in a file stands in."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

Read = Callable[[int, int], bytes]
"""(offset, size) to bytes; short at the end of the file, empty behind it."""

MAX_HEADER_BYTES = 64 << 20
"""No box that must be held whole (moov, moof, a private box) may be larger than this."""

_HEAD = struct.Struct(">I4s")
_LARGE = struct.Struct(">Q")


class BmffError(ValueError):
    """The bytes are not what the standard, or docs/ref/segment-file.md, says they should be."""


class Box(NamedTuple):
    """Where a box lies. body and end are offsets in the same terms as start; uuid is empty but for `uuid` boxes."""

    kind: bytes
    start: int
    body: int
    end: int
    uuid: bytes = b""


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box around `parts`."""
    body = b"".join(parts)
    return _HEAD.pack(8 + len(body), kind) + body


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A FullBox: version and flags before the rest."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def uuid_box(uuid: bytes, *parts: bytes) -> bytes:
    """A box of a private type."""
    return box(b"uuid", uuid, *parts)


def parse_box(data: bytes | memoryview, start: int, limit: int) -> Box | None:
    """The box whose header lies at `start`; None where the header is torn. Its end may lie behind `limit`: the caller
    decides what that means. A size of 0 means up to `limit`. Raises BmffError on a size that cannot be.
    """
    if start + 8 > limit:
        return None
    size, kind = _HEAD.unpack_from(data, start)
    body = start + 8
    if size == 1:
        if start + 16 > limit:
            return None
        (size,) = _LARGE.unpack_from(data, start + 8)
        body = start + 16
    elif size == 0:
        size = limit - start
    uuid = b""
    if kind == b"uuid":
        if body + 16 > limit:
            return None
        uuid = bytes(data[body : body + 16])
        body += 16
    if start + size < body:
        raise BmffError(f"a box of {size} bytes at {start} is shorter than its own header")
    return Box(bytes(kind), start, body, start + size, uuid)


def children(data: bytes | memoryview, start: int, end: int) -> Iterator[Box]:
    """The boxes in [start, end) of data, all whole. Raises BmffError where one reaches out of it."""
    at = start
    while at < end:
        found = parse_box(data, at, end)
        if found is None:
            if end - at <= 4:  # QuickTime ends a list of atoms with four zero bytes
                return
            raise BmffError(f"a box at {at} is cut off")
        if found.end > end:
            raise BmffError(f"a box at {at} reaches {found.end - end} bytes out of its parent")
        yield found
        at = found.end


def find(data: bytes | memoryview, parent: Box, *path: bytes) -> Box | None:
    """The first box along `path` below `parent`."""
    at: Box | None = parent
    for kind in path:
        if at is None:
            return None
        at = next((b for b in children(data, at.body, at.end) if b.kind == kind), None)
    return at


def top_level(read: Read, start: int, end: int) -> Iterator[tuple[Box, bytes]]:
    """Headers of the boxes of a file from `start`, with the (up to 32) bytes of each header; bodies are not read.

    Ends quietly at a torn header. The last box may reach behind `end`.
    """
    at = start
    while at < end:
        head = read(at, min(32, end - at))
        found = parse_box(head, 0, len(head)) if len(head) >= 8 else None
        if found is None:
            return
        size = found.end if int.from_bytes(head[:4], "big") else end - at
        yield Box(found.kind, at, at + found.body, at + size, found.uuid), head
        at += size


class Fields:
    """Reads big-endian fields one after another; running out of bytes is a BmffError."""

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes | memoryview, start: int, end: int) -> None:
        self._data = data
        self._at = start
        self._end = min(end, len(data))

    @property
    def left(self) -> int:
        return self._end - self._at

    def take(self, size: int) -> bytes:
        if size < 0 or size > self.left:
            raise BmffError(f"{size} bytes wanted, {self.left} there")
        at = self._at
        self._at += size
        return bytes(self._data[at : self._at])

    def uint(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def sint(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big", signed=True)

    def text(self) -> str:
        """UTF-8 behind its 16-bit length, as `text` writes it."""
        try:
            return self.take(self.uint(2)).decode()
        except UnicodeDecodeError as error:
            raise BmffError("a text is not UTF-8") from error


def text(value: str) -> bytes:
    """UTF-8 behind a 16-bit length. Raises BmffError beyond 65535 bytes."""
    data = value.encode()
    if len(data) > 0xFFFF:
        raise BmffError(f"a text of {len(data)} bytes")
    return struct.pack(">H", len(data)) + data
