"""A package as it was handed over: a zip, as written or packed again by somebody, or the folder it was unpacked to. It may be hostile.

Nothing is unpacked and nothing is written. Names are plain and relative, links are not followed, lengths are those of the file;
of the zip only its directory is believed, and that only as far as a length of each local header. Memory holds the directory, and a
window of what is compressed; what claims to become far more than it is, is not opened.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from longwatch.base.errors import LongwatchError
from longwatch.evidence import layout

_CHUNK = 1 << 20
_LOCAL = 30
_MAX_DIRECTORY_BYTES = 64 << 20
_MAX_RATIO = 50  # pictures do not become smaller, hashes halve, JSON of ours is a tenth
_WINDOW = 64 << 10
_MAX_INFLATED = 4


@dataclass(frozen=True, slots=True)
class _Place:
    """packed_bytes: how long it is in a zip that was compressed; None where its bytes stand as they are."""

    path: Path
    begin: int
    size: int
    packed_bytes: int | None = None


class _Inflated:
    """A compressed file of a zip, read forwards. Going back begins again. Its checksum is not looked at: hashes are."""

    def __init__(self, descriptor: int, place: _Place) -> None:
        self._descriptor = descriptor
        self._place = place
        self._restart()

    def _restart(self) -> None:
        self._inflate = zlib.decompressobj(-15)
        self._taken = self._at = 0
        self._rest = b""

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the file; less where the stream is broken or ends."""
        if offset < self._at:
            self._restart()
        while self._at < offset and self._some(min(_CHUNK, offset - self._at)):
            pass
        parts: list[bytes] = []
        while size > 0 and self._at >= offset and (data := self._some(min(_CHUNK, size))):
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def _some(self, most: int) -> bytes:
        """The next bytes, at most so many; none at the end."""
        while not self._inflate.eof:
            if not self._rest:
                left = (self._place.packed_bytes or 0) - self._taken
                self._rest = os.pread(self._descriptor, max(0, min(_WINDOW, left)), self._place.begin + self._taken)
                self._taken += len(self._rest)
            given = self._rest
            try:
                data = self._inflate.decompress(given, most)
            except zlib.error:
                return b""
            self._rest = self._inflate.unconsumed_tail
            if data:
                self._at += len(data)
                return data
            if not given:
                return b""
        return b""


class PackageReader:
    """The files of a package. Owner of one open descriptor. strange: what is there and no file of a package can be: name, why.

    Raises LongwatchError where the path is neither a folder nor a zip that can be read.
    """

    def __init__(self, path: Path) -> None:
        self.strange: list[tuple[str, str]] = []
        self._at: dict[str, _Place] = {}
        self._open: tuple[Path, int] | None = None
        self._inflated: dict[str, _Inflated] = {}
        try:
            if path.is_dir():
                self._list_folder(path)
            else:
                self._list_zip(path)
        except (OSError, EOFError, LookupError, RuntimeError, ValueError, struct.error, zipfile.BadZipFile) as error:
            raise LongwatchError(
                f"{path} cannot be read",
                why=str(error),
                remedy="give an evidence package: a zip, or the folder it was unpacked to",
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open is not None:
            os.close(self._open[1])
            self._open = None

    @property
    def names(self) -> set[str]:
        """Every file."""
        return set(self._at)

    def size(self, name: str) -> int:
        """Length of a file in bytes."""
        return self._at[name].size

    def read(self, name: str, offset: int = 0, size: int | None = None) -> bytes:
        """Bytes of a file; less than asked for at its end. Whole: at most MAX_TEXT_BYTES, else ValueError."""
        place = self._at[name]
        if size is None:
            size = place.size
            if size > layout.MAX_TEXT_BYTES:
                raise ValueError(f"{size} bytes are too many")
        size = max(0, min(size, place.size - offset))
        if place.packed_bytes is not None:
            return self._inflate(name, place).read(offset, size)
        return os.pread(self._descriptor(place.path), size, place.begin + offset)

    def _inflate(self, name: str, place: _Place) -> _Inflated:
        found = self._inflated.pop(name, None)
        if found is None:
            found = _Inflated(self._descriptor(place.path), place)
            if len(self._inflated) >= _MAX_INFLATED:
                self._inflated.pop(next(iter(self._inflated)))
        self._inflated[name] = found
        return found

    def chunks(self, name: str, offset: int = 0, size: int | None = None) -> Iterator[bytes]:
        """The same in parts, however long."""
        end = self.size(name) if size is None else min(self.size(name), offset + size)
        while offset < end:
            data = self.read(name, offset, min(_CHUNK, end - offset))
            if not data:
                return
            yield data
            offset += len(data)

    def sha256(self, name: str, offset: int = 0, size: int | None = None) -> bytes:
        """SHA-256 of a file or a part of it."""
        digest = hashlib.sha256()
        for data in self.chunks(name, offset, size):
            digest.update(data)
        return digest.digest()

    def _descriptor(self, path: Path) -> int:
        if self._open is None or self._open[0] != path:
            if self._open is not None:
                os.close(self._open[1])
                self._open = None
            self._open = path, os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        return self._open[1]

    def _list_folder(self, path: Path) -> None:
        for folder, folders, files in os.walk(path):
            for name in sorted(folders + files):
                each = Path(folder) / name
                mode, relative = each.lstat().st_mode, each.relative_to(path).as_posix()
                if stat.S_ISREG(mode):
                    self._add(relative, _Place(each, 0, each.stat().st_size))
                elif not stat.S_ISDIR(mode):
                    self.strange.append((relative, "is no ordinary file"))

    def _list_zip(self, path: Path) -> None:
        length = path.stat().st_size
        with path.open("rb") as raw:
            self._bound_directory(raw.fileno(), length)
            with zipfile.ZipFile(raw) as listed:
                for info in listed.infolist():
                    self._add_from_zip(path, raw.fileno(), length, info)

    @staticmethod
    def _bound_directory(descriptor: int, length: int) -> None:
        """The directory of a zip is held whole by who reads it: one that is far too long is not read. Its length, as the end says."""
        tail = os.pread(descriptor, min(length, 22 + 65535), max(0, length - 22 - 65535))
        at = tail.rfind(b"PK\5\6")
        if at < 0:
            raise ValueError("not a zip")
        size = int.from_bytes(tail[at + 12 : at + 16], "little")
        if size != 0xFFFFFFFF and size > _MAX_DIRECTORY_BYTES:
            raise ValueError("the directory of the zip is far too long")
        locator = tail.rfind(b"PK\6\7", 0, at)
        if locator >= 0:
            where = int.from_bytes(tail[locator + 8 : locator + 16], "little")
            head = os.pread(descriptor, 56, where) if where < length else b""
            if int.from_bytes(head[40:48], "little") > _MAX_DIRECTORY_BYTES:
                raise ValueError("the directory of the zip is far too long")

    def _add_from_zip(self, path: Path, descriptor: int, length: int, info: zipfile.ZipInfo) -> None:
        name = info.orig_filename
        if name.endswith("/") and not info.file_size:
            return
        is_stored = info.compress_type == zipfile.ZIP_STORED
        if (not is_stored and info.compress_type != zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
            self.strange.append(
                (name, "was packed in a way that is not opened here: unpack the zip, and check the folder")
            )
            return
        if not is_stored and info.file_size > _MAX_RATIO * info.compress_size + _CHUNK:
            self.strange.append((name, "claims to be far more than it is"))
            return
        if stat.S_ISLNK(info.external_attr >> 16):
            self.strange.append((name, "is a link"))
            return
        head = os.pread(descriptor, _LOCAL, info.header_offset)
        begin = (
            info.header_offset + _LOCAL + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        )
        if head[:4] != b"PK\3\4" or begin > length:
            self.strange.append((name, "the zip points to a place where it is not"))
            return
        if is_stored:
            self._add(name, _Place(path, begin, min(info.file_size, length - begin)))
        else:
            self._add(name, _Place(path, begin, info.file_size, min(info.compress_size, length - begin)))

    def _add(self, name: str, place: _Place) -> None:
        if not layout.is_name(name):
            self.strange.append((name, "is no name of a file in a package"))
        elif name in self._at:
            self.strange.append((name, "stands twice"))
        elif len(self._at) >= layout.MAX_FILES:
            raise ValueError(f"more than {layout.MAX_FILES} files")
        else:
            self._at[name] = place


def is_package(path: Path) -> bool:
    """Whether a path looks like an evidence package rather than a data directory: a file, or a folder with a manifest."""
    return path.is_file() or (path / layout.MANIFEST).is_file() or (path / layout.MADE).is_file()
