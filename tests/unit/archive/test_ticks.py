"""One tick: create, write, flush, rows, acknowledge; and what stands in the index afterwards."""

import asyncio
import json
import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.archive_case import FOR_EVER, GATE, KEEP_ALL, ROAD, held, opened, record, stream
from tests.support.archive_faults import ByFile

from longwatch.archive import Archive, ArchiveReader, Flushing, Mode, Options, Retention, VolumeState, index_rows, ops
from longwatch.base.clock import ManualClock
from longwatch.formats import bmff
from longwatch.ledger import segment_root
from longwatch.model.causes import Cause
from longwatch.model.stores import FragmentRow


class Witness(Flushing):
    """Writes down what it is asked for, in order."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def step(self, number: str) -> None:
        self.calls.append(number)

    def flush_volume(self, descriptor: int) -> None:
        self.calls.append("syncfs")
        super().flush_volume(descriptor)


class Forgets(Flushing):
    """Writes down what need not stay in memory, in between the flushes."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int] | str] = []

    def flush_volume(self, descriptor: int) -> None:
        super().flush_volume(descriptor)
        self.calls.append("syncfs")

    def forget(self, descriptor: int, start: int, end: int) -> int:
        self.calls.append((start, end))
        return super().forget(descriptor, start, end)


def entries(reader: ArchiveReader) -> list[dict[str, object]]:
    """All but the first, with which every log begins."""
    return [json.loads(row.entry) for row in reader.entries(1, 1000)]


async def test_the_steps_come_in_their_order(tmp_path: Path):
    witness = Witness()
    async with opened([tmp_path / "a"], replace(KEEP_ALL, flushing=witness)) as (archive, _):
        source = stream(archive)
        witness.calls.clear()
        await archive.tick(archive.volumes[0], source.tick(seal=True))
    ticks = [call for call in witness.calls if call[0] in "Ss"]
    assert ticks[:9] == ["S1", "S2", "S2", "S2", "S3", "syncfs", "S4", "S5", "S6"]
    assert ticks[9] == "S7"
    last = [max(n for n, call in enumerate(witness.calls) if call == f"P{step}") for step in range(1, 9)]
    assert last == sorted(last), "the head is signed, noted, written, flushed, and only then shown"


async def test_memory_is_asked_to_keep_only_the_last_tick_of_each_file_and_never_what_is_not_flushed(tmp_path: Path):
    forgets = Forgets()
    async with opened([tmp_path / "a"], replace(KEEP_ALL, flushing=forgets)) as (archive, _):
        source = stream(archive)
        forgets.calls.clear()
        for n in range(4):
            await archive.tick(archive.place(GATE), source.tick(seal=n == 3))
        (segment,) = held([tmp_path / "a"])
        reader = ArchiveReader([tmp_path / "a"])
        rows = reader.fragments(segment)
        content = reader.read(segment, 0, segment.durable_bytes)
        reader.close()
    assert forgets.calls[::2] == ["syncfs"] * 4
    stretches = [call for call in forgets.calls if not isinstance(call, str)]
    guards = [row.offset - bmff.GUARD_BYTES for row in rows]
    assert [end for _, end in stretches] == guards, (
        "up to the fragment that this tick wrote, whose pages are dirty again"
    )
    assert [start for start, _ in stretches] == [0, *(end // 4096 * 4096 for end in guards[:-1])], (
        "whole pages, no hole"
    )
    assert content == Path(segment.path).read_bytes()[: segment.durable_bytes]


def test_advice_that_a_filesystem_does_not_take_is_no_error():
    reading, writing = os.pipe()
    try:
        assert Flushing().forget(reading, 0, 10_000) == 8192  # a pipe takes none
    finally:
        os.close(reading)
        os.close(writing)


async def test_what_is_acknowledged_is_in_the_file_and_in_the_index(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        source = stream(archive)
        for n in range(4):
            tick = source.tick(seal=n == 3)
            result = await archive.tick(archive.place(GATE), tick)
            (segment,) = held([tmp_path / "a"])
            assert result.acknowledged == {source.token: segment.durable_bytes}
            assert segment.sealed == (n == 3)
            assert segment.fragments == n + 1
            reader = ArchiveReader([tmp_path / "a"])
            rows = reader.fragments(segment)
            written = tick.media[-1 if n < 3 else -2]
            assert isinstance(written, ops.FragmentAppend)
            assert reader.read(segment, rows[-1].offset, rows[-1].size) == b"".join(written.parts)
            assert [row.offset for row in rows] == [row.offset for row in source.rows]
            reader.close()
        content = Path(segment.path).read_bytes()
    closing = bmff.parse_closing(content)
    assert closing is not None
    assert [fragment.sha256 for fragment in closing.fragments] == [row.sha256 for row in rows]
    assert closing.wall_end_us == segment.wall_end_us
    assert bmff.parse_header(content).identity.run == source.run


async def test_an_open_segment_is_never_read_beyond_what_is_acknowledged(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        source = stream(archive)
        await archive.tick(archive.place(GATE), source.tick())
        (segment,) = held([tmp_path / "a"])
        await archive.tick(archive.place(GATE), source.tick())
        reader = ArchiveReader([tmp_path / "a"])
        assert len(reader.read(segment, 0, 1 << 30)) == segment.durable_bytes
        assert len(reader.fragments(segment)) == 1
        reader.close()


async def test_a_seal_is_an_entry_with_the_root_of_the_leaves(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        await record(archive, stream(archive))
        (segment,) = held([tmp_path / "a"])
        reader = ArchiveReader([tmp_path / "a"])
        (entry,) = entries(reader)
        import hashlib

        header = hashlib.sha256(reader.read(segment, 0, segment.header_bytes)).digest()
        root = segment_root(header, [row.sha256 for row in reader.fragments(segment)])
        body = entry["body"]
        assert isinstance(body, dict)
        assert (entry["kind"], entry["seq"], body["root"], body["fragments"]) == ("segment_sealed", 1, root.hex(), 3)
        reader.close()


async def test_a_gap_that_is_open_for_long_is_never_forgotten_and_of_closed_ones_only_the_oldest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(index_rows, "_GAPS_KNOWN", 5)
    async with opened([tmp_path / "a"]) as (archive, _):
        await archive.commit([ops.GapOpen(0, GATE, 500, Cause.CAMERA_UNREACHABLE, {})])
        for n in range(1, 20):
            await archive.commit([ops.GapOpen(n, ROAD, n * 1000, Cause.UNKNOWN, {}), ops.GapClose(n, n * 1000 + 500)])
        await archive.commit([ops.GapClose(0, 90_000), ops.GapRefine(19, Cause.PACKETS_LOST, {})])
        assert set(archive._rows._gaps) == {0, *range(15, 20)}, "five of each stream"
        reader = ArchiveReader([tmp_path / "a"])
        assert [gap.to_us for gap in reader.gaps_of(GATE, *FOR_EVER)] == [90_000]
        assert reader.gaps_of(ROAD, *FOR_EVER)[-1].cause is Cause.PACKETS_LOST
        reader.close()


async def test_no_gap_is_forgotten_by_a_commit_that_did_not_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(index_rows, "_GAPS_KNOWN", 2)
    async with opened([tmp_path / "a"]) as (archive, _):
        for n in range(2):
            await archive.commit([ops.GapOpen(n, ROAD, n * 1000, Cause.UNKNOWN, {}), ops.GapClose(n, n * 1000 + 500)])
        before = dict(archive._rows._gaps)
        with monkeypatch.context() as patched:
            patched.setattr(index_rows, "next_commit", lambda _: (_ for _ in ()).throw(sqlite3.OperationalError("no")))
            assert not await archive.commit([ops.GapOpen(2, ROAD, 2000, Cause.UNKNOWN, {}), ops.GapClose(2, 2500)])
        for _ in range(3):  # each tries all that waits anew, and fails at its end
            with monkeypatch.context() as patched:
                patched.setitem(index_rows._HANDLERS, ops.Heartbeat, lambda *_: fail())
                assert not await archive.commit([ops.Heartbeat("b" * 32, 1, 7000, 7000)])
            assert archive._rows._gaps == before
            assert [list(closed) for closed in archive._rows._closed.values()] == [[0, 1]]
        assert await archive.commit([ops.GapRefine(1, Cause.PACKETS_LOST, {})])
        assert set(archive._rows._gaps) == {1, 2}
        reader = ArchiveReader([tmp_path / "a"])
        assert [gap.cause for gap in reader.gaps_of(ROAD, *FOR_EVER)] == [
            Cause.UNKNOWN, Cause.PACKETS_LOST, Cause.UNKNOWN,
        ]  # fmt: skip
        reader.close()


def fail() -> None:
    raise sqlite3.OperationalError("the disk says no")


async def test_a_gap_of_the_process_before_is_handed_on_and_may_still_be_refined(tmp_path: Path):
    """Recovery ends it and tells it with the stream's tail; by its row it goes on."""
    async with opened([tmp_path / "a"]) as (archive, _):
        early = ops.GapOpen(1, GATE, 1000, Cause.STREAM_STALLED, {})
        await archive.commit(
            [early, ops.GapClose(1, 4000), ops.GapOpen(2, GATE, 4000, Cause.CAMERA_SWITCHED_OFF, {"inferred": True})]
        )
        await archive.commit([ops.GapOpen(3, ROAD, 500, Cause.UNKNOWN, {}), ops.GapClose(3, 900)])
        await archive.commit([ops.GapOpen(4, ROAD, 2000, Cause.UNKNOWN, {}), ops.Heartbeat("b" * 32, 1, 7000, 7000)])
    async with opened([tmp_path / "a"]) as (archive, report):
        told = report.streams[GATE].gaps
        assert [(gap.from_us, gap.to_us, str(gap.cause)) for gap in told] == [
            (1000, 4000, "stream_stalled"), (4000, 7000, "camera_switched_off"),
        ]  # fmt: skip
        assert told[1].evidence == {"inferred": True}
        assert [gap.from_us for gap in report.streams[ROAD].gaps] == [2000], "only what leads up to the end"
        assert told[1].id is not None
        await archive.commit(
            [ops.GapAdopt(1, GATE, told[1].id, 4000), ops.GapRefine(1, Cause.CAMERA_UNREACHABLE, {"restarted": True})]
        )
        reader = ArchiveReader([tmp_path / "a"])
        *_, gap = reader.gaps_of(GATE, *FOR_EVER)
        assert (gap.to_us, gap.cause, gap.evidence) == (7000, Cause.CAMERA_UNREACHABLE, {"restarted": True})
        assert entries(reader)[-1]["body"]["gap"] == told[1].id
        reader.close()


async def test_gaps_open_are_refined_and_close_and_the_ledger_keeps_the_story(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        reader = ArchiveReader([tmp_path / "a"])
        await archive.commit(
            [ops.GapOpen(1, GATE, 1000, Cause.UNKNOWN, {}), ops.GapOpen(2, ROAD, 1000, Cause.UNKNOWN, {"load": 0.5})]
        )
        ((_, gap),) = reader.gaps("gate", 0, 2000)
        assert (gap.from_us, gap.to_us, gap.cause) == (1000, None, Cause.UNKNOWN)
        await archive.commit(
            [ops.GapRefine(1, Cause.CAMERA_UNREACHABLE, {"tried": 3}), ops.GapClose(1, 5000), ops.GapClose(2, 1000)]
        )
        ((_, gap),) = reader.gaps(None, *FOR_EVER)
        assert (gap.to_us, gap.cause, gap.evidence) == (5000, Cause.CAMERA_UNREACHABLE, {"tried": 3})
        assert [entry["kind"] for entry in entries(reader)] == [
            "gap_opened", "gap_opened", "gap_refined", "gap_closed", "gap_closed",
        ]  # fmt: skip
        assert entries(reader)[1]["body"]["evidence"] == {"load": "0.5"}
        assert entries(reader)[4]["body"]["never_was"] is True
        reader.close()


async def test_a_span_grows_shrinks_and_goes(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        source = stream(archive)
        await archive.commit([*source.start(), replace(source.span(), from_us=10, to_us=50)])
        reader = ArchiveReader([tmp_path / "a"])
        for to_us, expected in ((90, [(10, 90)]), (40, [(10, 40)]), (10, [])):
            await archive.commit([replace(source.span(), from_us=10, to_us=to_us)])
            assert [(span.from_us, span.to_us) for span in reader.recorded_spans(GATE, 0, 100)] == expected
        reader.close()


async def test_set_up_is_remembered_from_the_first_time(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        await archive.camera_set_up("gate", "Gate", ["main"], 1000)
        await archive.camera_set_up("gate", "The gate", ["main", "sub"], 2000)
        reader = ArchiveReader([tmp_path / "a"])
        assert [tuple(row) for row in reader.cameras()] == [("gate", "main", 1000), ("gate", "sub", 2000)]
        reader.close()


async def test_a_new_stream_is_set_up_with_the_first_word_on_it(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        await archive.camera_set_up("gate", "Gate", ["main"], None)
        reader = ArchiveReader([tmp_path / "a"])
        assert [tuple(row) for row in reader.cameras()] == [("gate", "main", None)]
        for at_us in (3000, 4000):
            await archive.commit([ops.StreamSetUp(GATE, at_us)])
            assert [tuple(row) for row in reader.cameras()] == [("gate", "main", 3000)]
        reader.close()


async def test_run_numbers_are_never_used_twice(tmp_path: Path):
    seen = set()
    for _ in range(3):
        async with opened([tmp_path / "a"], orderly=False) as (archive, _):
            source = stream(archive)
            assert source.run not in seen
            seen.add(source.run)
            await archive.tick(archive.place(GATE), source.tick())


async def test_a_fragment_in_the_wrong_place_is_not_written(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        source = stream(archive)
        await archive.tick(archive.place(GATE), source.tick())
        before = held([tmp_path / "a"])[0].durable_bytes
        append = source.append()
        row: FragmentRow = replace(append.row, offset=append.row.offset + 1)
        result = await archive.tick(archive.volumes[0], ops.Tick([replace(append, row=row)], []))
        assert result.failure is not None
        assert result.acknowledged == {}
        assert held([tmp_path / "a"])[0].durable_bytes == before


async def test_a_file_that_somebody_removes_fails_alone_and_within_a_tick(tmp_path: Path):
    folder = tmp_path / "a"
    async with opened([folder]) as (archive, _):
        gate, road = stream(archive, GATE), stream(archive, ROAD, base=1000)
        for source in (gate, road):
            await archive.tick(archive.volumes[0], source.tick())
        (victim,) = folder.glob("media/gate/*/*/*.mp4")
        victim.unlink()
        victim.parent.rmdir()
        reader = ArchiveReader([folder])
        accounted_us = reader.accounted_until_us()
        both = [*gate.tick().media, *road.tick().media]
        result = await archive.tick(archive.volumes[0], ops.Tick(both, [road.span(), road.heartbeat()]))
        assert reader.accounted_until_us() == accounted_us, "what was lost is not accounted for yet"
        reader.close()
        assert result.failure is not None
        assert result.failure.tokens == {gate.token}
        assert "was removed" in result.failure.detail
        assert not result.failure.whole_volume
        assert set(result.acknowledged) == {road.token}
        assert archive.volumes[0].state is VolumeState.OK
        again = await archive.tick(archive.volumes[0], gate.tick(reopen=True))
        assert again.failure is None
        assert again.acknowledged.keys() == {gate.token}


async def test_old_kernels_flush_each_file_and_its_name(tmp_path: Path):
    async with opened([tmp_path / "a"], replace(KEEP_ALL, flushing=ByFile())) as (archive, _):
        assert archive.volumes[0].files is not None
        assert archive.volumes[0].files.flushes_each_file
        await record(archive, stream(archive), segments=2)
        assert (await archive.check(Mode.HASH)).ok


class Hangs(Flushing):
    """One disk that never comes back."""

    def __init__(self) -> None:
        import threading

        self.let_go = threading.Event()
        self.bad: int | None = None

    def flush_volume(self, descriptor: int) -> None:
        if descriptor == self.bad:
            self.let_go.wait(20)
        super().flush_volume(descriptor)


async def test_a_disk_that_hangs_holds_nobody_else(tmp_path: Path):
    hangs, clock = Hangs(), ManualClock()
    options = Options(Retention(max_age_us=None, keep_free_fraction=0), hangs)
    archive, _ = await Archive.open([tmp_path / "a", tmp_path / "b"], options, clock, "ab" * 16)
    assert archive.volumes[1].files is not None
    hangs.bad = archive.volumes[1].files._descriptor
    gate, road = stream(archive), stream(archive, ROAD, base=1000)
    stuck = asyncio.ensure_future(archive.tick(archive.volumes[1], road.tick()))
    for _ in range(3):
        result = await archive.tick(archive.volumes[0], gate.tick())
        assert result.acknowledged
    assert not stuck.done()
    assert archive.volumes[1].busy_since_boot_us is not None
    assert archive.volumes[1].state is VolumeState.OK
    hangs.let_go.set()
    assert (await stuck).acknowledged == {road.token: road.end}
    assert archive.volumes[1].busy_since_boot_us is None
    await archive.close()
