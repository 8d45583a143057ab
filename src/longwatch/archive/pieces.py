"""The bytes of sealed segments as objects for a hub: their closing box, and pieces of their leaves. docs/design/media-at-a-hub.md.

Never a guard, never anything beyond what was acknowledged, never a segment that is still written. Every byte is held against the fragment
hashes of the index before it is offered: what is damaged is a finding, and is not sent. Reads only; calls block.
"""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import structlog

from longwatch.archive.reader import ArchiveReader
from longwatch.base.errors import LongwatchError
from longwatch.formats import bmff
from longwatch.ledger import segment_root
from longwatch.model.pieces import between, cut, touching
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import FragmentRow, SegmentRow
from longwatch.model.uplink import ObjectInfo

_KEPT_LAYOUTS = 64
_log = structlog.get_logger(__name__)


class DamagedError(LongwatchError):
    """A file is not what its hashes say. It is not sent: `longwatch check --hash` says more."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Leaves [first, last] of one sealed segment, both of them in it."""

    segment: SegmentRow
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Needed:
    """What a stretch of time needs. open_us: from here on it lies in a segment that is not sealed yet; None where all of it is."""

    stretches: tuple[Stretch, ...]
    open_us: int | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the leaves of a segment lie in its file. ends: bytes of leaves up to and with each, for finding one within a piece."""

    segment: SegmentRow
    rows: tuple[FragmentRow, ...] = field(repr=False)
    sizes: tuple[int, ...] = field(repr=False)
    ends: tuple[int, ...] = field(repr=False)
    pieces: tuple[tuple[int, int], ...] = field(repr=False)

    def offset(self, leaf: int) -> int:
        """Of a leaf in the file."""
        return 0 if leaf == 0 else self.rows[leaf - 1].offset

    def before(self, leaf: int) -> int:
        """Bytes of all leaves before it."""
        return self.ends[leaf] - self.sizes[leaf]

    def size(self, first: int, last: int) -> int:
        """Of a piece."""
        return self.ends[last] - self.before(first)


class PieceSource:
    """Implements model.uplink.ObjectSource for `closing` and `piece`. post: the id under which a hub knows this post. Thread-safe."""

    def __init__(self, reader: ArchiveReader, post: str) -> None:
        self._reader = reader
        self._post = post
        self._layouts: OrderedDict[tuple[str, int, int], Layout] = OrderedDict()
        self._lock = threading.Lock()

    # -- which

    def needed(self, key: StreamKey, from_us: int, to_us: int) -> Needed:
        """What shows [from_us, to_us) of a stream: from the last sync sample at or before its beginning."""
        found: list[Stretch] = []
        for segment in self._reader.segments(key, from_us, to_us):
            if not segment.sealed:
                return Needed(tuple(found), max(from_us, segment.wall_start_us))
            layout = self.layout(segment)
            first, last = between(layout.rows, segment.wall_start_us, from_us, to_us)
            if first <= last:
                found.append(Stretch(segment, first, last))
        return Needed(tuple(found))

    def bytes_of(self, stretch: Stretch) -> int:
        """How much its objects come to, without the closing box. Nothing of the media is read."""
        layout = self.layout(stretch.segment)
        return sum(layout.size(*piece) for piece in touching(layout.pieces, stretch.first, stretch.last))

    def count_of(self, stretch: Stretch) -> int:
        """How many objects it comes to, the closing box too."""
        return 1 + len(touching(self.layout(stretch.segment).pieces, stretch.first, stretch.last))

    def layout(self, segment: SegmentRow) -> Layout:
        """Of a sealed segment. Raises LongwatchError where it is open, or gone."""
        name = (segment.boot, segment.run, segment.sequence)
        with self._lock:
            known = self._layouts.get(name)
            if known is not None:
                self._layouts.move_to_end(name)
                return known
        if not segment.sealed:
            raise LongwatchError(f"segment {segment.run}/{segment.sequence} is still being written")
        rows = tuple(self._reader.fragments(segment))
        sizes = (segment.header_bytes, *(row.size for row in rows))
        sync = (False, *(bool(row.sync_offsets_90k) and row.sync_offsets_90k[0] == 0 for row in rows))
        layout = Layout(segment, rows, sizes, tuple(accumulate(sizes)), tuple(cut(sizes, sync)))
        with self._lock:
            self._layouts[name] = layout
            while len(self._layouts) > _KEPT_LAYOUTS:
                self._layouts.popitem(last=False)
        return layout

    # -- what is offered

    def objects(self, stretch: Stretch) -> list[ObjectInfo]:
        """Closing box, header, then the other pieces of the stretch, read and found whole. Raises DamagedError where closing box or header are
        not; a piece that is damaged is left out, and said in the log.
        """
        return list(self.parts(stretch))

    def parts(self, stretch: Stretch) -> Iterator[ObjectInfo]:
        """The same, one after another, so that a long segment need not be read at once."""
        layout = self.layout(stretch.segment)
        box = self._closing(layout)
        header = self._reader.read(layout.segment, 0, layout.sizes[0])
        self._check_header(layout, header)
        yield self._info(layout, "closing", box)
        for first, last in touching(layout.pieces, stretch.first, stretch.last):
            data = header if last == 0 else self._piece(layout, first, last)
            if data is not None:
                yield self._info(layout, "piece", data, first, last)

    def whole(self, segment: SegmentRow) -> Stretch:
        """All of a segment."""
        return Stretch(segment, 0, segment.fragments)

    def _piece(self, layout: Layout, first: int, last: int) -> bytes | None:
        """Its bytes, None where a fragment is not what was hashed."""
        parts = []
        for leaf in range(first, last + 1):
            data = self._reader.read(layout.segment, layout.offset(leaf), layout.sizes[leaf])
            if hashlib.sha256(data).digest() != layout.rows[leaf - 1].sha256:
                _log.error(
                    "a damaged fragment is not sent to the hub", file=layout.segment.path, fragment=leaf,
                    remedy="run `longwatch check --hash`",
                )  # fmt: skip
                return None
            parts.append(data)
        return b"".join(parts)

    def _check_header(self, layout: Layout, header: bytes) -> None:
        root = segment_root(hashlib.sha256(header).digest(), (row.sha256 for row in layout.rows))
        if root != self._reader.root(layout.segment):
            raise DamagedError(
                f"{layout.segment.path} is not sent", why="its header is not what was sealed",
                remedy="run `longwatch check --hash`",
            )  # fmt: skip

    def _closing(self, layout: Layout) -> bytes:
        """Raises DamagedError."""
        segment = layout.segment
        at = segment.durable_bytes + bmff.GUARD_BYTES
        try:
            box = self._reader.read(segment, at, max(0, Path(segment.path).stat().st_size - at))
            closing = bmff.parse_closing(box)
        except (bmff.BmffError, OSError) as error:
            raise DamagedError(f"{segment.path} is not sent", why=str(error)) from error
        fits = closing is not None and closing.size == len(box) and [row.sha256 for row in closing.fragments] == [
            row.sha256 for row in layout.rows
        ]  # fmt: skip
        if not fits:
            raise DamagedError(f"{segment.path} is not sent", why="its closing box is not what the index says")
        return box

    def _info(self, layout: Layout, kind: str, data: bytes, first: int = 0, last: int = 0) -> ObjectInfo:
        segment = layout.segment
        return ObjectInfo(
            hashlib.sha256(data).digest(), len(data), kind, self._post, segment.key.camera, segment.key.stream, segment.boot,
            segment.run, segment.sequence, first, last,
        )  # fmt: skip

    # -- what is sent

    def read(self, info: ObjectInfo, offset: int, size: int) -> bytes:
        """See ObjectSource."""
        segment = self._reader.segment_named(StreamKey(info.camera, info.stream), info.boot, info.run, info.sequence)
        if segment is None or info.post != self._post:
            raise LongwatchError(f"segment {info.run}/{info.sequence} of {info.camera} is gone")
        size = max(0, min(size, info.size - offset))
        if info.kind == "closing":
            return self._reader.read(segment, segment.durable_bytes + bmff.GUARD_BYTES + offset, size)
        layout = self.layout(segment)
        if not 0 <= info.first_leaf <= info.last_leaf < len(layout.sizes):
            raise LongwatchError(f"segment {info.run}/{info.sequence} has no such leaves")
        return b"".join(self._reader.read(segment, at, count) for at, count in _spread(layout, info, offset, size))


def _spread(layout: Layout, info: ObjectInfo, offset: int, size: int) -> Iterator[tuple[int, int]]:
    """Where bytes [offset, offset+size) of a piece lie in the file: (offset, size) of each part."""
    at = layout.before(info.first_leaf) + offset
    leaf = bisect_right(layout.ends, at)
    while size > 0 and leaf <= info.last_leaf:
        within = at - layout.before(leaf)
        count = min(size, layout.sizes[leaf] - within)
        yield layout.offset(leaf) + within, count
        at, size, leaf = at + count, size - count, leaf + 1
