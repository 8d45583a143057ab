"""Who is let in by TLS alone, whatever the clocks say."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.unit.trust.handshakes import shake

from longwatch.base.errors import LongwatchError
from longwatch.trust import (
    Authority,
    CertificateError,
    Enrolment,
    SigningKey,
    authority_of,
    client_context,
    enrol_context,
    enrolment_of,
    forget,
    keep,
    make_request,
    peer_of,
    pending_key,
    serial_of,
    server_context,
    site_of,
    tidy,
)

NOW_US = 1_800_000_000_000_000
YEAR_2100_US = 4_102_444_800_000_000


def joined(authority: Authority, data: Path, site: str = "ridge", now_us: int = NOW_US) -> Enrolment:
    key = pending_key(data)
    certificate = authority.sign(make_request(key, site), site, now_us)
    enrolment = Enrolment(
        authority.hub, "Headquarters", "hq.example.org:8461", authority.root_pem.decode(), authority.fingerprint(), site,
        authority.cosigner.public, authority.commander.public, "", now_us, Path(), 0,
    )  # fmt: skip
    return keep(data, enrolment, certificate, key)


def test_a_site_and_its_hub_know_each_other(tmp_path: Path) -> None:
    hub = authority_of(tmp_path / "hub", "hq")
    enrolment = joined(hub, tmp_path / "post")
    dialling, listening = shake(client_context(enrolment), server_context(hub))
    peer = peer_of(listening.getpeercert(True))
    assert (peer.site, peer.serial, dialling.version()) == ("ridge", enrolment.serial, "TLSv1.3")
    assert peer.expires_us == NOW_US + 365 * 86_400_000_000
    assert site_of(dialling.getpeercert(True)) == "hq"


@pytest.mark.parametrize("made_us", [YEAR_2100_US, 0], ids=["not good yet: the clock says 1970", "ended long ago"])
def test_no_end_looks_at_a_clock(tmp_path: Path, made_us: int) -> None:
    hub = authority_of(tmp_path / "hub", "hq")
    enrolment = joined(hub, tmp_path / "post", now_us=made_us)
    _, listening = shake(client_context(enrolment), server_context(hub))
    assert peer_of(listening.getpeercert(True)).site == "ridge"


def test_without_that_flag_the_clock_would_refuse(tmp_path: Path) -> None:
    hub = authority_of(tmp_path / "hub", "hq")
    enrolment = joined(hub, tmp_path / "post", now_us=YEAR_2100_US)
    server = server_context(hub)
    server.verify_flags = ssl.VerifyFlags.VERIFY_X509_STRICT
    with pytest.raises(ssl.SSLError, match="not yet valid"):
        shake(client_context(enrolment), server)


def test_another_hubs_site_is_refused(tmp_path: Path) -> None:
    hub, other = authority_of(tmp_path / "hub", "hq"), authority_of(tmp_path / "other", "hq")
    stranger = joined(other, tmp_path / "post")
    trusting = replace(stranger, ca=hub.root_pem.decode())
    with pytest.raises(ssl.SSLError, match=r"CERTIFICATE_VERIFY_FAILED|verify failed"):
        shake(client_context(trusting), server_context(hub))


def test_another_hub_is_refused_though_it_has_the_same_name(tmp_path: Path) -> None:
    hub, other = authority_of(tmp_path / "hub", "hq"), authority_of(tmp_path / "other", "hq")
    enrolment = joined(hub, tmp_path / "post")
    with pytest.raises(ssl.SSLError, match=r"CERTIFICATE_VERIFY_FAILED|verify failed"):
        shake(client_context(enrolment), server_context(other))
    with pytest.raises(ssl.SSLError, match=r"CERTIFICATE_VERIFY_FAILED|verify failed"):
        shake(enrol_context(hub.root_pem.decode()), server_context(other))


def test_a_post_does_not_pass_for_the_hub(tmp_path: Path) -> None:
    hub = authority_of(tmp_path / "hub", "hq")
    honest, thief = joined(hub, tmp_path / "honest"), joined(hub, tmp_path / "thief", "swamp")
    posing = server_context(hub)
    posing.load_cert_chain(thief.credentials)
    with pytest.raises(ssl.SSLError, match=r"unsuitable certificate purpose|unsupported certificate purpose"):
        shake(client_context(honest), posing)


def test_without_a_certificate_tls_is_there_and_nobody_is_named(tmp_path: Path) -> None:
    hub = authority_of(tmp_path / "hub", "hq")
    _, listening = shake(enrol_context(hub.root_pem.decode()), server_context(hub))
    with pytest.raises(CertificateError, match="no certificate was shown"):
        peer_of(listening.getpeercert(True))


def test_older_tls_is_refused(tmp_path: Path) -> None:
    hub = authority_of(tmp_path / "hub", "hq")
    client = enrol_context(hub.root_pem.decode())
    client.minimum_version = client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|unsupported protocol"):
        shake(client, server_context(hub))


def test_a_request_says_nothing_but_its_key(tmp_path: Path) -> None:
    hub = authority_of(tmp_path, "hq")
    pem = hub.sign(make_request(pending_key(tmp_path), "swamp"), "ridge", NOW_US)
    certificate = x509.load_pem_x509_certificate(pem)
    assert site_of(certificate.public_bytes(Encoding.DER)) == "ridge"
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_requests_of_p256_are_taken_and_others_refused(tmp_path: Path) -> None:
    hub = authority_of(tmp_path, "hq")

    def request(key: ec.EllipticCurvePrivateKey) -> bytes:
        made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        return made.sign(key, x509.base.hashes.SHA256()).public_bytes(Encoding.PEM)

    assert serial_of(hub.sign(request(ec.generate_private_key(ec.SECP256R1())), "ridge", NOW_US))
    with pytest.raises(CertificateError, match="a key of a kind"):
        hub.sign(request(ec.generate_private_key(ec.SECP384R1())), "ridge", NOW_US)
    for wrong in (b"", b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"):
        with pytest.raises(CertificateError, match="no request"):
            hub.sign(wrong, "ridge", NOW_US)


def test_what_a_hub_made_stays_the_same(tmp_path: Path) -> None:
    first, again = authority_of(tmp_path, "hq"), authority_of(tmp_path, "hq")
    assert first.fingerprint() == again.fingerprint() != authority_of(tmp_path / "other", "hq").fingerprint()
    assert first.cosigner.public == again.cosigner.public != again.commander.public
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "trust").iterdir()} == {0o600}
    with pytest.raises(LongwatchError, match="another hub"):
        authority_of(tmp_path, "headquarters")


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    authority_of(tmp_path, "hq")
    (tmp_path / "trust" / "authority.key").chmod(0o640)
    with pytest.raises(LongwatchError, match="others may read"):
        authority_of(tmp_path, "hq")


def test_a_lost_listener_is_made_again_and_a_lost_root_is_not(tmp_path: Path) -> None:
    hub = authority_of(tmp_path / "hub", "hq")
    enrolment = joined(hub, tmp_path / "post")
    hub.listener.write_bytes(b"")
    shake(client_context(enrolment), server_context(authority_of(tmp_path / "hub", "hq")))
    (tmp_path / "hub" / "trust" / "authority.key").write_bytes(SigningKey(ed25519.Ed25519PrivateKey.generate()).pem)
    with pytest.raises(LongwatchError, match="not the certificate of the key beside it"):
        authority_of(tmp_path / "hub", "hq")


def test_an_enrolment_is_kept_replaced_and_forgotten(tmp_path: Path) -> None:
    hub, data = authority_of(tmp_path / "hub", "hq"), tmp_path / "post"
    assert enrolment_of(data) is None
    first = joined(hub, data)
    assert enrolment_of(data) == first
    second = joined(hub, data)
    assert enrolment_of(data) == second
    assert first.serial != second.serial
    assert first.credentials.exists()
    tidy(data, second)
    assert not first.credentials.exists()
    shake(client_context(second), server_context(hub))
    forget(data)
    assert enrolment_of(data) is None
    assert list((data / "trust").iterdir()) == []


def test_a_damaged_enrolment_says_what_to_do(tmp_path: Path) -> None:
    joined(authority_of(tmp_path / "hub", "hq"), tmp_path)
    (tmp_path / "trust" / "enrolment.json").write_bytes(b"{}")
    with pytest.raises(LongwatchError, match="join the hub again"):
        enrolment_of(tmp_path)
    joined(authority_of(tmp_path / "hub", "hq"), tmp_path)
    enrolment = enrolment_of(tmp_path)
    assert enrolment is not None
    enrolment.credentials.write_bytes(
        ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    with pytest.raises(LongwatchError, match="certificate of this site"):
        client_context(enrolment)
