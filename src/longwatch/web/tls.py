"""A certificate of our own for `tls: self-signed`, kept in the data folder and renewed before it ends."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = dt.timedelta(days=397)  # what browsers accept at most
_RENEW = dt.timedelta(days=30)


def self_signed(folder: Path, names: tuple[str, ...], now: dt.datetime) -> tuple[Path, Path]:
    """(certificate, key) as PEM files in `folder` (0700, key 0600) for these host names and addresses.

    Those that are there are kept while they name the same and end in more than 30 days. A post that boots in 1970 must
    still be reachable: the certificate is valid from a day before `now`, whatever that is.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    certificate, key = folder / "cert.pem", folder / "key.pem"
    if not _still_good(certificate, key, names, now):
        _make(certificate, key, names, now)
    return certificate, key


def _still_good(certificate: Path, key: Path, names: tuple[str, ...], now: dt.datetime) -> bool:
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        named = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    wanted = {str(_name(name).value) for name in names}
    return (
        key.is_file()
        and {str(name.value) for name in named} == wanted
        and found.not_valid_before_utc <= now < found.not_valid_after_utc - _RENEW
    )


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _make(certificate: Path, key: Path, names: tuple[str, ...], now: dt.datetime) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(key, secret)
    _write(certificate, made.public_bytes(serialization.Encoding.PEM))


def _write(path: Path, data: bytes) -> None:
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
