"""Reading a disk at the hub: decrypted, held against the ledger, taken as what came by the link is taken; and the receipt that goes back.

Whatever lies on the disk was in a stranger's hands. Entries count once a signed head covers them, footage once it leads to the root of its seal: the
store says so, not the disk. All of it may be done twice, in parts, or after the same came by the link. Nothing on the disk is changed but the receipt.
"""

from __future__ import annotations

import hashlib
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pyrage
import structlog

from longwatch.base.errors import LongwatchError
from longwatch.courier import form
from longwatch.courier.form import DiskError, EntriesRecord, HeadRecord, ObjectRecord, PackHead, Receipt
from longwatch.courier.packing import pack_folders, read_plain, write_whole
from longwatch.courier.travelling import SegmentName
from longwatch.model.uplink import CarriedStore, Refused

_PART_BYTES = 1 << 20
_RECEIPT_EVERY = 16
_IN_MEMORY_BYTES = 8 << 20
_U16 = struct.Struct(">H")
_log = structlog.get_logger(__name__)
Progress = Callable[[int, int], object]


@dataclass(slots=True)
class Unpacked:
    """What became of one pack. taken: files of which all is committed here, now or before. damaged: files that could not be read, and why. missing:
    files that should be on the disk. objects, new: how many there were, and how many were not here. problems: for people.
    """

    pack: str
    post: str
    files: int = 0
    taken: dict[str, str] = field(default_factory=dict)
    damaged: list[tuple[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    refused: dict[SegmentName, str] = field(default_factory=dict)
    logs: dict[int, tuple[int, str]] = field(default_factory=dict)
    entries: int = 0
    objects: int = 0
    new: int = 0
    bytes: int = 0
    problems: list[str] = field(default_factory=list)
    receipt: Path | None = None

    @property
    def whole(self) -> bool:
        """All of it is here."""
        return not (self.damaged or self.missing or self.refused or self.problems)


class _Waiting:
    """Entries [first, end) of a log that no head proves yet: in memory while they are few, then in a file that nobody else sees."""

    def __init__(self, first: int) -> None:
        self.first = self.end = first
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - it lives as long as this

    def add(self, entries: Sequence[bytes]) -> None:
        """Those that follow."""
        self._file.write(b"".join(_U16.pack(len(entry)) + entry for entry in entries))
        self.end += len(entries)

    def entries(self) -> Iterator[bytes]:
        """All of them, from the first; one reader at a time."""
        self._file.seek(0)
        for _ in range(self.first, self.end):
            (size,) = _U16.unpack(self._file.read(_U16.size))
            yield self._file.read(size)

    def close(self) -> None:
        """They are gone."""
        self._file.close()


class Unpacker:
    """hub: our id. sign: our cosigner's. public_key: its other half. now_us: our wall time. refuses: why nothing is taken from a post, "" where it is.

    knows: whether a key is one of this post's. Anybody may encrypt to a hub, and a disk says who it is from by its signatures alone: a new key comes by
    the link, with the post's certificate.
    """

    def __init__(
        self, hub: str, identity: pyrage.x25519.Identity, store: CarriedStore, sign: Callable[[bytes], bytes], public_key: bytes,
        now_us: Callable[[], int], refuses: Callable[[str], str] = lambda _: "",
        knows: Callable[[str, bytes], bool] = lambda _post, _key: True,
    ) -> None:  # fmt: skip
        self._knows = knows
        self._refuses = refuses
        self._hub = hub
        self._identity = identity
        self._store = store
        self._sign = sign
        self._public_key = public_key
        self._now_us = now_us
        self._waiting: dict[int, _Waiting] = {}
        self._unproven: list[tuple[str, str, int]] = []  # files with such entries: name, hash, size

    def heads(self, disk: Path) -> list[tuple[Path, PackHead]]:
        """Packs on this disk that are for us. Raises LongwatchError where there is none, and says for whom those are that there are."""
        found, others, broken = [], [], []
        for folder in pack_folders(disk):
            try:
                head = PackHead.decode(_read(folder / form.PACK_FILE, 64 << 10))
            except DiskError as error:
                broken.append(f"{folder.name}: {error}")
                continue
            if head.hub != self._hub or head.pack != folder.name:
                others.append(f"{folder.name} is for {head.hub}")
            else:
                found.append((folder, head))
        if not found:
            why = "; ".join([*others, *broken]) or f"there is no folder {form.FOLDER} with a pack in it"
            raise DiskError(f"nothing on {disk} is for this hub, {self._hub}", why=why, remedy="is it the right disk?")
        for text in broken:
            _log.warning("a pack cannot be read", reason=text)
        return found

    def unpack(self, folder: Path, head: PackHead, progress: Progress | None = None) -> Unpacked:
        """One pack. Raises LongwatchError where this hub can take nothing now (a full disk, a store that is away): run it again then."""
        why = self._refuses(head.post)
        if why:
            raise LongwatchError(
                f"nothing is taken from {head.pack}",
                why=why,
                remedy="`longwatch hub posts` says who belongs to this hub",
            )
        done = Unpacked(head.pack, head.post)
        names = sorted(path.name for path in folder.iterdir() if form.is_file(path.name))
        if head.files is not None:
            done.missing = [form.file_name(n) for n in range(1, head.files + 1) if form.file_name(n) not in names]
        done.files = len(names)
        before = self._before(folder, head)
        try:
            for n, name in enumerate(names):
                self._file(done, folder, head, name, before)
                if progress is not None:
                    progress(n + 1, len(names))
                if n % _RECEIPT_EVERY == _RECEIPT_EVERY - 1:
                    self._write_receipt(done, folder)
            done.damaged += [
                (name, "it holds entries that no signed head on this disk proves") for name, _, _ in self._unproven
            ]
        finally:
            self._forget()
            self._write_receipt(done, folder)
        return done

    def _forget(self) -> None:
        for waiting in self._waiting.values():
            waiting.close()
        self._waiting.clear()
        self._unproven.clear()

    def _before(self, folder: Path, head: PackHead) -> Receipt | None:
        """Our own receipt of an earlier try on this disk: the files in it need not be read again."""
        try:
            receipt = Receipt.decode(_read(folder / form.RECEIPT_FILE, 64 << 20), self._public_key)
        except LongwatchError:
            return None
        ours = (receipt.pack, receipt.post, receipt.hub) == (head.pack, head.post, head.hub)
        return receipt if ours and not receipt.refused else None  # what was refused may be taken by now

    def _file(self, done: Unpacked, folder: Path, head: PackHead, name: str, before: Receipt | None) -> None:
        try:
            data = _read(folder / name, form.MOST_FILE_BYTES)
        except DiskError as error:
            done.damaged.append((name, str(error)))
            return
        digest = hashlib.sha256(data).hexdigest()
        if before is not None and before.files.get(name) == digest:
            done.taken[name] = digest
            done.logs |= before.logs
            return
        try:
            plain = pyrage.decrypt(data, [self._identity])
        except pyrage.DecryptError as error:
            done.damaged.append((name, f"it was changed or torn, or is encrypted to another hub ({error})"))
            return
        try:
            for record in form.decode_file(plain, head, int(name[:6])):
                self._record(done, head, record)
        except DiskError as error:
            done.damaged.append((name, str(error)))
            return
        self._unproven.append((name, digest, len(data)))
        if not self._waiting:  # else it may be read again: nothing of those entries is here yet
            done.taken |= {each: sha256 for each, sha256, _ in self._unproven}
            done.bytes += sum(size for _, _, size in self._unproven)
            self._unproven.clear()

    def _record(self, done: Unpacked, head: PackHead, record: form.Record) -> None:
        post = record.info.post if isinstance(record, ObjectRecord) else record.post
        if post != head.post:
            raise DiskError(f"a record of {post} in a pack of {head.post}")
        if isinstance(record, EntriesRecord):
            waiting = self._waiting.get(record.number)
            if waiting is None or waiting.end != record.first:
                self._drop(record.number)
                waiting = self._waiting[record.number] = _Waiting(record.first)
            waiting.add(record.entries)
        elif isinstance(record, HeadRecord):
            self._head(done, record)
        else:
            self._object(done, record)

    def _drop(self, number: int) -> None:
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            waiting.close()

    def _head(self, done: Unpacked, record: HeadRecord) -> None:
        """Only now do entries reach the store: anybody who knows the hub's recipient can write a disk, and what they wrote would else stand against the post."""
        waiting = self._waiting.get(record.number) or _Waiting(0)
        try:
            if not self._knows(record.post, record.key):
                raise DiskError(
                    f"a head of log {record.number} that is signed by no key of {record.post} that is known here",
                    why="a new key is taken over the link alone, where the post shows its certificate",
                )
            found = self._store.take_carried(
                record.post, record.number, waiting.first, waiting.entries, record.note, record.key
            )
            if isinstance(found, Refused):
                if not found.later:
                    done.problems.append(
                        f"log {record.number} of {record.post} is not taken: {found.what}: {found.why}"
                    )
                raise DiskError("the ledger on it is not taken", why=f"{found.what}: {found.why}")
            while found.untold and self._store.tell_more(record.post):
                pass
            done.logs[record.number] = found.size, found.note
            done.entries += waiting.end - waiting.first
        finally:
            waiting.close()
            self._waiting.pop(record.number, None)

    def _object(self, done: Unpacked, record: ObjectRecord) -> None:
        info, name = record.info, _segment(record)
        done.objects += 1
        if info.kind not in {"closing", "piece"}:
            raise DiskError(f"an object of kind {info.kind} in a pack")
        begun = self._store.begin_object(info)
        if not isinstance(begun, Refused) and begun < info.size:
            done.new += 1
            for at in range(begun, info.size, _PART_BYTES):
                self._store.add_chunk(info.sha256, at, record.data[at : at + _PART_BYTES])
        finished = begun if isinstance(begun, Refused) else self._store.finish_object(info)
        if isinstance(finished, Refused):
            if finished.what == "no_room":
                raise LongwatchError(
                    "this hub can keep no more now", why=finished.why, remedy="make room, and run the same again"
                )  # fmt: skip
            done.refused[name] = f"{finished.what}: {finished.why}"

    def _write_receipt(self, done: Unpacked, folder: Path) -> None:
        rows = tuple(sorted(done.refused.items()))
        receipt = Receipt(done.pack, done.post, self._hub, self._now_us(), done.taken, rows, done.logs)
        path = folder / form.RECEIPT_FILE
        try:
            write_whole(path, receipt.encode(self._sign))
        except OSError as error:
            text = f"the receipt cannot be written to the disk: {error.strerror or error}"
            if text not in done.problems:
                done.problems.append(text)
            return
        done.receipt = path


def _segment(record: ObjectRecord) -> SegmentName:
    info = record.info
    return info.camera, info.stream, info.boot, info.run, info.sequence


def _read(path: Path, most: int) -> bytes:
    """Raises DiskError for what cannot be read, or is larger than anything of ours."""
    try:
        data = read_plain(path, most)
    except OSError as error:
        raise DiskError(
            f"{path} cannot be read", why=error.strerror or str(error), remedy="is the disk there?"
        ) from error
    if len(data) > most:
        raise DiskError(f"{path} is larger than it can be")
    return data
