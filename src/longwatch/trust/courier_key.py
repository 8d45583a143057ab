"""The key to which couriers' disks are encrypted: X25519 in age's form, of the hub alone, `data/trust/courier.key`.

A key of its own: what signs never decrypts. Sites are told the recipient when they join. Whoever loses the file cannot read disks that are
on their way; what is on them is packed again from the posts, which keep it until a receipt came back.
"""

from __future__ import annotations

from pathlib import Path

from pyrage import IdentityError, RecipientError, x25519

from longwatch.base.errors import LongwatchError
from longwatch.trust.authority import FOLDER
from longwatch.trust.keys import read_private, write_private

FILE = "courier.key"


def courier_identity(data: Path) -> x25519.Identity:
    """The hub's, made when it is first asked for. Raises LongwatchError."""
    path = data / FOLDER / FILE
    if not path.exists():
        write_private(path, f"{x25519.Identity.generate()}\n".encode(), anew=False)
    try:
        return x25519.Identity.from_str(read_private(path).decode("ascii").strip())
    except (IdentityError, UnicodeDecodeError) as error:
        raise LongwatchError(
            f"the key {path} cannot be read", why=str(error), remedy="put back the copy that was made of it"
        ) from error


def recipient_of(identity: x25519.Identity) -> str:
    """What is told to sites: `age1...`."""
    return str(identity.to_public())


def recipient(text: str) -> x25519.Recipient:
    """The reverse. Raises LongwatchError."""
    try:
        return x25519.Recipient.from_str(text)
    except RecipientError as error:
        raise LongwatchError(
            "the hub's key for couriers cannot be read", why=str(error), remedy="join the hub again"
        ) from error
