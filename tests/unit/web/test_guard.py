"""Every route x (no login, expired, wrong role, another camera's rights, foreign Origin, wrong method) is refused.

The cases are made from the app's own route table: a new route is tested here by being there, and one without a policy
keeps the app from starting.
"""

from __future__ import annotations

import re

import httpx
import pytest
import pytest_asyncio
import websockets
from fastapi import FastAPI
from starlette.routing import Mount, Route, WebSocketRoute
from tests.support.site import PASSWORD, Running, running_site

from longwatch.accounts import Right, Role
from longwatch.accounts.roles import RIGHTS
from longwatch.web import Guard, UnguardedRouteError
from longwatch.web.guard import guard_all
from longwatch.web.policy import PUBLIC, Policy, declare

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
_PUBLIC = {
    ("/healthz", "GET"), ("/readyz", "GET"), ("/api/v1/login", "POST"), ("/api/v1/setup", "GET"), ("/api/v1/setup", "POST"),
    ("/api/v1/openapi.json", "GET"), ("/", "GET"), ("/", "HEAD"),
    ("/assets/{name}", "GET"), ("/assets/{name}", "HEAD"), ("/{name}", "GET"), ("/{name}", "HEAD"),
}  # fmt: skip


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory):
    """One for all tests here: none of them changes what another needs."""
    async with running_site(tmp_path_factory.mktemp("guard")) as running:
        yield running


def table(site: Running) -> list[tuple[str, str, Policy]]:
    """(path with a camera in it, method or WS, policy) of every route."""
    listed = []
    for route in site.app.routes:
        assert isinstance(route, Route | WebSocketRoute)
        assert isinstance(route.app, Guard), f"{route.path} has no guard"
        methods = {"WS"} if isinstance(route, WebSocketRoute) else route.methods
        listed += [(route.path, method, route.app.policy) for method in sorted(methods)]
    return listed


def protected(site: Running) -> list[tuple[str, str, Policy]]:
    return [(path, method, policy) for path, method, policy in table(site) if not policy.public]


def at(path: str, camera: str = "gate") -> str:
    return re.sub(r"\{id\}", camera, path)


async def answer(site: Running, path: str, method: str, headers: dict[str, str]) -> int:
    """The status of a call with nothing else in it: rights come before parameters and bodies."""
    if method != "WS":
        async with httpx.AsyncClient(base_url=site.base, headers=headers, timeout=20, verify=False) as client:
            return (await client.request(method, path)).status_code
    try:
        async with websockets.connect(site.ws + path, additional_headers=headers):
            return 101
    except websockets.InvalidStatus as refused:
        return refused.response.status_code


def bearer(site: Running, name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {site.tokens[name]}"}


async def test_what_is_public_is_listed_here(site: Running) -> None:
    assert {(path, method) for path, method, policy in table(site) if policy.public} == _PUBLIC
    assert len(protected(site)) >= 15


async def test_no_login(site: Running) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic YTpi"},
        {"Cookie": "longwatch=x"},
    ):
        for path, method, _ in protected(site):
            assert await answer(site, at(path), method, headers) == 401, (path, method, headers)


async def test_an_expired_login(site: Running) -> None:
    token, _ = await site.accounts.login("ada", PASSWORD, "10.0.0.1")
    cookie = {"Cookie": f"longwatch={token}"}
    assert await answer(site, "/api/v1/me", "GET", cookie) == 200
    site.clock.tick(15 * 86_400_000_000)
    for path, method, _ in protected(site):
        assert await answer(site, at(path), method, cookie) == 401, (path, method)


async def test_a_removed_token(site: Running) -> None:
    headers = {"Authorization": f"Bearer {await site.accounts.add_token('passing', Role.ADMIN)}"}
    assert await answer(site, "/api/v1/me", "GET", headers) == 200
    await site.accounts.remove("token", "passing")
    for path, method, _ in protected(site):
        assert await answer(site, at(path), method, headers) == 401, (path, method)


async def test_the_wrong_role(site: Running) -> None:
    tried = 0
    for path, method, policy in protected(site):
        for role in Role:
            if policy.right not in RIGHTS[role]:
                assert await answer(site, at(path), method, bearer(site, role)) == 403, (path, method, role)
                tried += 1
    assert tried >= 4


async def test_the_right_role_is_let_in(site: Running) -> None:
    """The other side of the table, so that refusing everything does not pass."""
    for path, method, policy in protected(site):
        if path == "/api/v1/logout":
            continue
        for role in Role:
            if policy.right in RIGHTS[role]:
                status = await answer(site, at(path), method, bearer(site, role))
                assert status not in {401, 403}, (path, method, role, status)


async def test_another_cameras_rights(site: Running) -> None:
    headers = bearer(site, "gate-only")
    tried = 0
    for path, method, policy in protected(site):
        if policy.camera is None:
            continue
        tried += 1
        assert await answer(site, at(path), method, headers) != 403, (path, method)
        for camera in ("yard", "no-such-camera", "..", "%2e%2e"):
            if camera == "..":
                continue  # clients resolve it before they send it; the next one reaches the route
            assert await answer(site, at(path, camera), method, headers) == 403, (path, method, camera)
    assert tried >= 7
    assert await answer(site, "/api/v1/gaps?camera=yard&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z", "GET", headers) == 403  # fmt: skip


async def test_a_foreign_origin(site: Running) -> None:
    token, _ = await site.accounts.login("ada", PASSWORD, "10.0.0.1")
    login = {"Cookie": f"longwatch={token}"}
    writes = [(path, method) for path, method, _ in table(site) if method not in {"GET", "HEAD"}]
    assert len(writes) >= 6
    here = site.base.removeprefix("http://")
    foreign = [
        "https://evil.example",
        "null",
        f"https://{here}",
        "http://127.0.0.1:1",
        f"http://{here}.evil.example",
        "x",
    ]
    for path, method in writes:
        for origin in foreign:
            for headers in (login, bearer(site, "admin"), {}):
                status = await answer(site, at(path), method, {**headers, "Origin": origin})
                assert status == 403, (path, method, origin)
        if method != "WS":
            assert await answer(site, at(path), method, {**login, "Sec-Fetch-Site": "cross-site"}) == 403
    assert await answer(site, "/api/v1/cameras/gate/try-now", "POST", {**login, "Origin": site.base}) == 202
    assert await answer(site, "/api/v1/cameras/gate/live", "WS", {**login, "Origin": site.base}) == 101


async def test_the_wrong_method(site: Running) -> None:
    by_path: dict[str, set[str]] = {}
    for path, method, _ in table(site):
        by_path.setdefault(path, set()).add(method)
    for path, methods in by_path.items():
        for method in set(_METHODS) - methods - {"HEAD"}:
            status = await answer(site, at(path), method, bearer(site, "admin"))
            assert status in {404, 405} if methods == {"WS"} else status == 405, (path, method, status)


async def test_a_login_of_a_secure_site_is_not_taken_without_its_prefix(site: Running) -> None:
    token, _ = await site.accounts.login("ada", PASSWORD, "10.0.0.1")
    assert await answer(site, "/api/v1/me", "GET", {"Cookie": f"__Host-longwatch={token}"}) == 401


async def test_a_forged_proxy_header_changes_nothing(site: Running) -> None:
    token, _ = await site.accounts.login("ada", PASSWORD, "10.0.0.1")
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.9.9.9", "Cookie": f"__Host-longwatch={token}"}
    assert await answer(site, "/api/v1/me", "GET", headers) == 401


async def test_a_route_without_a_policy_keeps_the_app_from_starting(site: Running) -> None:
    app = FastAPI(openapi_url=None)

    async def open_door() -> None: ...

    app.add_api_route("/x", open_door)
    with pytest.raises(UnguardedRouteError, match="/x has no policy"):
        guard_all(app, site.accounts, site.clock)


async def test_what_cannot_be_guarded_keeps_the_app_from_starting(site: Running) -> None:
    app = FastAPI(openapi_url=None)
    app.router.routes.append(Mount("/files", app=FastAPI()))
    with pytest.raises(UnguardedRouteError):
        guard_all(app, site.accounts, site.clock)


async def test_a_policy_for_a_camera_that_the_path_does_not_name_keeps_the_app_from_starting(site: Running) -> None:
    app = FastAPI(openapi_url=None)

    async def one() -> None: ...

    declare(one, Policy(Right.VIEW, camera="camera"))
    app.add_api_route("/x", one)
    with pytest.raises(UnguardedRouteError, match="camera"):
        guard_all(app, site.accounts, site.clock)
    declare(one, PUBLIC)
    guard_all(app, site.accounts, site.clock)
