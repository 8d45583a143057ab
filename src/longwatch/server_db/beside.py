"""`server.db` where its disk has no room even for opening it: a copy in memory, so that the page opens and says what is wrong.

SQLite needs a file beside the database before it reads a row of it. At 0 bytes free there is none, and whoever comes to make room would find no page to see it on. So the
file and its log of writes are copied into memory (a folder of ours alone, mostly in /dev/shm), and used there; the holder of `server.lock` is the one writer, so nobody
else misses anything. Who may do what is not changed in a copy that a power cut forgets: `KEPT` is refused until there is room. Once there is, the copy takes the place of
the file, in steps of which each leaves a whole one: the old log of writes goes into the old file, the copy is written beside it and flushed, and renamed over it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

from longwatch.base.errors import LongwatchError

ROOM_BYTES = 1 << 20
"""Less is no room: the files beside a database take some hundred KiB."""
BACK_BYTES = 16 << 20
"""What is free beyond the copy's own size when it goes back."""
MOST_BYTES = 256 << 20
"""Of memory. A larger file waits for room."""
KEPT = frozenset({"users", "tokens", "passkeys", "identities", "codes", "subjects", "keys"})
"""Tables of what is for ever, or was taken away for ever."""
_FORGOTTEN = frozenset({("passkeys", "sign_count"), ("passkeys", "used_us")})
"""Columns of them that a login changes."""
_FOLDERS = (Path("/dev/shm"), Path("/run"), Path(tempfile.gettempdir()))  # noqa: S108 - a folder of ours alone is made in it
_CHANGES = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})


def free_bytes(folder: Path) -> int:
    """As far as this user may take it."""
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize


def is_full(folder: Path) -> bool:
    """Whether there is no room for what SQLite puts beside a file."""
    try:
        return free_bytes(folder) < ROOM_BYTES
    except OSError:
        return False


def copy_of(path: Path, folders: Sequence[Path] = _FOLDERS) -> Path:
    """Copy the file and its log of writes to where there is room. Raises LongwatchError."""
    files = [file for file in (path, path.with_name(f"{path.name}-wal")) if file.exists()]
    size = sum(file.stat().st_size for file in files)
    name = f"longwatch-{hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:12]}-"
    if size > MOST_BYTES or not path.stat().st_size:
        raise LongwatchError(f"{path.name} is too large to be kept in memory", why=f"{size} bytes")
    for folder in folders:
        try:
            _forget_older(folder, name)
            if free_bytes(folder) < 2 * size + BACK_BYTES:
                continue
            made = Path(tempfile.mkdtemp(prefix=name, dir=folder))
            for file in files:
                shutil.copyfile(file, made / file.name)
                (made / file.name).chmod(0o600)
        except OSError:
            continue
        return made / path.name
    raise LongwatchError(f"there is no room for a copy of {path.name} in memory either")


def _forget_older(folder: Path, name: str) -> None:
    """Of a process that was killed: whoever holds the lock now has nothing to do with it."""
    for older in folder.glob(f"{name}*"):
        if older.lstat().st_uid == os.getuid():
            shutil.rmtree(older, ignore_errors=True)


def only_what_may_be_forgotten(connection: sqlite3.Connection) -> None:
    """Changes of the tables `KEPT` are refused on this connection, as `not authorized`."""

    def allowed(action: int, table: str | None, column: str | None, *_: str | None) -> int:
        if action not in _CHANGES or table not in KEPT or (table, column) in _FORGOTTEN:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_DELETE and table == "codes":  # those whose time is over
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    connection.set_authorizer(allowed)


def put_back(copy: Path, path: Path) -> bool:
    """The copy, which nobody uses any more, becomes the file where there is room; it goes either way. Whether it did. See the module for the steps."""
    try:
        if not copy.exists() or free_bytes(path.parent) < copy.stat().st_size + BACK_BYTES:
            return False
        _whole(path)
        _whole(copy)
        beside = path.with_name(f"{path.name}.back")
        beside.unlink(missing_ok=True)
        made = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with copy.open("rb") as source, os.fdopen(made, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
            target.flush()
            os.fsync(target.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except (OSError, sqlite3.Error):
        return False
    finally:
        shutil.rmtree(copy.parent, ignore_errors=True)
        with contextlib.suppress(OSError):
            path.with_name(f"{path.name}.back").unlink(missing_ok=True)
    return True


def _whole(path: Path) -> None:
    """Its log of writes goes into it, and is gone: beside another file it would be taken for that one's. Raises sqlite3.Error where that cannot be."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        busy, *_ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise sqlite3.OperationalError("its log of writes is in use")
    wal = path.with_name(f"{path.name}-wal")
    if wal.exists() and wal.stat().st_size:
        raise sqlite3.OperationalError("its log of writes is still there")
