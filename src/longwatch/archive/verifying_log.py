"""The log of a data folder as its volumes and its index have it: every copy read, the truth settled, each copy judged. Reads only."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from longwatch.archive.log_files import CHECKPOINT, KEY, STAMPS, log_folder, log_numbers
from longwatch.archive.verifying_rows import IndexLook
from longwatch.ledger import leaf_hash, root
from longwatch.ledger.checkpoint import (
    MAX_NOTE_BYTES,
    Checkpoint,
    CheckpointError,
    KeyTextError,
    fingerprint,
    open_note,
    parse_public_key,
    parse_unverified,
)
from longwatch.ledger.findings import Finding, Kind
from longwatch.ledger.judging_log import NOWHERE, Places, findings, judge_file, judge_rows, judge_tail, whole_bundle
from longwatch.ledger.settling import settle
from longwatch.ledger.tiles import ENTRIES, WIDTH, Frontier, Tile, TileError, edge, parse_bundle, parse_tile, tiles_of

_LARGEST_FILE = WIDTH * (2 + 65_535)
_TILE = re.compile(r"tile/(entries|\d{1,2})/((?:x\d{3}/)*\d{3})(?:\.p/(\d{1,3}))?", re.ASCII)
_INDEX = "index.db"


@dataclass(frozen=True, slots=True)
class Volume:
    """A disk of the folder. label: how it is told to people."""

    uuid: str
    path: Path
    label: str


@dataclass(frozen=True, slots=True)
class Head:
    """A checkpoint as it stands somewhere, whoever signed it."""

    what: str
    number: int
    checkpoint: Checkpoint
    text: str

    def holds(self, key: bytes) -> bool:
        """Whether this key signed it."""
        try:
            open_note(self.text, key)
        except CheckpointError:
            return False
        return True


def read_file(path: Path) -> bytes | None:
    """A file of a log; None where it is not there or cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_FILE + 1)
    except OSError:
        return None


def read_head(path: Path, what: str, number: int) -> Head | None:
    """The checkpoint in a file; None where it holds none."""
    data = read_file(path)
    return None if data is None or len(data) > MAX_NOTE_BYTES else head_of(data, what, number)


def head_of(data: bytes, what: str, number: int) -> Head | None:
    """The checkpoint of these bytes; None where they are none."""
    try:
        text = data.decode()
        return Head(what, number, parse_unverified(text)[0], text)
    except (UnicodeDecodeError, CheckpointError):
        return None


def read_key(path: Path) -> bytes | None:
    """The public key in a file; None where it holds none."""
    data = read_file(path)
    try:
        return None if data is None else parse_public_key(data.decode())
    except (UnicodeDecodeError, KeyTextError):
        return None


def tile_named(path: str) -> Tile | None:
    """The tile that a path below a log's folder names; None where it names none."""
    match = _TILE.fullmatch(path)
    if match is None:
        return None
    level = ENTRIES if match[1] == "entries" else int(match[1])
    number = int(match[2].replace("x", "").replace("/", ""))
    tile = Tile(level, number, int(match[3]) if match[3] else WIDTH)
    try:
        return tile if tile.path == path else None
    except TileError:
        return None


class LogCopies:
    """All copies of one log: of the volumes and of the index. number: of its folder."""

    def __init__(self, volumes: Sequence[Volume], index: IndexLook | None, number: int) -> None:
        self.number = number
        self._volumes = [volume for volume in volumes if number in log_numbers(volume.path)]
        self._index = index
        self._bundles: dict[tuple[str, int], list[bytes]] = {}
        self.rows: dict[int, bytes] = {}
        self.wrong_leaves: dict[int, bytes] = {}
        self._known: dict[int, bytes] = {}
        self._chunk = -1
        self.truth: list[bytes] = []
        self.settled = False
        if index is not None:
            for seq, leaf, entry in index.rows():
                self.rows[seq] = leaf_hash(entry)
                if leaf != self.rows[seq]:
                    self.wrong_leaves[seq] = leaf
        self._newest = max(self.rows, default=-1)

    def folder(self, volume: Volume) -> Path:
        """Where a volume has it."""
        return log_folder(volume.path, self.number)

    # -- what was signed

    def settle(self, head: Checkpoint) -> bool:
        """Find the leaf hashes that the head speaks of. False where no copy and no mixture of them leads there: then `truth` is what
        most copies say.
        """
        copies = [[self.rows.get(n) for n in range(head.size)]] if self._index is not None else []
        if self.wrong_leaves:
            copies.append([self.wrong_leaves.get(n, self.rows.get(n)) for n in range(head.size)])
        for volume in self._volumes:
            copies += [self._leaves(volume, head.size, ENTRIES), self._leaves(volume, head.size, 0)]
        settled = settle(head.size, head.root, copies)
        self.settled = settled is not None
        self.truth = settled if settled is not None else _most(head.size, copies)
        return self.settled

    def _leaves(self, volume: Volume, size: int, level: int) -> list[bytes | None]:
        found: list[bytes | None] = []
        for tile in tiles_of(0, size):
            if tile.level == level:
                parts: Sequence[bytes | None] = self._parts(volume, tile)
                found += [*parts[: tile.width], *[None] * (tile.width - len(parts))]
        return found

    def _parts(self, volume: Volume, tile: Tile) -> list[bytes]:
        """Leaf hashes of a bundle or tile of a volume, of a wider or narrower one where that is not there."""
        for path in _paths(self.folder(volume), tile):
            data = read_file(path)
            if data is not None:
                try:
                    return [leaf_hash(e) for e in parse_bundle(data)] if tile.level == ENTRIES else parse_tile(data)
                except TileError:
                    continue
        return []

    def entry(self, number: int) -> bytes | None:
        """The bytes of an entry that was signed, or of one behind the head as the index has it; None where no copy is left."""
        if self._chunk != number // WIDTH:
            self._load(number // WIDTH)
        return self._known.get(number)

    def _load(self, chunk: int) -> None:
        self._chunk, self._known = chunk, {}
        first, end = chunk * WIDTH, (chunk + 1) * WIDTH
        if self._index is not None:
            for seq, _, entry in self._index.rows(first, end):
                if seq >= len(self.truth) or self.truth[seq] == self.rows[seq]:
                    self._known[seq] = entry
        for volume in self._volumes:
            if all(n in self._known for n in range(first, min(end, len(self.truth)))):
                return
            width = min(WIDTH, len(self.truth) - first)
            for path in _paths(self.folder(volume), Tile(ENTRIES, chunk, width)) if width > 0 else ():
                self._from_bundle(path, first)

    def _from_bundle(self, path: Path, first: int) -> None:
        try:
            entries = parse_bundle(read_file(path) or b"")
        except TileError:
            return
        for n, entry in enumerate(entries, first):
            if n < len(self.truth) and n not in self._known and leaf_hash(entry) == self.truth[n]:
                self._known[n] = entry

    def tail(self, size: int) -> list[tuple[int, bytes, bytes]]:
        """Rows of the index behind the signed head, up to the newest that was there when they were first read."""
        return [] if self._index is None else list(self._index.rows(size, max(self.rows, default=-1) + 1))

    def newer(self) -> list[tuple[int, bytes, bytes]]:
        """Rows that the index has had since they were first read, and since this was last asked."""
        rows = [] if self._index is None else list(self._index.rows(self._newest + 1, 1 << 62))
        self._newest = rows[-1][0] if rows else self._newest
        return rows

    def _row(self, number: int) -> bytes | None:
        rows = [] if self._index is None else list(self._index.rows(number, number + 1))
        return rows[0][2] if rows else None

    def files(self, volume: Volume) -> list[str]:
        """What a volume has of it."""
        return _below(self.folder(volume))

    def fits(self, volume: Volume, head: Checkpoint) -> bool:
        """Whether a volume has the files at the right edge of a log of this size."""
        return all((self.folder(volume) / tile.path).exists() for tile in edge(head.size))

    # -- each copy

    def judge_index(self, places: Places) -> Iterator[Finding]:
        """The rows of the index."""
        if self._index is None:
            return
        size = len(self.truth)
        near = {n: leaf for n, leaf in self.rows.items() if n <= size}
        yield from judge_rows(self.truth, near, self.wrong_leaves, places, self._row)
        for n in sorted(n for n in self.rows if n < 0):
            yield Finding(Kind.INSERTED, f"index row of entry {n}", "entries are numbered from 0")
        yield from judge_tail(self.tail(size), size, places)

    def judge_volume(self, volume: Volume, head: Checkpoint, places: Places) -> Iterator[Finding]:
        """The files of the log on a volume. head: the checkpoint that they belong to."""
        folder = self.folder(volume)
        there = set(_below(folder))
        tiles = Frontier().extend(self.truth[: head.size])
        for tile in tiles_of(0, head.size):
            what = f"{volume.label}/ledger/{self.number}/{tile.path}"
            data = read_file(folder / tile.path) if tile.path in there else None
            there.discard(tile.path)
            if data is None:
                numbers = tile.leaves if tile.level == ENTRIES else ()
                where = places.merged(numbers) if numbers else NOWHERE
                yield from findings(Kind.REMOVED, what, "the checkpoint needs this file", where)
            elif tile.level != ENTRIES:
                yield from judge_file(tile.level, tile.leaves.start, tiles[tile], data, what, places)
            else:
                yield from self._judge_bundle(tile, data, what, places)
        for path in sorted(there):
            yield from self._judge_other(volume, path, places)

    def _judge_bundle(self, tile: Tile, data: bytes, what: str, places: Places) -> Iterator[Finding]:
        first = tile.leaves.start
        truth = self.truth[first : first + tile.width]
        try:
            leaves = [leaf_hash(entry) for entry in parse_bundle(data)]
        except TileError:
            leaves = []
        if leaves == truth:
            return
        expected = whole_bundle(self.entry, first, tile.width)
        if expected is not None:
            yield from judge_file(ENTRIES, first, expected, data, what, places)
            return
        wrong = [first + n for n in range(tile.width) if n >= len(leaves) or leaves[n] != truth[n]]
        for n in wrong:
            yield from findings(Kind.CHANGED, what, f"entry {n} is not what was signed", places.of(n))

    def _judge_other(self, volume: Volume, path: str, places: Places) -> Iterator[Finding]:
        """A file that the head does not need: an older or a newer partial tile, a stamp; or nobody's."""
        what = f"{volume.label}/ledger/{self.number}/{path}"
        tile = tile_named(path)
        if tile is None:
            if path not in {CHECKPOINT, KEY} and not path.startswith(f"{STAMPS}/") and not path.endswith(".new"):
                yield Finding(Kind.INSERTED, what, "no file of a log")
            return
        data = read_file(self.folder(volume) / path) or b""
        try:
            parts = [leaf_hash(e) for e in parse_bundle(data)] if tile.level == ENTRIES else parse_tile(data)
        except TileError:
            parts = []
        if tile.level in {ENTRIES, 0}:
            first = tile.leaves.start
            known = [*self.truth, *(self.rows[n] for n in range(len(self.truth), len(self.rows)) if n in self.rows)]
            expected = known[first : first + tile.width]
            right = len(parts) == tile.width and parts[: len(expected)] == expected
        else:
            size = min(len(self.truth), tile.leaves.stop)
            right = size < tile.leaves.stop or Frontier().extend(self.truth[:size]).get(tile) == data
        if not right:
            wrong = [n for n in tile.leaves if n < len(self.truth)] if tile.level == ENTRIES else []
            yield from findings(
                Kind.CHANGED, what, "an older file of the log that differs from it", places.merged(wrong)
            )

    def judge_stamps(self, volume: Volume, keys: Sequence[bytes], tokens: dict[str, int]) -> Iterator[Finding]:
        """Earlier checkpoints that were stamped. tokens: SHA-256 of the stamps that entries tell of, and their sizes."""
        folder = self.folder(volume) / STAMPS
        for path in _below(folder):
            what = f"{volume.label}/ledger/{self.number}/{STAMPS}/{path}"
            if path.endswith(".checkpoint"):
                head = read_head(folder / path, what, self.number)
                if head is None or not any(head.holds(key) for key in keys):
                    yield Finding(Kind.CHANGED, what, "a checkpoint whose signature does not hold")
                elif path != f"{head.checkpoint.size}.checkpoint" or not self.agrees(head.checkpoint):
                    yield Finding(Kind.FORKED, what, "an earlier checkpoint that the log does not lead back to")
            elif path.endswith(".tsr"):
                digest = hashlib.sha256(read_file(folder / path) or b"").hexdigest()
                if tokens and digest not in tokens:
                    yield Finding(Kind.CHANGED, what, "no entry tells of this stamp")

    def agrees(self, head: Checkpoint) -> bool:
        """Whether the log leads back to this head."""
        return head.size <= len(self.truth) and root(self.truth[: head.size]) == head.root

    def unknown(self, keys: Sequence[bytes]) -> str:
        """For people: the keys of the copies."""
        return ", ".join(map(fingerprint, keys))


def _most(size: int, copies: Sequence[Sequence[bytes | None]]) -> list[bytes]:
    """What most copies say of each entry, up to the first of which none says anything."""
    found: list[bytes] = []
    for n in range(size):
        said = [leaf for copy in copies if n < len(copy) and (leaf := copy[n]) is not None]
        if not said:
            break
        found.append(max(said, key=said.count))
    return found


def _paths(folder: Path, tile: Tile) -> Iterator[Path]:
    """The file of a tile; then those of other widths."""
    yield folder / tile.path
    if tile.width < WIDTH:
        whole = folder / Tile(tile.level, tile.index).path
        yield whole
        partial = whole.with_name(f"{whole.name}.p")
        for name in sorted(_below(partial), key=lambda name: (len(name), name), reverse=True):
            yield partial / name


def _below(folder: Path) -> list[str]:
    """Paths of all files below a folder, within it; none where it is not there."""
    found: list[str] = []
    stack = [""]
    while stack:
        inside = stack.pop()
        try:
            entries = list(os.scandir(folder / inside))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            path = f"{inside}/{entry.name}" if inside else entry.name
            if entry.is_dir(follow_symlinks=False):
                stack.append(path)
            else:
                found.append(path)
    return sorted(found)
