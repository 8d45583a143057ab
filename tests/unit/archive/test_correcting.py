"""Footage placed anew: figure 9's clock steps, each corrected; no overlap, none lost, order kept, nothing unexplained."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.clocked_post import KEEP_ALL, WHO, Post
from tests.support.recording import KEY, SECOND, WALL_0, Studio

from longwatch.archive import Archive, Mode, Retention, RetentionTime, stated
from longwatch.archive.clock_rows import note_clock
from longwatch.archive.correcting import replay
from longwatch.base.clock import ManualClock
from longwatch.base.errors import UsageError
from longwatch.ledger import kinds
from longwatch.model.sessions import Activity, Fault
from longwatch.model.stores import Provenance
from longwatch.timeline import State

HOUR = 3_600 * SECOND
YEAR = 365 * 24 * HOUR


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    one = Post(tmp_path / "data")
    yield one
    one.close()


def holds(post: Post) -> None:
    """Every moment once, nothing unexplained, and the order of the runs is the order of time."""
    assert post.unexplained_us() == 0
    tiles = post.tiles()
    for before, after in itertools.pairwise(tiles):
        assert before.to_us == after.from_us
    doubled = [
        t for t in tiles if t.also and t.to_us - t.from_us >= SECOND
    ]  # a camera that is back at once overlaps by less
    assert doubled == [], "no two runs claim one second"
    spans = sorted(post.spans())
    runs = [span.run for span in spans]
    assert runs == sorted(runs), "order kept"
    for one, two in itertools.pairwise(spans):
        assert one.to_us < two.from_us + SECOND


def recorded_us(post: Post) -> int:
    return sum(t.to_us - t.from_us for t in post.tiles() if t.state is State.RECORDED)


def there_and_back(post: Post, by_us: int, studio: Studio) -> None:
    """A minute; the clock is set wrong for a minute, by hand; then NTP puts it right again."""
    studio.open()
    studio.play(60)
    studio.synchronised = False
    studio.step_wall(by_us)
    studio.play(60)
    studio.step_wall(-by_us)
    studio.synchronised = True
    studio.play(60)


@pytest.mark.slow
@pytest.mark.parametrize("by_us", [-2 * YEAR, 10 * YEAR, HOUR, -HOUR], ids=["-2y", "+10y", "+1h", "-1h"])
def test_a_wrong_clock_that_was_put_right_leaves_no_trace_on_the_timeline(post: Post, by_us: int) -> None:
    studio = post.boot(wall_us=WALL_0)
    there_and_back(post, by_us, studio)
    assert post.entries("clock_step") == 2
    (doubt,) = post.doubts()
    assert doubt.shift_us == pytest.approx(-by_us, abs=SECOND)
    assert doubt.becomes is Provenance.NTP
    assert doubt.suggested
    post.correct()
    assert post.entries("time_corrected") == 1
    assert post.doubts() == []
    holds(post)
    assert post.story() == [("recorded", pytest.approx(180, abs=1))]
    studio.play(5)
    post.stop()
    holds(post)
    assert [span.provenance for span in post.spans()] == [Provenance.NTP] * 3


def test_a_boot_in_1970_is_placed_where_it_was_once_ntp_comes(post: Post) -> None:
    post.boot(wall_us=WALL_0).open()
    assert post.studio is not None
    post.studio.play(60)
    post.cut()
    studio = post.boot(wall_us=60 * SECOND, synchronised=False)
    studio.open()
    studio.play(30)
    studio.close(Fault.REFUSED, "gone")
    studio.play(5)
    studio.say(Activity.WAITING, Fault.REFUSED, "no", attempt=3)
    studio.play(10)
    studio.open()
    studio.play(20)
    studio.synchronised = True
    studio.step_wall(WALL_0 + HOUR + 65 * SECOND - studio.wall_us)
    studio.play(40)
    before_us = recorded_us(post)
    assert ("unknown", pytest.approx(3540, abs=2)) in post.story()
    (doubt,) = post.doubts()
    assert doubt.runs == (2, 3)
    post.correct()
    holds(post)
    assert [cause for cause, _ in post.story(50_000)] == [
        "recorded", "post_power_lost", "recorded", "camera_refused", "recorded",
    ]  # fmt: skip
    assert post.story(50_000)[1][1] == pytest.approx(3540, abs=2), "the power was gone so long"
    assert recorded_us(post) == pytest.approx(before_us, abs=100_000)
    studio.play(3)
    post.stop()
    holds(post)


def test_a_first_start_in_1970_leaves_no_trace_once_ntp_comes(post: Post) -> None:
    """Not even the time since when the camera is set up: the fifty years between were never asked for."""
    studio = post.boot(wall_us=60 * SECOND, synchronised=False)
    studio.open()
    studio.play(30)
    studio.synchronised = True
    studio.step_wall(WALL_0 - studio.wall_us)
    studio.play(40)
    assert [cause for cause, _ in post.story(50_000)] == ["recorded", "unknown", "recorded"]
    post.correct()
    holds(post)
    assert post.story(50_000) == [("recorded", pytest.approx(70, abs=1))]
    post.stop()
    holds(post)


def test_what_a_boot_in_1970_left_unplaced_is_said_and_not_guessed(post: Post) -> None:
    """Of a boot in which no clock ever spoke only bounds are known: it stays where it is, and the gap behind it keeps its cause."""
    post.boot(wall_us=60 * SECOND, synchronised=False).open()
    assert post.studio is not None
    post.studio.play(30)
    post.cut()
    studio = post.boot(wall_us=60 * SECOND, synchronised=False)
    studio.open()
    studio.play(20)
    studio.synchronised = True
    studio.step_wall(WALL_0 - studio.wall_us)
    studio.play(40)
    post.correct()
    holds(post)
    assert [cause for cause, _ in post.story(50_000)] == ["recorded", "post_power_lost", "recorded"]
    (doubt,) = post.doubts()
    assert (doubt.runs, doubt.suggested) == ((1,), False)


def test_a_clock_that_runs_ten_times_too_fast_is_corrected_in_one_go(post: Post) -> None:
    studio = post.boot(wall_us=WALL_0)
    studio.open()
    studio.play(30)
    for _ in range(100):
        studio.play(0.6)
        studio.step_wall(9 * 600_000)
    studio.step_wall(-900 * 600_000)
    studio.play(90)
    assert not studio.host.unsteady
    assert post.entries("clock_unsteady") == 1
    post.correct()
    assert post.entries("time_corrected") == 1
    holds(post)
    assert [state for state, _ in post.story(50_000)] == ["recorded"]
    assert len(studio.sent) == pytest.approx(180 * 5, abs=10)
    post.stop()


def test_a_fresh_post_with_a_wrong_clock_is_set_up_where_it_really_was(post: Post) -> None:
    """Its clock was a year behind; nothing had been recorded before."""
    studio = post.boot(wall_us=WALL_0 - YEAR, synchronised=False)
    studio.open()
    studio.play(60)
    studio.synchronised = True
    studio.step_wall(YEAR)
    studio.play(60)
    post.correct()
    holds(post)
    (row,) = post.reading(lambda reader: reader.cameras())
    assert row.set_up_us == pytest.approx(WALL_0, abs=SECOND)
    assert post.story() == [("recorded", pytest.approx(120, abs=1))]
    early = post.tiles(WALL_0 - 2 * YEAR, WALL_0 - HOUR)
    assert [str(tile.cause) for tile in early] == ["never_recorded"]
    post.stop()


def test_a_camera_that_was_away_over_the_step_is_away_for_as_long_as_it_was(post: Post) -> None:
    studio = post.boot(wall_us=WALL_0 - YEAR, synchronised=False)
    studio.open()
    studio.play(20)
    studio.close(Fault.REFUSED, "gone")
    studio.say(Activity.WAITING, Fault.REFUSED, "no", attempt=1)
    studio.play(30)
    studio.synchronised = True
    studio.step_wall(YEAR)
    studio.play(30)
    post.correct()  # while the gap is open
    holds(post)
    assert post.story() == [("recorded", pytest.approx(20, abs=1)), ("camera_refused", pytest.approx(60, abs=2))]
    studio.open()
    studio.play(10)
    holds(post)
    assert post.story() == [
        ("recorded", pytest.approx(20, abs=1)), ("camera_refused", pytest.approx(60, abs=2)),
        ("recorded", pytest.approx(10, abs=1)),
    ]  # fmt: skip
    post.stop()


def test_files_keep_their_names_and_everything_finds_them(post: Post) -> None:
    studio = post.boot(wall_us=WALL_0)
    names = lambda: sorted(str(p) for p in post.folder.rglob("*.mp4"))  # noqa: E731  # asked three times
    there_and_back(post, HOUR, studio)
    before = names()
    post.correct()
    studio.tick(final=True)
    assert set(before) <= set(names())
    rows = post.reading(lambda reader: reader.segments(KEY, WALL_0, WALL_0 + 300 * SECOND))
    assert {row.run for row in rows} == {1, 2, 3}
    assert all(Path(row.path).is_file() for row in rows)
    assert [row.sequence for row in rows if row.run == 2] == sorted(row.sequence for row in rows if row.run == 2)
    assert post.archive is not None
    for mode in (Mode.SIZE, Mode.HASH, Mode.LEDGER):
        report = post.loop.run_until_complete(post.archive.check(mode))
        assert report.ok, report.findings
    post.cut()
    post.boot(wall_us=WALL_0 + HOUR)
    holds(post)


def test_retention_goes_by_the_corrected_time(tmp_path: Path) -> None:
    post = Post(tmp_path / "data")
    studio = post.boot(wall_us=WALL_0)
    there_and_back(post, -10 * HOUR, studio)
    assert post.archive is not None
    post.archive.use_retention(Retention(max_age_us=HOUR, keep_free_fraction=0))
    now = RetentionTime(studio.wall_us, trusted=True, agreed_for_us=2 * HOUR)
    due = post.loop.run_until_complete(post.archive.preview(now))
    assert any(removal.due_us is None for removal in due), "ten hours old, as it stands"
    post.correct()
    due = post.loop.run_until_complete(post.archive.preview(now))
    assert due
    assert all(removal.due_us is not None and removal.due_us > studio.wall_us for removal in due)
    later = RetentionTime(studio.wall_us + 2 * HOUR, trusted=True, agreed_for_us=2 * HOUR)
    report = post.loop.run_until_complete(post.archive.retain(later))
    assert report.removed > 0
    assert report.problem == ""
    rows = post.reading(lambda reader: reader.segments(KEY, 0, 1 << 60))
    assert all(Path(row.path).is_file() for row in rows)
    assert {row.run for row in rows} <= {3}
    holds(post)
    post.close()


def test_what_is_gone_moves_too(post: Post) -> None:
    studio = post.boot(wall_us=WALL_0)
    there_and_back(post, HOUR, studio)
    assert post.archive is not None
    post.archive.use_retention(Retention(max_age_us=None, max_size_bytes=40_000, keep_free_fraction=0))
    now = RetentionTime(studio.wall_us, trusted=True)
    assert post.loop.run_until_complete(post.archive.retain(now)).removed > 40
    post.correct()
    holds(post)
    held = {(t.run, str(t.held)) for t in post.tiles()}
    assert (2, "gone") in held
    post.stop()


def test_an_operator_may_state_where_runs_belong_and_may_correct_that(post: Post) -> None:
    post.boot(wall_us=WALL_0).open()
    assert post.studio is not None
    post.studio.play(30)
    post.stop()
    studio = post.boot(wall_us=60 * SECOND, synchronised=False)
    studio.play(1)
    studio.open()
    studio.play(30)
    post.stop()
    studio = post.boot(wall_us=WALL_0 + HOUR)
    studio.play(1)
    studio.open()
    studio.play(30)
    (doubt,) = post.doubts()
    assert doubt.shift_us is None
    assert not doubt.suggested
    assert doubt.earliest_us == pytest.approx(WALL_0 + 30 * SECOND + 50 * SECOND, abs=2 * SECOND)
    assert doubt.latest_us == pytest.approx(WALL_0 + HOUR - 50 * SECOND - 30 * SECOND, abs=2 * SECOND)
    assert post.correct() == [], "nothing is guessed inside bounds"

    at_us = WALL_0 + 1800 * SECOND
    post.correct(lambda db: stated(db, doubt.runs, at_us, None, WHO))
    holds(post)
    (span,) = [span for span in post.spans() if span.run == 2]
    assert span.from_us == pytest.approx(at_us, abs=SECOND)
    assert span.provenance is Provenance.RTC
    assert [name for name, _ in post.story(100_000)] == [
        "recorded",
        "post_stopped",
        "recorded",
        "post_stopped",
        "recorded",
    ]
    (again,) = post.doubts()
    assert again.stated

    post.correct(lambda db: stated(db, doubt.runs, None, -600 * SECOND, WHO))
    holds(post)
    (span,) = [span for span in post.spans() if span.run == 2]
    assert span.from_us == pytest.approx(at_us - 600 * SECOND, abs=SECOND)
    assert post.entries("time_corrected") == 2
    post.stop()


def test_a_run_that_is_recorded_still_waits(post: Post) -> None:
    studio = post.boot(wall_us=WALL_0)
    studio.open()
    studio.play(30)
    studio.synchronised = False
    studio.step_wall(HOUR)
    studio.play(30)
    (doubt,) = post.doubts()
    assert doubt.recording
    assert not doubt.suggested
    assert post.correct() == []
    with pytest.raises(UsageError, match="is being recorded"):
        post.correct(lambda db: stated(db, (2,), None, -HOUR, WHO))
    with pytest.raises(UsageError, match="no run 99"):
        post.correct(lambda db: stated(db, (99,), None, -HOUR, WHO))


def test_where_two_placements_claim_one_second_the_better_is_shown_and_the_other_named(post: Post) -> None:
    studio = post.boot(wall_us=WALL_0)
    studio.open()
    studio.play(30)
    studio.close(Fault.REFUSED, "gone")
    studio.play(10)
    studio.open()
    studio.play(30)
    post.stop()
    post.boot(wall_us=WALL_0 + HOUR)
    post.correct(lambda db: stated(db, (1,), None, 50 * SECOND, WHO))
    both = [tile for tile in post.tiles() if tile.also]
    assert [(tile.run, tile.also) for tile in both] == [(2, (1,))]
    rows = post.reading(lambda reader: reader.segments(KEY, both[0].from_us, both[0].to_us, 1))
    assert {row.run for row in rows} == {1}, "playable by run="
    assert post.unexplained_us() == 0


def test_the_entries_say_what_the_rows_say(post: Post) -> None:
    """Gaps, replayed from the ledger in order, are those of the index."""
    studio = post.boot(wall_us=WALL_0)
    there_and_back(post, 10 * YEAR, studio)
    studio.close(Fault.REFUSED, "gone")
    studio.play(10)
    post.correct()
    gaps: dict[int, Any] = {}
    for row in post.reading(lambda reader: reader.entries(0, 1 << 40)):
        entry = json.loads(row.entry)
        body = entry["body"]
        if entry["kind"] == kinds.GAP_OPENED:
            gaps[body["gap"]] = [body["from_us"], None, body["cause"]]
        elif entry["kind"] == kinds.GAP_REFINED:
            gaps[body["gap"]][2] = body["cause"]
        elif entry["kind"] == kinds.GAP_CLOSED and body["never_was"]:
            del gaps[body["gap"]]
        elif entry["kind"] == kinds.GAP_CLOSED:
            gaps[body["gap"]][1] = body["to_us"]
    assert sorted(tuple(gap) for gap in gaps.values()) == [(g.from_us, g.to_us, str(g.cause)) for g in post.gaps()]


def test_an_index_rebuilt_from_files_stands_there_again_once_the_entries_are_replayed(tmp_path: Path) -> None:
    post = Post(tmp_path / "data")
    studio = post.boot(wall_us=WALL_0)
    there_and_back(post, HOUR, studio)
    post.correct()
    post.stop()
    segments = lambda reader: reader.segments(KEY, 0, 1 << 60)  # noqa: E731  # asked of the old index and the new
    before = {(row.run, row.sequence): (row.wall_start_us, row.path) for row in post.reading(segments)}
    spans = {span.run: span for span in post.spans()}
    entries = [json.loads(row.entry) for row in post.reading(lambda reader: reader.entries(0, 1 << 40))]
    post.close()
    for name in ("index.db", "index.db-wal", "index.db-shm"):
        (tmp_path / "data" / name).unlink(missing_ok=True)
    shutil.rmtree(tmp_path / "data" / "ledger", ignore_errors=True)
    asyncio.run(_rebuild(tmp_path / "data", entries))
    again = Post(tmp_path / "data")
    assert {(row.run, row.sequence): (row.wall_start_us, row.path) for row in again.reading(segments)} == before
    for span in again.spans():
        assert span.from_us == pytest.approx(spans[span.run].from_us, abs=1000)
        assert span.to_us == pytest.approx(spans[span.run].to_us, abs=1000)
        assert span.provenance is Provenance.NTP
    again.close()


def test_a_lost_index_comes_back_corrected_from_files_and_ledger(tmp_path: Path) -> None:
    """The same timeline, gap for gap, as before it was lost."""
    post = Post(tmp_path / "data")
    studio = post.boot(wall_us=WALL_0)
    there_and_back(post, 10 * YEAR, studio)
    studio.close(Fault.REFUSED, "gone")
    studio.play(10)
    studio.open()
    studio.play(10)
    post.correct()
    studio.play(5)
    post.stop()
    told = lambda: [(t.from_us, t.to_us, t.state, t.cause, t.run, t.provenance) for t in post.tiles()]  # noqa: E731  # twice
    before, gaps = told(), [(g.id, g.from_us, g.to_us, g.cause) for g in post.gaps()]
    set_up = post.reading(lambda reader: reader.cameras())
    post.close()
    for name in ("index.db", "index.db-wal", "index.db-shm"):
        (tmp_path / "data" / name).unlink(missing_ok=True)

    async def again() -> None:
        archive, report = await Archive.open([tmp_path / "data"], KEEP_ALL, ManualClock(WALL_0 + HOUR), "f" * 32)
        assert report.rebuilt
        await archive.close()

    asyncio.run(again())
    assert post.reading(lambda reader: reader.cameras()) == set_up
    assert [(g.id, g.from_us, g.to_us, g.cause) for g in post.gaps()] == gaps
    after = told()
    assert [row[2:] for row in after] == [row[2:] for row in before]
    for old, new in zip(before, after, strict=True):
        assert new[0] == pytest.approx(old[0], abs=100_000)
        assert new[1] == pytest.approx(old[1], abs=300_000)  # the last picture, whose length no next one told
    assert post.unexplained_us() == 0


async def _rebuild(folder: Path, entries: list[dict[str, Any]]) -> None:
    archive, report = await Archive.open([folder], KEEP_ALL, ManualClock(WALL_0 + HOUR), "f" * 32)
    assert report.rebuilt

    def retell(index: Any) -> None:
        with index.transaction() as db:
            for entry in entries:
                note_clock(db, entry["seq"], entry["boot"], entry["kind"], entry["body"])
                if entry["kind"] == kinds.TIME_CORRECTED:
                    replay(db, entry["body"])

    await archive._worker.run(retell, archive._index)
    await archive.close()


stories = st.lists(
    st.tuples(st.sampled_from(["play", "away", "wrong", "right", "cut", "stop"]), st.integers(1, 40)),
    min_size=3,
    max_size=9,
)


@pytest.mark.slow
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(stories, st.integers(0, 3))
def test_whatever_the_clock_did_once_ntp_came_all_stands_where_it_was(
    tmp_path_factory: pytest.TempPathFactory, story: list[tuple[str, int]], seed: int
) -> None:
    """Truth is CLOCK_BOOTTIME of each picture and what NTP said at the end of its boot."""
    post = Post(tmp_path_factory.mktemp("story") / "data")
    try:
        _live(post, story, seed)
    finally:
        post.close()


def _live(post: Post, story: list[tuple[str, int]], seed: int) -> None:
    truth_us = WALL_0
    where: dict[int, int] = {}
    studio = post.boot(wall_us=truth_us, seed=seed, fps=2.0, gop=2)
    right_us = studio.offset_us
    studio.open()
    played = True
    first_run = 1

    def note() -> None:
        index: Any = studio.index
        for number in range(first_run, index.archive._next_run):
            where[number] = right_us

    for what, much in [*story, ("right", 5)]:
        if what == "away" and played:
            studio.close(Fault.REFUSED, "gone")
            studio.play(much / 4)
            studio.open()
        elif what == "wrong":
            studio.synchronised = False
            studio.step_wall((much - 20) * 600 * SECOND)
        elif what == "right":
            studio.step_wall(right_us - studio.offset_us)
            studio.synchronised = True
        elif what in {"cut", "stop"}:
            studio.step_wall(right_us - studio.offset_us)
            studio.synchronised = True
            studio.play(3)
            note()
            truth_us = studio.boot_us + right_us + much * 60 * SECOND
            (post.cut if what == "cut" else post.stop)()
            behind = much % 2 == 0
            studio = post.boot(
                wall_us=60 * SECOND if behind else truth_us, synchronised=not behind, seed=seed, fps=2.0, gop=2
            )
            right_us = truth_us - studio.boot_us
            index: Any = studio.index
            first_run = index.archive._next_run - 1
            studio.open()
        studio.play(much / 2)
        if studio.host.unsteady:
            return  # its own test
    studio.play(12)
    note()
    post.correct()
    assert [doubt for doubt in post.doubts() if doubt.suggested] == []
    assert post.unexplained_us() == 0
    archive = post.archive
    assert archive is not None
    rows = archive._index.connection.execute("SELECT number, start_boot_us FROM run").fetchall()
    firsts: dict[int, int] = {}
    for span in post.spans():
        firsts[span.run] = min(span.from_us, firsts.get(span.run, 1 << 62))
    for number, boot_us in rows:
        if number in firsts and number in where:
            assert firsts[number] == pytest.approx(boot_us + where[number], abs=SECOND)
    holds(post)


def test_a_start_goes_on_from_what_the_last_clock_told(post: Post) -> None:
    """The clock was an hour ahead for a while and was put back: what that clock told of the future is not where the account stands."""
    studio = post.boot(wall_us=WALL_0)
    there_and_back(post, HOUR, studio)
    post.cut()
    studio = post.boot(wall_us=WALL_0 + 600 * SECOND)
    studio.play(1)
    studio.open()
    studio.play(20)
    gone = [tile for tile in post.tiles() if tile.cause == "post_power_lost"]
    assert sum(tile.to_us - tile.from_us for tile in gone) == pytest.approx(420 * SECOND, abs=5 * SECOND)
    assert post.unexplained_us() == 0
    post.correct()
    holds(post)
    post.stop()
