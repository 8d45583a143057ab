"""The account of one stream: spans that grow, gaps that open, are refined, split and closed. docs/design/causes.md.

Behaviour over time: each tick brings the stretches that its media covers, and, where video is missing, the evidence. A span
is extended; a gap opens where the last span ended, and closes where the next begins. The first verdict on a gap is
provisional: the first attempt after it refines the whole. A later change of cause splits it. Late footage that joins on
closes the gap where it began: it never was. A new stream is set up with the first word on it: its first picture, where that
comes at once; else where the recorder was ready. Invariant: what was said of time tiles it, from set-up to `accounted_until_us`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from longwatch.archive.ops import GapClose, GapOpen, GapRefine, IndexOp, SpanExtend, StreamSetUp
from longwatch.causes import Evidence, Restart, Verdict, decide
from longwatch.model.causes import Cause
from longwatch.model.sessions import Activity, StreamKey, StreamStatus
from longwatch.model.stores import Provenance

SEAM_US = 20_000
"""Two runs that follow each other within this are joined: a sample covers up to the next."""
_OVERLAP_US = 1_000_000
FIRST_WORD_US = 1_000_000
"""So long a new stream's time stays pending while its first session is on its way."""
_DECIDED = frozenset({Cause.NOT_SCHEDULED, Cause.STORAGE_FULL, Cause.STORAGE_FAILED, Cause.PACKETS_LOST})

gap_tokens: Iterator[int] = itertools.count(1)
"""Numbers for gaps, unique in this process."""


class Stretch(Protocol):
    """What is covered: as `recording` says it."""

    @property
    def run(self) -> int: ...
    @property
    def from_us(self) -> int: ...
    @property
    def to_us(self) -> int: ...
    @property
    def provenance(self) -> Provenance: ...
    @property
    def begins(self) -> bool: ...
    @property
    def before(self) -> Evidence | None: ...


@dataclass(frozen=True, slots=True)
class Tail:
    """What the archive knows of a stream when the process starts. until_us: where what was said of it ends.

    open_gap: token and beginning of a gap that the process before this one left open.
    """

    until_us: int
    open_gap: tuple[int, int] | None = None


class _Gap:
    __slots__ = ("after_session", "cause", "evidence", "first_attempt", "from_us", "settled", "token")

    def __init__(self, from_us: int, verdict: Verdict, *, after_session: bool) -> None:
        self.after_session = after_session
        self.first_attempt: int | None = None
        self.token = next(gap_tokens)
        self.from_us = from_us
        self.cause = verdict.cause
        self.evidence = verdict.evidence
        self.settled = verdict.cause in _DECIDED


class StreamAccount:
    """Owner of its state: the recorder's loop. restart: how the process before this one ended; None for a new stream.

    set_up: whether the archive knows already since when this stream is answered for.
    """

    def __init__(
        self, key: StreamKey, tail: Tail, restart: Restart | None, ready_us: int, *, set_up: bool = True
    ) -> None:
        self.key = key
        self._set_up = set_up
        self.accounted_until_us = tail.until_us
        self._tail = tail
        self._restart = restart
        self._ready_us = ready_us
        self._starting = True
        self._end_us = tail.until_us
        self._gap: _Gap | None = None
        self._run = -1
        self._said_from_us = 0  # of the current span, as the recorder names it
        self._span_from_us = 0  # of the current span, as its row names it
        self._provenance = Provenance.INFERRED
        self._before_us = tail.until_us  # what was accounted for before this tick's media
        self._owed: list[IndexOp] = []
        self._ops: list[IndexOp] = []

    @property
    def provenance(self) -> Provenance:
        """How far the time of the current span is to be believed."""
        return self._provenance

    @property
    def starting(self) -> bool:
        """Whether nothing of this stream has come yet in this process."""
        return self._starting

    @property
    def gap(self) -> tuple[Cause, int] | None:
        """The cause of the open gap and its beginning."""
        return None if self._gap is None else (self._gap.cause, self._gap.from_us)

    def tick(
        self,
        now_us: int,
        stretches: Sequence[Stretch],
        missing: Evidence | None,
        status: StreamStatus | None,
        not_planned: str,
    ) -> list[IndexOp]:
        """What this tick says of the stream, as operations for the same transaction as its media.

        now_us: wall time. missing: what speaks for why video is missing now; None while it is covered.
        """
        ops, self._owed = self._owed, []
        self._ops = ops
        self._before_us = min([self.accounted_until_us, *(stretch.from_us for stretch in stretches if stretch.begins)])
        if self._tail.open_gap is not None:
            token, from_us = self._tail.open_gap
            ops.append(GapClose(token, max(from_us, self._end_us)))
            self._tail = Tail(self._end_us)
        for stretch in stretches:
            self._cover(stretch)
        if missing is not None:
            self._miss(now_us, self._gather(missing, status, not_planned), status)
        if self._gap is not None:
            self.accounted_until_us = max(now_us, self._gap.from_us)
        else:
            self.accounted_until_us = min(self._end_us, now_us) if self._run >= 0 else self._end_us
        return ops

    def _begin(self, at_us: int) -> None:
        """The first word on a new stream: from here on it is set up."""
        self._set_up = True
        self._ops.append(StreamSetUp(self.key, at_us))

    # ---- spans --------------------------------------------------------------------------------------------------------

    def _cover(self, stretch: Stretch) -> None:
        if stretch.run != self._run or stretch.from_us != self._said_from_us or stretch.begins:
            self._begin_span(stretch)
        elif self._gap is not None and stretch.to_us > self._gap.from_us:
            self._close(self._gap.from_us)
        self._starting = False
        self._restart = None
        if self._gap is None and stretch.to_us > self._span_from_us:
            self._ops.append(
                SpanExtend(self.key, stretch.run, self._span_from_us, stretch.to_us, stretch.provenance)
            )  # fmt: skip
            self._end_us = stretch.to_us

    def _begin_span(self, stretch: Stretch) -> None:
        from_us = stretch.from_us
        late_us = from_us - self._end_us
        goes_on = False
        if not self._set_up:
            self._begin(from_us)
        elif self._gap is not None:
            self._close(from_us)
        elif 0 < late_us <= SEAM_US and self._run >= 0:
            self._ops.append(SpanExtend(self.key, self._run, self._span_from_us, from_us, self._provenance))
            goes_on = (stretch.run, stretch.provenance) == (self._run, self._provenance)
        elif late_us > 0:
            self._open(self._end_us, decide(self._unstarted(stretch.before or Evidence())))
            self._close(from_us)
        if goes_on:
            from_us = self._span_from_us  # one row, however often a camera of 400 pictures a second loses one
        elif 0 < self._end_us - from_us < _OVERLAP_US and stretch.to_us > self._end_us:
            from_us = self._end_us
        self._run = stretch.run
        self._said_from_us = stretch.from_us
        self._span_from_us = from_us
        self._provenance = stretch.provenance

    def storage_failed(self, cause: Cause, detail: str) -> None:
        """The last tick's media was not kept, and the archive left its spans out: what they said is a gap, from the next tick on."""
        verdict = decide(Evidence(storage=cause, storage_detail=detail))
        from_us = self._before_us
        gap, self._ops = self._gap, []
        if not self._set_up:
            self._begin(from_us)
        if gap is None:
            self._open(from_us, verdict)
        elif from_us < gap.from_us:
            token = next(gap_tokens)
            self._ops.append(GapOpen(token, self.key, from_us, verdict.cause, verdict.evidence))
            self._ops.append(GapClose(token, gap.from_us))
        self._owed.extend(self._ops)

    # ---- gaps ---------------------------------------------------------------------------------------------------------

    def _gather(self, missing: Evidence, status: StreamStatus | None, not_planned: str) -> Evidence:
        """All that is known: what the recorder saw, what the source says now, how the process before this one ended."""
        evidence = self._unstarted(missing)
        if not_planned:
            return replace(evidence, not_planned=not_planned)
        if status is not None and status.fault is not None and status.activity is not Activity.STREAMING:
            return replace(
                evidence, not_planned="", fault=status.fault, detail=status.detail, attempts=status.attempt, dropped_bytes=0
            )  # fmt: skip
        return evidence

    def _unstarted(self, evidence: Evidence) -> Evidence:
        return replace(evidence, restart=self._restart, starting=True) if self._starting else evidence

    def _miss(self, now_us: int, evidence: Evidence, status: StreamStatus | None) -> None:
        if self._gap is None and self._restart is not None:
            self._open(min(self._end_us, now_us), decide(Evidence(restart=self._restart)))
        verdict = decide(evidence)
        gap = self._gap
        if not self._set_up:
            on_its_way = verdict.cause is Cause.POST_STOPPED and now_us - self._ready_us < FIRST_WORD_US
            if on_its_way:
                return
            self._begin(min(self._end_us, now_us))
        if gap is None:
            gap = self._open(min(self._end_us, now_us), verdict)
            gap.settled = _told_anew(gap, status) or gap.settled
        elif verdict.cause is not gap.cause:
            self._change(gap, verdict, now_us, status)
        elif not gap.settled and _told_anew(gap, status):
            gap.settled = True
            if verdict.evidence != gap.evidence:
                self._refine(gap, verdict)

    def _change(self, gap: _Gap, verdict: Verdict, now_us: int, status: StreamStatus | None) -> None:
        """Later evidence names another cause: it refines the whole gap once, and splits it from then on."""
        if verdict.cause is Cause.UNKNOWN:
            return
        if self._restart is not None and gap.from_us < self._ready_us:
            self._restart = None
            self._close(self._ready_us)
            self._open(self._ready_us, verdict)
        elif gap.settled or verdict.cause in _DECIDED:
            self._close(now_us)
            self._open(now_us, verdict)
        else:
            gap.settled = _told_anew(gap, status)
            self._refine(gap, verdict)

    def _refine(self, gap: _Gap, verdict: Verdict) -> None:
        gap.cause, gap.evidence = verdict
        self._ops.append(GapRefine(gap.token, verdict.cause, verdict.evidence))

    def _open(self, from_us: int, verdict: Verdict) -> _Gap:
        gap = self._gap = _Gap(from_us, verdict, after_session=not self._starting)
        self._ops.append(GapOpen(gap.token, self.key, from_us, verdict.cause, verdict.evidence))
        return gap

    def _close(self, to_us: int) -> None:
        gap, self._gap = self._gap, None
        assert gap is not None
        self._ops.append(GapClose(gap.token, to_us))
        self._end_us = max(gap.from_us, to_us)

    def clock_stepped(self, before_us: int, after_us: int) -> list[IndexOp]:
        """The host's clock was set. Back: an open gap ends by the old clock and goes on by the new one."""
        self._ops = []
        gap = self._gap
        if after_us < before_us and gap is not None:
            verdict = Verdict(gap.cause, gap.evidence)
            settled = gap.settled
            self._close(before_us)
            self._open(after_us, verdict).settled = settled
        self._ready_us = min(self._ready_us, after_us)
        return self._ops


def _told_anew(gap: _Gap, status: StreamStatus | None) -> bool:
    """Whether an attempt has failed since the gap began, and not only the session that ended with it."""
    if status is None or status.fault is None or status.activity is Activity.STREAMING:
        return False
    if not gap.after_session:
        return True
    if gap.first_attempt is None:
        gap.first_attempt = status.attempt
        return False
    return status.attempt != gap.first_attempt
