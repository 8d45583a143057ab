"""Private keys of a site, each a file of its own: PKCS#8 PEM, 0600, written whole before it has its name, never written again."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from longwatch.base.errors import LongwatchError
from longwatch.ledger.checkpoint import fingerprint

_OTHERS = 0o077
_MOST_BYTES = 64 << 10


class SigningKey:
    """An Ed25519 key. public: 32 raw bytes. The private half leaves it only as signatures and in its file."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self.private = private
        self.public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def __repr__(self) -> str:
        return f"SigningKey({fingerprint(self.public)})"

    def sign(self, data: bytes) -> bytes:
        """The Ed25519 signature of some bytes (RFC 8032)."""
        return self.private.sign(data)

    def secret_for(self, what: str) -> bytes:
        """32 bytes that whoever has this key can make, and nobody else; for one purpose each."""
        raw = self.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return HKDF(SHA256(), 32, None, f"longwatch {what}".encode()).derive(raw)

    @property
    def pem(self) -> bytes:
        """The private half, for its file alone."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def key_in(path: Path) -> SigningKey:
    """The key of this file; made where there is none. Its folder is made 0700. Raises LongwatchError."""
    if not path.exists():
        write_private(path, SigningKey(Ed25519PrivateKey.generate()).pem, anew=False)
    try:
        private = load_pem_private_key(read_private(path), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise LongwatchError(
            f"the key {path} cannot be read", why=str(error), remedy="put back the copy that was made of it"
        ) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise LongwatchError(f"the key {path} is no Ed25519 key", remedy="put back the copy that was made of it")
    return SigningKey(private)


def read_private(path: Path) -> bytes:
    """What is in a file that nobody else may read. Raises LongwatchError where others may, or it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            mode = os.fstat(descriptor).st_mode
            content = os.read(descriptor, _MOST_BYTES)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LongwatchError(
            f"{path} cannot be read", why=error.strerror or "", remedy="run it as the user that owns the data folder"
        ) from error
    if not stat.S_ISREG(mode) or mode & _OTHERS:
        raise LongwatchError(
            f"others may read the private file {path}",
            remedy=f"chmod 600 {path}, and think about who may have had a copy",
        )
    return content


def write_private(path: Path, content: bytes, *, anew: bool = True) -> None:
    """Write new (0600), flush, rename, flush the folder. anew: what is there may be replaced; else the first of several writers wins.

    Raises LongwatchError.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if anew:
            fresh.replace(path)
        else:
            with contextlib.suppress(FileExistsError):
                os.link(fresh, path)
            fresh.unlink()
        flush_folder(path.parent)
    except OSError as error:
        raise LongwatchError(
            f"{path} cannot be written", why=error.strerror or "", remedy="run it as the user that owns the data folder"
        ) from error


def flush_folder(folder: Path) -> None:
    """Make names in it durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
