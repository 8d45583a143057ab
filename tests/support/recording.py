"""A camera made of numbers, one stream's recorder and account, and an index in memory: hours of recording in a second.

`Studio` moves CLOCK_BOOTTIME by hand, delivers samples as a camera with its own clock would, ticks, applies the operations
as an archive does, and holds them against what was really sent.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from longwatch.accounting import Known, StreamAccount, Tail
from longwatch.archive import ops
from longwatch.causes import Restart
from longwatch.formats.media import Codec, Kind, Loss, Sample, TrackFormat
from longwatch.model.causes import Cause
from longwatch.model.sessions import Activity, Fault, StreamKey, StreamStatus
from longwatch.model.stores import GapSpan, RecordedSpan
from longwatch.model.surroundings import UNKNOWN
from longwatch.recording import Budget, HostTime, LiveTap, Options, Step, StreamRecorder
from longwatch.timeline import State, Tile, tile

KEY = StreamKey("gate", "main")
BOOT = "0123456789abcdef0123456789abcdef"
SECOND = 1_000_000
ENTRY = bytes.fromhex("0000001061766331") + bytes(8)
VIDEO = TrackFormat(Kind.VIDEO, Codec.H264, 90_000, ENTRY, "avc1.4d401f", 640, 360, 5.0)
AUDIO = TrackFormat(Kind.AUDIO, Codec.AAC, 16_000, ENTRY, "mp4a.40.2", channels=1)
PICTURE = b"\0\0\0\1" * 5
WALL_0 = 1_767_225_600 * SECOND


@dataclass
class MemoryIndex:
    """What an archive would hold: applies operations in order, and is strict about them."""

    spans: dict[tuple[int, int], ops.SpanExtend] = field(default_factory=dict)
    gaps: dict[int, ops.GapOpen] = field(default_factory=dict)
    closed: dict[int, int] = field(default_factory=dict)
    runs: dict[int, ops.RunStart] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    placements: list[ops.Placement] = field(default_factory=list)
    opened: dict[int, ops.SegmentOpen] = field(default_factory=dict)
    sealed: list[int] = field(default_factory=list)
    fragments: dict[int, list[ops.FragmentAppend]] = field(default_factory=dict)
    never_were: int = 0

    def apply(
        self, media: Sequence[ops.MediaOp], index: Sequence[ops.IndexOp], failed: frozenset[int] = frozenset()
    ) -> None:
        for op in media:
            if op.token in failed:
                continue
            if isinstance(op, ops.SegmentOpen):
                assert op.token not in self.opened
                self.opened[op.token] = op
                self.fragments[op.token] = []
            elif isinstance(op, ops.FragmentAppend):
                assert op.token not in self.sealed
                rows = self.fragments[op.token]
                last = rows[-1].row if rows else None
                at = last.offset + last.size if last else len(self.opened[op.token].header)
                assert at <= op.row.offset <= at + 16, "a guard may stand between fragments, and nothing else"
                assert op.row.size == sum(map(len, op.parts))
                assert rows or op.row.sync_offsets_90k[:1] == (0,), "a segment begins with a sync sample"
                assert last is None or op.row.start_90k > last.start_90k
                rows.append(op)
            else:
                self.sealed.append(op.token)
        for row in index:
            self._index(row, skip_spans=bool(failed))

    def _index(self, op: ops.IndexOp, *, skip_spans: bool) -> None:
        if isinstance(op, ops.RunStart):
            assert op.number not in self.runs
            self.runs[op.number] = op
        elif isinstance(op, ops.RunEnd):
            assert op.run in self.runs
            assert op.run not in self.ended
            self.ended.add(op.run)
        elif isinstance(op, ops.Placement):
            self.placements.append(op)
        elif isinstance(op, ops.SpanExtend):
            assert op.run in self.runs
            assert op.from_us < op.to_us
            if not skip_spans:
                self.spans[op.run, op.from_us] = op
        elif isinstance(op, ops.GapOpen):
            self.gaps[op.token] = op
        elif isinstance(op, ops.GapRefine):
            old = self.gaps[op.token]
            self.gaps[op.token] = ops.GapOpen(op.token, old.key, old.from_us, op.cause, op.evidence)
        elif isinstance(op, ops.GapClose):
            gap = self.gaps.get(op.token)
            if gap is not None and op.to_us <= gap.from_us:
                del self.gaps[op.token]
                self.never_were += 1
            else:
                self.closed[op.token] = op.to_us

    def recorded(self) -> list[RecordedSpan]:
        return [RecordedSpan(s.from_us, s.to_us, s.run, s.provenance) for s in self.spans.values()]

    def missing(self) -> list[GapSpan]:
        return [GapSpan(g.from_us, self.closed.get(t), g.cause, g.evidence, t) for t, g in self.gaps.items()]

    def tiles(self, from_us: int, to_us: int, accounted_us: int, set_up_us: int) -> list[Tile]:
        return tile(self.recorded(), self.missing(), from_us, to_us, accounted_us, set_up_us)


class Studio:
    """One stream. ppm: how much faster the camera's clock runs than the host's. jitter_us: how late packets come, at most."""

    def __init__(
        self,
        *,
        fps: float = 5.0,
        gop: int = 5,
        ppm: int = 0,
        jitter_us: int = 3_000,
        segment_us: int = 2 * SECOND,
        synchronised: bool = True,
        restart: Restart | None = None,
        tail: Tail | None = None,
        audio: bool = False,
        seed: int = 1,
        stream_buffer_bytes: int = 24 << 20,
        last_known_us: int | None = None,
        wall_us: int = WALL_0,
        boot: str = BOOT,
        first_run: int = 1,
        index: Any = None,
    ) -> None:
        self.boot_us = 50 * SECOND
        self.offset_us = wall_us - self.boot_us
        self.synchronised = synchronised
        self.host = HostTime(self.boot_us, self.wall_us, synchronised, last_known_us)
        self.index: Any = MemoryIndex() if index is None else index
        self.steps: list[Step] = []
        self.random = random.Random(seed)
        self.budget = Budget(256 << 20)
        runs = iter(range(first_run, 1 << 40))
        options = Options(post="post", segment_us=segment_us, stream_buffer_bytes=stream_buffer_bytes)
        self.recorder = StreamRecorder(
            KEY, boot, options, self.host, lambda: next(runs), self.budget, LiveTap(Budget(1 << 20)),
            audio=audio, now_boot_us=lambda: self.boot_us,
        )  # fmt: skip
        self.set_up_us = tail.until_us if tail is not None else self.wall_us
        self.account = StreamAccount(KEY, tail or Tail(self.wall_us), restart, self.wall_us)
        self.not_planned: Callable[[int], str] = lambda _: ""
        self.around = UNKNOWN
        self.power_plan = ""
        self.failing: tuple[Cause, str] | None = None
        self.fps, self.gop, self.ppm, self.jitter_us = fps, gop, ppm, jitter_us
        self.sent: list[tuple[int, int]] = []  # (boot time of the picture, dts)
        self.worst_lag_us = 0
        self._frame = 0
        self._next_frame_us = 0
        self._next_tick_us = self.boot_us + SECOND // 2
        self._dts = 1_000_000
        self._audio = audio
        self._playing = False
        self._status: StreamStatus | None = None
        self._owed: list[ops.IndexOp] = []
        self.damage_to_sync = False

    @property
    def wall_us(self) -> int:
        return self.boot_us + self.offset_us

    # ---- the camera ---------------------------------------------------------------------------------------------------

    def open(self) -> None:
        self._playing = True
        self._frame = 0
        self._dts = self.random.randrange(1 << 31)
        self._next_frame_us = self.boot_us
        self.say(Activity.STREAMING, None)
        video = replace(VIDEO, fps=self.fps)
        self.recorder.opened((video, AUDIO) if self._audio else (video,))

    def close(self, fault: Fault | None, detail: str = "") -> None:
        self._playing = False
        self.recorder.closed(fault, detail)
        self.say(Activity.CONNECTING, fault, detail)

    def say(self, activity: Activity, fault: Fault | None, detail: str = "", attempt: int = 0) -> None:
        self._status = StreamStatus(activity, self.boot_us, fault, detail, attempt=attempt)
        self.recorder.status(self._status)

    def _deliver(self) -> None:
        interval_us = SECOND / self.fps
        sync = self._frame % self.gop == 0
        self._frame += 1
        if sync:
            self.damage_to_sync = False
        late_us = self.random.randrange(self.jitter_us + 1)
        sample = Sample(0, self._dts, 0, sync, PICTURE, self.boot_us + late_us, self.damage_to_sync)
        self.sent.append((self.boot_us, self._dts))
        self.recorder.samples([sample])
        self._dts += round(interval_us * 90_000 / SECOND * (1 + self.ppm / 1e6))
        self._next_frame_us += round(interval_us)

    def lose(self, frames: int = 1) -> None:
        """The next pictures never come, and packets of theirs are known to be missing."""
        for _ in range(frames):
            self._frame += 1
            self._dts += round(90_000 / self.fps * (1 + self.ppm / 1e6))
            self._next_frame_us += round(SECOND / self.fps)
        self.damage_to_sync = True
        self.recorder.lost(Loss(0, frames * 3, self.boot_us))

    def jump(self, ticks_90k: int) -> None:
        """The camera's media time leaps, and nothing else happens."""
        self._dts += ticks_90k

    def step_wall(self, by_us: int) -> None:
        self.offset_us += by_us

    # ---- time ---------------------------------------------------------------------------------------------------------

    def play(self, seconds: float, *, silent: bool = False) -> None:
        """Let time pass: pictures and ticks, each at its own moment."""
        end_us = self.boot_us + round(seconds * SECOND)
        while True:
            due_us = self._next_tick_us
            if self._playing and not silent:
                due_us = min(due_us, self._next_frame_us)
            if due_us > end_us:
                break
            self.boot_us = max(self.boot_us, due_us)
            if due_us == self._next_tick_us:
                self.tick()
                self._next_tick_us += 600_000
            else:
                self._deliver()
        self.boot_us = end_us
        if silent:
            skipped = max(0, round((end_us - self._next_frame_us) * self.fps / SECOND))
            self._frame += skipped
            self._dts += round(skipped * 90_000 / self.fps)
            self._next_frame_us += round(skipped * SECOND / self.fps)

    def tick(self, *, final: bool = False) -> None:
        step = self.host.observe(self.boot_us, self.wall_us, self.synchronised)
        if step is not None:
            self.steps.append(step)
            if not step.unsteady:
                self._owed += self.account.clock_stepped(step.from_us, step.to_us)
        now_us = self.host.wall_us(self.boot_us)
        not_planned = self.recorder.not_planned = self.not_planned(now_us)
        collected = self.recorder.collect(self.boot_us, final=final)
        missing = None if final else collected.missing
        known = Known(self.boot_us, self.around, self.power_plan)
        account = self.account.tick(now_us, collected.stretches, missing, self._status, not_planned, known)
        cause, detail = self.failing or (None, "")
        failed = frozenset(collected.tokens) if self.failing else frozenset[int]()
        self.index.apply(collected.media, [*self._owed, *collected.index, *account], failed)
        self._owed = []
        if self.recorder.settled(failed, cause, detail):
            self.account.storage_failed(cause or Cause.STORAGE_FAILED, detail)
        self.recorder.storage_down = self.failing
        self.worst_lag_us = max(self.worst_lag_us, now_us - self.account.accounted_until_us)

    # ---- the verdict ----------------------------------------------------------------------------------------------------

    def tiles(self, from_us: int | None = None) -> list[Tile]:
        accounted = self.account.accounted_until_us
        return self.index.tiles(self.set_up_us if from_us is None else from_us, accounted, accounted, self.set_up_us)

    def unexplained_us(self) -> int:
        """Time that is neither recorded nor in a gap that has a row."""
        return sum(t.to_us - t.from_us for t in self.tiles() if t.state is State.GAP and t.gap is None)

    def causes(self) -> list[tuple[str, float]]:
        """Gaps of 50 ms and more, in order: cause and seconds, to the tenth."""
        return [
            (str(t.cause), round((t.to_us - t.from_us) / SECOND, 1))
            for t in self.tiles()
            if t.state is State.GAP and t.to_us - t.from_us >= 50_000
        ]

    def recorded_us(self) -> int:
        return sum(t.to_us - t.from_us for t in self.tiles() if t.state is State.RECORDED)

    def stored_samples(self) -> int:
        return sum(
            len(part) == len(PICTURE) for rows in self.index.fragments.values() for a in rows for part in a.parts[1:]
        )
