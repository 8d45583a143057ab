"""What a hub can say of a post that never returns: what existed by its verified ledger, what of it is safe here, and what is lost.

Nothing but what a head of the post's own covers is counted; `docs/design/statement.md`. Times are microseconds since 1970 UTC, by the post's clock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from longwatch.base.errors import UsageError
from longwatch.fleet.fleet import Fleet
from longwatch.fleet.reading import without
from longwatch.fleet.schema import gaps, held, posts, runs, segments, streams

_JOIN_US = 3_000_000
SCHEMA = "longwatch-statement/1"
Span = tuple[int, int]


def statement(fleet: Fleet, post: str) -> dict[str, Any]:
    """As JSON, but for who makes it. Blocks. Raises UsageError where there is no such post, or nothing of its ledger was verified."""
    row = fleet.post(post)
    if row is None:
        raise UsageError(f"there is no post {post[:80]!r}", remedy="see `longwatch hub posts`")
    logs = fleet.log_rows(post)
    if not logs:
        raise UsageError(f"nothing of the ledger of {post} was ever verified here", remedy="there is nothing to state")
    with fleet.db.read() as db:
        number = db.execute(sa.select(posts.c.number).where(posts.c.id == post)).scalar_one()
        found = db.execute(
            sa.select(streams).where(streams.c.post == number).order_by(streams.c.camera, streams.c.name)
        ).all()
        told = [_stream(db, number, stream) for stream in found]
    return {
        "schema": SCHEMA,
        "post": {
            "id": row.id, "name": row.name, "origin": row.origin, "enrolled_us": row.enrolled_us, "heard_us": row.status_us,
            "told_us": row.told_us, "revoked_us": row.revoked_us,
        },
        "logs": [
            {"number": log.number, "origin": log.origin, "key": log.key.hex(), "entries": log.verified, "not_verified": log.size - log.verified,
             "verified_us": log.at_us, "checkpoint": log.cosigned or log.note}
            for log in logs
        ],
        "doubts": [
            {"log": each.number, "what": str(each.doubt), "why": each.why, "at_us": each.at_us}
            for each in fleet.evidence() if each.post == post
        ],
        "streams": told,
        "total": {
            name: sum(stream["sums"][name] for stream in told)
            for name in ("segments", "safe_segments", "recorded_us", "removed_us", "safe_us", "lost_us", "recorded_bytes", "safe_bytes")
        },
    }  # fmt: skip


def _stream(db: sa.Connection, post: int, stream: Any) -> dict[str, Any]:
    here: dict[int, list[Span]] = {}
    for run, from_us, to_us in db.execute(
        sa.select(held.c.run, held.c.from_us, held.c.to_us)
        .where(held.c.post == post, held.c.stream == stream.id)
        .order_by(held.c.from_us)
    ):
        here.setdefault(run, []).append((from_us, to_us))
    rows = db.execute(
        sa.select(segments, runs.c.boot, runs.c.number)
        .join_from(segments, runs, runs.c.id == segments.c.run)
        .where(segments.c.post == post, segments.c.stream == stream.id)
        .order_by(segments.c.from_us, segments.c.run, segments.c.sequence)
    ).all()
    sealed = [(row, _overlap(here.get(row.run, ()), row.from_us, row.to_us)) for row in rows]
    lost = [span for row, safe in sealed if not row.gone for span in without(row.from_us, row.to_us, safe)]
    open_gap = db.execute(
        sa.select(gaps.c.from_us, gaps.c.cause).where(
            gaps.c.post == post, gaps.c.stream == stream.id, gaps.c.to_us.is_(None)
        )
    ).first()
    return {
        "camera": stream.camera, "stream": stream.name, "accounted_until_us": stream.until_us,
        "open_gap": None if open_gap is None else {"from_us": open_gap.from_us, "cause": open_gap.cause},
        "recorded": _merged((row.from_us, row.to_us) for row in rows),
        "safe": _merged(span for _, safe in sealed for span in safe), "lost": _merged(lost),
        "segments": [_segment(row, safe) for row, safe in sealed],
        "sums": {
            "segments": len(rows), "safe_segments": sum(_state(row) == "safe" for row in rows),
            "recorded_us": _length((row.from_us, row.to_us) for row in rows),
            "removed_us": sum(row.to_us - row.from_us - _length(safe) for row, safe in sealed if row.gone),
            "safe_us": sum(_length(safe) for _, safe in sealed), "lost_us": _length(lost),
            "recorded_bytes": sum(row.durable_bytes for row in rows), "safe_bytes": sum(row.bytes_here for row in rows),
        },
    }  # fmt: skip


def _segment(row: Any, safe: Sequence[Span]) -> dict[str, Any]:
    """root, closing: the hashes that its seal names; what is safe here was held against them."""
    return {
        "boot": row.boot, "run": row.number, "sequence": row.sequence, "from_us": row.from_us, "to_us": row.to_us, "bytes": row.durable_bytes,
        "root": row.root.hex(), "closing": row.closing.hex(), "sealed_by": row.seq, "state": _state(row), "safe_us": _length(safe),
    }  # fmt: skip


def _state(row: Any) -> str:
    """safe: all of it is here. partly. removed: by the post, by its own rules. lost: only the post had it."""
    if row.closing_here and row.leaves_here == row.fragments + 1:
        return "safe"
    if row.leaves_here > 1:
        return "partly"
    return "removed" if row.gone else "lost"


def _overlap(spans: Sequence[Span], from_us: int, to_us: int) -> list[Span]:
    """spans: in order, apart from each other."""
    at = max(0, bisect_left(spans, (from_us, 0)) - 1)
    found = []
    for begin_us, end_us in spans[at:]:
        if begin_us >= to_us:
            break
        if end_us > from_us:
            found.append((max(begin_us, from_us), min(end_us, to_us)))
    return found


def _merged(spans: Iterable[Span]) -> list[list[int]]:
    """What lies within three seconds is one, as on the timeline."""
    found: list[list[int]] = []
    for begin_us, end_us in sorted(spans):
        if found and begin_us <= found[-1][1] + _JOIN_US:
            found[-1][1] = max(found[-1][1], end_us)
        else:
            found.append([begin_us, end_us])
    return found


def _length(spans: Iterable[Span]) -> int:
    return sum(end_us - begin_us for begin_us, end_us in spans)
