"""What a cut leaves of files and rows, made by hand: torn tails, files without rows, rows without seals, removals half done."""

import hashlib
import json
import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.archive_case import BOOT, FOR_EVER, GATE, KEEP_ALL, held, opened, record, stream
from tests.support.fake_stream import FakeStream

from longwatch.archive import Archive, ArchiveReader, Mode, ops
from longwatch.base.clock import ManualClock
from longwatch.formats import bmff
from longwatch.ledger import segment_root
from longwatch.model.causes import Cause
from longwatch.model.sessions import StreamKey


def guarded(parts: Sequence[bytes]) -> bytes:
    """A fragment as it stands in a file before its flush."""
    return b"".join([bmff.guard(sum(map(len, parts))), *parts])


async def cut(tmp_path: Path, acknowledged: int = 2, beyond: int = 1) -> tuple[Path, int, FakeStream]:
    """A folder whose last recorder vanished: `acknowledged` fragments, `beyond` more in the file without a row."""
    clock = ManualClock()
    async with opened([tmp_path / "a"], clock=clock, orderly=False) as (archive, _):
        source = stream(archive)
        for _ in range(acknowledged):
            await archive.tick(archive.place(GATE), source.tick())
        (segment,) = held([tmp_path / "a"])
        path, durable = Path(segment.path), source.end
    with path.open("ab") as file:
        for _ in range(beyond):
            file.write(guarded(source.append().parts))
    return path, durable, source


async def test_whole_fragments_beyond_the_acknowledged_are_kept(tmp_path: Path):
    path, durable, source = await cut(tmp_path, beyond=2)
    async with opened([tmp_path / "a"]) as (archive, report):
        (recovered,) = report.recovered
        assert (recovered.kept_bytes, recovered.cut_bytes, recovered.adopted) == (
            source.end - durable - 2 * bmff.GUARD_BYTES,
            0,
            False,
        )
        (segment,) = held([tmp_path / "a"])
        assert segment.sealed
        assert segment.recovered
        assert segment.fragments == 4
        assert segment.wall_end_us == source.wall_us(source.media_90k)
        reader = ArchiveReader([tmp_path / "a"])
        assert reader.recorded_spans(GATE, *FOR_EVER)[0].to_us == segment.wall_end_us
        assert report.streams[GATE].accounted_to_us == segment.wall_end_us
        reader.close()
        assert (await archive.check(Mode.HASH)).findings == []
    closing = bmff.parse_closing(path.read_bytes())
    assert closing is not None
    assert closing.recovered
    assert len(closing.fragments) == 4


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(tail=st.integers(1, 6000), zeros=st.booleans(), seed=st.integers(0, 99))
def test_whatever_the_tail_what_was_acknowledged_stays(
    tmp_path_factory: pytest.TempPathFactory, tail: int, zeros: bool, seed: int
):
    import asyncio

    async def run() -> None:
        tmp_path = tmp_path_factory.mktemp("cut")
        path, durable, source = await cut(tmp_path, beyond=0)
        content = path.read_bytes()
        more = guarded(source.append().parts)[:tail]
        if zeros:
            more = more[: len(more) // 2].ljust(len(more), b"\0")
        path.write_bytes(content + more + random.Random(seed).randbytes(seed))
        async with opened([tmp_path / "a"]) as (archive, _):
            (segment,) = held([tmp_path / "a"])
            assert segment.durable_bytes >= durable
            assert path.read_bytes()[:durable] == content[:durable]
            assert (await archive.check(Mode.HASH)).findings == []
        shutil.rmtree(tmp_path)

    asyncio.run(run())


async def test_a_length_that_came_before_its_bytes_is_not_believed(tmp_path: Path):
    path, durable, source = await cut(tmp_path, beyond=0)
    parts = source.append().parts
    with path.open("ab") as file:
        whole = guarded(parts)
        known = bmff.GUARD_BYTES + sum(map(len, parts[:3]))
        file.write(whole[:known] + bytes(len(whole) - known))
    async with opened([tmp_path / "a"]) as (_, report):
        assert report.recovered[0].kept_bytes == 0
        assert held([tmp_path / "a"])[0].durable_bytes == durable


async def test_a_file_without_a_row_is_adopted(tmp_path: Path):
    paths = [tmp_path / "a"]
    archive, _ = await Archive.open(paths, KEEP_ALL, ManualClock(), BOOT)
    source = stream(archive)
    await archive.tick(archive.place(GATE), source.tick(seal=True))
    here_us = source.wall_us(source.media_90k)
    beat = ops.Heartbeat(
        BOOT, 5, here_us, here_us + 300_000
    )  # all were accounted for beyond the begin of what the cut took
    await archive.commit([ops.GapOpen(1, GATE, here_us - 5, Cause.STREAM_STALLED, {}), beat])
    files = archive.volumes[0].files
    assert files is not None
    lost = source.tick(reopen=True, fragments=2)
    await archive.volumes[0].worker.run(files.perform, lost.media)  # the flush came, the commit never did
    await archive.close(orderly=False)
    async with opened(paths) as (archive, report):
        assert [(r.adopted, r.key) for r in report.recovered] == [(True, GATE)]
        first, second = held(paths)
        assert second.sequence == 1
        assert second.fragments == 2
        assert second.wall_start_us == first.wall_end_us
        reader = ArchiveReader(paths)
        (span,) = reader.recorded_spans(GATE, *FOR_EVER)
        assert span.to_us == second.wall_end_us
        (gap,) = reader.gaps_of(GATE, *FOR_EVER)
        assert gap.to_us == second.wall_start_us
        reader.close()
        assert (await archive.check(Mode.HASH)).findings == []
        assert archive.next_run_number() > source.run
    async with opened(paths) as (_, report):
        assert report.recovered == []
        assert report.orderly_stop


async def test_a_run_whose_first_commit_never_came_is_adopted(tmp_path: Path):
    paths = [tmp_path / "a"]
    archive, _ = await Archive.open(paths, KEEP_ALL, ManualClock(), BOOT)
    source = stream(archive)
    files = archive.volumes[0].files
    assert files is not None
    await archive.volumes[0].worker.run(files.perform, source.tick().media)
    await archive.close(orderly=False)
    async with opened(paths) as (archive, report):
        assert report.recovered[0].adopted
        assert held(paths)[0].run == source.run
        assert archive.next_run_number() == source.run + 1
        reader = ArchiveReader(paths)
        assert [row.set_up_us for row in reader.cameras()] == [held(paths)[0].wall_start_us]
        reader.close()


async def test_a_header_that_is_torn_stays_and_is_named(tmp_path: Path):
    paths = [tmp_path / "a"]
    archive, _ = await Archive.open(paths, KEEP_ALL, ManualClock(), BOOT)
    source = stream(archive)
    files = archive.volumes[0].files
    assert files is not None
    await archive.volumes[0].worker.run(files.perform, source.tick().media)
    await archive.close(orderly=False)
    (path,) = (tmp_path / "a").rglob("*.mp4")
    path.write_bytes(path.read_bytes()[:40])
    async with opened(paths) as (_, report):
        assert report.unusable == [str(path)]
        assert path.exists()
        assert held(paths) == []


async def test_a_closed_file_whose_commit_never_came_is_taken_as_it_is(tmp_path: Path):
    paths = [tmp_path / "a"]
    archive, _ = await Archive.open(paths, KEEP_ALL, ManualClock(), BOOT)
    source = stream(archive)
    await archive.tick(archive.place(GATE), source.tick())
    files = archive.volumes[0].files
    assert files is not None
    await archive.volumes[0].worker.run(files.perform, source.tick(seal=True).media)
    await archive.close(orderly=False)
    (path,) = (tmp_path / "a").rglob("*.mp4")
    content = path.read_bytes()
    async with opened(paths) as (_, report):
        assert report.recovered[0].cut_bytes == 0
        (segment,) = held(paths)
        assert (segment.sealed, segment.recovered, segment.fragments) == (True, False, 2)
    assert path.read_bytes() == content


async def test_gaps_left_open_end_where_the_recorder_had_accounted_to(tmp_path: Path):
    paths = [tmp_path / "a"]
    async with opened(paths, orderly=False) as (archive, _):
        await archive.commit([
            ops.GapOpen(1, GATE, 1000, Cause.CAMERA_UNREACHABLE, {}), ops.Heartbeat(BOOT, 5, 9000, 8000),
        ])  # fmt: skip
    async with opened(paths, boot="cd" * 16) as (_, report):
        assert report.heartbeat == ops.Heartbeat(BOOT, 5, 9000, 8000)
        assert not report.orderly_stop
        assert not report.same_boot
        assert report.streams[GATE].accounted_to_us == 8000
        reader = ArchiveReader(paths)
        ((_, gap),) = reader.gaps(None, *FOR_EVER)
        assert (gap.from_us, gap.to_us) == (1000, 8000)
        reader.close()


async def test_a_removal_that_was_cut_is_finished(tmp_path: Path):
    paths = [tmp_path / "a"]
    async with opened(paths) as (archive, _):
        await record(archive, stream(archive), segments=3)
        first = held(paths)[0]
        archive._index.connection.execute("INSERT INTO removal VALUES (?, 'max_age')", (first.id,))
    async with opened(paths) as (_, report):
        assert report.removals_finished == 1
        assert not Path(first.path).exists()
        assert len(held(paths)) == 2
        reader = ArchiveReader(paths)
        assert [span.held for span in reader.recorded_spans(GATE, *FOR_EVER)] == ["gone", "here"]
        reader.close()


async def test_a_missing_file_is_said_and_its_row_goes(tmp_path: Path):
    path, _, _ = await cut(tmp_path)
    path.unlink()
    async with opened([tmp_path / "a"]) as (archive, report):
        assert report.missing == [str(path)]
        assert held([tmp_path / "a"]) == []
        assert (await archive.check(Mode.SIZE)).ok
        reader = ArchiveReader([tmp_path / "a"])
        assert [span.held for span in reader.recorded_spans(GATE, *FOR_EVER)] == ["gone"], (
            "nobody is told that it is here"
        )
        reader.close()


async def test_a_volume_that_is_away_keeps_its_open_segments_for_later(tmp_path: Path):
    paths = [tmp_path / "a", tmp_path / "b"]
    async with opened(paths, orderly=False) as (archive, _):
        source = stream(archive)
        await archive.tick(archive.volumes[1], source.tick())
    (tmp_path / "b").rename(tmp_path / "away")
    async with opened(paths) as (_, report):
        assert report.waiting == 1
        assert report.missing == []
    (tmp_path / "away").rename(tmp_path / "b")
    async with opened(paths) as (_, report):
        assert len(report.recovered) == 1
        assert held(paths)[0].sealed


async def test_a_lost_index_is_made_again_with_open_files_mended(tmp_path: Path):
    paths = [tmp_path / "a", tmp_path / "b"]
    async with opened(paths, orderly=False) as (archive, _):
        source = stream(archive)
        await record(archive, source, segments=3)
        await archive.tick(archive.place(GATE), source.tick(reopen=True))
        before = held(paths)
    for file in (tmp_path / "a").glob("index.db*"):
        file.unlink()
    async with opened(paths) as (archive, report):
        assert report.rebuilt
        after = held(paths)
        unmarked = [replace(s, id=0, verified=True, recovered=False, sealed=True) for s in after]
        assert unmarked == [replace(s, id=0, sealed=True) for s in before]
        assert [s.verified for s in after[:3]] == [False] * 3
        reader = ArchiveReader(paths)
        (span,) = reader.recorded_spans(GATE, *FOR_EVER)
        assert (span.from_us, span.to_us) == (before[0].wall_start_us, before[3].wall_end_us)
        reader.close()
        checked = await archive.check(Mode.HASH, repair=True)
        assert (checked.findings, checked.verified) == ([], 3)
        assert all(s.verified for s in held(paths))


async def test_a_damaged_index_is_moved_aside_and_made_again(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        await record(archive, stream(archive), segments=2)
    index = tmp_path / "a" / "index.db"
    index.write_bytes(b"not a database at all" * 1000)
    async with opened([tmp_path / "a"]) as (_, report):
        assert report.rebuilt
        assert len(held([tmp_path / "a"])) == 2
    (aside,) = (tmp_path / "a").glob("index.db.damaged-*")
    assert aside.read_bytes().startswith(b"not a database")


async def test_what_was_open_is_carried_into_the_ledger_with_the_root_of_what_was_acknowledged(tmp_path: Path):
    archive, _ = await Archive.open([tmp_path / "a"], KEEP_ALL, ManualClock(), BOOT)
    source = stream(archive)
    for n in range(3):
        await archive.tick(archive.volumes[0], source.tick(reopen=n == 0))
    (left,) = held([tmp_path / "a"])
    reader = ArchiveReader([tmp_path / "a"])
    leaves = [fragment.sha256 for fragment in reader.fragments(left)]
    header = hashlib.sha256(Path(left.path).read_bytes()[: left.header_bytes]).digest()
    reader.close()
    await archive.close(orderly=False)
    with Path(left.path).open("ab") as file:
        file.write(b"torn" * 100)
    async with opened([tmp_path / "a"], boot="cd" * 16):
        reader = ArchiveReader([tmp_path / "a"])
        entries = [json.loads(row.entry) for row in reader.entries(0, 100)]
        reader.close()
    (told,) = [e["body"] for e in entries if e["kind"] == "segments_recovered"]
    (run,) = told["runs"]
    assert (run["camera"], run["boot"], run["run"], run["sequence"]) == ("gate", BOOT, source.run, 0)
    assert (run["acknowledged_bytes"], run["fragments"]) == (left.durable_bytes, 3)
    assert run["root"] == segment_root(header, leaves).hex()
    assert (run["kept_bytes"], run["cut_bytes"]) == (0, 400)
    (seal,) = [e["body"] for e in entries if e["kind"] == "segment_sealed"]
    assert seal["recovered"]
    assert seal["root"] == run["root"], "nothing was kept beyond it"


@pytest.mark.slow
async def test_many_that_were_open_are_told_in_entries_that_a_bundle_can_hold(tmp_path: Path):
    archive, _ = await Archive.open([tmp_path / "a"], KEEP_ALL, ManualClock(), BOOT)
    sources = [stream(archive, StreamKey(f"camera-{n:03d}", "main"), base=n * 1000) for n in range(200)]
    ticks = [source.tick() for source in sources]
    await archive.tick(
        archive.volumes[0], ops.Tick([op for t in ticks for op in t.media], [op for t in ticks for op in t.index])
    )
    await archive.close(orderly=False)
    async with opened([tmp_path / "a"], boot="cd" * 16) as (archive, report):
        assert len(report.recovered) == 200
        await archive.ledger.publish()
        reader = ArchiveReader([tmp_path / "a"])
        rows = [row.entry for row in reader.entries(0, 1000)]
        reader.close()
    told = [e for row in rows if (e := json.loads(row))["kind"] == "segments_recovered"]
    assert len(told) == 3
    assert sorted(run["camera"] for e in told for run in e["body"]["runs"]) == sorted(s.key.camera for s in sources)
    assert max(map(len, rows)) <= 65_535
