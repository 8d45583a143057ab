"""Footage that is held here, as playback wants it (`model.stores.SegmentSource`): segments, their fragments, and bytes.

A segment that is here whole is laid out as the file at the post is, so that what is made of it is the same to the byte. One that is here in
part appears as what is here of it: its header and each stretch of fragments, as a file of their own that was never closed.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from longwatch.base.errors import LongwatchError
from longwatch.fleet.holding import held_leaves, stretches, wall_of
from longwatch.fleet.reading import StreamRow
from longwatch.fleet.schema import pieces, runs, segments
from longwatch.fleet.store import ObjectStore
from longwatch.fleet.telling import DAMAGED, RECOVERED
from longwatch.formats.bmff.closing import ClosedFragment, Closing, parse_closing
from longwatch.formats.bmff.guard import GUARD_BYTES, guard
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import FragmentRow, Provenance, SegmentRow

_CLOSINGS = 256
_LAYOUTS = 512
_RUN_SHIFT, _SEQUENCE_SHIFT, _LEAF_BITS = 36, 12, 12
_PROVENANCE = tuple(Provenance)
_MOST_BETWEEN = 1 << 20  # bytes of a segment that are no leaf: guards


class _Range(NamedTuple):
    """Bytes [begin, end) of the file as it appears: those of an object from `at` on, or given."""

    begin: int
    end: int
    sha256: bytes
    at: int
    given: bytes = b""


class Media:
    """Thread-safe. store: where the objects are."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._closings: OrderedDict[bytes, tuple[Closing, bytes]] = OrderedDict()
        self._layouts: OrderedDict[tuple[int, int], list[_Range]] = OrderedDict()

    def rows(self, db: sa.Connection, stream: StreamRow, found: Sequence[Any]) -> list[SegmentRow]:
        """Rows of `segments` with their run's `boot` and `number` as what can be played of them."""
        made: list[SegmentRow] = []
        for row, ranges in zip(found, self._leaves(db, found), strict=True):
            if not row.closing_here or row.header_bytes is None:
                continue
            if ranges == [(0, row.fragments)]:
                made.append(_row(stream, row, 0, row.durable_bytes, row.start_90k, row.end_90k, row.from_us, row.to_us))
                continue
            closing = self.closing(bytes(row.closing))[0]
            for first, last in held_leaves(ranges):
                size = row.header_bytes + sum(GUARD_BYTES + f.size for f in closing.fragments[first - 1 : last])
                start, end = closing.fragments[first - 1].start_90k, closing.fragments[last - 1].end_90k
                made.append(
                    _row(
                        stream,
                        row,
                        first,
                        size,
                        start,
                        end,
                        *wall_of(row, closing, first, last),
                        count=last - first + 1,
                    )
                )
        return made

    def _leaves(self, db: sa.Connection, found: Sequence[Any]) -> list[list[tuple[int, int]]]:
        """Which leaves of each are here; whole ones are not looked up."""
        partly = [row for row in found if row.closing_here and row.leaves_here != row.fragments + 1]
        known: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for at in range(0, len(partly), 500):
            some = partly[at : at + 500]
            rows = db.execute(
                sa.select(pieces.c.run, pieces.c.sequence, pieces.c.first, pieces.c.last).where(
                    pieces.c.post == some[0].post, sa.tuple_(pieces.c.run, pieces.c.sequence).in_([(r.run, r.sequence) for r in some])
                )
            )  # fmt: skip
            for run, sequence, first, last in rows:
                known.setdefault((run, sequence), []).append((first, last))
        return [
            [(0, row.fragments)] if row.leaves_here == row.fragments + 1 else stretches(known.get((row.run, row.sequence), []))
            for row in found
        ]  # fmt: skip

    def closing(self, sha256: bytes) -> tuple[Closing, bytes]:
        """A closing box, and its bytes. Raises LongwatchError where it is not here."""
        with self._lock:
            known = self._closings.get(sha256)
            if known is not None:
                self._closings.move_to_end(sha256)
                return known
        data = self._store.read_all(sha256)
        parsed = parse_closing(data)
        if parsed is None:
            raise LongwatchError("a closing box in the media store cannot be read", remedy="ask for that footage anew")
        with self._lock:
            self._closings[sha256] = (parsed, data)
            while len(self._closings) > _CLOSINGS:
                self._closings.popitem(last=False)
        return parsed, data

    def fragments(self, db: sa.Connection, segment: SegmentRow) -> list[FragmentRow]:
        """Of a row as `rows` made it."""
        row, first = self._segment(db, segment)
        if row is None or not row.closing_here:
            return []
        closing = self.closing(bytes(row.closing))[0]
        if not first:
            return [_fragment(f, f.offset) for f in closing.fragments]
        made, at = [], segment.header_bytes
        for fragment in closing.fragments[first - 1 : first - 1 + segment.fragments]:
            made.append(_fragment(fragment, at + GUARD_BYTES))
            at += GUARD_BYTES + fragment.size
        return made

    def sealed(self, db: sa.Connection, segment: SegmentRow) -> tuple[int, int, tuple[bytes, ...]]:
        """The number of the entry that sealed it, the fragment that the row begins with (from 0), and the hashes of all. Raises LongwatchError."""
        row, first = self._segment(db, segment)
        if row is None:
            raise LongwatchError(f"{segment.path} is not held here any more", remedy="ask for that footage anew")
        closing = self.closing(bytes(row.closing))[0]
        return row.seq, max(0, first - 1), tuple(fragment.sha256 for fragment in closing.fragments)

    def read(self, db: sa.Connection, segment: SegmentRow, offset: int, size: int) -> bytes:
        """Bytes of the file as it appears; short at its end. Raises LongwatchError where they are not here any more."""
        try:
            return self._read(self._layout(db, segment), offset, size)
        except LongwatchError:  # its pieces went, and may have come again, cut otherwise
            with self._lock:
                self._layouts.pop((segment.id, segment.durable_bytes), None)
            return self._read(self._layout(db, segment), offset, size)

    def _read(self, layout: Sequence[_Range], offset: int, size: int) -> bytes:
        end = min(offset + size, layout[-1].end)
        parts: list[bytes] = []
        at = offset
        n = max(0, bisect_right([each.begin for each in layout], offset) - 1)
        while at < end:
            piece = layout[n]
            take = min(end, piece.end) - at
            if piece.given:
                parts.append(piece.given[at - piece.begin : at - piece.begin + take])
            else:
                parts.append(self._store.read(piece.sha256, piece.at + at - piece.begin, take))
            at += take
            n += 1
        data = b"".join(parts)
        if len(data) != max(0, end - offset):
            raise LongwatchError("footage cannot be read", why="an object in the media store is shorter than it was")
        return data

    def _layout(self, db: sa.Connection, segment: SegmentRow) -> list[_Range]:
        key = (segment.id, segment.durable_bytes)
        with self._lock:
            known = self._layouts.get(key)
            if known is not None:
                self._layouts.move_to_end(key)
                return known
        row, first = self._segment(db, segment)
        if row is None or not row.leaves_here:
            raise LongwatchError(f"{segment.path} is not held here any more", remedy="ask for that footage anew")
        made = self._lay(db, row, first, segment.fragments)
        with self._lock:
            self._layouts[key] = made
            while len(self._layouts) > _LAYOUTS:
                self._layouts.popitem(last=False)
        return made

    def _lay(self, db: sa.Connection, row: Any, first: int, count: int) -> list[_Range]:
        """first: 0 for the whole file, else the fragment that the file begins with."""
        closing, box = self.closing(bytes(row.closing))
        places = self._places(db, row, closing)
        wanted = [0, *(range(1, row.fragments + 1) if not first else range(first, first + count))]
        made: list[_Range] = []
        at = spare = 0
        for leaf in wanted:
            size = row.header_bytes if leaf == 0 else closing.fragments[leaf - 1].size
            begin = 0 if leaf == 0 else closing.fragments[leaf - 1].offset if not first else at + GUARD_BYTES
            if begin > at:
                spare += begin - at
                if spare > _MOST_BETWEEN:
                    raise LongwatchError(
                        "footage cannot be laid out",
                        why="its closing box leaves room between fragments that nothing fills",
                    )
                made.append(_Range(at, begin, b"", 0, _between(begin - at)))
            place = places.get(leaf)
            if place is None:
                raise LongwatchError("footage is not held here any more", remedy="ask for it anew")
            made.append(_Range(begin, begin + size, *place))
            at = begin + size
        if not first:
            made.append(_Range(at, at + GUARD_BYTES, b"", 0, _between(GUARD_BYTES)))
            made.append(_Range(at + GUARD_BYTES, at + GUARD_BYTES + len(box), b"", 0, box))
        return made

    def _places(self, db: sa.Connection, row: Any, closing: Closing) -> dict[int, tuple[bytes, int]]:
        """By leaf: the object that holds it, and where in it."""
        found: dict[int, tuple[bytes, int]] = {}
        rows = db.execute(
            sa.select(pieces.c.first, pieces.c.last, pieces.c.sha256).where(
                pieces.c.post == row.post, pieces.c.run == row.run, pieces.c.sequence == row.sequence
            )
        )
        for first, last, sha256 in rows:
            at = 0
            for leaf in range(first, last + 1):
                found[leaf] = (bytes(sha256), at)
                at += row.header_bytes if leaf == 0 else closing.fragments[leaf - 1].size
        return found

    def _segment(self, db: sa.Connection, segment: SegmentRow) -> tuple[Any, int]:
        """Its row, and the fragment that it begins with, 0 where it is whole."""
        run, sequence = segment.id >> _RUN_SHIFT, (segment.id >> _SEQUENCE_SHIFT) & ((1 << 24) - 1)
        row = db.execute(
            sa.select(segments)
            .join(runs, sa.and_(runs.c.id == segments.c.run, runs.c.post == segments.c.post))
            .where(segments.c.run == run, segments.c.sequence == sequence)
        ).first()
        return row, 0 if segment.sealed else int(segment.path.rpartition("#")[2])


def _id(run: int, sequence: int, first: int) -> int:
    return run << _RUN_SHIFT | sequence << _SEQUENCE_SHIFT | first & ((1 << _LEAF_BITS) - 1)


def _between(size: int) -> bytes:
    """What stands between two leaves: a guard that hides nothing, after what brings it to its place."""
    return bytes(size - GUARD_BYTES) + guard(0) if size >= GUARD_BYTES else bytes(size)


def _row(
    stream: StreamRow, row: Any, first: int, durable_bytes: int, start_90k: int, end_90k: int, from_us: int, to_us: int,
    *, count: int | None = None,
) -> SegmentRow:  # fmt: skip
    """first: the fragment that it begins with; 0 where it is whole."""
    path = f"{stream.name}/{stream.stream}/{row.boot[:8]}-{row.number}-{row.sequence}"
    return SegmentRow(
        _id(row.run, row.sequence, first), StreamKey(stream.name, stream.stream), row.boot, row.number, row.sequence,
        f"{path}#{first}" if first else path, not first, row.header_bytes, durable_bytes, start_90k, end_90k, from_us, to_us,
        _PROVENANCE[row.provenance], bytes(row.root) if not first else b"", row.fragments if count is None else count,
        bool(row.flags & DAMAGED), bool(row.flags & RECOVERED), True,
    )  # fmt: skip


def _fragment(fragment: ClosedFragment, offset: int) -> FragmentRow:
    return FragmentRow(
        offset, fragment.size, fragment.start_90k, fragment.end_90k, fragment.sync_offsets_90k, fragment.sha256
    )
