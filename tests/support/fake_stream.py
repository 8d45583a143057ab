"""A stream that needs no camera: real fMP4 fragments of made-up samples, as the operations that `recording` would hand over.

Seedable; media of any size. Samples hold no long zeros, as real ones do not.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from longwatch.archive import ops
from longwatch.base.clock import Clock
from longwatch.formats import bmff
from longwatch.formats.codecs import h264
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import FragmentRow, Provenance

FRAME_90K = 3600  # 25 pictures a second
# the parameter sets of simulate/media/lot.mp4
TRACK = h264.track_format(
    [bytes.fromhex("6742801696540601bd3506060640000003004000000661")], [bytes.fromhex("68ce3520")]
)


@dataclass
class FakeStream:
    """Makes the operations of one stream. tokens come from `token_base` on; `sample_bytes` is the mean size of a sample."""

    key: StreamKey
    run: int
    boot: str
    clock: Clock
    token_base: int
    seed: int = 1
    sample_bytes: int = 2000
    token: int = 0
    sequence: int = 0
    end: int = 0
    media_90k: int = 0
    run_wall_us: int = 0
    span_from_us: int = 0
    rows: list[FragmentRow] = field(default_factory=list)
    started: bool = False

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.token = self.token_base

    def wall_us(self, at_90k: int) -> int:
        return self.run_wall_us + at_90k * 100 // 9

    def start(self) -> list[ops.IndexOp]:
        """A new run."""
        self.started = True
        self.run_wall_us = self.clock.wall_us()
        self.media_90k = 0
        self.sequence = 0
        return [ops.RunStart(self.key, self.run, self.clock.boottime_us(), self.run_wall_us, Provenance.NTP)]

    def open(self) -> ops.SegmentOpen:
        """The next segment of the run."""
        self.token += 1
        identity = bmff.SegmentIdentity(
            "longwatch test", "post", *self.key, self.boot, self.run, self.sequence, self.media_90k,
            self.wall_us(self.media_90k), int(Provenance.NTP),
        )  # fmt: skip
        header = bmff.segment_header(identity, [TRACK])
        op = ops.SegmentOpen(
            self.token,
            self.key,
            self.run,
            self.sequence,
            self.media_90k,
            self.wall_us(self.media_90k),
            Provenance.NTP,
            header,
        )
        self.sequence += 1
        self.end = len(header)  # of what is written; a guard stands before the next fragment
        self.rows = []
        self._builder = bmff.IndexBuilder([90_000])
        return op

    def append(self, frames: int = 17) -> ops.FragmentAppend:
        """The next fragment of the open segment; its first sample is a sync sample."""
        start = self.media_90k
        samples = []
        for n in range(frames):
            data = self._random.randbytes(self._random.randint(self.sample_bytes // 2, self.sample_bytes * 3 // 2))
            samples.append(bmff.StoredSample(start + n * FRAME_90K, 0, FRAME_90K, n == 0, data))
        runs = [(0, samples)]
        parts = bmff.fragment(len(self.rows) + 1, runs, stored=True)
        size = sum(map(len, parts))
        self.media_90k = start + frames * FRAME_90K
        offset = self.end + bmff.GUARD_BYTES
        row = FragmentRow(offset, size, start, self.media_90k, (0,), b"")
        self._builder.add(offset, len(parts[0]), runs)
        self.rows.append(row)
        self.end = offset + size
        return ops.FragmentAppend(self.token, parts, row, self.wall_us(self.media_90k), self.clock.boottime_us())

    def seal(self) -> ops.SegmentSeal:
        return ops.SegmentSeal(self.token, self._builder.pack())

    def span(self) -> ops.SpanExtend:
        """All of the run so far, as one span."""
        return ops.SpanExtend(self.key, self.run, self.run_wall_us, self.wall_us(self.media_90k), Provenance.NTP)

    def heartbeat(self) -> ops.Heartbeat:
        wall_us = self.wall_us(self.media_90k)
        return ops.Heartbeat(self.boot, self.clock.boottime_us(), wall_us, wall_us)

    def tick(self, *, fragments: int = 1, seal: bool = False, reopen: bool = False) -> ops.Tick:
        """One tick: the first starts the run and opens a segment."""
        index: list[ops.IndexOp] = []
        media: list[ops.MediaOp] = []
        if not self.started:
            index += self.start()
            reopen = True
        if reopen:
            media.append(self.open())
        media += [self.append() for _ in range(fragments)]
        if seal:
            media.append(self.seal())
        return ops.Tick(media, [*index, self.span(), self.heartbeat()])
