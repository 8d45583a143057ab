"""Figure 18 over every route there is, also those that come later: whatever name stands in a path, a query or a body, no byte of a file
outside comes back, none is written, and the server makes no mistake of its own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from tests.support.site import Running, running_site

CANARY = "the canary stands outside"
REFUSED = {400, 401, 403, 404, 405, 409, 411, 413, 414, 415, 422, 429, 431, 503}
pytestmark = pytest.mark.asyncio(loop_scope="module")
_LETS_GO = ("/api/v1/logout",)  # each of these ends the login that the others need


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory):
    """One for all tests here."""
    folder = tmp_path_factory.mktemp("everywhere")
    (folder / "canary.txt").write_text(CANARY)
    data = folder / "data"
    data.mkdir()
    (data / "derived").mkdir()
    (data / "derived" / "out").symlink_to(folder)
    async with running_site(data) as running:
        yield running


def tricks(outside: Path) -> list[str]:
    return ["../canary.txt", "../../../../../../etc/passwd", str(outside), "derived/out/canary.txt", "NUL", "/dev/zero", "gate\0", "..\\canary.txt", "é" * 2000]  # fmt: skip


async def ask(site: Running, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
    """On a connection of its own, with a request line that no client has cleaned up."""
    host, port = site.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {site.tokens['admin']}\r\nConnection: close\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    writer.write(head.encode() + b"\r\n" + body)
    try:
        data = await asyncio.wait_for(reader.read(1 << 20), 20)
    except ConnectionError:
        data = b""
    writer.close()
    return (int(data.split(b" ", 2)[1]) if data else 0), data


async def operations(site: Running) -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """(method, path, its description, all schemas)."""
    async with site.client() as client:
        described = (await client.get("/api/v1/openapi.json")).json()
    schemas = described["components"]["schemas"]
    return [
        (method.upper(), path, operation, schemas)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
        if path not in _LETS_GO
    ]


GOOD = {
    "from": "2025-12-31T23:00:00Z", "to": "2026-01-01T00:00:00Z", "at": "2025-12-31T23:30:00Z", "until": "2030-01-01T00:00:00Z",
    "month": "2025-12", "width": "160", "limit": "10", "reason": "to try it", "camera": "gate", "stream": "main",
}  # fmt: skip
"""What lets a request come as far as the name that is tried."""


def filled(schema: dict[str, Any], schemas: dict[str, Any], text: str, name: str = "", depth: int = 0) -> Any:
    """A value of that schema, with `text` wherever a text may stand that is no moment."""
    if "$ref" in schema:
        return filled(schemas[schema["$ref"].rpartition("/")[2]], schemas, text, name, depth)
    if "anyOf" in schema:
        return filled(schema["anyOf"][0], schemas, text, name, depth)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    kind = schema.get("type")
    if kind == "object" and depth < 4:
        return {key: filled(each, schemas, text, key, depth + 1) for key, each in schema.get("properties", {}).items()}
    if kind == "array":
        return [filled(schema.get("items", {}), schemas, text, "", depth + 1)]
    if kind in {"integer", "number"}:
        return 1
    if kind == "boolean":
        return False
    return GOOD[name] if name in {"from", "to", "until", "at", "reason"} else text


def body_of(operation: dict[str, Any], schemas: dict[str, Any], text: str) -> bytes:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return json.dumps(filled(content["schema"], schemas, text), ensure_ascii=False).encode() if content else b""


def query_of(operation: dict[str, Any], **tried: str) -> str:
    """What the route takes, with good values for what is not tried."""
    names = [p["name"] for p in operation.get("parameters", []) if p["in"] == "query"]
    values = {name: tried.get(name, GOOD.get(name, "")) for name in names}
    return "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in values.items() if value)


def files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if not path.name.startswith("server.db"))


async def test_no_name_in_a_path_leads_outside(site: Running) -> None:
    folder = site.recorder.path.parents[2]
    before = list(files(folder))
    for method, path, operation, schemas in await operations(site):
        if "{" not in path:
            continue
        for trick in tricks(folder / "canary.txt"):
            name = quote(trick, safe="")
            parts = [name if part.startswith("{") else part for part in path.split("/")]
            target = f"{'/'.join(parts)}?{query_of(operation)}"
            status, answer = await ask(site, method, target, body_of(operation, schemas, "a fair text"))
            assert status in REFUSED, (method, path, trick[:40], status, answer[-300:])
            assert CANARY.encode() not in answer
            assert b"root:" not in answer
    assert list(files(folder)) == before


async def test_no_name_in_a_query_or_a_body_leads_outside(site: Running) -> None:
    folder = site.recorder.path.parents[2]
    before = list(files(folder))
    for method, path, operation, schemas in await operations(site):
        where = path.replace("{id}", "gate").replace("{name}", "look")
        if "{" in where:
            continue
        for trick in tricks(folder / "canary.txt")[:7]:
            targets = [
                f"{where}?{query_of(operation, **{p['name']: trick})}"
                for p in operation.get("parameters", [])
                if p["in"] == "query"
            ]
            body = body_of(operation, schemas, trick)
            for target in targets or ([f"{where}?{query_of(operation)}"] if body else []):
                status, answer = await ask(site, method, target, body)
                assert status < 500 or status == 503, (method, target, answer[-300:])
                assert CANARY.encode() not in answer
                assert b"root:" not in answer
    assert list(files(folder)) == before


async def test_a_megabyte_of_unicode_as_a_name_is_refused_by_every_route(site: Running) -> None:
    for method, path, operation, schemas in await operations(site):
        body = body_of(operation, schemas, "长" * 350_000)
        if len(body) > 1_000_000:
            where = path.replace("{id}", "gate").replace("{name}", "look")
            status, answer = await ask(site, method, where, body)
            assert status in {0, *REFUSED}, (method, path, status)
            assert len(answer) < 20_000
    async with site.client() as client:
        assert (await client.get("/healthz")).status_code == 200
