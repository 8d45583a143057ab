"""How bytes reach the disk: the few calls that docs/design/segment-lifecycle.md is about, in one place.

`Flushing` is what runs in production. Tests hand a class of their own to `Options` that forgets a flush, returns EIO, or
ends the process at a numbered step; that is how the negative controls of the power-cut rig and the kill tests are made.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import platform
from collections.abc import Sequence
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_IOV_MAX = 1000
_PROBE_BYTES = 64 * 1024
_PAGE_BYTES = mmap.PAGESIZE


class Flushing:
    """Writes and flushes. Every method raises OSError where the system says so, and does nothing else about it.

    synchronous: of the index (FULL flushes the write-ahead log at every commit).
    """

    synchronous = "FULL"

    def step(self, number: str) -> None:
        """Called after each numbered step of the storage procedure. Production does nothing here."""

    def create(self, path: Path) -> int:
        """A new file, never an old one. Returns its descriptor."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)

    def write(self, descriptor: int, parts: Sequence[bytes], offset: int) -> int:
        """All of `parts` at `offset`; returns the bytes written."""
        written = 0
        for first in range(0, len(parts), _IOV_MAX):
            views = [memoryview(part) for part in parts[first : first + _IOV_MAX]]
            while views:
                count = os.pwritev(descriptor, views, offset + written)
                if count == 0:
                    raise OSError(5, "nothing was written")
                written += count
                while views and count >= len(views[0]):
                    count -= len(views.pop(0))
                if views and count:
                    views[0] = views[0][count:]
        return written

    def reports_syncfs_errors(self) -> bool:
        """Linux reports write-back errors by syncfs since 5.8; before that every file must be flushed by itself."""
        release = platform.release().split("-")[0].split(".")
        try:
            return (int(release[0]), int(release[1])) >= (5, 8)
        except (ValueError, IndexError):
            return False

    def flush_volume(self, descriptor: int) -> None:
        """syncfs(2): all that was written on this disk, data and directories, is durable when it returns."""
        _syncfs(descriptor)

    def flush_file(self, descriptor: int) -> None:
        """fdatasync(2) of one file."""
        os.fdatasync(descriptor)

    def flush_directory(self, path: Path) -> None:
        """The names in a directory."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    # -- the ledger's files (publishing_mirror.py)

    def put(self, path: Path, content: bytes) -> None:
        """A file of the log, whole; not flushed. One that is there is removed first: no checkpoint speaks of it yet."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        _write_whole(path, content)

    def flush_log(self, descriptor: int, top: Path, written: Sequence[Path]) -> None:
        """All of `written`, and their names, are durable when it returns. descriptor: of the volume; top: its path, which was there
        before.
        """
        if self.reports_syncfs_errors():
            _syncfs(descriptor)
            return
        folders: set[Path] = set()
        for path in written:
            _fsync(path)
            folders.update(parent for parent in path.parents if parent.is_relative_to(top))
        for folder in sorted(folders, reverse=True):
            _fsync(folder)

    def replace(self, path: Path, content: bytes) -> None:
        """A file that is changed as a whole: write new, flush, rename, flush the directory. Durable when it returns."""
        new = path.with_name(f"{path.name}.new")
        new.unlink(missing_ok=True)
        _write_whole(new, content)
        _fsync(new)
        self.step("P5")
        new.rename(path)
        self.step("P6")
        _fsync(path.parent)

    def forget(self, descriptor: int, start: int, end: int) -> int:
        """What is durable from `start` to `end`, which lies behind it, need not stay in memory; returns where the next such stretch begins. Advice: that a
        filesystem does not take it is no error.

        Media is written once and seldom read. Its pages are given back while the processor's caches still hold them, and the
        next fragments are written to the same ones; otherwise each fragment is copied into memory that is cold.
        """
        with contextlib.suppress(OSError):
            os.posix_fadvise(descriptor, start, end - start, os.POSIX_FADV_DONTNEED)
        return end // _PAGE_BYTES * _PAGE_BYTES

    def unlink(self, path: Path) -> None:
        """Remove a file; that it is not there is no error."""
        path.unlink(missing_ok=True)

    def probe(self, folder: Path) -> None:
        """Write a fresh file, flush it, read it back past the page cache, and remove it. Raises OSError where any of it fails
        or what comes back is not what was written.
        """
        path = folder / f".probe-{os.getpid()}"
        path.unlink(missing_ok=True)
        content = os.urandom(_PROBE_BYTES)
        descriptor = self.create(path)
        try:
            self.write(descriptor, [content], 0)
            self.flush_file(descriptor)
            self.flush_directory(folder)
            if _read_direct(path, len(content)) != content:
                raise OSError(5, "what was read back is not what was written", str(path))
        finally:
            os.close(descriptor)
            path.unlink(missing_ok=True)


def _syncfs(descriptor: int) -> None:
    if _libc.syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_whole(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    try:
        view, written = memoryview(content), 0
        while written < len(view):
            written += os.pwrite(descriptor, view[written:], written)
    finally:
        os.close(descriptor)


def _read_direct(path: Path, size: int) -> bytes:
    """The file's bytes from the disk itself; where its filesystem has no O_DIRECT, after asking the cache to forget them."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != 22:
            raise
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    try:
        with mmap.mmap(-1, size) as aligned:
            count = os.preadv(descriptor, [aligned], 0)
            return bytes(aligned[:count])
    finally:
        os.close(descriptor)
