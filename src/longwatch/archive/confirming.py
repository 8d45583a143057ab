"""What a hub has confirmed: the mark `confirmed` of sealed segments, by which retention takes them before what no hub holds.

The mark is made when the hub's database has committed every byte of a segment, by hash; it is never taken back, and is no entry of the ledger: a lost index
loses it, and the hub says it again. Index thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from longwatch.archive.index import Index
from longwatch.archive.rows import SEALED
from longwatch.base.errors import UsageError

MOST = 1000
_MARK = (
    "UPDATE segment SET confirmed = 1 WHERE confirmed = 0 AND flags & ?1 AND sequence = ?2 AND run_id ="
    " (SELECT r.id FROM run r JOIN boot b ON b.id = r.boot_id WHERE b.boot = ?3 AND r.number = ?4)"
    " AND stream_id = (SELECT id FROM stream WHERE camera = ?5 AND name = ?6)"
)


@dataclass(frozen=True, slots=True)
class SegmentId:
    """A segment by its identity."""

    camera: str
    stream: str
    boot: str
    run: int
    sequence: int


def confirm(index: Index, segments: Sequence[SegmentId]) -> int:
    """Mark those that are here and sealed, in one transaction; how many were not marked before."""
    marked = 0
    with index.transaction() as db:
        for each in segments:
            values = (SEALED, each.sequence, each.boot, each.run, each.camera, each.stream)
            marked += db.execute(_MARK, values).rowcount
    return marked


def read(items: object) -> list[SegmentId]:
    """`segments` of the request `confirm`: lists of camera, stream, boot, run, sequence. Raises UsageError."""
    if not isinstance(items, list) or len(items) > MOST:
        raise UsageError(f"`confirm` wants a list of segments, at most {MOST}")
    found = []
    for item in items:
        right = isinstance(item, list) and len(item) == 5 and all(isinstance(text, str) for text in item[:3])
        if not right or not all(type(number) is int and 0 <= number < 1 << 53 for number in item[3:]):
            raise UsageError("`confirm` wants segments as [camera, stream, boot, run, sequence]")
        found.append(SegmentId(*item))
    return found
