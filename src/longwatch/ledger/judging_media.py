"""One segment file against its seal: which of its fragments are not what was written, and how. Pure: bytes come from a callable.

A sound file is judged by its closing box (whose hash stands in the seal), its fragments' hashes and its header: no box of the media
is parsed. Only where something differs is the file walked, to tell what was changed from what was moved, taken out or put in.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from longwatch.formats import bmff
from longwatch.ledger.findings import Kind
from longwatch.ledger.story import Seal
from longwatch.ledger.tree import segment_root

Read = Callable[[int, int], bytes | memoryview]
_HEADER_BYTES = 64 << 10
_MOST_FRAGMENTS = 100_000
_LIFTED = bmff.LIFTED + b"free"


class Damage(NamedTuple):
    """Something of a segment that is not as it was written. first, last: of its fragments in expected order; None: all of it."""

    kind: Kind
    detail: str
    first: int | None = None
    last: int | None = None


class Row(Protocol):
    """A fragment as a table of a segment names it: `bmff.ClosedFragment`, `model.stores.FragmentRow`."""

    @property
    def offset(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def start_90k(self) -> int: ...
    @property
    def end_90k(self) -> int: ...
    @property
    def sha256(self) -> bytes: ...


@dataclass(slots=True)
class Examined:
    """What was found. rows: the fragments as they were written, empty where that is not known any more; the first and the last alone
    once it was judged. stands: the identity in the header, where it is not the seal's. hashed_bytes: media that was read.
    table_agrees: the index has the same fragments.
    """

    damages: list[Damage] = field(default_factory=list)
    rows: Sequence[Row] = ()
    header_bytes: int = 0
    file_bytes: int = 0
    stands: tuple[str, int, int] | None = None
    hashed_bytes: int = 0
    table_agrees: bool = True

    def judged(self) -> None:
        """Nobody asks for each fragment any more: a year of them is much memory."""
        if len(self.rows) > 2:
            self.rows = (self.rows[0], self.rows[-1])

    def wall(self, seal: Seal, damage: Damage) -> tuple[int, int]:
        """The seconds of a damage, as the seal placed them."""
        whole = seal.wall_start_us, max(seal.wall_end_us, seal.wall_start_us + 1)
        if damage.first is None or damage.last is None or not self.rows:
            return whole
        first_90k, end_90k = self.rows[0].start_90k, self.rows[-1].end_90k
        length = max(1, end_90k - first_90k)

        def at(ticks: int) -> int:
            return whole[0] + (ticks - first_90k) * (whole[1] - whole[0]) // length

        start_us = at(self.rows[damage.first].start_90k)
        return start_us, max(at(self.rows[damage.last].end_90k), start_us + 1)


def examine(seal: Seal, size: int, read: Read, table: Callable[[], Sequence[Row]] = tuple) -> Examined:
    """The file of a seal, `size` bytes long. table: its fragments as the index has them, asked for only where the file's own table is
    not the one that was sealed, and believed only where the seal's root proves it.
    """
    found = Examined(file_bytes=size)
    box = _closing_box(size, read)
    if box is not None and hashlib.sha256(box).digest() == seal.closing:
        rows = _rows_of(box)
        if rows is not None:
            _by_closing(seal, found, rows, len(box), size, read)
            return found
    _without_closing(seal, found, box, size, read, table())
    return found


def _closing_box(size: int, read: Read) -> bytes | None:
    length = bmff.closing_size(bytes(read(max(0, size - 16), 16)))
    return bytes(read(size - length, length)) if length is not None and length <= size else None


def _rows_of(box: bytes) -> Sequence[Row] | None:
    try:
        closing = bmff.parse_closing(box)
    except bmff.BmffError:
        return None
    if closing is None or len(closing.fragments) > _MOST_FRAGMENTS:
        return None
    return closing.fragments


def _by_closing(seal: Seal, found: Examined, rows: Sequence[Row], box_bytes: int, size: int, read: Read) -> None:
    """The closing box is the one that was sealed: its table says what every other byte must be."""
    found.rows = rows
    end = rows[-1].offset + rows[-1].size if rows else size - box_bytes - bmff.GUARD_BYTES
    found.header_bytes = (rows[0].offset if rows else end + bmff.GUARD_BYTES) - bmff.GUARD_BYTES
    moved = size - (end + bmff.GUARD_BYTES + box_bytes)
    if not _header(seal, found, read):
        found.damages.append(Damage(*_of_header(found, "the header is not the one that was recorded")))
    wrong = _wrong(found, read)
    if wrong or moved:
        found.damages += _walked(found, read, size) or _displaced(found, wrong, moved, read)
    if not found.damages:
        found.damages += _guards(found, end, box_bytes, read)


def _guards(found: Examined, end: int, box_bytes: int, read: Read) -> Iterator[Damage]:
    """Lifted or not: what a cut left hidden is as sound."""
    sizes = [*((row.offset, row.size) for row in found.rows), (end + bmff.GUARD_BYTES, box_bytes)]
    for n, (offset, size) in enumerate(sizes):
        guard = bytes(read(offset - bmff.GUARD_BYTES, bmff.GUARD_BYTES))
        if guard != _LIFTED and guard != bmff.guard(size):
            last = max(0, min(n, len(found.rows) - 1))
            yield Damage(Kind.CHANGED, "the guard before a fragment was changed", last, last)


def _header(seal: Seal, found: Examined, read: Read) -> bool:
    digest = hashlib.sha256(read(0, found.header_bytes)).digest()
    found.hashed_bytes += found.header_bytes
    return segment_root(digest, (row.sha256 for row in found.rows)) == seal.root


def _wrong(found: Examined, read: Read) -> list[int]:
    """Numbers of the fragments that are not where they should be, or not what they should be."""
    sha256 = hashlib.sha256
    wrong = [n for n, row in enumerate(found.rows) if sha256(read(row.offset, row.size)).digest() != row.sha256]
    found.hashed_bytes += sum(row.size for row in found.rows)
    return wrong


def _walked(found: Examined, read: Read, size: int) -> list[Damage]:
    """The fragments that are there, by their boxes, against those that should be; empty where the boxes lead nowhere."""
    there = walk(found.header_bytes, size, read)
    if there is None:
        return []
    expected = [row.sha256 for row in found.rows]
    damages = []
    matcher = difflib.SequenceMatcher(None, expected, there, autojunk=False)
    known, here = set(expected), set(there)
    for tag, first, end, low, high in matcher.get_opcodes():
        if tag == "equal":
            continue
        for n in range(first, end):
            moved = expected[n] in here
            place = there[low + n - first] if n - first < high - low else None
            kind = (
                Kind.REORDERED if moved else Kind.CHANGED if place is not None and place not in known else Kind.REMOVED
            )
            damages.append(Damage(kind, f"fragment {n} {_WORDS[kind]}", n, n))
        extra = [digest for digest in there[low + end - first : high] if digest not in known]
        copies = [digest for digest in there[low + end - first : high] if digest in known and there.count(digest) > 1]
        if extra or copies:
            n = max(0, min(first, len(expected) - 1))
            damages.append(Damage(Kind.INSERTED, f"{len(extra) + len(copies)} fragments that were never here", n, n))
    return damages


_WORDS = {
    Kind.REORDERED: "stands elsewhere in the file",
    Kind.CHANGED: "is not what was recorded",
    Kind.REMOVED: "was taken out",
}


def _displaced(found: Examined, wrong: Sequence[int], moved: int, read: Read) -> list[Damage]:
    """Where the boxes do not say: fragments that are whole at their own place, or at the place that the change of length gives them."""
    if not moved:
        return [Damage(Kind.CHANGED, f"fragment {n} is not what was recorded", n, n) for n in wrong]
    kind = Kind.INSERTED if moved > 0 else Kind.REMOVED
    torn = [
        n
        for n in wrong
        if hashlib.sha256(read(max(0, found.rows[n].offset + moved), found.rows[n].size)).digest()
        != found.rows[n].sha256
    ]
    at = torn or wrong[:1] or [max(0, len(found.rows) - 1)]
    return [Damage(kind, f"{abs(moved)} bytes were {_BYTES[kind]} at fragment {n}", n, n) for n in at]


_BYTES = {Kind.INSERTED: "put in", Kind.REMOVED: "taken out"}


def walk(start: int, size: int, read: Read) -> list[bytes] | None:
    """Hashes of the fragments from `start` on, by their boxes alone; None where these do not lead to the closing box."""
    found: list[bytes] = []
    at = start
    while len(found) < _MOST_FRAGMENTS:
        length, kind = _box(at, read)
        if kind == b"free":
            at += bmff.GUARD_BYTES
        elif kind == b"uuid" and at + length == size:
            return found
        elif kind == b"moof" and 8 <= length < size:
            more, kind = _box(at + length, read)
            if kind != b"mdat" or not 8 <= more <= size:
                return None
            found.append(hashlib.sha256(read(at, length + more)).digest())
            at += length + more
        else:
            return None
    return None


def _box(at: int, read: Read) -> tuple[int, bytes]:
    head = bytes(read(at, 8))
    return (int.from_bytes(head[:4], "big"), head[4:]) if len(head) == 8 else (0, b"")


def _of_header(found: Examined, detail: str) -> tuple[Kind, str]:
    return (
        (Kind.CHANGED, detail)
        if found.stands is None
        else (Kind.REORDERED, f"another segment lies in its place: {found.stands}")
    )


def _without_closing(
    seal: Seal, found: Examined, box: bytes | None, size: int, read: Read, table: Sequence[Row]
) -> None:
    """The closing box is not the one that was sealed. Which fragments are still whole is told by a table that the seal's root proves."""
    head = bytes(read(0, min(size, _HEADER_BYTES)))
    try:
        header = bmff.parse_header(head)
        found.header_bytes = header.header_bytes
        identity = header.identity
        if (identity.boot, identity.run, identity.sequence) != seal.key:
            found.stands = (identity.boot, identity.run, identity.sequence)
            found.damages.append(Damage(*_of_header(found, "")))
            return
    except bmff.BmffError:
        found.header_bytes = table[0].offset - bmff.GUARD_BYTES if table else 0
    for rows in (_rows_of(box) if box is not None else None, table):
        if rows and all(0 < row.size <= seal.durable_bytes and row.offset >= 0 for row in rows):
            found.rows = rows
            if _header(seal, found, read):
                found.damages += _by_table(found, size, read)
                break
            found.rows = ()
    if box is None:
        if not found.damages:
            found.damages.append(Damage(Kind.REMOVED, "the closing box is gone, or what was behind it"))
        return
    detail = "the closing box (times, flags, fragment table, sample index) is not the one that was sealed"
    if not found.rows:
        detail = (
            "neither the closing box nor the header are those that were sealed; nothing says which fragments are whole"
        )
    found.damages.append(Damage(Kind.CHANGED, detail))


def _by_table(found: Examined, size: int, read: Read) -> list[Damage]:
    """Fragments against a table that is proven, in a file whose closing box is not."""
    wrong = _wrong(found, read)
    walked = _walked(found, read, size) if wrong else []
    if walked:
        return walked
    cut = {n for n in wrong if found.rows[n].offset + found.rows[n].size > size}
    return [
        Damage(Kind.REMOVED, f"the file ends before fragment {n} does", n, n)
        if n in cut
        else Damage(Kind.CHANGED, f"fragment {n} is not what was recorded", n, n)
        for n in wrong
    ]
