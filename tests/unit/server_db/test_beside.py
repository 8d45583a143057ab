"""`server.db` on a disk without a byte left: it is used from memory, nobody's rights are changed there, and each step of its way back leaves a whole file."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.support.small_disks import small_disk

from longwatch.base.errors import LongwatchError
from longwatch.server_db import ServerDb, beside
from longwatch.server_db.schema import counters, keys, sessions, users

BLOCK = 65_536


def made(path: Path) -> None:
    """With a user, by a process that was killed: what it wrote last lies in the log of writes alone."""
    db = ServerDb(path)
    db.key("url")
    with db.engine.begin() as connection:
        connection.execute(
            sa.insert(users).values(id=1, name="ada", password="x", role="admin", cameras=None, created_us=5)
        )
    wal = path.with_name("server.db-wal").read_bytes()
    db.close()
    path.with_name("server.db-wal").write_bytes(wal)
    assert wal


def log_in(db: ServerDb, number: int = 1) -> None:
    with db.engine.begin() as connection:
        row = {"sha256": bytes([number]) * 32, "user_id": 1, "created_us": 1, "expires_us": 2}
        connection.execute(sa.insert(sessions).values(row))


def logins(db: ServerDb) -> int:
    with db.engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(sessions)).scalar_one())


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "small", "size=48m") as mount:
        yield mount


def fill(folder: Path) -> None:
    """To the last byte."""
    with (folder / "stranger").open("ab", buffering=0) as stranger:
        for size in (BLOCK, 4096, 1):
            try:
                while stranger.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    assert beside.free_bytes(folder) == 0


@pytest.mark.root
async def test_a_disk_without_a_byte_left_is_no_reason_to_show_no_page(disk: Path) -> None:
    path = disk / "server.db"
    made(path)
    fill(disk)
    db = ServerDb(path)
    assert (db.is_beside, db.is_better_begun_anew()) == (True, False)
    log_in(db)
    assert logins(db) == 1
    with pytest.raises(LongwatchError, match="cannot be kept now") as refused:
        await db.call(_add_user, db)
    assert "full" in refused.value.why
    (disk / "stranger").unlink()
    assert db.is_better_begun_anew()
    db.close()
    again = ServerDb(path)
    assert not again.is_beside
    assert logins(again) == 1, "who signed in meanwhile stays"
    again.close()


@pytest.mark.root
def test_a_disk_that_fills_while_it_is_open_is_noticed(disk: Path) -> None:
    made(disk / "server.db")
    db = ServerDb(disk / "server.db")
    assert (db.is_beside, db.is_better_begun_anew()) == (False, False)
    fill(disk)
    assert db.is_better_begun_anew()
    db.close()
    db = ServerDb(disk / "server.db")
    assert (db.is_beside, db.is_better_begun_anew()) == (True, False)
    db.close()


@pytest.mark.root
def test_without_memory_for_a_copy_the_file_is_used_as_far_as_it_goes(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = ServerDb(disk / "server.db")
    fill(disk)
    monkeypatch.setattr(beside, "MOST_BYTES", 1000)
    try:
        again = ServerDb(disk / "server.db")  # the files beside it are there, as after a kill
        assert (again.is_beside, again.is_better_begun_anew()) == (False, False), "beginning anew would not help"
        again.close()
    finally:
        db.close()


def _add_user(db: ServerDb) -> None:
    with db.engine.begin() as connection:
        connection.execute(
            sa.insert(users).values(id=2, name="eve", password="y", role="admin", cameras=None, created_us=5)
        )


@pytest.mark.root
def test_without_room_at_the_end_the_file_is_as_it_was(disk: Path) -> None:
    path = disk / "server.db"
    made(path)
    fill(disk)
    db = ServerDb(path)
    log_in(db)
    copy = db._copy
    assert copy is not None
    db.close()
    assert not copy.parent.exists(), "nothing of it lies about in memory"
    (disk / "stranger").unlink()
    again = ServerDb(path)
    assert logins(again) == 0
    again.close()


@pytest.mark.root
def test_a_new_file_on_a_full_disk_says_so(disk: Path) -> None:
    fill(disk)
    with pytest.raises(LongwatchError, match="cannot be opened") as refused:
        ServerDb(disk / "server.db")
    assert "full" in refused.value.why


def test_a_file_that_is_no_database_is_no_full_disk(tmp_path: Path) -> None:
    (tmp_path / "server.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(LongwatchError, match="cannot be opened") as refused:
        ServerDb(tmp_path / "server.db")
    assert "full" not in refused.value.why


@pytest.mark.parametrize(
    ("statement", "is_let"),
    [
        ("INSERT INTO users (name, password, role, created_us) VALUES ('eve', '', 'admin', 1)", False),
        ("UPDATE users SET password = ''", False),
        ("DELETE FROM users", False),
        ("DELETE FROM tokens", False),
        ("UPDATE keys SET value = x'00'", False),
        ("UPDATE passkeys SET user_id = 2", False),
        ("UPDATE passkeys SET sign_count = 2, used_us = 3", True),
        ("DELETE FROM codes", True),
        ("DELETE FROM sessions", True),
        ("UPDATE counters SET value = 1", True),
        ("SELECT name FROM users", True),
    ],
)
def test_rights_are_not_changed_in_memory(tmp_path: Path, statement: str, is_let: bool) -> None:
    made(tmp_path / "server.db")
    connection = sqlite3.connect(tmp_path / "server.db")
    beside.only_what_may_be_forgotten(connection)
    try:
        if is_let:
            connection.execute(statement)
        else:
            with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
                connection.execute(statement)
    finally:
        connection.close()


def test_copies_of_a_killed_process_are_forgotten_and_others_are_not(tmp_path: Path) -> None:
    one, other, memory = tmp_path / "one", tmp_path / "other", tmp_path / "memory"
    for folder in (one, other, memory):
        folder.mkdir()
    for folder in (one, other):
        made(folder / "server.db")
    first, kept = beside.copy_of(one / "server.db", [memory]), beside.copy_of(other / "server.db", [memory])
    second = beside.copy_of(one / "server.db", [tmp_path / "missing", memory])
    assert not first.parent.exists()
    assert kept.exists()
    assert second.parent.stat().st_mode & 0o777 == 0o700
    assert second.stat().st_mode & 0o777 == 0o600


def test_what_is_too_large_or_empty_is_not_taken_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "server.db").touch()
    with pytest.raises(LongwatchError):
        beside.copy_of(tmp_path / "server.db", [tmp_path])
    made(tmp_path / "server.db")
    monkeypatch.setattr(beside, "MOST_BYTES", 1000)
    with pytest.raises(LongwatchError, match="too large"):
        beside.copy_of(tmp_path / "server.db", [tmp_path])


class Killed(BaseException):
    """As a power cut: nothing runs after it."""


STEPS: tuple[tuple[str, Any, str], ...] = (
    ("before the old log of writes is in its file", beside, "_whole"),
    ("before the copy is written", os, "open"),
    ("while the copy is written", shutil, "copyfileobj"),
    ("before it is flushed", os, "fsync"),
    ("before it takes the file's place", Path, "replace"),
)


@pytest.mark.parametrize(("where", "name"), [step[1:] for step in STEPS], ids=[step[0] for step in STEPS])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_power_cut_at_each_step_of_the_way_back_leaves_a_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: Any, name: str, after: bool
) -> None:
    """The disk as it stands at that moment is looked at, before anything that would tidy up."""
    path, memory, cut = tmp_path / "server.db", tmp_path / "memory", tmp_path / "cut"
    made(path)
    memory.mkdir()
    copy = beside.copy_of(path, [memory])
    db = ServerDb(copy)
    log_in(db)
    db.close()
    real: Callable[..., Any] = getattr(where, name)
    seen: list[Path] = []

    def struck(*arguments: Any, **more: Any) -> Any:
        if after:
            real(*arguments, **more)
        if not seen:
            cut.mkdir()
            monkeypatch.undo()
            for file in tmp_path.glob("server.db*"):
                shutil.copyfile(file, cut / file.name)
            seen.append(cut)
            raise Killed
        return real(*arguments, **more)

    monkeypatch.setattr(where, name, struck)
    with pytest.raises(Killed):
        beside.put_back(copy, path)
    (cut / "server.db-shm").unlink(missing_ok=True)
    found = ServerDb(cut / "server.db")
    with found.engine.connect() as connection:
        assert connection.execute(sa.select(users.c.name)).scalars().all() == ["ada"]
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.execute(sa.select(sa.func.count()).select_from(keys)).scalar_one() == 1
        assert connection.execute(sa.select(sa.func.count()).select_from(counters)).scalar_one() == 0
    assert logins(found) == (1 if name == "replace" and after else 0)
    found.close()
