"""What the entries of a log tell, folded in order: seals, what was removed, gaps, corrections of time, people, restorations. Pure.

The story is what index and media are held against. `subject` says which seconds of which camera an entry is about.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from longwatch.ledger import kinds
from longwatch.ledger.checkpoint import Checkpoint
from longwatch.ledger.entries import LedgerEntry

RunName = tuple[str, int]  # boot, number


class Place(NamedTuple):
    """Seconds of a camera's stream; "" and None where there are none."""

    camera: str = ""
    stream: str = ""
    from_us: int | None = None
    to_us: int | None = None


@dataclass(frozen=True, slots=True)
class Seal:
    """A `segment_sealed` entry. closing: SHA-256 of the closing box, b"" in entries of before there was one. provenance: as text.

    wall_start_us, wall_end_us: as written; corrections of time are the story's `shifts`.
    """

    seq: int
    camera: str
    stream: str
    boot: str
    run: int
    sequence: int
    root: bytes = field(repr=False)
    closing: bytes = field(repr=False)
    fragments: int
    durable_bytes: int
    wall_start_us: int
    wall_end_us: int
    provenance: str
    recovered: bool
    damaged: bool

    @property
    def key(self) -> tuple[str, int, int]:
        """The segment's identity."""
        return self.boot, self.run, self.sequence

    @property
    def place(self) -> Place:
        """The seconds it holds, as first placed."""
        return Place(self.camera, self.stream, self.wall_start_us, max(self.wall_end_us, self.wall_start_us + 1))

    @property
    def name(self) -> str:
        """How it is told to people."""
        return f"{self.camera}/{self.stream} run {self.run} segment {self.sequence}"


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap as told last. seq: of the entry that said so last. to_us: None while it is open."""

    id: int
    seq: int
    camera: str
    stream: str
    from_us: int
    to_us: int | None
    cause: str
    evidence: dict[str, Any]

    @property
    def place(self) -> Place:
        """The seconds without footage; of an open gap its first."""
        to_us = self.to_us if self.to_us is not None and self.to_us > self.from_us else self.from_us + 1
        return Place(self.camera, self.stream, self.from_us, to_us)


@dataclass(frozen=True, slots=True)
class Gone:
    """Segments of one run that an entry says were removed. sequences: first and last of each stretch."""

    seq: int
    camera: str
    stream: str
    boot: str
    run: int
    why: str
    sequences: tuple[tuple[int, int], ...]
    from_us: int
    to_us: int


@dataclass(frozen=True, slots=True)
class Begun:
    """A `log_begun` entry: which key signs from then on, and which head the log before it had."""

    seq: int
    origin: str
    key: str
    previous: Checkpoint | None
    why: str


class Act(NamedTuple):
    """What the audit finds an entry about a person by. wall_us: when it was written; at_us: when it happened, where it says so."""

    wall_us: int
    at_us: int | None
    subject: int
    kind: str
    camera: str


class HoldRow(NamedTuple):
    """A hold as its entries leave it, and as its row says it. cameras, streams: sorted. ended: (when, why, entry). overruled: by what."""

    cameras: tuple[str, ...]
    streams: tuple[str, ...]
    from_us: int
    to_us: int
    until_us: int | None
    authority: str
    placed_us: int
    seq: int
    ended: tuple[int, str, int] | None = None
    warned_days: int = 0
    overruled: tuple[str, ...] = ()

    @property
    def place(self) -> Place:
        """The seconds of its first camera."""
        return Place(self.cameras[0] if self.cameras else "", "", self.from_us, self.to_us)


@dataclass(slots=True)
class Story:
    """The fold. malformed: numbers of entries that do not say what their kind says. signed: how many of the entries are signed."""

    signed: int = 0
    seals: dict[tuple[str, int, int], Seal] = field(default_factory=dict)
    gaps: dict[int, Gap] = field(default_factory=dict)
    gap_places: dict[int, Place] = field(default_factory=dict)
    gone: dict[RunName, list[Gone]] = field(default_factory=dict)
    holds: dict[int, HoldRow] = field(default_factory=dict)
    shifts: dict[RunName, int] = field(default_factory=dict)
    provenances: dict[RunName, str] = field(default_factory=dict)
    mentions: dict[int, tuple[int, bytes, Place]] = field(default_factory=dict)
    audit: dict[int, Act] = field(default_factory=dict)
    erased: list[tuple[int, int]] = field(default_factory=list)
    logs: list[Begun] = field(default_factory=list)
    restored: list[LedgerEntry] = field(default_factory=list)
    rebuilt: list[LedgerEntry] = field(default_factory=list)
    stamps: list[LedgerEntry] = field(default_factory=list)
    set_up: dict[tuple[str, str], int] = field(default_factory=dict)
    latest: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    malformed: list[int] = field(default_factory=list)
    clock_set: bool = False
    last_kind: str = ""
    boot: str = ""
    _losses: list[tuple[dict[tuple[str, str], tuple[int, int]], ...]] = field(default_factory=list)

    def removal(self, boot: str, run: int, sequence: int) -> Gone | None:
        """The entry that says that this segment was removed; None where there is none."""
        seal = self.seals.get((boot, run, sequence))
        for gone in reversed(self.gone.get((boot, run), [])):
            if seal is not None and (gone.camera, gone.stream) != (seal.camera, seal.stream):
                continue  # an entry that speaks of another stream's run removes nothing
            if any(first <= sequence <= last for first, last in gone.sequences):
                return gone
        return None

    def shift_us(self, boot: str, run: int) -> int:
        """How far corrections moved a run's times."""
        return self.shifts.get((boot, run), 0)

    def lost_at(self, seq: int) -> None:
        """Entries are lost that stood before `seq`: between the last segment of each stream that was sealed before it and the first one
        sealed since, media may be here with nothing that seals it.
        """
        before: dict[tuple[str, str], tuple[int, int]] = {}
        since: dict[tuple[str, str], tuple[int, int]] = {}
        for seal in self.seals.values():
            stream, name = (seal.camera, seal.stream), (seal.run, seal.sequence)
            if seal.seq < seq:
                before[stream] = max(before.get(stream, name), name)
            else:
                since[stream] = min(since.get(stream, name), name)
        self._losses.append((before, since))

    def is_lost(self, camera: str, stream: str, run: int, sequence: int) -> bool:
        """Whether the entry that sealed a segment may be among those that are lost."""
        key, name = (camera, stream), (run, sequence)
        return any(before.get(key, (-1, -1)) < name < since.get(key, (1 << 62, 0)) for before, since in self._losses)

    def place_of(self, seal: Seal) -> Place:
        """The seconds of a seal, where corrections put them."""
        shift_us, place = self.shift_us(seal.boot, seal.run), seal.place
        return place._replace(from_us=seal.wall_start_us + shift_us, to_us=(place.to_us or 0) + shift_us)

    def set_clock(self) -> None:
        """The host's clock was set, or is unsteady."""
        self.clock_set = True

    def add(self, entry: LedgerEntry) -> None:
        """The next entry."""
        self.last_kind, self.boot = entry.kind, entry.boot
        try:
            tell = _TELL.get(entry.kind)
            if tell is not None:
                tell(self, entry)
            person = entry.body.get("person")
            if person is not None:
                self.mentions[entry.seq] = (
                    _whole(person["subject"]), bytes.fromhex(person["commitment"]), self.places(entry)[0],
                )  # fmt: skip
                at_us, camera = entry.body.get("at_us"), entry.body.get("camera")
                self.audit[entry.seq] = Act(
                    entry.wall_us, at_us if isinstance(at_us, int) else None, person["subject"], sys.intern(entry.kind),
                    sys.intern(camera) if isinstance(camera, str) else "",
                )  # fmt: skip
        except (KeyError, TypeError, ValueError, AttributeError):
            self.malformed.append(entry.seq)

    def add_all(self, entries: Iterable[LedgerEntry | None]) -> None:
        """Those that are there, in order."""
        for entry in entries:
            if entry is not None:
                self.add(entry)

    def places(self, entry: LedgerEntry) -> list[Place]:
        """Which seconds of which cameras an entry is about: at least one, without a camera where there is none."""
        body = entry.body
        try:
            if entry.kind == kinds.SEGMENT_SEALED:
                return [_seal(entry).place]
            if entry.kind == kinds.GAP_OPENED:
                known = self.gaps.get(body["gap"])
                return [known.place if known is not None else _opened(entry).place]
            if entry.kind in {kinds.GAP_REFINED, kinds.GAP_CLOSED}:
                place = self.gap_places.get(body["gap"], Place())
                if entry.kind == kinds.GAP_CLOSED and place.from_us is not None and body["to_us"] > place.from_us:
                    place = place._replace(to_us=body["to_us"])
                return [place]
            runs = body.get("runs") or body.get("streams")
            if isinstance(runs, list) and runs:
                return [_span(each) for each in runs]
            if isinstance(body.get("camera"), str):
                return [_span(body, at_us=_int(body.get("at_us"), entry.wall_us))]
        except (KeyError, TypeError, ValueError, AttributeError):
            return [Place()]
        return [Place()]


def _span(body: dict[str, Any], at_us: int | None = None) -> Place:
    from_us = _int(body.get("from_us"), at_us)
    to_us = _int(body.get("to_us"), None if from_us is None else from_us + 1)
    return Place(str(body["camera"]), str(body.get("stream", "")), from_us, to_us)


def _int(value: object, default: int | None) -> int | None:
    return value if type(value) is int else default


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError("not a whole number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _seal(entry: LedgerEntry) -> Seal:
    body = entry.body
    root, closing = bytes.fromhex(body["root"]), bytes.fromhex(body.get("closing", ""))
    if len(root) != 32 or len(closing) not in {0, 32}:
        raise ValueError("not a SHA-256")
    return Seal(
        entry.seq, _text(body["camera"]), _text(body["stream"]), _text(body["boot"]), _whole(body["run"]), _whole(body["sequence"]),
        root, closing, _whole(body["fragments"]), _whole(body["durable_bytes"]), _whole(body["wall_start_us"]),
        _whole(body["wall_end_us"]), _text(body["provenance"]), bool(body["recovered"]), bool(body["damaged"]),
    )  # fmt: skip


def _sealed(story: Story, entry: LedgerEntry) -> None:
    seal = _seal(entry)
    story.seals[seal.key] = seal
    stream = (seal.camera, seal.stream)
    story.latest[stream] = max(story.latest.get(stream, (0, 0)), (seal.run, seal.sequence))
    for gone in story.gone.get((seal.boot, seal.run), []):  # a person put it back, and it was sealed anew
        if any(first <= seal.sequence <= last for first, last in gone.sequences):
            _take_back(story, gone, seal.sequence)


def _take_back(story: Story, gone: Gone, sequence: int) -> None:
    pieces = [
        piece
        for first, last in gone.sequences
        for piece in (
            ((first, last),) if not first <= sequence <= last else ((first, sequence - 1), (sequence + 1, last))
        )
        if piece[0] <= piece[1]
    ]
    rows = story.gone[gone.boot, gone.run]
    rows[rows.index(gone)] = replace(gone, sequences=tuple(pieces))


def _opened(entry: LedgerEntry) -> Gap:
    body = entry.body
    return Gap(
        _whole(body["gap"]), entry.seq, _text(body["camera"]), _text(body["stream"]), _whole(body["from_us"]), None,
        _text(body["cause"]), dict(body["evidence"]),
    )  # fmt: skip


def _gap_opened(story: Story, entry: LedgerEntry) -> None:
    gap = _opened(entry)
    story.gaps[gap.id] = gap
    story.gap_places[gap.id] = gap.place


def _gap_refined(story: Story, entry: LedgerEntry) -> None:
    gap = story.gaps[_whole(entry.body["gap"])]
    story.gaps[gap.id] = replace(
        gap, seq=entry.seq, cause=_text(entry.body["cause"]), evidence=dict(entry.body["evidence"])
    )


def _gap_closed(story: Story, entry: LedgerEntry) -> None:
    gap = story.gaps[_whole(entry.body["gap"])]
    if entry.body["never_was"]:
        del story.gaps[gap.id]
        return
    closed = replace(gap, seq=entry.seq, to_us=_whole(entry.body["to_us"]))
    story.gaps[gap.id] = closed
    story.gap_places[gap.id] = closed.place


def _hold_placed(story: Story, entry: LedgerEntry) -> None:
    body = entry.body
    until_us = body["until_us"]
    story.holds[_whole(body["hold"])] = HoldRow(
        tuple(sorted({_text(camera) for camera in body["cameras"]})), tuple(sorted({_text(name) for name in body["streams"]})),
        _whole(body["from_us"]), _whole(body["to_us"]), None if until_us is None else _whole(until_us), _text(body["authority"]),
        _whole(body["placed_us"]), entry.seq,
    )  # fmt: skip


def _hold_ended(story: Story, entry: LedgerEntry) -> None:
    number = _whole(entry.body["hold"])
    ended = (_whole(entry.body["ended_us"]), _text(entry.body["why"]), entry.seq)
    story.holds[number] = story.holds[number]._replace(ended=ended)


def _hold_warned(story: Story, entry: LedgerEntry) -> None:
    number = _whole(entry.body["hold"])
    story.holds[number] = story.holds[number]._replace(warned_days=_whole(entry.body["days"]))


def _hold_overruled(story: Story, entry: LedgerEntry) -> None:
    number = _whole(entry.body["hold"])
    before = story.holds[number]
    said = tuple(dict.fromkeys([*before.overruled, _text(entry.body["why"])]))
    story.holds[number] = before._replace(overruled=said)


def _removed(story: Story, entry: LedgerEntry) -> None:
    for run in entry.body.get("runs", []):
        gone = Gone(
            entry.seq, _text(run["camera"]), _text(run["stream"]), _text(run["boot"]), _whole(run["run"]), _text(run["why"]),
            tuple((_whole(first), _whole(last)) for first, last in run["sequences"]), _whole(run["from_us"]), _whole(run["to_us"]),
        )  # fmt: skip
        stream = (gone.camera, gone.stream)
        story.gone.setdefault((gone.boot, gone.run), []).append(gone)
        last = max((last for _, last in gone.sequences), default=0)
        story.latest[stream] = max(story.latest.get(stream, (0, 0)), (gone.run, last))


def _corrected(story: Story, entry: LedgerEntry) -> None:
    story.set_clock()
    for run in entry.body["runs"]:
        name = (_text(run["boot"]), _whole(run["run"]))
        story.shifts[name] = story.shifts.get(name, 0) + _whole(run["shift_us"])
        story.provenances[name] = _text(run["provenance"])
    for told in entry.body.get("set_up", []):
        story.set_up[_text(told["camera"]), _text(told["stream"])] = _whole(told["set_up_us"])


def _set_up(story: Story, entry: LedgerEntry) -> None:
    body = entry.body
    story.set_up[_text(body["camera"]), _text(body["stream"])] = _whole(body["at_us"])


def _erased(story: Story, entry: LedgerEntry) -> None:
    story.erased += [(_whole(first), _whole(last)) for first, last in entry.body["seqs"]]


def _begun(story: Story, entry: LedgerEntry) -> None:
    body, before = entry.body, entry.body["previous"]
    previous = None
    if before is not None:
        previous = Checkpoint(_text(before["origin"]), _whole(before["size"]), bytes.fromhex(before["root"]))
    story.logs.append(Begun(entry.seq, _text(body["origin"]), _text(body["key"]), previous, str(body.get("why", ""))))


_TELL: dict[str, Callable[[Story, LedgerEntry], None]] = {
    kinds.STREAM_SET_UP: _set_up,
    kinds.SEGMENT_SEALED: _sealed,
    kinds.GAP_OPENED: _gap_opened,
    kinds.GAP_REFINED: _gap_refined,
    kinds.GAP_CLOSED: _gap_closed,
    kinds.HOLD_PLACED: _hold_placed,
    kinds.HOLD_ENDED: _hold_ended,
    kinds.HOLD_WARNED: _hold_warned,
    kinds.HOLD_OVERRULED: _hold_overruled,
    kinds.SEGMENTS_REMOVED: _removed,
    kinds.PERSONAL_ERASED: _erased,
    kinds.TIME_CORRECTED: _corrected,
    kinds.LOG_BEGUN: _begun,
    kinds.LEDGER_RESTORED: lambda story, entry: story.restored.append(entry),
    kinds.INDEX_REBUILT: lambda story, entry: story.rebuilt.append(entry),
    kinds.CLOCK_STEP: lambda story, _: story.set_clock(),
    kinds.CLOCK_UNSTEADY: lambda story, _: story.set_clock(),
    kinds.CHECKPOINT_STAMPED: lambda story, entry: story.stamps.append(entry),
}


def entry_places(story: Story, entries: Sequence[LedgerEntry | None], numbers: Iterable[int]) -> dict[int, list[Place]]:
    """The places of some entries, those without an entry left out."""
    return {n: story.places(entry) for n in numbers if (entry := entries[n]) is not None}
