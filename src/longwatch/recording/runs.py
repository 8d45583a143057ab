"""A run while it is recorded, and what a tick brings out of a stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from longwatch.archive.ops import IndexOp, MediaOp
from longwatch.causes import Evidence
from longwatch.model.stores import Provenance
from longwatch.recording.audio import AudioLine
from longwatch.recording.moments import MomentLine
from longwatch.recording.placement import Placer
from longwatch.recording.segments import OpenSegment, RunIdentity


class Stretch(NamedTuple):
    """Video of one run covers [from_us, to_us), from_us being where the span began, perhaps ticks ago.

    begins: a new span; before: what parted it from the one before. Where to_us is less than was said before, storage
    did not keep what was promised.
    """

    run: int
    from_us: int
    to_us: int
    provenance: Provenance
    begins: bool
    before: Evidence | None


@dataclass(slots=True)
class Collected:
    """What one stream brings to a tick. stretches: what its video covers. missing: what speaks for why video is missing
    now; None where it is covered, or not known yet. covered_to_us: how far this tick covers; None where it does not.
    tokens: of the segments it touches.
    """

    media: list[MediaOp] = field(default_factory=list)
    index: list[IndexOp] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    covered_to_us: int | None = None
    missing: Evidence | None = None
    tokens: set[int] = field(default_factory=set)


class Run:
    """A run that is being recorded. Media times are the run's, in 1/90000 s."""

    __slots__ = (
        "audio", "before", "begins", "boot_us", "dts0", "ends_because", "epoch", "fresh", "identity", "last_90k", "lost_since", "placer",
        "said_to_us", "segment", "sequence", "span_from_us", "span_provenance", "video_end_90k",
    )  # fmt: skip

    def __init__(self, identity: RunIdentity, placer: Placer, dts0: int, epoch: int, boot_us: int) -> None:
        self.boot_us = boot_us  # CLOCK_BOOTTIME of media time 0
        self.identity = identity
        self.placer = placer
        self.dts0 = dts0  # in the session's media time, after every shift
        self.epoch = epoch
        self.segment: OpenSegment | None = None
        self.sequence = 0
        self.last_90k = 0  # decode time of the newest sample that was taken
        self.video_end_90k = 0  # end of the newest sample that was stored
        self.span_from_us = 0
        self.span_provenance = placer.provenance
        self.begins = True  # the next stretch begins a span
        self.fresh = True  # no sample was taken since the run began or was parted
        self.before: Evidence | None = None
        self.said_to_us = 0
        self.lost_since = 0
        self.ends_because = ""
        self.audio: dict[int, AudioLine | MomentLine] = {}
