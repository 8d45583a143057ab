"""An index that is lost, or older than its files, comes back from them: the ledger whole, the timeline and its causes as they were."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.archive_case import GATE, KEEP_ALL, ROAD, opened, record, stream
from tests.support.clocked_post import Post
from tests.support.recording import SECOND

from longwatch.archive import Archive, ArchiveReader, Discard, Mode, RecoveryReport, Retention, RetentionTime, ops
from longwatch.archive.index import schema
from longwatch.archive.log_files import read_head
from longwatch.archive.recovery import cover
from longwatch.base.clock import ManualClock
from longwatch.ledger import leaf_hash, root
from longwatch.ledger.tiles import Frontier, bundle, tiles_of
from longwatch.model.alarms import AlarmKind
from longwatch.model.causes import Cause
from longwatch.model.sessions import Fault
from longwatch.timeline import Tile

WALL_0 = 1_767_225_600_000_000
HOUR = 3600 * SECOND
PERSON = ops.Person(7, '{"reason":"vandals","user":"ida"}')


def lose_index(folder: Path) -> None:
    for path in folder.glob("index.db*"):
        path.unlink()


def ledger(paths: list[Path]) -> list[bytes]:
    reader = ArchiveReader(paths)
    try:
        return [row.entry for row in reader.entries(0, 1 << 40)]
    finally:
        reader.close()


def kinds_of(paths: list[Path]) -> list[str]:
    return [json.loads(entry)["kind"] for entry in ledger(paths)]


def dump(folder: Path, *tables: str) -> dict[str, list[Any]]:
    db = sqlite3.connect(folder / "index.db")
    try:
        return {table: db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables}
    finally:
        db.close()


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    made = Post(tmp_path / "data")
    yield made
    made.close()


def eventful(post: Post) -> None:
    """A camera that refuses, loses, and stays away; a cut; retention; a clock that is set back and corrected; an orderly end."""
    studio = post.boot(wall_us=WALL_0)
    studio.open()
    studio.play(70)
    studio.lose(20)
    studio.play(50)
    studio.close(Fault.REFUSED, "401")
    studio.play(12)
    studio.open()
    studio.play(90)
    post.cut()
    studio = post.boot(wall_us=WALL_0 + 260 * SECOND)
    studio.play(2)
    studio.open()
    studio.play(150)
    assert post.archive is not None
    for part in ((100, 150), (300, 340)):  # to the end of a run, and out of the middle of one
        looked = Discard("gate", *(WALL_0 + at * SECOND for at in part))
        assert post.loop.run_until_complete(post.archive.discard(looked)).removed
    post.archive.use_retention(Retention(max_age_us=None, max_size_bytes=60_000, keep_free_fraction=0))
    now = RetentionTime(studio.wall_us, trusted=True)
    assert post.loop.run_until_complete(post.archive.retain(now)).removed > 10
    post.archive.use_retention(KEEP_ALL.retention)
    studio.step_wall(-HOUR)
    studio.play(40)
    studio.step_wall(HOUR)
    studio.play(40)
    post.correct()
    studio.lose(3)
    studio.play(30)
    post.stop()


def told(tiles: list[Tile]) -> list[tuple[Any, ...]]:
    return [(str(t.state), t.from_us, t.to_us, str(t.cause), t.run, str(t.held)) for t in tiles]


def reopened(post: Post, boot: str = "e" * 32) -> RecoveryReport:
    async def again() -> RecoveryReport:
        archive, report = await Archive.open([post.folder], KEEP_ALL, ManualClock(WALL_0 + 3 * HOUR), boot)
        for mode in Mode:
            assert (await archive.check(mode)).findings == []
        await archive.close()
        return report

    return asyncio.run(again())


@pytest.mark.slow
def test_the_timeline_and_its_causes_are_what_they_were(post: Post) -> None:
    eventful(post)
    until_us = post.studio.account.accounted_until_us if post.studio is not None else 0
    before = told(post.tiles(WALL_0 - HOUR, until_us))
    rows = dump(post.folder, "gap", "gone_span", "stream", "clock")
    entries = ledger([post.folder])
    lose_index(post.folder)
    report = reopened(post)
    assert report.rebuilt
    assert report.entries_restored == len(entries)
    assert ledger([post.folder])[: len(entries)] == entries
    assert kinds_of([post.folder])[len(entries) : len(entries) + 2] == ["ledger_restored", "index_rebuilt"]
    assert {name for _, _, _, name, _, _ in before} >= {"camera_refused", "packets_lost", "not_scheduled"}
    assert "gone" in {held for *_, held in before}
    assert dump(post.folder, "gap")["gap"] == rows["gap"]
    after = told(post.tiles(WALL_0 - HOUR, until_us))
    assert after == before


async def story(paths: list[Path], clock: ManualClock | None = None) -> list[bytes]:
    """Sealed segments, a gap, an alarm, a pause; an orderly end. The ledger, as it is then."""
    async with opened(paths, clock=clock) as (archive, _):
        source, road = stream(archive), stream(archive, ROAD, base=1_000_000)
        for key in (GATE, ROAD):
            await archive.camera_set_up(key.camera, "Gate", [key.stream], clock.wall_us() if clock else 5)
        for volume in archive.volumes:
            await record(archive, source if volume is archive.volumes[0] else road, segments=3, volume=volume)
        await archive.commit([ops.GapOpen(1, GATE, 1 << 52, Cause.UNKNOWN, {"a": 1})])
        alarm = ops.AlarmRaise(1, AlarmKind.CAMERA_SILENT, "gate", "", 1000, 900, "unknown", {"x": 1})
        await archive.commit([alarm, ops.AlarmRefine(1, "camera_refused", {"y": 2}), ops.AlarmRepeat(1, 3)])
        await archive.act(ops.PauseBegin("gate", Cause.PRIVACY_PAUSE, 77, None, PERSON))
        await archive.act(ops.PauseBegin("road", Cause.PRIVACY_PAUSE, 78, 99, PERSON))
        await archive.act(ops.PauseEnd("road", "enough", PERSON))
        await archive.act(ops.AlarmAcknowledge(1, PERSON, None))
    return ledger(paths)


def flip(path: Path, at: int = 40) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def log_row(folder: Path) -> tuple[Any, ...]:
    ((row,),) = [dump(folder, "log")["log"]]
    return tuple(row)


@pytest.mark.parametrize("how", ["deleted", "garbage", "emptied"])
async def test_a_lost_index_comes_back_with_the_ledger_whole(tmp_path: Path, how: str) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    entries = await story(paths)
    tables = ("gap", "alarm", "pause", "stream", "mention", "recorded_span")
    before, log = dump(paths[0], *tables), log_row(paths[0])
    lose_index(paths[0])
    if how != "deleted":
        (paths[0] / "index.db").write_bytes(b"no database" * 500 if how == "garbage" else b"")
    async with opened(paths) as (archive, report):
        assert report.rebuilt
        assert report.entries_restored == len(entries)
        assert archive.ledger.begun == ""
        assert log_row(paths[0])[:3] == log[:3], "the same log goes on, with the same key"
        assert (await archive.check(Mode.HASH)).findings == []
    after = ledger(paths)
    assert after[: len(entries)] == entries
    assert json.loads(after[len(entries)])["body"] == {"after_size": 0, "entries": len(entries), "index_lost": True}
    changed = {name for name in tables if dump(paths[0], name)[name] != before[name]}
    assert changed <= {"stream", "gap"}, changed
    assert {row[1:] for row in dump(paths[0], "stream")["stream"]} == {row[1:] for row in before["stream"]}
    heads = [read_head(path / "ledger" / "1") for path in paths]
    assert [head is not None and head.checkpoint.size for head in heads] == [len(after)] * 2
    assert heads[0] is not None
    assert heads[0].checkpoint.root == root(map(leaf_hash, after))


def damage_one(paths: list[Path]) -> None:
    flip(paths[0] / "ledger/1/tile/entries/000.p" / os.listdir(paths[0] / "ledger/1/tile/entries/000.p")[0])


def lose_first(paths: list[Path]) -> None:
    shutil.rmtree(paths[0] / "ledger")


def older_first(paths: list[Path]) -> None:
    (paths[0] / "ledger/1/checkpoint").write_text("nothing")


def tile_and_bundle(paths: list[Path]) -> None:
    damage_one(paths)
    flip(paths[1] / "ledger/1/tile/0/000.p" / os.listdir(paths[1] / "ledger/1/tile/0/000.p")[0])


@pytest.mark.parametrize("damage", [damage_one, lose_first, older_first, tile_and_bundle])
async def test_the_best_of_the_mirrors_is_taken(tmp_path: Path, damage: Callable[[list[Path]], None]) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    entries = await story(paths)
    lose_index(paths[0])
    damage(paths)
    async with opened(paths) as (archive, report):
        assert report.entries_restored == len(entries)
        assert archive.ledger.begun == ""
        await archive.ledger.publish()
    assert ledger(paths)[: len(entries)] == entries
    whole(paths, 1)


def whole(paths: list[Path], number: int) -> None:
    """Every volume has every file of the log, and nothing that contradicts it."""
    entries = ledger(paths)
    leaves = [leaf_hash(entry) for entry in entries]
    for path in paths:
        head = read_head(path / "ledger" / str(number))
        assert head is not None
        assert (head.checkpoint.size, head.checkpoint.root) == (len(entries), root(leaves))
        reached = Frontier()
        tiles = reached.extend(leaves)
        for tile in tiles_of(0, len(entries)):
            content = (head.folder / tile.path).read_bytes()
            first = tile.index * 256
            assert content == tiles.get(tile, bundle(entries[first : first + tile.width]))


async def test_what_was_signed_and_cannot_be_read_begins_another_log_that_names_it(tmp_path: Path) -> None:
    paths = [tmp_path / "a"]
    async with opened(paths) as (archive, _):
        await archive.commit([ops.Entry("made_up", {"n": n}) for n in range(600)])
        await archive.ledger.publish()
    entries, log = ledger(paths), log_row(paths[0])
    lose_index(paths[0])
    flip(paths[0] / "ledger/1/tile/entries/001", 3)
    async with opened(paths) as (archive, report):
        assert report.entries_restored == 256
        assert "256" in archive.ledger.begun
        assert archive.ledger.problems()[0]["what"].startswith("the ledger goes on as another log")
        assert archive.ledger.log.number == 2
    after = ledger(paths)
    assert after[:256] == entries[:256]
    begun = next(body for e in after if (body := json.loads(e))["kind"] == "log_begun" and body["seq"] > 0)["body"]
    assert begun["previous"] == {"origin": log[2], "size": log[4], "root": log[5].hex()}
    whole(paths, 2)
    old = read_head(paths[0] / "ledger/1")
    assert old is not None
    assert old.checkpoint.size == log[4], "what was published stays as it was"


async def test_without_all_volumes_nobody_knows_what_was_signed(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    entries = await story(paths)
    lose_index(paths[0])
    (tmp_path / "b").rename(tmp_path / "away")
    (tmp_path / "b").mkdir()
    async with opened(paths) as (archive, report):
        assert report.entries_restored == len(entries)
        assert "1 volumes are not there" in archive.ledger.begun
    assert not any(json.loads(e)["kind"] == "segments_removed" for e in ledger(paths)), "its media is away, not missing"


async def test_everything_lost_begins_a_log_that_names_what_the_checkpoint_claimed(tmp_path: Path) -> None:
    paths = [tmp_path / "a"]
    await story(paths)
    size = log_row(paths[0])[4]
    lose_index(paths[0])
    shutil.rmtree(paths[0] / "ledger/1/tile")
    async with opened(paths) as (archive, report):
        assert report.entries_restored == 0
        assert archive.ledger.log.number == 2
    first = next(e for entry in ledger(paths) if (e := json.loads(entry))["kind"] == "log_begun")
    assert first["body"]["previous"]["size"] == size


async def test_a_checkpoint_that_cannot_be_read_keeps_no_recorder_from_starting(tmp_path: Path) -> None:
    paths = [tmp_path / "a"]
    entries = await story(paths)
    log = log_row(paths[0])
    checkpoint = paths[0] / "ledger/1/checkpoint"
    checkpoint.unlink()
    checkpoint.mkdir()  # reading it is an error, as of a bad sector
    async with opened(paths) as (archive, _):
        assert archive.ledger.begun == ""
        assert log_row(paths[0])[:3] == log[:3], "the index has it all"
        await record(archive, stream(archive, base=9_000_000), segments=2)
    checkpoint.rmdir()
    async with opened(paths):
        pass
    assert ledger(paths)[: len(entries)] == entries
    head = read_head(paths[0] / "ledger/1")
    assert head is not None
    assert head.checkpoint.size == len(ledger(paths)), "it is written anew once the disk takes it"


async def test_a_lost_key_begins_another_log_over_the_same_entries(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    entries = await story(paths)
    old = read_head(paths[0] / "ledger/1")
    (paths[0] / "ledger.key").unlink()
    async with opened(paths) as (archive, _):
        assert archive.ledger.begun == "the key was lost"
        assert archive.ledger.log.number == 2
        assert old is not None
        assert archive.ledger.key.public != old.key
    after = ledger(paths)
    assert after[: len(entries)] == entries
    body = json.loads(after[len(entries)])["body"]
    assert body["previous"] == {
        "origin": old.checkpoint.origin,
        "size": len(entries),
        "root": old.checkpoint.root.hex(),
    }
    whole(paths, 2)
    async with opened(paths) as (archive, _):
        assert archive.ledger.begun == ""
        assert archive.ledger.log.number == 2


async def test_an_index_that_is_older_than_its_files_takes_the_rest(tmp_path: Path) -> None:
    """A backup of the index was put back. It must not give numbers twice that were signed."""
    paths, clock = [tmp_path / "a"], ManualClock()
    async with opened(paths, clock=clock) as (archive, _):
        source = stream(archive)
        await record(archive, source, segments=2)
        await archive.tick(archive.volumes[0], source.tick(reopen=True))
    shutil.copy(paths[0] / "index.db", tmp_path / "backup")
    async with opened(paths, clock=clock) as (archive, _):
        source = stream(archive)
        await record(archive, source, segments=3)
        await archive.commit([ops.GapOpen(1, ROAD, 1000, Cause.UNKNOWN, {}), ops.GapClose(1, 5000)])
    entries, before = ledger(paths), dump(paths[0], "gap", "segment", "recorded_span", "holding")
    lose_index(paths[0])
    shutil.copy(tmp_path / "backup", paths[0] / "index.db")
    async with opened(paths, clock=clock) as (archive, report):
        assert not report.rebuilt
        assert report.entries_restored > 5
        assert archive.ledger.begun == ""
        assert (await archive.check(Mode.HASH)).findings == []
    assert ledger(paths)[: len(entries)] == entries
    after = dump(paths[0], "gap", "segment", "recorded_span", "holding")
    assert after["gap"] == before["gap"]
    assert after["holding"] == before["holding"]
    assert len(after["segment"]) == len(before["segment"])
    whole(paths, 1)


async def test_an_index_that_tells_another_story_than_was_published_begins_another_log(tmp_path: Path) -> None:
    paths = [tmp_path / "a"]
    await story(paths)
    shutil.copytree(paths[0] / "ledger", tmp_path / "published")
    db = sqlite3.connect(paths[0] / "index.db")
    entry = b'{"body":{},"boot":"00","kind":"made_up","seq":3,"v":1,"wall_us":1}'
    db.execute("UPDATE ledger SET entry = ?, leaf = ? WHERE seq = 3", (entry, leaf_hash(entry)))
    db.execute("UPDATE log SET signed_size = 2, signed_root = x'00'")
    db.commit()
    db.close()
    async with opened(paths) as (archive, _):
        assert "differs from what was published" in archive.ledger.begun
        assert archive.ledger.log.number == 2
    for path in (tmp_path / "published").rglob("*"):
        if path.is_file():
            assert (paths[0] / "ledger" / path.relative_to(tmp_path / "published")).read_bytes() == path.read_bytes()


async def test_an_index_that_no_longer_holds_what_was_signed_is_not_signed_again(tmp_path: Path) -> None:
    """Rows were changed beneath the largest head: found when the next one is to be signed."""
    paths = [tmp_path / "a"]
    await story(paths)
    db = sqlite3.connect(paths[0] / "index.db")
    entry = b'{"body":{},"boot":"00","kind":"made_up","seq":3,"v":1,"wall_us":1}'
    db.execute("UPDATE ledger SET entry = ?, leaf = ? WHERE seq = 3", (entry, leaf_hash(entry)))
    db.commit()
    db.close()
    shutil.rmtree(paths[0] / "ledger")
    async with opened(paths) as (archive, _):
        await archive.commit([ops.Entry("made_up", {})])
        await archive.ledger.publish()
        assert archive.ledger.log.number == 2
        assert "not those that were signed" in archive.ledger.begun
    whole(paths, 2)


@pytest.mark.slow
def test_a_restoration_that_is_cut_begins_again(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    entries = asyncio.run(story(paths))
    lose_index(paths[0])
    for step in ("L1", "L2"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.archive_workload", *paths, "--ticks", "1", "--end-at", step],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 77, done.stderr
    assert ledger(paths)[: len(entries)] == entries
    assert kinds_of(paths).count("ledger_restored") == 1


async def test_what_is_sealed_and_nobody_holds_is_said_to_be_missing(tmp_path: Path) -> None:
    paths = [tmp_path / "a"]
    await story(paths)
    lose_index(paths[0])
    gone = sorted((paths[0] / "media").rglob("*.mp4"))[1]
    gone.unlink()
    async with opened(paths) as (archive, _):
        assert (await archive.check(Mode.SIZE)).findings == []
    told = [e["body"] for entry in ledger(paths) if (e := json.loads(entry))["kind"] == "segments_removed"]
    assert [(run["why"], run["sequences"]) for body in told for run in body["runs"]] == [("missing", [[1, 1]])]
    assert len(dump(paths[0], "gone_span")["gone_span"]) == 1


def test_a_segment_whose_time_is_believed_otherwise_begins_a_span_of_its_own() -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript(schema())
    db.execute("PRAGMA foreign_keys = OFF")
    for from_us, provenance in ((0, 2), (60, 1), (120, 1)):
        cover(db, 1, 1, from_us, from_us + 60, provenance)
    spans = db.execute("SELECT from_us, to_us, provenance FROM recorded_span ORDER BY from_us").fetchall()
    assert spans == [(0, 60, 2), (60, 180, 1)]
