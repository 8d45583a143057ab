"""The fragments of one segment as compact bytes, for the index.

One record a fragment, appended: SHA-256 (32 bytes), then LEB128 numbers: size, gap in bytes before it (0 as a rule),
zigzag of the gap in media time before it, duration_90k, count of sync samples, and their offsets, each from the one before.
A torn or foreign table raises ValueError.
"""

from __future__ import annotations

from collections.abc import Iterable

from longwatch.model.stores import FragmentRow


def append(out: bytearray, row: FragmentRow, previous_end: int, previous_end_90k: int) -> None:
    """Add one record. previous_*: where the fragment before ended (for the first: the header, and 0 of media time)."""
    out += row.sha256
    gap_90k = row.start_90k - previous_end_90k
    zigzag = gap_90k << 1 if gap_90k >= 0 else (-gap_90k << 1) - 1
    numbers = [
        row.size,
        row.offset - previous_end,
        zigzag,
        max(0, row.end_90k - row.start_90k),
        len(row.sync_offsets_90k),
    ]
    last = 0
    for offset in row.sync_offsets_90k:
        numbers.append(max(0, offset - last))
        last = offset
    for value in numbers:  # in line: a rebuild does this some 15 million times
        while value > 0x7F:
            out.append((value & 0x7F) | 0x80)
            value >>= 7  # noqa: PLW2901  # LEB128 eats its number
        out.append(value)


def pack(rows: Iterable[FragmentRow], header_bytes: int) -> bytes:
    """The table of these fragments."""
    out = bytearray()
    end, end_90k = header_bytes, 0
    for row in rows:
        append(out, row, end, end_90k)
        end, end_90k = row.offset + row.size, row.end_90k
    return bytes(out)


def unpack(table: bytes, header_bytes: int) -> list[FragmentRow]:
    """The fragments of a table, in order. Raises ValueError."""
    rows: list[FragmentRow] = []
    position, end, end_90k = 0, header_bytes, 0

    def number() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte = table[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    try:
        while position < len(table):
            digest = table[position : position + 32]
            position += 32
            size = number()
            offset = end + number()
            zigzag = number()
            start_90k = end_90k + ((zigzag >> 1) if not zigzag & 1 else -((zigzag + 1) >> 1))
            duration = number()
            syncs, last = [], 0
            for _ in range(number()):
                last += number()
                syncs.append(last)
            end, end_90k = offset + size, start_90k + duration
            rows.append(FragmentRow(offset, size, start_90k, end_90k, tuple(syncs), digest))
    except IndexError as error:
        raise ValueError("a fragment table ends within a record") from error
    return rows
