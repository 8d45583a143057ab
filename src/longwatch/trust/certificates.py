"""Certificates of sites: what stands in them, and what is read from them. Pure but for fresh keys and serials.

A certificate names its site in one URI (`urn:longwatch:site:ID`), and is good for one end of a connection: a hub's for the end that listens
(serverAuth), a post's for the end that dials (clientAuth), so that no post can pass for the hub of another (RFC 5280, 4.2.1.12).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from longwatch.base.errors import LongwatchError
from longwatch.base.ids import is_slug
from longwatch.trust.keys import SigningKey

SITE = "urn:longwatch:site:"
_BEGIN = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NEVER = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)  # RFC 5280, 4.1.2.5: no end that is known
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MOST_CSR_BYTES = 8 << 10


class CertificateError(LongwatchError):
    """No certificate or request that we take."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end. serial: of its certificate, in hex. expires_us: when that ends; TLS does not look at it, the hub does."""

    site: str
    serial: str
    expires_us: int


def peer_of(der: bytes | None) -> Peer:
    """What a certificate says, which TLS has verified. Raises CertificateError where it is none of ours."""
    if not der:
        raise CertificateError("no certificate was shown")
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, UnsupportedAlgorithm) as error:
        raise CertificateError("a certificate that names no site", why=str(error)) from error
    uris = [uri for uri in names.get_values_for_type(x509.UniformResourceIdentifier) if uri.startswith(SITE)]
    site = uris[0].removeprefix(SITE) if len(uris) == 1 else ""
    if not is_slug(site):
        raise CertificateError("a certificate that names no site, or several")
    return Peer(site, f"{certificate.serial_number:x}", _us(certificate.not_valid_after_utc))


def site_of(der: bytes | None) -> str:
    """The site of a certificate. Raises CertificateError."""
    return peer_of(der).site


def serial_of(pem: bytes) -> str:
    """Of the first certificate of a PEM text, in hex. Raises CertificateError."""
    return f"{_load(pem).serial_number:x}"


def der_of(pem: bytes) -> bytes:
    """The first certificate of a PEM text as DER. Raises CertificateError."""
    return _load(pem).public_bytes(Encoding.DER)


def _load(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError("no certificate in PEM", why=str(error)) from error


def make_request(key: SigningKey, site: str) -> bytes:
    """A request for a certificate (PKCS#10) of this key, as PEM."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(_name(site))
    return builder.sign(key.private, None).public_bytes(Encoding.PEM)


def root_name(hub: str) -> x509.Name:
    """The subject of a hub's CA certificate."""
    return _name(f"{hub}: sites")


def make_root(key: SigningKey, hub: str) -> x509.Certificate:
    """A hub's own CA certificate. It has no end: what it signed ends, and the hub's table decides."""
    name = root_name(hub)
    builder = _builder(name, name, key.private.public_key(), _BEGIN, _NEVER)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    own = x509.SubjectKeyIdentifier.from_public_key(key.private.public_key())
    return builder.add_extension(own, critical=False).sign(key.private, None)


def make_listener(root: x509.Certificate, key: SigningKey, hub: str, listener: SigningKey) -> bytes:
    """The certificate with which a hub listens, as PEM."""
    builder = _builder(_name(hub), root.subject, listener.private.public_key(), _BEGIN, _NEVER)
    return _leaf(builder, root, hub, ExtendedKeyUsageOID.SERVER_AUTH).sign(key.private, None).public_bytes(Encoding.PEM)


def sign_request(
    root: x509.Certificate, key: SigningKey, csr_pem: bytes, site: str, begin_us: int, end_us: int
) -> bytes:
    """The certificate of a site, as PEM. Only the key is taken from the request; what it asks for beside that is passed over.

    Raises CertificateError for a request that is none, is not signed by its own key, or has another kind of key than Ed25519 or P-256.
    """
    try:
        request = x509.load_pem_x509_csr(csr_pem[:_MOST_CSR_BYTES])
        public = request.public_key()
        good = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError("no request for a certificate", why=str(error)) from error
    if not isinstance(public, ed25519.Ed25519PublicKey) and not (
        isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1)
    ):
        raise CertificateError("a key of a kind that is not taken", remedy="Ed25519 or P-256")
    if not good:
        raise CertificateError("a request that its own key did not sign")
    builder = _builder(_name(site), root.subject, public, _moment(begin_us), _moment(end_us))
    return (
        _leaf(builder, root, site, ExtendedKeyUsageOID.CLIENT_AUTH).sign(key.private, None).public_bytes(Encoding.PEM)
    )


def fingerprint_of(certificate: x509.Certificate) -> str:
    """SHA-256 of its DER, in hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def _leaf(
    builder: x509.CertificateBuilder, root: x509.Certificate, site: str, use: x509.ObjectIdentifier
) -> x509.CertificateBuilder:
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(SITE + site)])
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=True)
    signer = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer)
    return builder.add_extension(by, critical=False).add_extension(names, critical=False)


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey,
    begin: dt.datetime, end: dt.datetime,
) -> x509.CertificateBuilder:  # fmt: skip
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
    return builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=signs_certificates, crl_sign=signs_certificates, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _moment(us: int) -> dt.datetime:
    """A certificate's times have seconds, and end with the year 9999."""
    return min(max(_EPOCH + dt.timedelta(seconds=us // 1_000_000), _BEGIN), _NEVER)


def _us(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)
