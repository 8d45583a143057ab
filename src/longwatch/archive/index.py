"""index.db: its connection, its schema, its transactions, and the ledger's append.

Owner: the index thread of the recorder; no other thread and no other process writes. WAL with synchronous=FULL: a
transaction that returned is on the disk. Steps S5 and S6 of docs/design/segment-lifecycle.md are `transaction`.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from urllib.parse import quote

import structlog

from longwatch.archive.flushing import Flushing
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.ledger import entry_bytes, leaf_hash
from longwatch.ledger.tiles import MAX_ENTRY_BYTES

APPLICATION_ID = 0x4C4F4E47  # "LONG"
RESERVE_BYTES = 64 << 20
CACHE_KIB = 4096
"""Of pages, in memory: a tick of 128 streams touches some 1.3 MiB. It fills within an hour and is what the recorder grows by."""
_LEAST_RESERVE_BYTES = 1 << 20
_log = structlog.get_logger(__name__)


class EntryTooLongError(UsageError):
    """An entry that no bundle can hold."""


def schema() -> str:
    """The text of schema.sql."""
    return (resources.files("longwatch.archive") / "schema.sql").read_text(encoding="utf-8")


def migrations() -> list[tuple[int, str]]:
    """(number, text) of every migration, in order, numbered from 1 without a hole."""
    folder = resources.files("longwatch.archive") / "migrations"
    found = sorted(
        (int(f.name.split("_")[0]), f.read_text(encoding="utf-8")) for f in folder.iterdir() if f.name.endswith(".sql")
    )
    if [number for number, _ in found] != list(range(1, len(found) + 1)):
        raise LongwatchError("the migrations are not numbered from 1 without a hole")
    return found


def bring_up(connection: sqlite3.Connection) -> None:
    """A new database gets schema.sql; an older one its missing migrations, all in one transaction.

    Raises LongwatchError, touching nothing, where the database is newer than this program.
    """
    steps = migrations()
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(steps):
        raise LongwatchError(
            "the index was written by a newer version of this program",
            why=f"its schema is {version}, this program knows {len(steps)}",
            remedy="upgrade this program; nothing was touched",
        )
    if version == len(steps):
        return
    text = schema() if version == 0 else "".join(text for number, text in steps if number > version)
    connection.executescript(
        f"BEGIN IMMEDIATE;\n{text}\nPRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {len(steps)};\nCOMMIT;"
    )


class Index:
    """One writing connection. Every method is called on the index thread."""

    def __init__(self, path: Path, boot: str, clock: Clock, flushing: Flushing) -> None:
        self.path = path
        self.boot = boot
        self._clock = clock
        self._flushing = flushing
        self._next_seq = 0
        self._made = False
        self._connection: sqlite3.Connection | None = None

    @property
    def next_seq(self) -> int:
        """The number of the next entry. From another thread: about that number."""
        return self._next_seq

    @property
    def connection(self) -> sqlite3.Connection:
        """The open connection, made again where an error closed it. Raises sqlite3.Error."""
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        # once it was there it is never made anew: an empty mount point must not get an empty index
        mode = "rw" if self._made else "rwc"
        where = f"file:{quote(str(self.path))}?mode={mode}"
        connection = sqlite3.connect(
            where, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            connection.execute("PRAGMA busy_timeout = 5000")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self._flushing.synchronous}")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA recursive_triggers = ON")  # so that what REPLACE replaces is heard of too
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            connection.execute("PRAGMA wal_autocheckpoint = 2000")
            bring_up(connection)
            last = connection.execute("SELECT max(seq) FROM ledger").fetchone()[0]
        except BaseException:
            connection.close()
            raise
        self._next_seq = 0 if last is None else last + 1
        self._made = True
        return connection

    @contextmanager
    def transaction(self, before: str = "S5", after: str = "S6") -> Iterator[sqlite3.Connection]:
        """All or nothing, durable when it ends. Raises sqlite3.Error, after which nothing of it stands. before, after: the steps that
        it is, for tests that end or fail there.
        """
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE")
        seq = self._next_seq
        try:
            yield connection
            self._flushing.step(before)
            connection.execute("COMMIT")
        except BaseException:
            self._next_seq = seq
            self._roll_back(connection)
            raise
        self._flushing.step(after)

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            self.drop_connection()

    def drop_connection(self) -> None:
        """After an error nothing of this connection is believed: the next use opens the file anew and reads its log."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error as error:
                _log.warning("the index did not close", error=str(error))

    def append(self, kind: str, body: Mapping[str, object]) -> int:
        """One entry of the ledger, within the open transaction. Returns its number.

        Raises UsageError where it is longer than a bundle can hold: who writes long ones splits them.
        """
        seq = self._next_seq
        entry = entry_bytes(seq, self._clock.wall_us(), self.boot, kind, whole_numbers(body))
        if len(entry) > MAX_ENTRY_BYTES:
            raise EntryTooLongError(
                f"the entry {kind} is {len(entry)} bytes long", why=f"at most {MAX_ENTRY_BYTES} can be published",
                remedy="say it shorter, or in several entries",
            )  # fmt: skip
        self.connection.execute(
            "INSERT INTO ledger (seq, leaf, entry) VALUES (?, ?, ?)", (seq, leaf_hash(entry), entry)
        )
        self._next_seq += 1
        return seq

    def take_over(self, entries: Sequence[bytes]) -> None:
        """Entries that were written before, and come back from the published files; within the open transaction, in order."""
        first = self._next_seq
        self.connection.executemany(
            "INSERT INTO ledger (seq, leaf, entry) VALUES (?, ?, ?)",
            ((seq, leaf_hash(entry), entry) for seq, entry in enumerate(entries, first)),
        )
        self._next_seq = first + len(entries)

    def wall_us(self) -> int:
        """What the host's clock says."""
        return self._clock.wall_us()

    def close(self) -> None:
        """Fold the log into the file and let go. A reader that is still there holds up neither."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):  # the log is as durable as the file
                self._connection.execute("PRAGMA busy_timeout = 200")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()
            self._connection = None


def whole_numbers(body: Mapping[str, object]) -> dict[str, object]:
    """The ledger knows no floating point: a fraction is told as text."""

    def plain(value: object) -> object:
        if isinstance(value, float):
            return repr(value)
        if isinstance(value, Mapping):
            return {str(key): plain(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(item) for item in value]
        return value

    return {str(key): plain(value) for key, value in body.items()}


class Reserve:
    """64 MiB on the index volume, given up when it is full, so that the last words still find room.

    Owner: the index thread. Not larger than a quarter of what is free, so a small disk has a smaller one. owed_bytes: what
    was given up; media may not have it, and a full volume takes media again only where it fits beside that. It outlives the process as the
    length of the file, which then has no blocks: else each start on a full disk would leave a quarter of the room that the one before had left.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_held = False
        self.owed_bytes = 0
        with contextlib.suppress(OSError):
            there = path.stat()
            if there.st_blocks * 512 < there.st_size:
                self.owed_bytes = there.st_size

    def hold(self) -> bool:
        """Take the space, where there is plenty. True where it is held."""
        try:
            stat = os.statvfs(self._path.parent)
            held = 0 if self.owed_bytes else self._length()
            free = stat.f_bavail * stat.f_frsize
            wanted = self.owed_bytes or min(RESERVE_BYTES, (free + held) // 4)
            if held >= wanted > 0:
                self._is_held = True
                return True
            if wanted < _LEAST_RESERVE_BYTES or free < (wanted - held) * 5 // 4:
                return False
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                os.posix_fallocate(descriptor, 0, wanted)
            finally:
                os.close(descriptor)
            self.owed_bytes, self._is_held = 0, True
        except OSError as error:
            _log.warning("no space could be held for last words", path=str(self._path), error=str(error))
            return False
        return True

    def release(self) -> bool:
        """Give the space up. False where none was held."""
        try:
            held = self._length()
            if held == 0 or (self.owed_bytes and not self._is_held):
                return False
            os.truncate(self._path, 0)
            self.owed_bytes, self._is_held = max(self.owed_bytes, held), False
            with contextlib.suppress(OSError):
                os.truncate(self._path, self.owed_bytes)  # its length alone: that takes no room
        except OSError as error:
            _log.error("the reserve could not be given up", path=str(self._path), error=str(error))
            return False
        return True

    def _length(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0
