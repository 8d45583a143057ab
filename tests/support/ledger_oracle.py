"""What a cut or a kill left of the ledger: nothing that was shown is missing, changed or contradicted, on any volume.

`as_left` looks before anything is opened for writing; `as_recovered` after an archive was opened and closed again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from longwatch.archive import Archive, ArchiveReader
from longwatch.archive.log_files import CHECKPOINT, KEY, LEDGER, log_folder, log_numbers, read_head
from longwatch.archive.log_key import load_key
from longwatch.base.errors import LongwatchError
from longwatch.ledger import leaf_hash, root
from longwatch.ledger.checkpoint import CheckpointError, open_note
from longwatch.ledger.tiles import ENTRIES, Frontier, TileError, bundle, parse_bundle, tiles_of


@dataclass(frozen=True)
class Head:
    """One `head` line of a workload: a checkpoint that was durable on a volume."""

    volume: int
    size: int
    root: str


def committed(volumes: Sequence[Path]) -> list[bytes]:
    """The entries of the index as it is; none where there is none yet."""
    if not (volumes[0] / "index.db").exists():
        return []
    try:
        return _entries(volumes)
    except LongwatchError:  # the cut came before its tables
        return []


def _entries(volumes: Sequence[Path]) -> list[bytes]:
    reader = ArchiveReader(volumes)
    try:
        return [row.entry for row in reader.entries(0, 1 << 40)]
    finally:
        reader.close()


def _signed_size(volume: Path) -> int:
    db = sqlite3.connect(f"file:{volume / 'index.db'}?mode=ro", uri=True)
    try:
        row = db.execute("SELECT signed_size FROM log").fetchone()
    finally:
        db.close()
    return 0 if row is None else int(row[0])


def as_left(volumes: Sequence[Path], heads: Iterable[Head]) -> list[str]:
    """What is wrong. heads: those that were certainly shown."""
    key = load_key(volumes[0])
    if key is None:
        return ["the key is gone"] if any(heads) else []
    entries = _entries(volumes)
    leaves = [leaf_hash(entry) for entry in entries]
    signed = _signed_size(volumes[0])
    wrong = []
    for head in heads:
        if head.size > len(leaves) or root(leaves[: head.size]).hex() != head.root:
            wrong.append(f"the index has {len(leaves)} entries and not the head of {head.size} that was shown")
        if signed < head.size:
            wrong.append(f"the index knows of {signed} signed entries, {head.size} were shown")
        try:
            found = read_head(log_folder(volumes[head.volume], 1), key.public)
        except OSError as error:  # a disk that lied may leave a file that cannot even be read
            wrong.append(f"volume {head.volume} showed {head.size} entries, and its checkpoint cannot be read: {error}")
            continue
        if found is None or found.checkpoint.size < head.size:
            wrong.append(f"volume {head.volume} showed {head.size} entries and has {found and found.checkpoint.size}")
    for volume in volumes:
        wrong += _folder(volume, key.public, leaves, signed)
    return wrong


def _folder(volume: Path, key: bytes, leaves: list[bytes], signed: int) -> list[str]:
    """The files that a checkpoint speaks of are there, whole, and what the index holds."""
    folder = log_folder(volume, 1)
    try:
        head = open_note((folder / CHECKPOINT).read_text(), key)
    except FileNotFoundError:
        return []
    except (OSError, CheckpointError, UnicodeDecodeError) as error:
        return [f"{folder}: the checkpoint does not hold: {error}"]
    wrong = []
    if head.size > signed:
        wrong.append(f"{folder}: a head of {head.size} left before it was noted ({signed})")
    if head.size > len(leaves) or root(leaves[: head.size]) != head.root:
        wrong.append(f"{folder}: the head of {head.size} is not one of the index's {len(leaves)} entries")
    tiles = Frontier().extend(leaves[: head.size])
    for tile in tiles_of(0, head.size):
        try:
            content = (folder / tile.path).read_bytes()
            if tile.level == ENTRIES:
                same = [leaf_hash(e) for e in parse_bundle(content)] == leaves[tile.leaves.start : tile.leaves.stop]
            else:
                same = content == tiles[tile]
        except (OSError, TileError) as error:
            wrong.append(f"{folder}: {tile.path}: {error}")
            continue
        if not same:
            wrong.append(f"{folder}: {tile.path} is not what the head of {head.size} says")
    try:
        (folder / KEY).read_bytes()
    except OSError as error:
        wrong.append(f"{folder}: no public key: {error}")
    return wrong


async def as_recovered(archive: Archive, volumes: Sequence[Path], before: list[bytes]) -> list[str]:
    """The same log goes on: with the entries that were there, published whole on every volume."""
    wrong = []
    if archive.ledger.begun:
        wrong.append(f"another log began: {archive.ledger.begun}")
    await archive.ledger.publish()
    entries = _entries(volumes)
    if entries[: len(before)] != before:
        wrong.append("entries that were committed are changed")
    wrong += [f"{volume}: logs {log_numbers(volume)}" for volume in volumes if log_numbers(volume) not in ([1], [])]
    return wrong


def as_closed(volumes: Sequence[Path]) -> list[str]:
    """After an orderly end every volume has every file, as the index says it, and no partial file but those at the edge."""
    entries = _entries(volumes)
    tiles = Frontier().extend([leaf_hash(entry) for entry in entries])
    wanted = {tile.path: tiles.get(tile) for tile in tiles_of(0, len(entries))}
    wrong = []
    for volume in volumes:
        folder = log_folder(volume, 1)
        for tile in tiles_of(0, len(entries)):
            content = wanted[tile.path] or bundle(entries[tile.leaves.start : tile.leaves.stop])
            path = folder / tile.path
            if not path.exists() or path.read_bytes() != content:
                wrong.append(f"{path} is not what the index says")
        left = {os.fspath(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        strange = left - set(wanted) - {CHECKPOINT, KEY, f"{CHECKPOINT}.new"}
        if strange:
            wrong.append(f"{volume / LEDGER}: {sorted(strange)}")
    return wrong
