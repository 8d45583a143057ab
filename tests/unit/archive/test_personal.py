"""Clear text about people: entered with its commitment, erased so that the files hold it no more, and never twice."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from pathlib import Path

import pytest
from tests.support.archive_case import opened
from tests.support.wait import until

from longwatch.archive import Archive, ArchiveReader, Keyed, Options, Question, Retention, RetentionTime, personal
from longwatch.archive.mentions import find, remember_entry
from longwatch.archive.ops import Entry, Person
from longwatch.archive.verifying import verify_folder
from longwatch.base.clock import ManualClock, SystemClock
from longwatch.ledger import canonical, kinds, people
from longwatch.ledger.findings import Kind

DAY_US = 86_400_000_000
THIRTY_DAYS = Options(Retention(max_age_us=None, keep_free_fraction=0, personal_us=30 * DAY_US))
ALWAYS = Question(0, 1 << 60, limit=1000)


def keyed(n: int, subject: int = 10, word: str = "", **body: object) -> Keyed:
    text = canonical({"user": word or f"user {subject}", "address": f"10.0.{n // 250}.{n % 250}"}).decode()
    return Keyed(f"box:{n}", Entry(kinds.VIEWING, {"camera": "gate", "at_us": n, **body}, Person(subject, text)))


def on_disk(folder: Path, word: bytes) -> list[str]:
    """The files of a folder that hold a word."""
    return [file.name for file in sorted(folder.iterdir()) if file.is_file() and word in file.read_bytes()]


def entries(folder: Path) -> list[dict]:
    reader = ArchiveReader([folder])
    try:
        return [json.loads(row.entry) for row in reader.entries(0, 100_000)]
    finally:
        reader.close()


def audit(folder: Path, asked: Question = ALWAYS):
    reader = ArchiveReader([folder])
    try:
        return reader.audit(asked)
    finally:
        reader.close()


async def test_what_is_handed_over_again_is_entered_once(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        first = await archive.take([keyed(1), keyed(2)])
        again = await archive.take([keyed(2), keyed(3)])
        assert again[0] == first[1]
        assert [entry["kind"] for entry in entries(tmp_path / "a")].count(kinds.VIEWING) == 3
    async with opened([tmp_path / "a"]) as (archive, _):  # nor after a start: the keys are in the index
        assert await archive.take([keyed(1), keyed(2), keyed(3)]) == [*first, again[1]]


async def test_only_the_last_keys_are_kept(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        seqs = []
        for begin in range(0, 1400, 100):
            seqs += await archive.take([keyed(n) for n in range(begin, begin + 100)])
        db = archive._index.connection
        assert db.execute("SELECT count(*) FROM receipt").fetchone()[0] == 1000
        assert db.execute("SELECT min(seq) FROM receipt").fetchone()[0] == seqs[400]


@pytest.mark.parametrize("before_commit", [True, False])
async def test_a_cut_around_the_commit_makes_neither_loss_nor_double(tmp_path: Path, before_commit: bool):
    """The process ends before or after the commit, and before the answer: what is handed over again stands once."""

    class CutError(Exception):
        pass

    async with opened([tmp_path / "a"]) as (archive, _):
        real = archive._options.flushing.step

        def step(name: str) -> None:
            real(name)
            if name == ("S5" if before_commit else "S6"):
                raise CutError

        archive._options.flushing.step = step  # type: ignore[method-assign]
        with pytest.raises(CutError):
            await archive.take([keyed(1), keyed(2)])
        archive._options.flushing.step = real  # type: ignore[method-assign]
    async with opened([tmp_path / "a"]) as (archive, _):
        await archive.take([keyed(1), keyed(2)])
    told = [entry["body"]["at_us"] for entry in entries(tmp_path / "a") if entry["kind"] == kinds.VIEWING]
    assert told == [1, 2]


async def test_the_entry_commits_to_the_text_beside_it(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        [seq] = await archive.take([keyed(7, 12, "Kari Nordmann")])
        salt, text = archive._index.connection.execute(
            "SELECT salt, text FROM personal WHERE seq = ?", (seq,)
        ).fetchone()
    [entry] = [entry for entry in entries(tmp_path / "a") if entry["seq"] == seq]
    assert entry["body"]["person"] == {"subject": 12, "commitment": people.commitment(salt, text).hex()}
    assert "Kari" not in json.dumps(entry)


async def test_no_clear_text_is_ever_published(tmp_path: Path):
    """Bundles, tiles and checkpoints, on every volume: what is published cannot be erased."""
    volumes = [tmp_path / "a", tmp_path / "b"]
    async with opened(volumes, clock=SystemClock()) as (archive, _):
        seqs = await archive.take([keyed(n, word="CANARY of a person") for n in range(300)])
        await archive.ledger.publish(seqs[-1] + 1)
        assert archive.ledger.published > seqs[-1]
    published = [file for volume in volumes for file in (volume / "ledger").rglob("*") if file.is_file()]
    assert len(published) > 8
    assert any(b"commitment" in file.read_bytes() for file in published)
    assert not [file for file in published if b"CANARY" in file.read_bytes()]
    assert on_disk(volumes[1], b"CANARY") == []


async def fill(archive: Archive, count: int, erased_every: int) -> None:
    """Rows of two people among one another; the texts differ in length, so that pages are split and merged."""
    for begin in range(0, count, 200):
        items = []
        for n in range(begin, min(begin + 200, count)):
            gone = n % erased_every == 0
            word = f"{'CANARY' if gone else 'KEEPER'}-{n:05}-" + "x" * (n * 37 % 900)
            items.append(keyed(n, 11 if gone else 12, word))
        await archive.take(items)


@pytest.mark.slow
@pytest.mark.parametrize("erased_every", [2, 7, 400])
async def test_nothing_of_what_is_erased_is_left_in_any_file(tmp_path: Path, erased_every: int):
    """On demand: every other row, scattered ones, single ones. The files are read byte by byte."""
    folder = tmp_path / "a"
    async with opened([folder]) as (archive, _):
        await fill(archive, 1500, erased_every)
        assert on_disk(folder, b"CANARY")
        erased = await archive.erase_subject(11, Person(0, '{"reason":"asked by the person"}'))
        assert erased.count == len(range(0, 1500, erased_every))
        await until(archive.purge_personal)
        assert on_disk(folder, b"CANARY-") == []
        db = archive._index.connection
        assert (
            db.execute("SELECT count(*) FROM personal WHERE text LIKE '%KEEPER%'").fetchone()[0] == 1500 - erased.count
        )
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        [told] = [entry for entry in entries(folder) if entry["kind"] == kinds.PERSONAL_ERASED]
        assert (told["body"]["why"], told["body"]["subject"], told["body"]["count"]) == ("asked", 11, erased.count)
        seqs = {seq for first, last in told["body"]["seqs"] for seq in range(first, last + 1)}
    found = audit(folder, Question(0, 1 << 60, limit=10_000))
    assert {item.seq for item in found if item.subject == 11} <= seqs
    assert all(item.text is None for item in found if item.subject == 11)
    assert all(item.text for item in found if item.subject == 12)
    assert on_disk(folder, b"CANARY-") == []


async def test_the_same_after_many_erasures_and_a_cut(tmp_path: Path):
    """What stayed the first time goes the second; the log of writes is cut by the next start where a cut was between."""
    folder = tmp_path / "a"
    async with opened([folder]) as (archive, _):
        await fill(archive, 900, 3)
        await archive.erase_subject(11, Person(0, "{}"))
        await archive.erase_subject(12, Person(0, "{}"))
        assert on_disk(folder, b"KEEPER-")  # in the log of writes
    async with opened([folder]) as (archive, _):
        await until(archive.purge_personal)
        assert on_disk(folder, b"CANARY-") == []
        assert on_disk(folder, b"KEEPER-") == []


async def test_a_reader_in_the_way_delays_the_purge_and_never_blocks(tmp_path: Path):
    folder = tmp_path / "a"
    async with opened([folder]) as (archive, _):
        await fill(archive, 20, 2)
        other = sqlite3.connect(folder / "index.db", isolation_level=None)
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM personal").fetchone()
        await archive.erase_subject(11, Person(0, "{}"))
        assert not await archive.purge_personal()
        assert archive._index.connection.execute("PRAGMA busy_timeout").fetchone()[0] == 5000
        other.execute("COMMIT")
        other.close()
        await until(archive.purge_personal)
        assert on_disk(folder, b"CANARY-") == []


async def test_text_expires_by_age_once_a_day_and_not_while_time_is_unsure(tmp_path: Path):
    clock = ManualClock()
    folder = tmp_path / "a"
    age = 30 * DAY_US
    async with opened([folder], THIRTY_DAYS, clock) as (archive, _):
        await archive.take([keyed(1, word="OLDTEXT")])
        clock.tick(DAY_US)
        await archive.take([keyed(2, word="NEWTEXT")])
        clock.tick(age - DAY_US // 2)
        sure = RetentionTime(clock.wall_us(), trusted=True)
        assert (await archive.expire_personal(RetentionTime(clock.wall_us(), trusted=False)))[1]
        assert (await archive.expire_personal(RetentionTime(clock.wall_us() - DAY_US, trusted=True)))[0].count == 0
        erased, held_back = await archive.expire_personal(sure)
        assert (erased.count, held_back) == (1, "")
        assert (await archive.expire_personal(sure))[0].count == 0
        await until(archive.purge_personal)
        assert on_disk(folder, b"OLDTEXT") == []
        assert on_disk(folder, b"NEWTEXT")
    [told] = [entry for entry in entries(folder) if entry["kind"] == kinds.PERSONAL_ERASED]
    assert told["body"]["why"] == "age"
    assert "person" not in told["body"]


async def test_a_leap_of_the_clock_waits(tmp_path: Path):
    clock = ManualClock()
    async with opened([tmp_path / "a"], THIRTY_DAYS, clock) as (archive, _):
        await archive.take([keyed(1)])
        later = clock.wall_us() + 3650 * DAY_US
        erased, held_back = await archive.expire_personal(RetentionTime(later, trusted=True))
        assert erased.count == 0
        assert "at once" in held_back
        approved = RetentionTime(later, trusted=True, approved=True)
        assert (await archive.expire_personal(approved))[0].count == 1


@pytest.mark.parametrize("wrong_us", [-56 * 365 * DAY_US, 10 * 365 * DAY_US])
async def test_text_of_a_clock_that_was_wrong_ages_from_when_it_is_seen(tmp_path: Path, wrong_us: int):
    """A post that booted in 1970, or ten years ahead: its text goes neither at once nor never."""
    clock = ManualClock()
    age = 30 * DAY_US
    clock.step_wall(wrong_us)
    async with opened([tmp_path / "a"], THIRTY_DAYS, clock) as (archive, _):
        await archive.take([keyed(1)])
        clock.step_wall(-wrong_us)
        clock.tick(DAY_US // 2)
        assert (await archive.expire_personal(RetentionTime(clock.wall_us(), trusted=True)))[0].count == 0
        clock.tick(age + DAY_US)
        assert (await archive.expire_personal(RetentionTime(clock.wall_us(), trusted=True)))[0].count == 1


async def test_the_audit_is_one_range_of_an_index_and_narrowed(tmp_path: Path):
    folder = tmp_path / "a"
    async with opened([folder]) as (archive, _):
        await archive.take([keyed(n, 10 + n % 3, camera="gate" if n % 2 else "yard") for n in range(30)])
        await archive.take([Keyed("box:x", Entry(kinds.LOGIN, {"at_us": 40}, Person(11, "{}")))])
        for asked in (ALWAYS, Question(0, 50, subject=11), Question(0, 50, after=(3, 3))):
            plan: list[tuple] = []

            def explained(sql: str, values: object, plan: list[tuple] = plan) -> list:
                plan += archive._index.connection.execute("EXPLAIN QUERY PLAN " + sql, values).fetchall()
                return []

            find(explained, asked)
            assert plan
            assert not [row for row in plan if row[3].startswith("SCAN")], plan
    assert [item.at_us for item in audit(folder, Question(5, 9))] == [5, 6, 7, 8]
    newest = audit(folder, Question(5, 9, newest=True, limit=3))
    assert [item.at_us for item in newest] == [8, 7, 6]
    rest = audit(folder, Question(5, 9, newest=True, after=(newest[-1].at_us, newest[-1].seq)))
    assert [item.at_us for item in rest] == [5]
    assert {item.body["camera"] for item in audit(folder, Question(0, 40, camera="yard"))} == {"yard"}
    assert [item.kind for item in audit(folder, Question(0, 50, kinds=[kinds.LOGIN]))] == [kinds.LOGIN]
    own = audit(folder, Question(0, 50, subject=11))
    assert {item.subject for item in own} == {11}
    some = audit(folder, Question(0, 50, own_subject=10, private_kinds=[kinds.VIEWING]))
    assert {(item.subject, item.kind) for item in some} == {(10, kinds.VIEWING), (11, kinds.LOGIN)}
    confined = audit(folder, Question(0, 50, cameras=frozenset({"gate"}), own_subject=12))
    assert all(item.body["camera"] == "gate" or item.subject == 12 for item in confined)
    pages, after = [], None
    while page := audit(folder, Question(0, 50, after=after, limit=7)):
        pages += page
        after = (page[-1].at_us, page[-1].seq)
    assert pages == audit(folder)


async def test_a_restored_ledger_knows_again_who_is_spoken_of(tmp_path: Path):
    folder = tmp_path / "a"
    async with opened([folder]) as (archive, _):
        await archive.take([keyed(n, 10 + n % 2) for n in range(5)])
    before = audit(folder)
    db = sqlite3.connect(folder / "index.db")
    db.execute("DELETE FROM mention")
    for (entry,) in db.execute("SELECT entry FROM ledger ORDER BY seq").fetchall():
        remember_entry(db, json.loads(entry))
    db.commit()
    db.close()
    assert audit(folder) == before


async def test_a_lost_database_takes_the_text_with_it_and_the_audit_says_so(tmp_path: Path):
    folder = tmp_path / "a"
    async with opened([folder], clock=SystemClock()) as (archive, _):
        seqs = await archive.take([keyed(n, 10 + n % 2) for n in range(20)])
        await archive.ledger.publish(seqs[-1] + 1)
    before = audit(folder)
    for file in folder.glob("index.db*"):
        file.unlink()
    async with opened([folder], clock=SystemClock()):
        pass
    after = audit(folder)
    assert [(item.seq, item.subject, item.at_us, item.body) for item in after] == [
        (item.seq, item.subject, item.at_us, item.body) for item in before
    ]
    assert {item.text for item in after} == {None}


async def test_every_proof_stays_valid_and_verify_says_erased(tmp_path: Path):
    folder = tmp_path / "a"
    async with opened([folder], clock=SystemClock()) as (archive, _):
        seqs = await archive.take([keyed(n, 10 + n % 2) for n in range(20)])
        await archive.ledger.publish(seqs[-1] + 1)
    before = verify_folder(folder)
    assert before.ok, before.findings
    async with opened([folder], clock=SystemClock()) as (archive, _):
        await archive.erase_subject(11, Person(0, '{"reason":"asked"}'))
        await until(archive.purge_personal)
    after = verify_folder(folder)
    assert after.ok, after.findings
    assert len([found for found in after.findings if found.kind is Kind.ERASED]) == 10
    assert not [found for found in before.findings if found.kind is Kind.ERASED]
    db = sqlite3.connect(folder / "index.db")  # gone without an entry is another thing
    db.execute("UPDATE personal SET text = '{}' WHERE seq = ?", (seqs[0],))
    db.commit()
    db.close()
    assert not verify_folder(folder).ok


async def test_files_of_a_damaged_index_are_named(tmp_path: Path):
    async with opened([tmp_path / "a"]) as (archive, _):
        assert archive.left_behind() == []
        old = tmp_path / "a" / "index.db.damaged-1"
        old.write_bytes(os.urandom(10))
        assert archive.left_behind() == [str(old)]


def shape(db: sqlite3.Connection) -> list[tuple]:
    rows = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")
    return [(kind, name, table, (sql or "").replace('"', "")) for kind, name, table, sql in rows]


async def test_the_tables_come_back_as_they_were(tmp_path: Path):
    """An erasure leaves the schema as it found it: a migration must find what it expects."""
    async with opened([tmp_path / "a"]) as (archive, _):
        db = archive._index.connection
        before = shape(db)
        for n in range(3):
            await archive.take([keyed(2 * n, 11), keyed(2 * n + 1, 12)])
            await archive.erase_subject(11, Person(0, "{}"))
            await until(archive.purge_personal)
            assert shape(db) == before


@pytest.mark.slow
@pytest.mark.parametrize("steps", range(9))
async def test_a_cut_between_any_two_steps_is_made_good(tmp_path: Path, steps: int, monkeypatch: pytest.MonkeyPatch):
    """Nothing is lost that was to stay, nothing is half erased, and the next purge clears what was left."""
    monkeypatch.setattr(personal, "STEP_ROWS", 40)
    folder = tmp_path / "a"
    async with opened([folder]) as (archive, _):
        await fill(archive, 100, 2)
        index, choice = archive._index, personal.of_subject(11, Person(0, "{}"))

        def some() -> None:
            left, reached = steps, -1
            personal.begin(index)
            while left:
                left -= 1
                last = personal.copy(index, choice, reached)
                if last < 0:
                    break
                reached = last
            else:
                return
            personal.swap(index, choice, reached)
            for _ in range(left):
                personal.purge(index)

        await archive._worker.run(some)
    async with opened([folder]) as (archive, _):
        await until(archive.purge_personal)
        db = archive._index.connection
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'personal%'")}
        assert tables == {"personal", "personal_by_age", "personal_by_subject"}
        erased = [entry for entry in entries(folder) if entry["kind"] == kinds.PERSONAL_ERASED]
        left = db.execute("SELECT count(*) FROM personal WHERE subject = 11").fetchone()[0]
        assert (len(erased), left) in {(0, 50), (1, 0)}
        assert db.execute("SELECT count(*) FROM personal WHERE subject = 12").fetchone()[0] == 50
        if erased:
            assert on_disk(folder, b"CANARY-") == []
        await archive.erase_subject(11, Person(0, "{}"))
        await until(archive.purge_personal)
        assert on_disk(folder, b"CANARY-") == []


async def test_what_comes_while_it_is_erased_stays_or_goes_as_it_should(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(personal, "STEP_ROWS", 30)
    folder = tmp_path / "a"
    async with opened([folder]) as (archive, _):
        await fill(archive, 200, 2)
        erasing = asyncio.create_task(archive.erase_subject(11, Person(0, "{}")))
        for n in range(1000, 1040):
            await archive.take([keyed(n, 11 + n % 2, "CANARY-late" if n % 2 == 0 else "KEEPER-late")])
        erased = await erasing
        await until(archive.purge_personal)
        db = archive._index.connection
        late = db.execute("SELECT count(*) FROM personal WHERE text LIKE '%KEEPER-late%'").fetchone()[0]
        after = db.execute("SELECT count(*) FROM personal WHERE subject = 11").fetchone()[0]
        assert late == 20
        assert erased.count + after == 120
        seqs = {row[0] for row in db.execute("SELECT seq FROM personal WHERE subject = 11")}
    [told] = [entry["body"] for entry in entries(folder) if entry["kind"] == kinds.PERSONAL_ERASED]
    assert not seqs & {seq for first, last in told["seqs"] for seq in range(first, last + 1)}
