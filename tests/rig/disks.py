"""Disks that remember: every write and FLUSH in order, and what a power cut could have left of them.

qemu-storage-daemon's `blklogwrites` driver (the format of Linux's dm-log-writes) is exported over FUSE, put under a loop
device, and carries a real ext4, xfs or btrfs. A cut at one moment is: every write up to the last completed FLUSH, any
subset of the later ones (a drive may reorder and drop what was not flushed), the last one torn.

The loop device has `--direct-io=off`, without which the FUSE export refuses its reads. Works as root only.

The daemon never lives in the mount namespace that its disk is mounted in (`apart`, `_outside`). Where it was the last one there, as after a
kill of everything, its own end had to unmount the filesystem, which waits for an answer of the daemon that is ending: the kernel then holds
loop device and process for ever, and whoever asks for a loop device next waits with them.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import os
import random
import shutil
import struct
import subprocess
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

_MAGIC = 0x6A736677736872
_SUPER = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<QQQQ")
_FLUSH, _FUA, _DISCARD = 1, 2, 4
SECTOR = 512
FILESYSTEMS = {
    # -K/-E nodiscard: a discard of a fresh disk is noise in the log
    "ext4": ["mkfs.ext4", "-q", "-E", "nodiscard"],
    "xfs": ["mkfs.xfs", "-q", "-K"],
    "btrfs": ["mkfs.btrfs", "-q", "-K"],
}
SIZE_MB = {"ext4": 192, "xfs": 320, "btrfs": 256}
_CLONE_NEWNS, _MS_REC, _MS_PRIVATE = 0x20000, 0x4000, 1 << 18
HELD_S = 60.0
_LOOPS_ANSWER_S = 20.0
_Done = TypeVar("_Done")


def apart(work: Callable[[], _Done]) -> _Done:
    """Do it on a thread whose mounts are its own, and its children's: nobody else's mount namespace can take a copy of them.

    A copy keeps a filesystem alive after it was unmounted here, and the next image mounted from the same file would not be read: the kernel
    gives the filesystem that still lives, which is an older wreck that the oracle has repaired. Seen where others' tests made namespaces.
    """

    def alone() -> _Done:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWNS) or libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None):
            raise OSError(ctypes.get_errno(), "a mount namespace of the rig's own")
        return work()

    with ThreadPoolExecutor(1, thread_name_prefix="rig") as own:
        return own.submit(alone).result()


def _outside(*command: str | Path) -> list[str]:
    """The command, run in the mount namespace of the process, not in the one of its own that this thread may have."""
    return ["nsenter", f"--mount=/proc/{os.getpid()}/ns/mnt", *map(str, command)]


def sh(*command: str | Path) -> str:
    """Run a command of the rig; its output, or an error that carries what it said."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, timeout=180)
    if done.returncode:
        raise OSError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def why_not_here() -> str | None:
    """The reason why the rig cannot run on this machine; None where it can."""
    if os.geteuid() != 0:
        return "the power-cut rig needs root (loop devices and mounts)"
    for tool in ("qemu-storage-daemon", "nsenter", "losetup", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs"):
        if shutil.which(tool) is None:
            return f"the power-cut rig needs {tool}"
    if not Path("/dev/fuse").exists() or not Path("/dev/loop-control").exists():
        return "the power-cut rig needs /dev/fuse and /dev/loop-control"
    return why_no_loops()


@functools.cache
def why_no_loops() -> str | None:
    """Why this machine lends no loop devices; None where it does. One that waits for ever for a disk that is gone makes all others wait."""
    asked = subprocess.Popen(["losetup", "--list"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        asked.wait(_LOOPS_ANSWER_S)
    except subprocess.TimeoutExpired:
        asked.kill()  # and not waited for: the kernel holds it
        return f"the loop devices of this machine do not answer within {_LOOPS_ANSWER_S:.0f} s: one of them waits for a disk that is gone"
    return None


class LoggedDisk:
    """One block device with a write log, formatted and mounted."""

    def __init__(self, folder: Path, name: str, fs: str) -> None:
        self.fs = fs
        self.size_bytes = SIZE_MB[fs] << 20
        self.mount = folder / f"{name}.mnt"
        self.log = folder / f"{name}.log"
        self._image = folder / f"{name}.img"
        self._fuse = folder / f"{name}.fuse"
        self._loop = ""
        self._daemon: subprocess.Popen[bytes] | None = None
        self.start_bytes = 0

    def __enter__(self) -> Self:
        self.mount.mkdir(parents=True)
        for path in (self._image, self.log, self._fuse):
            path.touch()
        os.truncate(self._image, self.size_bytes)
        self._daemon = subprocess.Popen(
            _outside(
                "qemu-storage-daemon",
                *("--blockdev", f"driver=file,node-name=d,filename={self._image},cache.no-flush=on"),
                *("--blockdev", f"driver=file,node-name=l,filename={self.log},cache.no-flush=on"),
                *(
                    "--blockdev",
                    "driver=blklogwrites,node-name=w,file=d,log=l,log-sector-size=512,log-super-update-interval=1",
                ),
                *("--export", f"type=fuse,id=e,node-name=w,mountpoint={self._fuse},writable=on,allow-other=off"),
            ),
            stderr=subprocess.PIPE,
        )
        try:
            deadline = time.monotonic() + 10
            seen_outside = Path(f"/proc/{os.getpid()}/root{self._fuse.resolve()}")
            while seen_outside.stat().st_size != self.size_bytes:
                if self._daemon.poll() is not None or time.monotonic() > deadline:
                    raise OSError("qemu-storage-daemon did not export the disk")
                time.sleep(0.02)  # the export has no event to wait for
            self._loop = sh(*_outside("losetup", "--direct-io=off", "-f", "--show", self._fuse))
            sh(*FILESYSTEMS[self.fs], self._loop)
            sh("mount", self._loop, self.mount)
            sh(
                "losetup", "-d", self._loop
            )  # in use: the kernel detaches it with the last mount, also where nobody is left to ask for it
            sh("sync", "-f", self.mount)
        except BaseException:
            self.__exit__()
            raise
        self.start_bytes = self.log_bytes()
        return self

    def log_bytes(self) -> int:
        """How far the log has come: a moment in the life of this disk."""
        return self.log.stat().st_size

    def __exit__(self, *_: object) -> None:
        device = Path("/sys/block") / Path(self._loop).name
        backing = _backing(device) if self._loop else ""
        mounted = self._loop and os.path.ismount(self.mount)
        with contextlib.suppress(OSError):
            if mounted:
                sh("umount", self.mount)
                _wait_until(
                    lambda: _backing(device) != backing,
                    f"{self._loop} is unmounted here, and somebody else still holds its filesystem",
                )
            elif self._loop:
                sh("losetup", "-d", self._loop)
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(60)


@dataclass(frozen=True, slots=True)
class _Write:
    at: int
    size: int
    flags: int
    data_at: int  # in the log; -1 for none
    end: int  # of this entry in the log


def read_log(path: Path) -> tuple[bytes, list[_Write]]:
    """The log's bytes and its entries in order."""
    raw = path.read_bytes()
    magic, _, count, sector = _SUPER.unpack_from(raw)
    assert magic == _MAGIC, "not a write log"
    offset = sector
    writes = []
    for _ in range(count):
        if offset + _ENTRY.size > len(raw):
            break
        at, sectors, flags, _size = _ENTRY.unpack_from(raw, offset)
        offset += sector
        data_at = -1
        if not flags & _DISCARD and sectors:
            data_at = offset
            offset += sectors * sector
        writes.append(_Write(at * sector, sectors * sector, flags, data_at, offset))
    return raw, writes


class Aftermath:
    """What power cuts leave of one logged disk. Cuts are asked for in rising order of their moment.

    lies: the drive acknowledges a FLUSH and keeps nothing of it (a negative control): nothing after mkfs is certain.
    """

    def __init__(self, disk: LoggedDisk, folder: Path, name: str, *, tear_bytes: int, lies: bool = False) -> None:
        self._raw, self._writes = read_log(disk.log)
        self._ends = [w.end for w in self._writes]
        self._tear = tear_bytes
        self._lies_from = bisect_right(self._ends, disk.start_bytes) if lies else None
        self._base = folder / f"{name}.base"
        self._cut = folder / f"{name}.cut"
        with self._base.open("wb") as file:
            file.truncate(disk.size_bytes)
        self._applied = 0

    def image(self, log_bytes: int, rng: random.Random) -> Path:
        """One state the disk could be in when the power goes at that point of its log."""
        upto = bisect_right(self._ends, log_bytes)
        certain = self._applied
        for index in range(self._applied, upto):
            if self._writes[index].flags & _FLUSH and (self._lies_from is None or index < self._lies_from):
                certain = index + 1
        with self._base.open("r+b") as base:
            for write in self._writes[self._applied : certain]:
                self._apply(base.fileno(), write, write.size)
        self._applied = certain
        sh("cp", "--sparse=always", self._base, self._cut)
        keep = rng.choice((0.0, 0.3, 0.5, 0.8, 1.0))
        later = self._writes[certain:upto]
        with self._cut.open("r+b") as cut:
            for index, write in enumerate(later):
                if write.flags & _FUA and self._lies_from is None and index < len(later) - 1:
                    self._apply(cut.fileno(), write, write.size)
                elif rng.random() < keep:
                    torn = index == len(later) - 1
                    size = (
                        min(write.size, rng.randrange(write.size // self._tear + 2) * self._tear)
                        if torn
                        else write.size
                    )
                    self._apply(cut.fileno(), write, size)
        return self._cut

    def _apply(self, fd: int, write: _Write, size: int) -> None:
        if write.data_at >= 0 and size:
            os.pwrite(fd, memoryview(self._raw)[write.data_at : write.data_at + size], write.at)


@contextlib.contextmanager
def mounted(image: Path, folder: Path, fs: str) -> Iterator[Path]:
    """The image's filesystem, recovered by its own driver as after a real cut."""
    folder.mkdir(exist_ok=True)
    # nouuid: xfs refuses a second mount of an image whose original is still known; the copy is the same disk
    sh("mount", "-o", "loop,nouuid" if fs == "xfs" else "loop", image, folder)
    try:
        yield folder
    finally:
        for attempt in range(200):
            try:
                sh("umount", folder)
                break
            except OSError as error:
                if attempt == 199:
                    raise OSError(f"{error}; open here: {_held_below(folder)}") from error
                if attempt == 0:
                    gc.collect()  # what the oracle's errors went through, and their tracebacks still know
                time.sleep(0.02)  # a reader of the last check may still hold a file for a moment
        _let_go(image)


def _held_below(folder: Path) -> list[str]:
    """Files of it that this process has open."""
    found = []
    for fd in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if (target := os.readlink(fd)).startswith(str(folder)):
                found.append(target)
    return found


def _let_go(image: Path) -> None:
    """Wait until no loop device carries the image. Raises OSError where one does for a minute: somebody else holds the filesystem, and what
    is mounted from that file next would be that one (`apart`).
    """
    _wait_until(
        lambda: not any(_backing(loop) == str(image.resolve()) for loop in Path("/sys/block").glob("loop*")),
        f"{image} is unmounted here, and somebody else still holds its filesystem",
    )


def _wait_until(free: Callable[[], bool], otherwise: str) -> None:
    """The kernel detaches a device when its last user has gone; there is no event to wait for. Raises OSError after a minute."""
    deadline = time.monotonic() + HELD_S
    while not free():
        if time.monotonic() > deadline:
            raise OSError(otherwise)
        time.sleep(0.01)  # there is no event


def _backing(loop: Path) -> str:
    try:
        return (loop / "loop/backing_file").read_text().rstrip("\n")
    except OSError:  # not in use
        return ""
