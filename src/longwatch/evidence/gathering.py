"""What the archive holds of a span of a stream: timeline, segments, the fragments to be handed over.

Read once, after what was open has been sealed; the rest of the work is on these values.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.formats.bmff import scan_fragments
from longwatch.formats.bmff.fragment import DAMAGED_PRIORITY
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import FragmentRow, GapSpan, RecordedSpan, SegmentRow, SegmentSource
from longwatch.timeline import Tile, tile

PieceOfVideo = tuple[SegmentRow, int, int]
"""A range of one segment's file: the row, the offset, the size."""


class Source(SegmentSource, Protocol):
    """What holds the footage: a post's archive, or what a hub holds of its posts. Calls block."""

    def cameras(self) -> Sequence[tuple[str, str, int | None]]: ...
    def recorded_spans(self, key: StreamKey, from_us: int, to_us: int) -> list[RecordedSpan]: ...
    def gaps_of(self, key: StreamKey, from_us: int, to_us: int) -> list[GapSpan]: ...
    def accounted_until_us(self, key: StreamKey | None = None) -> int: ...
    def paths(self) -> Sequence[str]:
        """Where its files lie: no text that is handed over says so."""
        ...

    def close(self) -> None: ...


class PlayedGap(Protocol):
    """A gap as the mp4 plays it. at_us: where in the file it is closed up; None at an end."""

    @property
    def from_us(self) -> int: ...
    @property
    def to_us(self) -> int: ...
    @property
    def cause(self) -> str: ...
    @property
    def at_us(self) -> int | None: ...


class Video(Protocol):
    """A playable file made of stored bytes: a head that was made, then the pieces. `playback.VideoFile` is one."""

    @property
    def size(self) -> int: ...
    @property
    def head_bytes(self) -> int: ...
    @property
    def pieces(self) -> Sequence[PieceOfVideo]: ...
    @property
    def gaps(self) -> Sequence[PlayedGap]: ...
    @property
    def duration_us(self) -> int: ...
    @property
    def shown_from_wall_us(self) -> int: ...
    def chunks(self) -> Iterator[bytes]: ...


MakeVideo = Callable[[int, int, Sequence[GapSpan]], Video | None]
"""The mp4 of [from_us, to_us) with these gaps; None where there is no sample in it."""


@dataclass(frozen=True)  # no slots: `starts` is kept once it was made
class Cut:
    """A segment as it is handed over: its header and the fragments [first, first + held) of `fragments`, counted from 0.

    header_sha256: as read now. fragments: all of the segment, with the hashes that the index holds. lossy: those that are held and
    have pictures that depend on something that was lost on the way, by their number in `fragments`.
    """

    row: SegmentRow
    header_sha256: bytes = field(repr=False)
    fragments: tuple[FragmentRow, ...] = field(repr=False)
    first: int
    held: int
    lossy: tuple[int, ...] = ()

    @property
    def rows(self) -> tuple[FragmentRow, ...]:
        return self.fragments[self.first : self.first + self.held]

    def wall_us(self, at_90k: int) -> int:
        return self.row.wall_start_us + (at_90k - self.row.start_90k) * 100 // 9

    def place(self, offset: int) -> int:
        """Where the byte at `offset` of the archive's file stands in the cut one. Raises LongwatchError outside of what is held."""
        n = bisect_right(self.fragments, offset, key=lambda each: each.offset) - 1
        if self.first <= n < self.first + self.held and offset < self.fragments[n].offset + self.fragments[n].size:
            return self.row.header_bytes + self.starts[n - self.first] + offset - self.fragments[n].offset
        raise LongwatchError(f"byte {offset} of {self.row.path} is not in a fragment", remedy="run `longwatch check`")

    @functools.cached_property
    def starts(self) -> list[int]:
        """Where each fragment that is held begins, counted from the end of the header."""
        return list(itertools.accumulate((each.size for each in self.rows), initial=0))


@dataclass(frozen=True, slots=True)
class Gathered:
    """All there is of a span. missing: segments that the index knows and whose file cannot be read."""

    key: StreamKey
    from_us: int
    to_us: int
    tiles: tuple[Tile, ...]
    cuts: tuple[Cut, ...]
    video: Video | None
    no_video: str
    missing: tuple[tuple[SegmentRow, str], ...] = ()

    @property
    def gap_ids(self) -> frozenset[int]:
        return frozenset(part.gap for part in self.tiles if part.gap is not None)

    @property
    def named_entries(self) -> frozenset[int]:
        """Entries that the evidence of the gaps names: `entry` (who paused), `asked` (who stopped the post)."""
        named = (part.evidence.get(name) for part in self.tiles for name in ("entry", "asked"))
        return frozenset(seq for seq in named if isinstance(seq, int))


def set_up_us(reader: Source, key: StreamKey) -> int | None:
    """When the stream was set up. Raises UsageError where nothing was ever recorded of it."""
    known = {StreamKey(camera, stream): set_up_us for camera, stream, set_up_us in reader.cameras()}
    if key not in known:
        names = ", ".join(sorted({each.camera for each in known})) or "none yet"
        raise UsageError(f"nothing was ever recorded of {key.camera}'s stream {key.stream}", remedy=f"one of {names}")
    return known[key]


def timeline(reader: Source, key: StreamKey, from_us: int, to_us: int, until_us: int) -> list[Tile]:
    """The tiles of a span of a stream. Raises UsageError where nothing was ever recorded of it."""
    since_us = set_up_us(reader, key)
    gaps = reader.gaps_of(key, from_us, to_us)  # before the spans: a gap that ends meanwhile ends where a span begins
    spans = reader.recorded_spans(key, from_us, to_us)
    return tile(spans, gaps, from_us, to_us, until_us, since_us)


def missing_spans(tiles: Iterable[Tile]) -> list[GapSpan]:
    """The gaps among the tiles."""
    return [GapSpan(t.from_us, t.to_us, t.cause, dict(t.evidence), t.gap) for t in tiles if t.cause is not None]


def gather(reader: Source, key: StreamKey, from_us: int, to_us: int, make_video: MakeVideo) -> Gathered:
    """Everything of [from_us, to_us), which must be accounted for. Blocks for some reads of each segment's header."""
    tiles = timeline(reader, key, from_us, to_us, to_us)
    try:
        video, no_video = (
            make_video(from_us, to_us, missing_spans(tiles)),
            "there is no sample of the stream in the span",
        )
    except LongwatchError as error:
        video, no_video = None, _without_paths(reader, str(error))
    rows = {row.id: row for row in reader.segments(key, from_us, to_us)}
    played: dict[int, list[tuple[int, int]]] = {}
    for row, offset, size in video.pieces if video is not None else ():
        rows.setdefault(row.id, row)
        played.setdefault(row.id, []).append((offset, offset + size))
    cuts, missing = [], []
    for row in sorted(rows.values(), key=lambda row: (row.wall_start_us, row.run, row.sequence)):
        try:
            cut = _cut(reader, row, from_us, to_us, played.get(row.id, []))
        except LongwatchError as error:
            missing.append((row, _without_paths(reader, error.why or error.what)))
            continue
        if cut is not None:
            cuts.append(cut)
    return Gathered(key, from_us, to_us, tuple(tiles), tuple(cuts), video, "" if video else no_video, tuple(missing))


def _cut(reader: Source, row: SegmentRow, from_us: int, to_us: int, played: Sequence[tuple[int, int]]) -> Cut | None:
    """The header and the whole fragments that overlap the span or hold a sample that the mp4 needs; None where there is none."""
    fragments = tuple(reader.fragments(row))
    header = reader.read(row, 0, row.header_bytes)
    whole = Cut(row, hashlib.sha256(header).digest(), fragments, 0, len(fragments))
    low, high = min((a for a, _ in played), default=0), max((b for _, b in played), default=0)
    wanted = [
        n for n, each in enumerate(fragments)
        if (whole.wall_us(each.start_90k) < to_us and whole.wall_us(each.end_90k) > from_us)
        or (low < each.offset + each.size and high > each.offset)
    ]  # fmt: skip
    if not wanted:
        return None
    lossy = _lossy(reader, row, fragments, wanted) if row.damaged else ()
    return Cut(row, whole.header_sha256, fragments, wanted[0], wanted[-1] - wanted[0] + 1, lossy)


def _lossy(reader: Source, row: SegmentRow, fragments: Sequence[FragmentRow], wanted: Sequence[int]) -> tuple[int, ...]:
    """Which of the wanted fragments have samples marked as damaged (docs/ref/segment-file.md, "Order of boxes"), by their moof."""
    return tuple(n for n in range(wanted[0], wanted[-1] + 1) if _is_lossy(reader, row, fragments[n]))


def _is_lossy(reader: Source, row: SegmentRow, fragment: FragmentRow) -> bool:
    begin, end = fragment.offset, fragment.offset + fragment.size
    scanned = scan_fragments(lambda at, size: reader.read(row, at, size), begin, end)
    return any(flags & 0xFFFF == DAMAGED_PRIORITY for each in scanned for run in each.runs for flags in run.flags)


def _without_paths(reader: Source, text: str) -> str:
    """What is said of a file, without where it lies."""
    for path in reader.paths():
        text = text.replace(path, "the volume")
    return text
