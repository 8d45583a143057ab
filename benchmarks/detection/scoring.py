"""How an examinee's events are held against the truth. Pure; the rules were written before there was a detector.

- **Found**: a thing that counts is found when an event of motion or of an object overlaps its span, or begins at most `LATE_S` after it.
  An event's span is from its first to its last sighting: the time a detector keeps an event open afterwards is not part of it.
- **False**: what an event claims outside every stretch in which anything is to be seen on purpose, widened by `BEFORE_S` and `AFTER_S`. An event
  wholly outside is one false event. Of one that is partly outside each part longer than `STRETCH_S` is one, and one more for each minute it goes on:
  an event that never ends finds everything and is punished for it. False events less than `TOGETHER_S` apart are one: a person would be told once.
- **Judged** is the time of a scene without what is neutral (the first half minute, sabotage, glare of a car's own headlights).
- **Sabotage** is raised when an event of `tamper` is told between its begin and `RAISE_S` after it is due, whatever tamper it is called; whether it was
  called by its right name is counted apart. Told means the moment of the picture that made it known, not the time to which it is dated back.
- **False sabotage**: any event of `tamper` at another time. Nothing of it is neutral but the first half minute.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.scenes.truth import LEARNING_S, Sabotage, Truth

LATE_S = 2.0
BEFORE_S, AFTER_S = 3.0, 5.0
STRETCH_S = 10.0
TOGETHER_S = 10.0
RAISE_S = 10.0
_EARLY_S = 0.5

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Found:
    """One event of an examinee. from_s, to_s: first and last sighting; told_s: when it was made known. Seconds of the scene."""

    kind: str
    from_s: float
    to_s: float
    told_s: float


@dataclass(frozen=True, slots=True)
class Sheet:
    """Truth as scoring needs it. wanted: label and span of each thing to be found. shown: where anything on purpose is to be seen; neutral: judged neither way."""

    name: str
    seconds: float
    wanted: tuple[tuple[str, Span], ...]
    shown: tuple[Span, ...]
    neutral: tuple[Span, ...] = ()
    sabotage: tuple[Sabotage, ...] = ()
    learning_s: float = LEARNING_S

    @classmethod
    def of(cls, truth: Truth) -> Sheet:
        """Of a generated scene."""
        wanted = tuple((f"{thing.kind} {thing.how}", span) for thing, span in truth.must_find())
        shown = tuple(span for thing in truth.things if (span := thing.seen) is not None)
        neutral = tuple((a, b) for a, b, _ in truth.neutral)
        return cls(
            f"{truth.family} {truth.seed} {truth.about}", truth.seconds, wanted, shown, neutral, tuple(truth.sabotage)
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """On one scene. missed, false, false_tampers: label and span, for looking at. raised: seconds from due to told, by kind of sabotage; None: never. named: by its right name."""

    sheet: Sheet
    wanted: int
    missed: tuple[tuple[str, Span], ...]
    false: tuple[Span, ...]
    judged_s: float
    silent_s: float
    delays_s: tuple[float, ...] = ()
    raised: tuple[tuple[str, float | None], ...] = ()
    named: int = 0
    false_tampers: tuple[tuple[str, Span], ...] = ()


def judge(sheet: Sheet, found: Iterable[Found]) -> Verdict:
    """Holds one scene's events against its truth."""
    events = sorted(found, key=lambda e: e.from_s)
    seen = [e for e in events if e.kind.startswith(("motion", "object"))]
    tampers = [e for e in events if e.kind.startswith("tamper")]
    missed, delays = [], []
    for label, (begin, end) in sheet.wanted:
        told = [max(e.told_s, begin) - begin for e in seen if e.from_s <= end + LATE_S and e.to_s >= begin]
        if told:
            delays.append(min(told))
        else:
            missed.append((label, (begin, end)))
    neutral = joined([*sheet.neutral, (0.0, sheet.learning_s)])
    allowed = joined([(a - BEFORE_S, b + AFTER_S) for a, b in sheet.shown] + neutral)
    return Verdict(
        sheet, len(sheet.wanted), tuple(missed), tuple(false_events(seen, allowed)),
        sheet.seconds - measure(neutral, sheet.seconds), sheet.seconds - measure(allowed, sheet.seconds), tuple(delays),
        *_sabotage(sheet, tampers),
    )  # fmt: skip


def _sabotage(
    sheet: Sheet, tampers: list[Found]
) -> tuple[tuple[tuple[str, float | None], ...], int, tuple[tuple[str, Span], ...]]:
    raised: list[tuple[str, float | None]] = []
    named, used = 0, set()
    for done in sheet.sabotage:
        mine = [e for e in tampers if done.begin_s - _EARLY_S <= e.told_s <= done.end_s + RAISE_S]
        used |= {id(e) for e in mine}
        in_time = [e for e in mine if e.told_s <= done.due_s + RAISE_S]
        raised.append((done.kind, max(0.0, min(e.told_s for e in in_time) - done.due_s) if in_time else None))
        named += any(e.kind == f"tamper.{done.kind}" for e in mine)
    false = [
        (e.kind, (e.told_s, max(e.told_s, e.to_s)))
        for e in tampers
        if id(e) not in used and e.told_s > sheet.learning_s
    ]
    return tuple(raised), named, tuple(false)


def false_events(seen: list[Found], allowed: list[Span]) -> list[Span]:
    """What events claim outside of what is allowed, one span for each false event. allowed: joined and sorted."""
    outside: list[Span] = []
    for event in seen:
        parts = without((event.from_s, max(event.to_s, event.from_s + 1e-3)), allowed)
        whole = len(parts) == 1 and parts[0] == (event.from_s, max(event.to_s, event.from_s + 1e-3))
        outside += [part for part in parts if whole or part[1] - part[0] > STRETCH_S]
    told: list[Span] = []
    for begin, end in joined(outside, TOGETHER_S):
        many = 1 + int((end - begin) // 60)
        told += [(begin + i * 60, min(end, begin + (i + 1) * 60)) for i in range(many)]
    return told


def joined(spans: Iterable[Span], gap: float = 0.0) -> list[Span]:
    """Sorted, without overlaps; spans at most `gap` apart become one."""
    out: list[Span] = []
    for begin, end in sorted(spans):
        if out and begin <= out[-1][1] + gap:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((begin, end))
    return out


def without(span: Span, holes: list[Span]) -> list[Span]:
    """The parts of a span that lie in no hole. holes: joined and sorted."""
    begin, parts = span[0], []
    for a, b in holes:
        if b <= begin or a >= span[1]:
            continue
        if a > begin:
            parts.append((begin, a))
        begin = max(begin, b)
    if begin < span[1]:
        parts.append((begin, span[1]))
    return parts


def measure(spans: list[Span], seconds: float) -> float:
    """How much of 0..seconds they take. spans: joined."""
    return sum(max(0.0, min(b, seconds) - max(a, 0.0)) for a, b in spans)


def wilson(hits: int, of: int) -> tuple[float, float]:
    """95 % interval of a share."""
    if not of:
        return 0.0, 1.0
    z, p = 1.96, hits / of
    middle, reach = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return max(0.0, (middle - reach) / (1 + z * z / of)), min(1.0, (middle + reach) / (1 + z * z / of))


def poisson(events: int) -> tuple[float, float]:
    """95 % interval of the mean of a count (Garwood, exact), by bisection."""

    def below(mean: float, at_most: int) -> float:
        term = total = math.exp(-mean)
        for k in range(1, at_most + 1):
            term *= mean / k
            total += term
        return total

    def solve(target: float, at_most: int) -> float:
        low, high = 0.0, 10.0 + 4 * events
        for _ in range(80):
            middle = (low + high) / 2
            low, high = (middle, high) if below(middle, at_most) > target else (low, middle)
        return low

    return (solve(0.975, events - 1) if events else 0.0), solve(0.025, events)


@dataclass(slots=True)
class Total:
    """Of many scenes."""

    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def wanted(self) -> int:
        """Things that had to be found."""
        return sum(v.wanted for v in self.verdicts)

    @property
    def hits(self) -> int:
        """Of them, found."""
        return self.wanted - sum(len(v.missed) for v in self.verdicts)

    @property
    def recall(self) -> float:
        """Share found; 1 where nothing was to be found."""
        return self.hits / self.wanted if self.wanted else 1.0

    @property
    def false(self) -> int:
        """False events."""
        return sum(len(v.false) for v in self.verdicts)

    @property
    def hours(self) -> float:
        """Camera-hours judged."""
        return sum(v.judged_s for v in self.verdicts) / 3600

    @property
    def false_an_hour(self) -> float:
        """False events a camera-hour judged."""
        return self.false / self.hours if self.hours else 0.0

    @property
    def false_tampers(self) -> int:
        """Sabotage told where there was none."""
        return sum(len(v.false_tampers) for v in self.verdicts)

    @property
    def raised(self) -> list[tuple[str, float | None]]:
        """Of each sabotage: kind, and seconds until it was told, or None."""
        return [each for v in self.verdicts for each in v.raised]

    @property
    def delay_s(self) -> float | None:
        """Median seconds from when a thing counts to when it is told."""
        delays = sorted(d for v in self.verdicts for d in v.delays_s)
        return delays[len(delays) // 2] if delays else None
