"""The quick version of the campaign: a few hundred inputs a target, made of what cameras say and of plain nonsense."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.targets_rtsp import TARGETS

from longwatch.base import secrets

_WORDS = st.sampled_from(
    [
        b"RTSP/1.0 200 OK\r\n", b"RTSP/1.0 401 Unauthorized\r\n", b"RTSP/1.0 453 x\r\n", b"RTSP/1.0 302 Moved\r\n", b"CSeq: 1\r\n",
        b"CSeq: 2\r\n", b"CSeq: 3\r\n", b"CSeq: 4\r\n", b"\r\n", b"\n", b"\n\n", b"$\x00\x00\x04abcd", b"$\x01\x00\x00", b"$\x07\xff\xff", b"$",
        b"Session: abc;timeout=1\r\n", b"Session: a\0\x01\rb\r\n", b'WWW-Authenticate: Digest realm="\0", nonce="\r\x7f"\r\n', b"Public: OPTIONS, GET_PARAMETER\r\n", b"Content-Length: 40\r\n", b"Content-Length: 99999999\r\n",
        b'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256\r\n', b"WWW-Authenticate: Basic\r\n",
        b'Digest realm="r', b", Basic ", b"stale=true", b"Transport: RTP/AVP/TCP;interleaved=0-1\r\n", b"OPTIONS * RTSP/1.0\r\n",
        b"REDIRECT * RTSP/1.0\r\n", b"Content-Base: rtsp://x@evil/\r\n", b"v=0\r\n", b"m=video 0 RTP/AVP 96\r\n", b"m=audio 0 RTP/AVP 0\r\n",
        b"a=rtpmap:96 H264/90000\r\n", b"a=fmtp:96 a=b;c\r\n", b"a=control:rtsp://u:p@h/x y\r\n", b"a=control:*\r\n", b"user:pa@ss", b"@", b":554",
        b"[::1]", b"/a?b", b"%41", b"seq=0;", b"url=x;", b",", b";", b"=", b"\0", b"\xff\xfe", b"a" * 3000,
    ]
)  # fmt: skip
_INPUTS = st.one_of(
    st.binary(max_size=600), st.lists(st.one_of(_WORDS, st.binary(max_size=8)), max_size=40).map(b"".join)
)


@pytest.fixture(autouse=True)
def own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords made up here must not stay registered."""
    monkeypatch.setattr(secrets, "_known", set())
    monkeypatch.setattr(secrets, "_registered", {})
    monkeypatch.setattr(secrets, "_ordered", ())


@pytest.mark.slow
@pytest.mark.parametrize("target", [name for name in TARGETS if name != "sdp"])
def test_no_input_breaks_a_promise(target: str) -> None:
    @settings(max_examples=150, deadline=2000, database=None)
    @given(_INPUTS)
    def run(data: bytes) -> None:
        TARGETS[target](data)

    run()
