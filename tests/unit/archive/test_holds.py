"""Holds: rows with their entries, how they rank, what is told before they give way, and that a lost index knows them again."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.archive_case import BOOT, GATE, ROAD, held, opened, record, stream

from longwatch.archive import Archive, ArchiveReader, CameraRetention, Options, Retention, RetentionTime
from longwatch.archive.hold_rows import is_held, windows
from longwatch.archive.ops import HoldPlace, HoldRelease, HoldWarn, Person
from longwatch.base.errors import UsageError
from longwatch.model.holds import Guard, HoldEnd, merged
from longwatch.model.stores import SegmentRow

DAY_US = 86_400_000_000
ADA = Person(12, '{"reason":"theft, report 17","user":"ada"}')


def rules(**kwargs: object) -> Options:
    return Options(replace(Retention(max_age_us=None, keep_free_fraction=0), **kwargs))  # type: ignore[arg-type]


def at(wall_us: int) -> RetentionTime:
    return RetentionTime(wall_us, trusted=True, agreed_for_us=7_200_000_000)


def place(from_us: int, to_us: int, *, cameras: Sequence[str] = ("gate",), **more: Any) -> HoldPlace:
    given = {"streams": (), "until_us": None, "authority": "", "placed_us": from_us, "person": ADA, **more}
    return HoldPlace(tuple(cameras), from_us=from_us, to_us=to_us, **given)


def of(segment: SegmentRow, **more: Any) -> HoldPlace:
    return place(segment.wall_start_us, segment.wall_end_us, **more)


def told(folder: Path, *kinds: str) -> list[dict[str, Any]]:
    reader = ArchiveReader([folder])
    try:
        found = [json.loads(row.entry) for row in reader.entries(0, 10_000)]
    finally:
        reader.close()
    return [entry["body"] for entry in found if entry["kind"] in kinds]


def sizes(monkeypatch: pytest.MonkeyPatch, archive: Archive, free: int, size: int) -> None:
    """As if the disk had so much free; what is removed is free then."""
    before = archive._index.connection.execute("SELECT sum(bytes) FROM holding").fetchone()[0]

    async def measured() -> dict[int, tuple[int, int]]:
        left = archive._index.connection.execute("SELECT sum(bytes) FROM holding").fetchone()[0]
        return {archive.volumes[0].row: (free + before - left, size)}

    monkeypatch.setattr(archive, "_sizes", measured)


async def test_a_hold_is_a_row_and_an_entry_and_ends_with_another(tmp_path: Path) -> None:
    async with opened([tmp_path / "a"]) as (archive, _):
        await record(archive, stream(archive))
        seq = await archive.act(place(5, 9, streams=("main",), authority="District court, 17/2026", until_us=99))
        (hold,) = await archive.holds()
        assert (hold.id, hold.seq, hold.cameras, hold.streams) == (1, seq, ("gate",), ("main",))
        assert (hold.firm, hold.by, hold.reason) == (True, "ada", "theft, report 17")
        ended = await archive.act(HoldRelease(1, HoldEnd.RELEASED, 50, ADA))
        assert await archive.holds() == []
        (hold,) = await archive.holds(everything=True)
        assert hold.ended is not None
        assert (hold.ended.why, hold.ended.at_us, hold.ended.seq) == (HoldEnd.RELEASED, 50, ended)
        with pytest.raises(UsageError, match="ended already"):
            await archive.act(HoldRelease(1, HoldEnd.RELEASED, 60, ADA))
        with pytest.raises(UsageError, match="no hold 2"):
            await archive.act(HoldRelease(2, HoldEnd.RELEASED, 60, ADA))
        with pytest.raises(UsageError, match="no camera 'nowhere'"):
            await archive.act(place(5, 9, cameras=("gate", "nowhere")))
        await archive.act(place(5, 9))
        assert [h.id for h in await archive.holds()] == [2], "a number is never used twice"
    (body,) = [b for b in told(tmp_path / "a", "hold_placed") if b["hold"] == 1]
    assert "theft" not in json.dumps(body)
    assert body["person"]["subject"] == 12


async def test_sizes_pass_over_what_is_held(tmp_path: Path) -> None:
    async with opened([tmp_path / "a"], rules(max_size_bytes=1)) as (archive, _):
        await record(archive, stream(archive), segments=5)
        before = held([tmp_path / "a"])
        await archive.act(of(before[1]))
        await archive.act(of(before[3]))
        report = await archive.retain(at(before[4].wall_end_us))
        left = held([tmp_path / "a"])
        assert [s.id for s in left] == [before[1].id, before[3].id]
        assert report.by_why == {"max_size": 3}
        assert report.kept_back_bytes == sum(Path(s.path).stat().st_size for s in left) - 1
        assert report.overruled == []
        assert await archive.preview(at(before[4].wall_end_us)) == []
        await archive.act(HoldRelease(1, HoldEnd.RELEASED, 5, ADA))
        report = await archive.retain(at(before[4].wall_end_us))
        assert [s.id for s in held([tmp_path / "a"])] == [before[3].id]


async def test_a_cameras_own_size_passes_over_it_too_and_other_streams_are_none_of_its(tmp_path: Path) -> None:
    async with opened([tmp_path / "a"], rules(cameras={"gate": CameraRetention(max_size_bytes=1)})) as (archive, _):
        await record(archive, stream(archive), segments=2)
        before = held([tmp_path / "a"])
        await archive.act(of(before[0], streams=("sub",)))
        await archive.act(of(before[1], cameras=("gate",), streams=("main",)))
        await archive.retain(at(before[1].wall_end_us))
        assert [s.id for s in held([tmp_path / "a"])] == [before[1].id]


async def test_the_law_ends_a_hold_and_says_so_before_unless_it_names_authority_and_end(tmp_path: Path) -> None:
    async with opened([tmp_path / "a"], rules(max_age_us=DAY_US)) as (archive, _):
        await record(archive, stream(archive), segments=4)
        before = held([tmp_path / "a"])
        last_us = before[3].wall_end_us
        await archive.act(of(before[0]))
        await archive.act(of(before[1], authority="District court, 17/2026"))
        await archive.act(of(before[2], until_us=last_us + 90 * DAY_US))
        await archive.act(of(before[3], authority="District court, 17/2026", until_us=last_us + 90 * DAY_US))
        holds = {hold.id: hold for hold in await archive.holds()}
        assert await archive.stands_until(holds[4]) == (None, None)
        assert await archive.stands_until(holds[1]) == (
            before[0].wall_start_us + DAY_US, before[0].wall_end_us + DAY_US,
        )  # fmt: skip
        (first, *_) = await archive.preview(at(last_us), 1)
        assert (first.why, first.holds) == ("max_age", (1,))
        report = await archive.retain(at(last_us + 40 * DAY_US))
        assert [s.id for s in held([tmp_path / "a"])] == [before[3].id]
        assert report.held_back == "", "what is held firmly is no reason to wait"
        assert sorted(report.overruled) == [(1, "max_age"), (2, "max_age"), (3, "max_age")]
        assert [hold.overruled for hold in await archive.holds()] == [(), ("max_age",), ("max_age",), ("max_age",)]
        assert (await archive.retain(at(last_us + 41 * DAY_US))).overruled == []
    assert [b["hold"] for b in told(tmp_path / "a", "hold_overruled")] == [1, 2, 3]
    order = [e for e in _kinds(tmp_path / "a") if e in {"hold_overruled", "segments_removed"}]
    assert order[:3] == ["hold_overruled"] * 3


def _kinds(folder: Path) -> list[str]:
    reader = ArchiveReader([folder])
    try:
        return [json.loads(row.entry)["kind"] for row in reader.entries(0, 10_000)]
    finally:
        reader.close()


async def test_recording_goes_on_where_all_is_held_the_oldest_goes_what_an_authority_holds_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened([tmp_path / "a"], rules(keep_free_fraction=0.5)) as (archive, _):
        await record(archive, stream(archive), segments=4)
        before = held([tmp_path / "a"])
        each = Path(before[0].path).stat().st_size
        await archive.act(of(before[0], authority="court", until_us=before[3].wall_end_us + DAY_US))
        await archive.act(place(before[1].wall_start_us, before[3].wall_end_us))
        sizes(monkeypatch, archive, free=0, size=50 * 2 * each)  # its fiftieth part is two segments
        report = await archive.retain(at(before[3].wall_end_us))
        assert [s.id for s in held([tmp_path / "a"])] == [before[0].id, before[3].id]
        assert report.by_why == {"recording": 2}
        assert report.overruled == [(2, "recording")]
        assert report.kept_back_bytes > 0
        sizes(monkeypatch, archive, free=0, size=50 * 2 * each)
        await archive.retain(at(before[3].wall_end_us))
        assert held([tmp_path / "a"]) == [], "and last of all what stands most firmly"


async def test_what_is_not_held_goes_before_what_is_even_where_it_is_newer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened([tmp_path / "a"], rules(keep_free_bytes=0)) as (archive, _):
        await record(archive, stream(archive), segments=3)
        before = held([tmp_path / "a"])
        each = Path(before[0].path).stat().st_size
        await archive.act(of(before[0]))
        sizes(monkeypatch, archive, free=0, size=50 * each)
        report = await archive.retain(at(before[2].wall_end_us))
        assert [s.id for s in held([tmp_path / "a"])] == [before[0].id, before[2].id]
        assert (report.by_why, report.overruled) == ({"recording": 1}, [])


async def test_more_rows_than_one_step_looks_at_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from longwatch.archive import retention

    monkeypatch.setattr(retention, "_PAGE", 3)
    async with opened([tmp_path / "a"], rules(max_size_bytes=1)) as (archive, _):
        await record(archive, stream(archive), segments=8, fragments=1)
        before = held([tmp_path / "a"])
        await archive.act(place(before[0].wall_start_us, before[6].wall_end_us))
        report = await archive.retain(at(before[7].wall_end_us))
        assert (report.removed, [s.id for s in held([tmp_path / "a"])]) == (1, [s.id for s in before[:7]])


async def test_an_export_under_way_ranks_as_a_hold(tmp_path: Path) -> None:
    async with opened([tmp_path / "a"], rules(max_size_bytes=1)) as (archive, _):
        await record(archive, stream(archive), segments=2)
        before = held([tmp_path / "a"])
        guard = Guard("gate", "main", before[0].wall_start_us, before[0].wall_end_us, 1 << 60)
        await archive.retain(at(before[1].wall_end_us), [guard])
        assert [s.id for s in held([tmp_path / "a"])] == [before[0].id]
        await archive.retain(at(before[1].wall_end_us))
        assert held([tmp_path / "a"]) == []


async def test_a_lost_index_knows_its_holds_again(tmp_path: Path) -> None:
    async with opened([tmp_path / "a"]) as (archive, _):
        await record(archive, stream(archive))
        await archive.act(place(5, 9, authority="court", until_us=77))
        await archive.act(place(6, 8))
        await archive.act(HoldWarn(2, 7, 100))
        await archive.act(place(1, 2))
        await archive.act(HoldRelease(3, HoldEnd.EXPIRED, 50))
        before = await archive.holds(everything=True)
        await archive.ledger.publish_everywhere()
    for name in ("index.db", "index.db-wal", "index.db-shm"):
        (tmp_path / "a" / name).unlink(missing_ok=True)
    async with opened([tmp_path / "a"]) as (archive, report):
        assert report.rebuilt
        after = await archive.holds(everything=True)
        assert [replace(h, by=None, reason=None) for h in before] == after, (
            "all but the words that stood in the lost index"
        )
        with pytest.raises(UsageError, match="ended already"):
            await archive.act(HoldRelease(3, HoldEnd.RELEASED, 60, ADA))


STRETCHES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8)


@given(STRETCHES, st.integers(0, 60), st.integers(0, 10))
def test_stretches_answer_as_sets_of_moments_would(given: list[tuple[int, int]], from_us: int, length: int) -> None:
    moments = {m for a, b in given for m in range(a, b)}
    stretches = merged(given)
    assert {m for a, b in stretches for m in range(a, b)} == moments
    assert all(a[1] < b[0] for a, b in itertools.pairwise(stretches))
    asked = set(range(from_us, from_us + max(1, length)))
    assert is_held(stretches, from_us, from_us + length) == bool(asked & moments)
    free = {m for a, b in windows(stretches) for m in range(max(a, 0), min(b, 61))}
    assert free == set(range(61)) - moments


class _Case:
    """One archive for all examples: its rows are put back between them, and no file is touched."""


N = 12
HOLDS = st.lists(
    st.tuples(
        st.integers(0, N), st.integers(0, N), st.sampled_from(["gate", "road"]), st.booleans(), st.booleans()
    ),  # from, to, camera, authority, until
    max_size=4,
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(holds=HOLDS, age=st.integers(0, N), keep=st.integers(0, 2 * N), need=st.integers(0, 2 * N), seed=st.data())
def test_the_ranking_of_semantics(
    holds: list[tuple[int, int, str, bool, bool]], age: int, keep: int, need: int, seed: st.DataObject
) -> None:
    """Against a plain model: by law, then by sizes without what is held, then, for recording alone, what is held."""
    import sqlite3

    from longwatch.archive.index import bring_up
    from longwatch.archive.retention import Keeper, RetentionReport

    minute = 60_000_000
    db = sqlite3.connect(":memory:", isolation_level=None)
    bring_up(db)
    db.execute("INSERT INTO volume VALUES (1, 'v', '/v')")
    db.execute("INSERT INTO boot VALUES (1, ?)", (BOOT,))
    for number, key in enumerate((GATE, ROAD), 1):
        db.execute("INSERT INTO stream VALUES (?, ?, ?, 0)", (number, *key))
        db.execute("INSERT INTO run VALUES (?, 1, ?, ?, 0, 0, '')", (number, number, number))
    everything = [(stream_id, n) for n in range(N) for stream_id in (1, 2)]
    for row, (stream_id, n) in enumerate(everything, 1):
        db.execute(
            "INSERT INTO segment VALUES (?, ?, ?, ?, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, ?, ?)",
            (row, stream_id, stream_id, n, n * minute, minute),
        )  # fmt: skip
        db.execute(
            "INSERT INTO holding VALUES (?, 1, 1, 1) ON CONFLICT DO UPDATE SET segments = segments + 1, bytes = bytes + 1", (stream_id,)
        )  # fmt: skip
    for number, (a, b, camera, authority, until) in enumerate(holds, 1):
        db.execute(
            "INSERT INTO hold VALUES (?, ?, ?, ?, ?, 0, 0, NULL, NULL, NULL, 0, '')",
            (number, a * minute, b * minute, 1 << 50 if until else None, "court" if authority else ""),
        )  # fmt: skip
        db.execute("INSERT INTO hold_part VALUES (?, ?, '')", (number, camera))

    class Plain:
        connection = db

        def append(self, *_: object) -> int:
            return 0

    options = rules(max_age_us=age * minute, max_size_bytes=keep)
    keeper = Keeper(Plain(), {1: Path("/v")}, options)  # type: ignore[arg-type]  # what of an index it reads
    now = RetentionTime(N * minute, trusted=True, approved=True)
    gone: set[tuple[int, int]] = set()
    whys: dict[tuple[int, int], str] = {}
    while True:
        left = len(everything) - len(gone)
        report = RetentionReport()
        keeper._look(db, (), anew=True)
        free = len(everything) - left
        batch = keeper._choose(db, now, {1: (free, 50 * need)}, report, by_age=True, limit=seed.draw(st.integers(1, 3)))
        if not batch and not report.more:
            break
        for doomed in batch:
            db.execute("DELETE FROM segment WHERE id = ?", (doomed.id,))
            db.execute("UPDATE holding SET bytes = bytes - 1 WHERE stream_id = ?", (doomed.stream,))
            gone.add((doomed.stream, doomed.sequence))
            whys[doomed.stream, doomed.sequence] = doomed.why
    db.close()

    def over(stream_id: int, n: int, *, firm: bool) -> bool:
        camera = "gate" if stream_id == 1 else "road"
        return any(h[2] == camera and h[0] <= n < h[1] and (not firm or (h[3] and h[4])) for h in holds)

    by_law = {(s, n) for s, n in everything if n < N - age and not over(s, n, firm=True)}
    expected = set(by_law)
    for s, n in everything:  # oldest first
        if len(everything) - len(expected) > keep and (s, n) not in expected and not over(s, n, firm=False):
            expected.add((s, n))
    any_held = any(h[0] < h[1] for h in holds)
    if any_held and len(expected) < need:
        for passed in (
            lambda s, n: not over(s, n, firm=False),
            lambda s, n: not over(s, n, firm=True),
            lambda s, n: True,
        ):
            for s, n in everything:
                if len(expected) < need and (s, n) not in expected and passed(s, n):
                    expected.add((s, n))
    assert {why for name, why in whys.items() if over(*name, firm=False)} <= {"max_age", "recording"}
    assert all(whys[name] == "max_age" for name in by_law)
    # Of one moment either stream may go first: what counts is how many of each rank and minute go.
    rank = [(n, over(s, n, firm=False), over(s, n, firm=True)) for s, n in sorted(gone)]
    wanted = [(n, over(s, n, firm=False), over(s, n, firm=True)) for s, n in sorted(expected)]
    assert sorted(rank) == sorted(wanted)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("DELETE FROM hold_part WHERE hold_id = 1", "changed"),
        ("UPDATE hold SET to_us = to_us - 1 WHERE id = 1", "changed"),
        ("UPDATE hold SET authority = 'nobody' WHERE id = 1", "changed"),
        ("UPDATE hold SET ended_us = 7, ended_why = 'released', ended_seq = 3 WHERE id = 1", "changed"),
        ("UPDATE hold SET ended_us = NULL WHERE id = 2", "changed"),
        ("UPDATE hold SET id = 9 WHERE id = 2", "removed"),
        ("INSERT INTO hold SELECT 7, 1, 2, NULL, '', 1, 1, NULL, NULL, NULL, 0, ''", "inserted"),
    ],
)
async def test_verify_finds_a_hold_that_was_taken_out_or_altered(tmp_path: Path, change: str, kind: str) -> None:
    from longwatch.archive.verifying import verify_folder

    async with opened([tmp_path / "a"]) as (archive, _):
        await record(archive, stream(archive))
        await archive.act(place(5, 9, authority="court", until_us=77))
        await archive.act(place(6, 8))
        await archive.act(HoldWarn(1, 7, 100))
        await archive.act(HoldRelease(2, HoldEnd.RELEASED, 50, ADA))
        await archive.ledger.publish_everywhere()
    assert [f for f in verify_folder(tmp_path / "a").findings if "hold" in f.what] == []
    import sqlite3

    db = sqlite3.connect(tmp_path / "a" / "index.db")
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute(change)
    db.commit()
    db.close()
    found = {str(f.kind) for f in verify_folder(tmp_path / "a").findings if "hold" in f.what}
    assert kind in found, found
