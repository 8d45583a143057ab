"""A hub that takes what a post sends until it is killed: each confirmation is a line on its standard output, once it has it."""

from __future__ import annotations

import asyncio
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from tests.support.archive_case import GATE
from tests.support.evidence_case import record_post
from tests.support.fleet_case import RIDGE, Hub, Ledger, objects_of, send

from longwatch.archive import ArchiveReader
from longwatch.model.uplink import Confirmed, Held, ObjectInfo


@dataclass
class Story:
    """What a post has to tell and to send."""

    log: Ledger
    objects: list[tuple[ObjectInfo, bytes]]

    @staticmethod
    def make(folder: Path) -> Story:
        """Recorded now, and kept in the folder for the hub's next lives."""
        asyncio.run(record_post(folder / "data", segments=9, fragments=2))
        reader = ArchiveReader([folder / "data"])
        entries = [row.entry for row in reader.entries(0, 1 << 20)]
        objects = objects_of(reader, GATE)
        reader.close()
        log = Ledger(entries=entries)
        pem = log.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "story").write_bytes(pickle.dumps((pem, entries, objects)))
        return Story(log, objects)

    @staticmethod
    def load(folder: Path) -> Story:
        """What `make` kept."""
        pem, entries, objects = pickle.loads((folder / "story").read_bytes())
        return Story(Ledger(entries=entries, key=load_pem_private_key(pem, None)), objects)


def main() -> None:
    where, folder = sys.argv[1], Path(sys.argv[2])
    story = Story.load(folder)
    hub = Hub(where, folder)
    print("ready", flush=True)
    for size in range(1, len(story.log.entries) + 1):
        if hub.fleet.cursor(RIDGE, 1) <= size:
            held = story.log.tell(hub.fleet, size, at_once=3)
            if isinstance(held, Held):
                print("held", held.size, flush=True)
    for info, data in story.objects:
        if isinstance(send(hub.fleet, info, data, chunk=900), Confirmed):
            print("confirmed", info.sha256.hex(), flush=True)


if __name__ == "__main__":
    main()
