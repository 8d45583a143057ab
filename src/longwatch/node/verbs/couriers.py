"""`longwatch courier`: at a post, what its hub has not confirmed goes on a disk, and receipts are taken from one; at a hub, disks are read.

Works beside processes that run: entries and confirmations go to the recorder (or are made here, under the data folder's lock), footage is read from
the archive, and a hub's database takes a second writer. docs/design/courier.md.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from longwatch.archive import ArchiveReader
from longwatch.archive.pieces import PieceSource
from longwatch.base.clock import Clock, SystemClock
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.config import Settings
from longwatch.courier import Pack, Packed, Packer, Parcel, Returned, Travelling, Unpacked, Unpacker, returned
from longwatch.fleet import Fleet
from longwatch.ledger import kinds
from longwatch.ledger.checkpoint import CheckpointError, parse_unverified
from longwatch.ledger.cosignature import CosignatureError, cosigner_name, open_cosigned
from longwatch.model.stores import SegmentRow
from longwatch.node.by_recorder.entering import recorder_or_folder
from longwatch.node.hub.part import open_fleet
from longwatch.node.post.hub_link import FOLDER
from longwatch.node.post.uplink_log import PostLog
from longwatch.trust import Enrolment, enrolment_of
from longwatch.trust.courier_key import courier_identity, recipient

_AT_ONCE = 500
_SPOOL = "courier-spool"


class Progress(Protocol):
    """What is done, how far, of how much (0: not known)."""

    def __call__(self, what: str, done: int, total: int, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be packed. cameras: empty for all. again: also what lies on disks that are on their way."""

    cameras: frozenset[str] = frozenset()
    from_us: int | None = None
    to_us: int | None = None
    limit_bytes: int | None = None
    again: bool = False

    def wants(self, segment: SegmentRow) -> bool:
        """Whether it is within."""
        if self.cameras and segment.key.camera not in self.cameras:
            return False
        return (self.to_us is None or segment.wall_start_us < self.to_us) and (
            self.from_us is None or segment.wall_end_us > self.from_us
        )


@dataclass(frozen=True, slots=True)
class PackResult:
    """packed: of this disk. receipts: what came back on it. travelling: segments that lie on other disks on their way, and were left out."""

    packed: Packed
    receipts: tuple[Returned, ...]
    travelling: int


def pack(settings: Settings, disk: Path, order: Order, person: dict[str, Any], progress: Progress) -> PackResult:
    """Take receipts that came back, then pack. Raises LongwatchError. Not for use on an event loop."""
    enrolment = _joined(settings)
    if not enrolment.courier:
        raise UsageError(
            f"{enrolment.hub} has given no key for disks",
            remedy="run the post in touch with its hub once, or join again",
        )
    unknown = order.cameras - set(settings.cameras)
    if unknown:
        raise UsageError(f"there is no camera {min(unknown)!r}", remedy="see `longwatch settings check`")
    travelling = Travelling(settings.volumes[0])
    reader = ArchiveReader(settings.volumes)
    try:
        with travelling.locked():
            receipts = _take_receipts(settings, disk, enrolment, travelling, person)
            return _pack(
                settings, disk, order, person, progress, _Post(settings, enrolment, travelling, reader), receipts
            )
    finally:
        reader.close()


@dataclass(frozen=True, slots=True)
class _Post:
    settings: Settings
    enrolment: Enrolment
    travelling: Travelling
    reader: ArchiveReader


def _pack(
    settings: Settings, disk: Path, order: Order, person: dict[str, Any], progress: Progress, post: _Post,
    receipts: tuple[Returned, ...],
) -> PackResult:  # fmt: skip
    clock, enrolment, travelling = SystemClock(), post.enrolment, post.travelling
    pieces = PieceSource(post.reader, enrolment.site)
    packer = Packer(
        travelling, enrolment.site, enrolment.hub, recipient(enrolment.courier), PostLog(enrolment.site, settings.volumes), pieces
    )  # fmt: skip
    current = packer.find(disk)
    segments = [one for one in _unconfirmed(post.reader) if order.wants(one)]
    withheld = set(settings.uplink.withhold)
    segments = sorted((one for one in segments if one.key.camera not in withheld), key=lambda one: one.wall_start_us)
    others = set() if order.again else _on_their_way(travelling, current)
    left_out = sum(_name(one) in others for one in segments)
    parcels = [_parcel(pieces, one) for one in segments if _name(one) not in others]
    if current is None:
        begun = {
            "pack": _pack_name(enrolment.site, clock), "hub": enrolment.hub, "from_us": order.from_us, "to_us": order.to_us,
            "cameras": sorted(order.cameras), "at_us": clock.wall_us(),
        }  # fmt: skip
        if not disk.is_dir():
            raise UsageError(f"{disk} is not a folder", remedy="mount the disk first, and name the folder where it is")
        _enter(settings, kinds.COURIER_BEGUN, begun, person)
        current = packer.begin(disk, clock.wall_us(), str(begun["pack"]))
    packer.missing(disk, current)
    total = sum(parcel.bytes for parcel in parcels)
    packed = packer.pack(
        disk, current, parcels, _held(settings, enrolment), order.limit_bytes, lambda done, of: progress("packing", done, of),
        min(total, order.limit_bytes or total),
    )  # fmt: skip
    body = {
        "pack": packed.pack, "hub": enrolment.hub, "files": packed.files, "bytes": packed.bytes, "segments": packed.segments,
        "entries": packed.entries, "left": packed.left, "failed": len(packed.failed), "at_us": clock.wall_us(),
    }  # fmt: skip
    _enter(settings, kinds.COURIER_PACKED, body, person)
    return PackResult(packed, receipts, left_out)


def _joined(settings: Settings) -> Enrolment:
    if settings.role != "post":
        raise UsageError(
            "this is a hub", why="disks are packed at posts", remedy="`longwatch courier unpack DIR` reads one here"
        )
    enrolment = enrolment_of(settings.volumes[0])
    if enrolment is None:
        raise UsageError(
            "this post has joined no hub",
            why="a disk is encrypted to one hub alone",
            remedy="`longwatch join CODE` first",
        )
    return enrolment


def _unconfirmed(reader: ArchiveReader) -> Iterator[SegmentRow]:
    after = 0
    while segments := reader.unconfirmed(after, _AT_ONCE):
        yield from segments
        after = segments[-1].id


def _name(segment: SegmentRow) -> tuple[str, str, str, int, int]:
    return segment.key.camera, segment.key.stream, segment.boot, segment.run, segment.sequence


def _parcel(pieces: PieceSource, segment: SegmentRow) -> Parcel:
    whole = pieces.whole(segment)
    size = segment.durable_bytes
    return Parcel(_name(segment), size, lambda: pieces.count_of(whole), lambda: pieces.objects(whole))


def _on_their_way(travelling: Travelling, current: Pack | None) -> set[tuple[str, str, str, int, int]]:
    """Segments on disks that are packed and of which no receipt came back; of those with one, what it left out is packed again."""
    return {
        name for one in travelling.packs() if one.receipt is None and (current is None or one.pack != current.pack) for name in one.whole
    }  # fmt: skip


def _pack_name(post: str, clock: Clock) -> str:
    stamp = format_us(clock.wall_us())[:19].lower().replace(":", "").replace("-", "")
    return f"{post}-{stamp}-{secrets.token_hex(3)}"


def _held(settings: Settings, enrolment: Enrolment) -> Mapping[int, int]:
    """Entries that the hub has verified, by its countersignature that the link brought; none where that is not good."""
    try:
        note = (settings.volumes[0] / FOLDER / "cosigned").read_text("utf-8")
        open_cosigned(note, cosigner_name(enrolment.hub), enrolment.cosigner)
        head = parse_unverified(note)[0]
        return {int(head.origin.rpartition("/")[2]): head.size}
    except (OSError, ValueError, CosignatureError, CheckpointError):
        return {}


# -- receipts


def take_receipts(settings: Settings, disk: Path, person: dict[str, Any]) -> tuple[Returned, ...]:
    """What the hub says on a disk that came back: its segments are confirmed. Raises LongwatchError."""
    enrolment = _joined(settings)
    travelling = Travelling(settings.volumes[0])
    with travelling.locked():
        return _take_receipts(settings, disk, enrolment, travelling, person)


def _take_receipts(
    settings: Settings, disk: Path, enrolment: Enrolment, travelling: Travelling, person: dict[str, Any]
) -> tuple[Returned, ...]:
    found = returned(disk, travelling, enrolment.site, enrolment.hub, enrolment.cosigner)
    for one in found:
        if one.new:
            asyncio.run(_confirm(settings, one, person))
            travelling.keep_receipt(one.pack, one.receipt)
    return tuple(found)


async def _confirm(settings: Settings, back: Returned, person: dict[str, Any]) -> None:
    """The entry, then the marks; the receipt is noted only after both, so that a cut between them does it again."""
    body = {
        "pack": back.pack.pack, "hub": back.receipt.hub, "segments": len(back.segments), "receipt_us": back.receipt.at_us,
        "at_us": SystemClock().wall_us(),
    }  # fmt: skip
    async with recorder_or_folder(settings.volumes) as recorder:
        await recorder.request("entry", kind=kinds.COURIER_CONFIRMED, body=body, person=person)
        for start in range(0, len(back.segments), _AT_ONCE):
            part = back.segments[start : start + _AT_ONCE]
            await recorder.request("confirm", segments=[list(name) for name in part])


def _enter(settings: Settings, kind: str, body: Mapping[str, object], person: dict[str, Any]) -> None:
    async def enter() -> None:
        async with recorder_or_folder(settings.volumes, fresh=settings.post.id) as recorder:
            await recorder.request("entry", kind=kind, body=dict(body), person=person)

    asyncio.run(enter())


# -- at a hub


def unpack(settings: Settings, disk: Path, person: dict[str, Any], progress: Progress) -> list[Unpacked]:
    """Every pack on this disk that is for this hub. Raises LongwatchError. Not for use on an event loop."""
    clock = SystemClock()
    authority, fleet, _ = open_fleet(settings, clock, _SPOOL)
    try:
        unpacker = Unpacker(
            settings.post.id, courier_identity(settings.volumes[0]), fleet, authority.cosigner.sign, authority.cosigner.public,
            clock.wall_us, lambda post: _refuses(fleet, post), lambda post, key: knows(fleet, post, key),
        )  # fmt: skip
        done = []
        for folder, head in unpacker.heads(disk):
            try:
                found = unpacker.unpack(folder, head, lambda n, of: progress("reading", n, of))
            except OSError as error:
                raise LongwatchError(
                    f"{disk} cannot be read",
                    why=error.strerror or str(error),
                    remedy="put it back and run the same again",
                ) from error
            body = {
                "pack": found.pack, "post": found.post, "files": found.files, "taken": len(found.taken), "damaged": len(found.damaged),
                "missing": len(found.missing), "refused": len(found.refused), "objects": found.objects, "new": found.new,
                "entries": found.entries, "at_us": clock.wall_us(),
            }  # fmt: skip
            _enter(settings, kinds.COURIER_UNPACKED, body, person)
            done.append(found)
        return done
    finally:
        fleet.db.close()


def knows(fleet: Fleet, post: str, key: bytes) -> bool:
    """Whether this post joined with that key, or signed with it what was taken over the link."""
    row = fleet.post(post)
    return row is not None and (key == row.key or any(key == log.key for log in fleet.log_rows(post)))


def _refuses(fleet: Fleet, post: str) -> str:
    row = fleet.post(post)
    if row is None:
        return f"{post} is not enrolled here"
    return f"{post} was revoked: {row.revoked_why}" if row.revoked_us is not None else ""
