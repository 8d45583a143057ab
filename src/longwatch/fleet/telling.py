"""What verified entries tell becomes rows: spans, gaps, what is gone, set-up times, corrections, pauses, alarms, holds, who is spoken of.

The same meaning as a post gives its own entries when it makes its index again (archive/restoring_meaning.py), but entry by entry as they
come, and from entries alone. Tests hold the two equal. What is told is gathered in memory and written in few statements: `flush`.
Owner: the transaction of the head that covers the entries.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from longwatch.base.errors import LongwatchError
from longwatch.base.ids import is_slug
from longwatch.fleet import telling_acts
from longwatch.fleet.engine import FleetDb
from longwatch.fleet.schema import DAY_US, gaps, gone, posts, runs, segments, spans, streams, wide_days
from longwatch.fleet.seams import SEAM_US, join_seams
from longwatch.fleet.telling_acts import whole
from longwatch.fleet.told_rows import Gap, Run, Span, Stream
from longwatch.ledger import kinds
from longwatch.ledger.entries import LedgerEntry, parse_entry
from longwatch.model.causes import Cause
from longwatch.model.stores import NO_EVENT, Fate, Provenance

_BEGINS_WITHIN_US = 100_000
_FAR_US = 1 << 62
_MOST_SEQUENCES = 1 << 24
_MOST_SHIFT_US = 1 << 53  # of all corrections of a run together: a time stays one that can be written down
DAMAGED, RECOVERED = 2, 4


@dataclass(slots=True)
class Touched:
    """Which part of a stream's time changed."""

    from_us: int
    to_us: int

    def add(self, from_us: int, to_us: int) -> None:
        self.from_us, self.to_us = min(self.from_us, from_us), max(self.to_us, to_us)


@dataclass(slots=True)
class _Written:
    """What `flush` writes."""

    segments: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    spans: dict[tuple[int, int, int], Span] = field(default_factory=dict)
    gaps: dict[int, Gap] = field(default_factory=dict)
    streams: set[int] = field(default_factory=set)


_STREAM = sa.select(streams).where(
    streams.c.post == sa.bindparam("post_"),
    streams.c.camera == sa.bindparam("camera_"),
    streams.c.name == sa.bindparam("name_"),
)
_GAPS_SINCE = sa.select(gaps).where(
    gaps.c.post == sa.bindparam("post_"), gaps.c.stream == sa.bindparam("stream_"), gaps.c.era == sa.bindparam("era_"),
    sa.or_(gaps.c.opened_seq > sa.bindparam("seq_"), gaps.c.to_us.is_(None)),
)  # fmt: skip
_RUN = sa.select(runs).where(
    runs.c.post == sa.bindparam("post_"), runs.c.boot == sa.bindparam("boot_"), runs.c.number == sa.bindparam("number_")
)
_HAS_GONE = (
    sa.select(gone.c.first).where(gone.c.run == sa.bindparam("run_"), gone.c.post == sa.bindparam("post_")).limit(1)
)
_LAST_SPAN = (
    sa.select(spans)
    .where(
        spans.c.post == sa.bindparam("post_"), spans.c.stream == sa.bindparam("stream_"), spans.c.run == sa.bindparam("run_"),
        spans.c.from_us <= sa.bindparam("to_"),
    )
    .order_by(spans.c.from_us.desc())
    .limit(1)
)  # fmt: skip
_TOLD = (
    sa.update(streams)
    .where(streams.c.id == sa.bindparam("id_"))
    .values({
        name: sa.bindparam(name)
        for name in ("set_up_us", "until_us", "open_us", "sealed_seq", "longest_us", "first_us", "last_us")
    })
)  # fmt: skip
_DROP_DAYS = sa.delete(wide_days).where(
    wide_days.c.post == sa.bindparam("post_"), wide_days.c.stream == sa.bindparam("stream_"),
    wide_days.c.day.between(sa.bindparam("low"), sa.bindparam("high")),
)  # fmt: skip
_CLOCK = sa.update(posts).where(posts.c.number == sa.bindparam("post_")).values(told_us=sa.bindparam("told"))


class Telling:
    """One transaction's. post: its number; name: its id, for what is said."""

    def __init__(self, fleet: FleetDb, db: sa.Connection, post: int, era: int, name: str) -> None:
        self.fleet = fleet
        self.db = db
        self.post = post
        self.era = era
        self.name = name
        self.unreadable: list[int] = []
        self.told_us = 0
        self.settings: dict[str, Any] = {}
        self._streams: dict[tuple[str, str], Stream] = {}
        self._by_id: dict[int, Stream] = {}
        self._runs: dict[tuple[str, int], Run] = {}
        self._gaps: dict[int, Gap] = {}
        self._last: dict[int, Span | None] = {}  # by run: its last span
        self._written = _Written()
        self._touched: dict[int, Touched] = {}

    def tell(self, log: int, data: bytes) -> None:
        """The next entry. What cannot be read is passed over, and noted: another version of the program may read it."""
        entry = parse_entry(data)
        self.told_us = entry.wall_us
        try:
            if isinstance(entry.body.get("person"), Mapping):
                telling_acts.mention(self, log, entry)
            teller = _TELLERS.get(entry.kind)
            if teller is not None:
                teller(self, entry.body, entry)
        except (LookupError, TypeError, ValueError, AttributeError, LongwatchError):
            self.unreadable.append(entry.seq)

    # -- streams, runs

    def stream(self, body: Mapping[str, Any]) -> Stream:
        """Of a body with `camera` and `stream`; made where there is none."""
        key = (str(body["camera"]), str(body["stream"]))
        if not all(map(is_slug, key)):
            raise ValueError("not a camera")
        known = self._streams.get(key)
        if known is None:
            known = self._load_stream(key)
            self._streams[key] = self._by_id[known.id] = known
        return known

    def _load_stream(self, key: tuple[str, str]) -> Stream:
        asked = {"post_": self.post, "camera_": key[0], "name_": key[1]}
        row = self.db.execute(_STREAM, asked).first()
        if row is None:
            made = {
                "post": self.post, "camera": key[0], "name": key[1], "set_up_us": None, "until_us": 0, "open_us": None, "sealed_seq": -1,
                "longest_us": 0, "first_us": None, "last_us": None, "segments_here": 0, "bytes_here": 0,
            }  # fmt: skip
            self.db.execute(sa.insert(streams).values(made))
            row = self.db.execute(_STREAM, asked).one()
        stream = Stream(row.id, row.set_up_us, row.until_us, row.sealed_seq, row.longest_us, row.first_us, row.last_us)
        told = self.db.execute(
            _GAPS_SINCE, {"post_": self.post, "stream_": row.id, "era_": self.era, "seq_": row.sealed_seq}
        )
        for gap in [self._known_gap(each) for each in told]:
            if gap.opened_seq > row.sealed_seq:
                stream.gaps.append(gap.id)
            if gap.to_us is None:
                stream.open.add(gap.id)
        return stream

    def run(self, boot: str, number: int, stream: int) -> Run:
        """Made where there is none."""
        known = self._runs.get((boot, number))
        if known is not None:
            return known
        asked = {"post_": self.post, "boot_": boot, "number_": number}
        row = self.db.execute(_RUN, asked).first()
        if row is None:
            values = {
                "post": self.post, "boot": boot, "number": number, "stream": stream, "shift_us": 0, "provenance": None,
            }  # fmt: skip
            self.db.execute(sa.insert(runs).values(values))
            row = self.db.execute(_RUN, asked).one()
        has_gone = self.db.execute(_HAS_GONE, {"post_": self.post, "run_": row.id})
        known = Run(row.id, row.stream, row.shift_us, row.provenance, has_gone.first() is not None)
        self._runs[boot, number] = known
        return known

    def touch(self, stream: int, from_us: int, to_us: int) -> None:
        """What was known of this stretch is no more so."""
        known = self._touched.get(stream)
        if known is None:
            self._touched[stream] = Touched(from_us, to_us)
        else:
            known.add(from_us, to_us)

    def _until_gap(self, stream: Stream, gap: Gap, until_us: int) -> None:
        """A gap that follows what was told is told too; one that lies ahead of footage that no seal told of yet has to wait for that."""
        self._written.streams.add(stream.id)
        if gap.from_us <= stream.until_us + SEAM_US and not gap.placed:
            stream.until_us = until_us

    def _until_sealed(self, stream: Stream, to_us: int) -> None:
        """All footage before a seal was sealed before it; then the gaps that waited for it."""
        self._written.streams.add(stream.id)
        stream.until_us = to_us
        for gap in sorted(
            (self._gaps[number] for number in stream.gaps if number in self._gaps), key=lambda gap: gap.from_us
        ):
            if not gap.never_was and not gap.placed and gap.from_us <= stream.until_us + SEAM_US:
                stream.until_us = max(stream.until_us, gap.from_us if gap.to_us is None else gap.to_us)

    def set_up(self, body: Mapping[str, Any], _: LedgerEntry) -> None:
        stream = self.stream(body)
        stream.set_up_us = whole(body["at_us"])
        if not stream.until_us:
            stream.until_us = stream.set_up_us
        self._written.streams.add(stream.id)
        self.touch(stream.id, -_FAR_US, _FAR_US)

    # -- media

    def sealed(self, body: Mapping[str, Any], entry: LedgerEntry) -> None:
        stream = self.stream(body)
        run = self.run(telling_acts.name_of(body["boot"]), whole(body["run"]), stream.id)
        sequence, from_us, to_us = whole(body["sequence"]), whole(body["wall_start_us"]), whole(body["wall_end_us"])
        provenance = int(Provenance[str(body["provenance"]).upper()])
        root, closing = bytes.fromhex(body["root"]), bytes.fromhex(body.get("closing", ""))
        if len(root) != 32 or len(closing) not in {0, 32} or not 0 <= sequence < _MOST_SEQUENCES:
            raise ValueError("not a seal")
        self._until_sealed(stream, to_us)
        for piece_from_us, piece_to_us in self._without_gaps(stream, from_us, to_us):
            self._cover(stream.id, run, piece_from_us, piece_to_us, provenance)
        stream.sealed_seq = entry.seq
        stream.longest_us = max(stream.longest_us, to_us - from_us)
        if to_us > from_us:
            stream.first_us = from_us if stream.first_us is None else min(stream.first_us, from_us)
            stream.last_us = to_us if stream.last_us is None else max(stream.last_us, to_us)
        if run.has_gone:
            self.flush()
            self._take_back_gone(run.id, sequence, from_us, to_us)
        self.touch(stream.id, from_us, to_us)
        self._written.segments[run.id, sequence] = {
            "post": self.post, "run": run.id, "sequence": sequence, "stream": stream.id, "seq": entry.seq,
            "flags": (DAMAGED if body["damaged"] else 0) | (RECOVERED if body["recovered"] else 0), "provenance": provenance,
            "root": root, "closing": closing, "fragments": whole(body["fragments"]), "durable_bytes": whole(body["durable_bytes"]),
            "from_us": from_us, "to_us": max(from_us, to_us), "gone": 0, "header_bytes": None, "start_90k": None, "end_90k": None,
            "closing_here": 0, "leaves_here": 0, "bytes_here": 0,
        }  # fmt: skip

    def _without_gaps(self, stream: Stream, from_us: int, to_us: int) -> Iterator[tuple[int, int]]:
        """A segment's stretch but for the gaps that were told since the seal before it: those lie within it, if anywhere."""
        holes = []
        for number in stream.gaps:
            gap = self._gaps.get(number)
            if (
                gap is not None
                and not gap.never_was
                and gap.to_us is not None
                and gap.from_us < to_us
                and gap.to_us > from_us
            ):
                holes.append((gap.from_us, gap.to_us))
        stream.gaps = []
        for hole_from_us, hole_to_us in sorted(holes):
            if hole_from_us > from_us:
                yield from_us, hole_from_us
            from_us = max(from_us, hole_to_us)
        if to_us > from_us:
            yield from_us, to_us

    def _cover(self, stream: int, run: Run, from_us: int, to_us: int, provenance: int) -> None:
        """The run's recorded spans cover [from_us, to_us): the last one is drawn out, or a new one made (archive/recovery.cover)."""
        last = self._last_span(stream, run.id, to_us)
        if last is None or last.to_us < from_us:
            self._put(Span(stream, from_us, run.id, to_us, provenance))
        elif last.to_us < to_us and last.provenance != provenance and last.from_us < from_us and last.to_us - from_us < _BEGINS_WITHIN_US:  # fmt: skip
            last.to_us = from_us  # its time is believed otherwise from here on
            self._put(last)
            self._put(Span(stream, from_us, run.id, to_us, provenance))
        elif last.to_us < to_us:
            last.to_us = to_us
            self._put(last)

    def _put(self, span: Span) -> None:
        self._written.spans[span.stream, span.from_us, span.run] = span
        self._last[span.run] = span

    def _last_span(self, stream: int, run: int, to_us: int) -> Span | None:
        if run in self._last:
            known = self._last[run]
            if known is None or known.from_us <= to_us:
                return known
        self._write_spans()
        asked = {"post_": self.post, "stream_": stream, "run_": run, "to_": to_us}
        row = self.db.execute(_LAST_SPAN, asked).first()
        self._last[run] = None if row is None else Span(stream, row.from_us, run, row.to_us, row.provenance)
        return self._last[run]

    # -- what is gone

    def removed(self, body: Mapping[str, Any], _: LedgerEntry) -> None:
        self.flush()
        for told in body["runs"]:
            stream = self.stream(told)
            run = self.run(telling_acts.name_of(told["boot"]), whole(told["run"]), stream.id)
            run.has_gone = True
            for first, last in told["sequences"]:
                if not 0 <= whole(first) <= whole(last) < _MOST_SEQUENCES:
                    raise ValueError("not sequences")
                self._gone(stream, run, first, last, told)

    def _gone(self, stream: Stream, run: Run, first: int, last: int, told: Mapping[str, Any]) -> None:
        where = (segments.c.post == self.post, segments.c.run == run.id, segments.c.sequence.between(first, last))
        known = {
            row.sequence: (row.from_us, row.to_us)
            for row in self.db.execute(sa.select(segments.c.sequence, segments.c.from_us, segments.c.to_us).where(*where))
        }  # fmt: skip
        self.db.execute(sa.update(segments).where(*where).values(gone=1))
        fate = Fate.LOST if told.get("unconfirmed", 1) else Fate.CONFIRMED
        if told.get("why") == NO_EVENT:
            fate = Fate.DISCARDED
        between = (whole(told["from_us"]), whole(told["to_us"]))
        stretch: list[int] = []
        for begin, end, (from_us, to_us) in _blocks(first, last, known, between):
            if to_us <= from_us:
                self._add_gone(stream.id, run.id, stretch, fate)
                stretch = []
            elif stretch:
                stretch = [stretch[0], end, min(stretch[2], from_us), max(stretch[3], to_us)]
            else:
                stretch = [begin, end, from_us, to_us]
        self._add_gone(stream.id, run.id, stretch, fate)

    def _add_gone(self, stream: int, run: int, stretch: Sequence[int], fate: int) -> None:
        """One row for a stretch of one run, drawn out at either end."""
        if not stretch:
            return
        first, last, from_us, to_us = stretch
        mine = (gone.c.post == self.post, gone.c.run == run)
        beside = self.db.execute(
            sa.select(gone).where(*mine, gone.c.fate == int(fate), sa.or_(gone.c.last == first - 1, gone.c.first == last + 1))
        ).all()  # fmt: skip
        for row in beside:
            self.db.execute(sa.delete(gone).where(*mine, gone.c.first == row.first))
            first, last = min(first, row.first), max(last, row.last)
            from_us, to_us = min(from_us, row.from_us), max(to_us, row.to_us)
        self._insert_gone(stream, run, from_us, to_us, first, last, fate)

    def _insert_gone(self, stream: int, run: int, from_us: int, to_us: int, first: int, last: int, fate: int) -> None:
        values = {
            "post": self.post, "stream": stream, "from_us": from_us, "run": run, "to_us": to_us, "first": first, "last": last,
            "fate": int(fate),
        }  # fmt: skip
        self.db.execute(self.fleet.upsert(gone, ("post", "stream", "from_us", "run", "first")), values)
        self.touch(stream, from_us, to_us)

    def _take_back_gone(self, run: int, sequence: int, from_us: int, to_us: int) -> None:
        """A segment that was gone is there again (a person put its file back): what lies beside it stays gone."""
        mine = (gone.c.post == self.post, gone.c.run == run)
        row = self.db.execute(
            sa.select(gone).where(*mine, gone.c.first <= sequence).order_by(gone.c.first.desc()).limit(1)
        ).first()
        if row is None or row.last < sequence:
            return
        self.db.execute(sa.delete(gone).where(*mine, gone.c.first == row.first))
        self.touch(row.stream, row.from_us, row.to_us)
        if row.from_us < from_us:
            self._insert_gone(row.stream, run, row.from_us, from_us, row.first, max(row.first, sequence - 1), row.fate)
        if to_us < row.to_us:
            self._insert_gone(row.stream, run, to_us, row.to_us, min(row.last, sequence + 1), row.last, row.fate)

    # -- corrections of time

    def corrected(self, body: Mapping[str, Any], _: LedgerEntry) -> None:
        self.flush()
        for told in body["runs"]:
            self._move(told)
        for seam in body.get("seams", []):
            run = self._known_run(seam)
            if run is not None:
                self._draw_to(run, whole(seam["to_us"]))
        for told in body.get("set_up", []):
            stream = self.stream(told)
            stream.set_up_us = whole(told["set_up_us"])
            self._written.streams.add(stream.id)
            self.touch(stream.id, -_FAR_US, _FAR_US)
        self._last.clear()

    def _known_run(self, told: Mapping[str, Any]) -> Any:
        return self.db.execute(
            sa.select(runs).where(
                runs.c.post == self.post,
                runs.c.boot == telling_acts.name_of(told["boot"]),
                runs.c.number == whole(told["run"]),
            )
        ).first()

    def _move(self, told: Mapping[str, Any]) -> None:
        row = self._known_run(told)
        if row is None:
            return
        shift_us, provenance = whole(told["shift_us"]), int(Provenance[str(told["provenance"]).upper()])
        if abs(row.shift_us + shift_us) > _MOST_SHIFT_US:
            raise ValueError("moved further than any clock can be wrong")
        self.db.execute(
            sa.update(runs).where(runs.c.id == row.id).values(shift_us=runs.c.shift_us + shift_us, provenance=provenance)
        )  # fmt: skip
        mine = (segments.c.post == self.post, segments.c.run == row.id)
        self.db.execute(
            sa.update(segments)
            .where(*mine)
            .values(from_us=segments.c.from_us + shift_us, to_us=segments.c.to_us + shift_us, provenance=provenance)
        )
        telling_acts.move_rows(self, row.id, row.stream, shift_us, provenance)
        stream = self._by_id.get(row.stream) or self.stream(told)
        known = self._runs.get((telling_acts.name_of(told["boot"]), whole(told["run"])))
        if known is not None:
            known.shift_us += shift_us
        ends = self.db.execute(
            sa.select(sa.func.min(segments.c.from_us), sa.func.max(segments.c.to_us)).where(*mine)
        ).one()
        if ends[0] is not None:
            stream.first_us = min(ends[0], stream.first_us if stream.first_us is not None else ends[0])
            stream.last_us = max(ends[1], stream.last_us if stream.last_us is not None else ends[1])
            self._written.streams.add(stream.id)

    def _draw_to(self, run: Any, to_us: int) -> None:
        rows = self.db.execute(
            sa.select(spans).where(
                spans.c.post == self.post, spans.c.run == run.id, spans.c.to_us > to_us - 1_000_000,
                spans.c.to_us < to_us + 1_000_000, spans.c.from_us < to_us,
            )
        ).all()  # fmt: skip
        for row in rows:
            self._written.spans[row.stream, row.from_us, row.run] = Span(
                row.stream, row.from_us, row.run, to_us, row.provenance
            )
            self.touch(row.stream, min(row.to_us, to_us), max(row.to_us, to_us))

    # -- gaps

    def gap_opened(self, body: Mapping[str, Any], entry: LedgerEntry) -> None:
        stream = self.stream(body)
        gap = Gap(
            whole(body["gap"]), stream.id, whole(body["from_us"]), None, str(Cause(body["cause"])), _json(_facts(body["evidence"])), entry.seq
        )  # fmt: skip
        self._gaps[gap.id] = self._written.gaps[gap.id] = gap
        stream.gaps.append(gap.id)
        stream.open.add(gap.id)
        self._until_gap(stream, gap, gap.from_us)
        self.touch(stream.id, gap.from_us, _FAR_US)

    def gap_refined(self, body: Mapping[str, Any], _: LedgerEntry) -> None:
        gap = self._gap(whole(body["gap"]))
        gap.cause, gap.evidence = str(Cause(body["cause"])), _json(_facts(body["evidence"]))
        self._written.gaps[gap.id] = gap
        self.touch(gap.stream, gap.from_us, _FAR_US if gap.to_us is None else gap.to_us)

    def gap_closed(self, body: Mapping[str, Any], _: LedgerEntry) -> None:
        gap = self._gap(whole(body["gap"]))
        self.touch(gap.stream, gap.from_us, _FAR_US)
        self._written.gaps[gap.id] = gap
        stream = self._stream_of(gap.stream)
        was_open = gap.id in stream.open
        stream.open.discard(gap.id)
        self._written.streams.add(stream.id)
        if body["never_was"]:
            gap.never_was = True
            return
        gap.to_us = whole(body["to_us"])
        if was_open:
            self._until_gap(stream, gap, gap.to_us)

    def _gap(self, number: int) -> Gap:
        known = self._gaps.get(number)
        if known is None:
            row = self.db.execute(
                sa.select(gaps).where(gaps.c.post == self.post, gaps.c.era == self.era, gaps.c.id == number)
            ).first()
            if row is None:
                raise KeyError(number)
            known = self._known_gap(row)
        return known

    def _known_gap(self, row: Any) -> Gap:
        return self._gaps.setdefault(
            row.id, Gap(row.id, row.stream, row.from_us, row.to_us, row.cause, row.evidence, row.opened_seq)
        )

    def _stream_of(self, number: int) -> Stream:
        known = self._by_id.get(number)
        if known is None:
            row = self.db.execute(sa.select(streams.c.camera, streams.c.name).where(streams.c.id == number)).one()
            known = self.stream({"camera": row.camera, "stream": row.name})
        return known

    # -- writing

    def flush(self) -> None:
        """What was gathered becomes rows."""
        written = self._written
        if written.segments:
            keys = ("post", "run", "sequence")
            kept = (
                "stream",
                "seq",
                "flags",
                "provenance",
                "root",
                "closing",
                "fragments",
                "durable_bytes",
                "from_us",
                "to_us",
                "gone",
            )
            self.db.execute(self.fleet.upsert(segments, keys, kept), list(written.segments.values()))
            written.segments = {}
        self._write_spans()
        self._write_gaps()
        for number in written.streams:
            s = self._by_id[number]
            open_us = min((self._gaps[gap].from_us for gap in s.open if gap in self._gaps), default=None)
            values = {
                "id_": number, "set_up_us": s.set_up_us, "until_us": s.until_us, "open_us": open_us, "sealed_seq": s.sealed_seq,
                "longest_us": s.longest_us, "first_us": s.first_us, "last_us": s.last_us,
            }  # fmt: skip
            self.db.execute(_TOLD, values)
        written.streams.clear()

    def _write_spans(self) -> None:
        told, self._written.spans = self._written.spans, {}
        if told:
            values = [
                {
                    "post": self.post, "stream": s.stream, "from_us": s.from_us, "run": s.run, "to_us": s.to_us, "reach_us": s.to_us,
                    "provenance": s.provenance,
                }
                for s in told.values() if s.to_us > s.from_us
            ]  # fmt: skip
            if values:
                self.db.execute(self.fleet.upsert(spans, ("post", "stream", "from_us", "run")), values)

    def _write_gaps(self) -> None:
        told, self._written.gaps = self._written.gaps, {}
        kept = [
            {
                "post": self.post, "stream": g.stream, "from_us": g.from_us, "era": self.era, "id": g.id, "to_us": g.to_us,
                "cause": g.cause, "evidence": g.evidence, "opened_seq": g.opened_seq,
            }
            for g in told.values() if not g.never_was
        ]  # fmt: skip
        if kept:
            self.db.execute(self.fleet.upsert(gaps, ("post", "stream", "from_us", "era", "id")), kept)
        away = [g.id for g in told.values() if g.never_was]
        if away:
            self.db.execute(
                sa.delete(gaps).where(gaps.c.post == self.post, gaps.c.era == self.era, gaps.c.id.in_(away))
            )

    def finish(self) -> None:
        """All of it is told: seams are joined, days of wide views that it changed are dropped."""
        self.flush()
        for stream, touched in self._touched.items():
            join_seams(self.db, self.post, stream, touched.from_us, touched.to_us)
            low, high = max(-1, touched.from_us // DAY_US - 1), min(1 << 30, touched.to_us // DAY_US + 1)
            self.db.execute(_DROP_DAYS, {"post_": self.post, "stream_": stream, "low": low, "high": high})
        self._touched.clear()
        if self.told_us:
            self.db.execute(_CLOCK, {"post_": self.post, "told": self.told_us})


def _blocks(
    first: int, last: int, known: Mapping[int, tuple[int, int]], whole: tuple[int, int]
) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """Sequences [first, last] as rows of their own where they are known, and what lies between as one: an entry may name millions that never were."""
    at = first
    for sequence in sorted(known):
        if at < sequence:
            yield at, sequence - 1, whole
        yield sequence, sequence, known[sequence]
        at = sequence + 1
    if at <= last:
        yield at, last, whole


def _facts(value: object) -> Mapping[str, Any]:
    """Raises TypeError: whoever reads evidence takes it for names and values."""
    if not isinstance(value, Mapping):
        raise TypeError("not evidence")
    return value


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


_Teller = Callable[[Telling, Mapping[str, Any], LedgerEntry], None]
_TELLERS: Mapping[str, _Teller] = {
    kinds.STREAM_SET_UP: Telling.set_up,
    kinds.SEGMENT_SEALED: Telling.sealed,
    kinds.SEGMENTS_REMOVED: Telling.removed,
    kinds.TIME_CORRECTED: Telling.corrected,
    kinds.GAP_OPENED: Telling.gap_opened,
    kinds.GAP_REFINED: Telling.gap_refined,
    kinds.GAP_CLOSED: Telling.gap_closed,
    **telling_acts.TELLERS,
}
