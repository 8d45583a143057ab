"""The published log for whoever asks over the network: the newest checkpoint, the key, tiles and bundles. Only reads.

A request's path is parsed into numbers, and a path is made of those: nothing of what was asked reaches the file system. No
recorder and no index is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from longwatch.archive.log_files import FoundHead, log_folder, log_numbers, read_head, read_tile
from longwatch.ledger.checkpoint import public_pem
from longwatch.ledger.tiles import ENTRIES, WIDTH, Tile, TileError, bundle, parse_bundle

_PATH = re.compile(r"(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
_HASH_BYTES = 32


def tile_at(path: str) -> Tile | None:
    """The tile that a path after `tile/` names (c2sp.org/tlog-tiles); None where it names none."""
    match = _PATH.fullmatch(path) if len(path) <= 80 else None
    if match is None:
        return None
    width = int(match[3]) if match[3] else WIDTH
    if match[3] and width >= WIDTH:
        return None
    index = int(match[2].replace("x", "").replace("/", ""))
    tile = Tile(ENTRIES if match[1] == "entries" else int(match[1]), index, width)
    try:
        return tile if tile.path == f"tile/{path}" else None  # one number is written in one way
    except TileError:
        return None


class PublishedLog:
    """volumes: as for `Archive.open`; one that is away is passed over. Calls block."""

    def __init__(self, volumes: Sequence[Path]) -> None:
        self._volumes = tuple(volumes)

    def head(self) -> FoundHead | None:
        """The newest checkpoint whose signature holds by the key beside it: of the highest log, the largest over all volumes."""
        best: FoundHead | None = None
        for volume in self._volumes:
            found = _first(volume)
            if found is not None and (best is None or _rank(found) > _rank(best)):
                best = found
        return best

    def checkpoint(self) -> str | None:
        """As signed. None where nothing is published."""
        found = self.head()
        return None if found is None else found.text

    def key(self) -> str | None:
        """The public key as PEM."""
        found = self.head()
        return None if found is None else public_pem(found.key)

    def tile(self, tile: Tile) -> bytes | None:
        """Of the current log. Of a partial one that made way for a wider one, the part that was asked for."""
        found = self.head()
        if found is None:
            return None
        for volume in self._volumes:
            for wide in _as_wide(tile):
                try:
                    data = read_tile(log_folder(volume, found.number), wide)
                except OSError:
                    continue
                part = _part(data, tile)
                if part is not None:
                    return part
        return None


def _first(volume: Path) -> FoundHead | None:
    try:
        for number in log_numbers(volume):
            found = read_head(log_folder(volume, number))
            if found is not None:
                return found
    except OSError:
        return None
    return None


def _rank(found: FoundHead) -> tuple[int, int]:
    return found.number, found.checkpoint.size


def _as_wide(tile: Tile) -> Iterator[Tile]:
    """The tile itself, then the whole one, then wider parts."""
    yield tile
    for width in range(WIDTH, tile.width, -1):
        yield Tile(tile.level, tile.index, width)


def _part(data: bytes, tile: Tile) -> bytes | None:
    """The first `tile.width` of it; None where there are fewer, or it is damaged."""
    if tile.level != ENTRIES:
        size = tile.width * _HASH_BYTES
        return data[:size] if len(data) >= size else None
    try:
        entries = parse_bundle(data)
    except ValueError:
        return None
    return bundle(entries[: tile.width]) if len(entries) >= tile.width else None
