"""Figure 11: seconds that are neither recorded nor in a gap with a cause, over whatever a rig did to a post."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from longwatch.archive import ArchiveReader
from longwatch.model.sessions import StreamKey
from longwatch.timeline import State, Tile, tile


def tiles(reader: ArchiveReader, key: StreamKey, since_us: int | None = None) -> list[Tile]:
    """A stream's time, from its set-up (or since_us) to where the recorder had accounted."""
    set_up_us = next(row.set_up_us for row in reader.cameras() if (row.camera, row.stream) == key)
    until_us = reader.accounted_until_us()
    if set_up_us is None or set_up_us >= until_us:
        return []
    from_us = set_up_us if since_us is None else since_us
    gaps = reader.gaps_of(
        key, from_us, until_us
    )  # before the spans: a gap that ends meanwhile ends where a span begins
    spans = reader.recorded_spans(key, from_us, until_us)
    return tile(spans, gaps, from_us, until_us, until_us, set_up_us)


def unexplained_us(reader: ArchiveReader) -> int:
    """Over all streams: time that no span and no gap's row covers, and what tiles overlap or leave out. 0 is the promise."""
    total = 0
    for row in reader.cameras():
        laid = tiles(reader, StreamKey(row.camera, row.stream))
        total += sum(t.to_us - t.from_us for t in laid if t.state is State.GAP and t.gap is None)
        total += sum(t.to_us - t.from_us for t in laid if t.state is State.PENDING)
        total += sum(abs(two.from_us - one.to_us) for one, two in itertools.pairwise(laid))
    return total


def unexplained_in(volumes: Sequence[Path]) -> int:
    """The same of a data folder."""
    reader = ArchiveReader(list(volumes))
    try:
        return unexplained_us(reader)
    finally:
        reader.close()
