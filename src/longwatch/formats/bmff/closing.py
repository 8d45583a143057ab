"""The closing box of a sealed segment: fragment hashes, offsets and the sample index, found from the end of the file."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from longwatch.formats.bmff.boxes import MAX_HEADER_BYTES, BmffError, Fields, uuid_box

CLOSING_UUID = uuid.UUID("6c6f6e67-7761-4863-a864-e1c05ed0f11e").bytes
_VERSION = 1
_MAGIC = b"LWclosed"
_TRAILER = struct.Struct(">Q8s")
_ROW = struct.Struct(">QIQIH")
_RECOVERED = 1
_DAMAGED = 2
_HEAD_BYTES = 24
_MIN_BYTES = _HEAD_BYTES + 4 + 4 + 8 + 4 + _TRAILER.size
_UNKNOWN_WALL = -(1 << 63)


class FragmentLike(Protocol):
    """What the closing box keeps of a fragment; `model.stores.FragmentRow` is one."""

    @property
    def offset(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def start_90k(self) -> int: ...
    @property
    def end_90k(self) -> int: ...
    @property
    def sync_offsets_90k(self) -> tuple[int, ...]: ...
    @property
    def sha256(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class ClosedFragment:
    """A fragment as the closing box names it; fields as in `model.stores.FragmentRow`."""

    offset: int
    size: int
    start_90k: int
    end_90k: int
    sync_offsets_90k: tuple[int, ...]
    sha256: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Closing:
    """What a closing box says. size: of the box; it is the last of its file.

    wall_end_us: where the end was placed when it was sealed, None where that was not known. damaged: holds samples that
    depend on something lost. recovered: sealed after a cut, not by who wrote it.
    """

    fragments: tuple[ClosedFragment, ...]
    sample_index: bytes = field(repr=False)
    wall_end_us: int | None
    damaged: bool
    recovered: bool
    size: int


def closing(
    rows: Iterable[FragmentLike],
    sample_index: bytes,
    *,
    wall_end_us: int | None = None,
    damaged: bool = False,
    recovered: bool = False,
) -> bytes:
    """The closing box. Nothing follows it in a file: its last 16 bytes are its own length and a magic word."""
    parts = []
    for row in rows:
        parts.append(
            _ROW.pack(
                row.offset, row.size, row.start_90k, row.end_90k - row.start_90k, len(row.sync_offsets_90k)
            )
            + struct.pack(f">{len(row.sync_offsets_90k)}I", *row.sync_offsets_90k)
            + row.sha256
        )  # fmt: skip
        if len(row.sha256) != 32:
            raise BmffError("a fragment without its hash")
    flags = (_DAMAGED if damaged else 0) | (_RECOVERED if recovered else 0)
    head = struct.pack(
        ">IIq", _VERSION << 24 | flags, len(parts), _UNKNOWN_WALL if wall_end_us is None else wall_end_us
    )
    body = head + struct.pack(">I", len(sample_index)) + sample_index + b"".join(parts)
    return uuid_box(CLOSING_UUID, body, _TRAILER.pack(_HEAD_BYTES + len(body) + _TRAILER.size, _MAGIC))


def closing_size(tail: bytes) -> int | None:
    """How long the closing box is, from the last 16 bytes (or more) of a file; None where the file has none."""
    if len(tail) < _TRAILER.size:
        return None
    size, magic = _TRAILER.unpack_from(tail, len(tail) - _TRAILER.size)
    return int(size) if magic == _MAGIC and _MIN_BYTES <= size <= MAX_HEADER_BYTES else None


def parse_closing(tail: bytes) -> Closing | None:
    """Read the closing box at the end of `tail`, the last bytes of a file.

    None where the file does not end in one, or `tail` does not hold all of it (see closing_size). Raises BmffError where
    it is ours and contradicts itself, or is of a version that is not known.
    """
    fields = _fields(tail)
    if fields is None:
        return None
    flags, count, wall_end_us = _head(fields)
    sample_index = fields.take(fields.uint(4))
    rows = _rows(fields.take(fields.left), count)
    return Closing(
        rows, sample_index, None if wall_end_us == _UNKNOWN_WALL else wall_end_us, bool(flags & _DAMAGED),
        bool(flags & _RECOVERED), closing_size(tail) or 0,
    )  # fmt: skip


def closing_sample_index(tail: bytes) -> bytes | None:
    """The sample index alone, as playback wants it. As parse_closing otherwise."""
    fields = _fields(tail)
    if fields is None:
        return None
    _head(fields)
    return fields.take(fields.uint(4))


def _fields(tail: bytes) -> Fields | None:
    """What stands between the box's head and its trailer."""
    size = closing_size(tail)
    if size is None or size > len(tail):
        return None
    fields = Fields(tail, len(tail) - size, len(tail) - _TRAILER.size)
    length, kind = fields.uint(4), fields.take(4)
    return fields if length == size and kind == b"uuid" and fields.take(16) == CLOSING_UUID else None


def _head(fields: Fields) -> tuple[int, int, int]:
    version, flags = fields.uint(1), fields.uint(3)
    if version != _VERSION:
        raise BmffError(f"a closing box of version {version}, {_VERSION} is known")
    return flags, fields.uint(4), fields.sint(8)


def _rows(data: bytes, count: int) -> tuple[ClosedFragment, ...]:
    """In one go: whoever verifies a day reads 144,000 of them."""
    rows: list[ClosedFragment] = []
    at, end = 0, len(data)
    while len(rows) < count:
        if at + _ROW.size > end:
            raise BmffError("a closing box ends within its fragments")
        offset, size, start, length, syncs = _ROW.unpack_from(data, at)
        hash_at = at + _ROW.size + 4 * syncs
        at = hash_at + 32
        if at > end:
            raise BmffError("a closing box ends within a fragment")
        offsets = (
            (int.from_bytes(data[hash_at - 4 : hash_at], "big"),)
            if syncs == 1
            else struct.unpack_from(f">{syncs}I", data, hash_at - 4 * syncs)
        )
        rows.append(ClosedFragment(offset, size, start, start + length, offsets, data[hash_at:at]))
    if at != end:
        raise BmffError(f"{end - at} bytes too many in a closing box")
    return tuple(rows)
