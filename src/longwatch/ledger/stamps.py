"""Time stamps of checkpoints by an authority outside the post (RFC 3161): requests, answers, and whether an answer holds.

A stamp says that the checkpoint's text existed at a moment which the authority names: what is under that head was not written
later, whoever holds the key of the post. It is kept as the authority answered (TimeStampResp, DER), so that
`openssl ts -verify -in SIZE.tsr -data SIZE.checkpoint -CAfile CA` says the same as `verify` here. Pure: bytes in, values out.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

MAX_RESPONSE_BYTES = 64 << 10
_MALFORMED = (
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    UnsupportedAlgorithm,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GRANTED = (0, 1)
_DIGESTS = {
    "2.16.840.1.101.3.4.2.1": hashlib.sha256, "2.16.840.1.101.3.4.2.2": hashlib.sha384, "2.16.840.1.101.3.4.2.3": hashlib.sha512,
}  # fmt: skip


class StampError(ValueError):
    """Bytes that are no stamp of this checkpoint, or not by whom they should be."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """at_us: when, as the authority says. authority: the subject of its certificate. sha256: of the answer as it is kept. trusted: the
    signature holds, and leads to a root that was given; False: it was not asked.
    """

    at_us: int
    authority: str
    sha256: bytes
    trusted: bool


@dataclass(frozen=True, slots=True)
class StampRequest:
    """What is sent to an authority (application/timestamp-query), and the number that its answer must repeat."""

    data: bytes
    nonce: int


def request(checkpoint: str) -> StampRequest:
    """For the text of a signed checkpoint. SHA-256, with a nonce, and with the certificate in the answer."""
    made = (
        TimestampRequestBuilder().data(checkpoint.encode()).hash_algorithm(HashAlgorithm.SHA256)
        .nonce(nonce=True).cert_request(cert_request=True).build()
    )  # fmt: skip
    assert made.nonce is not None
    return StampRequest(made.as_bytes(), made.nonce)


def read(response: bytes, checkpoint: str, nonce: int | None = None) -> Stamp:
    """An answer for this checkpoint, by whomever. Raises StampError: refused, damaged, of another text or another request."""
    return _told(_decoded(response, checkpoint, nonce), response, trusted=False)


def verify(response: bytes, checkpoint: str, roots: bytes, nonce: int | None = None) -> Stamp:
    """The same, signed by an authority whose certificates lead to one of `roots` (PEM) and were valid at that moment, as OpenSSL
    judges it. Raises StampError.
    """
    decoded = _decoded(response, checkpoint, nonce)
    try:
        given = x509.load_pem_x509_certificates(roots)
    except ValueError as error:
        raise StampError(f"the file of roots holds no certificate: {error}") from error
    try:
        signed = [x509.load_der_x509_certificate(data) for data in decoded.signed_data.certificates]
        builder = VerifierBuilder(roots=given, intermediates=[c for c in signed if c not in given], nonce=nonce)
        builder.build().verify_message(decoded, checkpoint.encode())
    except (VerificationError, *_MALFORMED) as error:
        raise StampError(f"the stamp does not hold: {error}") from error
    return _told(decoded, response, trusted=True)


def _decoded(response: bytes, checkpoint: str, nonce: int | None) -> TimeStampResponse:
    if len(response) > MAX_RESPONSE_BYTES:
        raise StampError(f"a stamp of {len(response)} bytes")
    try:
        decoded = decode_timestamp_response(response)
        if decoded.status not in _GRANTED:
            raise StampError(f"the authority refused: {'; '.join(decoded.status_string)[:200] or decoded.status}")
        info = decoded.tst_info
        digest = _DIGESTS.get(info.message_imprint.hash_algorithm.dotted_string)
        if digest is None or info.message_imprint.message != digest(checkpoint.encode()).digest():
            raise StampError("the stamp is of another text")
        if nonce is not None and info.nonce != nonce:
            raise StampError("the stamp answers another request")
    except StampError:
        raise
    except _MALFORMED as error:
        raise StampError(f"this is no stamp: {error}") from error
    return decoded


def _told(decoded: TimeStampResponse, response: bytes, *, trusted: bool) -> Stamp:
    try:
        at_us = (decoded.tst_info.gen_time - _EPOCH) // timedelta(microseconds=1)
        return Stamp(at_us, _authority(decoded), hashlib.sha256(response).digest(), trusted)
    except _MALFORMED as error:
        raise StampError(f"this is no stamp: {error}") from error


def _authority(decoded: TimeStampResponse) -> str:
    """The certificate that signed, by its issuer and serial number; "" where the answer does not hold it."""
    signers = {(info.issuer, info.serial_number) for info in decoded.signed_data.signer_infos}
    for data in decoded.signed_data.certificates:
        certificate = x509.load_der_x509_certificate(data)
        if (certificate.issuer, certificate.serial_number) in signers:
            return certificate.subject.rfc4514_string()[:200]
    return ""
