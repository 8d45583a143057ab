"""The camera's side of a login, against the examples of the standards."""

from __future__ import annotations

import hashlib

import pytest

from longwatch.base.errors import UsageError
from longwatch.simulate.login import Login


def respond(challenge: str, user: str, password: str, method: str, uri: str) -> str:
    """A client's answer, written from RFC 7616 and not from the code."""
    fields = dict(part.split("=", 1) for part in challenge.removeprefix("Digest ").split(", "))
    fields = {name: value.strip('"') for name, value in fields.items()}
    algorithm = hashlib.sha256 if fields.get("algorithm") == "SHA-256" else hashlib.md5

    def h(text: str) -> str:
        return algorithm(text.encode()).hexdigest()

    one, two = h(f"{user}:{fields['realm']}:{password}"), h(f"{method}:{uri}")
    text = f'Digest username="{user}", realm="{fields["realm"]}", nonce="{fields["nonce"]}", uri="{uri}"'
    if "qop" in fields:
        response = h(f"{one}:{fields['nonce']}:00000001:abc:auth:{two}")
        text += f', qop=auth, nc=00000001, cnonce="abc", algorithm=SHA-256, response="{response}"'
    else:
        text += f', response="{h(one + ":" + fields["nonce"] + ":" + two)}"'
    return text


@pytest.mark.parametrize("scheme", ["digest", "digest-sha256"])
def test_digest(scheme):
    login = Login(scheme, "user", "pässwörd")
    (challenge,) = login.challenges()
    assert not login.accepts("DESCRIBE", "")
    assert login.accepts("DESCRIBE", respond(challenge, "user", "pässwörd", "DESCRIBE", "rtsp://h/"))
    assert not login.accepts("SETUP", respond(challenge, "user", "pässwörd", "DESCRIBE", "rtsp://h/"))
    assert not login.accepts("DESCRIBE", respond(challenge, "user", "wrong", "DESCRIBE", "rtsp://h/"))
    assert not login.accepts("DESCRIBE", respond(challenge, "other", "pässwörd", "DESCRIBE", "rtsp://h/"))
    (foreign,) = Login(scheme, "user", "pässwörd").challenges()
    assert not login.accepts("DESCRIBE", respond(foreign, "user", "pässwörd", "DESCRIBE", "rtsp://h/"))


def test_basic():
    login = Login("basic", "Aladdin", "open sesame")
    assert login.challenges() == ['Basic realm="Simulated camera"']
    assert login.accepts("DESCRIBE", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")  # RFC 7617, 2
    assert not login.accepts("DESCRIBE", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZR==")


def test_any_offers_the_strongest_first_and_digest_takes_no_basic():
    assert [c.split(" ")[0] for c in Login("any", "u", "p").challenges()] == ["Digest", "Digest", "Basic"]
    assert "SHA-256" in Login("any", "u", "p").challenges()[0]
    assert not Login("digest", "u", "p").accepts("DESCRIBE", "Basic dTpw")
    assert Login("none", "", "").accepts("DESCRIBE", "")
    with pytest.raises(UsageError):
        Login("ntlm", "u", "p")
