"""Certificates that the settings name, read so that no path of them can hold up who reads them.

OpenSSL waits for the writer of a FIFO, reads `/dev/zero` for ever, and asks a terminal for the password of a key: each would hold the server's loop.
"""

from __future__ import annotations

import errno
import os
import ssl
import stat
from pathlib import Path

_MOST_BYTES = 4 << 20
"""More than all authorities of a system take."""


def client_context(ca: Path | None = None, cert: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """Of whoever connects. ca: PEM of a private authority, None for those of the system. cert, key: to be known by, both or none. Raises OSError (an SSLError is one)."""
    for path in (ca, cert, key):
        if path is not None:
            _check(path)
    context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    if cert is not None and key is not None:
        context.load_cert_chain(
            cert, key, password=lambda: ""
        )  # a key with a password is refused, and nobody asked for it
    return context


def _check(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "this is not a file", str(path))
    if status.st_size > _MOST_BYTES:
        raise OSError(errno.EFBIG, "this is too large for certificates", str(path))
