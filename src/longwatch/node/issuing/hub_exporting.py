"""What an export at a hub reads: the footage that is held here, and the ledger of its post, opened in the export's own process beside the server. Only reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from longwatch.archive import ArchiveReader
from longwatch.base.errors import LongwatchError
from longwatch.evidence import PostLedger, Sealed
from longwatch.fleet import Fleet, FleetDb, FleetIndex, ObjectStore
from longwatch.ledger import leaf_hash
from longwatch.ledger.proofs import Subtree, from_tiles
from longwatch.ledger.tiles import WIDTH, Tile
from longwatch.ledger.tree import root
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import SegmentRow
from longwatch.trust import authority_of


class HubSource(FleetIndex):
    """FleetIndex over a database of its own. Raises LongwatchError where that cannot be opened."""

    def __init__(self, told: Mapping[str, Any], volumes: Sequence[Path]) -> None:
        os.environ.update(told["environ"])
        folder = Path(told["folder"])
        self.fleet_db = FleetDb(told["database"] or folder / "fleet.db")
        store = ObjectStore(told["media"] or folder / "media", folder / "spool-export")
        self.own = ArchiveReader(volumes)
        self.store = store
        super().__init__(self.fleet_db, store, self.own)

    def close(self) -> None:
        """Let go of the database."""
        self.own.close()
        self.fleet_db.close()


class HubProof:
    """`evidence.Proving` of a stream. hub: its id; volumes: its own, where the key lies that countersigns."""

    def __init__(self, source: HubSource, key: StreamKey, hub: str, volumes: Sequence[Path]) -> None:
        self._source = source
        self._key = key
        self._hub = hub
        self._volumes = volumes
        self._fleet = Fleet(source.fleet_db, source.store)

    def sealed(self, row: SegmentRow) -> Sealed:
        """See the protocol."""
        return Sealed(*self._source.sealed(row))

    def gap_entries(self, gaps: frozenset[int]) -> list[int]:
        """See the protocol."""
        return self._source.gap_entries(self._key, gaps)

    def ledger(self) -> PostLedger:
        """As of its newest verified head. Raises LongwatchError where there is none."""
        post, _, camera = self._key.camera.partition(".")
        heads = self._fleet.logs(post)
        if not heads:
            raise LongwatchError(f"nothing of the ledger of {post} was verified here yet")
        head = heads[-1]
        leaves: list[bytes] = []
        while len(leaves) < head.size:
            found = self._fleet.entries(post, head.number, len(leaves), head.size)
            if not found:
                raise LongwatchError(f"the ledger of {post} is not whole here", why=f"entry {len(leaves)} is missing")
            leaves += map(leaf_hash, found)
        cosigner = authority_of(self._volumes[0], self._hub).cosigner.public
        return PostLedger(
            self._hub,
            post,
            camera,
            head.note,
            head.size,
            head.key,
            cosigner,
            self._entry(post, head.number),
            tree_of(leaves),
        )

    def _entry(self, post: str, number: int) -> Callable[[int], bytes]:
        return lambda seq: self._fleet.entries(post, number, seq, seq + 1)[0]


def tree_of(leaves: Sequence[bytes]) -> Subtree:
    """The tree of these leaf hashes, in tiles: many proofs of a long log cost one pass over it."""
    levels = [list(leaves)]
    while len(levels[-1]) > WIDTH:
        below = levels[-1]
        levels.append([root(below[at : at + WIDTH]) for at in range(0, len(below) // WIDTH * WIDTH, WIDTH)])

    def read(tile: Tile) -> bytes:
        if tile.level >= len(levels):
            return root(levels[-1])
        return b"".join(levels[tile.level][tile.index * WIDTH : tile.index * WIDTH + tile.width])

    return from_tiles(len(leaves), read)
