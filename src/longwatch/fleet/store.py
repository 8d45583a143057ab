"""Where a hub keeps the bytes of objects: a directory, or an S3 bucket, by the same calls (obstore). Named by SHA-256, so immutable.

What is half here lies in the spool, a folder of this process's own: it survives a restart, and is believed once its hash is that of its
name. `put` returns when the bytes are durable: flushed, with the folders they stand in; of S3, once the service has said so.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from longwatch.base import secrets
from longwatch.base.errors import LongwatchError, UsageError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

_RETRIES: RetryConfig = {"max_retries": 3, "retry_timeout": dt.timedelta(seconds=20)}
_REMEDY = "a folder, or s3://bucket?endpoint=https://host&region=name with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"


class ObjectStore:
    """Owner of the objects and of the spool. where: a folder, or s3://[key:secret@]bucket[/prefix]?endpoint=URL&region=NAME.

    Raises UsageError for what is neither, LongwatchError where it cannot be used. Calls block; safe from several threads.
    """

    def __init__(self, where: str | Path, spool: Path) -> None:
        self.folder: Path | None = None
        self._prefix = ""
        self._durable: set[Path] = set()
        self._spool = spool
        spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = str(where)
        if isinstance(where, Path) or "://" not in text:
            self.folder = Path(where)
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._store: LocalStore | S3Store = LocalStore(self.folder)
        else:
            self._store, self._prefix = _s3(text)

    # -- whole objects

    def path(self, sha256: bytes) -> str:
        """Its name within the store."""
        name = sha256.hex()
        return f"{self._prefix}objects/{name[:2]}/{name[2:4]}/{name}"

    def put(self, sha256: bytes, data: bytes) -> None:
        """Durable when this returns. The same twice is fine."""
        path = self.path(sha256)
        with _named("an object cannot be stored"):
            if self.folder is None:
                obstore.put(self._store, path, data, use_multipart=False)
                return
            self._write(self.folder / path, data)

    def _write(self, target: Path, data: bytes) -> None:
        """Written beside, flushed, renamed, and every folder flushed that may be new: a name never stands for less than its bytes."""
        assert self.folder is not None
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = target.with_name(f"{target.name}.{os.getpid()}.new")
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
        _flush_folder(target.parent)
        folder = target.parent
        while folder != self.folder and folder not in self._durable:  # its own name stands in the one above
            _flush_folder(folder.parent)
            self._durable.add(folder)
            folder = folder.parent

    def holds(self, sha256: bytes, size: int) -> bool:
        """Whether it is there, whole."""
        try:
            if self.folder is not None:
                return (self.folder / self.path(sha256)).stat().st_size == size
            return int(obstore.head(self._store, self.path(sha256))["size"]) == size
        except (OSError, BaseError):
            return False

    def read(self, sha256: bytes, offset: int, size: int) -> bytes:
        """Bytes [offset, offset + size). Raises LongwatchError where the object is not there."""
        if size <= 0:
            return b""
        with _named("an object cannot be read"):
            if self.folder is None:
                return bytes(obstore.get_range(self._store, self.path(sha256), start=offset, length=size))
            descriptor = os.open(self.folder / self.path(sha256), os.O_RDONLY | os.O_CLOEXEC)
            try:
                return os.pread(descriptor, size, offset)
            finally:
                os.close(descriptor)

    def read_all(self, sha256: bytes) -> bytes:
        """All of it."""
        with _named("an object cannot be read"):
            return bytes(obstore.get(self._store, self.path(sha256)).bytes())

    def remove(self, sha256: bytes) -> None:
        """It is not there when this returns."""
        with _named("an object cannot be removed"):
            if self.folder is not None:
                (self.folder / self.path(sha256)).unlink(missing_ok=True)
                return
            with contextlib.suppress(FileNotFoundError):
                obstore.delete(self._store, self.path(sha256))

    def space(self) -> tuple[int, int] | None:
        """Bytes free and in all, of the file system. None of a bucket, which has no end that we know of."""
        if self.folder is None:
            return None
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

    # -- the spool

    def spooled(self, sha256: bytes) -> int:
        """How much of it is here."""
        try:
            return self._part(sha256).stat().st_size
        except FileNotFoundError:
            return 0

    def add(self, sha256: bytes, offset: int, data: bytes) -> int:
        """Append what is new of [offset, offset + len(data)); nothing where there is a hole before it. The new length."""
        known = self.spooled(sha256)
        if offset > known or offset + len(data) <= known:
            return known
        with _named("an object cannot be received"), self._part(sha256).open("ab") as file:
            file.write(data[known - offset :])
        return offset + len(data)

    def spooled_bytes(self, sha256: bytes) -> bytes:
        """What is here of it."""
        with _named("an object cannot be received"):
            try:
                return self._part(sha256).read_bytes()
            except FileNotFoundError:
                return b""

    def drop(self, sha256: bytes) -> None:
        """What is here of it, is needed no more."""
        self._part(sha256).unlink(missing_ok=True)

    def sweep(self, before_s: float) -> int:
        """Remove what was begun and not gone on with since a wall time in seconds. How many."""
        count = 0
        for part in self._spool.glob("*.part"):
            with contextlib.suppress(FileNotFoundError):
                if part.stat().st_mtime < before_s:
                    part.unlink()
                    count += 1
        return count

    def _part(self, sha256: bytes) -> Path:
        return self._spool / f"{sha256.hex()}.part"


def _s3(text: str) -> tuple[S3Store, str]:
    url = urlsplit(text)
    if url.scheme != "s3" or not url.hostname:
        raise UsageError("where media is kept cannot be read", remedy=_REMEDY)
    key, secret = unquote(url.username or ""), unquote(url.password or "")
    if secret:
        secrets.register_login(key, secret)
        secrets.register(text)
    asked = {name: values[0] for name, values in parse_qs(url.query).items()}
    if set(asked) - {"endpoint", "region"}:
        raise UsageError("where media is kept has parts that are not known", remedy=_REMEDY)
    endpoint = asked.get("endpoint", "")
    config: S3Config = {"region": asked.get("region", "us-east-1"), "virtual_hosted_style_request": False}
    if endpoint:
        config["endpoint"] = endpoint
    if key:
        config["access_key_id"], config["secret_access_key"] = key, secret
    options: ClientConfig = {
        "allow_http": endpoint.startswith("http://"), "timeout": "60s", "connect_timeout": "10s",
    }  # fmt: skip
    with _named("the media store cannot be used"):
        store = S3Store(url.hostname, config=config, client_options=options, retry_config=_RETRIES)
    prefix = url.path.strip("/")
    return store, f"{prefix}/" if prefix else ""


@contextlib.contextmanager
def _named(what: str) -> Iterator[None]:
    """What the store says, as an error of ours, without its secrets."""
    try:
        yield
    except (OSError, BaseError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
        raise LongwatchError(what, why=secrets.scrub(why), remedy="see that the media store has room and can be reached") from None  # fmt: skip


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
