"""The zip of a package as it is written: stored, in a fixed order, with a fixed date, so that equal content is an equal file."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from typing import IO

_DATE = (1980, 1, 1, 0, 0, 0)
_FLAGGED_LARGE = 1 << 31


class PackageFile:
    """Owner of the zip it writes. `files`: of every file so far, its length and SHA-256."""

    def __init__(self, out: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(out, "w", zipfile.ZIP_STORED)
        self.files: dict[str, dict[str, object]] = {}

    def add(self, name: str, data: bytes) -> None:
        """A file from memory."""
        self.add_stream(name, [data], len(data))

    def add_stream(self, name: str, chunks: Iterable[bytes], size: int) -> None:
        """A file of about `size` bytes, never held whole."""
        info = zipfile.ZipInfo(name, _DATE)
        info.external_attr = 0o644 << 16
        digest, done = hashlib.sha256(), 0
        with self._zip.open(info, "w", force_zip64=size >= _FLAGGED_LARGE) as out:
            for chunk in chunks:
                out.write(chunk)
                digest.update(chunk)
                done += len(chunk)
        self.files[name] = {"bytes": done, "sha256": digest.hexdigest()}

    def close(self) -> None:
        """Write the directory of the zip."""
        self._zip.close()
