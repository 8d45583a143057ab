"""Ranges and validators (RFC 9110)."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from longwatch.web.ranges import serve, wanted


class Stored:
    size = 1000
    etag = '"abc"'
    media_type = "video/mp4"

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        for at in range(start, end, 300):
            yield bytes(n % 251 for n in range(at, min(end, at + 300)))


WHOLE = b"".join(Stored().chunks(0, 1000))


async def read(function, *arguments):
    return function(*arguments)


async def answer(method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    listed = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    request = Request({"type": "http", "method": method, "headers": listed, "path": "/", "query_string": b""})
    response = serve(SimpleNamespace(read=read), request, Stored(), {"X-Longwatch-Start": "t"})
    body = b""
    if hasattr(response, "body_iterator"):
        async for chunk in response.body_iterator:
            body += chunk
    return response.status_code, dict(response.headers), body


async def test_the_whole() -> None:
    status, headers, body = await answer()
    assert (status, body) == (200, WHOLE)
    assert headers["content-length"] == "1000"
    assert headers["accept-ranges"] == "bytes"
    assert headers["etag"] == '"abc"'
    assert headers["x-longwatch-start"] == "t"


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [("bytes=0-0", 0, 1), ("bytes=10-19", 10, 20), ("bytes=990-", 990, 1000), ("bytes=-10", 990, 1000),
     ("bytes=0-99999", 0, 1000), ("bytes=-99999", 0, 1000), ("bytes=0-", 0, 1000)],
)  # fmt: skip
async def test_one_range(header: str, start: int, end: int) -> None:
    status, headers, body = await answer(range=header)
    assert (status, body) == (206, WHOLE[start:end])
    assert headers["content-range"] == f"bytes {start}-{end - 1}/1000"
    assert headers["content-length"] == str(end - start)


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=5000-6000", "bytes=-0"])
async def test_a_range_outside(header: str) -> None:
    status, headers, body = await answer(range=header)
    assert (status, headers["content-range"], body) == (416, "bytes */1000", b"")


@pytest.mark.parametrize(
    "header", ["bytes=0-1,5-6", "bytes=x-", "items=0-1", "bytes=9-3", "bytes=-", "bytes=" + "9" * 40]
)
async def test_what_is_not_one_range_gets_the_whole(header: str) -> None:
    status, _, body = await answer(range=header)
    assert (status, body) == (200, WHOLE)


async def test_validators() -> None:
    for value in ('"abc"', 'W/"abc"', '"x", "abc"', "*"):
        status, headers, body = await answer(if_none_match=value)
        assert (status, headers["etag"], body) == (304, '"abc"', b"")
    assert (await answer(if_none_match='"x"'))[0] == 200
    assert (await answer(range="bytes=0-9", if_range='"abc"'))[0] == 206
    assert (await answer(range="bytes=0-9", if_range='"x"'))[0] == 200


async def test_head_is_get_without_a_body() -> None:
    status, headers, body = await answer("HEAD", range="bytes=0-9")
    assert (status, headers["content-length"], body) == (206, "10", b"")


@given(st.text(max_size=40), st.integers(1, 10**12))
@settings(max_examples=200)
def test_any_header_is_harmless(header: str, size: int) -> None:
    for text in (header, f"bytes={header}", f"bytes={header}-{header}"):
        span = wanted(text, size)
        if isinstance(span, tuple):
            assert 0 <= span[0] < span[1] <= size
