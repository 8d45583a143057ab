"""The ledger's files on each volume against the index: part of `check --ledger`. Reads only; while the recorder publishes, too."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from longwatch.archive.log_files import CHECKPOINT, KEY, log_folder, read_head, read_tile
from longwatch.archive.signed_log import SignedLog, read_log
from longwatch.ledger.checkpoint import KeyTextError, parse_public_key
from longwatch.ledger.tiles import ENTRIES, WIDTH, Frontier, Tile, bundle, tiles_of

_STRETCH = 1 << 16
_TRIES = 5  # a head may be exchanged, and its parts removed, while they are read
Wrong = tuple[str, str]


def check_published(db: sqlite3.Connection, volumes: Mapping[int, Path]) -> Iterator[Wrong]:
    """Each file that is not what the index says, and how. Raises sqlite3.Error."""
    log = read_log(db)
    if log is None or not log.size:
        return
    for volume in volumes.values():
        yield from _volume(db, log_folder(volume, log.number), log)


def _volume(db: sqlite3.Connection, folder: Path, log: SignedLog) -> Iterator[Wrong]:
    always: set[Wrong] | None = None
    for _ in range(_TRIES):
        found = read_head(folder, log.key)
        if found is None:
            wrong = {(str(folder / CHECKPOINT), "is not a checkpoint that the ledger's key signed")}
        else:
            wrong = set(_files(db, folder, found.checkpoint.size, found.checkpoint.root))
        always = wrong if always is None else always & wrong
        again = read_head(folder, log.key)
        if not always or (again is not None and found is not None and again.checkpoint == found.checkpoint):
            break
    yield from sorted(always or ())
    if always == set() or found is not None:
        yield from _key(folder, log)


def _key(folder: Path, log: SignedLog) -> Iterator[Wrong]:
    try:
        same = parse_public_key((folder / KEY).read_text(encoding="utf-8")) == log.key
    except (OSError, KeyTextError, UnicodeDecodeError):
        same = False
    if not same:
        yield str(folder / KEY), "is not the ledger's public key"


def _files(db: sqlite3.Connection, folder: Path, size: int, signed_root: bytes) -> Iterator[Wrong]:
    frontier = Frontier()
    for low in range(0, size, _STRETCH):
        high = min(size, low + _STRETCH)
        tiles = frontier.extend(row[0] for row in _rows(db, "leaf", low, high))
        for tile in tiles_of(low, high):
            if high < size and tile.width < WIDTH:
                continue  # a wider one follows
            content = tiles.get(tile)
            if content is None:
                leaves = tile.leaves
                content = bundle(row[0] for row in _rows(db, "entry", leaves.start, leaves.stop))
            yield from _compare(folder, tile, content)
    if frontier.root() != signed_root:
        yield str(folder / CHECKPOINT), f"its root of {size} entries is not that of the index"


def _rows(db: sqlite3.Connection, column: str, low: int, high: int) -> sqlite3.Cursor:
    return db.execute(f"SELECT {column} FROM ledger WHERE seq >= ? AND seq < ? ORDER BY seq", (low, high))  # noqa: S608  # a name of ours


def _compare(folder: Path, tile: Tile, content: bytes) -> Iterator[Wrong]:
    kind = "bundle" if tile.level == ENTRIES else "tile"
    try:
        if read_tile(folder, tile) != content:
            yield str(folder / tile.path), f"this {kind} is not what the index says"
    except OSError as error:
        yield str(folder / tile.path), f"this {kind} cannot be read: {error.strerror}"
