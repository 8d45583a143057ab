"""The key by which push services know this server (VAPID, RFC 8292): made when it is first wanted, 0600, beside `server.db`."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from longwatch.base.errors import LongwatchError


def key_at(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read it, or make it. Blocks. Raises LongwatchError for a file that is no such key."""
    try:
        pem = path.read_bytes()
    except FileNotFoundError:
        return _made(path)
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:
        raise LongwatchError(f"{path.name} holds no key", why=str(error), remedy="move it away: a new one is made, and browsers switch push on anew") from error  # fmt: skip
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise LongwatchError(f"{path.name} holds a key of another kind", remedy="move it away")
    return key


def _made(path: Path) -> ec.EllipticCurvePrivateKey:
    """Whole and flushed before it has its name: browsers are bound to it for years."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:  # noqa: PTH123
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return key


def public_text(key: ec.EllipticCurvePrivateKey) -> str:
    """`applicationServerKey`, as a browser wants it: the uncompressed point in base64url."""
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()
