"""Path tricks: whatever stands in a URL, no byte from outside comes back and none is written (figure 18)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from starlette.routing import Route
from tests.support.site import PASSWORD, Running, running_site

from longwatch.accounts import Role
from longwatch.node.server import http as server_http

CANARY = "the canary stands outside"
_SPAN = "from=2025-12-31T23:00:00Z&to=2026-01-01T00:00:00Z"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory):
    """One for all tests here."""
    tmp_path = tmp_path_factory.mktemp("paths")
    (tmp_path / "canary.txt").write_text(CANARY)
    data = tmp_path / "data"
    static = data / "static"
    static.mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html>")
    (static / "out").symlink_to(tmp_path)
    async with running_site(data, static=static) as running:
        yield running


def tricks(outside: Path) -> list[str]:
    """As they stand on the request line: percent-encoded where that is what keeps a client from cleaning them up."""
    plain = [
        "../canary.txt", "../../canary.txt", "../../../../../../../../etc/passwd", str(outside), "/etc/passwd",
        "out/canary.txt", "CON", "NUL.txt", "aux", "/dev/zero", "/proc/self/environ", "file:///etc/passwd", "gate\0.txt",
        "..\\..\\canary.txt", "....//....//canary.txt", "‥/canary.txt", "gate/../../canary.txt", "~root/.bashrc",
        "$(id)", "`id`", "|id", ";id", "%00", "\r\nX-Injected: 1", "ｇａｔｅ", "g" * 4000, "é" * 2000,
    ]  # fmt: skip
    return [quote(text, safe="") for text in plain] + [quote(quote(text, safe=""), safe="") for text in plain[:6]]


async def raw(site: Running, target: str) -> bytes:
    """The answer to a request line that no client library has cleaned up."""
    host, port = site.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    token = site.tokens["admin"]
    writer.write(
        f"GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n".encode()
    )
    data = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return data


async def test_no_path_leads_outside(site: Running) -> None:
    tmp_path = site.recorder.path.parents[2]
    before = sorted(tmp_path.rglob("*"))
    for trick in tricks(tmp_path / "canary.txt"):
        for target in (
            f"/{trick}",
            f"/assets/{trick}",
            f"/api/v1/cameras/{trick}/timeline?{_SPAN}",
            f"/api/v1/cameras/{trick}/video.mp4?{_SPAN}",
            f"/api/v1/cameras/gate/timeline?{_SPAN}&stream={trick}",
            f"/api/v1/cameras/gate/segment.mp4?part={trick}&run=1&from=1&to=2&start=0&end=1",
            f"/api/v1/gaps?{_SPAN}&camera={trick}",
        ):
            answer = await raw(site, target)
            status = int(answer.split(b" ", 2)[1])
            assert status in {400, 403, 404, 414, 422, 431}, (target[:200], status)
            assert CANARY.encode() not in answer
            assert b"root:" not in answer
            assert b"\r\nX-Injected" not in answer
    assert sorted(path for path in tmp_path.rglob("*") if not path.name.startswith("server.db-")) == [
        path for path in before if not path.name.startswith("server.db-")
    ]


async def test_request_lines_that_were_never_cleaned_up(site: Running) -> None:
    for target in (
        "/../canary.txt",
        "/assets/../../canary.txt",
        "/%2e%2e/canary.txt",
        "//etc/passwd",
        "/out/canary.txt",
    ):
        answer = await raw(site, target)
        assert int(answer.split(b" ", 2)[1]) in {400, 404}, target
        assert CANARY.encode() not in answer


async def test_a_megabyte_of_unicode_is_refused_and_the_server_lives(site: Running) -> None:
    long = quote("长" * 350_000, safe="")
    for target in (f"/api/v1/cameras/{long}/timeline?{_SPAN}", f"/{long}"):
        try:
            answer = await raw(site, target)
        except (ConnectionError, asyncio.IncompleteReadError):
            answer = b""
        assert not answer or int(answer.split(b" ", 2)[1]) in {400, 403, 404, 414, 422, 431}
        assert len(answer) < 10_000
    async with site.client() as client:
        assert (await client.get("/healthz")).status_code == 200


async def test_a_body_beyond_the_limit_is_refused(site: Running) -> None:
    async with site.client() as client:
        body = {"name": "a" * 1_000_000, "password": "b"}
        assert (await client.post("/api/v1/login", json=body)).status_code in {413, 422}


async def test_what_may_be_larger_is_let_through_by_who_counts_bytes(site: Running) -> None:
    """Two places say how long a body may be: the routes, and what keeps the server from being filled."""
    larger = {
        route.path.format(**dict.fromkeys(route.param_convertors, "x")): most
        for route in site.app.routes
        if isinstance(route, Route)
        and (most := getattr(route, "max_body_size", None) or 0) > server_http.MOST_REQUEST_BYTES // 2
    }
    assert larger
    for path, most in larger.items():
        assert any(form.fullmatch(path) and bound >= most for form, bound in server_http.LARGE), path


@pytest.mark.slow
async def test_a_large_body_that_comes_on_is_not_cut_off_and_one_that_stands_still_is(
    site: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_http, "WHOLE_WITHIN_S", 3.0)
    monkeypatch.setattr(server_http, "_STEP_BYTES", 8 << 10)
    host, port = site.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /api/v1/settings/check HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {site.tokens['admin']}\r\nContent-Length: 400000\r\n\r\n"
    writer.write(head.encode())
    began = asyncio.get_running_loop().time()
    while asyncio.get_running_loop().time() - began < 4.5:
        writer.write(b"x" * (8 << 10))
        await writer.drain()
        await asyncio.sleep(0.2)  # as a thin link brings it
        assert not reader.at_eof()
    assert await asyncio.wait_for(reader.read(), 30) == b"", (
        "nothing more comes: it is closed, and nobody answers half a request"
    )
    writer.close()


async def test_a_request_without_end_is_cut_off(site: Running) -> None:
    """Before any right is asked for, so the bounds are what protects."""
    host, port = site.base.removeprefix("http://").split(":")
    for head in (
        b"GET /healthz HTTP/1.1\r\nX-A: ",
        b"GET /",
        b"POST /api/v1/login HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n",
    ):
        _reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(head)
        sent = 0
        try:
            while sent < 8 << 20:
                writer.write(b"a" * 65_536)
                await writer.drain()
                sent += 65_536
            raise AssertionError(f"{sent} bytes were taken")
        except ConnectionError:
            pass
        writer.close()
    for _ in range(3):
        async with site.client() as client:
            assert (await client.get("/healthz")).status_code == 200


async def test_a_kept_connection_has_the_whole_bound_for_each_request(site: Running) -> None:
    async with site.client("viewer") as client:
        for _ in range(20):
            answer = await client.get("/api/v1/me", headers={"X-Filler": "a" * 20_000})
            assert answer.status_code == 200


async def test_a_request_that_is_never_finished_is_closed(site: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_http, "WHOLE_WITHIN_S", 0.05)
    host, port = site.base.removeprefix("http://").split(":")
    for begun in (
        b"",
        b"GET /healthz HTTP/1.1\r\nX-A: 1\r\n",
        b"POST /api/v1/login HTTP/1.1\r\nContent-Length: 9\r\n\r\n{",
    ):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(begun)
        await asyncio.wait_for(reader.read(), 10)  # until the server closes it
        writer.close()


async def test_one_address_cannot_take_every_connection(site: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has signed in here: a thousand silent connections kept everybody out for 20 s at a time."""
    monkeypatch.setattr(server_http, "MOST_OF_ONE_ADDRESS", 5)
    host, port = site.base.removeprefix("http://").split(":")
    silent = []
    try:
        for _ in range(5):
            silent.append(await asyncio.open_connection(host, int(port)))
            silent[-1][1].write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await silent[-1][0].readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        answer = await raw(site, "/healthz")
        assert answer.startswith(b"HTTP/1.1 429 ")
        reader, writer = await asyncio.open_connection(host, int(port), local_addr=("127.0.0.2", 0))
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 "), "another address gets in"
        writer.close()
    finally:
        for _, each in silent:
            each.close()

    async def gets_in() -> bool:
        return (await raw(site, "/healthz")).startswith(b"HTTP/1.1 200 ")

    async with asyncio.timeout(20):
        while not await gets_in():
            await asyncio.sleep(0)


async def test_a_proxy_speaks_for_many() -> None:
    crowd = server_http.Crowd(["10.0.0.0/8"])
    assert not crowd.counts("10.1.2.3")
    assert crowd.counts("192.168.1.1")
    assert not crowd.counts("")


async def test_neighbours_in_a_network_of_ipv6_are_one_crowd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_http, "MOST_OF_ONE_ADDRESS", 2)
    crowd = server_http.Crowd()
    assert crowd.enter("2001:db8::1")
    assert crowd.enter("2001:db8::2")
    assert not crowd.enter("2001:db8::3")
    assert crowd.enter("2001:db8:0:1::3")
    crowd.leave("2001:db8::2")
    assert crowd.enter("2001:db8::4")


async def test_a_settings_file_may_be_larger_than_other_requests(site: Running) -> None:
    async with site.client("admin") as client:
        for path, size, status in (
            ("/api/v1/settings/check", 900 << 10, 503),  # let through: this site has no settings file
            ("/api/v1/settings/check", 6 << 20, 413),
            ("/api/v1/login", 3 << 20, 431),
        ):
            await client.get("/healthz")
            try:
                answer = await client.post(path, json={"text": "x" * size, "name": "a", "password": "b"})
            except httpx.TransportError:
                assert status != 503, "cut off in the middle"
                continue
            assert answer.status_code in ({503} if status == 503 else {413, 431})


async def test_a_preference_that_is_no_json_is_refused(site: Running) -> None:
    await site.accounts.add_user("pia", PASSWORD, Role.VIEWER)
    async with site.client() as client:
        await client.post("/api/v1/login", json={"name": "pia", "password": PASSWORD})
        answer = await client.put(
            "/api/v1/me/preferences/wall", content=b"\xff\xfe", headers={"Content-Type": "text/plain"}
        )
    assert answer.status_code == 422
