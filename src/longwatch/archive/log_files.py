"""The ledger as files on one volume: where they lie, and reading them. Writing is `publishing_mirror`'s alone.

    ledger/NUMBER/checkpoint            the newest head, as a signed note
    ledger/NUMBER/tile/...              tiles and bundles of entries (ledger/tiles.py)
    ledger/NUMBER/key.pem               the public key
    ledger/NUMBER/stamps/               time stamps of checkpoints

The highest number is the current log. What is read here is judged by who reads it: any of it may be damaged or made up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from longwatch.ledger.checkpoint import (
    MAX_NOTE_BYTES,
    Checkpoint,
    CheckpointError,
    KeyTextError,
    open_note,
    parse_public_key,
    parse_unverified,
)
from longwatch.ledger.tiles import MAX_ENTRY_BYTES, WIDTH, Tile

LEDGER = "ledger"
CHECKPOINT = "checkpoint"
KEY = "key.pem"
STAMPS = "stamps"
_LARGEST_FILE = WIDTH * (2 + MAX_ENTRY_BYTES)


def log_folder(volume: Path, number: int) -> Path:
    """The folder of a log on a volume."""
    return volume / LEDGER / str(number)


def log_numbers(volume: Path) -> list[int]:
    """The logs that a volume has folders of, the newest first. Raises OSError where it cannot be read."""
    try:
        names = [entry.name for entry in (volume / LEDGER).iterdir() if entry.is_dir()]
    except FileNotFoundError:
        return []
    return sorted((int(name) for name in names if name.isascii() and name.isdigit() and name[0] != "0"), reverse=True)


def read_tile(folder: Path, tile: Tile) -> bytes:
    """A tile or bundle of a log; where only a wider one is left, the part of it that is asked for (tiles alone). Raises OSError."""
    with (folder / tile.path).open("rb") as file:
        return file.read(_LARGEST_FILE)


def tile_reader(folder: Path) -> Callable[[Tile], bytes]:
    """`read_tile` of one folder, for ledger.tiles and ledger.proofs."""
    return lambda tile: read_tile(folder, tile)


@dataclass(frozen=True, slots=True)
class FoundHead:
    """A checkpoint as it lies on a volume. signed: by the key it was held against."""

    folder: Path
    number: int
    checkpoint: Checkpoint
    text: str
    key: bytes


def read_head(folder: Path, key: bytes | None = None) -> FoundHead | None:
    """The newest checkpoint of a log's folder, once its signature holds: by `key`, else by the public key that lies beside it. None
    where there is none that holds. Raises OSError where the disk does not answer.
    """
    try:
        text = _read_text(folder / CHECKPOINT)
        public = key or parse_public_key(_read_text(folder / KEY))
        return FoundHead(folder, int(folder.name), open_note(text, public), text, public)
    except (FileNotFoundError, NotADirectoryError, CheckpointError, KeyTextError, UnicodeDecodeError):
        return None


def claimed_head(folder: Path) -> Checkpoint | None:
    """What a checkpoint says, whoever signed it; None where it is none."""
    try:
        return parse_unverified(_read_text(folder / CHECKPOINT))[0]
    except (OSError, CheckpointError, UnicodeDecodeError):
        return None


def _read_text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MAX_NOTE_BYTES + 1).decode("utf-8")


def heads(volume: Path, key: bytes | None) -> Iterator[FoundHead]:
    """The heads that hold on a volume, of its newest log first."""
    for number in log_numbers(volume):
        folder = log_folder(volume, number)
        found = read_head(folder, key) or (read_head(folder) if key is not None else None)
        if found is not None:
            yield found
