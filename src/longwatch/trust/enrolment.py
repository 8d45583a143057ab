"""What a site knows of the hub it has joined: `data/trust/enrolment.json`, and its certificate and key beside it.

`site-SERIAL.pem` (certificate, key) is written before the JSON that names it, and goes once another is in use, so that a cut at any moment leaves a
site that can still dial in. Owner: the site's server, or a verb that holds `server.lock`.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from longwatch.base.addresses import is_address
from longwatch.base.errors import LongwatchError
from longwatch.base.ids import is_slug
from longwatch.ledger.checkpoint import KEY_BYTES
from longwatch.trust.authority import FOLDER
from longwatch.trust.certificates import serial_of
from longwatch.trust.keys import SigningKey, flush_folder, key_in, read_private, write_private

FILE = "enrolment.json"
PENDING = "joining.key"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """hub, hub_name: whom it joined. address: HOST:PORT there. ca: its CA certificate, PEM; fingerprint: of that, in hex. site: who we are there.
    cosigner, command_key: 32 bytes, raw. serial: of our certificate; expires_us: when that ends, by the hub's clock. credentials: the PEM file
    with our certificate and key. joined_us: our wall time, which may be wrong. courier: to whom couriers' disks are encrypted (`age1...`).
    """

    hub: str
    hub_name: str
    address: str
    ca: str = field(repr=False)
    fingerprint: str
    site: str
    cosigner: bytes
    command_key: bytes
    serial: str
    expires_us: int
    credentials: Path
    joined_us: int
    courier: str = ""

    def public(self) -> dict[str, Any]:
        """For answers and pages."""
        return {"id": self.hub, "name": self.hub_name, "address": self.address, "fingerprint": self.fingerprint}


def enrolment_of(data: Path) -> Enrolment | None:
    """Which hub the site with this data folder has joined; None for none. Raises LongwatchError where what is there cannot be read."""
    path = data / FOLDER / FILE
    if not path.exists():
        return None
    try:
        said = json.loads(read_private(path))
        found = Enrolment(
            **{
                **said,
                "cosigner": bytes.fromhex(said["cosigner"]),
                "command_key": bytes.fromhex(said["command_key"]),
                "credentials": path.parent / said["credentials"],
            }
        )
    except (ValueError, TypeError, KeyError) as error:
        raise LongwatchError(
            f"{path} cannot be read", why=repr(error), remedy="join the hub again: `longwatch join CODE --leave`"
        ) from error
    return found


def pending_key(data: Path) -> SigningKey:
    """The key of the certificate that is being asked for. It is kept until there is one: an answer that was lost is asked for again with it."""
    return key_in(data / FOLDER / PENDING)


def keep(data: Path, enrolment: Enrolment, certificate: bytes, key: SigningKey) -> Enrolment:
    """Write certificate and key, then what names them; from then on it is in force. Returns it with its `credentials`. Raises LongwatchError."""
    if not (is_slug(enrolment.hub) and is_slug(enrolment.site) and is_address(enrolment.address)):
        raise LongwatchError("the hub's answer cannot be used", why="an id or address that is none")
    if len(enrolment.cosigner) != KEY_BYTES or len(enrolment.command_key) != KEY_BYTES:
        raise LongwatchError("the hub's answer cannot be used", why="a key that is none")
    folder = data / FOLDER
    serial = serial_of(certificate)
    kept = replace(enrolment, serial=serial, credentials=folder / f"site-{serial}.pem")
    write_private(kept.credentials, certificate + key.pem)
    said = asdict(kept) | {
        "cosigner": kept.cosigner.hex(), "command_key": kept.command_key.hex(), "credentials": kept.credentials.name,
    }  # fmt: skip
    write_private(folder / FILE, json.dumps(said, indent=1, sort_keys=True).encode())
    with contextlib.suppress(OSError):
        (folder / PENDING).unlink(missing_ok=True)
    return kept


def tidy(data: Path, enrolment: Enrolment) -> None:
    """Remove certificates that are not in use any more: the one in force was seen to work."""
    for path in (data / FOLDER).glob("site-*.pem"):
        if path != enrolment.credentials:
            with contextlib.suppress(OSError):
                path.unlink()


def forget(data: Path) -> None:
    """Leave the hub: nothing of it stays but what the ledger says. Raises LongwatchError."""
    folder = data / FOLDER
    try:
        (folder / FILE).unlink(missing_ok=True)
        for path in [*folder.glob("site-*.pem"), folder / PENDING]:
            path.unlink(missing_ok=True)
        flush_folder(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise LongwatchError(f"{folder} cannot be written", why=error.strerror or "") from error
