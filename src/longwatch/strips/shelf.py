"""Where strip pictures lie: two files for a camera and day (UTC), one of pictures and one that says where each of them is.

`<folder>/<camera>/2026-01-31.jpgs` and `.idx`. Both only grow, but for what must go: that is overwritten with zeros and given back to
the disk. Nothing is flushed: after a cut the end of either may be missing or torn, so a writer cuts both back to what is whole
before it adds the first picture, and a reader believes no picture whose checksum is not right.

Owner: the server's one thread that makes strips. Anyone may read.
"""

from __future__ import annotations

import contextlib
import ctypes
import datetime as dt
import os
import threading
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from longwatch.base.ids import is_slug
from longwatch.strips.day_index import ROW, DayIndex, Picture

DAY_US = 86_400_000_000
ROOM_BYTES = 128 << 20
_CHECKED = 32  # rows at the end whose pictures are read before a file grows
_CACHED_DAYS = 64  # a day of a picture every ten seconds takes 280 kB
_LOOKED_DAYS = 1_000
_PUNCH, _KEEP_SIZE = 0x02, 0x01
_EPOCH = dt.date(1970, 1, 1)
_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
STREAMS = ("main", "sub")


def day_name(day: int) -> str:
    """2026-01-31, of a day since 1970."""
    return (_EPOCH + dt.timedelta(days=day)).isoformat()


def _day_of(name: str) -> int | None:
    try:
        return (dt.date.fromisoformat(name) - _EPOCH).days
    except ValueError:
        return None


class Shelf:
    """The folder of strips. Raises OSError from what writes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, int], tuple[tuple[int, int, int], DayIndex]] = OrderedDict()
        self._whole: OrderedDict[tuple[str, int], tuple[int, int]] = OrderedDict()  # sizes of files that were mended

    def _file(self, camera: str, day: int, kind: str) -> Path:
        if not is_slug(camera):
            raise ValueError(f"{camera[:80]!r} is no camera's id")
        return self._folder / camera / f"{day_name(day)}.{kind}"

    # -- reading

    def cameras(self) -> list[str]:
        """Cameras that there is something of."""
        with contextlib.suppress(OSError):
            return sorted(entry.name for entry in os.scandir(self._folder) if entry.is_dir() and is_slug(entry.name))
        return []

    def days(self, camera: str) -> list[int]:
        """Days since 1970 that there is a file of, in order."""
        try:
            names = [entry.name for entry in os.scandir(self._folder / camera)]
        except OSError:
            return []
        days = {_day_of(name[:-4]) for name in names if name.endswith(".idx")}
        days |= {_day_of(name[:-5]) for name in names if name.endswith(".jpgs")}
        return sorted(day for day in days if day is not None)

    def of_day(self, camera: str, day: int) -> DayIndex:
        """The pictures of a day."""
        path = self._file(camera, day, "idx")
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                with self._lock:
                    (mtime, size, inode), known = self._known.get((camera, day), ((0, 0, 0), DayIndex()))
                if (mtime, size, inode) == (status.st_mtime_ns, status.st_size, status.st_ino):
                    return known
                grew = inode == status.st_ino and size < status.st_size
                file.seek(size if grew else 0)  # what only grew is read from where it ended
                data = file.read()
            end = self._file(camera, day, "jpgs").stat().st_size
        except OSError:
            return DayIndex()
        data = data[: len(data) // ROW.size * ROW.size]
        found = DayIndex(data, end, known if grew else None)
        with self._lock:
            seen = (status.st_mtime_ns, (size if grew else 0) + len(data), status.st_ino)
            self._known[camera, day] = seen, found
            self._known.move_to_end((camera, day))
            while len(self._known) > _CACHED_DAYS:
                self._known.popitem(last=False)
        return found

    def _forget(self, camera: str, day: int) -> None:
        with self._lock:
            self._known.pop((camera, day), None)

    def between(self, camera: str, from_us: int, to_us: int) -> list[Picture]:
        """The pictures of [from_us, to_us), by time."""
        return [
            one
            for day in self._days(camera, from_us, to_us)
            for one in self.of_day(camera, day).between(from_us, to_us)
        ]

    def by_step(self, camera: str, from_us: int, to_us: int, step_us: int) -> list[Picture]:
        """The first picture of each step, which lie on multiples of step_us since 1970."""
        found: list[Picture] = []
        for day in self._days(camera, from_us, to_us):
            for one in self.of_day(camera, day).by_step(from_us, to_us, step_us):
                if not found or found[-1].at_us // step_us != one.at_us // step_us:
                    found.append(one)
        return found

    def _days(self, camera: str, from_us: int, to_us: int) -> list[int]:
        first, last = from_us // DAY_US, (to_us - 1) // DAY_US
        return [first] if first == last else [day for day in self.days(camera) if first <= day <= last]

    def read(self, camera: str, pictures: Sequence[Picture]) -> list[bytes]:
        """The JPEGs, in the order given; b"" for one that is not whole, or no longer there."""
        found: dict[Picture, bytes] = {}
        by_day: dict[int, list[Picture]] = {}
        for one in pictures:
            by_day.setdefault(one.at_us // DAY_US, []).append(one)
        for day, wanted in by_day.items():
            try:
                descriptor = os.open(self._file(camera, day, "jpgs"), os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                for one in wanted:
                    data = os.pread(descriptor, one.size, one.offset)
                    found[one] = data if zlib.crc32(data) == one.crc and len(data) == one.size else b""
            except OSError:
                continue
            finally:
                os.close(descriptor)
        return [found.get(one, b"") for one in pictures]

    # -- writing

    def has_room(self) -> bool:
        """Whether pictures may be added: what is left of a nearly full disk is for footage."""
        self._folder.mkdir(parents=True, exist_ok=True)
        status = os.statvfs(self._folder)
        return status.f_bavail * status.f_frsize >= ROOM_BYTES

    def add(self, camera: str, at_us: int, jpeg: bytes, stream: int) -> None:
        """One more picture. The picture is written before its row, so that a row without a picture is one that a cut left."""
        day = at_us // DAY_US
        pictures, rows = self._file(camera, day, "jpgs"), self._file(camera, day, "idx")
        end, count = self._mended(camera, day)
        _append(pictures, end, jpeg)
        _append(rows, count, ROW.pack(at_us, end, len(jpeg), zlib.crc32(jpeg), stream, 0))
        self._note(camera, day, end + len(jpeg), count + ROW.size)

    def _note(self, camera: str, day: int, end: int, count: int) -> None:
        self._whole[camera, day] = end, count
        self._whole.move_to_end((camera, day))
        while len(self._whole) > _LOOKED_DAYS:
            self._whole.popitem(last=False)

    def _mended(self, camera: str, day: int) -> tuple[int, int]:
        """Sizes of both files, cut back to what is whole where this process has not looked yet."""
        known = self._whole.get((camera, day))
        if known is not None:
            return known
        pictures, rows = self._file(camera, day, "jpgs"), self._file(camera, day, "idx")
        rows.parent.mkdir(parents=True, exist_ok=True)
        try:
            data, media = rows.read_bytes(), pictures.stat().st_size
        except FileNotFoundError:
            data, media = b"", 0
        found = list(ROW.iter_unpack(data[: len(data) // ROW.size * ROW.size]))
        while found and not self._stands(pictures, found[-_CHECKED:], media):
            found.pop()
        end = max((offset + size for _, offset, size, *_ in found), default=0)
        for path, size in ((rows, len(found) * ROW.size), (pictures, end)):
            if path.exists() and path.stat().st_size != size:
                os.truncate(path, size)
                self._forget(camera, day)
        return end, len(found) * ROW.size

    @staticmethod
    def _stands(path: Path, rows: Sequence[tuple[int, ...]], end: int) -> bool:
        """Whether the last of these rows is true, and none before it was left empty by a cut."""
        with path.open("rb") as file:
            for at, offset, size, crc, *_ in rows:
                if at == 0 or offset + size > end:
                    return False
                if size:
                    file.seek(offset)
                    if zlib.crc32(file.read(size)) != crc:
                        return False
        return True

    def remove(self, camera: str, day: int, from_us: int, to_us: int, stream: int | None = None) -> int:
        """Pictures of [from_us, to_us) go, for good. stream: only those made from it. Returns how many."""
        rows, pictures = self._file(camera, day, "idx"), self._file(camera, day, "jpgs")
        try:
            data = rows.read_bytes()
        except FileNotFoundError:
            return 0
        doomed = [
            (n, offset, size)
            for n, (at, offset, size, _, of, _) in enumerate(ROW.iter_unpack(data[: len(data) // ROW.size * ROW.size]))
            if size and from_us <= at < to_us and stream in {None, of}
        ]  # fmt: skip
        if not doomed:
            return 0
        with rows.open("r+b") as index, pictures.open("r+b") as media:
            for n, offset, size in doomed:
                at, *_ = ROW.unpack_from(data, n * ROW.size)
                index.seek(n * ROW.size)
                index.write(ROW.pack(at, offset, 0, 0, 0, 0))
                _wipe(media.fileno(), offset, size)
        self._forget(camera, day)
        return len(doomed)

    def remove_day(self, camera: str, day: int) -> bool:
        """A whole day goes."""
        self._whole.pop((camera, day), None)
        self._forget(camera, day)
        gone = False
        for kind in ("idx", "jpgs"):
            with contextlib.suppress(FileNotFoundError):
                self._file(camera, day, kind).unlink()
                gone = True
        with contextlib.suppress(OSError):
            (self._folder / camera).rmdir()
        return gone


def _append(path: Path, at: int, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        if os.pwrite(descriptor, data, at) != len(data):
            raise OSError(28, "not all of it was written")
    finally:
        os.close(descriptor)


def _wipe(descriptor: int, offset: int, size: int) -> None:
    """Zeros, and the blocks that only held this go back to the disk (fallocate(2); where it is not known, zeros alone)."""
    os.pwrite(descriptor, bytes(size), offset)
    _libc.fallocate(descriptor, _PUNCH | _KEEP_SIZE, offset, size)
