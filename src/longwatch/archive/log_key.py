"""The key that signs the ledger's heads: Ed25519, made at the first start, one file beside the index.

`ledger.key` on the first volume: PKCS#8 PEM, mode 0600, written whole before it has its name, flushed with its directory, and
never written again. Its public half is published (`ledger/NUMBER/key.pem`) and shown. Whoever reads this file can sign
in the post's name, so one that others may read is refused. Owner: the recorder (or a verb that holds the folder's lock).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from longwatch.archive.flushing import Flushing
from longwatch.base.errors import LongwatchError
from longwatch.ledger.checkpoint import fingerprint, public_pem, vkey

KEY_FILE = "ledger.key"
_OTHERS = 0o077


class LogKey:
    """Both halves. public: 32 raw bytes. The private half leaves this object only as signatures."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def __repr__(self) -> str:
        return f"LogKey({self.fingerprint})"

    @property
    def fingerprint(self) -> str:
        """How it is told to people."""
        return fingerprint(self.public)

    @property
    def pem(self) -> str:
        """The public half as SubjectPublicKeyInfo."""
        return public_pem(self.public)

    def vkey(self, origin: str) -> str:
        """The public half as the one-line verifier key of the log `origin`."""
        return vkey(origin, self.public)

    def sign(self, data: bytes) -> bytes:
        """The Ed25519 signature of some bytes (RFC 8032); the same for the same bytes."""
        return self._private.sign(data)


def load_key(volume: Path) -> LogKey | None:
    """The key of a folder whose first volume this is; None where there is none.

    Raises LongwatchError where it is not the owner's alone, or is no Ed25519 key.
    """
    path = volume / KEY_FILE
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LongwatchError(
            f"the ledger's key {path} cannot be read", why=error.strerror or "",
            remedy="it must belong to the user that runs the recorder, with mode 0600",
        ) from error  # fmt: skip
    try:
        mode = os.fstat(descriptor).st_mode
        content = os.read(descriptor, 1 << 16)
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(mode) or mode & _OTHERS:
        raise LongwatchError(
            f"the ledger's key {path} may be used by others", why=f"its mode is {stat.S_IMODE(mode):04o}",
            remedy=f"chmod 600 {path}; if somebody else could read it, move it away: a new key begins a new log",
        )  # fmt: skip
    try:
        private = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(path, str(error)) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise _no_key(path, "it is a key of another kind")
    return LogKey(private)


def _no_key(path: Path, why: str) -> LongwatchError:
    return LongwatchError(
        f"{path} holds no Ed25519 key", why=why,
        remedy="put the right file back from a backup, or move it away: a new key begins a new log that names the old one",
    )  # fmt: skip


def make_key(volume: Path, flushing: Flushing) -> LogKey:
    """A new key, durable when this returns. Raises OSError; FileExistsError where there is one."""
    path = volume / KEY_FILE
    if path.exists():
        raise FileExistsError(17, "there is a key already", str(path))
    private = Ed25519PrivateKey.generate()
    content = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    new = volume / f"{KEY_FILE}.new"
    new.unlink(missing_ok=True)  # of a start that was cut: nothing was ever signed with it
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        _give_to_owner(descriptor, volume)
        os.write(descriptor, content)
        flushing.flush_file(descriptor)
    finally:
        os.close(descriptor)
    new.rename(path)
    flushing.flush_directory(volume)
    return LogKey(private)


def _give_to_owner(descriptor: int, volume: Path) -> None:
    """A verb that root ran must not leave a key that the recorder's user cannot read."""
    owner = volume.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
