"""Random lives of an archive: ticks, seals, new runs, failing disks, orderly and sudden ends, removals; after each restart everything
that was acknowledged and not removed is there, bit for bit, and the index says nothing else.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.archive_case import BOOT, FOR_EVER, GATE, KEEP_ALL, ROAD, opened, stream
from tests.support.archive_faults import FailsAt
from tests.support.fake_stream import FakeStream

from longwatch.archive import Archive, ArchiveReader, Mode, RetentionTime, ops
from longwatch.base.clock import ManualClock
from longwatch.model.stores import Held

DAY_US = 86_400_000_000
ACTIONS = st.sampled_from(
    ["tick", "tick", "tick", "tick", "seal", "seal", "run", "step", "fault", "restart", "cut", "retain", "both"]
)


class Life:
    """One archive through its restarts, and what a careful witness remembers of it."""

    def __init__(self, folder: Path) -> None:
        self.paths = [folder / "a", folder / "b"]
        self.clock = ManualClock()
        self.faults = FailsAt(0, errno.EIO, only=["write", "flush_volume", "create"])
        self.faults.armed = False
        self.options = replace(KEEP_ALL, flushing=self.faults)
        self.hashes: dict[str, list[str]] = {}  # by run-sequence: SHA-256 of every acknowledged fragment
        self.removed = 0

    async def open(self) -> None:
        self.archive, report = await Archive.open(self.paths, self.options, self.clock, BOOT)
        assert report.missing == []
        self.streams: list[FakeStream] = [stream(self.archive, GATE), stream(self.archive, ROAD, base=1_000_000)]
        self.homes = {s.key: self.archive.place(s.key) for s in self.streams}
        self.pending: dict[int, list[str]] = {}

    async def tick(self, source: FakeStream, *, seal: bool = False) -> None:
        self.clock.tick(680_000)
        if not source.started:
            self.homes[source.key] = self.archive.place(source.key)
        tick = source.tick(seal=seal, reopen=source.started and not source.rows)
        for op in tick.media:
            if isinstance(op, ops.FragmentAppend):
                self.pending.setdefault(op.token, []).append(hashlib.sha256(b"".join(op.parts)).hexdigest())
        result = await self.archive.tick(self.homes[source.key], tick)
        name = f"{source.run}-{source.sequence - 1}"
        if source.token in result.acknowledged:
            assert result.acknowledged[source.token] == source.end
            self.hashes[name] = list(self.pending[source.token])
        else:
            assert result.failure is not None
            self.new_run(source)
        if seal:
            source.rows = []

    def new_run(self, source: FakeStream) -> None:
        source.started = False
        source.rows = []
        source.run = self.archive.next_run_number()

    async def act(self, action: str, seed: int) -> None:
        source = self.streams[seed % 2]
        if action in {"tick", "both"}:
            for one in self.streams if action == "both" else [source]:
                await self.tick(one)
        elif action == "seal":
            await self.tick(source, seal=True)
        elif action == "run":
            self.new_run(source)
        elif action == "step":
            self.clock.step_wall((seed - 50) * 3_600_000_000)
            for one in self.streams:
                self.new_run(one)
        elif action == "fault":
            self.faults.armed, self.faults._count, self.faults._nth = True, 0, 1 + seed % 5
            await self.tick(source)
            self.faults.armed = False
        elif action == "retain":
            await self.retain(seed)
        else:
            await self.archive.close(orderly=action == "restart")
            await self.open()

    async def retain(self, seed: int) -> None:
        self.archive._keeper._rules = replace(KEEP_ALL.retention, max_size_bytes=20_000 * (1 + seed % 4))
        report = await self.archive.retain(RetentionTime(self.clock.wall_us(), trusted=False))
        self.removed += report.removed

    async def verify(self) -> None:
        await self.archive.close(orderly=False)
        async with opened(self.paths, replace(KEEP_ALL)) as (archive, _):
            for mode in (Mode.HASH, Mode.LEDGER):
                found = (await archive.check(mode)).findings
                assert [f for f in found if f.kind != "orphan"] == []
            here: dict[str, list[str]] = {}
            reader = ArchiveReader(self.paths)
            for key in (GATE, ROAD):
                spans = reader.recorded_spans(key, *FOR_EVER)
                for run in {span.run for span in spans}:
                    for segment in reader.segments(key, *FOR_EVER, run=run):
                        here[f"{segment.run}-{segment.sequence}"] = [f.sha256.hex() for f in reader.fragments(segment)]
                        held = [s for s in spans if s.run == run and s.held is Held.HERE]
                        assert any(s.from_us <= segment.wall_start_us < segment.wall_end_us <= s.to_us for s in held)
            reader.close()
        lost = [name for name, hashes in self.hashes.items() if name in here and here[name][: len(hashes)] != hashes]
        assert lost == []
        assert len([name for name in self.hashes if name not in here]) <= self.removed


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(story=st.lists(st.tuples(ACTIONS, st.integers(0, 99)), min_size=5, max_size=40))
def test_nothing_acknowledged_is_ever_lost(tmp_path_factory: pytest.TempPathFactory, story: list[tuple[str, int]]):
    async def live() -> None:
        life = Life(tmp_path_factory.mktemp("life"))
        await life.open()
        for action, seed in story:
            await life.act(action, seed)
        await life.verify()

    asyncio.run(live())
