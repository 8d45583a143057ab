"""Opening an archive in a test, and recording a little into it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from tests.support.fake_stream import FakeStream

from longwatch.archive import Archive, ArchiveReader, Options, RecoveryReport, Retention, Volume
from longwatch.archive import archive as archive_module
from longwatch.base.clock import Clock, ManualClock
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import SegmentRow

BOOT = "ab" * 16
archive_module._LAST_HEAD_S = 8.0  # a machine that runs many tests is slow; what is looked at after an end is not
GATE = StreamKey("gate", "main")
ROAD = StreamKey("road", "main")
KEEP_ALL = Options(Retention(max_age_us=None, keep_free_fraction=0))
FOR_EVER = (0, 1 << 60)


@contextlib.asynccontextmanager
async def opened(
    paths: Sequence[Path],
    options: Options = KEEP_ALL,
    clock: Clock | None = None,
    *,
    boot: str = BOOT,
    orderly: bool = True,
) -> AsyncIterator[tuple[Archive, RecoveryReport]]:
    """An open archive, closed at the end; orderly=False: as if the process had ended without its last words."""
    archive, report = await Archive.open(paths, options, clock or ManualClock(), boot)
    try:
        yield archive, report
    finally:
        await archive.close(orderly=orderly)


def stream(
    archive: Archive, key: StreamKey = GATE, *, clock: Clock | None = None, base: int = 0, boot: str = BOOT
) -> FakeStream:
    """A fake stream with a run number of the archive's. Its clock is the archive's unless given."""
    return FakeStream(key, archive.next_run_number(), boot, clock or archive._clock, base, sample_bytes=300)


async def record(
    archive: Archive, source: FakeStream, *, segments: int = 1, fragments: int = 3, volume: Volume | None = None
) -> None:
    """Whole segments, each in ticks of one fragment; every tick must be acknowledged."""
    where = volume or archive.place(source.key)
    for _ in range(segments):
        for n in range(fragments):
            tick = source.tick(seal=n == fragments - 1, reopen=n == 0)
            result = await archive.tick(where, tick)
            assert result.index_committed
            assert result.acknowledged == {source.token: source.end}, result


def held(paths: Sequence[Path], key: StreamKey = GATE) -> list[SegmentRow]:
    """What a reader sees of a stream."""
    reader = ArchiveReader(paths)
    try:
        return reader.segments(key, *FOR_EVER)
    finally:
        reader.close()
