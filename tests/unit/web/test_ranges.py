"""Ranges and validators (RFC 9110)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from longwatch.accounts import Principal, Role
from longwatch.base.clock import ManualClock
from longwatch.web.errors import RefusedError
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
    deps = SimpleNamespace(read=read, clock=ManualClock())
    response = serve(deps, request, Stored(), {"X-Longwatch-Start": "t"}, "gate")
    body = b""
    if hasattr(response, "body_iterator"):
        async for chunk in response.body_iterator:
            body += chunk
    return response.status_code, dict(response.headers), body


class ReadAhead(Stored):
    """Its first 300 bytes are in memory."""

    head_bytes = 300

    def read_ahead(self, start: int, end: int) -> None:
        raise AssertionError("begun by the test")


@pytest.mark.parametrize(("asked", "at_once"), [("bytes=0-", [300]), ("bytes=300-", [])])
async def test_what_is_stored_waits_until_it_was_read_ahead_and_what_is_in_memory_does_not(
    asked: str, at_once: list[int]
) -> None:
    begun: list[tuple[object, ...]] = []
    reading: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin_reading(function: object, *span: int) -> asyncio.Future[None]:
        begun.append(span)
        return reading

    file = ReadAhead()
    scope = {"type": "http", "method": "GET", "headers": [(b"range", asked.encode())], "path": "/", "query_string": b""}
    deps = SimpleNamespace(read=read, begin_reading=begin_reading, clock=ManualClock())
    chunks = serve(deps, Request(scope), file, {}, "gate", ahead=file).body_iterator
    start = int(asked[6:-1])
    assert begun == [(start, 1000)], "before anybody waits for a byte"
    got = [await anext(chunks) for _ in at_once]
    assert [len(chunk) for chunk in got] == at_once
    following = asyncio.ensure_future(anext(chunks))
    await asyncio.sleep(0)  # the loop's turn: it would be there
    assert not following.done()
    reading.set_result(None)
    got.append(await following)
    got += [chunk async for chunk in chunks]
    assert b"".join(got) == WHOLE[start:]


async def test_who_loses_the_right_gets_no_more_of_what_is_long(principal: Principal) -> None:
    class Accounts:
        allowed = True

        async def still_may(self, whose: Principal, camera: str) -> bool:
            assert (whose, camera) == (principal, "gate")
            return self.allowed

    accounts, clock = Accounts(), ManualClock()
    scope = {"type": "http", "method": "GET", "headers": [], "path": "/", "query_string": b"", "longwatch.principal": principal}  # fmt: skip
    deps = SimpleNamespace(read=read, clock=clock, accounts=accounts)
    chunks = serve(deps, Request(scope), Stored(), {}, "gate").body_iterator
    got = await anext(chunks)
    clock.tick(2_000_000)
    got += await anext(chunks)
    accounts.allowed = False
    clock.tick(2_000_000)
    with pytest.raises(RefusedError, match="the right to this is over"):
        await anext(chunks)
    assert got == WHOLE[:600]


@pytest.fixture
def principal() -> Principal:
    return Principal("user", 1, "ada", Role.VIEWER, None, b"", None, 10, 0)


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
