"""Packing a disk for the hub: ledger entries with the head that covers them, then segments, oldest first, in encrypted files.

A disk that was pulled out is gone on with where it was: each file is written beside, flushed, renamed, and only then noted at the post. What
was in a file that did not become whole is packed again. Nothing at the post is changed: what is packed stays until a receipt came back.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyrage
import structlog

from longwatch.base.errors import LongwatchError, UsageError
from longwatch.courier import form
from longwatch.courier.form import EntriesRecord, HeadRecord, ObjectRecord, PackHead
from longwatch.courier.travelling import Pack, SegmentName, Travelling
from longwatch.model.uplink import LogHead, LogSource, ObjectInfo, ObjectSource

_ENTRIES_AT_ONCE = 512
_log = structlog.get_logger(__name__)
Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Parcel:
    """A segment that is to be packed. bytes: about how many. count: of how many objects it is. objects: those that were read and found whole; raises
    LongwatchError where it is damaged or gone.
    """

    name: SegmentName
    bytes: int
    count: Callable[[], int]
    objects: Callable[[], Sequence[ObjectInfo]]


@dataclass(slots=True)
class Packed:
    """What became of it. left: segments that found no room within the limit. failed: those that could not be read, and why."""

    pack: str
    folder: Path
    files: int = 0
    bytes: int = 0
    segments: int = 0
    entries: int = 0
    left: int = 0
    failed: list[tuple[SegmentName, str]] = field(default_factory=list)


class Packer:
    """post, hub: ids. recipient: the hub's (`trust.courier_key`). log: the post's published logs."""

    def __init__(
        self, travelling: Travelling, post: str, hub: str, recipient: pyrage.x25519.Recipient, log: LogSource,
        objects: ObjectSource,
    ) -> None:  # fmt: skip
        self._travelling = travelling
        self._post = post
        self._hub = hub
        self._recipient = recipient
        self._log = log
        self._objects = objects

    def find(self, disk: Path) -> Pack | None:
        """The pack of ours on this disk that is not closed, if there is one."""
        known = {pack.pack: pack for pack in self._travelling.packs() if pack.hub == self._hub and not pack.closed}
        for folder in pack_folders(disk):
            if folder.name in known:
                return known[folder.name]
        return None

    def begin(self, disk: Path, made_us: int, name: str) -> Pack:
        """A new one on this disk: its folder, and what the post notes of it. Raises LongwatchError."""
        pack = Pack(name, self._hub, made_us)
        folder = disk / form.FOLDER / name
        with writing(disk):
            folder.mkdir(parents=True)
            write_whole(folder / form.PACK_FILE, self._head(pack).encode())
        self._travelling.begin(pack)
        return pack

    def _head(self, pack: Pack, files: int | None = None) -> PackHead:
        return PackHead(pack.pack, self._post, self._hub, pack.made_us, files)

    def missing(self, disk: Path, pack: Pack) -> list[str]:
        """Files that were whole and are not on this disk as they were, by length: what they held will be packed again."""
        folder = disk / form.FOLDER / pack.pack
        lost = []
        for name, (_, size) in list(pack.files.items()):
            try:
                there = (folder / name).stat().st_size
            except OSError:
                there = -1
            if there != size:
                lost.append(name)
                self._travelling.drop(pack, name)
        return lost

    def pack(
        self, disk: Path, pack: Pack, parcels: Iterable[Parcel], held: Mapping[int, int], limit_bytes: int | None,
        progress: Progress | None = None, total_bytes: int = 0,
    ) -> Packed:  # fmt: skip
        """Go on until all is packed, or so many bytes lie on the disk. held: entries of each log that the hub has verified. Raises LongwatchError where
        the disk takes no more; what is on it then is whole.
        """
        done = Packed(pack.pack, disk / form.FOLDER / pack.pack)
        writer = _Writer(done.folder, self._head(pack), self._recipient, pack, self._travelling)
        with writing(disk):
            done.entries = self._pack_logs(writer, pack, held)
            for parcel in parcels:
                if parcel.name in pack.whole:
                    continue
                if limit_bytes is not None and pack.bytes + writer.size + parcel.bytes > limit_bytes:
                    done.left += 1
                    continue
                try:
                    if self._pack_segment(writer, parcel):
                        done.segments += 1
                    else:
                        done.failed.append((parcel.name, "a part of it is damaged, and was left out"))
                except LongwatchError as error:
                    done.failed.append((parcel.name, str(error)))
                    writer.forget(parcel.name)
                if progress is not None:
                    progress(pack.bytes + writer.size, total_bytes)
            writer.flush()
            write_whole(done.folder / form.PACK_FILE, self._head(pack, len(pack.files)).encode())
        self._travelling.close(pack)
        done.files, done.bytes = len(pack.files), pack.bytes
        return done

    def _pack_logs(self, writer: _Writer, pack: Pack, held: Mapping[int, int]) -> int:
        """Every log that the hub may lack something of, older ones first."""
        count = 0
        for head in self._log.logs(self._post):
            begin = max(held.get(head.number, 0), pack.logs.get(head.number, 0))
            if begin >= head.size:
                continue
            for first, entries in _bundles(self._log, head, begin):
                writer.add(form.encode_record(EntriesRecord(self._post, head.number, first, entries)))
                count += len(entries)
            writer.logs[head.number] = head.size
            writer.add(form.encode_record(HeadRecord(self._post, head.number, head.note, head.key)))
        return count

    def _pack_segment(self, writer: _Writer, parcel: Parcel) -> bool:
        """Whether it was all of it."""
        infos = parcel.objects()
        whole = (
            len(infos) == parcel.count()
        )  # what is damaged is left out: the rest is worth having, and is not all of it
        for n, info in enumerate(infos):
            data = self._objects.read(info, 0, info.size)
            if len(data) != info.size or hashlib.sha256(data).digest() != info.sha256:
                raise LongwatchError("it changed while it was read", remedy="run `longwatch check --hash`")
            writer.add(form.encode_record(ObjectRecord(info, data)), parcel.name, ends=whole and n == len(infos) - 1)
        return whole


class _Writer:
    """One file after another. size: of what is not on the disk yet."""

    def __init__(
        self, folder: Path, head: PackHead, recipient: pyrage.x25519.Recipient, pack: Pack, travelling: Travelling
    ) -> None:
        self.logs: dict[int, int] = {}
        self._folder = folder
        self._head = head
        self._recipient = recipient
        self._pack = pack
        self._travelling = travelling
        self._parts: dict[SegmentName, bool] = {}
        self._number = 1 + max((int(name[:6]) for name in pack.files), default=0)
        self._buffer = bytearray(form.beginning(head, self._number))
        self._empty = len(self._buffer)

    @property
    def size(self) -> int:
        return len(self._buffer) - self._empty

    def add(self, record: bytes, segment: SegmentName | None = None, *, ends: bool = False) -> None:
        if len(record) + self._empty > form.MOST_PLAIN_BYTES:
            raise LongwatchError("an object is too large for a file of a pack", why=f"{len(record)} bytes")
        if self.size and len(self._buffer) + len(record) > form.FULL_BYTES:
            self.flush()
        self._buffer += record
        if segment is not None:
            self._parts[segment] = ends

    def forget(self, segment: SegmentName) -> None:
        """Not all of it could be packed: it is not counted as packed."""
        self._parts.pop(segment, None)
        self._pack.whole.discard(segment)

    def flush(self) -> None:
        if not self.size:
            return
        data = pyrage.encrypt(bytes(self._buffer), [self._recipient])
        name = form.file_name(self._number)
        write_whole(self._folder / name, data)
        digest = hashlib.sha256(data).hexdigest()
        self._travelling.add_file(self._pack, name, digest, len(data), self._parts, self.logs)
        self._number += 1
        self._buffer = bytearray(form.beginning(self._head, self._number))
        self._empty = len(self._buffer)
        self._parts, self.logs = {}, {}


def pack_folders(disk: Path) -> list[Path]:
    """What packs there are on a disk, by name."""
    try:
        found = sorted(path for path in (disk / form.FOLDER).iterdir() if (path / form.PACK_FILE).is_file())
        return [path for path in found if not path.is_symlink()]  # a receipt is written to the disk, and nowhere else
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LongwatchError(f"{disk} cannot be read", why=error.strerror or "", remedy="is the disk there?") from error


@contextmanager
def writing(disk: Path) -> Iterator[None]:
    """What a disk refuses, in words for who holds it in hands."""
    if not disk.is_dir():
        raise UsageError(f"{disk} is not a folder", remedy="mount the disk first, and name the folder where it is")
    try:
        yield
    except OSError as error:
        if error.errno == 28:
            why, remedy = "it is full", "what is on it is whole; go on with another disk, or give --limit"
        else:
            why, remedy = error.strerror or str(error), "put it back and run the same again: it goes on where it was"
        raise LongwatchError(f"the disk at {disk} takes no more", why=why, remedy=remedy) from error


def read_plain(path: Path, most: int) -> bytes:
    """A file of a disk, `most` + 1 bytes of it at most. What is no file (a pipe would be waited for for ever) or a link raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        return file.read(most + 1)


def write_whole(path: Path, data: bytes) -> None:
    """Written beside, flushed, renamed, its folder flushed. Raises OSError."""
    beside = path.with_name(f"{path.name}.part")
    beside.unlink(missing_ok=True)  # from a cut; or a pipe or a link that somebody laid there
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        at = 0
        while at < len(data):
            at += os.write(descriptor, data[at : at + (8 << 20)])
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _bundles(log: LogSource, head: LogHead, begin: int) -> Iterator[tuple[int, list[bytes]]]:
    at = begin
    while at < head.size:
        entries = log.entries(head.post, head.number, at, min(head.size, at + _ENTRIES_AT_ONCE))
        if not entries:
            raise LongwatchError(f"entry {at} of the ledger cannot be read", remedy="run `longwatch check --ledger`")
        yield at, entries
        at += len(entries)
