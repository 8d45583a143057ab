"""Ten minutes of a camera's strip pictures as one object (`strip`): the JPEGs one after another, then where each of them is. Pure.

It begins as the first JPEG does, and ends with rows and a trailer: rows of wall time in us (8 bytes), size (4), stream (1; 0 main, 1 sub), 0 (3);
then the number of rows (4) and `LWstrip1`. All big-endian. The same pictures make the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

BLOCK_US = 600_000_000
"""A pack holds what lies between two multiples of it since 1970; `at_us` of the object is the first of them."""
MOST_PICTURES = 600
_ROW = struct.Struct(">QIB3x")
_TRAILER = struct.Struct(">I8s")
_MAGIC = b"LWstrip1"


class StripPicture(NamedTuple):
    """One of them."""

    at_us: int
    stream: int
    jpeg: bytes


def encode(pictures: Sequence[StripPicture]) -> bytes:
    """Raises ValueError where there is none, or too many."""
    if not 0 < len(pictures) <= MOST_PICTURES:
        raise ValueError(f"{len(pictures)} pictures in a pack")
    rows = b"".join(_ROW.pack(one.at_us, len(one.jpeg), one.stream) for one in pictures)
    return b"".join([*(one.jpeg for one in pictures), rows, _TRAILER.pack(len(pictures), _MAGIC)])


def decode(data: bytes) -> list[StripPicture]:
    """The reverse. Raises ValueError for what is none: a post may send anything."""
    if len(data) < _TRAILER.size:
        raise ValueError("no pack of strips")
    count, magic = _TRAILER.unpack_from(data, len(data) - _TRAILER.size)
    start = len(data) - _TRAILER.size - count * _ROW.size
    if magic != _MAGIC or not 0 < count <= MOST_PICTURES or start < 0:
        raise ValueError("no pack of strips")
    found, at = [], 0
    for at_us, size, stream in _ROW.iter_unpack(data[start : len(data) - _TRAILER.size]):
        if at + size > start or stream > 1:
            raise ValueError("a pack of strips that contradicts itself")
        found.append(StripPicture(at_us, stream, data[at : at + size]))
        at += size
    if at != start:
        raise ValueError("a pack of strips that contradicts itself")
    return found
