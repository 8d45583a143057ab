"""Files of a log, as C2SP tlog-tiles lays them out: tiles of 256 hashes, bundles of 256 entries, paths for both.

A `Frontier` holds what a growing log needs of its tree: one hash a level and the tiles at its right edge, so that a root and the
tiles of a new size cost as much as the new leaves, whatever the size of the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from longwatch.ledger.tree import EMPTY_ROOT, node_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
HASH_BYTES = 32
MAX_ENTRY_BYTES = (1 << 16) - 1
ENTRIES = -1  # the "level" of entry bundles
_LARGEST = 1 << 53


class TileError(ValueError):
    """Bytes that are no tile or no bundle, or a path that names none."""


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """One file. level: ENTRIES for a bundle of entries. index: from 0. width: 1 to 256; below 256 it is partial."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Its path below the folder of the log."""
        if not 1 <= self.width <= WIDTH or not 0 <= self.index < _LARGEST or not ENTRIES <= self.level < 64:
            raise TileError(f"there is no such tile: {self}")
        level = "entries" if self.level == ENTRIES else str(self.level)
        partial = f".p/{self.width}" if self.width < WIDTH else ""
        return f"tile/{level}/{_number(self.index)}{partial}"

    @property
    def leaves(self) -> range:
        """Numbers of the entries it stands for."""
        each = 1 << HEIGHT * max(0, self.level)
        first = self.index * WIDTH * each
        return range(first, first + self.width * each)


def _number(index: int) -> str:
    """Three digits a part, an `x` before all but the last: 1234067 is x001/x234/067."""
    parts = [f"{index % 1000:03d}"]
    while index := index // 1000:
        parts.append(f"x{index % 1000:03d}")
    return "/".join(reversed(parts))


def tile_path(level: int, index: int, width: int = WIDTH) -> str:
    """Path of a tile below the folder of the log. Raises TileError."""
    return Tile(level, index, width).path


def entries_path(index: int, width: int = WIDTH) -> str:
    """Path of a bundle of entries below the folder of the log. Raises TileError."""
    return Tile(ENTRIES, index, width).path


def tiles_of(size_before: int, size_after: int) -> list[Tile]:
    """Bundles and tiles that a log of `size_after` entries has and one of `size_before` has not: bundles first, then levels
    upwards. From 0 it is every file of the log.
    """
    if not 0 <= size_before <= size_after:
        raise TileError(f"a log does not go from {size_before} to {size_after} entries")
    found = list(_of_level(ENTRIES, size_before, size_after))
    level = 0
    while size_after:
        found += _of_level(level, size_before, size_after)
        size_before, size_after, level = size_before >> HEIGHT, size_after >> HEIGHT, level + 1
    return found


def _of_level(level: int, before: int, after: int) -> Iterator[Tile]:
    if before < after:
        for index in range(before >> HEIGHT, (after + WIDTH - 1) >> HEIGHT):
            yield Tile(level, index, min(WIDTH, after - index * WIDTH))


def tile_of(level: int, index: int, size: int) -> Tile:
    """The tile number `index` of a level, as wide as it is in a log of `size` entries. Raises TileError where it has none."""
    width = min(WIDTH, (size >> HEIGHT * max(0, level)) - index * WIDTH)
    if width < 1:
        raise TileError(f"a log of {size} entries has no tile {index} of level {level}")
    return Tile(level, index, width)


def edge(size: int) -> list[Tile]:
    """The partial tiles and the partial bundle of a log of `size` entries: at most one a level. The bundle is first."""
    found, level = [Tile(ENTRIES, size >> HEIGHT, size % WIDTH)], 0
    while size:
        found.append(Tile(level, size >> HEIGHT, size % WIDTH))
        size, level = size >> HEIGHT, level + 1
    return [tile for tile in found if tile.width]


def superseded(size_before: int, size_after: int) -> list[Tile]:
    """Partial files of the smaller size that a wider file of the larger one holds too: they may go once that is durable."""
    kept = set(edge(size_after))
    return [tile for tile in edge(size_before) if tile not in kept]


def bundle(entries: Iterable[bytes]) -> bytes:
    """An entry bundle: each entry after its length in 16 bits. Raises TileError where one is too long or there are too many."""
    out, count = bytearray(), 0
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise TileError(f"an entry of {len(entry)} bytes; at most {MAX_ENTRY_BYTES} can be published")
        out += len(entry).to_bytes(2, "big") + entry
        count += 1
    if not 1 <= count <= WIDTH:
        raise TileError(f"a bundle of {count} entries")
    return bytes(out)


def parse_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle, 1 to 256. Raises TileError."""
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data) or at + 2 > len(data):
            raise TileError(f"a bundle ends within its entry {len(entries)}")
        entries.append(data[at + 2 : end])
        if len(entries) > WIDTH:
            raise TileError(f"a bundle of more than {WIDTH} entries")
        at = end
    if not entries:
        raise TileError("an empty bundle")
    return entries


def parse_tile(data: bytes) -> list[bytes]:
    """The hashes of a tile, 1 to 256. Raises TileError."""
    if not 0 < len(data) <= WIDTH * HASH_BYTES or len(data) % HASH_BYTES:
        raise TileError(f"{len(data)} bytes are no tile")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


class Frontier:
    """The right edge of a growing log: its size, its root, and the tiles that are being filled. Owner: whoever made it."""

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[tuple[int, bytes]] = []  # height and hash of perfect subtrees, the largest first
        self._open: list[list[bytes]] = [[]]  # of each level, the hashes of the tile that is being filled

    @classmethod
    def load(cls, size: int, read: Callable[[Tile], bytes]) -> Frontier:
        """That of a log of `size` entries, from its partial tiles: at most one a level is read. The caller holds `root()` against
        the checkpoint. Raises TileError, and what `read` raises.
        """
        made = cls()
        made.size = size
        for tile in reversed([tile for tile in edge(size) if tile.level != ENTRIES]):
            hashes = parse_tile(read(tile))
            if len(hashes) != tile.width:
                raise TileError(f"{tile.path} holds {len(hashes)} hashes")
            made._open += [[] for _ in range(tile.level + 1 - len(made._open))]
            made._open[tile.level] = hashes
            made._subtrees += _perfect(hashes, tile.level * HEIGHT)
        return made

    def copy(self) -> Frontier:
        """Another one, alike: to be thrown away where what it says could not be made durable."""
        other = Frontier()
        other.size = self.size
        other._subtrees = list(self._subtrees)
        other._open = [list(level) for level in self._open]
        return other

    def append(self, leaf: bytes) -> list[tuple[Tile, bytes]]:
        """Add one leaf hash. Gives the tiles that it filled."""
        height, digest, filled = 0, leaf, self._note(0, leaf)
        while self._subtrees and self._subtrees[-1][0] == height:
            digest = node_hash(self._subtrees.pop()[1], digest)
            height += 1
            if height % HEIGHT == 0:
                filled += self._note(height // HEIGHT, digest)
        self._subtrees.append((height, digest))
        self.size += 1
        return filled

    def _note(self, level: int, digest: bytes) -> list[tuple[Tile, bytes]]:
        if level == len(self._open):
            self._open.append([])
        hashes = self._open[level]
        hashes.append(digest)
        if len(hashes) < WIDTH:
            return []
        self._open[level] = []
        return [(Tile(level, self.size >> HEIGHT * (level + 1)), b"".join(hashes))]

    def extend(self, leaves: Iterable[bytes]) -> dict[Tile, bytes]:
        """Add leaf hashes. Gives every tile of `tiles_of(size before, size after)` but the bundles, with its bytes."""
        before = self.size
        changed: dict[Tile, bytes] = {}
        for leaf in leaves:
            changed.update(self.append(leaf))
        for level, hashes in enumerate(self._open):
            if hashes and self.size >> HEIGHT * level != before >> HEIGHT * level:
                changed[Tile(level, self.size >> HEIGHT * (level + 1), len(hashes))] = b"".join(hashes)
        return changed

    def root(self) -> bytes:
        """The root at this size: one hash a level."""
        if not self._subtrees:
            return EMPTY_ROOT
        digest = self._subtrees[-1][1]
        for _, left in reversed(self._subtrees[:-1]):
            digest = node_hash(left, digest)
        return digest


def _perfect(hashes: Sequence[bytes], height: int) -> Iterator[tuple[int, bytes]]:
    """Hashes of subtrees of one height, as the fewest perfect subtrees."""
    stack: list[tuple[int, bytes]] = []
    for digest in hashes:
        level, joined = height, digest
        while stack and stack[-1][0] == level:
            joined = node_hash(stack.pop()[1], joined)
            level += 1
        stack.append((level, joined))
    return iter(stack)
