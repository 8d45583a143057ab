"""The quick version of the campaign at the edges."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.targets_edges import TARGETS

from longwatch.base import secrets

_WORDS = st.sampled_from(
    [
        b"post: {id: a}\n", b"data: d\n", b"cameras:\n", b"  gate:\n", b"    streams:\n", b"      main: rtsp://u:${NAME}@h/x\n", b"post:", b"  - a\n",
        b"retention: {max_age: 3d}\n", b"defaults: {audio: 1}\n", b"hub:\n", b"secrets: /dev/null\n", b"web: {tls: {cert: c}}\n", b"&a", b"*a", b"<<: *a\n", b"!!python/x ",
        b"${", b"$${", b"}", b": ", b"\n", b"'", b'"', b"|\n", b"{", b"[", b"\t", b"\xff", b"2001-01-01", b"1e999", b".nan", b"~", b"true", b"0x1",
        b"OPTIONS * RTSP/1.0\r\n", b"CSeq: 1\r\n", b"Content-Length: 3\r\n", b"Content-Length: -1\r\n", b"Content-Length: x\r\n", b"\r\n", b"\r\n\r\n", b"$\0\0\x04abcd",
        b'Authorization: Digest nonce="x", qop=auth\r\n', b"Transport: RTP/AVP;client_port=1-2,x\r\n", b"stall", b":10", b"@5", b"loss:1,2@3",
    ]
)  # fmt: skip


@pytest.fixture(autouse=True)
def own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords made up here must not stay registered."""
    monkeypatch.setattr(secrets, "register", lambda secret: None)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_no_input_breaks_a_promise(target: str) -> None:
    @settings(max_examples=200, deadline=2000, database=None)
    @given(
        st.one_of(
            st.binary(max_size=300), st.lists(st.one_of(_WORDS, st.binary(max_size=6)), max_size=25).map(b"".join)
        )
    )
    def run(data: bytes) -> None:
        TARGETS[target](data)

    run()
