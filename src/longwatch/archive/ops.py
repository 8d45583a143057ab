"""What the recorder asks of the archive: the operations of one tick of one volume, and what came of them.

The tick's order is that of docs/design/segment-lifecycle.md: create (O_EXCL), write, flush (`syncfs`), one index
transaction with `synchronous=FULL`, acknowledge. Operations are frozen values, made on the event loop and carried out on
the volume's I/O thread and the index's writer thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from longwatch.model.alarms import AlarmKind
from longwatch.model.causes import Cause
from longwatch.model.holds import HoldEnd
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import FragmentRow, Provenance


@dataclass(frozen=True, slots=True)
class RunStart:
    """A run begins: a new row, with its first placement. number: rises per boot, unique with boot over all streams.

    media time 0 of the run is presented at wall_us.
    """

    key: StreamKey
    number: int
    boot_us: int
    wall_us: int
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Placement:
    """Append-only: from media time `at_90k` on, the run is presented from wall_us, at rate 1 + rate_ppb / 1e9."""

    run: int
    at_90k: int
    wall_us: int
    rate_ppb: int
    provenance: Provenance
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """The session of a run is over. detail: for people."""

    run: int
    boot_us: int
    detail: str


@dataclass(frozen=True, slots=True)
class SegmentOpen:
    """A new file. token: the recorder's own number for it, unique in this process. header: ftyp, uuid and moov."""

    token: int
    key: StreamKey
    run: int
    sequence: int
    start_90k: int
    wall_start_us: int
    provenance: Provenance
    header: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FragmentAppend:
    """One whole moof+mdat at the end of a segment. row.offset is where it will stand; row.sha256 is left empty and filled
    in by the archive, which hashes the parts on its I/O thread. wall_end_us: end of its last video sample, as placed.
    """

    token: int
    parts: Sequence[bytes] = field(repr=False)
    row: FragmentRow
    wall_end_us: int
    arrival_boot_us: int  # of its first sample: what the stated loss of one second is measured from
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class SegmentSeal:
    """The segment is whole: the archive writes the closing boxes (fragment hashes, sample index), and its ledger entry.

    sample_index: packed by `formats.bmff`, opaque to the archive.
    """

    token: int
    sample_index: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StreamSetUp:
    """From here on the recorder answers for this stream; before it the timeline says `never_recorded`. The first word stands."""

    key: StreamKey
    at_us: int


@dataclass(frozen=True, slots=True)
class SpanExtend:
    """The recorded span of `run` that began at from_us now ends at to_us (a row is made the first time)."""

    key: StreamKey
    run: int
    from_us: int
    to_us: int
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class GapOpen:
    """A gap opens. token: the recorder's own number for it."""

    token: int
    key: StreamKey
    from_us: int
    cause: Cause
    evidence: dict[str, object]


@dataclass(frozen=True, slots=True)
class GapRefine:
    """Later evidence says more about an open or closed gap; the earlier words stay in the ledger."""

    token: int
    cause: Cause
    evidence: dict[str, object]


@dataclass(frozen=True, slots=True)
class GapAdopt:
    """A gap that the process before this one told is known by `token` from now on. gap, from_us: of its row."""

    token: int
    key: StreamKey
    gap: int
    from_us: int


@dataclass(frozen=True, slots=True)
class GapClose:
    """A gap ends; where to_us <= from_us it never was, and its row goes (the ledger keeps the story)."""

    token: int
    to_us: int


@dataclass(frozen=True, slots=True)
class Person:
    """Of whom an entry speaks. subject: a number for the person; 0 is the command line of the post. text: canonical JSON with
    what may be erased later (name, address, reason); it is kept beside the ledger, and never in it.
    """

    subject: int
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the ledger (docs/ref/ledger-format.md): kind and body in canonical JSON, made by `ledger`.

    person: adds `person` to the body, a commitment made by the archive.
    """

    kind: str
    body: dict[str, object]
    person: Person | None = None


@dataclass(frozen=True, slots=True)
class AlarmRaise:
    """A row of `alarm` and its entry. id: never used before. subject: what within the kind it is about. since_us: wall time at which
    what is wrong began. facts: what else the entry says (docs/ref/ledger-format.md).
    """

    id: int
    kind: AlarmKind
    camera: str
    subject: str
    raised_us: int
    since_us: int
    cause: str = ""
    evidence: Mapping[str, object] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlarmRefine:
    """The cause of a standing alarm is known better."""

    id: int
    cause: str
    evidence: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class AlarmRepeat:
    """Said again. repeats: how often by now. facts: how it stands."""

    id: int
    repeats: int
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlarmEnd:
    """What was wrong is over. why: in words."""

    id: int
    ended_us: int
    why: str
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlarmAcknowledge:
    """Somebody deals with an alarm, and says why. ended_us: given for those that stand until acknowledged: they end with it.

    For `Archive.act`: UsageError where there is no such alarm, or it was acknowledged before.
    """

    id: int
    person: Person
    ended_us: int | None


@dataclass(frozen=True, slots=True)
class PauseBegin:
    """Somebody pauses a camera; one that is paused already is paused anew. until_us: None is until resumed."""

    camera: str
    cause: Cause
    since_us: int
    until_us: int | None
    person: Person


@dataclass(frozen=True, slots=True)
class PauseEnd:
    """A pause is over: by somebody's word, or since its time was (person is None). No row: nothing is written."""

    camera: str
    why: str
    person: Person | None = None


@dataclass(frozen=True, slots=True)
class HoldPlace:
    """Somebody protects footage of `cameras` (of `streams`; empty: all) from removal. authority: "" where nobody is named.
    until_us: the hold's own end; None: none. For `Archive.act`.
    """

    cameras: Sequence[str]
    streams: Sequence[str]
    from_us: int
    to_us: int
    until_us: int | None
    authority: str
    placed_us: int
    person: Person


@dataclass(frozen=True, slots=True)
class HoldRelease:
    """A hold is over: by somebody's word, or by itself (person is None). For `Archive.act`: UsageError where there is none."""

    id: int
    why: HoldEnd
    ended_us: int
    person: Person | None = None


@dataclass(frozen=True, slots=True)
class HoldWarn:
    """In `days` at most, from goes_us on, max_age takes from a hold."""

    id: int
    days: int
    goes_us: int


SECRET_CHANGED = "(secret, changed)"  # noqa: S105 - what stands in the place of one
"""What an entry says in the place of a value whose secret changed, and nothing else of it."""


@dataclass(frozen=True, slots=True)
class SettingsKeep:
    """Settings are applied: the entries that say what changed, and the form that the next start compares with: JSON `{flat,
    fingerprints, salt}`. After an index was lost `flat` alone is put together from the entries again.
    """

    entries: Sequence[Entry]
    kept: str = field(repr=False)
    alarms: Sequence[AlarmRaise] = ()  # raised with them


@dataclass(frozen=True, slots=True)
class LogSeen:
    """The log of the folder as the recorder knows it by now: number and key."""

    seen: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The recorder lived and had accounted for everything up to here."""

    boot: str
    boot_us: int
    wall_us: int
    accounted_until_us: int


MediaOp = SegmentOpen | FragmentAppend | SegmentSeal
Act = (
    AlarmRaise | AlarmRefine | AlarmRepeat | AlarmEnd | AlarmAcknowledge | PauseBegin | PauseEnd | SettingsKeep | LogSeen
    | HoldPlace | HoldRelease | HoldWarn
)  # fmt: skip
"""What `act_rows` writes: alarms, pauses, settings, holds. Those of a person go through `Archive.act`, in a transaction of their own."""
IndexOp = (
    StreamSetUp | RunStart | Placement | RunEnd | SpanExtend | GapOpen | GapAdopt | GapRefine | GapClose | Entry | Heartbeat | Act
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tick:
    """One volume's work of one tick. media: in order; index: in order, committed in the same transaction as the media's
    rows. Where the volume fails, index operations are still committed if the index can be.
    """

    media: Sequence[MediaOp]
    index: Sequence[IndexOp]


@dataclass(frozen=True, slots=True)
class Failure:
    """Media of these tokens is abandoned: nothing of it is acknowledged beyond what was before."""

    tokens: frozenset[int]
    cause: Cause  # storage_full or storage_failed
    detail: str
    whole_volume: bool


@dataclass(frozen=True, slots=True)
class TickResult:
    """What became durable. acknowledged: token to durable bytes. index_committed: False where the index itself failed."""

    acknowledged: dict[int, int]
    index_committed: bool
    failure: Failure | None = None
    flush_us: int = 0
    commit_us: int = 0
