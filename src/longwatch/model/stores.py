"""Segments, spans and gaps as an index knows them, and the protocol by which playback reads them.

One writer: the recorder's `archive` (at a hub: `fleet`). Readers get frozen rows.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from longwatch.model.causes import Cause
from longwatch.model.sessions import StreamKey


class Provenance(enum.IntEnum):
    """Where a wall time came from; a lower number is the better one (ntp over rtcp over rtc over inferred)."""

    NTP = 0
    RTCP = 1
    RTC = 2
    INFERRED = 3


class Held(enum.StrEnum):
    """Where recorded media is now."""

    HERE = "here"
    POST = "post"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class FragmentRow:
    """One moof+mdat within its segment.

    offset, size: bytes in the file. start_90k, end_90k: media time of its video samples (decode time; end is the end of
    the last sample). sync_offsets_90k: decode times of the sync samples, relative to start_90k. sha256: of its bytes.
    """

    offset: int
    size: int
    start_90k: int
    end_90k: int
    sync_offsets_90k: tuple[int, ...]
    sha256: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One file of fragments, as acknowledged.

    id: index row, increasing with time of opening. boot, run, sequence: its identity. path: of the file, absolute.
    header_bytes: ftyp+uuid+moov before the first fragment. durable_bytes: up to the end of the last acknowledged
    fragment; closing boxes, where sealed, lie behind it. start_90k..end_90k: media time in the run.
    wall_start_us..wall_end_us: where the best placement puts it. verified: False where rebuilt from files alone.
    damaged: holds samples that depend on something lost. recovered: sealed by recovery after a cut.
    """

    id: int
    key: StreamKey
    boot: str
    run: int
    sequence: int
    path: str
    sealed: bool
    header_bytes: int
    durable_bytes: int
    start_90k: int
    end_90k: int
    wall_start_us: int
    wall_end_us: int
    provenance: Provenance
    root: bytes = field(repr=False, default=b"")
    fragments: int = 0
    damaged: bool = False
    recovered: bool = False
    verified: bool = True


NO_EVENT = "no_event"
"""Why footage of a camera that records by events goes: it was looked at, and nothing was seen (docs/design/by-events.md)."""


class Fate(enum.IntEnum):
    """What became of footage that was removed. LOST, CONFIRMED: still `recorded`, gone; nobody holds it, or a hub does. DISCARDED: looked at and
    not wanted, of a camera that records by events; that is a gap. The numbers stand in databases.
    """

    LOST = 0
    CONFIRMED = 1
    DISCARDED = 2


class RecordedSpan(NamedTuple):
    """A stretch of one run without a gap in its video track, half-open, on the wall as best placed."""

    from_us: int
    to_us: int
    run: int
    provenance: Provenance
    held: Held = Held.HERE
    confirmed: bool | None = None


_NO_EVIDENCE: Mapping[str, object] = {}


class GapSpan(NamedTuple):
    """A stretch without video, with its cause and evidence. id: stable; None where it is derived and has no row.

    to_us is None while the gap is open. evidence: JSON-able facts, each with when it was learnt where that matters.
    """

    from_us: int
    to_us: int | None
    cause: Cause
    evidence: Mapping[str, object] = _NO_EVIDENCE
    id: int | None = None
    run: int | None = None


_NOTHING_SEEN: Mapping[str, object] = {"why": "no event"}


def discarded(from_us: int, to_us: int) -> GapSpan:
    """The gap that footage leaves which no event needed."""
    return GapSpan(from_us, to_us, Cause.NOT_SCHEDULED, _NOTHING_SEEN)


class SegmentSource(Protocol):
    """Where playback finds media: a post's archive or a hub's store. Calls block; run them off the event loop."""

    def segments(self, key: StreamKey, from_us: int, to_us: int, run: int | None = None) -> list[SegmentRow]:
        """Segments that overlap the wall span, by wall start; where two placements claim the same second only the
        better one's, unless `run` asks for another by name.
        """
        ...

    def fragments(self, segment: SegmentRow) -> list[FragmentRow]:
        """The acknowledged fragments of a segment, in order."""
        ...

    def read(self, segment: SegmentRow, offset: int, size: int) -> bytes:
        """Bytes of the segment's file; never beyond what is acknowledged. Raises LongwatchError where it is gone."""
        ...

    def sync_before(self, key: StreamKey, at_us: int) -> SegmentRow | None:
        """The segment that holds the last sync sample at or before `at_us`."""
        ...
