"""What the recorder asks of the archive: the operations of one tick of one volume, and what came of them.

The tick's order is that of docs/design/segment-lifecycle.md: create (O_EXCL), write, flush (`syncfs`), one index
transaction with `synchronous=FULL`, acknowledge. Operations are frozen values, made on the event loop and carried out on
the volume's I/O thread and the index's writer thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from longwatch.model.causes import Cause
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
class GapClose:
    """A gap ends; where to_us <= from_us it never was, and its row goes (the ledger keeps the story)."""

    token: int
    to_us: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the ledger (docs/ref/ledger-format.md): kind and body in canonical JSON, made by `ledger`."""

    kind: str
    body: dict[str, object]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The recorder lived and had accounted for everything up to here."""

    boot: str
    boot_us: int
    wall_us: int
    accounted_until_us: int


MediaOp = SegmentOpen | FragmentAppend | SegmentSeal
IndexOp = StreamSetUp | RunStart | Placement | RunEnd | SpanExtend | GapOpen | GapRefine | GapClose | Entry | Heartbeat


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
