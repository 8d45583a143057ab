"""A span reaches to the gap or the span that follows it: its last sample covered that moment, which its seal does not say.

As archive/restoring_meaning.py does once at the end, but of the part that changed, and beside what was told: a correction of time
moves what was told.
"""

from __future__ import annotations

from bisect import bisect_left

import sqlalchemy as sa

from longwatch.fleet.schema import gaps, spans

SEAM_US = 3_000_000

_post: sa.BindParameter[int] = sa.bindparam("post_")
_stream: sa.BindParameter[int] = sa.bindparam("stream_")
_low: sa.BindParameter[int] = sa.bindparam("low")
_high: sa.BindParameter[int] = sa.bindparam("high")
_MINE = (spans.c.post == _post, spans.c.stream == _stream)
_ENDS = sa.select(spans.c.from_us, spans.c.run, spans.c.to_us, spans.c.reach_us).where(
    *_MINE, spans.c.to_us >= _low, spans.c.to_us <= _high
)
_STARTS = sa.union_all(
    sa.select(gaps.c.from_us).where(
        gaps.c.post == _post, gaps.c.stream == _stream, gaps.c.from_us >= _low, gaps.c.from_us <= _high
    ),
    sa.select(spans.c.from_us).where(*_MINE, spans.c.from_us >= _low, spans.c.from_us <= _high),
)
_REACH = (
    sa.update(spans)
    .where(*_MINE, spans.c.from_us == sa.bindparam("begin"), spans.c.run == sa.bindparam("run_"))
    .values(reach_us=sa.bindparam("reach"))
)


def join_seams(db: sa.Connection, post: int, stream: int, from_us: int, to_us: int) -> None:
    """Work out anew how far the spans reach that end within three seconds of the stretch."""
    mine = {"post_": post, "stream_": stream}
    ends = db.execute(_ENDS, {**mine, "low": from_us - SEAM_US, "high": to_us + SEAM_US}).all()
    if not ends:
        return
    window = {"low": min(row.to_us for row in ends), "high": max(row.to_us for row in ends) + SEAM_US}
    starts = sorted(db.execute(_STARTS, mine | window).scalars())
    changed = []
    for row in ends:
        at = bisect_left(starts, row.to_us)
        joins = at < len(starts) and starts[at] - row.to_us <= SEAM_US
        reach_us = starts[at] if joins else row.to_us
        if reach_us != row.reach_us:
            changed.append({**mine, "begin": row.from_us, "run_": row.run, "reach": reach_us})
    if changed:
        db.execute(_REACH, changed)
