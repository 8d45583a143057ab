"""The media files of one volume: what its I/O thread does in a tick, as the numbered storage procedure says.

Steps S1 to S4 of docs/design/segment-lifecycle.md: create (O_EXCL), write, flush; what then became durable is handed to the
index as `SegmentState`s (cumulative, so that a commit that failed can be made good by the next). Nothing here deletes.
Owner of the state: the volume's I/O thread, which alone calls every method but `__init__`.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from longwatch.archive import fragment_table
from longwatch.archive.flushing import Flushing
from longwatch.archive.mending import lift, seal_file
from longwatch.archive.names import segment_path
from longwatch.archive.ops import FragmentAppend, MediaOp, SegmentOpen, SegmentSeal
from longwatch.archive.volumes import read_identity
from longwatch.base.errors import LongwatchError
from longwatch.formats import bmff
from longwatch.ledger import segment_root
from longwatch.model.causes import Cause
from longwatch.model.stores import FragmentRow

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class SegmentState:
    """A segment as the index shall know it from now on. fragments: its packed table. root, closing_sha256 (of the closing box): set
    where sealed.
    """

    token: int
    opened: SegmentOpen
    boot: str
    volume: int
    header_sha256: bytes
    header_bytes: int
    durable_bytes: int
    file_bytes: int
    end_90k: int
    wall_end_us: int
    fragments: bytes = field(repr=False)
    count: int
    damaged: bool
    sealed: bool
    root: bytes = b""
    recovered: bool = False
    abandoned: bool = False
    closing_sha256: bytes = b""


@dataclass(frozen=True, slots=True)
class Written:
    """What one tick came to on the disk. cause: of the first failure, with its words. whole_volume: nothing more is
    acknowledged here until the volume is verified again.
    """

    states: tuple[SegmentState, ...]
    failed: frozenset[int] = frozenset()
    cause: Cause | None = None
    detail: str = ""
    whole_volume: bool = False


class RemovedError(OSError):
    """Somebody removed the file that was being written. Its disk is not at fault, and no other file suffers."""


def cause_of(error: OSError) -> Cause:
    """A full disk (no bytes, no inodes, a quota, a limit of size) is told apart from a failing one."""
    return Cause.STORAGE_FULL if error.errno in _FULL else Cause.STORAGE_FAILED


class OpenFile:
    """A segment that is being written. What lies beyond the `kept_*` fields was not flushed yet."""

    def __init__(self, opened: SegmentOpen, path: Path, descriptor: int) -> None:
        self.opened = opened
        self.path = path
        self.descriptor = descriptor
        self.rows: list[FragmentRow] = []
        self.table = bytearray()
        self.end = self.header_bytes = len(opened.header)
        self.header_sha256 = hashlib.sha256(opened.header).digest()
        self.end_90k = opened.start_90k
        self.last_90k = 0
        self.wall_end_us = opened.wall_start_us
        self.damaged = False
        self.sealed = False
        self.file_bytes = self.end
        self.closing_sha256 = b""
        self.guards: list[int] = []  # of what was written since the last flush
        self.forgotten = 0  # up to here the system was told to keep nothing in memory
        self.kept: SegmentState | None = None

    def state(self, boot: str, volume: int) -> SegmentState:
        """As it stands now, flushed or not."""
        root = segment_root(self.header_sha256, (row.sha256 for row in self.rows)) if self.sealed else b""
        return SegmentState(
            self.opened.token, self.opened, boot, volume, self.header_sha256, self.header_bytes, self.end, self.file_bytes,
            self.end_90k, self.wall_end_us, bytes(self.table), len(self.rows), self.damaged, self.sealed, root,
            closing_sha256=self.closing_sha256,
        )  # fmt: skip


class SegmentFiles:
    """The open segments of one volume.

    volume: its row in the index. broken: why nothing more is acknowledged here until `verify` was content; None while well.
    """

    def __init__(self, path: Path, volume: int, volume_id: str, boot: str, flushing: Flushing) -> None:
        self.path = path
        self.volume_id = volume_id
        self.volume = volume
        self._boot = boot
        self.broken: Cause | None = None
        self._flushing = flushing
        self._open: dict[int, OpenFile] = {}
        self._abandoned: dict[int, OpenFile] = {}
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._by_file = not flushing.reports_syncfs_errors()
        self._known_folders: set[Path] = {path}

    @property
    def flushes_each_file(self) -> bool:
        """True on kernels whose syncfs(2) hides errors."""
        return self._by_file

    def perform(self, media: Sequence[MediaOp]) -> Written:
        """One tick: create, write, flush. Never raises OSError: what failed is in the result."""
        if self.broken is not None:
            tokens = frozenset(op.token for op in media)
            self._abandon(tokens)
            return self._outcome((), tokens, self.broken, f"{self.path} awaits verification", whole=True)
        failed: dict[int, OSError] = {}
        created: list[OpenFile] = []
        touched: dict[int, OpenFile] = {}
        for op in media:
            if op.token in failed:
                continue
            try:
                file = self._carry_out(op, created)
                touched[op.token] = file
            except OSError as error:
                failed[op.token] = error
                touched.pop(op.token, None)
        if touched:
            self._flushing.step("S3")
            self._flush(created, touched, failed)
            self._show(created, touched, failed)
            self._flushing.step("S4")
        return self._finish(touched, failed)

    def _carry_out(self, op: MediaOp, created: list[OpenFile]) -> OpenFile:
        if isinstance(op, SegmentOpen):
            file = self._create(op)
            created.append(file)
            return file
        held = self._open.get(op.token)
        if held is None:
            raise OSError(errno.EBADF, "the segment was abandoned or never opened")
        if isinstance(op, FragmentAppend):
            self._append(held, op)
        else:
            self._close(held, op)
        return held

    def _create(self, op: SegmentOpen) -> OpenFile:
        path = self.path / segment_path(op.key, self._boot, op.run, op.sequence, op.wall_start_us)
        self._make_folder(path.parent)
        try:
            descriptor = self._flushing.create(path)
        except FileNotFoundError:  # somebody removed the folder since it was made
            self._known_folders = {self.path}
            self._make_folder(path.parent)
            descriptor = self._flushing.create(path)
        file = OpenFile(op, path, descriptor)
        self._open[op.token] = file
        self._flushing.step("S1")
        self._flushing.write(file.descriptor, [op.header], 0)
        self._flushing.step("S2")
        return file

    def _make_folder(self, folder: Path) -> None:
        """Make what is missing of it; the name of each new folder is flushed in the one above."""
        if folder in self._known_folders:
            return
        self._make_folder(folder.parent)
        try:
            folder.mkdir(mode=0o750)
        except FileExistsError:
            pass
        else:
            self._flushing.flush_directory(folder.parent)
        self._known_folders.add(folder)

    def _append(self, file: OpenFile, op: FragmentAppend) -> None:
        start = file.end + bmff.GUARD_BYTES
        if op.row.offset != start or file.sealed:
            raise OSError(errno.EINVAL, f"a fragment made for offset {op.row.offset}, where {start} is next")
        if os.fstat(file.descriptor).st_nlink == 0:
            raise RemovedError(errno.ENOENT, f"{file.path} was removed while it was written")
        digest = hashlib.sha256()
        for part in op.parts:
            digest.update(part)
        size = sum(map(len, op.parts))
        self._flushing.write(file.descriptor, [bmff.guard(size), *op.parts], file.end)
        self._flushing.step("S2")
        file.guards.append(file.end)
        row = replace(op.row, size=size, sha256=digest.digest())
        fragment_table.append(file.table, row, file.end, file.last_90k)
        file.rows.append(row)
        file.file_bytes = file.end = start + size
        file.last_90k = file.end_90k = row.end_90k
        file.wall_end_us = op.wall_end_us
        file.damaged = file.damaged or op.damaged

    def _close(self, file: OpenFile, op: SegmentSeal) -> None:
        box = bmff.closing(file.rows, op.sample_index, wall_end_us=file.wall_end_us, damaged=file.damaged)
        self._flushing.write(file.descriptor, [bmff.guard(len(box)), box], file.end)
        self._flushing.step("S2")
        file.guards.append(file.end)
        file.file_bytes = file.end + bmff.GUARD_BYTES + len(box)
        file.closing_sha256 = hashlib.sha256(box).digest()
        file.sealed = True

    def _flush(self, created: list[OpenFile], touched: dict[int, OpenFile], failed: dict[int, OSError]) -> None:
        """S4: one flush for the disk; where that fails, each open file by its own descriptor says whether it is among the lost."""
        try:
            if not self._by_file:
                self._flushing.flush_volume(self._descriptor)
                return
        except OSError as error:
            whole = error
        else:
            for token, file in list(touched.items()):
                self._flush_alone(token, file, created, touched, failed)
            return
        self.broken = cause_of(whole)
        before = len(failed)
        for token, file in list(self._open.items()):
            self._flush_alone(token, file, created, touched, failed)
        if len(failed) == before:
            for token in list(self._open):
                failed[token] = whole
                touched.pop(token, None)

    def _show(self, created: list[OpenFile], touched: dict[int, OpenFile], failed: dict[int, OSError]) -> None:
        """Lift the guards of what is flushed now. A new file's are flushed at once, so that no player meets a file with
        acknowledged media and none to see; those of the others go with the next tick's flush.
        """
        for token, file in list(touched.items()):
            lift(file.descriptor, file.guards)
            if file in created and file.guards:
                self._flush_alone(token, file, (), touched, failed)
            if file.guards:
                file.forgotten = self._flushing.forget(file.descriptor, file.forgotten, file.guards[0])
            file.guards.clear()

    def _flush_alone(
        self,
        token: int,
        file: OpenFile,
        created: Sequence[OpenFile],
        touched: dict[int, OpenFile],
        failed: dict[int, OSError],
    ) -> None:
        try:
            self._flushing.flush_file(file.descriptor)
            if file in created:
                self._flushing.flush_directory(file.path.parent)
        except OSError as error:
            failed[token] = error
            touched.pop(token, None)

    def _finish(self, touched: dict[int, OpenFile], failed: dict[int, OSError]) -> Written:
        states = []
        for token, file in touched.items():
            state = file.state(self._boot, self.volume)
            file.kept = state
            states.append(state)
            if file.sealed:
                self._open.pop(token, None)
                os.close(file.descriptor)
        if not failed:
            return Written(tuple(states))
        first = next((error for error in failed.values() if not isinstance(error, RemovedError)), None)
        if first is None:
            first = next(iter(failed.values()))
        elif self.broken is None:
            self.broken = cause_of(first)
        cause = cause_of(first)
        self._abandon(failed)
        return self._outcome(
            states,
            frozenset(failed),
            cause,
            f"{self.path}: {first.strerror or first}",
            whole=not touched and self.broken is not None,
        )

    def _outcome(
        self, states: Sequence[SegmentState], tokens: frozenset[int], cause: Cause, detail: str, *, whole: bool
    ) -> Written:
        gone = [file.kept for token, file in self._abandoned.items() if token in tokens and file.kept is not None]
        marked = [replace(state, abandoned=True) for state in gone]
        return Written((*states, *marked), tokens, cause, detail, whole)

    def _abandon(self, tokens: Sequence[int] | frozenset[int] | dict[int, OSError]) -> None:
        """The first failure is final: a second flush would say yes and the data is gone. The file stays as it is."""
        for token in tokens:
            file = self._open.pop(token, None)
            if file is not None:
                self._abandoned[token] = file
                try:
                    os.close(file.descriptor)
                except OSError:
                    continue  # a failing disk says so again; the descriptor is free all the same

    def verify(self, needed_bytes: int) -> str:
        """Whether a volume that failed may be used again: "" where a fresh file was written, flushed and read back from the
        disk (and, on a full one, there is room); else why not.
        """
        try:
            identity = read_identity(self.path)
            if identity is None or identity.volume_id != self.volume_id:
                return f"{self.path} does not hold volume {self.volume_id}: is its disk mounted?"
            self._reopen()
            stat = os.fstatvfs(self._descriptor)
            if stat.f_bavail * stat.f_frsize < needed_bytes:
                return f"{self.path} is full: {stat.f_bavail * stat.f_frsize} bytes are free, {needed_bytes} are needed"
            self._flushing.probe(self.path)
            if not self._by_file:
                self._flushing.flush_volume(self._descriptor)
        except (OSError, LongwatchError) as error:
            return f"{self.path}: {error}"
        self.broken = None
        return ""

    def _reopen(self) -> None:
        """The disk may have been mounted anew: flushing goes to what is at the path now."""
        fresh = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._descriptor, old = fresh, self._descriptor
        os.close(old)
        self._known_folders = {self.path}

    def mend(self) -> list[SegmentState]:
        """Seal what was abandoned, at what was acknowledged of it: what the disk failed to take is not believed. Raises OSError."""
        mended = []
        for token, file in list(self._abandoned.items()):
            kept = file.kept
            if kept is not None:
                rows = file.rows[: kept.count]
                try:
                    closed = seal_file(
                        file.path, kept.durable_bytes, rows, kept.wall_end_us, kept.damaged, self._flushing
                    )
                except FileNotFoundError:  # removed by somebody: the next start says that it is gone
                    del self._abandoned[token]
                    continue
                root = segment_root(kept.header_sha256, (row.sha256 for row in rows))
                mended.append(
                    replace(
                        kept, sealed=True, recovered=True, abandoned=False, root=root, file_bytes=closed.file_bytes,
                        closing_sha256=closed.sha256,
                    )
                )  # fmt: skip
            del self._abandoned[token]
        return mended

    def open_tokens(self) -> frozenset[int]:
        """The segments that are being written."""
        return frozenset(self._open)

    def free_bytes(self) -> tuple[int, int]:
        """Bytes free for us, and the size of the disk."""
        stat = os.statvfs(self._descriptor)
        return stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize

    def close(self) -> None:
        """Give the descriptors back. What is open stays open in the index: the next start mends it."""
        for file in self._open.values():
            os.close(file.descriptor)
        self._open.clear()
        os.close(self._descriptor)
