"""File systems of this machine that recordings could go to: local, writable, of a size that is worth it. Blocks.

From /proc/self/mountinfo (proc_pid_mountinfo(5)). A disk that hangs is not asked twice: the caller has a thread of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_KINDS = frozenset(
    {"ext4", "ext3", "ext2", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "overlay", "exfat", "vfat", "ntfs3", "jfs"}
)
_LEAST_BYTES = 1 << 30
_MOUNTINFO = Path("/proc/self/mountinfo")


def disks(volumes: Iterable[str], mountinfo: Path = _MOUNTINFO) -> list[dict[str, Any]]:
    """volumes: of the post. Each file system once, at its shortest path, the post's own first."""
    used = {str(volume): _device(Path(volume)) for volume in volumes}
    found: dict[int, dict[str, Any]] = {}
    for path, kind in _mounts(mountinfo):
        device = _device(path)
        if device is None or (device in found and len(found[device]["path"]) <= len(str(path))):
            continue
        owner = next((volume for volume, its in used.items() if its == device), None)
        if owner is None and not os.access(path, os.W_OK):
            continue
        size = _size(path)
        if size is not None and size[0] >= _LEAST_BYTES:
            found[device] = {
                "path": str(path), "kind": kind, "size_bytes": size[0], "free_bytes": size[1], "used_by": owner,
            }  # fmt: skip
    return sorted(found.values(), key=lambda disk: (disk["used_by"] is None, disk["path"]))


def _mounts(mountinfo: Path) -> Iterable[tuple[Path, str]]:
    try:
        lines = mountinfo.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split(" ", 1)[0]
        path = Path(fields[4].encode().decode("unicode_escape")) if len(fields) > 5 else None
        if path is not None and kind in _KINDS and "rw" in fields[5].split(",") and path.is_dir():
            yield path, kind


def _device(path: Path) -> int | None:
    try:
        return path.stat().st_dev
    except OSError:
        return None


def _size(path: Path) -> tuple[int, int] | None:
    try:
        said = os.statvfs(path)
    except OSError:
        return None
    return said.f_blocks * said.f_frsize, said.f_bavail * said.f_frsize
