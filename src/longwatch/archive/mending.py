"""Files that were left open: what of them is whole, and how they are sealed.

Steps R3 and R4 of docs/design/segment-lifecycle.md. Nothing that was acknowledged is ever cut, and no file is removed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from longwatch.archive.flushing import Flushing
from longwatch.formats import bmff
from longwatch.model.stores import FragmentRow

_NOTHING = bytes(512)  # a sector that was allocated and never written
_TAIL_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Mended:
    """A file after mending. rows: its fragments. end: of the last one. kept, cut: bytes beyond what was acknowledged that
    were whole, and that were not. whole: it had been closed already. lost_bytes: acknowledged and not there. closing_sha256: of its
    closing box.
    """

    rows: list[FragmentRow] = field(repr=False)
    end: int
    file_bytes: int
    kept_bytes: int
    cut_bytes: int
    whole: bool
    damaged: bool
    closing_sha256: bytes = field(repr=False)
    lost_bytes: int = 0


class Closed(NamedTuple):
    """A file that was closed: its length, and the SHA-256 of its closing box."""

    file_bytes: int
    sha256: bytes


def lift(descriptor: int, guards: Iterable[int]) -> None:
    """After S4: what the guards at these offsets hid is flushed, and players may see it. A courtesy to them, made durable with
    the next flush: our own readers go by the index, so a disk that fails here is left to say so at that flush.
    """
    for offset in guards:
        try:
            os.pwrite(descriptor, bmff.LIFTED, offset)
        except OSError:
            return


def tail_fragments(descriptor: int, start: int, size: int, end_90k: int) -> list[FragmentRow]:
    """Whole fragments from `start` on, hashed as they are. Ends at the first that is torn, or that holds a sector of nothing:
    a length that became durable before its bytes did.
    """
    rows = []
    for found in bmff.scan_fragments(lambda offset, count: os.pread(descriptor, count, offset), start, size):
        content = os.pread(descriptor, found.size, found.offset)
        if len(content) != found.size or _NOTHING in content:
            break
        first_90k, last_90k, syncs = found.video_times()
        if last_90k <= first_90k:
            first_90k, last_90k, syncs = end_90k, end_90k, ()
        end_90k = last_90k
        rows.append(FragmentRow(found.offset, found.size, first_90k, last_90k, syncs, hashlib.sha256(content).digest()))
    return rows


def read_closing(descriptor: int, size: int) -> tuple[bmff.Closing, bytes] | None:
    """The closing box at the end of a file, and its SHA-256; None where there is none that can be read."""
    try:
        tail = os.pread(descriptor, 16, max(0, size - 16))
        length = bmff.closing_size(tail)
        if length is None or length > size:
            return None
        box = os.pread(descriptor, length, size - length)
        closed = bmff.parse_closing(box)
    except bmff.BmffError:
        return None
    return None if closed is None else (closed, hashlib.sha256(box).digest())


def mend_file(
    path: Path,
    header_bytes: int,
    acknowledged: Sequence[FragmentRow],
    wall_end: WallEnd,
    flushing: Flushing,
    *,
    damaged: bool,
) -> Mended:
    """R3 and R4 for one file: keep whole fragments beyond the acknowledged ones, cut what is torn, close it, flush it.

    wall_end: where the video's end is placed. Raises OSError; FileNotFoundError where it is not there.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        flushing.flush_file(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)  # judge what the disk has, not what memory remembers
        size = os.fstat(descriptor).st_size
        acked_end = acknowledged[-1].offset + acknowledged[-1].size if acknowledged else header_bytes
        rows = [row for row in acknowledged if row.offset + row.size <= size]
        found = read_closing(descriptor, size)
        if found is not None and size - found[0].size >= acked_end and _agrees(found[0], acknowledged):
            return _already_closed(*found, size, acked_end)
        end = rows[-1].offset + rows[-1].size if rows else min(header_bytes, size)
        more = (
            tail_fragments(descriptor, end, size, rows[-1].end_90k if rows else wall_end.start_90k)
            if end >= acked_end
            else []
        )
        rows += more
        kept = sum(row.size for row in more)
        end = rows[-1].offset + rows[-1].size if rows else end
        closed = _close(descriptor, end, rows, wall_end.of(rows), damaged, flushing)
        flushing.flush_file(descriptor)
        return Mended(
            rows,
            end,
            closed.file_bytes,
            kept,
            max(0, size - end),
            whole=False,
            damaged=damaged,
            closing_sha256=closed.sha256,
            lost_bytes=max(0, acked_end - size),
        )
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class WallEnd:
    """A point of a segment that is placed: media time to wall time. start_90k: of the segment."""

    at_90k: int
    wall_us: int
    start_90k: int

    def of(self, rows: Sequence[FragmentRow]) -> int:
        """Where the last of `rows` ends."""
        end_90k = rows[-1].end_90k if rows else self.start_90k
        return self.wall_us + (end_90k - self.at_90k) * 100 // 9

    def moved(self, by_us: int) -> WallEnd:
        """The same, placed elsewhere."""
        return WallEnd(self.at_90k, self.wall_us + by_us, self.start_90k)


def _agrees(closed: bmff.Closing, acknowledged: Sequence[FragmentRow]) -> bool:
    """The box speaks of the same bytes as the index does."""
    mine = [row.sha256 for row in acknowledged]
    return [row.sha256 for row in closed.fragments[: len(mine)]] == mine


def _already_closed(closed: bmff.Closing, digest: bytes, size: int, acked_end: int) -> Mended:
    """The cut fell between the flush of the closing box and the commit: nothing is to be done."""
    rows = [
        FragmentRow(row.offset, row.size, row.start_90k, row.end_90k, row.sync_offsets_90k, row.sha256)
        for row in closed.fragments
    ]
    end = rows[-1].offset + rows[-1].size if rows else acked_end
    return Mended(rows, end, size, end - acked_end, 0, whole=True, damaged=closed.damaged, closing_sha256=digest)


def _close(
    descriptor: int, end: int, rows: Sequence[FragmentRow], wall_end_us: int, damaged: bool, flushing: Flushing
) -> Closed:
    box = bmff.closing(rows, b"", wall_end_us=wall_end_us, damaged=damaged, recovered=True)
    os.ftruncate(descriptor, end)
    flushing.write(descriptor, [bmff.guard(len(box)), box], end)
    flushing.flush_file(descriptor)
    lift(descriptor, [*_guards(descriptor, rows), end])
    return Closed(end + bmff.GUARD_BYTES + len(box), hashlib.sha256(box).digest())


def _guards(descriptor: int, rows: Sequence[FragmentRow]) -> Iterator[int]:
    """Where guards stand before these fragments, lifted or not."""
    for row in rows:
        at = row.offset - bmff.GUARD_BYTES
        if os.pread(descriptor, bmff.GUARD_BYTES, at)[4:] == b"free":
            yield at


def seal_file(
    path: Path, end: int, rows: Sequence[FragmentRow], wall_end_us: int, damaged: bool, flushing: Flushing
) -> Closed:
    """Cut a file back to `end`, close it and flush it. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        closed = _close(descriptor, end, rows, wall_end_us, damaged, flushing)
        flushing.flush_file(descriptor)
        return closed
    finally:
        os.close(descriptor)
