"""Paths of certificates that would hold up whoever reads them."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TRY = """
import sys
from pathlib import Path
from longwatch.base.certificates import client_context
try:
    client_context(*(Path(each) if each else None for each in sys.argv[1:]))
except OSError as error:
    print(type(error).__name__, error)
else:
    print("taken")
"""


def tried(*paths: Path | None) -> str:
    """What it says of them, in a process of its own, which is killed if it waits."""
    arguments = [sys.executable, "-c", TRY, *("" if path is None else str(path) for path in paths)]
    done = subprocess.run(
        arguments,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        start_new_session=True,
    )
    return done.stdout.strip()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """`c.pem`, its own issuer; and `c.key`, `locked.key`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "one")]), dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "c.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    for file, lock in (
        ("c.key", serialization.NoEncryption()),
        ("locked.key", serialization.BestAvailableEncryption(b"hunter2")),
    ):
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
        path.with_name(file).write_bytes(pem)
    return path


def test_certificates_are_taken(certificate: Path) -> None:
    assert tried(certificate, certificate, certificate.with_name("c.key")) == "taken"
    assert tried() == "taken"


def test_a_key_with_a_password_is_refused_and_no_terminal_is_asked(certificate: Path) -> None:
    assert "SSLError" in tried(None, certificate, certificate.with_name("locked.key"))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_no_file_is_not_read(certificate: Path, place: int) -> None:
    fifo = certificate.with_name("fifo")
    os.mkfifo(fifo)
    for wrong in (fifo, Path("/dev/zero"), certificate.parent):
        paths = [certificate, certificate, certificate.with_name("c.key")]
        paths[place] = wrong
        assert "this is not a file" in tried(*paths)


def test_what_is_too_large_for_certificates_is_not_read(certificate: Path) -> None:
    with certificate.open("ab") as file:
        file.truncate(8 << 20)
    assert "too large" in tried(certificate)
