"""What goes, in which order, and what never goes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.archive_case import FOR_EVER, GATE, KEEP_ALL, ROAD, held, opened, record, stream

from longwatch.archive import ArchiveReader, CameraRetention, Options, Retention, RetentionTime
from longwatch.archive.confirming import SegmentId
from longwatch.archive.volumes import VolumeState
from longwatch.base.clock import ManualClock
from longwatch.model.stores import Held

DAY_US = 86_400_000_000
T0 = 1_767_225_600_000_000


def rules(**kwargs: object) -> Options:
    return Options(replace(Retention(max_age_us=None, keep_free_fraction=0), **kwargs))  # type: ignore[arg-type]


def at(wall_us: int, *, trusted: bool = True, agreed_s: int = 7200, approved: bool = False) -> RetentionTime:
    return RetentionTime(wall_us, trusted, agreed_s * 1_000_000, approved)


async def test_nothing_older_than_the_maximum_is_kept_and_all_of_it_stays_recorded(tmp_path: Path):
    async with opened([tmp_path / "a"], rules(max_age_us=DAY_US)) as (archive, _):
        await record(archive, stream(archive), segments=4)
        before = held([tmp_path / "a"])
        cutoff = before[2].wall_start_us
        report = await archive.retain(at(cutoff + DAY_US))
        assert (report.removed, report.by_why) == (2, {"max_age": 2})
        after = held([tmp_path / "a"])
        assert [s.id for s in after] == [s.id for s in before[2:]]
        assert all(s.wall_start_us >= cutoff for s in after)
        assert not Path(before[0].path).exists()
        assert Path(before[2].path).exists()
        reader = ArchiveReader([tmp_path / "a"])
        spans = reader.recorded_spans(GATE, *FOR_EVER)
        assert [(s.held, s.from_us, s.to_us) for s in spans] == [
            (Held.GONE, before[0].wall_start_us, cutoff),
            (Held.HERE, cutoff, before[3].wall_end_us),
        ]
        assert reader.stats(GATE).segments == 2
        last = json.loads(reader.entries(reader.ledger_size() - 1, 1)[0].entry)
        assert last["kind"] == "segments_removed"
        assert last["body"]["runs"][0]["segments"] == 2
        assert last["body"]["runs"][0]["sequences"] == [[0, 1]]
        reader.close()


async def test_rules_that_are_given_while_a_volume_is_full_make_room_there(tmp_path: Path):
    """`lower retention.max_size` is what a full volume asks for."""
    async with opened([tmp_path / "a", tmp_path / "b"], rules()) as (archive, _):
        await record(archive, stream(archive), segments=4)
        before = held([tmp_path / "a"])
        for volume in archive.volumes:
            volume.state = VolumeState.FULL
        archive.use_retention(rules(max_size_bytes=before[0].durable_bytes * 5 // 2).retention)
        report = await archive.retain(at(before[3].wall_end_us))
        assert report.by_why == {"max_size": 2}
        assert not Path(before[0].path).exists()
        archive.use_retention(rules(max_age_us=DAY_US).retention)
        assert (await archive.retain(at(before[3].wall_start_us + DAY_US))).by_why == {"max_age": 1}


async def test_what_is_gone_is_one_row_however_many_steps(tmp_path: Path):
    async with opened([tmp_path / "a"], rules(max_age_us=DAY_US)) as (archive, _):
        await record(archive, stream(archive), segments=6)
        for segment in held([tmp_path / "a"])[1:5]:
            await archive.retain(at(segment.wall_start_us + DAY_US))
        rows = archive._index.connection.execute("SELECT first_sequence, last_sequence FROM gone_span").fetchall()
        assert rows == [(0, 3)]


async def test_nothing_expires_by_age_while_time_is_not_trusted(tmp_path: Path):
    async with opened([tmp_path / "a"], rules(max_age_us=DAY_US)) as (archive, _):
        await record(archive, stream(archive), segments=2)
        report = await archive.retain(at(T0 + 3650 * DAY_US, trusted=False))
        assert report.removed == 0
        assert "not trusted" in report.held_back


async def test_where_nothing_is_due_nothing_is_held_back(tmp_path: Path):
    async with opened([tmp_path / "a"], rules(max_age_us=DAY_US)) as (archive, _):
        await record(archive, stream(archive), segments=2)
        report = await archive.retain(at(T0 + DAY_US // 2, trusted=False))
        assert (report.removed, report.held_back) == (0, "")


@pytest.mark.parametrize(
    ("agreed_s", "approved", "removed"), [(0, False, 0), (3599, False, 0), (3600, False, 2), (0, True, 2)]
)
async def test_ten_years_ahead_waits_for_an_operator_or_an_hour_of_ntp(
    tmp_path: Path, agreed_s: int, approved: bool, removed: int
):
    async with opened([tmp_path / "a"], rules(max_age_us=DAY_US)) as (archive, _):
        await record(archive, stream(archive), segments=2)
        report = await archive.retain(at(T0 + 3650 * DAY_US, agreed_s=agreed_s, approved=approved))
        assert report.removed == removed
        assert bool(report.held_back) == (removed == 0)


async def test_less_than_a_day_at_once_does_not_wait(tmp_path: Path):
    async with opened([tmp_path / "a"], rules(max_age_us=DAY_US)) as (archive, _):
        await record(archive, stream(archive), segments=2)
        assert (await archive.retain(at(T0 + 2 * DAY_US - 1_000_000, agreed_s=0))).removed == 2


async def test_the_stricter_of_camera_and_overall_holds(tmp_path: Path):
    own = {"gate": CameraRetention(max_age_us=DAY_US), "road": CameraRetention(max_age_us=10 * DAY_US)}
    async with opened([tmp_path / "a"], rules(max_age_us=2 * DAY_US, cameras=own)) as (archive, _):
        await record(archive, stream(archive))
        await record(archive, stream(archive, ROAD, base=1000))
        assert (await archive.retain(at(T0 + 36 * 3_600_000_000))).removed == 1
        assert held([tmp_path / "a"], GATE) == []
        assert (await archive.retain(at(T0 + 60 * 3_600_000_000))).removed == 1
        assert held([tmp_path / "a"], ROAD) == []


async def test_size_takes_what_a_hub_holds_first_then_the_oldest(tmp_path: Path):
    async with opened([tmp_path / "a", tmp_path / "b"]) as (archive, _):
        clock = ManualClock()
        for n in range(3):
            for key, volume in ((GATE, archive.volumes[0]), (ROAD, archive.volumes[1])):
                clock.tick(60_000_000)
                await record(
                    archive,
                    stream(archive, key, clock=clock, base=1000 * n + (500 if key == ROAD else 0)),
                    volume=volume,
                )
        everything = held([tmp_path / "a", tmp_path / "b"], GATE) + held([tmp_path / "a", tmp_path / "b"], ROAD)
        confirmed = held([tmp_path / "a", tmp_path / "b"], ROAD)[1]
        by_name = SegmentId(ROAD.camera, ROAD.stream, confirmed.boot, confirmed.run, confirmed.sequence)
        nobody = replace(by_name, boot="another")
        assert await archive.confirm([by_name, nobody]) == 1
        assert await archive.confirm([by_name]) == 0, "it was marked before"
        each = Path(everything[0].path).stat().st_size
        archive._keeper._rules = replace(KEEP_ALL.retention, max_size_bytes=each * 4 + each // 2)
        preview = [removal.path for removal in await archive.preview(at(T0), 10)]
        report = await archive.retain(at(T0, trusted=False))
        assert report.removed == 2
        assert report.unconfirmed == 1
        left = {s.id for k in (GATE, ROAD) for s in held([tmp_path / "a", tmp_path / "b"], k)}
        oldest = min(everything, key=lambda s: s.wall_start_us)
        assert {s.id for s in everything} - left == {confirmed.id, oldest.id}
        assert preview == [confirmed.path, oldest.path]


async def test_a_cameras_own_size_takes_only_its_own(tmp_path: Path):
    async with opened([tmp_path / "a"], rules(cameras={"gate": CameraRetention(max_size_bytes=1)})) as (archive, _):
        await record(archive, stream(archive), segments=2)
        await record(archive, stream(archive, ROAD, base=1000), segments=2)
        report = await archive.retain(at(T0))
        assert report.by_why == {"max_size": 2}
        assert len(held([tmp_path / "a"], ROAD)) == 2


async def test_free_space_is_made_on_the_volume_that_lacks_it(tmp_path: Path):
    async with opened([tmp_path / "a", tmp_path / "b"], rules(keep_free_bytes=1000)) as (archive, _):
        await record(archive, stream(archive), segments=3, volume=archive.volumes[0])
        await record(archive, stream(archive, ROAD, base=1000), segments=3, volume=archive.volumes[1])
        sizes = {archive.volumes[0].row: (999, 10**9), archive.volumes[1].row: (10**6, 10**9)}
        from longwatch.archive import RetentionReport

        batch = archive._keeper.mark(at(T0), sizes, RetentionReport())
        assert [(d.key, d.sequence, d.why) for d in batch] == [(GATE, 0, "keep_free")]


async def test_an_open_segment_is_never_removed(tmp_path: Path):
    async with opened([tmp_path / "a"], rules(max_age_us=1, max_size_bytes=1)) as (archive, _):
        source = stream(archive)
        await archive.tick(archive.place(GATE), source.tick())
        assert (await archive.retain(at(T0 + 9 * DAY_US))).removed == 0
        await archive.tick(archive.place(GATE), source.tick(seal=True))
        assert (await archive.retain(at(T0 + 9 * DAY_US))).removed == 1


async def test_the_preview_says_when(tmp_path: Path):
    async with opened([tmp_path / "a"], rules(max_age_us=DAY_US)) as (archive, _):
        await record(archive, stream(archive), segments=3)
        listed = await archive.preview(at(T0 + 1000))
        segments = held([tmp_path / "a"])
        assert [(r.path, r.due_us) for r in listed] == [(s.path, s.wall_start_us + DAY_US) for s in segments]
        assert len(held([tmp_path / "a"])) == 3
