"""The schema, its migrations, and that every question of the timeline is one range of an index."""

import sqlite3
from pathlib import Path

import pytest
from tests.support.archive_case import FOR_EVER, GATE, KEEP_ALL, opened, record, stream

from longwatch.archive import (
    Archive,
    ArchiveReader,
    CameraRetention,
    Options,
    Retention,
    RetentionTime,
    ops,
)  # fmt: skip
from longwatch.archive.index import RESERVE_BYTES, Index, Reserve, bring_up, migrations, schema
from longwatch.base.clock import ManualClock
from longwatch.base.errors import LongwatchError
from longwatch.model.causes import Cause


def shape(db: sqlite3.Connection) -> list[tuple[str, ...]]:
    """Tables with their columns in order, and indexes by their text; comments and layout do not count."""
    found = []
    for kind, name, table, sql in db.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"):
        columns = db.execute(f"PRAGMA table_xinfo({name})").fetchall() if kind == "table" else ()
        text = " ".join(line.split("--")[0].strip() for line in (sql or "").splitlines())
        found.append((kind, name, table, " ".join(text.split()), str(columns)))
    return found


def test_the_migrations_end_where_the_schema_stands():
    by_steps, at_once = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
    for _, text in migrations():
        by_steps.executescript(text)
    at_once.executescript(schema())
    assert shape(by_steps) == shape(at_once)
    by_steps.close()
    at_once.close()


def test_a_newer_database_is_refused_and_untouched(tmp_path: Path):
    db = sqlite3.connect(tmp_path / "x.db")
    db.execute(f"PRAGMA user_version = {len(migrations()) + 1}")
    before = (tmp_path / "x.db").read_bytes()
    with pytest.raises(LongwatchError, match="newer version"):
        bring_up(db)
    db.close()
    assert (tmp_path / "x.db").read_bytes() == before


async def test_every_commit_is_flushed(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        db = archive._index.connection
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)


async def test_no_question_scans_a_table(tmp_path: Path):
    asked: list[str] = []
    async with opened([tmp_path / "a"]) as (archive, _):
        await record(archive, stream(archive))
        reader = ArchiveReader([tmp_path / "a"])
        reader._db().set_trace_callback(asked.append)
        reader.segments(GATE, *FOR_EVER)
        reader.recorded_spans(GATE, *FOR_EVER)
        reader.gaps_of(GATE, *FOR_EVER)
        reader.sync_before(GATE, 1 << 60)
        reader.stats(GATE)
        reader.fragments(reader.segments(GATE, *FOR_EVER)[0])
        reader.accounted_until_us()
        reader.ledger_size()
        reader.entries(0, 10)
        reader._db().set_trace_callback(None)
        selects = [text for text in asked if text.startswith("SELECT")]
        assert len(selects) > 10
        for text in selects:
            for row in reader._db().execute(f"EXPLAIN QUERY PLAN {text}"):
                small = ("SCAN stream", "SCAN heartbeat", "SCAN d", "SCAN CONSTANT ROW")
                assert not row[3].startswith("SCAN") or row[3].startswith(small), (text, row)
        reader.close()


async def test_neither_a_start_nor_retention_nor_a_tick_scans_a_large_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []
    connect = Index._connect

    def traced(self: Index) -> sqlite3.Connection:
        connection = connect(self)
        connection.set_trace_callback(asked.append)
        return connection

    async with opened([tmp_path / "a"], orderly=False) as (archive, _):
        source = stream(archive)
        await record(archive, source, segments=3)
        await archive.tick(archive.volumes[0], source.tick(reopen=True))
        archive._index.connection.execute("INSERT INTO removal VALUES (1, 'max_age')")
    monkeypatch.setattr(Index, "_connect", traced)
    rules = Options(
        Retention(max_age_us=1, max_size_bytes=1, keep_free_bytes=1 << 60, cameras={"gate": CameraRetention(1, 1)})
    )
    async with opened([tmp_path / "a"], rules) as (archive, report):
        assert len(report.recovered) == 1
        assert report.removals_finished == 1
        source = stream(archive)
        await record(archive, source)
        await archive.commit([ops.GapOpen(1, GATE, 5, Cause.UNKNOWN, {}), ops.GapClose(1, 9), source.heartbeat()])
        for by_age in (False, True):
            await archive.preview(RetentionTime(1 << 60, trusted=by_age, approved=True))
        assert (await archive.retain(RetentionTime(1 << 60, trusted=True, approved=True))).removed == 4
        db = archive._index.connection
        db.set_trace_callback(None)
        large = (
            "segment",
            "s",
            "fragment_table",
            "recorded_span",
            "gap",
            "gone_span",
            "ledger",
            "run",
            "r",
            "placement",
        )
        seen = 0
        for text in set(asked):
            if not text.startswith(("SELECT", "UPDATE", "DELETE")):
                continue
            seen += 1
            for row in db.execute(f"EXPLAIN QUERY PLAN {text}"):
                words = row[3].split()
                scans = words[0] == "SCAN" and words[1] in large
                partial = any(name in row[3] for name in ("run_unended", "gap_long"))
                assert not scans or partial, (text, row[3])
        assert seen > 25


def test_the_reserve_is_held_and_given_up(tmp_path: Path):
    reserve = Reserve(tmp_path / "reserve")
    assert not reserve.release()
    assert reserve.hold()
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= RESERVE_BYTES
    assert reserve.release()
    assert (tmp_path / "reserve").stat().st_blocks == 0
    assert reserve.owed_bytes == RESERVE_BYTES
    again = Reserve(tmp_path / "reserve")
    assert again.owed_bytes == RESERVE_BYTES, "a restart forgets nothing"
    assert not again.release(), "there is nothing to give up"
    assert reserve.hold()
    assert reserve.owed_bytes == 0
    assert Reserve(tmp_path / "reserve").owed_bytes == 0


async def test_an_index_of_another_folder_is_refused(tmp_path: Path):
    for name in ("a", "b"):
        async with opened([tmp_path / name]):
            pass
    (tmp_path / "a" / "index.db").replace(tmp_path / "b" / "index.db")
    with pytest.raises(LongwatchError, match="belongs to data folder"):
        await Archive.open([tmp_path / "b"], KEEP_ALL, ManualClock(), "ab" * 16)
