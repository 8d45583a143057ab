"""What readers see: precedence, spans that reach into a window, what is gone, and that they cannot write."""

import asyncio
import itertools
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.archive_case import FOR_EVER, GATE, KEEP_ALL, ROAD, opened, record, stream
from tests.support.big_archive import END_US, MINUTE_US, key_of, make

from longwatch.archive import ArchiveReader, NotReadyError, ops
from longwatch.archive.index import bring_up
from longwatch.base.errors import LongwatchError
from longwatch.model.causes import Cause
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import Provenance, SegmentRow
from longwatch.timeline.placing import best_placed

DAY_US = 86_400_000_000


def segment(number: int, run: int, start: int, end: int, provenance: Provenance = Provenance.NTP) -> SegmentRow:
    return SegmentRow(number, GATE, "b", run, 0, "", True, 0, 0, 0, 0, start, end, provenance)


def test_an_index_that_is_still_being_made_is_not_ready_and_is_read_once_it_is(tmp_path: Path):
    """Between the file and its tables lies a moment, and a page may ask in it."""
    reader = ArchiveReader([tmp_path])
    with pytest.raises(NotReadyError):
        reader.cameras()
    index = sqlite3.connect(tmp_path / "index.db", isolation_level=None)
    index.execute("PRAGMA journal_mode = WAL")
    with pytest.raises(NotReadyError):
        reader.cameras()
    bring_up(index)
    assert reader.cameras() == []
    reader.close()
    index.close()


def test_of_two_that_claim_the_same_second_the_better_one_is_shown():
    rtc, ntp = segment(1, 1, 0, 60, Provenance.RTC), segment(2, 2, 0, 60)
    assert best_placed([rtc, ntp]) == [ntp]
    assert best_placed([segment(1, 1, 0, 60), segment(2, 2, 0, 60)]) == [segment(2, 2, 0, 60)], (
        "a later run is a correction"
    )
    partly = segment(3, 3, 30, 90, Provenance.INFERRED)
    assert best_placed([ntp, partly]) == [ntp, partly]
    assert best_placed([segment(1, 1, 0, 60), segment(2, 1, 60, 120), segment(4, 2, 10, 110, Provenance.RTC)]) == [
        segment(1, 1, 0, 60),
        segment(2, 1, 60, 120),
    ]


async def test_a_run_can_be_asked_for_by_name(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        first, second = stream(archive), stream(archive, base=1000)
        await record(archive, first)
        await record(archive, second)
        reader = ArchiveReader([tmp_path / "a"])
        assert [s.run for s in reader.segments(GATE, *FOR_EVER)] == [second.run]
        assert [s.run for s in reader.segments(GATE, *FOR_EVER, run=first.run)] == [first.run]
        found = reader.sync_before(GATE, first.run_wall_us + 1)
        assert found is not None
        assert found.run == second.run
        reader.close()


async def test_windows_are_half_open_and_reach_back_to_the_longest_segment(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        source = stream(archive)
        await record(archive, source, segments=3)
        reader = ArchiveReader([tmp_path / "a"])
        first, second, third = reader.segments(GATE, *FOR_EVER)
        assert reader.segments(GATE, first.wall_end_us - 1, first.wall_end_us) == [first]
        assert reader.segments(GATE, first.wall_end_us, first.wall_end_us + 1) == [second]
        assert reader.segments(GATE, third.wall_end_us, 1 << 60) == []
        assert reader.sync_before(GATE, third.wall_end_us + DAY_US) == third
        assert reader.sync_before(GATE, first.wall_start_us - 1) is None
        assert reader.segments(ROAD, *FOR_EVER) == []
        reader.close()


async def test_spans_and_gaps_of_weeks_reach_into_a_window_of_a_second(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        source = stream(archive)
        start = source.start()
        long = replace(source.span(), from_us=0, to_us=20 * DAY_US)
        await archive.commit([
            *start, long, replace(long, from_us=21 * DAY_US, to_us=21 * DAY_US + 10),
            ops.GapOpen(1, ROAD, 0, Cause.CAMERA_UNREACHABLE, {}), ops.GapOpen(2, GATE, 20 * DAY_US, Cause.UNKNOWN, {}),
            ops.GapOpen(3, ROAD, 3 * DAY_US, Cause.STREAM_STALLED, {}), ops.GapClose(1, 2 * DAY_US),
        ])  # fmt: skip
        reader = ArchiveReader([tmp_path / "a"])
        at = 15 * DAY_US
        assert [s.to_us for s in reader.recorded_spans(GATE, at, at + 1)] == [20 * DAY_US]
        assert [s.to_us for s in reader.recorded_spans(GATE, 19 * DAY_US, 22 * DAY_US)] == [
            20 * DAY_US,
            21 * DAY_US + 10,
        ]
        assert reader.recorded_spans(GATE, 20 * DAY_US, 21 * DAY_US) == []
        assert [(k, g.cause) for k, g in reader.gaps(None, at, at + 1)] == [(ROAD, Cause.STREAM_STALLED)]
        assert [g.from_us for _, g in reader.gaps("road", DAY_US, DAY_US + 1)] == [0]
        assert reader.gaps("gate", at, 20 * DAY_US) == []
        assert [g.to_us for _, g in reader.gaps("gate", 40 * DAY_US, 41 * DAY_US)] == [None]
        reader.close()


async def test_a_reader_cannot_write(tmp_path: Path):
    async with opened([tmp_path / "a"]):
        reader = ArchiveReader([tmp_path / "a"])
        with pytest.raises(sqlite3.OperationalError):
            reader._db().execute("DELETE FROM segment")
        reader.close()


async def test_a_reader_works_while_no_recorder_runs(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        await record(archive, stream(archive))
    reader = ArchiveReader([tmp_path / "a"])
    assert len(reader.segments(GATE, *FOR_EVER)) == 1
    assert reader.volumes_state()[0].present
    reader.close()


def test_without_an_index_it_says_what_to_do(tmp_path: Path):
    with pytest.raises(LongwatchError, match="start the recorder"):
        ArchiveReader([tmp_path]).cameras()


async def test_media_that_is_gone_is_an_error_for_people(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        await record(archive, stream(archive))
        reader = ArchiveReader([tmp_path / "a"])
        (found,) = reader.segments(GATE, *FOR_EVER)
        Path(found.path).unlink()
        with pytest.raises(LongwatchError, match="cannot be read: No such file"):
            reader.read(found, 0, 10)
        Path(found.path).symlink_to("/etc/passwd")
        with pytest.raises(LongwatchError):
            reader.read(found, 0, 10)
        reader.close()


async def test_a_made_up_archive_is_a_real_one(tmp_path: Path):
    await asyncio.to_thread(make, tmp_path / "big", 12000, cameras=2, ledger=50, tables=10)
    reader = ArchiveReader([tmp_path / "big"])
    for camera in (0, 1):
        key = key_of(camera)
        spans = reader.recorded_spans(key, *FOR_EVER)
        gaps = reader.gaps_of(key, *FOR_EVER)
        edges = sorted([(s.from_us, s.to_us) for s in spans] + [(g.from_us, g.to_us or 0) for g in gaps])
        made_up = [edge for edge in edges if edge[1] <= END_US - 3 * MINUTE_US]
        assert len(made_up) > 4
        assert all(a[1] == b[0] for a, b in itertools.pairwise(made_up)), "no hole and no overlap"
        assert reader.stats(key).segments == (6003 if camera == 0 else 6000)
        assert len(reader.segments(key, END_US - 200 * MINUTE_US, END_US - 190 * MINUTE_US)) in {9, 10, 11}
    newest = reader.sync_before(key_of(0), END_US)
    assert newest is not None
    assert len(reader.read(newest, 0, newest.durable_bytes)) == newest.durable_bytes
    reader.close()
    async with opened([tmp_path / "big"], KEEP_ALL) as (archive, report):
        assert report.recovered == []
        assert StreamKey("cam000", "main") in report.streams
        assert archive.next_run_number() > 2
