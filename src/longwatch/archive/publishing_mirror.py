"""The ledger's files on one volume, kept up with the log: tiles and bundles first, flushed, and then the checkpoint.

Steps P3 to P8 of docs/design/publishing.md. What a mirror has is told by its checkpoint: `size`. Bringing it further costs as much as
what it lacks, whether that is a second or a month; its memory is one hash a level and the tiles at the right edge. Owner of the
state and of the files: the mirror's own thread, so that a disk that hangs holds its own mirror and nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from longwatch.archive.flushing import Flushing
from longwatch.archive.log_files import CHECKPOINT, KEY, log_folder, read_head, read_tile, tile_reader
from longwatch.archive.reader import connect_to_read
from longwatch.archive.signed_log import SignedLog
from longwatch.archive.volumes import read_identity
from longwatch.base.errors import LongwatchError
from longwatch.ledger import proofs
from longwatch.ledger.checkpoint import public_pem
from longwatch.ledger.tiles import (
    ENTRIES,
    HEIGHT,
    WIDTH,
    Frontier,
    Tile,
    TileError,
    bundle,
    edge,
    parse_bundle,
    superseded,
    tiles_of,
)

STRETCH = 1 << 2 * HEIGHT  # entries brought over in one piece: whole tiles of the two lowest levels
_ROOM_BYTES = 1 << 20


_CACHE_KIB = 256


class EntryLostError(Exception):
    """The index does not hold the entries that the log has."""


class Leaves:
    """The ledger's rows, read on a connection of this thread. Owner: the thread that made it."""

    def __init__(self, index: Path) -> None:
        self._path = index
        self._connection: sqlite3.Connection | None = None

    def _reading(self) -> sqlite3.Connection:
        """The open connection. It reads each row about once: a large page cache, and there is one for each volume, would only fill."""
        if self._connection is None:
            self._connection = connect_to_read(self._path)
            self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        return self._connection

    def _rows(self, column: str, low: int, high: int) -> list[bytes]:
        try:
            connection = self._reading()
            query = f"SELECT {column} FROM ledger WHERE seq >= ? AND seq < ? ORDER BY seq"  # noqa: S608  # a name of ours
            rows = [row[0] for row in connection.execute(query, (low, high))]
        except sqlite3.Error:
            self.close()
            raise
        if len(rows) != high - low:
            raise EntryLostError(f"the index has {len(rows)} of the entries {low} to {high - 1}")
        return rows

    def leaves(self, low: int, high: int) -> Iterator[bytes]:
        """The leaf hashes of [low, high). Raises sqlite3.Error, EntryLostError."""
        for first in range(low, high, 4096):
            yield from self._rows("leaf", first, min(high, first + 4096))

    def entries(self, low: int, high: int) -> list[bytes]:
        """The entries of [low, high). Raises sqlite3.Error, EntryLostError."""
        return self._rows("entry", low, high)

    def size(self) -> int:
        """How many entries are committed. Raises sqlite3.Error."""
        try:
            row = self._reading().execute("SELECT max(seq) FROM ledger").fetchone()
        except sqlite3.Error:
            self.close()
            raise
        return 0 if row[0] is None else int(row[0]) + 1

    def close(self) -> None:
        """The next use opens the file anew."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


@dataclass(frozen=True, slots=True)
class Proven:
    """One entry, and the way from its leaf to a signed head."""

    entry: bytes
    path: tuple[bytes, ...]
    checkpoint: str


class Mirror:
    """One volume's. Every method is called on the mirror's thread. size: of the checkpoint that is durable there; 0 before one is.

    rewritten: how often the files were found not to be what was published, and are written anew.
    """

    def __init__(self, volume: Path, volume_id: str, index: Path, flushing: Flushing) -> None:
        self.volume = volume
        self.size = 0
        self.rewritten = 0
        self._volume_id = volume_id
        self._flushing = flushing
        self._leaves = Leaves(index)
        self._folder = volume
        self._number = 0
        self._pem = ""
        self._frontier = Frontier()  # as of `size`
        self._reached = Frontier()  # tiles and bundles are durable up to its size
        self._descriptor = -1
        self._failed = False

    def open(self, log: SignedLog) -> Frontier:
        """See what is there of the current log; the right edge of it. Anything that does not hold is written anew. Raises OSError."""
        if self._descriptor < 0:
            self._descriptor = os.open(self.volume, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._folder = log_folder(self.volume, log.number)
        frontier = self._as_published(log)
        self.rewritten += frontier is None and (self._folder / CHECKPOINT).exists()
        self._number = log.number
        self._pem = public_pem(log.key)
        self._frontier = frontier or Frontier()
        self._reached = self._frontier.copy()
        self.size = self._frontier.size
        if frontier is not None:
            self._clear_edge()
        return self._frontier.copy()

    def _as_published(self, log: SignedLog) -> Frontier | None:
        try:
            found = read_head(self._folder, log.key)
        except OSError:  # a bad sector under the old checkpoint: it is written anew, which says whether the disk still takes anything
            return None
        if found is None or found.checkpoint.origin != log.origin or found.checkpoint.size > log.size:
            return None
        size = found.checkpoint.size
        if size == log.size and found.checkpoint.root != log.root:
            return None
        try:
            frontier = Frontier.load(size, tile_reader(self._folder))
            last = [tile for tile in edge(size) if tile.level == ENTRIES] or [Tile(ENTRIES, (size >> HEIGHT) - 1)]
            whole = size == 0 or len(parse_bundle(read_tile(self._folder, last[0]))) == last[0].width
        except (TileError, OSError):
            return None
        return frontier if whole and frontier.root() == found.checkpoint.root else None

    def advance(self, log: SignedLog, reserved_bytes: int = 0) -> bool:
        """Bring the files towards the signed head `log`, one stretch of it. True once they are there.

        reserved_bytes: what must stay free on this disk. Raises OSError, sqlite3.Error, EntryLostError; then nothing that was durable is
        less so, and what was tried is written afresh the next time.
        """
        if self._number != log.number or self._descriptor < 0:
            self.open(log)
        if self.size >= log.size:
            return True
        self._admit(reserved_bytes)
        try:
            done = self._stretch(log)
        except BaseException:
            self._failed = True
            self._reached = self._frontier.copy()
            raise
        self._failed = False
        return done

    def _admit(self, reserved_bytes: int) -> None:
        """Whether this is still the disk that it was, and may be written. Raises OSError."""
        try:
            identity = read_identity(self.volume)
        except LongwatchError as error:
            raise OSError(errno.EIO, str(error)) from error
        if identity is None or identity.volume_id != self._volume_id:
            raise OSError(errno.ENODEV, "another disk is mounted here, or none")
        if reserved_bytes:
            stat = os.statvfs(self.volume)
            if stat.f_bavail * stat.f_frsize < reserved_bytes + _ROOM_BYTES:
                raise OSError(errno.ENOSPC, "what is free is kept for the recorder's last words")
        if self._failed:
            self._flushing.probe(self.volume)  # a disk that failed is judged by what can be read back

    def _stretch(self, log: SignedLog) -> bool:
        low = self._reached.size
        high = min(log.size, (low // STRETCH + 1) * STRETCH)
        reached = self._reached.copy()
        written = self._write(low, high, reached)
        self._flushing.step("P3")
        self._flushing.flush_log(self._descriptor, self.volume, written)
        self._flushing.step("P4")
        if high < log.size:
            self._remove(superseded(low, high))
            self._reached = reached
            return False
        if reached.root() != log.root:
            return self._differs(log)
        self._flushing.replace(self._folder / CHECKPOINT, log.text.encode())
        self._flushing.step("P7")
        before, self.size = self.size, log.size
        self._frontier, self._reached = reached, reached.copy()
        self._remove(superseded(before, self.size) + superseded(low, self.size))
        if before == 0:  # there was no head by which `open` could tell what an end between P3 and P7 left
            self._clear_edge()
        self._flushing.step("P8")
        return True

    def _differs(self, log: SignedLog) -> bool:
        """What was published and what the index holds do not make the root that was signed. Once more from the first entry on: then
        it is not the files that are wrong.
        """
        if self._frontier.size == 0:
            raise EntryLostError(f"the index's first {log.size} entries are not those that were signed")
        self.rewritten += 1
        self.begin_again()
        return False

    def _write(self, low: int, high: int, frontier: Frontier) -> list[Path]:
        """The files that a log of `high` entries has and one of `low` has not; not flushed yet."""
        written = [self._put(KEY, self._pem.encode())] if low == 0 else []
        tiles = frontier.extend(self._leaves.leaves(low, high))
        for tile in tiles_of(low, high):
            content = tiles.get(tile)
            if content is None:
                first = tile.index * WIDTH
                content = bundle(self._leaves.entries(first, first + tile.width))
            written.append(self._put(tile.path, content))
        return written

    def _put(self, name: str, content: bytes) -> Path:
        """A file that is there already is left, unless a flush of it may have failed."""
        path = self._folder / name
        if self._failed or not _holds(path, content):
            self._flushing.put(path, content)
        return path

    def _remove(self, tiles: Iterable[Tile]) -> None:
        """Files that wider ones stand for. That one stays is no error."""
        for tile in tiles:
            path = self._folder / tile.path
            with contextlib.suppress(OSError):
                path.unlink()
                path.parent.rmdir()

    def _clear_edge(self) -> None:
        """What a process that ended between two steps left at the right edge: partial files of other widths."""
        size, level = self.size, 0
        while size:
            for kind in (level, ENTRIES) if level == 0 else (level,):
                for index, keep in (((size >> HEIGHT) - 1, 0), (size >> HEIGHT, size % WIDTH)):
                    if index >= 0:
                        self._clear(self._folder / f"{Tile(kind, index).path}.p", keep)
            size, level = size >> HEIGHT, level + 1

    def _clear(self, folder: Path, keep: int) -> None:
        with contextlib.suppress(OSError):
            for path in list(folder.iterdir()):
                if path.name != str(keep):
                    path.unlink()
            if not keep:
                folder.rmdir()

    def begin_again(self) -> None:
        """Every file is compared with what it should be, and written anew where it differs, by the next `advance`."""
        self.size = 0
        self._frontier, self._reached = Frontier(), Frontier()

    def prove(self, seq: int) -> Proven:
        """Entry `seq`, which the mirror has. Raises OSError, sqlite3.Error, and ValueError where its files are damaged."""
        folder = self._folder
        text = (folder / CHECKPOINT).read_text(encoding="utf-8")
        subtree = proofs.from_tiles(self.size, tile_reader(folder))
        return Proven(self._leaves.entries(seq, seq + 1)[0], tuple(proofs.inclusion(seq, self.size, subtree)), text)

    def close(self) -> None:
        """Let go of the disk."""
        self._leaves.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False
