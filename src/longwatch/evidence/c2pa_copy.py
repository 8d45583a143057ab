"""A copy of the mp4 that carries a C2PA manifest, signed by a certificate that the post made for itself.

What it is worth: a C2PA reader says that the copy is as it was signed, and what was said of it. It calls the certificate
*untrusted*, and is right: nobody but the post vouches for it. What ties it to the post is the package's manifest, which names
the certificate's hash and is itself named by the ledger. No network is used: no timestamp authority, no OCSP, no remote manifest. For
a large file the library takes some 500 MB of memory, whatever its length: in the verb that exports, never in the recorder.

The key lies beside the ledger's (`c2pa.key`, mode 0600), its chain in `c2pa.pem`. The chain has an issuer, since C2PA takes no
self-signed signer; the issuer's key is thrown away once it has signed the one certificate.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import c2pa  # type: ignore[import-untyped]  # the package brings no stubs
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from longwatch.base.errors import LongwatchError

KEY = "c2pa.key"
CHAIN = "c2pa.pem"
ASSERTION = "org.longwatch.evidence"
_SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
# A post may believe that it is 1970: a certificate that is not valid then would make every export fail.
_FIRST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LAST = dt.datetime(2099, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
_OFFLINE = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "builder": {"thumbnail": {"enabled": False}},
    "core": {"backing_store_memory_threshold_in_mb": 16},
}


@dataclass(frozen=True, slots=True)
class Identity:
    """The post's signer. chain: PEM, the signer's certificate first. certificate_sha256: of that one in DER, in hex."""

    key: bytes = field(repr=False)
    chain: bytes = field(repr=False)
    certificate_sha256: str = ""


def identity(folder: Path, post: str) -> Identity:
    """The signer kept in `folder`, made where there is none. Raises LongwatchError where it cannot be read or written."""
    try:
        if not (folder / KEY).exists():
            _make(folder, post)
        key, chain = (folder / KEY).read_bytes(), (folder / CHAIN).read_bytes()
        certificate = x509.load_pem_x509_certificates(chain)[0]
        private = load_pem_private_key(key, None)
        if certificate.public_key() != private.public_key():
            raise LongwatchError(
                f"{CHAIN} is not the certificate of {KEY}",
                remedy="move both aside: new ones are made at the next export",
            )
    except (OSError, ValueError, IndexError) as error:
        raise LongwatchError(f"the C2PA key of the post cannot be used: {KEY}, {CHAIN}", why=str(error)) from error
    return Identity(key, chain, certificate.fingerprint(hashes.SHA256()).hex())


def _make(folder: Path, post: str) -> None:
    """A key and its chain. The chain is written first: a key that is there has its chain."""
    issuer, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    chain = [
        _certificate(post, "evidence", key.public_key(), issuer),
        _certificate(post, "issuer", issuer.public_key(), issuer),
    ]
    _write(folder / CHAIN, b"".join(each.public_bytes(Encoding.PEM) for each in chain), 0o644)
    _write(folder / KEY, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)


def _certificate(
    post: str, role: str, public: ec.EllipticCurvePublicKey, issuer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    """As C2PA 2.x asks (Content Credentials, "Certificate profiles"): X.509 v3, an allowed purpose, key usage critical."""
    is_issuer = role == "issuer"
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(post, role))
        .issuer_name(_name(post, "issuer"))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FIRST)
        .not_valid_after(_LAST)
        .add_extension(x509.BasicConstraints(ca=is_issuer, path_length=0 if is_issuer else None), critical=True)
        .add_extension(_usage(is_issuer=is_issuer), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False)
    )
    if not is_issuer:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(issuer, hashes.SHA256())


def _name(post: str, role: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"Longwatch post {post}"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{post} {role}"),
        ]
    )


def _usage(*, is_issuer: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_issuer, key_cert_sign=is_issuer, crl_sign=False, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _write(path: Path, data: bytes, mode: int) -> None:
    """Whole or not at all, and durable."""
    begun = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode), "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        begun.replace(path)
    finally:
        begun.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sign_copy(
    source: Path,
    target: Path,
    who: Identity,
    *,
    title: str,
    writer: tuple[str, str],
    when: str,
    facts: Mapping[str, object],
) -> None:
    """Write `target`, the mp4 of `source` with a signed manifest: the action of its making, and `facts` as an assertion.

    writer: program and version. when: RFC 3339. Raises LongwatchError.
    """
    claim = {
        "claim_generator_info": [{"name": writer[0], "version": writer[1]}], "title": title, "format": "video/mp4",
        "assertions": [
            {"label": "c2pa.actions", "data": {"actions": [{
                "action": "c2pa.created", "when": when, "softwareAgent": "/".join(writer), "digitalSourceType": _SOURCE,
                "description": "Cut from stored fragments of a camera's stream; not decoded, not encoded again.",
            }]}},
            {"label": ASSERTION, "data": dict(facts)},
        ],
    }  # fmt: skip
    try:
        with (
            _scratch(target.parent),
            source.open("rb") as given,
            target.open("w+b") as out,
            c2pa.Context(c2pa.Settings.from_dict(_OFFLINE)) as context,
            c2pa.Builder(json.dumps(claim), context) as builder,
            c2pa.Signer.from_info(c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, who.chain, who.key, None)) as signer,
        ):
            builder.sign(signer, "video/mp4", given, out)
    except (c2pa.C2paError, OSError) as error:
        with contextlib.suppress(OSError):
            target.unlink(missing_ok=True)
        raise LongwatchError("the C2PA copy could not be signed", why=str(error)) from error


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[None]:
    """The library's own temporary files go beside the copy: /tmp may be memory, and a day of video is not."""
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before


def read_copy(path: Path) -> dict[str, object]:
    """What a C2PA reader says of a copy, without a network: `state` (Valid, Invalid, Trusted) and the active manifest."""
    try:
        with (
            path.open("rb") as given,
            c2pa.Context(c2pa.Settings.from_dict(_OFFLINE)) as context,
            c2pa.Reader("video/mp4", given, context=context) as reader,
        ):
            said = json.loads(reader.json())
    except (c2pa.C2paError, OSError) as error:
        raise LongwatchError("the C2PA copy cannot be read", why=str(error)) from error
    return {"state": said.get("validation_state"), "manifest": said["manifests"][said["active_manifest"]]}
