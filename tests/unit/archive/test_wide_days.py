"""Days for wide views say what spans, gaps and removals say, whatever is changed when, and are made in slices."""

import contextlib
import itertools
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.archive_case import BOOT, GATE, ROAD, opened
from tests.support.wait import until

from longwatch.archive import ArchiveReader, wide_days
from longwatch.archive.checking import Mode
from longwatch.archive.flushing import Flushing
from longwatch.archive.index import Index, bring_up, migrations
from longwatch.archive.retention import Doomed, add_gone
from longwatch.archive.verifying import verify_folder
from longwatch.archive.wide_days import MOST_AT_ONCE, Stretch, WideDays, drop_days, tiled, wrong_days
from longwatch.base.clock import ManualClock
from longwatch.model.causes import Cause
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import Fate
from longwatch.timeline import Tile, tile
from longwatch.timeline.wide import CODE_OF, DAY_US, MOST_PIECES, QUARTER_US, pieces_of, quarters

HOUR = DAY_US // 24
DAYS = 6
KEYS = (GATE, ROAD)
UNREACHABLE, LOST = CODE_OF[Cause.CAMERA_UNREACHABLE], CODE_OF[Cause.PACKETS_LOST]


def made(path: Path, *, streams: int = 2, set_up_us: int = HOUR) -> Index:
    """An index with two streams, accounted for up to the last hour of `DAYS` days."""
    index = Index(path, BOOT, ManualClock(), Flushing())
    db = index.connection
    with index.transaction():
        names = [*KEYS, *(StreamKey(f"cam{n}", "main") for n in range(streams - 2))]
        db.executemany(
            "INSERT INTO stream (camera, name, set_up_us) VALUES (?, ?, ?)", [(*k, set_up_us) for k in names]
        )
        db.execute("INSERT INTO boot (boot) VALUES (?)", (BOOT,))
        db.executemany("INSERT INTO run VALUES (?, 1, ?, ?, 0, 1, '')", [(n, n, 1 + n % 2) for n in range(1, 9)])
        db.execute("INSERT INTO heartbeat VALUES (1, ?, 0, 0, ?, 1)", (BOOT, DAYS * DAY_US - HOUR))
    return index


def make_all(index: Index) -> None:
    days = WideDays(index)
    while days.step():
        pass


def tiling(reader: ArchiveReader, key: StreamKey, from_us: int, to_us: int) -> list[Tile]:
    """From the rows, one stream at a time."""
    set_up = {StreamKey(row.camera, row.stream): row.set_up_us for row in reader.cameras()}
    return tile(
        reader.recorded_spans(key, from_us, to_us), reader.gaps_of(key, from_us, to_us), from_us, to_us,
        reader.accounted_until_us(), set_up[key],
    )  # fmt: skip


def exactly(reader: ArchiveReader, key: StreamKey, from_us: int, to_us: int) -> list[tuple[int, int, int]]:
    return pieces_of(tiling(reader, key, from_us, to_us))


def check(reader: ArchiveReader, from_us: int, to_us: int) -> None:
    """Of few streams, and of as many as are read from their days."""
    found = reader.wide(KEYS, from_us, to_us)
    for key, pieces in zip(KEYS, found.pieces, strict=True):
        assert pieces == exactly(reader, key, from_us, to_us)
    for keys in (KEYS[:1], KEYS):
        for key, (until_us, tiles) in zip(keys, reader.tilings(keys, from_us, to_us), strict=True):
            assert until_us == reader.accounted_until_us()
            assert tiles == tiling(reader, key, from_us, to_us)


def check_by_end(db: sqlite3.Connection, windows: list[tuple[int, int]]) -> None:
    """What the indexes by end say of both streams is what their tables say."""
    until_us = db.execute("SELECT accounted_until_us FROM heartbeat").fetchone()[0]
    set_up = dict(db.execute("SELECT id, set_up_us FROM stream"))
    for begin, end in windows:
        asked = [Stretch(stream, begin, end, set_up[stream]) for stream in (1, 2, 1)]
        for evidence in (False, True):
            found = tiled(db, asked, until_us, evidence=evidence)
            assert found == tiled(db, asked, until_us, evidence=evidence, by_end=False)
            assert found == [tiled(db, [one], until_us, evidence=evidence)[0] for one in asked]


moment = st.integers(0, DAYS * 96).map(lambda n: n * QUARTER_US // 1)
runs = st.integers(1, 8)
change = st.one_of(
    st.tuples(st.just("span"), runs, moment, st.integers(1, 3 * DAY_US), st.integers(0, 3)),
    st.tuples(st.just("grow"), st.integers(0, 30), st.integers(1, 2 * DAY_US)),
    st.tuples(st.just("gap"), runs, moment, st.one_of(st.none(), st.integers(1, 3 * DAY_US)), st.sampled_from(list(Cause))),
    st.tuples(st.just("close"), st.integers(0, 30), moment),
    st.tuples(st.just("refine"), st.integers(0, 30), st.sampled_from(list(Cause))),
    st.tuples(st.just("told"), st.integers(0, 30), st.sampled_from(["refused", "no route", "\u00e9"])),
    st.tuples(st.just("renumber"), runs),
    st.tuples(st.just("move"), st.integers(0, 30), st.integers(-DAY_US, DAY_US)),
    st.tuples(st.just("gone"), runs, moment, st.integers(1, 2 * DAY_US), st.sampled_from(list(Fate))),
    st.tuples(st.just("more gone"), st.integers(0, 30), st.integers(1, 2 * DAY_US)),
    st.tuples(st.just("drop"), st.sampled_from(["recorded_span", "gap", "gone_span"]), st.integers(0, 30)),
    st.tuples(st.just("set_up"), moment),
    st.tuples(st.just("clock"), st.integers(0, DAYS * DAY_US)),
    st.tuples(st.just("make")),
)  # fmt: skip


def apply(index: Index, what: tuple) -> None:  # type: ignore[type-arg]  # one of the shapes above
    kind, *rest = what
    db = index.connection

    def nth(table: str, n: int) -> tuple[int, ...] | None:
        rows = db.execute(f"SELECT stream_id, from_us, {'id' if table == 'gap' else 'run_id'} FROM {table}").fetchall()
        return rows[n % len(rows)] if rows else None

    with index.transaction():
        if kind == "span":
            run, at, length, provenance = rest
            db.execute(
                "INSERT OR REPLACE INTO recorded_span VALUES (?, ?, ?, ?, ?)",
                (1 + run % 2, at, run, at + length, provenance),
            )
        elif kind == "gap":
            run, at, length, cause = rest
            number = db.execute("SELECT coalesce(max(id), 0) + 1 FROM gap").fetchone()[0]
            end = None if length is None else at + length
            db.execute("INSERT INTO gap VALUES (?, ?, ?, ?, ?, '{}')", (number, 1 + run % 2, at, end, str(cause)))
        elif kind == "gone":
            run, at, length, fate = rest
            db.execute(
                "INSERT OR REPLACE INTO gone_span VALUES (?, ?, ?, ?, ?, 9, ?)",
                (1 + run % 2, at, run, at + length, at, int(fate)),
            )
        elif kind == "grow" and (row := nth("recorded_span", rest[0])):
            db.execute(
                "UPDATE recorded_span SET to_us = ? WHERE stream_id = ? AND from_us = ? AND run_id = ?",
                (row[1] + rest[1], *row),
            )
        elif kind == "more gone" and (row := nth("gone_span", rest[0])):
            db.execute(
                "UPDATE gone_span SET to_us = ? WHERE stream_id = ? AND from_us = ? AND run_id = ?",
                (row[1] + rest[1], *row),
            )
        elif kind == "close" and (row := nth("gap", rest[0])):
            db.execute(
                "UPDATE gap SET to_us = max(?, from_us + 1) WHERE stream_id = ? AND from_us = ? AND id = ?",
                (rest[1], *row),
            )
        elif kind == "refine" and (row := nth("gap", rest[0])):
            db.execute("UPDATE gap SET cause = ? WHERE stream_id = ? AND from_us = ? AND id = ?", (str(rest[1]), *row))
        elif kind == "told" and (row := nth("gap", rest[0])):
            said = f'{{"detail":"{rest[1]}"}}'
            db.execute("UPDATE gap SET evidence = ? WHERE stream_id = ? AND from_us = ? AND id = ?", (said, *row))
        elif kind == "renumber":
            db.execute("UPDATE run SET number = number + 10 WHERE id = ?", rest)
        elif kind == "move" and (row := nth("recorded_span", rest[0])):
            db.execute(
                "UPDATE OR REPLACE recorded_span SET from_us = max(0, from_us + ?1), to_us = max(1, to_us + ?1)"
                " WHERE stream_id = ?2 AND from_us = ?3 AND run_id = ?4", (rest[1], *row),
            )  # fmt: skip
        elif kind == "drop" and (row := nth(rest[0], rest[1])):
            name = "id" if rest[0] == "gap" else "run_id"
            db.execute(f"DELETE FROM {rest[0]} WHERE stream_id = ? AND from_us = ? AND {name} = ?", row)
        elif kind == "set_up":
            db.execute("UPDATE stream SET set_up_us = ? WHERE id = 1", rest)
        elif kind == "clock":
            db.execute("UPDATE heartbeat SET accounted_until_us = ?", rest)
    if kind == "make":
        make_all(index)


@pytest.mark.slow
@settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
@given(st.lists(change, min_size=3, max_size=25), st.integers(0, DAYS * DAY_US), st.integers(1, DAYS * DAY_US))
def test_whatever_is_changed_the_wide_view_is_the_exact_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: list[tuple[object, ...]], begin: int, length: int
) -> None:
    monkeypatch.setattr(wide_days, "_FEW_STREAMS", 1)  # both are as many as are read from their days
    folder = Path(str(tmp_path / f"{abs(hash((tuple(changes), begin, length)))}"))
    folder.mkdir(exist_ok=True)
    (folder / "index.db").unlink(missing_ok=True)
    index = made(folder / "index.db")
    reader = ArchiveReader([folder])
    try:
        for what in changes:
            apply(index, what)
            assert wrong_days(index.connection) == []
        days = [(day * DAY_US, (day + 1) * DAY_US) for day in range(DAYS)]
        check_by_end(index.connection, [*days, (begin, begin + length), (begin, begin + 1), (0, 9 * DAYS * DAY_US)])
        check(reader, 0, DAYS * DAY_US)
        check(reader, begin, begin + length)
        make_all(index)
        assert wrong_days(index.connection) == []
        check(reader, 0, DAYS * DAY_US)
        check(reader, begin, begin + length)
    finally:
        reader.close()
        index.close()
        for file in folder.iterdir():
            file.unlink()


@pytest.mark.parametrize(
    "changed",
    [
        """UPDATE gap SET evidence = '{"detail":"no route"}'""",
        "UPDATE gap SET id = 7",
        "UPDATE gap SET cause = 'camera_refused'",
        "UPDATE gap SET to_us = to_us - 1",
        "UPDATE run SET number = 12 WHERE id = 2",
        "UPDATE recorded_span SET to_us = to_us + 1",
        "UPDATE recorded_span SET provenance = 2",
        "INSERT INTO gone_span VALUES (1, 86400000000, 2, 90000000000, 10, 19, 0)",
        "UPDATE gone_span SET to_us = 90000000000",
        "UPDATE gone_span SET fate = 2",
        "UPDATE stream SET set_up_us = 172800000000 WHERE id = 1",
    ],
)
def test_what_is_changed_drops_the_days_that_say_it(tmp_path: Path, changed: str):
    index = made(tmp_path / "index.db")
    with index.transaction() as db:
        db.execute("INSERT INTO recorded_span VALUES (1, ?, 2, ?, 0)", (DAY_US, 2 * DAY_US - HOUR))
        db.execute("INSERT INTO gap VALUES (1, 1, ?, ?, 'packets_lost', '{}')", (2 * DAY_US - HOUR + 9, 2 * DAY_US))
        db.execute("INSERT INTO gone_span VALUES (1, ?, 2, ?, 0, 9, 0)", (DAY_US, DAY_US + HOUR // 2))
    make_all(index)
    with index.transaction() as db:
        db.execute(changed)
    assert db.execute("SELECT 1 FROM tile_day WHERE day = 1 AND stream_id = 1").fetchone() is None
    assert db.execute("SELECT 1 FROM tile_day WHERE day = 1 AND stream_id = 2").fetchone() is not None
    assert wrong_days(db) == []
    make_all(index)
    assert wrong_days(db) == []
    index.close()


@pytest.mark.parametrize("second", [False, True])
def test_a_removal_drops_only_the_days_in_which_it_is(tmp_path: Path, second: bool):
    """Days before it, of the same long run, say what they said. A stretch that begins where another of its run does may hide it: then all
    of its days are made again.
    """
    index = made(tmp_path / "index.db")
    step = 6 * HOUR

    def removed(sequence: int) -> Doomed:
        at = DAY_US + sequence * step
        return Doomed(0, 1, GATE, 2, sequence, 1, "", at, at + step, 9, confirmed=False, why="max_size")

    with index.transaction() as db:
        db.execute("INSERT INTO recorded_span VALUES (1, ?, 2, ?, 0)", (DAY_US, 5 * DAY_US))
        for sequence in range(9):
            add_gone(db, removed(sequence))
        if second:
            db.execute("INSERT INTO gone_span VALUES (1, ?, 2, ?, 90, 99, 2)", (DAY_US, 3 * DAY_US))
    make_all(index)
    before = {row[0] for row in db.execute("SELECT day FROM tile_day WHERE stream_id = 1")}
    assert before == set(range(DAYS - 1))
    with index.transaction() as db:
        add_gone(db, removed(9))
    gone = db.execute(
        "SELECT from_us, to_us, first_sequence, last_sequence, fate FROM gone_span WHERE fate = 0"
    ).fetchall()
    assert gone == [(DAY_US, DAY_US + 10 * step, 0, 9, 0)]
    left = {row[0] for row in db.execute("SELECT day FROM tile_day WHERE stream_id = 1")}
    assert before - left == ({1, 2, 3} if second else {3})
    assert wrong_days(db) == []
    make_all(index)
    assert wrong_days(db) == []
    index.close()


def test_one_question_for_many_and_few_streams(tmp_path: Path):
    index = made(tmp_path / "index.db", streams=12)
    db = index.connection
    with index.transaction():
        db.execute("INSERT INTO recorded_span VALUES (1, ?, 1, ?, 0)", (DAY_US, 2 * DAY_US + HOUR))
        db.execute("INSERT INTO gap VALUES (1, 1, ?, ?, 'packets_lost', '{}')", (DAY_US + HOUR, DAY_US + HOUR + 5))
    make_all(index)
    assert db.execute("SELECT count(*) FROM wide_day").fetchone()[0] == 12 * (DAYS - 1)
    reader = ArchiveReader([tmp_path])
    keys = [StreamKey(row.camera, row.stream) for row in reader.cameras()]
    many = dict(zip(keys, reader.wide(keys, 0, DAYS * DAY_US).pieces, strict=True))
    few = dict(zip(KEYS, reader.wide(KEYS, 0, DAYS * DAY_US).pieces, strict=True))
    assert {key: many[key] for key in KEYS} == few
    assert reader.wide([StreamKey("nobody", "main")], 0, DAY_US).pieces == [
        [(0, DAY_US, CODE_OF[Cause.NEVER_RECORDED])]
    ]
    reader.close()
    index.close()


def test_a_day_of_very_many_gaps_serves_whole_quarters_and_is_read_exactly_otherwise(tmp_path: Path):
    index = made(tmp_path / "index.db")
    count = MOST_PIECES + 50
    with index.transaction() as db:
        db.execute("INSERT INTO recorded_span VALUES (1, ?, 1, ?, 0)", (DAY_US, 2 * DAY_US))
        for n in range(count):  # each cuts the span, as a run's gaps do
            at = DAY_US + n * 190_000_000
            db.execute("DELETE FROM recorded_span WHERE from_us >= ?", (at,))
            db.execute("UPDATE recorded_span SET to_us = min(to_us, ?)", (at,))
            db.execute("INSERT INTO recorded_span VALUES (1, ?, 1, ?, 0)", (at + 1_000_000, 2 * DAY_US))
            db.execute("INSERT INTO gap VALUES (?, 1, ?, ?, 'packets_lost', '{}')", (n, at, at + 1_000_000))
    make_all(index)
    reader = ArchiveReader([tmp_path])
    exact = exactly(reader, GATE, DAY_US, 2 * DAY_US)
    assert len(exact) == count
    assert reader.wide([GATE], DAY_US, 2 * DAY_US).pieces == [exact]
    assert reader.wide([GATE], DAY_US, 2 * DAY_US, whole_quarters=True).pieces == [quarters(exact)]
    reader.close()
    index.close()


def test_the_clock_goes_back_and_nothing_is_claimed_of_what_is_not_known(tmp_path: Path):
    index = made(tmp_path / "index.db")
    make_all(index)
    with index.transaction() as db:
        db.execute("UPDATE heartbeat SET accounted_until_us = ?", (2 * DAY_US,))
    reader = ArchiveReader([tmp_path])
    check(reader, 0, DAYS * DAY_US)
    reader.close()
    index.close()


def test_slices_are_short_and_the_newest_days_come_first_then_all_from_the_oldest_on(tmp_path: Path):
    index = made(tmp_path / "index.db", streams=MOST_AT_ONCE + 5)
    with index.transaction() as db:
        db.execute("UPDATE heartbeat SET accounted_until_us = ?", (8 * DAY_US,))
    days, seen = WideDays(index), []
    while days.step():
        rows = db.execute("SELECT day, count(*) FROM tile_day GROUP BY day").fetchall()
        assert rows == db.execute("SELECT day, count(*) FROM wide_day GROUP BY day").fetchall()
        seen.append([day for day, _ in rows])
    order = [7, 6, 5, 4, 0, 1, 2, 3]
    assert seen == [sorted(order[: 1 + n // 2]) for n in range(16)]  # two slices a day
    index.close()


def test_an_index_that_is_not_brought_up_yet_is_read_from_its_rows(tmp_path: Path):
    index = made(tmp_path / "index.db")
    index.close()
    db = sqlite3.connect(tmp_path / "index.db")
    db.execute("DROP TABLE wide_day")
    db.close()
    reader = ArchiveReader([tmp_path])
    assert len(reader.wide(KEYS, 0, DAY_US).pieces) == 2
    reader.close()


def test_the_day_that_is_not_over_is_read_in_a_few_places_whatever_the_number_of_streams(tmp_path: Path):
    index = made(tmp_path / "index.db", streams=60)
    with index.transaction() as db:
        for stream in range(1, 61):
            for day in range(DAYS):
                at = day * DAY_US + stream
                db.execute("INSERT INTO recorded_span VALUES (?, ?, 1, ?, 0)", (stream, at, at + DAY_US - 9))
                db.execute(
                    "INSERT INTO gap VALUES (?, ?, ?, ?, 'packets_lost', ?)",
                    (day, stream, at + DAY_US - 9, at + DAY_US, "{}"),
                )
    reader = ArchiveReader([tmp_path])
    keys = [StreamKey(row.camera, row.stream) for row in reader.cameras()]
    asked: list[str] = []
    for begin, place in ((5, "of the newest"), (2, "of an older one, not made (yet)")):
        asked.clear()
        reader._db().set_trace_callback(asked.append)
        found = reader.tilings(keys, begin * DAY_US, begin * DAY_US + HOUR)
        reader._db().set_trace_callback(None)
        read = [
            text for text in asked if "FROM recorded_span" in text or "FROM gap" in text or "FROM gone_span" in text
        ]
        assert len(read) == 3, place
        plan = [row[3] for text in read for row in db.execute(f"EXPLAIN QUERY PLAN {text}")]
        ranges = [row for row in plan if row.startswith("SEARCH d") and "_long " not in row]
        assert len(ranges) == 4  # gaps that are open are a range of their own
        assert all("COVERING INDEX" in row and "_by_end (to_us" in row for row in ranges)
        assert [tiles for _, tiles in found] == [
            tiling(reader, key, begin * DAY_US, begin * DAY_US + HOUR) for key in keys
        ]
    reader.close()
    index.close()


@pytest.mark.parametrize("table", ["recorded_span", "gap", "gone_span"])
def test_whatever_reaches_into_a_day_is_found_by_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str):
    """Of the newest day and of an older one; however long it is, and whether it ends at all."""
    monkeypatch.setattr(wide_days, "_FEW_STREAMS", 1)
    index = made(tmp_path / "index.db")
    db = index.connection
    windows = [(DAY_US, 2 * DAY_US), (DAY_US + HOUR, 2 * DAY_US - HOUR)]
    begins = (0, DAY_US // 2, 2 * DAY_US - 1, 2 * DAY_US)
    lengths = (DAY_US // 2, DAY_US, DAY_US + 1, 2 * DAY_US, 3 * DAY_US, 3 * DAY_US + 1, 4 * DAY_US, None)
    accounted = (2 * DAY_US, 2 * DAY_US + HOUR, 3 * DAY_US, 3 * DAY_US + 1, 9 * DAY_US)
    for begin, length, until_us in itertools.product(begins, lengths, accounted):
        end = begin + (8 * DAY_US if length is None else length)
        db.execute("BEGIN")
        db.execute("UPDATE heartbeat SET accounted_until_us = ?", (until_us,))
        if table == "gap":
            told = (begin, None if length is None else end)
            db.execute("INSERT INTO gap VALUES (1, 2, ?, ?, 'packets_lost', '{\"packets\":3}')", told)
        elif table == "recorded_span":
            db.execute("INSERT INTO recorded_span VALUES (2, ?, 1, ?, 0)", (begin, end))
        else:
            db.execute("INSERT INTO recorded_span VALUES (2, 0, 1, ?, 0)", (9 * DAY_US,))
            db.execute("INSERT INTO gone_span VALUES (2, ?, 1, ?, 0, 9, 0)", (begin, end))
        check_by_end(db, windows)
        db.execute("ROLLBACK")
    index.close()


def test_an_index_that_has_no_order_by_end_yet_is_read_by_stream(tmp_path: Path):
    index = made(tmp_path / "index.db", streams=12)
    with index.transaction() as db:
        db.execute("INSERT INTO recorded_span VALUES (1, ?, 1, ?, 0)", (DAY_US, 2 * DAY_US + HOUR))
        db.execute("INSERT INTO gap VALUES (1, 1, ?, NULL, 'packets_lost', '{}')", (2 * DAY_US + HOUR,))
    reader = ArchiveReader([tmp_path])
    keys = [StreamKey(row.camera, row.stream) for row in reader.cameras()]
    new = reader.tilings(keys, 0, DAYS * DAY_US), reader.wide(keys, 0, DAYS * DAY_US)
    reader.close()
    for name in ("recorded_span", "gone_span", "gap"):  # the last one is asked first
        db.execute(f"DROP INDEX {name}_by_end")
        reader = ArchiveReader([tmp_path])
        assert (reader.tilings(keys, 0, DAYS * DAY_US), reader.wide(keys, 0, DAYS * DAY_US)) == new
        check(reader, 0, DAYS * DAY_US)
        reader.close()
    index.close()


def test_an_index_of_the_version_before_is_given_its_order_by_end(tmp_path: Path):
    db = sqlite3.connect(tmp_path / "index.db", isolation_level=None)
    steps = [text for number, text in migrations() if number <= 6]
    db.executescript("".join(steps))
    db.execute("PRAGMA user_version = 6")
    for stream in range(1, 13):
        db.execute("INSERT INTO stream VALUES (?, ?, 'main', 0)", (stream, f"cam{stream}"))
    db.execute("INSERT INTO boot VALUES (1, ?)", (BOOT,))
    db.execute("INSERT INTO run VALUES (1, 1, 1, 1, 0, 1, '')")
    db.execute("INSERT INTO recorded_span VALUES (1, ?, 1, ?, 0)", (DAY_US, 5 * DAY_US))
    db.execute("INSERT INTO gap VALUES (1, 1, ?, NULL, 'packets_lost', '{}')", (5 * DAY_US,))
    db.execute("INSERT INTO gone_span VALUES (1, ?, 1, ?, 0, 9, 0)", (DAY_US, 2 * DAY_US))
    db.execute("INSERT INTO heartbeat VALUES (1, ?, 0, 0, ?, 1)", (BOOT, DAYS * DAY_US - HOUR))
    reader = ArchiveReader([tmp_path])
    keys = [StreamKey(row.camera, row.stream) for row in reader.cameras()]
    before = reader.tilings(keys, 0, DAYS * DAY_US)
    assert before[keys.index(StreamKey("cam1", "main"))][1][-2].cause is Cause.PACKETS_LOST
    bring_up(db)
    assert reader.tilings(keys, 0, DAYS * DAY_US) == before
    names = {row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE name LIKE '%_by_end'")}
    assert names == {"recorded_span_by_end", "gap_by_end", "gone_span_by_end"}
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    reader.close()
    db.close()


@pytest.mark.parametrize(
    "changed",
    [
        "UPDATE wide_day SET pieces = x'00'",
        "UPDATE wide_day SET day = day - 1 WHERE day = 2",
        "UPDATE tile_day SET tiles = x'00'",
        "UPDATE tile_day SET day = day - 1 WHERE day = 2",
    ],
)
def test_a_day_that_says_something_else_is_found(tmp_path: Path, changed: str):
    index = made(tmp_path / "index.db")
    with index.transaction() as db:
        db.execute("INSERT INTO gap VALUES (1, 1, ?, ?, 'packets_lost', '{}')", (2 * DAY_US, 2 * DAY_US + HOUR))
    make_all(index)
    db = index.connection
    db.execute("DELETE FROM wide_day WHERE day = 1")
    db.execute(changed)
    wrong = wrong_days(db)
    assert wrong
    drop_days(index, wrong)
    assert wrong_days(db) == []
    index.close()


def test_a_day_that_another_version_made_is_not_read_nor_judged_and_is_made_anew(tmp_path: Path):
    index = made(tmp_path / "index.db", streams=12)
    with index.transaction() as db:
        db.execute("INSERT INTO gap VALUES (1, 1, ?, ?, 'packets_lost', '{}')", (2 * DAY_US, 2 * DAY_US + HOUR))
    make_all(index)
    kept = db.execute("SELECT * FROM tile_day").fetchall()
    reader = ArchiveReader([tmp_path])
    keys = [StreamKey(row.camera, row.stream) for row in reader.cameras()]
    found = reader.tilings(keys, 0, DAYS * DAY_US)
    db.execute("UPDATE tile_day SET tiles = CAST(x'01' || substr(tiles, 2) AS BLOB)")
    assert reader.tilings(keys, 0, DAYS * DAY_US) == found
    assert wrong_days(db) == []
    make_all(index)
    assert db.execute("SELECT * FROM tile_day").fetchall() == kept
    reader.close()
    index.close()


@pytest.mark.parametrize(
    ("table", "without"), [("recorded_span", "run_id <> 2"), ("gap", "id <> 1"), ("gone_span", "first_sequence <> 0")]
)
def test_an_order_by_end_that_lacks_a_row_is_found_and_made_again(tmp_path: Path, table: str, without: str):
    index = made(tmp_path / "index.db", streams=12)
    with index.transaction() as db:
        db.execute("INSERT INTO recorded_span VALUES (1, ?, 2, ?, 0)", (DAY_US, 2 * DAY_US))
        db.execute("INSERT INTO gap VALUES (1, 1, ?, NULL, 'packets_lost', '{}')", (2 * DAY_US,))
        db.execute("INSERT INTO gone_span VALUES (1, ?, 2, ?, 0, 9, 0)", (DAY_US, DAY_US + HOUR))
    name = f"{table}_by_end"
    (sql,) = db.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
    db.execute(f"DROP INDEX {name}")
    db.execute(f"{sql} WHERE {without}")  # as a page that was lost would leave it
    db.execute("PRAGMA writable_schema = ON")
    db.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (sql, name))
    db.execute("PRAGMA writable_schema = OFF")
    index.drop_connection()
    db = index.connection
    assert db.execute("PRAGMA integrity_check").fetchone() != ("ok",)
    wrong = wrong_days(db)
    assert wrong == [(2 if table == "gap" else 1, 1, True)]
    drop_days(index, wrong)
    assert wrong_days(db) == []
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    index.close()


async def test_the_recorder_makes_them_by_itself(tmp_path: Path):
    clock = ManualClock(3 * DAY_US)
    async with opened([tmp_path / "a"], clock=clock) as (archive, _):
        await archive.camera_set_up("gate", "Gate", ["main"], HOUR)
        index = archive._index
        with sqlite3.connect(index.path) as db:
            db.execute("INSERT OR REPLACE INTO heartbeat VALUES (1, ?, 0, 0, ?, 0)", (BOOT, 3 * DAY_US))

        async def made_all() -> bool:
            await clock.advance(61)
            return _days(index.path) == 3

        await until(made_all)
        with sqlite3.connect(index.path) as db:
            db.execute("UPDATE wide_day SET pieces = x'00' WHERE day = 1")
        report = await archive.check(Mode.LEDGER, repair=True)
        assert [(f.kind, f.camera, f.mended) for f in report.findings] == [("wide", "gate", "made again")]
        assert (await archive.check(Mode.LEDGER)).findings == []


async def test_verify_blames_a_day_that_says_something_else(tmp_path: Path):
    clock = ManualClock(3 * DAY_US)
    async with opened([tmp_path / "a"], clock=clock) as (archive, _):
        await archive.camera_set_up("gate", "Gate", ["main"], HOUR)
        path = archive._index.path
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("INSERT OR REPLACE INTO heartbeat VALUES (1, ?, 0, 0, ?, 0)", (BOOT, 3 * DAY_US))
        await archive._worker.run(make_all, archive._index)
        assert _days(path) == 3
    before = verify_folder(tmp_path / "a")
    assert not [found for found in before.findings if "wide view" in found.what]
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE wide_day SET pieces = x'00' WHERE day = 1")  # says that all of it was recorded
    after = verify_folder(tmp_path / "a")
    assert [found.what for found in after.blamed if "wide view" in found.what] == [
        "index, wide view of gate/main, 1970-01-02"
    ]


def _days(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as db:
        count: int = db.execute("SELECT count(*) FROM wide_day").fetchone()[0]
        return count
