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
from dataclasses import replace
from typing import Protocol

from longwatch.accounting.silence import (
    HOLD_US,
    NOTHING_KNOWN,
    REFINED_AT_MOST,
    Gap,
    Known,
    Silence,
    Tail,
    essence,
)  # fmt: skip
from longwatch.archive.ops import GapAdopt, GapClose, GapOpen, GapRefine, IndexOp, SpanExtend, StreamSetUp
from longwatch.causes import RESTART_US, Evidence, Restart, TakenBack, Verdict, decide, restarted, takes_back, went_on
from longwatch.model.causes import PLANNED, Cause
from longwatch.model.sessions import Activity, Fault, StreamKey, StreamStatus
from longwatch.model.stores import Provenance

SEAM_US = 20_000
"""Two runs that follow each other within this are joined: a sample covers up to the next."""
_OVERLAP_US = 1_000_000
FIRST_WORD_US = 1_000_000
"""So long a new stream's time stays pending while its first session is on its way."""
SAME_EVENT_US = 90_000_000
"""What the surroundings tell within this of a gap's beginning speaks for all of it."""
_DECIDED = PLANNED | {Cause.STORAGE_FULL, Cause.STORAGE_FAILED, Cause.PACKETS_LOST}
_MAY_BE_OFF = frozenset({Cause.CAMERA_UNREACHABLE, Cause.STREAM_STALLED, Cause.CAMERA_SWITCHED_OFF})

_OURS = frozenset({Fault.MASKING, Fault.NO_SECRET})

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
        self._restart = restart
        self._ready_us = ready_us
        self._starting = True
        self._end_us = tail.until_us
        self._gap: Gap | None = None
        self._silence = Silence()
        for past in tail.past:
            self._silence.gaps.append(
                Gap(next(gap_tokens), past.from_us, past.cause, dict(past.evidence), past.to_us, True, row=past.id)
            )
        self._now_us = self._boot_us = 0
        self._dismissed: Verdict | None = None  # of a gap that late footage closed in this tick, in part perhaps
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

    @property
    def evidence(self) -> dict[str, object]:
        """Of the open gap, as its entry has it; empty where there is none."""
        return {} if self._gap is None else dict(self._gap.evidence)

    @property
    def dark_since_us(self) -> int | None:
        """Wall time since when there is no footage, over all the causes that this had; None while there is."""
        if self._gap is None:
            return None
        return self._silence.gaps[0].from_us if self._silence.gaps else self._gap.from_us

    def tick(
        self,
        now_us: int,
        stretches: Sequence[Stretch],
        missing: Evidence | None,
        status: StreamStatus | None,
        not_planned: str,
        known: Known | None = None,
    ) -> list[IndexOp]:
        """What this tick says of the stream, as operations for the same transaction as its media.

        now_us: wall time. missing: what speaks for why video is missing now; None while it is covered. known: of the world
        around the stream, where video is missing.
        """
        known = known or NOTHING_KNOWN
        self._ops, self._owed = self._owed, []
        self._before_us = min([self.accounted_until_us, *(stretch.from_us for stretch in stretches if stretch.begins)])
        self._now_us = now_us
        self._dismissed = None
        self._boot_us = now_us if known.boot_us is None else known.boot_us
        for stretch in stretches:
            self._cover(stretch)
        if missing is not None:
            self._miss(now_us, self._gather(now_us, missing, status, not_planned, known), status)
        return self._said(now_us)

    def _said(self, now_us: int) -> list[IndexOp]:
        if self._gap is not None:
            self.accounted_until_us = max(now_us, self._gap.from_us)
        else:
            self.accounted_until_us = min(self._end_us, now_us) if self._run >= 0 else self._end_us
        said, self._ops = self._ops, []
        return said

    def plainly(self, now_us: int, stretches: Sequence[Stretch], *, missing: bool, why: str) -> list[IndexOp]:
        """The same tick after an error of ours ended `tick`: what that had said stands, and the rest is said without judging it.
        Footage covers, and what is missing is this recorder's failure. why: the error.
        """
        verdict = Verdict(Cause.RECORDER_FAILED, {"detail": why})
        owed, self._owed = self._owed, []
        self._ops += owed
        self._now_us = now_us
        for stretch in stretches:
            self._cover_plainly(stretch, verdict)
        if missing and self._gap is None:
            if not self._set_up:
                self._begin(min(self._end_us, now_us))
            self._open(min(self._end_us, now_us), verdict)
        return self._said(now_us)

    def _cover_plainly(self, stretch: Stretch, verdict: Verdict) -> None:
        gap = self._gap
        if stretch.to_us <= (self._end_us if gap is None else gap.from_us):
            return  # it was said before the error
        if not self._set_up:
            self._begin(stretch.from_us)
        elif gap is not None:
            self._close(max(gap.from_us, stretch.from_us))
        elif stretch.from_us > self._end_us:
            self._open(self._end_us, verdict)
            self._close(stretch.from_us)
        if stretch.run != self._run or stretch.from_us != self._said_from_us or stretch.begins:
            self._run, self._provenance = stretch.run, stretch.provenance
            self._said_from_us = self._span_from_us = stretch.from_us
        self._ops.append(SpanExtend(self.key, stretch.run, self._span_from_us, stretch.to_us, stretch.provenance))
        self._starting, self._restart = False, None
        self._end_us = stretch.to_us
        self._silence.over()

    def _begin(self, at_us: int) -> None:
        """The first word on a new stream: from here on it is set up."""
        self._set_up = True
        self._ops.append(StreamSetUp(self.key, at_us))

    # ---- spans --------------------------------------------------------------------------------------------------------

    def _cover(self, stretch: Stretch) -> None:
        if stretch.run != self._run or stretch.from_us != self._said_from_us or stretch.begins:
            self._begin_span(stretch)
        elif self._gap is not None and stretch.to_us > self._gap.from_us:
            self._dismissed = self._gap.verdict
            self._close(self._gap.from_us)
        self._starting = False
        self._restart = None
        if self._gap is None and stretch.to_us > self._span_from_us:
            self._ops.append(
                SpanExtend(self.key, stretch.run, self._span_from_us, stretch.to_us, stretch.provenance)
            )  # fmt: skip
            self._end_us = stretch.to_us
            self._silence.over()

    def _begin_span(self, stretch: Stretch) -> None:
        from_us = stretch.from_us
        late_us = from_us - self._end_us
        goes_on = False
        if not self._set_up:
            self._begin(from_us)
        elif self._gap is not None:
            self._close(from_us)
            self._came_back(from_us, fresh=stretch.run != self._run)
        elif 0 < late_us <= SEAM_US and self._run >= 0:
            self._ops.append(SpanExtend(self.key, self._run, self._span_from_us, from_us, self._provenance))
            goes_on = (stretch.run, stretch.provenance) == (self._run, self._provenance)
        elif late_us > 0:
            self._open(self._end_us, self._dismissed or decide(self._unstarted(stretch.before or Evidence())))
            self._close(from_us)
            self._came_back(from_us, fresh=stretch.run != self._run)
        if goes_on:
            from_us = self._span_from_us  # one row, however often a camera of 400 pictures a second loses one
        elif 0 < self._end_us - from_us < _OVERLAP_US and stretch.to_us > self._end_us:
            from_us = self._end_us
        self._run = stretch.run
        self._said_from_us = stretch.from_us
        self._span_from_us = from_us
        self._provenance = stretch.provenance

    def storage_failed(self, cause: Cause, detail: str) -> None:
        """The last tick's media was not kept, and the archive left its spans out: what they said is a gap, from the next tick on.
        Until that is written, nothing is accounted for beyond its beginning.
        """
        verdict = decide(Evidence(storage=cause, storage_detail=detail))
        from_us = self._before_us
        self.accounted_until_us = min(self.accounted_until_us, from_us)
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
        self._ops = []

    # ---- gaps ---------------------------------------------------------------------------------------------------------

    def _gather(
        self, now_us: int, missing: Evidence, status: StreamStatus | None, not_planned: str, known: Known
    ) -> Evidence:
        """All that is known: what the recorder saw, what the source says now, what is around, how the process before this one
        ended.
        """
        evidence = self._unstarted(missing)
        wall_minus_boot_us = now_us - self._boot_us
        if not_planned:
            return replace(evidence, not_planned=not_planned, pause=known.pause)
        seen_us = now_us
        if status is not None and status.fault is not None and status.activity is not Activity.STREAMING:
            evidence = replace(
                evidence, not_planned="", pause=None, fault=status.fault, detail=status.detail, attempts=status.attempt,
                dropped_bytes=0,
            )  # fmt: skip
            if known.boot_us is not None:
                seen_us = min(now_us, status.since_boot_us + wall_minus_boot_us)
        learnt_us, heard = self._silence.hear(evidence, seen_us)
        began_us = self._silence.began_boot_us
        if began_us is None:
            began_us = self._boot_us - max(0, now_us - self._end_us)
        return replace(
            evidence, around=known.around, power_plan=known.power_plan, dark_boot_us=began_us,
            wall_minus_boot_us=wall_minus_boot_us, learnt_us=learnt_us, heard=heard, durable_us=known.durable_us,
        )  # fmt: skip

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
            self._change(gap, verdict, evidence, now_us, status)
        elif not gap.settled and _told_anew(gap, status):
            gap.settled = True
            if verdict.evidence != gap.evidence:
                self._refine(gap, verdict)
        else:
            self._say_more(gap, verdict)

    def _say_more(self, gap: Gap, verdict: Verdict) -> None:
        """The cause is the same; where what speaks for it means something new, and goes on to, it is said."""
        if essence(verdict) == essence(gap.verdict) or gap.cause in _DECIDED or gap.refined >= REFINED_AT_MOST:
            self._silence.steady()
        elif (
            gap.cause is Cause.CAMERA_SWITCHED_OFF
            and verdict.evidence.get("inferred")
            and "inferred" not in gap.evidence
        ):
            self._silence.steady()  # what a switch said is not weakened by what a neighbour lets one guess
        elif self._silence.holds((verdict.cause, essence(verdict)), self._boot_us):
            self._refine(gap, verdict)

    def _change(self, gap: Gap, verdict: Verdict, evidence: Evidence, now_us: int, status: StreamStatus | None) -> None:
        """Later evidence names another cause: it refines the whole gap once, and splits it from then on."""
        if verdict.cause is Cause.UNKNOWN:
            return
        if self._restart is not None and gap.from_us < self._ready_us:
            self._restart = None
            self._close(self._ready_us)
            self._open(self._ready_us, verdict)
        elif {gap.cause, verdict.cause} <= _MAY_BE_OFF and (
            Cause.CAMERA_SWITCHED_OFF in {gap.cause, verdict.cause} or gap.evidence.get("fault") == evidence.fault
        ):
            self._surroundings_say(gap, verdict, evidence, now_us, status)
        elif gap.settled or verdict.cause in _DECIDED:
            self._close(now_us)
            self._open(now_us, verdict)
        else:
            gap.settled = _told_anew(gap, status) or _is_sure(verdict)
            self._refine(gap, verdict)

    def _surroundings_say(
        self, gap: Gap, verdict: Verdict, evidence: Evidence, now_us: int, status: StreamStatus | None
    ) -> None:
        """The session says nothing new, and the surroundings do: of the same event, or from now on."""
        word = (verdict.cause, essence(verdict))
        if gap.cause is Cause.CAMERA_SWITCHED_OFF:
            back = takes_back(gap.evidence, evidence, self._boot_us - gap.since_boot_us)
            if back is TakenBack.NOTHING:
                self._silence.steady()
                return
            whole, hold_us = back is TakenBack.ALL, HOLD_US
        elif verdict.cause is Cause.CAMERA_SWITCHED_OFF:
            whole = now_us - gap.from_us <= SAME_EVENT_US and not gap.excused
            hold_us = RESTART_US if gap.excused else HOLD_US  # its neighbours may only have started sooner
        else:
            whole, hold_us = now_us - gap.from_us <= SAME_EVENT_US and "finding" in verdict.evidence, HOLD_US
        if not self._silence.holds(word, self._boot_us, hold_us):
            return
        if whole and gap.refined < REFINED_AT_MOST:
            gap.settled = gap.settled or _told_anew(gap, status)
            self._refine(gap, verdict)
        else:
            self._close(now_us)
            self._open(now_us, verdict).settled = True

    def _refine(self, gap: Gap, verdict: Verdict) -> None:
        if gap.row is not None:
            self._ops.append(GapAdopt(gap.token, self.key, gap.row, gap.from_us))
            gap.row = None
        if verdict.cause is not gap.cause:
            gap.since_boot_us = self._boot_us
        gap.cause, gap.evidence = verdict
        gap.refined += 1
        self._ops.append(GapRefine(gap.token, verdict.cause, verdict.evidence))

    def _came_back(self, at_us: int, *, fresh: bool) -> None:
        """Footage again. fresh: of a new session. What was a restart of the camera, or never off, is now known to be that."""
        from_us = self._silence.dark_from_us(at_us)
        for gap in list(self._silence.since(from_us)):
            verdict = restarted(gap.cause, gap.evidence, at_us - from_us) if fresh else went_on(gap.cause, gap.evidence)
            if verdict is not None:
                self._refine(gap, verdict)
        self._silence.over()

    def _open(self, from_us: int, verdict: Verdict) -> Gap:
        gap = self._gap = Gap(
            next(gap_tokens), from_us, verdict.cause, verdict.evidence, settled=_is_sure(verdict),
            after_session=not self._starting, since_boot_us=self._boot_us,
        )  # fmt: skip
        if self._silence.began_boot_us is None:
            self._silence.began_boot_us = self._boot_us - max(0, self._now_us - from_us)
        self._silence.gaps.append(gap)
        self._ops.append(GapOpen(gap.token, self.key, from_us, verdict.cause, verdict.evidence))
        return gap

    def _close(self, to_us: int) -> None:
        gap, self._gap = self._gap, None
        assert gap is not None
        gap.to_us = to_us
        if to_us <= gap.from_us and self._silence.gaps and self._silence.gaps[-1] is gap:
            self._silence.gaps.pop()
        self._ops.append(GapClose(gap.token, to_us))
        self._end_us = max(gap.from_us, to_us)

    def clock_stepped(self, before_us: int, after_us: int) -> list[IndexOp]:
        """The host's clock was set. Back: an open gap ends by the old clock and goes on by the new one."""
        self._ops = []
        gap = self._gap
        if after_us < before_us and gap is not None:
            verdict, settled = gap.verdict, gap.settled
            self._close(before_us)
            self._silence.gaps.clear()
            self._open(after_us, verdict).settled = settled
        return self.stepped_plainly(after_us)

    def stepped_plainly(self, after_us: int) -> list[IndexOp]:
        """The same after an error of ours ended `clock_stepped`: what that had said stands, and nothing more is said."""
        self._ready_us = min(self._ready_us, after_us)
        said, self._ops = self._ops, []
        return said


def _is_sure(verdict: Verdict) -> bool:
    """Whether the first word on a gap needs no attempt to be borne out: a child of ours that ended did end, and who is not asked is not asked."""
    return verdict.cause in _DECIDED or verdict.evidence.get("fault") in _OURS


def _told_anew(gap: Gap, status: StreamStatus | None) -> bool:
    """Whether an attempt has failed since the gap began, and not only the session that ended with it."""
    if status is None or status.fault is None or status.activity is Activity.STREAMING:
        return False
    if not gap.after_session:
        return True
    if gap.first_attempt is None:
        gap.first_attempt = status.attempt
        return False
    return status.attempt != gap.first_attempt
