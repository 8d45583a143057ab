"""Entries come back from the published bundles: all of them where the index is lost, the tail where it is older than its files.

Each bundle is taken from the first volume whose copy is what the tiles say, and all of them together must make the root that was
signed. Nothing is believed for being there. Owner: the index thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from longwatch.archive.index import Index
from longwatch.archive.log_files import FoundHead
from longwatch.ledger import kinds, leaf_hash
from longwatch.ledger.entries import EntryError, parse_entry
from longwatch.ledger.tiles import ENTRIES, HASH_BYTES, WIDTH, Frontier, Tile, TileError, parse_bundle, tile_of

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Restored:
    """after_size: what the index had. entries: what it took. problem: why what was signed cannot be kept all the same, "" where it
    can.
    """

    after_size: int
    entries: int
    index_lost: bool
    problem: str = ""


def take_tail(index: Index, newest: FoundHead, folders: Sequence[Path], *, index_lost: bool) -> Restored:
    """Bring the index up to the published head, in the open transaction, with a `ledger_restored` entry where it took anything.

    An index whose entries are not those that were published stays as it is.
    """
    head = newest.checkpoint
    size = index.next_seq
    frontier = Frontier()
    frontier.extend(_leaves(index, min(size, head.size)))
    if size >= head.size:
        problem = "" if frontier.root() == head.root else "the index differs from what was published"
        return Restored(size, 0, index_lost, problem)
    entries = []
    for entry in _entries(folders, size, head.size):
        entries.append(entry)
        frontier.append(leaf_hash(entry))
    problem = ""
    if frontier.size < head.size:
        problem = f"the published entries from {frontier.size} to {head.size - 1} cannot be read"
    elif frontier.root() != head.root:
        problem = "the published entries are not those that were signed"
    if problem and size:  # it cannot be told which of the two is wrong: what the index has is kept
        return Restored(size, 0, index_lost, problem)
    index.take_over(entries)
    _log.warning("the ledger is restored from its files", entries=len(entries), after=size, problem=problem)
    index.append(kinds.LEDGER_RESTORED, {"entries": len(entries), "after_size": size, "index_lost": index_lost})
    return Restored(size, len(entries), index_lost, problem)


def _leaves(index: Index, size: int) -> Iterator[bytes]:
    rows = index.connection.execute("SELECT leaf FROM ledger WHERE seq < ? ORDER BY seq", (size,))
    for (leaf,) in rows:
        yield leaf


def _entries(folders: Sequence[Path], low: int, high: int) -> Iterator[bytes]:
    """The entries [low, high) as far as they can be read, in order, without a hole."""
    for number in range(low // WIDTH, -(-high // WIDTH)):
        wanted = tile_of(ENTRIES, number, high)
        found = _bundle(folders, wanted)
        if found is None:
            return
        yield from found[max(0, low - number * WIDTH) :]


def _bundle(folders: Sequence[Path], wanted: Tile) -> list[bytes] | None:
    """One bundle, from the first folder whose copy has the leaf hashes that a tile says; else, where no tile can be read, the first
    that reads as entries of these numbers.
    """
    tiles = [hashes for folder in folders if (hashes := _hashes(folder, wanted)) is not None]
    copies = [entries for folder in folders if (entries := _copy(folder, wanted)) is not None]
    for entries in copies:
        if [leaf_hash(entry) for entry in entries] in tiles:
            return entries
    return copies[0] if copies and not tiles else None


def _widths(folder: Path, tile: Tile) -> Iterator[bytes]:
    """The file, and those of the same tile that are wider."""
    for width in (tile.width, WIDTH) if tile.width < WIDTH else (WIDTH,):
        try:
            yield (folder / Tile(tile.level, tile.index, width).path).read_bytes()
        except OSError:
            continue


def _hashes(folder: Path, bundle: Tile) -> list[bytes] | None:
    for data in _widths(folder, Tile(0, bundle.index, bundle.width)):
        size = bundle.width * HASH_BYTES
        if len(data) >= size:
            return [data[at : at + HASH_BYTES] for at in range(0, size, HASH_BYTES)]
    return None


def _copy(folder: Path, wanted: Tile) -> list[bytes] | None:
    for data in _widths(folder, wanted):
        try:
            entries = parse_bundle(data)[: wanted.width]
            numbers = [parse_entry(entry).seq for entry in entries]
        except (TileError, EntryError):
            continue
        first = wanted.index * WIDTH
        if numbers == list(range(first, first + wanted.width)):
            return entries
    return None
