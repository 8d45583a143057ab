"""The rows of an index against the story of its ledger, by meaning. Pure: rows come as values.

What a row says and the ledger cannot know (when a run began on CLOCK_BOOTTIME, what a hub confirmed) is not judged: docs/known-limits.md.
"""

from __future__ import annotations

import bisect
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from longwatch.ledger.canonical import NotCanonicalError, canonical
from longwatch.ledger.findings import Finding, Kind
from longwatch.ledger.judging_media import Examined
from longwatch.ledger.story import Act, Gap, Gone, HoldRow, Place, RunName, Seal, Story
from longwatch.model.stores import NO_EVENT, Fate

NEAR_US = 1_000  # to the millisecond
_SEAM_US = 20_000  # two runs that follow each other within this are joined by drawing out the first
_OVERLAP_US = 1_000_000  # a run that begins before the last one ended is shown from there on
_WRITTEN_WITHIN_US = 60_000_000
_CORRECTED_NEAR_US = 1_100_000  # and within a second where a correction moved them
_LINE_NEAR_US = 2
_COVER_US = 1_000_000  # the most that the last sample of a run covers


class SegmentFact(NamedTuple):
    """A row of `segment`, with its fragment table. sealed: its flag. wall_start_us: as placed now. volume: uuid."""

    camera: str
    stream: str
    boot: str
    run: int
    sequence: int
    volume: str
    sealed: bool
    damaged: bool
    recovered: bool
    provenance: str
    fragments: int
    header_bytes: int
    durable_bytes: int
    file_bytes: int
    start_90k: int
    duration_90k: int
    wall_start_us: int
    wall_duration_us: int
    root: bytes

    @property
    def key(self) -> tuple[str, int, int]:
        """Its identity."""
        return self.boot, self.run, self.sequence

    @property
    def place(self) -> Place:
        """The seconds it says to hold."""
        return Place(self.camera, self.stream, self.wall_start_us, self.wall_start_us + max(1, self.wall_duration_us))


class PlacementFact(NamedTuple):
    """A row of `placement`, the newest of its media time. reason: of the first row of its run."""

    boot: str
    run: int
    at_90k: int
    wall_us: int
    rate_ppb: int
    reason: str


class SpanFact(NamedTuple):
    """A row of `recorded_span`."""

    camera: str
    stream: str
    boot: str
    run: int
    from_us: int
    to_us: int
    provenance: str


class GapFact(NamedTuple):
    """A row of `gap`. evidence: JSON text."""

    id: int
    camera: str
    stream: str
    from_us: int
    to_us: int | None
    cause: str
    evidence: str


class GoneFact(NamedTuple):
    """A row of `gone_span`."""

    camera: str
    stream: str
    boot: str
    run: int
    from_us: int
    to_us: int
    first: int
    last: int
    fate: int = 0


class AuditFact(NamedTuple):
    """A row of `mention`: what the audit finds an entry about a person by."""

    seq: int
    at_us: int
    subject: int
    kind: str
    camera: str


class PersonalFact(NamedTuple):
    """A row of `personal`. proof: the commitment that salt and text lead to."""

    seq: int
    subject: int
    proof: bytes


@dataclass(slots=True)
class IndexFacts:
    """All that is judged. holds: None where the index is older than there are any. started: runs whose start was told. audit: None where it is not looked at. set_up: by camera and stream.
    next_gap, longest_us: of table `meta`, None where they are not looked at; nothing is looked for in segments that begin more than longest_us before.
    """

    segments: list[SegmentFact] = field(default_factory=list)
    placements: list[PlacementFact] = field(default_factory=list)
    spans: list[SpanFact] = field(default_factory=list)
    gaps: list[GapFact] = field(default_factory=list)
    gone: list[GoneFact] = field(default_factory=list)
    personal: list[PersonalFact] = field(default_factory=list)
    started: set[RunName] = field(default_factory=set)
    audit: list[AuditFact] | None = None
    set_up: dict[tuple[str, str], int | None] = field(default_factory=dict)
    next_gap: int | None = None
    longest_us: int | None = None
    holds: dict[int, HoldRow] | None = None


class IndexJudge:
    """Holds the rows against the story. examined: what was found of each sealed file. volumes: uuid of where each file lies.

    known: volumes that the index knows. unproven: some entries are not what was signed, so that a row without an entry may have had one.
    """

    def __init__(
        self,
        story: Story,
        facts: IndexFacts,
        examined: dict[tuple[str, int, int], Examined],
        volumes: dict[tuple[str, int, int], str],
        *,
        known: frozenset[str],
        unproven: bool,
    ) -> None:
        self._story = story
        self._known = known
        self._facts = facts
        self._examined = examined
        self._volumes = volumes
        self._by_run: dict[RunName, list[Seal]] = {}
        for seal in story.seals.values():
            self._by_run.setdefault((seal.boot, seal.run), []).append(seal)
        self._near_us = _CORRECTED_NEAR_US if story.clock_set else NEAR_US
        self._extra = Kind.CHANGED if unproven else Kind.INSERTED

    def findings(self) -> Iterator[Finding]:
        """Everything that contradicts."""
        yield from self._segments()
        yield from self._placements()
        yield from self._spans()
        yield from self._gaps()
        yield from self._gone()
        if self._facts.holds is not None:
            yield from self._holds(dict(self._facts.holds))
        yield from self._personal()
        yield from self._single_values()
        if self._facts.audit is not None:
            yield from self._audit(self._facts.audit)

    # -- segments

    def _segments(self) -> Iterator[Finding]:
        seen = set()
        for fact in self._facts.segments:
            seal = self._story.seals.get(fact.key)
            if not fact.sealed:
                continue
            seen.add(fact.key)
            if seal is None and self._story.is_lost(fact.camera, fact.stream, fact.run, fact.sequence):
                continue  # said with its file
            if seal is None or self._story.removal(*fact.key) is not None:
                yield _finding(self._extra, _row(fact), "no signed entry sealed this segment", fact.place)
                continue
            wrong = list(self._segment(fact, seal))
            if wrong:
                yield _finding(
                    Kind.CHANGED,
                    _row(fact),
                    f"differs from its seal (entry {seal.seq}): {'; '.join(wrong)}",
                    seal.place,
                )
        for key, seal in self._story.seals.items():
            if key not in seen and self._story.removal(*key) is None and not self._was_away(seal):
                yield _finding(
                    Kind.REMOVED,
                    f"index row of {seal.name}",
                    f"sealed by entry {seal.seq}, and not in the index",
                    seal.place,
                )

    def _was_away(self, seal: Seal) -> bool:
        """Whether its volume was not there when the index was made again."""
        made = [entry.seq for entry in (*self._story.restored, *self._story.rebuilt)]
        return bool(made) and seal.seq < max(made) and self._volumes.get(seal.key, "") not in self._known

    def _segment(self, fact: SegmentFact, seal: Seal) -> Iterator[str]:
        shift_us = self._story.shift_us(fact.boot, fact.run)
        provenance = self._story.provenances.get((fact.boot, fact.run), seal.provenance)
        pairs = [
            ("camera", fact.camera, seal.camera), ("stream", fact.stream, seal.stream), ("root", fact.root, seal.root),
            ("fragments", fact.fragments, seal.fragments), ("durable_bytes", fact.durable_bytes, seal.durable_bytes),
            ("wall_start_us", fact.wall_start_us, seal.wall_start_us + shift_us), ("damaged", fact.damaged, seal.damaged),
            ("wall_duration_us", fact.wall_duration_us, max(0, seal.wall_end_us - seal.wall_start_us)),
            ("provenance", fact.provenance, provenance), ("recovered", fact.recovered, seal.recovered),
        ]  # fmt: skip
        found = self._examined.get(fact.key)
        if found is not None and found.rows and not found.damages:
            first, last = found.rows[0], found.rows[-1]
            pairs += [
                ("header_bytes", fact.header_bytes, found.header_bytes), ("file_bytes", fact.file_bytes, found.file_bytes),
                ("volume", fact.volume, self._volumes.get(fact.key, fact.volume)), ("fragment table", found.table_agrees, True),
                ("start_90k", fact.start_90k, first.start_90k), ("duration_90k", fact.duration_90k, last.end_90k - first.start_90k),
            ]  # fmt: skip
        for name, said, meant in pairs:
            if said != meant:
                yield name if isinstance(said, (bytes, bool)) else f"{name} is {said}, should be {meant}"

    # -- where runs stand

    def _placements(self) -> Iterator[Finding]:
        lines: dict[RunName, list[PlacementFact]] = {}
        for fact in self._facts.placements:
            lines.setdefault((fact.boot, fact.run), []).append(fact)
        starts: dict[RunName, list[tuple[int, Seal]]] = {}
        for row in self._facts.segments:
            seal = self._story.seals.get(row.key)
            found = self._examined.get(row.key)
            if seal is not None and found is not None and found.rows and not found.damages:
                starts.setdefault((row.boot, row.run), []).append((found.rows[0].start_90k, seal))
        for run, seals in starts.items():
            yield from self._line(run, sorted(lines.get(run, [])), sorted(seals, key=lambda item: item[0]))

    def _line(self, run: RunName, line: list[PlacementFact], seals: list[tuple[int, Seal]]) -> Iterator[Finding]:
        """The rows of a run meet end to end, and every segment begins where its line says."""
        whole = self._story.place_of(seals[0][1])._replace(to_us=self._story.place_of(seals[-1][1]).to_us)
        what = f"placement of {whole.camera}/{whole.stream} run {run[1]}"
        if not line:
            if run not in self._facts.started:
                return  # its start was never told: a cut took it, and recovery took in the file
            yield _finding(Kind.REMOVED, what, "its rows are gone", whole)
            return
        shift_us = self._story.shift_us(*run)
        rebuilt = bool(self._story.restored or self._story.rebuilt) and "rebuilt" in {fact.reason for fact in line}
        for before, after in itertools.pairwise(line):
            if not rebuilt and abs(_wall(before, after.at_90k) - after.wall_us) > _LINE_NEAR_US:
                yield _finding(
                    Kind.CHANGED, what, f"the row at {after.at_90k} does not lie on the line before it", whole
                )
                return
        for at_90k, seal in seals if not rebuilt else seals[:1]:
            row = next((fact for fact in reversed(line) if fact.at_90k <= at_90k), None)
            if row is None or abs(_wall(row, at_90k) - seal.wall_start_us - shift_us) > _LINE_NEAR_US:
                yield _finding(
                    Kind.CHANGED, what, f"places segment {seal.sequence} elsewhere than entry {seal.seq}", seal.place
                )
                return

    # -- spans

    def _spans(self) -> Iterator[Finding]:
        held = self._held()
        spans: dict[tuple[str, str], list[SpanFact]] = {}
        for fact in self._facts.spans:
            spans.setdefault((fact.camera, fact.stream), []).append(fact)
        gaps: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for gap in self._story.gaps.values():
            if gap.to_us is not None:
                gaps.setdefault((gap.camera, gap.stream), []).append((gap.from_us, gap.to_us))
        for stream in sorted({*held, *spans}):
            yield from self._stream_spans(stream, held.get(stream, {}), spans.get(stream, []), gaps.get(stream, []))

    def _held(self) -> dict[tuple[str, str], dict[RunName, list[tuple[int, int]]]]:
        """By stream and run, the seconds that seals speak of, those that were removed since too; and the open segments'."""
        held: dict[tuple[str, str], dict[RunName, list[tuple[int, int]]]] = {}
        for seal in self._story.seals.values():
            shift_us = self._story.shift_us(seal.boot, seal.run)
            runs = held.setdefault((seal.camera, seal.stream), {})
            runs.setdefault((seal.boot, seal.run), []).append(
                (seal.wall_start_us + shift_us, seal.wall_end_us + shift_us)
            )
        for fact in self._facts.segments:
            lost = fact.key not in self._story.seals and self._story.is_lost(*fact[:2], fact.run, fact.sequence)
            if not fact.sealed or lost:
                runs = held.setdefault((fact.camera, fact.stream), {})
                runs.setdefault((fact.boot, fact.run), []).append(
                    (fact.wall_start_us, fact.wall_start_us + fact.wall_duration_us)
                )
        for row in self._facts.gone:
            runs = held.setdefault((row.camera, row.stream), {})
            if (row.boot, row.run) not in self._story.gone:  # never sealed: a file that was gone before it could be
                runs.setdefault((row.boot, row.run), []).append((row.from_us, row.to_us))
        return held

    def _stream_spans(
        self, stream: tuple[str, str], held: dict[RunName, list[tuple[int, int]]], spans: list[SpanFact],
        gaps: list[tuple[int, int]],
    ) -> Iterator[Finding]:  # fmt: skip
        what = f"index span of {stream[0]}/{stream[1]}"
        told, by_run = _union(gaps), _by_run(spans)
        ends = {fact.to_us for fact in spans}
        for run, parts in held.items():
            sealed = _union(parts)
            cover = _union(by_run.get(run, []) + _within(told, sealed[0][0], sealed[-1][1]))
            for from_us, to_us in _beyond(sealed, cover, self._near_us):
                if to_us - from_us > _OVERLAP_US or to_us not in ends:
                    yield _finding(
                        Kind.REMOVED, what, "it leaves out seconds that are sealed", Place(*stream, from_us, to_us)
                    )
        begins = {fact.from_us for fact in spans}
        before: dict[RunName, SpanFact] = {}
        for fact in sorted(spans, key=lambda each: each.from_us):
            run = (fact.boot, fact.run)
            for from_us, to_us in _beyond([(fact.from_us, fact.to_us)], _union(held.get(run, [])), self._near_us):
                if to_us - from_us > _SEAM_US or to_us not in begins:
                    yield _finding(
                        self._extra, what, "it speaks of seconds that no seal holds", Place(*stream, from_us, to_us)
                    )
            last = before.get(run)
            if last is not None and last.to_us - fact.from_us > self._near_us:
                place = Place(*stream, fact.from_us, min(last.to_us, fact.to_us))
                yield _finding(Kind.CHANGED, what, "two spans of one run lie over each other", place)
            before[run] = fact
            yield from self._provenance(fact, last, what)
        yield from self._against_gaps(what, spans, held)

    def _provenance(self, fact: SpanFact, last: SpanFact | None, what: str) -> Iterator[Finding]:
        """last: the span of the same run before it. A segment says what its time was believed to be when it was opened: where that changed at its very
        first picture, it says what held up to there.
        """
        for seal in self._by_run.get((fact.boot, fact.run), ()):
            at_us = seal.wall_start_us + self._story.shift_us(fact.boot, fact.run)
            meant = self._story.provenances.get((fact.boot, fact.run), seal.provenance)
            if at_us == fact.from_us and last is not None and last.to_us == at_us and last.provenance == meant:
                continue
            if fact.from_us <= at_us < fact.to_us and fact.provenance != meant:
                yield _finding(
                    Kind.CHANGED, what, f"its time is {meant} by entry {seal.seq}, not {fact.provenance}",
                    Place(fact.camera, fact.stream, fact.from_us, fact.to_us),
                )  # fmt: skip
                return

    def _against_gaps(
        self, what: str, spans: list[SpanFact], held: dict[RunName, list[tuple[int, int]]]
    ) -> Iterator[Finding]:
        """No span covers a gap that was told in the midst of its own run."""
        if self._story.clock_set or not spans:
            return
        stream = spans[0].camera, spans[0].stream
        gaps = sorted(
            (gap.from_us, gap.to_us)
            for gap in self._story.gaps.values()
            if gap.to_us is not None and (gap.camera, gap.stream) == stream
        )
        told, by_run = _union(gaps), _by_run(spans)
        for run, parts in held.items():
            first_us, end_us = min(part[0] for part in parts), max(part[1] for part in parts)
            inside = [gap for gap in _within(told, first_us, end_us) if first_us < gap[0] and gap[1] < end_us]
            for from_us, to_us in _common(_union(by_run.get(run, [])), inside):
                if to_us - from_us > self._near_us:
                    yield _finding(
                        Kind.CHANGED, what, "it covers a gap that the ledger tells", Place(*stream, from_us, to_us)
                    )

    # -- gaps, what is gone, people

    def _gaps(self) -> Iterator[Finding]:
        rows = {fact.id: fact for fact in self._facts.gaps}
        for number, gap in self._story.gaps.items():
            fact = rows.pop(number, None)
            if fact is None:
                yield _finding(Kind.REMOVED, f"index row of gap {number}", f"told by entry {gap.seq}", gap.place)
                continue
            wrong = [name for name, said, meant in _gap_pairs(fact, gap) if said != meant]
            if wrong:
                yield _finding(
                    Kind.CHANGED,
                    f"index row of gap {number}",
                    f"differs from entry {gap.seq} in {', '.join(wrong)}",
                    gap.place,
                )
        for fact in rows.values():
            to_us = fact.to_us if fact.to_us is not None and fact.to_us > fact.from_us else fact.from_us + 1
            place = Place(fact.camera, fact.stream, fact.from_us, to_us)
            yield _finding(self._extra, f"index row of gap {fact.id}", "no signed entry tells of it", place)

    def _holds(self, rows: dict[int, HoldRow]) -> Iterator[Finding]:
        """Whoever takes a hold out of the index has its footage removed: retention goes by the rows."""
        for number, told in self._story.holds.items():
            row, what = rows.pop(number, None), f"index row of hold {number}"
            if row is None:
                yield _finding(Kind.REMOVED, what, f"told by entry {told.seq}", told.place)
            elif row != told:
                names = ", ".join(name for name, a, b in zip(row._fields, row, told, strict=True) if a != b)
                yield _finding(Kind.CHANGED, what, f"differs from entry {told.seq} in {names}", told.place)
        for number, row in rows.items():
            yield _finding(self._extra, f"index row of hold {number}", "no signed entry tells of it", row.place)

    def _gone(self) -> Iterator[Finding]:
        """Stretches of sequences are half-open here. What was never sealed has no entry of removal: recovery says so by name."""
        rows: dict[RunName, list[GoneFact]] = {}
        for fact in self._facts.gone:
            rows.setdefault((fact.boot, fact.run), []).append(fact)
        for run in sorted({*self._story.gone, *rows}):
            streams = {(seal.camera, seal.stream) for seal in self._by_run.get(run, ())}
            removals = [g for g in self._story.gone.get(run, []) if not streams or (g.camera, g.stream) in streams]
            told = _union([(a, b + 1) for gone in removals for a, b in gone.sequences])
            said = _union([(fact.first, fact.last + 1) for fact in rows.get(run, [])])
            missing = list(_beyond(told, said, 0))
            extra = [part for part in _beyond(said, told, 0) if self._sealed_in(run, [part])]
            for kind, parts in ((Kind.REMOVED, missing), (self._extra, extra)):
                if parts:
                    what = f"index row of what is gone of run {run[1]}"
                    yield _finding(kind, what, "differs from the entries of removal", self._gone_place(run, parts))
            if not missing and not extra:
                yield from self._gone_times(run, rows.get(run, []))
                yield from self._fates(run, removals, rows.get(run, []))

    def _fates(self, run: RunName, removals: Sequence[Gone], rows: Sequence[GoneFact]) -> Iterator[Finding]:
        """What was thrown away without an event is a gap; what retention removed was recorded. One told as the other is a lie about time."""
        told = _union([(a, b + 1) for gone in removals if gone.why == NO_EVENT for a, b in gone.sequences])
        said = _union([(fact.first, fact.last + 1) for fact in rows if fact.fate == Fate.DISCARDED])
        wrong = [*_beyond(told, said, 0), *_beyond(said, told, 0)]
        wrong = [part for part in wrong if self._sealed_in(run, [part])]
        if wrong:
            what = f"index row of what is gone of run {run[1]}"
            detail = "what no event needed is not told apart from what retention removed as the entries do"
            yield _finding(Kind.CHANGED, what, detail, self._gone_place(run, wrong))

    def _sealed_in(self, run: RunName, parts: Sequence[tuple[int, int]]) -> list[Seal]:
        return [seal for seal in self._by_run.get(run, ()) if any(a <= seal.sequence < b for a, b in parts)]

    def _gone_place(self, run: RunName, parts: Sequence[tuple[int, int]]) -> Place:
        seals = self._sealed_in(run, parts)
        if seals:
            shift_us = self._story.shift_us(*run)
            return seals[0].place._replace(
                from_us=min(s.wall_start_us for s in seals) + shift_us,
                to_us=max(s.wall_end_us for s in seals) + shift_us,
            )
        gone: Gone | None = next(iter(self._story.gone.get(run, [])), None)
        return Place() if gone is None else Place(gone.camera, gone.stream, gone.from_us, gone.to_us)

    def _gone_times(self, run: RunName, rows: list[GoneFact]) -> Iterator[Finding]:
        for fact in rows:
            parts = [(fact.first, fact.last + 1)]
            if len(self._sealed_in(run, parts)) <= fact.last - fact.first:
                continue
            place = self._gone_place(run, parts)
            # The last sample of a run covers a moment after its segment, which is discarded with it.
            to_us = fact.to_us
            if fact.fate == Fate.DISCARDED and not self._sealed_in(run, [(fact.last + 1, fact.last + 2)]):
                end_us = place.to_us or 0
                to_us = end_us if 0 < fact.to_us - end_us <= _COVER_US else to_us
            if (fact.camera, fact.stream, fact.from_us, to_us) != tuple(place):
                what = f"index row of what is gone of run {run[1]}"
                yield _finding(Kind.CHANGED, what, "its times are not those of its seals", place)

    def _single_values(self) -> Iterator[Finding]:
        """What stands in one place of the index and an entry tells. A stream that no entry sets up (its index and ledger were lost, and its
        media told of it) is not judged; nor is one whose entries are not all what was signed.
        """
        for (camera, stream), meant_us in self._story.set_up.items() if self._extra is Kind.INSERTED else ():
            what = f"set-up time of {camera}/{stream}"
            if (camera, stream) not in self._facts.set_up:
                yield _finding(Kind.REMOVED, what, "the stream is not in the index", Place(camera, stream))
                continue
            said_us = self._facts.set_up[camera, stream]
            if said_us != meant_us:
                first, end = sorted((meant_us if said_us is None else said_us, meant_us))
                detail = "it is not what the entry says: seconds before it are shown as never recorded"
                yield _finding(Kind.CHANGED, what, detail, Place(camera, stream, first, max(end, first + 1)))
        if self._facts.next_gap is not None and self._facts.next_gap <= max(self._story.gap_places, default=0):
            yield _finding(Kind.CHANGED, "number of the next gap", "an entry gave it to a gap already", Place())
        here = [seal for seal in self._story.seals.values() if self._story.removal(*seal.key) is None]
        longest_us = max((seal.wall_end_us - seal.wall_start_us for seal in here), default=0)
        if self._facts.longest_us is not None and self._facts.longest_us < longest_us:
            detail = "a sealed segment is longer: some of its seconds are not looked for"
            yield _finding(Kind.CHANGED, "length of the longest segment", detail, Place())

    def _personal(self) -> Iterator[Finding]:
        there = {fact.seq: fact for fact in self._facts.personal}
        for seq, (subject, commitment, place) in self._story.mentions.items():
            fact = there.pop(seq, None)
            if fact is None:
                said = any(first <= seq <= last for first, last in self._story.erased)
                by = "" if said else "; no entry says by whom or why"
                yield _finding(
                    Kind.ERASED, f"personal text of entry {seq}", f"it was erased, its commitment stays{by}", place
                )
            elif (fact.subject, fact.proof) != (subject, commitment):
                yield _finding(
                    Kind.CHANGED, f"personal text of entry {seq}", "it is not what the entry commits to", place
                )
        for seq in there:
            yield _finding(self._extra, f"personal text of entry {seq}", "no entry speaks of a person there", Place())

    def _audit(self, facts: list[AuditFact]) -> Iterator[Finding]:
        """The audit shows what these rows name, and nothing else: one that is gone hides an entry from whoever asks there. No
        camera's second is blamed: its footage is as it was.
        """
        there = {fact.seq: fact for fact in facts}
        for seq, act in self._story.audit.items():
            what = f"audit row of entry {seq}"
            fact = there.pop(seq, None)
            if fact is None:
                yield _finding(Kind.REMOVED, what, f"the audit leaves out this {act.kind}", Place())
            elif not _finds(fact, act):
                yield _finding(Kind.CHANGED, what, "it is not what the entry says", Place())
        for seq in there:
            yield _finding(self._extra, f"audit row of entry {seq}", "no entry speaks of a person there", Place())


def _finding(kind: Kind, what: str, detail: str, place: Place) -> Finding:
    return Finding(kind, what, detail, *place)


def _row(fact: SegmentFact) -> str:
    return f"index row of {fact.camera}/{fact.stream} run {fact.run} segment {fact.sequence}"


def _wall(row: PlacementFact, at_90k: int) -> int:
    us = (at_90k - row.at_90k) * 100 // 9
    return row.wall_us + us + us * row.rate_ppb // 1_000_000_000


def _gap_pairs(fact: GapFact, gap: Gap) -> list[tuple[str, object, object]]:
    return [
        ("camera", (fact.camera, fact.stream), (gap.camera, gap.stream)), ("from_us", fact.from_us, gap.from_us),
        ("to_us", fact.to_us, gap.to_us), ("cause", fact.cause, gap.cause),
        ("evidence", _normal(fact.evidence), canonical(gap.evidence)),
    ]  # fmt: skip


def _normal(text: str) -> bytes:
    try:
        return canonical(json.loads(text))
    except (ValueError, NotCanonicalError):
        return b""


def _by_run(spans: Sequence[SpanFact]) -> dict[RunName, list[tuple[int, int]]]:
    found: dict[RunName, list[tuple[int, int]]] = {}
    for fact in spans:
        found.setdefault((fact.boot, fact.run), []).append((fact.from_us, fact.to_us))
    return found


def _within(parts: Sequence[tuple[int, int]], from_us: int, to_us: int) -> list[tuple[int, int]]:
    """Those of `parts`, in order and apart, that reach into a window."""
    first = bisect.bisect_right(parts, from_us, key=lambda part: part[1])
    end = bisect.bisect_left(parts, to_us, key=lambda part: part[0])
    return list(parts[first:end])


def _union(parts: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for from_us, to_us in sorted(parts):
        if found and from_us <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], to_us))
        else:
            found.append((from_us, to_us))
    return found


def _beyond(
    parts: Sequence[tuple[int, int]], cover: Sequence[tuple[int, int]], near_us: int
) -> Iterator[tuple[int, int]]:
    """Stretches of `parts` longer than near_us that `cover` leaves free; both in order and apart."""
    n = 0
    for from_us, to_us in parts:
        at_us = from_us
        while n < len(cover) and cover[n][1] <= at_us:
            n += 1
        for m in range(n, len(cover)):
            first, end = cover[m]
            if first >= to_us:
                break
            if first - at_us > near_us:
                yield at_us, first
            at_us = max(at_us, end)
        if to_us - at_us > near_us:
            yield at_us, to_us


def _common(ones: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Where both are; both in order and apart."""
    n = m = 0
    while n < len(ones) and m < len(others):
        first, end = max(ones[n][0], others[m][0]), min(ones[n][1], others[m][1])
        if first < end:
            yield first, end
        if ones[n][1] < others[m][1]:
            n += 1
        else:
            m += 1


def _finds(fact: AuditFact, act: Act) -> bool:
    """Whether the row is the entry's. One that does not say when it happened stands where the clock stood at its writing."""
    if (fact.subject, fact.kind, fact.camera) != (act.subject, act.kind, act.camera):
        return False
    return abs(fact.at_us - act.wall_us) <= _WRITTEN_WITHIN_US if act.at_us is None else fact.at_us == act.at_us
