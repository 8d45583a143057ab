"""A device that answers to do harm: on the loop that asks it, every camera is recorded."""

from __future__ import annotations

import time

import httptools
import pytest

from longwatch.surroundings import HttpAddress
from longwatch.surroundings.http_get import Reading, digest

DEVICE = HttpAddress("http", "camera", 80, "/still", "viewer", "secret")
WRONG = (ValueError, httptools.HttpParserError)


def fed(answer: bytes, step: int = 16_384) -> Reading:
    reading = Reading(4 << 20)
    for at in range(0, len(answer), step):
        reading.take(answer[at : at + step])
    return reading


@pytest.mark.parametrize(
    "said", ["a" * 30_000, "a = " * 8_000, " " * 30_000, "a" * 30_000 + '="', 'a="' + "\\" * 30_000]
)
def test_no_challenge_takes_long_to_read(said: str) -> None:
    began = time.process_time()
    with pytest.raises(ValueError, match="not known"):
        digest(DEVICE, said, "cc")
    assert time.process_time() - began < 1.0  # letters alone took half a minute, and megabytes of them could come


def test_a_challenge_is_read_as_before() -> None:
    said = digest(DEVICE, 'realm = "a\\"b",nonce=abc, qop="auth,auth-int", algorithm=SHA-256', "cc")
    assert 'nonce="abc"' in said
    assert "algorithm=SHA-256" in said


def test_headers_without_end_are_not_gathered() -> None:
    with pytest.raises(WRONG, match="headers"):
        fed(b"HTTP/1.1 401 x\r\nWWW-Authenticate: Digest " + b"a" * 65_536)
    with pytest.raises(WRONG, match="headers"):
        fed(b"HTTP/1.1 200 x\r\n" + b"a: b\r\n" * 16_384)


@pytest.mark.parametrize(
    "whole", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n4\r\n6789\r\n0\r\n\r\n"]
)  # fmt: skip
def test_an_answer_that_is_cut_anywhere_is_none(whole: bytes) -> None:
    assert fed(whole).answer().body == b"123456789"
    for cut in range(len(whole)):
        reading = fed(whole[:cut])
        assert not reading.whole
        with pytest.raises(ValueError, match="hung up"):
            reading.take(b"")


def test_one_without_length_ends_with_its_connection() -> None:
    reading = fed(b"HTTP/1.1 200 OK\r\n\r\n12345")
    reading.take(b"")
    assert reading.answer().body == b"12345"
