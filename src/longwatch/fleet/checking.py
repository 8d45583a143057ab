"""What a hub holds of its posts against what its database says: objects that are missing, short or changed, and ledgers that do not lead to their heads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from longwatch.base.errors import LongwatchError
from longwatch.fleet.fleet import Fleet
from longwatch.fleet.schema import objects, posts
from longwatch.fleet.store import ObjectStore
from longwatch.ledger import leaf_hash
from longwatch.ledger.checkpoint import CheckpointError, open_note
from longwatch.ledger.peaks import Peaks

_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. kind: object_missing, object_changed or ledger_broken. what: of which object or log."""

    kind: str
    post: str
    camera: str
    what: str
    detail: str


@dataclass(slots=True)
class Checked:
    """What was looked at."""

    objects: int = 0
    bytes: int = 0
    entries: int = 0


def check_objects(fleet: Fleet, store: ObjectStore, checked: Checked, *, whole: bool) -> Iterator[Fault]:
    """Each object that is confirmed: it is there and as long as it was; whole: and its bytes are those of its name. Blocks."""
    for sha256, size, kind, camera, post in _confirmed(fleet):
        checked.objects += 1
        checked.bytes += size
        what = f"{kind} {sha256.hex()[:16]}"
        try:
            if whole and hashlib.sha256(store.read_all(sha256)).digest() != sha256:
                yield Fault("object_changed", post, camera, what, "its bytes are not those of its name")
            elif not whole and not store.holds(sha256, size):
                yield Fault("object_missing", post, camera, what, f"it is not there, or not {size} bytes long")
        except LongwatchError as error:
            yield Fault("object_missing", post, camera, what, error.why or error.what)


def _confirmed(fleet: Fleet) -> Iterator[tuple[bytes, int, str, str, str]]:
    last = b""
    while True:
        query = (
            sa.select(objects.c.sha256, objects.c.size, objects.c.kind, objects.c.camera, posts.c.id)
            .join_from(objects, posts, posts.c.number == objects.c.post)
            .where(objects.c.sha256 > last)
            .order_by(objects.c.sha256)
            .limit(_AT_ONCE)
        )
        with fleet.db.read() as db:
            rows = [(bytes(row[0]), int(row[1]), str(row[2]), str(row[3]), str(row[4])) for row in db.execute(query)]
        before = last
        for row in rows:
            if row[0] != before:  # the same bytes may be here as several things
                yield row
            before = row[0]
        if len(rows) < _AT_ONCE:
            return
        last = before


def check_ledgers(fleet: Fleet, checked: Checked) -> Iterator[Fault]:
    """Each log of each post: its entries lead to the head that the post signed. Blocks."""
    for row in fleet.posts():
        for log in fleet.log_rows(row.id):
            if log.verified:
                why = _wrong(log.note, log.key, log.verified, _leaves(fleet, row.id, log.number, log.verified, checked))
                if why:
                    yield Fault("ledger_broken", row.id, "", f"log {log.number}", why)


def _leaves(fleet: Fleet, post: str, number: int, size: int, checked: Checked) -> Callable[[], Iterator[bytes]]:
    def read() -> Iterator[bytes]:
        at = 0
        while at < size and (found := fleet.entries(post, number, at, size)):
            yield from map(leaf_hash, found)
            at += len(found)
            checked.entries += len(found)

    return read


def _wrong(note: str, key: bytes, size: int, leaves: Callable[[], Iterator[bytes]]) -> str:
    try:
        head = open_note(note, key)
    except CheckpointError as error:
        return f"its head is not signed by its post: {error}"
    peaks = Peaks()
    for leaf in leaves():
        peaks.append(leaf)
    if peaks.size != size:
        return f"{peaks.size} entries of {size} are here"
    return "" if peaks.root() == head.root else "its entries do not lead to its head"
