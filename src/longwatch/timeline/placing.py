"""Footage that several placements claim, and where it is: which segments are shown, and which part of a span is held, at a post, or gone."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

from longwatch.model.stores import Fate, Held, RecordedSpan, SegmentRow
from longwatch.timeline.tiling import precedence


def by_precedence(segment: SegmentRow) -> Any:
    """Sorts segments, the better placed first."""
    return precedence(segment.provenance, segment.run)


def best_placed(segments: Sequence[SegmentRow]) -> list[SegmentRow]:
    """Without those that better placed segments of other runs cover wholly. Order is kept."""
    if len({segment.run for segment in segments}) < 2:
        return list(segments)
    kept: list[SegmentRow] = []
    covered: list[tuple[int, int]] = []
    for segment in sorted(segments, key=by_precedence):
        if not _is_covered(segment, covered):
            kept.append(segment)
            covered.append((segment.wall_start_us, segment.wall_end_us))
    return sorted(kept, key=lambda segment: (segment.wall_start_us, segment.id))


def _is_covered(segment: SegmentRow, by: Sequence[tuple[int, int]]) -> bool:
    at_us = segment.wall_start_us
    for start_us, end_us in sorted(
        span for span in by if span[1] > segment.wall_start_us and span[0] < segment.wall_end_us
    ):
        if start_us > at_us:
            return False
        at_us = max(at_us, end_us)
    return at_us >= segment.wall_end_us and at_us > segment.wall_start_us


def split(span: RecordedSpan, gone: Iterable[tuple[int, int, int]]) -> list[RecordedSpan]:
    """A span in pieces: what is held here, and what is gone. gone: [from_us, to_us, fate) of its run; what was discarded is no piece."""
    pieces = []
    at_us = span.from_us
    for first, last, fate in sorted(gone):
        begin, end = max(first, at_us), min(last, span.to_us)
        if begin >= end:
            continue
        if begin > at_us:
            pieces.append(span._replace(from_us=at_us, to_us=begin))
        if fate != Fate.DISCARDED:
            pieces.append(span._replace(from_us=begin, to_us=end, held=Held.GONE, confirmed=fate == Fate.CONFIRMED))
        at_us = end
    if at_us < span.to_us:
        pieces.append(span._replace(from_us=at_us))
    return pieces


def split_held(
    span: RecordedSpan,
    held: Iterable[tuple[int, int]],
    gone: Iterable[tuple[int, int, int]],
    *,
    near_us: int,
    covers_us: int,
) -> list[RecordedSpan]:
    """A span as a hub tells it: what is held here, what the post removed, and what is at the post still. held: stretches of its run;
    gone: [from_us, to_us, fate) of its run. What is here is here, whatever the post removed; what it discarded is no piece. One that begins or ends
    within near_us of the span reaches to its begin or end; covers_us: how much of its end only its last sample covers.
    """
    here = [
        (first if first > span.from_us + near_us else min(first, span.from_us), last if last < span.to_us - covers_us - near_us else max(last, span.to_us))
        for first, last in held
    ]  # fmt: skip
    here.sort()
    away = sorted(gone)
    edges = {span.from_us, span.to_us}
    for stretch in (*here, *away):
        edges |= {at for at in stretch[:2] if span.from_us < at < span.to_us}
    here_begins, away_begins = [stretch[0] for stretch in here], [stretch[0] for stretch in away]
    pieces: list[RecordedSpan] = []
    for begin, end in itertools.pairwise(sorted(edges)):
        n, m = bisect_right(here_begins, begin) - 1, bisect_right(away_begins, begin) - 1
        where, confirmed = Held.POST, None
        if n >= 0 and here[n][1] >= end:
            where = Held.HERE
        elif m >= 0 and away[m][1] >= end:
            if away[m][2] == Fate.DISCARDED:
                continue
            where, confirmed = Held.GONE, away[m][2] == Fate.CONFIRMED
        touches = bool(pieces) and pieces[-1].to_us == begin
        if touches and pieces[-1].held is where and pieces[-1].confirmed == confirmed:
            pieces[-1] = pieces[-1]._replace(to_us=end)
        else:
            pieces.append(span._replace(from_us=begin, to_us=end, held=where, confirmed=confirmed))
    return pieces
