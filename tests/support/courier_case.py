"""A post with footage, a hub's store in SQLite and a folder, a disk between them."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.support.archive_case import FOR_EVER, GATE, opened, stream

from longwatch.archive import ArchiveReader
from longwatch.archive.pieces import PieceSource
from longwatch.courier import Pack, Packed, Packer, Parcel, Travelling, Unpacked, Unpacker, returned
from longwatch.fleet import Fleet, FleetDb, ObjectStore
from longwatch.ledger.checkpoint import parse_unverified
from longwatch.model.sessions import StreamKey
from longwatch.node.post.uplink_log import PostLog
from longwatch.node.verbs.couriers import knows

NOW_US = 1_767_300_000_000_000


class Site:
    """A post's folder, recorded with the fake stream, and what packs it."""

    def __init__(self, folder: Path, recipient: pyrage.x25519.Recipient, post: str = "north", hub: str = "hq") -> None:
        self.data = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.post, self.hub = post, hub
        self.travelling = Travelling(folder)
        self.log = PostLog(post, [folder])
        self.recipient = recipient
        self.base = 0

    def record(self, segments: int = 3, key: StreamKey = GATE, fragments: int = 4) -> None:
        async def run() -> None:
            async with opened([self.data]) as (archive, _):
                source = stream(archive, key, base=self.base)
                for n in range(segments * fragments):
                    tick = source.tick(reopen=n % fragments == 0, seal=n % fragments == fragments - 1)
                    assert (await archive.tick(archive.place(key), tick)).index_committed
                self.base += 1000

        asyncio.run(run())

    def parcels(self, key: StreamKey = GATE) -> list[Parcel]:
        reader = ArchiveReader([self.data])
        pieces = PieceSource(reader, self.post)
        found = []
        for segment in reader.segments(key, *FOR_EVER):
            name = (key.camera, key.stream, segment.boot, segment.run, segment.sequence)
            whole = pieces.whole(segment)
            found.append(
                Parcel(
                    name,
                    pieces.bytes_of(whole),
                    lambda whole=whole: pieces.count_of(whole),
                    lambda whole=whole: pieces.objects(whole),
                )
            )
        return found

    def packer(self) -> Packer:
        pieces = PieceSource(ArchiveReader([self.data]), self.post)
        return Packer(self.travelling, self.post, self.hub, self.recipient, self.log, pieces)

    def pack(
        self, disk: Path, name: str = "north-1", limit: int | None = None, parcels: Sequence[Parcel] | None = None
    ) -> tuple[Pack, Packed]:
        packer = self.packer()
        with self.travelling.locked():
            pack = packer.find(disk) or packer.begin(disk, NOW_US, name)
            packer.missing(disk, pack)
            return pack, packer.pack(disk, pack, self.parcels() if parcels is None else parcels, {}, limit)


class HubSide:
    """The hub `hq`: its store, and the key to disks."""

    def __init__(self, folder: Path, hub: str = "hq", identity: pyrage.x25519.Identity | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.hub = hub
        self.identity = identity or pyrage.x25519.Identity.generate()
        self.key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(os.fsencode(hub)).digest())
        self.public = self.key.public_key().public_bytes_raw()
        self.db = FleetDb(folder / "fleet.db")
        self.store = ObjectStore(folder / "media", folder / "spool")
        self.fleet = Fleet(self.db, self.store, wall_us=lambda: NOW_US)

    def enrol(self, site: Site) -> None:
        head = site.log.logs(site.post)[-1]
        origin = parse_unverified(head.note)[0].origin
        self.fleet.add_post(site.post, site.post.title(), "01", origin, head.key)

    def unpacker(self) -> Unpacker:
        return Unpacker(
            self.hub, self.identity, self.fleet, self.key.sign, self.public, lambda: NOW_US + 1, self._refuses,
            lambda post, key: knows(self.fleet, post, key),
        )  # fmt: skip

    def _refuses(self, post: str) -> str:
        row = self.fleet.post(post)
        return f"{post} is not enrolled" if row is None else "it was revoked" if row.revoked_us else ""

    def unpack(self, disk: Path) -> list[Unpacked]:
        unpacker = self.unpacker()
        return [unpacker.unpack(folder, head) for folder, head in unpacker.heads(disk)]

    def receipts(self, disk: Path, site: Site):
        return returned(disk, site.travelling, site.post, self.hub, self.public)

    def close(self) -> None:
        self.db.close()
