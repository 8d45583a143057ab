"""What a camera that records by events throws away: what was looked at and no event needs, and nothing else."""

import json
from dataclasses import replace
from pathlib import Path

from tests.support.archive_case import FOR_EVER, GATE, KEEP_ALL, ROAD, held, opened, record, stream

from longwatch.archive import ArchiveReader, Discard, Mode, Retention, RetentionTime
from longwatch.archive.ops import HoldPlace, Person
from longwatch.archive.wide_days import exact
from longwatch.model.causes import Cause
from longwatch.model.holds import Guard
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import Held, Provenance
from longwatch.timeline import State, tile

SUB = StreamKey("gate", "sub")


def tiles(folder: Path, from_us: int, to_us: int) -> list[tuple[object, ...]]:
    reader = ArchiveReader([folder])
    spans, gaps = reader.recorded_spans(GATE, from_us, to_us), reader.gaps_of(GATE, from_us, to_us)
    reader.close()
    return [
        (t.from_us, t.to_us, t.state, t.cause, dict(t.evidence)) for t in tile(spans, gaps, from_us, to_us, to_us, 0)
    ]


async def test_what_no_event_needs_leaves_a_gap_that_says_so_and_the_rest_stays(tmp_path: Path) -> None:
    async with opened([tmp_path / "a"]) as (archive, _):
        await record(archive, stream(archive), segments=5)
        before = held([tmp_path / "a"])
        a, b = before[1].wall_start_us, before[3].wall_end_us
        # Into the fourth by a moment less than it lasts: that one stays.
        report = await archive.discard(Discard("gate", a, b - 1))
        assert (report.removed, report.by_why, report.unconfirmed) == (2, {"no_event": 2}, 0)
        assert [s.id for s in held([tmp_path / "a"])] == [before[0].id, before[3].id, before[4].id]
        assert not Path(before[1].path).exists()
        end_us = before[4].wall_end_us
        first = before[0].wall_start_us
        middle = before[3].wall_start_us
        assert tiles(tmp_path / "a", first, end_us) == [
            (first, a, State.RECORDED, None, {}),
            (a, middle, State.GAP, Cause.NOT_SCHEDULED, {"why": "no event"}),
            (middle, end_us, State.RECORDED, None, {}),
        ]
        entry = json.loads(
            archive._index.connection.execute("SELECT entry FROM ledger ORDER BY seq DESC").fetchone()[0]
        )
        assert entry["kind"] == "segments_removed"
        told = entry["body"]["runs"][0]
        assert (told["why"], told["sequences"], told["unconfirmed"]) == ("no_event", [[1, 2]], 0)
        assert (await archive.discard(Discard("gate", a, b - 1))).removed == 0
        assert (await archive.check(Mode.LEDGER)).findings == []


async def test_held_footage_and_what_is_being_exported_is_not_discarded(tmp_path: Path) -> None:
    async with opened([tmp_path / "a"]) as (archive, _):
        await record(archive, stream(archive), segments=6)
        s = held([tmp_path / "a"])
        hold = HoldPlace(
            ["gate"], [], s[1].wall_start_us, s[1].wall_start_us + 1, None, "", s[0].wall_start_us, Person(1, "{}")
        )
        await archive.act(hold)
        guard = Guard("gate", "main", s[3].wall_start_us, s[3].wall_end_us, 1 << 60)
        await archive.discard(Discard("gate", *FOR_EVER), [guard])
        assert [each.id for each in held([tmp_path / "a"])] == [s[1].id, s[3].id]


async def test_only_that_camera_with_all_its_streams_and_never_what_is_open(tmp_path: Path) -> None:
    async with opened([tmp_path / "a"]) as (archive, _):
        await record(archive, stream(archive, ROAD), segments=2)
        await record(archive, stream(archive, SUB), segments=2)
        main = stream(archive)
        await record(archive, main, segments=2)
        await archive.tick(archive.place(GATE), main.tick(reopen=True))
        report = await archive.discard(Discard("gate", *FOR_EVER))
        assert report.removed == 4
        assert len(held([tmp_path / "a"], ROAD)) == 2
        assert [s.sealed for s in held([tmp_path / "a"])] == [False]


async def test_footage_that_stands_elsewhere_than_the_host_saw_it_is_not_discarded(tmp_path: Path) -> None:
    async with opened([tmp_path / "a"]) as (archive, _):
        await record(archive, stream(archive), segments=6)
        s = held([tmp_path / "a"])
        db = archive._index.connection
        with archive._index.transaction():
            db.execute("UPDATE segment SET provenance = ? WHERE id = ?", (int(Provenance.RTCP), s[1].id))
            db.execute("INSERT OR REPLACE INTO named VALUES (?, ?)", (s[2].id, s[2].wall_start_us))
            # Another run claims the same time: the clock was set back.
            db.execute(
                "INSERT INTO run SELECT 999, boot_id, 999, stream_id, start_boot_us, end_boot_us, '' FROM run LIMIT 1"
            )
            db.execute(
                "UPDATE segment SET run_id = 999, wall_start_us = ? WHERE id = ?", (s[4].wall_start_us + 1, s[5].id)
            )
        marked = await archive._worker.run(archive._keeper.mark_discarded, Discard("gate", *FOR_EVER))
        assert {doomed.id for doomed in marked} == {s[0].id, s[3].id}


async def test_where_a_cameras_clock_agrees_with_the_hosts_its_footage_is_discarded_all_the_same(
    tmp_path: Path,
) -> None:
    async with opened([tmp_path / "a"]) as (archive, _):
        await record(archive, stream(archive), segments=3)
        s = held([tmp_path / "a"])
        db = archive._index.connection
        with archive._index.transaction():
            [(first, at_90k)] = db.execute("SELECT wall_start_us, start_90k FROM segment WHERE id = ?", (s[0].id,))
            db.execute("UPDATE placement SET at_90k = ?", (at_90k,))
            db.execute("UPDATE segment SET provenance = ?", (int(Provenance.RTCP),))
            db.execute("UPDATE run SET start_boot_us = 5000000")
            db.execute("DELETE FROM clock")
            db.execute("INSERT INTO clock SELECT 1, id, 0, ?, 1, 1, 1, 0 FROM boot", (first - 5_000_000,))
        marked = await archive._worker.run(archive._keeper.mark_discarded, Discard("gate", *FOR_EVER))
        assert {doomed.id for doomed in marked} == {each.id for each in s}
        with archive._index.transaction():
            db.execute("DELETE FROM removal")
            db.execute("UPDATE clock SET offset_us = offset_us - 300000000")
        assert await archive._worker.run(archive._keeper.mark_discarded, Discard("gate", *FOR_EVER)) == []


async def test_retention_and_discarding_stay_apart_and_no_sliver_is_left(tmp_path: Path) -> None:
    rules = replace(KEEP_ALL, retention=Retention(max_age_us=86_400_000_000, keep_free_fraction=0))
    async with opened([tmp_path / "a"], rules) as (archive, _):
        await record(archive, stream(archive), segments=4)
        s = held([tmp_path / "a"])
        db = archive._index.connection
        with archive._index.transaction():  # its last sample covers 70 ms that no file holds
            db.execute("UPDATE recorded_span SET to_us = to_us + 70000")
        await archive.retain(
            RetentionTime(s[2].wall_start_us + 86_400_000_000, trusted=True, agreed_for_us=7_200_000_000)
        )
        await archive.discard(Discard("gate", *FOR_EVER))
        reader = ArchiveReader([tmp_path / "a"])
        spans, gaps = reader.recorded_spans(GATE, *FOR_EVER), reader.gaps_of(GATE, *FOR_EVER)
        assert [(x.from_us, x.to_us, x.held, x.confirmed) for x in spans] == [
            (s[0].wall_start_us, s[2].wall_start_us, Held.GONE, False)
        ]
        assert [(g.from_us, g.to_us) for g in gaps] == [(s[2].wall_start_us, s[3].wall_end_us + 70_000)]
        assert db.execute("SELECT fate, first_sequence, last_sequence FROM gone_span ORDER BY 1").fetchall() == [
            (0, 0, 1),
            (2, 2, 3),
        ]
        day = s[0].wall_start_us // 86_400_000_000 * 86_400_000_000
        from longwatch.archive.wide_days import Stretch

        stream_row = db.execute("SELECT id FROM stream WHERE name = 'main'").fetchone()[0]
        [pieces] = exact(db, [Stretch(stream_row, day, day + 86_400_000_000, day)], s[3].wall_end_us + 70_000)
        reader.close()
        assert (s[2].wall_start_us, s[3].wall_end_us + 70_000, 4) in pieces


async def test_a_cut_between_mark_and_drop_is_finished_as_what_it_was(tmp_path: Path) -> None:
    async with opened([tmp_path / "a"], orderly=False) as (archive, _):
        await record(archive, stream(archive), segments=3)
        s = held([tmp_path / "a"])
        marked = await archive._worker.run(archive._keeper.mark_discarded, Discard("gate", *FOR_EVER))
        assert len(marked) == 3
    async with opened([tmp_path / "a"]) as (archive, _):
        assert held([tmp_path / "a"]) == []
        found = tiles(tmp_path / "a", s[0].wall_start_us, s[2].wall_end_us)
        assert [(t[2], t[4]) for t in found] == [(State.GAP, {"why": "no event"})]
