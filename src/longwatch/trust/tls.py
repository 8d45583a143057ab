"""TLS between sites: version 1.3 alone, one CA alone, and no look at any clock.

A post that starts without a clock says 1970, and would find every certificate not good yet: X509_V_FLAG_NO_CHECK_TIME turns the two time checks of
OpenSSL off, and nothing else. Signatures, the chain and the purpose (which end a certificate is for) are checked. In place of time stands the
hub: it knows which serials are good, by a clock of its own. Host names are not compared: a hub is known by its CA, wherever it is.
"""

from __future__ import annotations

import ssl

from longwatch.base.errors import LongwatchError
from longwatch.trust.authority import Authority, DoorKeys
from longwatch.trust.enrolment import Enrolment

NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL (x509_vfy.h); Python has no name for it


def client_context(enrolment: Enrolment) -> ssl.SSLContext:
    """For the end that dials: its own certificate, and the hub's CA alone. Raises LongwatchError where its files cannot be used."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=enrolment.ca)
        context.load_cert_chain(enrolment.credentials)
    except (OSError, ValueError) as error:
        raise LongwatchError(
            "the certificate of this site cannot be used", why=str(error), remedy="join the hub again with a new code"
        ) from error
    return context


def enrol_context(ca: str) -> ssl.SSLContext:
    """For the end that dials and has no certificate yet; the caller has held `ca` (PEM) against the fingerprint of the code."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ca)
    return context


def blind_context() -> ssl.SSLContext:
    """For one look at the chain that a hub shows, before there is anything to verify it with: nothing is sent over it, and the CA found is held against
    the fingerprint of the code.
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_NONE
    return context


def server_context(authority: Authority | DoorKeys) -> ssl.SSLContext:
    """For the end that listens. A certificate is asked for and verified where one is shown; who shows none may do nothing but enrol, which
    is the caller's to see to.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(cadata=authority.root_pem.decode())
        context.load_cert_chain(authority.listener)
    except (OSError, ValueError) as error:
        raise LongwatchError("the hub's certificate cannot be used", why=str(error)) from error
    context.verify_mode = ssl.CERT_OPTIONAL
    context.num_tickets = 0  # a session that is taken up again shows no certificate: every handshake is a whole one
    return context


def _context(protocol: ssl._SSLMethod) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    context.verify_flags = ssl.VerifyFlags(int(context.verify_flags) | NO_CHECK_TIME)
    return context
