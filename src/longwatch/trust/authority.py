"""A hub's private CA, and its other keys: made at the hub's first start, in `data/trust`, never sent anywhere.

`authority.key` signs certificates and nothing else; `authority.pem` is what sites pin. `listener.*` is what the hub shows to those that dial
in. `cosigner.key` countersigns heads of ledgers, `command.key` signs what posts are told to do. Whoever has these files is the hub: they are to be
copied with the data folder. Owner: the hub's server.
"""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from longwatch.base.errors import LongwatchError
from longwatch.trust import certificates
from longwatch.trust.keys import SigningKey, key_in, read_private, write_private

FOLDER = "trust"
DOOR_FILES = ("authority.pem", "listener.pem", "cosigner.key")
"""Of this folder, what a door needs."""
LIFE_S = 365 * 86_400
_EARLY_US = 86_400 * 1_000_000
"""A certificate begins a day before it is made: other programs that look at it have other clocks."""


class Authority:
    """One hub's. hub: its id. listener: certificate and key of the listening end, one PEM file."""

    def __init__(self, folder: Path, hub: str) -> None:
        """Makes what is not there yet. Raises LongwatchError: a file that cannot be used, or a CA of another hub."""
        self.hub = hub
        self._key = key_in(folder / "authority.key")
        self._root = _root_in(folder / "authority.pem", self._key, hub)
        self.listener = folder / "listener.pem"
        self._make_listener()
        self.cosigner = key_in(folder / "cosigner.key")
        self.commander = key_in(folder / "command.key")

    def fingerprint(self) -> str:
        """SHA-256 of the CA certificate, in hex: what sites pin."""
        return certificates.fingerprint_of(self._root)

    @property
    def root_pem(self) -> bytes:
        """The CA certificate."""
        return self._root.public_bytes(Encoding.PEM)

    def sign(self, csr_pem: bytes, site: str, now_us: int, life_s: int = LIFE_S) -> bytes:
        """The certificate of a site, as PEM. now_us: the hub's wall time. Raises CertificateError."""
        return certificates.sign_request(
            self._root, self._key, csr_pem, site, now_us - _EARLY_US, now_us + life_s * 1_000_000
        )

    def _make_listener(self) -> None:
        """Anew where it is missing or cannot be read; it is not pinned, so nobody notices."""
        try:
            content = read_private(self.listener) if self.listener.exists() else b""
            certificates.serial_of(content)
        except certificates.CertificateError:
            key = SigningKey(Ed25519PrivateKey.generate())
            certificate = certificates.make_listener(self._root, self._key, self.hub, key)
            write_private(self.listener, certificate + self.root_pem + key.pem)


class DoorKeys:
    """What a further process of a hub has of its keys: enough to be dialled and to countersign. It can sign neither certificates nor commands: those two
    keys stay at the console.
    """

    def __init__(self, folder: Path, hub: str) -> None:
        """Raises LongwatchError: a file that is missing or cannot be used, or another hub's."""
        self.hub = hub
        self.listener = folder / "listener.pem"
        missing = [name for name in DOOR_FILES if not (folder / name).is_file()]
        if missing:
            raise LongwatchError(
                f"this door has not got the hub's keys: {' and '.join(missing)} in {folder}",
                remedy=f"copy {', '.join(DOOR_FILES)} there from `trust` in the data folder of the hub's console, mode 0600",
            )
        self._root = x509.load_pem_x509_certificate(read_private(folder / "authority.pem"))
        if self._root.subject != certificates.root_name(hub):
            raise LongwatchError(
                f"{folder} holds keys of another hub than {hub!r}", remedy="see `hub.id` in the settings"
            )
        self.cosigner = key_in(folder / "cosigner.key")

    def fingerprint(self) -> str:
        """As Authority."""
        return certificates.fingerprint_of(self._root)

    @property
    def root_pem(self) -> bytes:
        """As Authority."""
        return self._root.public_bytes(Encoding.PEM)


def authority_of(data: Path, hub: str) -> Authority:
    """The authority of the hub with this data folder. Raises LongwatchError."""
    return Authority(data / FOLDER, hub)


def _root_in(path: Path, key: SigningKey, hub: str) -> x509.Certificate:
    if not path.exists():
        write_private(path, certificates.make_root(key, hub).public_bytes(Encoding.PEM), anew=False)
    try:
        root = x509.load_pem_x509_certificate(read_private(path))
    except ValueError as error:
        raise LongwatchError(
            f"the CA certificate {path} cannot be read", why=str(error), remedy="put back the copy that was made of it"
        ) from error
    if root.public_key() != key.private.public_key():
        raise LongwatchError(
            f"{path} is not the certificate of the key beside it",
            remedy="put back both as they were copied; without them every post has to join again",
        )
    if root.subject != certificates.make_root(key, hub).subject:
        raise LongwatchError(
            f"{path} belongs to another hub than {hub!r}",
            remedy="a hub's id does not change once it has started: put it back in the settings",
        )
    return root
