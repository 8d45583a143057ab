"""Databases after a version that is gone back from: what this program reads stays, what is newer makes way for the copy, at every interruption."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from longwatch.node.upgrade import back as upgrade_back
from longwatch.node.upgrade.copying import copy
from longwatch.node.upgrade.files import Places

KNOWN = 5


def database(path: Path, form: int, word: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE IF NOT EXISTS said (word)")
        db.execute("INSERT INTO said VALUES (?)", (word,))
        db.execute(f"PRAGMA user_version = {form}")


def words(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return [word for (word,) in db.execute("SELECT word FROM said")]


def fit(data: Path, *, can_be_made: bool = True) -> str:
    return upgrade_back.fit(data, "index.db", upgrade_back.index_form, KNOWN, can_be_made=can_be_made)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder whose index a newer version has written to, with the copy from before."""
    database(tmp_path / "index.db", KNOWN, "before")
    Places(tmp_path).before.mkdir(parents=True)
    copy(tmp_path / "index.db", Places(tmp_path).before / "index.db")
    database(tmp_path / "index.db", KNOWN + 1, "after")
    return tmp_path


def aside(data: Path) -> list[Path]:
    return list(data.glob("index.db.newer-*"))


def test_what_is_newer_is_set_aside_and_the_copy_is_back(data: Path):
    assert "copy from before" in fit(data)
    assert words(data / "index.db") == ["before"]
    assert [words(path) for path in aside(data)] == [["before", "after"]]
    assert fit(data) == "", "once"
    assert words(data / "index.db") == ["before"]


def test_what_this_program_reads_stays_as_it_is(data: Path):
    with contextlib.closing(sqlite3.connect(data / "index.db")) as db:
        db.execute(f"PRAGMA user_version = {KNOWN}")
    assert fit(data) == ""
    assert words(data / "index.db") == ["before", "after"]
    assert not aside(data)


def test_without_a_copy_the_index_is_made_again_and_accounts_stay(data: Path):
    (Places(data).before / "index.db").unlink()
    assert "stays" in fit(data, can_be_made=False)
    assert (data / "index.db").exists()
    assert "made again" in fit(data)
    assert not (data / "index.db").exists()
    assert fit(data) == ""


def test_a_copy_that_is_torn_is_not_put_back(data: Path):
    torn = Places(data).before / "index.db"
    torn.write_bytes(torn.read_bytes()[:5000])
    assert "made again" in fit(data)
    assert not (data / "index.db").exists()


@pytest.mark.parametrize("at", range(3))
def test_an_interruption_anywhere_is_gone_on_with(data: Path, monkeypatch: pytest.MonkeyPatch, at: int):
    """Killed before the first rename, between the two, and after both before the folder is flushed."""

    class KilledError(Exception):
        pass

    done = {"count": 0}
    rename, flush = Path.rename, upgrade_back.flush_folder

    def counted(self: Path, target: Path) -> Path:
        if done["count"] == at:
            raise KilledError
        done["count"] += 1
        return rename(self, target)

    def flushed(folder: Path) -> None:
        if at == 2:
            raise KilledError
        flush(folder)

    monkeypatch.setattr(Path, "rename", counted)
    monkeypatch.setattr(upgrade_back, "flush_folder", flushed)
    with pytest.raises(KilledError):
        fit(data)
    monkeypatch.undo()
    fit(data)
    assert words(data / "index.db") == ["before"]
    assert fit(data) == ""


def test_a_damaged_one_is_left_to_whoever_opens_it(data: Path):
    (data / "index.db").write_bytes(b"no database" * 1000)
    assert fit(data) == ""
    assert not aside(data)


def test_of_an_orderly_server_db_the_form_is_its_newest_migration(tmp_path: Path):
    with contextlib.closing(sqlite3.connect(tmp_path / "server.db", isolation_level=None)) as db:
        db.execute("CREATE TABLE alembic_version (version_num)")
        assert upgrade_back.server_form(db) == 0
        db.execute("INSERT INTO alembic_version VALUES ('0008')")
        assert upgrade_back.server_form(db) == 8


def test_both_are_looked_at_and_what_was_done_is_said(data: Path, capfd: pytest.CaptureFixture[str]):
    database(data / "index.db", 999, "far")
    (data / "server.db").mkdir()
    assert upgrade_back.main([str(data)]) == 0
    assert "index.db was newer" in capfd.readouterr().err
    assert words(data / "index.db") == ["before"]
