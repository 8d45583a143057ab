"""Ways to get it wrong: `Flushing`s that forget a flush, lie, fail on cue, or end the process at a numbered step.

Handed to Archive through `Options.flushing`. FAULTS are the negative controls of the power-cut rig: each one must be caught.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from longwatch.archive import Archive, Flushing, publishing
from longwatch.archive.signed_log import SignedLog


class NormalCommits(Flushing):
    """The index is not flushed at commit."""

    synchronous = "NORMAL"


class NoCommitFlush(Flushing):
    """The index is never flushed."""

    synchronous = "OFF"


class NoVolumeFlush(Flushing):
    """Media is never flushed."""

    def flush_volume(self, descriptor: int) -> None:
        return

    def flush_file(self, descriptor: int) -> None:
        return


class ByFile(Flushing):
    """No fault: as on a kernel before 5.8, every file by itself, and the directory of each new one."""

    def reports_syncfs_errors(self) -> bool:
        return False


class NoDirectoryFlush(ByFile):
    """Files are flushed by themselves, and their names are not."""

    def flush_directory(self, path: Path) -> None:
        return


class WrongVolume(Flushing):
    """Flushes another disk than the one that was written to."""

    def flush_volume(self, descriptor: int) -> None:
        other = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        try:
            super().flush_volume(other)
        finally:
            os.close(other)


class ForgetsTheLast(Flushing):
    """Writes all parts but the last one after the flush."""

    def __init__(self) -> None:
        self._late: list[tuple[int, bytes, int]] = []

    def write(self, descriptor: int, parts: Sequence[bytes], offset: int) -> int:
        first = super().write(descriptor, parts[:-1], offset) if len(parts) > 1 else 0
        self._late.append((descriptor, parts[-1], offset + first))
        return first + len(parts[-1])

    def flush_volume(self, descriptor: int) -> None:
        super().flush_volume(descriptor)
        late, self._late = self._late, []
        for where, content, offset in late:
            super().write(where, [content], offset)


class NoFileFlush(ByFile):
    """Names are flushed, and bytes are not."""

    def flush_file(self, descriptor: int) -> None:
        return


class EverySecondFlush(Flushing):
    """Every second flush of a volume is left out."""

    _turn = 0

    def flush_volume(self, descriptor: int) -> None:
        self._turn += 1
        if self._turn % 2:
            super().flush_volume(descriptor)


class LateFlush(Flushing):
    """Acknowledges, and flushes half a second later."""

    def flush_volume(self, descriptor: int) -> None:
        copy = os.dup(descriptor)

        def later() -> None:
            Flushing.flush_volume(self, copy)
            os.close(copy)

        timer = threading.Timer(0.5, later)
        timer.daemon = True
        timer.start()


class FirstFlushOnly(Flushing):
    """Flushes once, and then never again."""

    _done = False

    def flush_volume(self, descriptor: int) -> None:
        if not self._done:
            self._done = True
            super().flush_volume(descriptor)


class RangeFlush(ByFile):
    """sync_file_range instead of fdatasync: starts the writing, flushes no disk cache and no metadata."""

    def flush_file(self, descriptor: int) -> None:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


class WritesLate(Flushing):
    """Flushes before it writes: the last part of each write comes after the flush."""

    def __init__(self) -> None:
        self._late: list[tuple[int, bytes, int]] = []

    def write(self, descriptor: int, parts: Sequence[bytes], offset: int) -> int:
        content = b"".join(parts)
        self._late.append((descriptor, content, offset))
        return len(content)

    def flush_volume(self, descriptor: int) -> None:
        super().flush_volume(descriptor)
        late, self._late = self._late, []
        for where, content, offset in late:
            super().write(where, [content], offset)


class SwallowsErrors(Flushing):
    """A flush that fails is taken for one that did not."""

    def flush_volume(self, descriptor: int) -> None:
        try:
            super().flush_volume(descriptor)
        except OSError:
            return


class HeadsBeforeTiles(Flushing):
    """The ledger's head is shown first, and then what it speaks of is written."""

    def __init__(self) -> None:
        self._late: dict[int, list[tuple[Path, bytes]]] = {}

    def put(self, path: Path, content: bytes) -> None:
        self._late.setdefault(threading.get_ident(), []).append((path, content))
        path.parent.mkdir(parents=True, exist_ok=True)

    def flush_log(self, descriptor: int, top: Path, written: Sequence[Path]) -> None:
        return

    def replace(self, path: Path, content: bytes) -> None:
        super().replace(path, content)
        time.sleep(0.03)  # as slow as a disk of plates: the mistake is the order, not how seldom it shows
        late = self._late.pop(threading.get_ident(), [])
        for where, what in late:
            super().put(where, what)
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            super().flush_log(descriptor, path.parent, [where for where, _ in late])
        finally:
            os.close(descriptor)


class NoLogFlush(Flushing):
    """Tiles and bundles of the ledger are written and not flushed."""

    def flush_log(self, descriptor: int, top: Path, written: Sequence[Path]) -> None:
        return


class HeadsInPlace(Flushing):
    """The checkpoint is overwritten where it stands."""

    def replace(self, path: Path, content: bytes) -> None:
        path.write_bytes(b"")
        path.write_bytes(content)


class HeadsNotFlushed(Flushing):
    """The checkpoint is renamed into its place, and neither it nor its name is flushed."""

    def replace(self, path: Path, content: bytes) -> None:
        new = path.with_name("checkpoint.new")
        new.write_bytes(content)
        new.rename(path)


class ShownBeforeNoted(Flushing):
    """A head leaves the process before the index has noted that it was signed."""

    def sabotage(self, archive: Archive) -> None:
        """Each note is committed when the next one comes."""
        real, owed = publishing.note_signed, []

        def late(*note: Any) -> SignedLog:
            for earlier in owed:
                real(*earlier)
            owed[:] = [note]
            _, log, signed, text = note
            return replace(log, size=signed.size, root=signed.root, text=text)

        publishing.note_signed = late


FAULTS: dict[str, Callable[[], Flushing]] = {
    "none": Flushing,
    "by-file": ByFile,
    "normal-commits": NormalCommits,
    "no-commit-flush": NoCommitFlush,
    "no-volume-flush": NoVolumeFlush,
    "no-directory-flush": NoDirectoryFlush,
    "no-file-flush": NoFileFlush,
    "every-second-flush": EverySecondFlush,
    "late-flush": LateFlush,
    "first-flush-only": FirstFlushOnly,
    "range-flush": RangeFlush,
    "writes-late": WritesLate,
    "wrong-volume": WrongVolume,
    "forgets-the-last": ForgetsTheLast,
    "heads-before-tiles": HeadsBeforeTiles,
    "no-log-flush": NoLogFlush,
    "heads-in-place": HeadsInPlace,
    "heads-not-flushed": HeadsNotFlushed,
    "shown-before-noted": ShownBeforeNoted,
}
SOUND = ("none", "by-file", "no-directory-flush")
"""No mistakes, or none that a disk shows: on ext4, xfs and btrfs the flush of a new file takes its name along (measured: 0 lost
in 160 cuts, with index and media apart). The flush of the directory stays, for a filesystem that does only what POSIX says.
"""


class EndsAt(Flushing):
    """Ends the process, without a word, when step `number` is reached for the nth time."""

    def __init__(self, number: str, nth: int = 1) -> None:
        self._number = number
        self._left = nth

    def step(self, number: str) -> None:
        if number == self._number:
            self._left -= 1
            if self._left == 0:
                os._exit(77)


class FailsAt(Flushing):
    """The nth operation on the disk fails with `code`, and so do the `more` that follow it.

    only: limits the count to operations of these names (create, write, flush_volume, flush_file, flush_directory, unlink; put,
    flush_log and replace, which are the ledger's files).
    """

    def __init__(self, nth: int, code: int = errno.EIO, more: int = 0, only: Sequence[str] = ()) -> None:
        self.armed = True
        self.failures = 0
        self._nth = nth
        self._code = code
        self._more = more
        self._only = only
        self._count = 0
        self._lock = threading.Lock()

    def _maybe(self, name: str) -> None:
        if self._only and name not in self._only:
            return
        with self._lock:
            self._count += self.armed
            fails = self.armed and self._nth <= self._count <= self._nth + self._more
            self.failures += fails
        if fails:
            raise OSError(self._code, os.strerror(self._code))

    def create(self, path: Path) -> int:
        self._maybe("create")
        return super().create(path)

    def write(self, descriptor: int, parts: Sequence[bytes], offset: int) -> int:
        try:
            self._maybe("write")
        except OSError:
            os.pwrite(
                descriptor, parts[0][: len(parts[0]) // 2], offset
            )  # a disk that fills fills in the middle of a write
            raise
        return super().write(descriptor, parts, offset)

    def flush_volume(self, descriptor: int) -> None:
        self._maybe("flush_volume")
        super().flush_volume(descriptor)

    def flush_file(self, descriptor: int) -> None:
        self._maybe("flush_file")
        super().flush_file(descriptor)

    def flush_directory(self, path: Path) -> None:
        self._maybe("flush_directory")
        super().flush_directory(path)

    def unlink(self, path: Path) -> None:
        self._maybe("unlink")
        super().unlink(path)

    def put(self, path: Path, content: bytes) -> None:
        self._maybe("put")
        super().put(path, content)

    def flush_log(self, descriptor: int, top: Path, written: Sequence[Path]) -> None:
        self._maybe("flush_log")
        super().flush_log(descriptor, top, written)

    def replace(self, path: Path, content: bytes) -> None:
        self._maybe("replace")
        super().replace(path, content)
