"""What the web asks of an archive, answered from the fleet: `web.deps.Index`, and `model.stores.SegmentSource` for playback.

A camera is called `post.camera`. What a post has not delivered is pending: `accounted_until_us` is of each stream. What is recorded is held
here, at its post, or gone. The hub's own ledger (who signed in here, who looked) is asked through `own`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from longwatch.fleet import index_acts
from longwatch.fleet.engine import FleetDb
from longwatch.fleet.media import Media
from longwatch.fleet.reading import StreamRow, chunks, stream_rows, told
from longwatch.fleet.schema import gaps as gaps_table
from longwatch.fleet.schema import runs, segments
from longwatch.fleet.store import ObjectStore
from longwatch.fleet.wide import read_wide, tiled
from longwatch.model.alarms import POSTS_FROM, Alarm
from longwatch.model.audit import Mention, Question
from longwatch.model.holds import Hold
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import FragmentRow, GapSpan, RecordedSpan, SegmentRow
from longwatch.timeline import Tile, tile
from longwatch.timeline.placing import best_placed, by_precedence
from longwatch.timeline.wide import WideRows


class OwnIndex(Protocol):
    """The hub's own ledger and index (`archive.ArchiveReader`)."""

    def audit(self, asked: Question) -> list[Mention]: ...
    def alarms(
        self, *, everything: bool = False, before: int | None = None, limit: int = 1000, cameras: Sequence[str] | None = None
    ) -> list[Alarm]: ...  # fmt: skip
    def alarm(self, number: int) -> Alarm | None: ...
    def holds(self, *, everything: bool = False, number: int | None = None) -> list[Hold]: ...
    def alarm_counts(self) -> dict[tuple[str, str], tuple[int, int]]: ...


@dataclass(frozen=True, slots=True)
class Stats:
    """What is held here of a stream: bytes and segments; begin of the first footage and end of the last that its post told of."""

    bytes: int
    segments: int
    first_us: int | None
    last_us: int | None


class FleetIndex:
    """Only reads. Calls block; safe from several threads. own: None where there is no ledger of the hub's own."""

    def __init__(self, db: FleetDb, store: ObjectStore, own: OwnIndex | None = None) -> None:
        self._db = db
        self._own = own
        self._media = Media(store)
        self._lock = threading.Lock()
        self._ids: dict[StreamKey, tuple[int, int]] = {}

    # -- streams

    def cameras(self) -> list[tuple[str, str, int | None]]:
        """Every stream that a post told of: camera, stream, since when it is set up."""
        with self._read() as db:
            return [(row.name, row.stream, row.set_up_us) for row in stream_rows(db)]

    def paths(self) -> list[str]:
        """Nothing that it says names a file of this machine."""
        return []

    def set_up_us(self, key: StreamKey) -> int | None:
        """Since when one of them is; None where its post never said so."""
        with self._read() as db:
            row = self._stream(db, key)
            return None if row is None else row.set_up_us

    def _read(self) -> contextlib.AbstractContextManager[sa.Connection]:
        return self._db.read()

    def _id(self, db: sa.Connection, key: StreamKey) -> tuple[int, int] | None:
        """Post and stream. What a stream is called never changes."""
        found = self._ids.get(key)
        if found is None:
            with self._lock:
                self._ids |= {StreamKey(row.name, row.stream): (row.post, row.id) for row in stream_rows(db)}
            found = self._ids.get(key)
        return found

    def _stream(self, db: sa.Connection, key: StreamKey) -> StreamRow | None:
        found = self._id(db, key)
        return None if found is None else stream_rows(db, [found[1]])[0]

    def accounted_until_us(self, key: StreamKey | None = None) -> int:
        """Up to when every second of a stream is known here; without one, of the stream that is known furthest. 0 before its first word."""
        with self._read() as db:
            if key is not None:
                row = self._stream(db, key)
                return self._furthest(db, key) if row is None else row.until_us
            return max((row.until_us for row in stream_rows(db)), default=0)

    def _furthest(self, db: sa.Connection, key: StreamKey) -> int:
        """Of a stream that its post never told of: as far as the post told of anything; 0 of a post that is not known."""
        of = f"{key.camera.partition('.')[0]}."
        return max((row.until_us for row in stream_rows(db) if row.name.startswith(of)), default=0)

    def stats(self, key: StreamKey) -> Stats:
        """From counters that are kept with every piece."""
        with self._read() as db:
            row = self._stream(db, key)
            if row is None:
                return Stats(0, 0, None, None)
            return Stats(row.bytes_here, row.segments_here, row.first_us, row.last_us)

    # -- the timeline

    def recorded_spans(self, key: StreamKey, from_us: int, to_us: int) -> list[RecordedSpan]:
        """Spans that reach into the window, whole, by their begin; cut where what is held becomes what is not."""
        with self._read() as db:
            found = self._id(db, key)
            return [] if found is None else told(db, [found], from_us, to_us, evidence=False)[found[1]].spans

    def gaps_of(self, key: StreamKey, from_us: int, to_us: int) -> list[GapSpan]:
        """Gaps of one stream that reach into the window, by their begin."""
        with self._read() as db:
            found = self._id(db, key)
            if found is None:
                return []
            return told(db, [found], from_us, to_us, evidence=True, media=False)[found[1]].gaps

    def gaps(self, camera: str | None, from_us: int, to_us: int) -> list[tuple[StreamKey, GapSpan]]:
        """Gaps of all streams of a camera (None: of every camera) that reach into the window, by their begin."""
        found: list[tuple[StreamKey, GapSpan]] = []
        with self._read() as db:
            rows = [row for row in stream_rows(db) if camera in {None, row.name}]
            for some in chunks(rows):
                known = told(db, [(row.post, row.id) for row in some], from_us, to_us, evidence=True, media=False)
                found += [(StreamKey(row.name, row.stream), gap) for row in some for gap in known[row.id].gaps]
        return sorted(found, key=lambda item: (item[1].from_us, item[0]))

    def gone(self, key: StreamKey, from_us: int, to_us: int) -> list[tuple[int, int]]:
        """What is to be had nowhere any more, by its begin."""
        spans = self.recorded_spans(key, from_us, to_us)
        return [
            (span.from_us, span.to_us)
            for span in spans
            if span.held == "gone" and span.to_us > from_us and span.from_us < to_us
        ]

    def wide(self, keys: Sequence[StreamKey], from_us: int, to_us: int, *, whole_quarters: bool = False) -> WideRows:
        """What of a stretch is not held footage, for many streams at once; those that are not known never recorded."""
        with self._read() as db:
            ids = [self._id(db, key) for key in keys]
            rows = {row.id: row for row in stream_rows(db, [found[1] for found in ids if found is not None])}
            asked = [
                self._furthest(db, key) if found is None else rows[found[1]]
                for key, found in zip(keys, ids, strict=True)
            ]
            return read_wide(db, asked, from_us, to_us, whole_quarters=whole_quarters)

    def tilings(self, keys: Sequence[StreamKey], from_us: int, to_us: int) -> list[tuple[int, list[Tile]]]:
        """Of each stream up to when it is accounted for, and its exact timeline; one that is not known never recorded."""
        with self._read() as db:
            ids = [self._id(db, key) for key in keys]
            rows = stream_rows(db, [found[1] for found in ids if found is not None])
            told_of = {
                row.id: (row.until_us, tiles)
                for row, tiles in zip(rows, tiled(db, rows, from_us, to_us, evidence=True), strict=True)
            }
            until = {key: self._furthest(db, key) for key, found in zip(keys, ids, strict=True) if found is None}
        return [
            (until[key], tile([], [], from_us, to_us, until[key], None)) if found is None else told_of[found[1]]
            for key, found in zip(keys, ids, strict=True)
        ]

    # -- media

    def segments(self, key: StreamKey, from_us: int, to_us: int, run: int | None = None) -> list[SegmentRow]:
        """See SegmentSource: of what is held here."""
        with self._read() as db:
            stream = self._stream(db, key)
            if stream is None:
                return []
            rows = db.execute(
                _segments(stream)
                .where(
                    segments.c.from_us >= from_us - max(stream.longest_us, 0), segments.c.from_us < to_us, segments.c.to_us > from_us,
                )
                .order_by(segments.c.from_us, segments.c.run, segments.c.sequence)
            ).all()  # fmt: skip
            found = [
                row for row in self._media.rows(db, stream, rows)
                if row.wall_start_us < to_us and row.wall_end_us > from_us
            ]  # fmt: skip
        if run is not None:
            return [segment for segment in found if segment.run == run]
        return best_placed(found)

    def fragments(self, segment: SegmentRow) -> list[FragmentRow]:
        """See SegmentSource."""
        with self._read() as db:
            return self._media.fragments(db, segment)

    def read(self, segment: SegmentRow, offset: int, size: int) -> bytes:
        """See SegmentSource. Of a whole segment also the closing box, so it may be short at the end of the file."""
        with self._read() as db:
            return self._media.read(db, segment, offset, size)

    def sealed(self, segment: SegmentRow) -> tuple[int, int, tuple[bytes, ...]]:
        """See `Media.sealed`."""
        with self._read() as db:
            return self._media.sealed(db, segment)

    def gap_entries(self, key: StreamKey, numbers: Collection[int]) -> list[int]:
        """The entries of the post that open these gaps of a stream."""
        with self._read() as db:
            found = self._id(db, key)
            query = sa.select(gaps_table.c.opened_seq).where(gaps_table.c.id.in_(sorted(numbers)))
            if found is None:
                return []
            return [
                int(seq)
                for seq in db.execute(
                    query.where(gaps_table.c.post == found[0], gaps_table.c.stream == found[1])
                ).scalars()
            ]

    def sync_before(self, key: StreamKey, at_us: int) -> SegmentRow | None:
        """See SegmentSource: every segment begins with a sync sample, so it is the last that begins by then."""
        with self._read() as db:
            stream = self._stream(db, key)
            if stream is None:
                return None
            rows = db.execute(
                _segments(stream).where(segments.c.from_us <= at_us).order_by(segments.c.from_us.desc()).limit(8)
            ).all()
            made = [row for row in self._media.rows(db, stream, rows) if row.wall_start_us <= at_us]
        found = sorted(made, key=lambda row: (-row.wall_start_us, -row.id))
        holding = [segment for segment in found if segment.wall_end_us > at_us]
        return min(holding, key=by_precedence) if holding else (found[0] if found else None)

    # -- acts

    def audit(self, asked: Question) -> list[Mention]:
        """Who did what at this hub. What happened at posts is asked of `post_audit`: numbers of people are each post's own."""
        return [] if self._own is None else self._own.audit(asked)

    def post_audit(self, post: str, asked: Question) -> list[Mention]:
        """Entries about people of one post, without words: no clear text of anybody comes to a hub."""
        with self._read() as db:
            return index_acts.post_audit(db, post, asked)

    def alarms(
        self, *, everything: bool = False, before: int | None = None, limit: int = 1000, cameras: Sequence[str] | None = None
    ) -> list[Alarm]:  # fmt: skip
        """Those of the posts, and the hub's own; the newest first. before: only those with a smaller id."""
        with self._read() as db:
            found = index_acts.alarms(db, everything=everything, before=before, limit=limit, cameras=cameras)
        own = (
            []
            if self._own is None
            else self._own.alarms(everything=everything, before=before, limit=limit, cameras=cameras)
        )
        return [*found, *own][:limit]

    def alarm(self, number: int) -> Alarm | None:
        """One by its number."""
        if number < POSTS_FROM:
            return None if self._own is None else self._own.alarm(number)
        found = self.alarms(everything=True, before=number + 1, limit=1)
        return found[0] if found and found[0].id == number else None

    def alarm_counts(self) -> dict[tuple[str, str], tuple[int, int]]:
        """By kind and camera: how many stand, and how many ended and were not acknowledged."""
        with self._read() as db:
            found = index_acts.alarm_counts(db)
        return found | ({} if self._own is None else self._own.alarm_counts())

    def holds(self, *, everything: bool = False, number: int | None = None) -> list[Hold]:
        """Those of the hub, and those that stand at posts; the newest first."""
        own = [] if self._own is None else self._own.holds(everything=everything, number=number)
        with self._read() as db:
            return [*index_acts.holds(db, everything=everything, number=number), *own]


def _segments(stream: StreamRow) -> sa.Select[Any]:
    return (
        sa.select(segments, runs.c.boot, runs.c.number)
        .join_from(segments, runs, runs.c.id == segments.c.run)
        .where(
            segments.c.post == stream.post,
            segments.c.stream == stream.id,
            segments.c.closing_here > 0,
            segments.c.leaves_here > 0,
        )
    )
