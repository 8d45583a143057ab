"""When something is raised, said again, and over: a state machine over what the recorder sees each second. docs/design/alarms.md.

Behaviour over time, all of it on CLOCK_BOOTTIME: what lasts is raised after a while (`RAISE_AFTER_US`), goes on while it lasts, and ends
once it has been well for `BACK_US`; each end within the last hour doubles that, up to `MOST_BACK_US`, so that a camera which flaps
is one alarm that goes on, and not one a minute. What was done or lost stands until somebody acknowledges it. Said again after a
minute, an hour, a day, then daily, until it is over or acknowledged. What can only be known by its end (an unexplained gap) is
told by `gap_told`. Takes values and gives operations of `archive.ops`; no I/O. One owner of the state: the recorder's loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from longwatch.archive.ops import (
    Act,
    AlarmEnd,
    AlarmRaise,
    AlarmRefine,
    AlarmRepeat,
    GapClose,
    GapOpen,
    GapRefine,
    IndexOp,
)
from longwatch.model.alarms import ENDS_BY_ITSELF, Alarm, AlarmKind
from longwatch.model.causes import Cause

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US
SILENT_US = 10 * SECOND_US
RAISE_AFTER_US: Mapping[AlarmKind, int] = {AlarmKind.CAMERA_SILENT: SILENT_US}
BACK_US: Mapping[AlarmKind, int] = {
    AlarmKind.CAMERA_SILENT: 5 * SECOND_US,
    AlarmKind.STORAGE: 5 * SECOND_US,
    AlarmKind.UNCONFIRMED_REMOVED: DAY_US,
    AlarmKind.POST_SILENT: 5 * SECOND_US,
    AlarmKind.CAMERA_BLIND: 5 * SECOND_US,
}
MOST_BACK_US = 600 * SECOND_US
REPEATS_US = (60 * SECOND_US, HOUR_US, DAY_US)
"""After the raising; then daily."""
REFINE_AGAIN_US = 60 * SECOND_US
MOST_REFINE_US = HOUR_US
STOOD_STILL_US = 2 * SECOND_US
AFTER_POWER_CUT_US = 90 * SECOND_US
"""A post that comes up after a power cut has its cameras coming up too: so long none of them is silent."""
MOST_GAPS_FOLLOWED = 10_000


class Subject(NamedTuple):
    """What an alarm is about. name: the camera's id, a volume, "stop", "settings"."""

    kind: AlarmKind
    name: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something is wrong now. since_us: wall time. facts: what else the entry says."""

    subject: Subject
    since_us: int
    camera: str = ""
    cause: str = ""
    evidence: Mapping[str, object] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """All that was looked at in one moment. What was looked at before and is in none of these is there no more, and is over.

    troubles: wrong now. well: looked at and well. resting: planned so, with the reason. unclear: cannot be told just now: nothing
    is raised, and nothing ends.
    """

    troubles: Sequence[Trouble] = ()
    well: frozenset[Subject] = frozenset()
    resting: Mapping[Subject, str] = field(default_factory=dict)
    unclear: frozenset[Subject] = frozenset()


@dataclass(slots=True)
class _Standing:
    """An alarm whose trouble lasts."""

    id: int
    cause: str
    repeats: int
    due_boot_us: int
    acknowledged: bool = False
    well_since_us: int | None = None
    returns: int = 0
    refine_at_us: int = 0
    refine_wait_us: int = 0
    facts: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class _Unexplained:
    """A gap whose cause is unknown as yet. alarm: the one that speaks of it, or spoke; 0 where none does."""

    camera: str
    from_us: int
    told_us: int
    alarm: int = 0
    missing_us: int = 0


class Alarms:
    """See the module. standing: as the archive kept them. ready_boot_us: when this recorder began to look.

    after_power_cut: the host started anew, and with it maybe the cameras.
    """

    def __init__(
        self, standing: Iterable[Alarm], next_id: int, wall_us: int, boot_us: int, *, after_power_cut: bool = False
    ) -> None:
        self._next_id = next_id
        self._not_before_us = boot_us + AFTER_POWER_CUT_US if after_power_cut else 0
        self._silent_since: dict[Subject, int] = {}
        self._ends: dict[Subject, deque[int]] = {}
        self._began_us = self._looked_us = boot_us
        self._unknown: dict[int, _Unexplained] = {}  # gaps that are open, by their token
        self._ended_unknown: dict[int, _Unexplained] = {}  # those that are over and may still be explained
        self._standing: dict[Subject, _Standing] = {}
        for alarm in standing:
            self._restore(alarm, wall_us, boot_us)

    def _restore(self, alarm: Alarm, wall_us: int, boot_us: int) -> None:
        """The same alarm goes on. What was due while the post was away is said once; a clock that was set moves nothing far."""
        wait_us = _until_repeat_us(alarm.repeats)
        due_us = alarm.raised_us + sum(_until_repeat_us(n) for n in range(alarm.repeats + 1))
        kept = _Standing(
            alarm.id, alarm.cause, alarm.repeats, boot_us + min(max(due_us - wall_us, 0), wait_us),
            alarm.acknowledged is not None,
        )  # fmt: skip
        if alarm.kind is AlarmKind.UNKNOWN_CAUSE:
            kept.facts = {name: alarm.body[name] for name in ("gaps", "missing_us") if name in alarm.body}
        self._standing[Subject(alarm.kind, alarm.subject)] = kept

    # ---- what lasts -------------------------------------------------------------------------------------------------

    def look(self, seen: Seen, boot_us: int, wall_us: int) -> list[Act]:
        """One look at everything, about once a second."""
        done: list[Act] = []
        self._not_counting(boot_us)
        looked_at = {trouble.subject for trouble in seen.troubles}
        for trouble in seen.troubles:
            done += self._trouble(trouble, boot_us, wall_us)
        for subject in seen.well:
            done += self._well(subject, boot_us, wall_us)
        for subject, why in seen.resting.items():
            done += self._over(subject, wall_us, why)
        known = looked_at | seen.well | seen.resting.keys() | seen.unclear
        for subject in [s for s in (*self._standing, *self._silent_since) if s.kind in _LOOKED_AT and s not in known]:
            done += self._over(subject, wall_us, "it is not there any more")
        done += self._linger(AlarmKind.UNCONFIRMED_REMOVED, boot_us, wall_us)
        done += self._still_unknown(boot_us, wall_us)
        done += self._repeat(boot_us)
        return done

    def _not_counting(self, boot_us: int) -> None:
        """A while in which nobody looked (this process stood still) is no silence of a camera."""
        away_us = boot_us - self._looked_us - SECOND_US
        if away_us > STOOD_STILL_US:
            self._began_us = boot_us
            self._silent_since = {subject: since_us + away_us for subject, since_us in self._silent_since.items()}
        self._looked_us = boot_us

    def _trouble(self, trouble: Trouble, boot_us: int, wall_us: int) -> list[Act]:
        subject = trouble.subject
        standing = self._standing.get(subject)
        if standing is not None:
            if standing.well_since_us is not None:
                standing.well_since_us = None
                standing.returns += 1
            return self._refine(standing, trouble, boot_us)
        since_us = self._silent_since.get(subject)
        if since_us is None:
            ago_us = min(
                max(wall_us - trouble.since_us, 0), SILENT_US, boot_us - self._began_us
            )  # not before we looked
            since_us = self._silent_since[subject] = boot_us - ago_us
        if boot_us - since_us < RAISE_AFTER_US.get(subject.kind, 0) or boot_us < self._held_until(subject.kind):
            return []
        return [self._raise(trouble, boot_us, wall_us)]

    def _held_until(self, kind: AlarmKind) -> int:
        return self._not_before_us if kind is AlarmKind.CAMERA_SILENT else 0

    def _raise(self, trouble: Trouble, boot_us: int, wall_us: int) -> AlarmRaise:
        self._silent_since.pop(trouble.subject, None)
        standing = _Standing(self._next_id, trouble.cause, 0, boot_us + _until_repeat_us(0))
        standing.facts = dict(trouble.facts) if trouble.subject.kind is AlarmKind.UNKNOWN_CAUSE else {}
        self._next_id += 1
        self._standing[trouble.subject] = standing
        return AlarmRaise(
            standing.id, trouble.subject.kind, trouble.camera, trouble.subject.name, wall_us, min(trouble.since_us, wall_us),
            trouble.cause, trouble.evidence, trouble.facts,
        )  # fmt: skip

    def _refine(self, standing: _Standing, trouble: Trouble, boot_us: int) -> list[Act]:
        """The cause is followed: at once the first time, then at longer and longer intervals, where it goes to and fro."""
        if trouble.cause == standing.cause or boot_us < standing.refine_at_us:
            return []
        standing.refine_wait_us = min(max(2 * standing.refine_wait_us, REFINE_AGAIN_US), MOST_REFINE_US)
        standing.refine_at_us = boot_us + standing.refine_wait_us
        standing.cause = trouble.cause
        return [AlarmRefine(standing.id, trouble.cause, trouble.evidence)]

    def _well(self, subject: Subject, boot_us: int, wall_us: int) -> list[Act]:
        self._silent_since.pop(subject, None)
        standing = self._standing.get(subject)
        if standing is None:
            return []
        if standing.well_since_us is None:
            standing.well_since_us = boot_us
        if boot_us - standing.well_since_us < self._back_us(subject, boot_us):
            return []
        self._ends.setdefault(subject, deque(maxlen=16)).append(boot_us)
        return self._over(subject, wall_us, "it is back")

    def _back_us(self, subject: Subject, boot_us: int) -> int:
        ends = self._ends.get(subject, ())
        lately = sum(1 for end_us in ends if boot_us - end_us < HOUR_US)
        back_us = BACK_US.get(subject.kind, 0)
        return max(back_us, min(back_us << lately, MOST_BACK_US))

    def _over(self, subject: Subject, wall_us: int, why: str) -> list[Act]:
        self._silent_since.pop(subject, None)
        standing = self._standing.pop(subject, None)
        if standing is None:
            return []
        return [AlarmEnd(standing.id, wall_us, why, {"returns": standing.returns})]

    def _linger(self, kind: AlarmKind, boot_us: int, wall_us: int) -> list[Act]:
        """What is told by events is well between them; it ends once none has come for long."""
        done: list[Act] = []
        for subject in [s for s in self._standing if s.kind is kind]:
            done += self._well(subject, boot_us, wall_us)
        return done

    # ---- what was done or lost --------------------------------------------------------------------------------------

    def told(self, trouble: Trouble, boot_us: int, wall_us: int) -> list[Act]:
        """Something happened that somebody must deal with. Where the same stands already it goes on, and counts."""
        standing = self._standing.get(trouble.subject)
        if standing is None:
            return [self._raise(trouble, boot_us, wall_us)]
        standing.well_since_us = None
        standing.returns += 1
        return []

    def gap_told(self, camera: str, said: Sequence[IndexOp], boot_us: int, wall_us: int) -> list[Act]:
        """What a tick says of a camera's gaps. One that ends unexplained is an alarm; so is one that stays so (`look`)."""
        done: list[Act] = []
        for op in said:
            if isinstance(op, (GapOpen, GapRefine)):
                unexplained = op.cause is Cause.UNKNOWN and "clock_step_us" not in op.evidence
                if not unexplained:
                    gap = self._unknown.pop(op.token, None) or self._ended_unknown.pop(op.token, None)
                    done += self._explained(gap, wall_us)
                elif isinstance(op, GapOpen) and len(self._unknown) < MOST_GAPS_FOLLOWED:
                    self._unknown[op.token] = _Unexplained(camera, op.from_us, boot_us)
            elif isinstance(op, GapClose) and op.token in self._unknown:
                gap = self._unknown.pop(op.token)
                if op.to_us > gap.from_us:
                    gap.missing_us = op.to_us - gap.from_us
                    done += self._count(gap, boot_us, wall_us)
                    self._ended_unknown[op.token] = gap
                    if len(self._ended_unknown) > MOST_GAPS_FOLLOWED:
                        del self._ended_unknown[next(iter(self._ended_unknown))]
                else:
                    done += self._explained(gap, wall_us)
        return done

    def _still_unknown(self, boot_us: int, wall_us: int) -> list[Act]:
        """Open, and unexplained for as long as a silent camera is given."""
        done: list[Act] = []
        for gap in self._unknown.values():
            if not gap.alarm and boot_us - gap.told_us >= SILENT_US:
                done += self._count(gap, boot_us, wall_us)
        return done

    def _count(self, gap: _Unexplained, boot_us: int, wall_us: int) -> list[Act]:
        """One alarm a camera: while it stands, further gaps are counted and told with its repetitions."""
        subject = Subject(AlarmKind.UNKNOWN_CAUSE, gap.camera)
        standing = self._standing.get(subject)
        if gap.alarm:  # told before it ended: it is longer than was said
            if standing is not None and standing.id == gap.alarm:
                self._correct(standing, 0, gap.missing_us)
            return []
        if standing is None:
            gap.alarm = self._next_id
            facts = {"gaps": 1, "missing_us": gap.missing_us}
            trouble = Trouble(subject, gap.from_us, gap.camera, str(Cause.UNKNOWN), facts=facts)
            return [self._raise(trouble, boot_us, wall_us)]
        gap.alarm = standing.id
        self._correct(standing, 1, gap.missing_us)
        return []

    @staticmethod
    def _correct(standing: _Standing, gaps: int, missing_us: int) -> int:
        """Count more, or fewer. Returns how many gaps it speaks of now."""
        left = _number(standing.facts.get("gaps")) + gaps
        standing.facts = {"gaps": left, "missing_us": _number(standing.facts.get("missing_us")) + missing_us}
        return left

    def _explained(self, gap: _Unexplained | None, wall_us: int) -> list[Act]:
        """Later evidence named the cause of a gap that was counted: it counts no more, and where it was the only one nothing is
        unexplained.
        """
        subject = Subject(AlarmKind.UNKNOWN_CAUSE, gap.camera if gap is not None else "")
        standing = self._standing.get(subject)
        if gap is None or standing is None or standing.id != gap.alarm:
            return []
        if self._correct(standing, -1, -gap.missing_us) > 0:
            return []
        return self._over(subject, wall_us, "it is explained now")

    # ---- again and again --------------------------------------------------------------------------------------------

    def _repeat(self, boot_us: int) -> list[Act]:
        done: list[Act] = []
        for standing in self._standing.values():
            if standing.acknowledged or boot_us < standing.due_boot_us:
                continue
            standing.repeats += 1
            next_us = _until_repeat_us(standing.repeats)
            standing.due_boot_us = max(standing.due_boot_us, boot_us - next_us) + next_us
            facts = {**standing.facts, "returns": standing.returns} if standing.returns else standing.facts
            done.append(AlarmRepeat(standing.id, standing.repeats, dict(facts)))
        return done

    def acknowledged(self, alarm: int) -> None:
        """Somebody dealt with it, durably. What ends by itself goes on in silence; the rest is over."""
        for subject, standing in list(self._standing.items()):
            if standing.id == alarm:
                standing.acknowledged = True
                if subject.kind not in ENDS_BY_ITSELF:
                    del self._standing[subject]

    def subject_of(self, alarm: int) -> Subject | None:
        """What a standing alarm is about; None for one that is over, or never was."""
        return next((subject for subject, standing in self._standing.items() if standing.id == alarm), None)

    @property
    def standing(self) -> frozenset[Subject]:
        """What stands, acknowledged or not."""
        return frozenset(self._standing)


_LOOKED_AT = frozenset({AlarmKind.CAMERA_SILENT, AlarmKind.STORAGE, AlarmKind.POST_SILENT, AlarmKind.CAMERA_BLIND})


def _until_repeat_us(repeats: int) -> int:
    """From the repeat before (or the raising) to the next: they come 1 min, 1 h and 1 day after the raising, then daily."""
    if repeats >= len(REPEATS_US):
        return DAY_US
    return REPEATS_US[repeats] - (REPEATS_US[repeats - 1] if repeats else 0)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
