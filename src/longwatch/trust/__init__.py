"""Who may speak to whom between sites: a hub's private CA, certificates, one-time codes, TLS contexts that do not lean on a post's clock.

A hub is the authority for the sites that dial in to it; its CA certificate is all that they trust, and it is pinned by its hash in the one-time code
that a person carries. A certificate says one thing: which site this is. What it may do is the hub's table to say, at every handshake. Times in
certificates are not looked at by TLS (a post may start in 1970); the hub's own clock and its list of serials stand in for that.

Owner of the state: `data/trust` of a folder, written by its server (or by a verb that holds `server.lock`). Everything in it is 0600.
docs/design/enrolment.md is the design and the threat model.
"""

from longwatch.base.addresses import is_address
from longwatch.trust.authority import DOOR_FILES, LIFE_S, Authority, DoorKeys, authority_of
from longwatch.trust.certificates import CertificateError, Peer, make_request, peer_of, serial_of, site_of
from longwatch.trust.codes import Code, CodeError, fresh_secret, hash_of, parse_code
from longwatch.trust.enrolment import Enrolment, enrolment_of, forget, keep, pending_key, tidy
from longwatch.trust.keys import SigningKey
from longwatch.trust.tls import blind_context, client_context, enrol_context, server_context

__all__ = [
    "DOOR_FILES",
    "LIFE_S",
    "Authority",
    "CertificateError",
    "Code",
    "CodeError",
    "DoorKeys",
    "Enrolment",
    "Peer",
    "SigningKey",
    "authority_of",
    "blind_context",
    "client_context",
    "enrol_context",
    "enrolment_of",
    "forget",
    "fresh_secret",
    "hash_of",
    "is_address",
    "keep",
    "make_request",
    "parse_code",
    "peer_of",
    "pending_key",
    "serial_of",
    "server_context",
    "site_of",
    "tidy",
]
