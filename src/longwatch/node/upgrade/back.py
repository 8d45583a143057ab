"""The databases of a data folder made fit for this program, after a newer one had them: `python -m longwatch.node.upgrade_back DATA`.

Run by the supervisor, from the environment that is gone back to, while nothing else runs. A database that this program reads stays as it is. One that is
newer is set aside, and the copy from before the switch takes its place, by renames alone: a full disk is no hindrance, and an interruption
anywhere is gone on with by doing it again. What the ledger and the files say beyond the copy of the index comes back when the recorder opens it
(`archive/restoring.py`); where there is no copy the index is made again from them altogether.
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from longwatch.archive.index import migrations
from longwatch.node.upgrade.files import Places, flush_folder
from longwatch.node.upgrade.formats import formats

INDEX, SERVER = "index.db", "server.db"
_LOG = ("-wal", "-shm")


def main(words: list[str]) -> int:
    """The exit code: 0 where both fit, or nothing can be done about one; 1 where something failed."""
    data = Path(words[0])
    failed = False
    for name, form, most, can_be_made in (
        (INDEX, index_form, len(migrations()), True),
        (SERVER, server_form, formats()["server_db"]["writes"], False),
    ):
        try:
            said = fit(data, name, form, most, can_be_made=can_be_made)
        except (OSError, sqlite3.Error) as error:
            failed, said = True, f"{name}: {error}"
        if said:
            print(f"longwatch run: {said}", file=sys.stderr, flush=True)  # noqa: T201 - the words of a child of the supervisor
    return 1 if failed else 0


def fit(data: Path, name: str, form: Callable[[sqlite3.Connection], int], most: int, *, can_be_made: bool) -> str:
    """What was done, in words; "" for nothing. can_be_made: it is made again where there is no copy. Raises OSError, sqlite3.Error."""
    path, copy = data / name, Places(data).before / name
    if path.exists():
        found = _form(path, form)
        if found is None or found <= most:
            return ""  # one that is damaged is the business of whoever opens it
        if not copy.exists() and not can_be_made:
            return f"{name} is of form {found}, this program knows {most}, and there is no copy from before: it stays"
        _fold(path)
        path.rename(path.with_name(f"{name}.newer-{time.time_ns() // 1000}"))
    elif not copy.exists():
        return ""
    if not copy.exists() or not _is_sound(copy, form, most):
        flush_folder(data)
        return f"{name} was newer and is set aside; it is made again from the files" if can_be_made else ""
    for suffix in _LOG:
        path.with_name(name + suffix).unlink(missing_ok=True)  # of the one that was set aside, and folded into it
    copy.rename(path)
    flush_folder(data)
    return f"{name} was newer and is set aside; the copy from before the upgrade is back"


def index_form(db: sqlite3.Connection) -> int:
    """Number of the newest migration of an index."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def server_form(db: sqlite3.Connection) -> int:
    """Number of the newest migration of a `server.db`. Its revisions are named by it."""
    row = db.execute("SELECT version_num FROM alembic_version").fetchone()
    return int(str(row[0]).lstrip("v").split("_")[0]) if row is not None else 0


def _form(path: Path, form: Callable[[sqlite3.Connection], int]) -> int | None:
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=5)) as db:
            return form(db)
    except (sqlite3.DatabaseError, ValueError):
        return None


def _fold(path: Path) -> None:
    """Its log of writes into the file, so that it can be set aside by one rename. Where that fails, what lies in the log is lost to the file aside."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path, timeout=5)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _is_sound(copy: Path, form: Callable[[sqlite3.Connection], int], most: int) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(copy))}?mode=ro&immutable=1", uri=True)) as db:
            return form(db) <= most and db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
    except (sqlite3.DatabaseError, ValueError):
        return False
