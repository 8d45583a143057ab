"""Disks that are swapped, foreign, missing, newer, or somebody else's."""

import json
import shutil
from pathlib import Path

import pytest
from tests.support.archive_case import BOOT, GATE, KEEP_ALL, ROAD, held, opened, record, stream

from longwatch.archive import Archive, Mode, VolumeState
from longwatch.archive.volumes import Lock
from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError


def tree(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


async def open_and_close(*paths: Path) -> None:
    async with opened(paths):
        pass


async def test_a_new_folder_names_its_volumes(tmp_path: Path):
    paths = [tmp_path / "a", tmp_path / "b"]
    async with opened(paths) as (archive, report):
        assert report.fresh
        identities = [json.loads((path / "volume.json").read_text()) for path in paths]
        assert [i["volume_id"] for i in identities] == [v.id for v in archive.volumes]
        assert identities[0]["data_id"] == identities[1]["data_id"]
        assert identities[0]["volumes"] == identities[1]["volumes"] == [v.id for v in archive.volumes]
        assert identities[0]["format"] == 1


async def test_an_older_program_refuses_a_newer_folder_and_touches_nothing(tmp_path: Path):
    await open_and_close(tmp_path / "a")
    identity = json.loads((tmp_path / "a" / "volume.json").read_text())
    (tmp_path / "a" / "volume.json").write_text(json.dumps({**identity, "format": 2}))
    before = tree(tmp_path)
    with pytest.raises(LongwatchError, match="newer version"):
        await Archive.open([tmp_path / "a"], KEEP_ALL, ManualClock(), BOOT)
    assert tree(tmp_path) == before


async def test_an_empty_mount_point_is_never_written(tmp_path: Path):
    paths = [tmp_path / "a", tmp_path / "b"]
    await open_and_close(*paths)
    (tmp_path / "b").rename(tmp_path / "unmounted")
    (tmp_path / "b").mkdir()
    async with opened(paths) as (archive, report):
        assert archive.volumes[1].state is VolumeState.MISSING
        assert "mount its disk" in report.warnings[0]
        await record(archive, stream(archive))
        assert archive.place(ROAD) is archive.volumes[0]
    assert list((tmp_path / "b").iterdir()) == []
    (tmp_path / "b").rmdir()
    (tmp_path / "unmounted").rename(tmp_path / "b")
    async with opened(paths) as (archive, _):
        assert archive.volumes[1].state is VolumeState.OK


async def test_a_foreign_disk_is_never_written(tmp_path: Path):
    await open_and_close(tmp_path / "a", tmp_path / "b")
    await open_and_close(tmp_path / "other")
    before = tree(tmp_path / "other")
    async with opened([tmp_path / "a", tmp_path / "other"]) as (archive, report):
        assert archive.volumes[1].state is VolumeState.FOREIGN
        assert "belongs to data folder" in report.warnings[0]
        await record(archive, stream(archive))
    assert tree(tmp_path / "other") == before


async def test_a_disk_that_only_looks_new_is_not_taken(tmp_path: Path):
    await open_and_close(tmp_path / "a")
    (tmp_path / "b" / "media").mkdir(parents=True)
    async with opened([tmp_path / "a", tmp_path / "b"]) as (archive, _):
        assert archive.volumes[1].state is VolumeState.FOREIGN
    assert not (tmp_path / "b" / "volume.json").exists()


async def test_swapped_volumes_are_named(tmp_path: Path):
    await open_and_close(tmp_path / "a", tmp_path / "b")
    with pytest.raises(LongwatchError, match="is not the first volume"):
        await Archive.open([tmp_path / "b", tmp_path / "a"], KEEP_ALL, ManualClock(), BOOT)


async def test_the_index_volume_absent_is_no_new_folder(tmp_path: Path):
    await open_and_close(tmp_path / "a", tmp_path / "b")
    shutil.rmtree(tmp_path / "a")
    with pytest.raises(LongwatchError, match="holds no volume"):
        await Archive.open([tmp_path / "a", tmp_path / "b"], KEEP_ALL, ManualClock(), BOOT)
    assert not (tmp_path / "a").exists()


async def test_media_without_an_identity_is_not_written_over(tmp_path: Path):
    await open_and_close(tmp_path / "a")
    (tmp_path / "a" / "volume.json").unlink()
    with pytest.raises(LongwatchError, match=r"no volume\.json"):
        await Archive.open([tmp_path / "a"], KEEP_ALL, ManualClock(), BOOT)


async def test_a_volume_that_moved_is_found_by_its_identity(tmp_path: Path):
    paths = [tmp_path / "a", tmp_path / "b"]
    async with opened(paths) as (archive, _):
        await record(archive, stream(archive), volume=archive.volumes[1])
    (tmp_path / "b").rename(tmp_path / "c")
    async with opened([tmp_path / "a", tmp_path / "c"]) as (archive, report):
        assert not report.warnings
    (segment,) = held([tmp_path / "a", tmp_path / "c"])
    assert Path(segment.path).is_relative_to(tmp_path / "c")
    assert Path(segment.path).exists()


async def test_a_copy_of_a_volume_is_refused(tmp_path: Path):
    await open_and_close(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    with pytest.raises(LongwatchError, match="same volume or copies"):
        await Archive.open([tmp_path / "a", tmp_path / "copy"], KEEP_ALL, ManualClock(), BOOT)


async def test_one_process_at_a_time_and_it_is_named(tmp_path: Path):
    async with opened([tmp_path / "a"]):
        with pytest.raises(LongwatchError, match=r"in use: held by process \d+"):
            await Archive.open([tmp_path / "a"], KEEP_ALL, ManualClock(), BOOT)
    Lock(tmp_path / "a").release()


async def test_streams_spread_over_volumes_and_stay(tmp_path: Path):
    async with opened([tmp_path / "a", tmp_path / "b"]) as (archive, _):
        first, second = archive.place(GATE), archive.place(ROAD)
        assert first is not second
        assert archive.place(GATE) is first
        first.state = VolumeState.FAILED
        assert archive.place(GATE) is second
        second.state = VolumeState.FULL
        assert archive.place(GATE) in archive.volumes


async def test_a_new_disk_joins_and_all_volumes_know(tmp_path: Path):
    await open_and_close(tmp_path / "a")
    async with opened([tmp_path / "a", tmp_path / "b", tmp_path / "c"]) as (archive, report):
        assert not report.fresh
        assert [v.state for v in archive.volumes] == [VolumeState.OK] * 3
        await record(archive, stream(archive), volume=archive.volumes[2])
        ids = [v.id for v in archive.volumes]
    for name in "abc":
        assert json.loads((tmp_path / name / "volume.json").read_text())["volumes"] == ids
    async with opened([tmp_path / "a", tmp_path / "c", tmp_path / "b"]) as (archive, report):
        assert [v.id for v in archive.volumes] == [ids[0], ids[2], ids[1]]
        assert report.warnings == []
        assert (await archive.check(Mode.SIZE)).findings == []


async def test_with_a_lost_index_an_empty_mount_point_is_still_seen(tmp_path: Path):
    await open_and_close(tmp_path / "a", tmp_path / "b")
    for file in (tmp_path / "a").glob("index.db*"):
        file.unlink()
    shutil.rmtree(tmp_path / "b")
    (tmp_path / "b").mkdir()
    async with opened([tmp_path / "a", tmp_path / "b"]) as (archive, _):
        assert archive.volumes[1].state is VolumeState.MISSING
    assert list((tmp_path / "b").iterdir()) == []
