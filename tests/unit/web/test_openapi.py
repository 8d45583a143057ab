"""The OpenAPI says what is there, and the routes do what it says (schemathesis)."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from tests.support.site import Running, running_site

from longwatch.base.tasks import Tasks

_CONTRACT = {
    "/healthz", "/readyz", "/metrics", "/api/v1/cameras", "/api/v1/cameras/{id}/timeline",
    "/api/v1/cameras/{id}/video.mp4", "/api/v1/cameras/{id}/playlist.m3u8", "/api/v1/cameras/{id}/still.jpg",
    "/api/v1/gaps", "/api/v1/ledger/checkpoint", "/api/v1/events",
}  # fmt: skip
_LATER: tuple[str, ...] = ()


@pytest.fixture
async def site(tmp_path: Path):
    async with running_site(tmp_path) as running:
        yield running


async def document(site: Running) -> dict:
    async with site.client() as client:
        return (await client.get("/api/v1/openapi.json")).json()


async def test_what_the_contract_names_is_described_and_what_comes_later_is_absent(site: Running) -> None:
    paths = set((await document(site))["paths"])
    assert paths >= _CONTRACT
    assert not [path for path in paths for word in _LATER if word in path]


async def test_every_operation_says_what_it_needs_and_how_it_refuses(site: Running) -> None:
    described = await document(site)
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            refusals = {status for status in operation["responses"] if re.match("4|5", status)}
            assert "403" in refusals, (path, method)
            assert ("401" in refusals) >= bool(operation.get("security")), (path, method)
            assert "200" in operation["responses"] or {"201", "202", "204"} & set(operation["responses"]), (
                path,
                method,
            )
    assert set(described["components"]["securitySchemes"]) == {"bearer", "cookie", "signed"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "examples",
    [4, pytest.param(25, marks=pytest.mark.long)],  # the long form is the same with more calls of each
)
async def test_the_routes_do_what_the_openapi_says(site: Running, examples: int) -> None:
    """Bounded: a few calls for each operation, with an admin's token."""
    # 503 of /readyz is an answer; a 500 is in no list of answers and fails as such.
    described = await document(site)
    del described["paths"]["/api/v1/logout"]
    schema = schemathesis.openapi.from_dict(described)
    schema.config.base_url = site.base
    headers = {"Authorization": f"Bearer {site.tokens['admin']}"}
    checks = [
        status_code_conformance, content_type_conformance, response_schema_conformance,
        unsupported_method, ignored_auth,
    ]  # fmt: skip

    def try_all() -> int:
        tried = 0
        for operation in schema.get_all_operations():
            cases = operation.ok().as_strategy()

            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=cases)
            def one(case: schemathesis.Case) -> None:
                nonlocal tried
                tried += 1
                case.call_and_validate(headers=headers, checks=checks)

            one()
        return tried

    tasks = Tasks("schemathesis")
    tried = await tasks.start("cases", asyncio.to_thread(try_all))
    assert tried > 200
