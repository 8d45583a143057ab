"""A hub's store in a test, on SQLite or PostgreSQL, and posts that sign what they tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from longwatch.archive import ArchiveReader
from longwatch.archive.pieces import PieceSource
from longwatch.fleet import Fleet, FleetDb, FleetIndex, ObjectStore
from longwatch.ledger import entry_bytes, leaf_hash, root
from longwatch.ledger.checkpoint import Checkpoint, sign
from longwatch.model.sessions import StreamKey
from longwatch.model.uplink import Confirmed, Held, ObjectInfo, Refused
from longwatch.timeline import Tile, tile

NOW_US = 1_767_300_000_000_000
RIDGE = "ridge"


@dataclass
class Ledger:
    """A post's log as it signs it. entries: all of them; a head covers the first so many."""

    post: str = RIDGE
    number: int = 1
    folder: str = "0123abcd"
    entries: list[bytes] = field(default_factory=list)
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def origin(self) -> str:
        return f"longwatch/{self.post}/{self.folder}/{self.number}"

    @property
    def public(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def add(self, kind: str, body: dict[str, Any], wall_us: int = 1_767_225_600_000_000, boot: str = "b" * 32) -> int:
        """One more entry; its number."""
        self.entries.append(entry_bytes(len(self.entries), wall_us, boot, kind, body))
        return len(self.entries) - 1

    def note(self, size: int | None = None) -> str:
        """The signed head of the first `size` entries."""
        size = len(self.entries) if size is None else size
        head = Checkpoint(self.origin, size, root(map(leaf_hash, self.entries[:size])))
        return sign(head, self.key.sign, self.public)

    def enrol(self, fleet: Fleet) -> None:
        fleet.add_post(self.post, self.post.title(), "serial", self.origin, self.public)

    def tell(self, fleet: Fleet, size: int | None = None, *, at_once: int = 500) -> Held | Refused:
        """Send entries up to `size` from where the hub is, and the head that covers them."""
        size = len(self.entries) if size is None else size
        at = fleet.cursor(self.post, self.number)
        while at < size:
            after = fleet.take_entries(self.post, self.number, at, self.entries[at : min(size, at + at_once)])
            assert after > at, "nothing was taken"
            at = after
        answer = fleet.take_head(self.post, self.number, self.note(size), self.public)
        while fleet.tell_more(self.post):
            pass
        return answer


def countersigned(head: Checkpoint, note: str) -> str:
    """As a hub's key would, for a test."""
    return f"{note}\u2014 hub {head.size}\n"


class Hub:
    """Database, store, writer and reader. wall_us: its clock. media: where objects are kept; a folder where nothing is said."""

    def __init__(
        self, where: str | Path, folder: Path, wall_us: Callable[[], int] = lambda: NOW_US, media: str | None = None
    ) -> None:
        self.where = where
        self.media = media
        self.folder = folder
        self.db = FleetDb(where)
        self.store = ObjectStore(media or folder / "media", folder / "spool")
        self.fleet = Fleet(self.db, self.store, cosign=countersigned, wall_us=wall_us)
        self.index = FleetIndex(self.db, self.store)

    def again(self) -> Hub:
        """After a restart."""
        self.close()
        return Hub(self.where, self.folder, media=self.media)

    def close(self) -> None:
        self.db.close()

    def tiles(self, key: StreamKey, from_us: int, to_us: int | None = None, post: str = RIDGE) -> list[Tile]:
        """The timeline of a post's stream up to what is accounted for here."""
        key = StreamKey(f"{post}.{key.camera}", key.stream)
        until_us = self.index.accounted_until_us(key)
        to_us = until_us if to_us is None else to_us
        set_up = {StreamKey(camera, stream): at_us for camera, stream, at_us in self.index.cameras()}
        gaps, spans = self.index.gaps_of(key, from_us, to_us), self.index.recorded_spans(key, from_us, to_us)
        return tile(spans, gaps, from_us, to_us, until_us, set_up.get(key))


def shown(tiles: Sequence[Tile]) -> list[tuple[Any, ...]]:
    """State, cause, run and whether it is to be had anywhere; neighbours of one run are one."""
    told: list[tuple[Any, ...]] = []
    for t in tiles:
        name = (str(t.state), str(t.cause), t.run, "gone" if str(t.held) == "gone" else "")
        if told and told[-1][0] == name and told[-1][2] == t.from_us and t.run is not None:
            told[-1] = (name, told[-1][1], t.to_us)
        else:
            told.append((name, t.from_us, t.to_us))
    return told


def clipped(told: Sequence[tuple[Any, ...]], to_us: int) -> list[tuple[Any, ...]]:
    """The same up to a moment."""
    return [(name, begin, min(end, to_us)) for name, begin, end in told if begin < to_us]


def objects_of(
    reader: ArchiveReader, key: StreamKey, from_us: int = 0, to_us: int = 1 << 60
) -> list[tuple[ObjectInfo, bytes]]:
    """What a post would send of a stretch, in its order, with the bytes."""
    source = PieceSource(reader, RIDGE)
    found = []
    for stretch in source.needed(key, from_us, to_us).stretches:
        found += [(info, source.read(info, 0, info.size)) for info in source.objects(stretch)]
    return found


def send(fleet: Fleet, info: ObjectInfo, data: bytes, *, chunk: int = 5_000) -> Confirmed | Refused:
    """As an uplink does: from where it is needed, in chunks, then the end."""
    at = fleet.begin_object(info)
    if isinstance(at, Refused):
        return at
    while at < info.size:
        at = fleet.add_chunk(info.sha256, at, data[at : at + chunk])
    return fleet.finish_object(info)
