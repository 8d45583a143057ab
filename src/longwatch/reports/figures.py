"""What a stretch of a camera's time comes to: promised, delivered, missing by cause. Pure; whole microseconds throughout.

Of every row: recorded + gaps + pending = wall time, and promised = delivered + missed. What nobody promised is what the plan, a
pause or the set-up excludes; and time in which the post was down while the plan wanted nothing anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from longwatch.model.causes import PLANNED, Cause
from longwatch.model.stores import Held
from longwatch.reports.days import Period
from longwatch.timeline import State, Tile

NOT_PROMISED = PLANNED | {Cause.NEVER_RECORDED}
_DOWN = frozenset({Cause.POST_POWER_LOST, Cause.POST_STOPPED, Cause.RECORDER_FAILED})
"""Nobody looked at the plan while these lasted."""

Unwanted = Callable[[int, int], int]
"""How many microseconds of [from_us, to_us) the plan of a camera wants no recording."""


@dataclass(slots=True)
class Figures:
    """Microseconds. gone_us: of what was recorded, no longer held. blind_us: of what was recorded, while the view was hidden. unexplained_us: without a span and without a gap's row. excused_us: of
    the gaps while the post was down, what was not to be recorded anyway. interruptions: unplanned gaps, however many causes follow
    each other in one. longest_us: of them.
    """

    wall_us: int = 0
    recorded_us: int = 0
    gone_us: int = 0
    blind_us: int = 0
    pending_us: int = 0
    unexplained_us: int = 0
    excused_us: int = 0
    gaps_us: dict[Cause, int] = field(default_factory=dict)
    interruptions: int = 0
    longest_us: int = 0

    @property
    def missed_us(self) -> int:
        """What was promised and is not there."""
        return sum(us for cause, us in self.gaps_us.items() if cause not in NOT_PROMISED) - self.excused_us

    @property
    def promised_us(self) -> int:
        """What was to be recorded."""
        return self.recorded_us + self.missed_us

    @property
    def not_promised_us(self) -> int:
        """What was not to be recorded."""
        return self.wall_us - self.promised_us - self.pending_us

    @property
    def delivered_ppm(self) -> int | None:
        """Delivered of promised, in millionths, cut and never rounded up; None where nothing was promised."""
        return self.recorded_us * 1_000_000 // self.promised_us if self.promised_us else None

    @property
    def balances(self) -> bool:
        """The promise of the product, for this row."""
        return self.recorded_us + sum(self.gaps_us.values()) + self.pending_us == self.wall_us

    def add(self, other: Figures) -> None:
        """Sum of two rows; `longest_us` is the longer one's."""
        self.wall_us += other.wall_us
        self.recorded_us += other.recorded_us
        self.gone_us += other.gone_us
        self.blind_us += other.blind_us
        self.pending_us += other.pending_us
        self.unexplained_us += other.unexplained_us
        self.excused_us += other.excused_us
        self.interruptions += other.interruptions
        self.longest_us = max(self.longest_us, other.longest_us)
        for cause, us in other.gaps_us.items():
            self.gaps_us[cause] = self.gaps_us.get(cause, 0) + us


def total(rows: Iterable[Figures]) -> Figures:
    """Their sum."""
    summed = Figures()
    for row in rows:
        summed.add(row)
    return summed


def figures(
    tiles: Sequence[Tile], periods: Sequence[Period], unwanted: Unwanted, blind: Sequence[tuple[int, int]] = ()
) -> list[Figures]:
    """One row for each period. tiles: in order, without holes, over at least all of the periods; periods: in order, end to end. blind: when the
    view was hidden, in order and apart (`apart`).
    """
    rows = [Figures(wall_us=period.to_us - period.from_us) for period in periods]
    n = 0
    broken_us: dict[int, int] = {}  # by row: how long the interruption has lasted that its last tile belongs to
    for tile in tiles:
        while n < len(periods) and periods[n].to_us <= tile.from_us:
            n += 1
        for m in range(n, len(periods)):
            from_us, to_us = max(tile.from_us, periods[m].from_us), min(tile.to_us, periods[m].to_us)
            if from_us >= to_us:
                break
            _count(rows[m], tile, from_us, to_us, unwanted)
            if tile.state is State.RECORDED and blind:
                rows[m].blind_us += sum(max(0, min(end, to_us) - max(begin, from_us)) for begin, end in blind)
            _interrupt(rows[m], tile, to_us - from_us, m, broken_us)
    return rows


def apart(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """In order, and those that touch as one: no moment counts twice."""
    found: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        elif begin < end:
            found.append((begin, end))
    return found


def _count(row: Figures, tile: Tile, from_us: int, to_us: int, unwanted: Unwanted) -> None:
    length_us = to_us - from_us
    if tile.state is State.RECORDED:
        row.recorded_us += length_us
        if tile.held is Held.GONE:
            row.gone_us += length_us
    elif tile.state is State.PENDING:
        row.pending_us += length_us
    else:
        cause = tile.cause or Cause.UNKNOWN
        row.gaps_us[cause] = row.gaps_us.get(cause, 0) + length_us
        if cause in _DOWN:
            row.excused_us += unwanted(from_us, to_us)
        if cause is Cause.UNKNOWN and tile.gap is None:
            row.unexplained_us += length_us


def _interrupt(row: Figures, tile: Tile, length_us: int, m: int, broken_us: dict[int, int]) -> None:
    if tile.state is not State.GAP or tile.cause in NOT_PROMISED:
        broken_us.pop(m, None)
        return
    if m not in broken_us:
        row.interruptions += 1
    broken_us[m] = broken_us.get(m, 0) + length_us
    row.longest_us = max(row.longest_us, broken_us[m])
