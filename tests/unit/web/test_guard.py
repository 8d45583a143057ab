"""Figure 15: every route and WebSocket x every wrong kind of access is refused.

Kinds: no login, a nonsense one, an expired one, a session that ended (signed out here, signed out elsewhere, a new password), a
disabled user, a removed user, a removed or expired token, the wrong role, another camera's rights (in the path, the query, the
body), a foreign Origin, a wrong method, a signed URL that is forged, over, or for something else.

The cases are made from the app's own route table and its own OpenAPI: a new route is tested here by being there, one without a
policy keeps the app from starting, and one that names a camera in a place that no case reaches fails here until it has one.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import websockets
from fastapi import FastAPI
from starlette.routing import Mount, Route, WebSocketRoute
from tests.support.site import PASSWORD, T0_US, Running, running_site

from longwatch.accounts import Administration, Grant, OwnAccount, Right, Role, Who
from longwatch.accounts.roles import RIGHTS
from longwatch.accounts.signing import VALID_US
from longwatch.web import Guard, UnguardedRouteError
from longwatch.web.guard import guard_all
from longwatch.web.policy import PUBLIC, Policy, declare

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
_PUBLIC = {
    ("/healthz", "GET"), ("/readyz", "GET"), ("/api/v1/setup", "GET"), ("/api/v1/setup", "POST"), ("/api/v1/openapi.json", "GET"),
    ("/api/v1/login", "POST"), ("/api/v1/login/ways", "GET"), ("/api/v1/login/passkey/options", "POST"), ("/api/v1/login/passkey", "POST"),
    ("/api/v1/login/code", "POST"), ("/api/v1/login/oidc", "POST"), ("/api/v1/login/oidc/callback", "GET"),
    ("/api/v1/notice", "GET"), ("/notice", "GET"), ("/notice", "HEAD"), ("/notice.css", "GET"),
    ("/", "GET"), ("/", "HEAD"), ("/assets/{name}", "GET"), ("/assets/{name}", "HEAD"), ("/{name}", "GET"), ("/{name}", "HEAD"),
}  # fmt: skip
_HOUR = "from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z"

# Bodies that name a camera. Whoever may not see all of them is refused; for their own it must be anything but 403.
_BODIES: dict[tuple[str, str], Callable[[str], dict[str, Any]]] = {
    ("/api/v1/users", "POST"): lambda camera: {"name": "new", "role": "viewer", "cameras": [camera]},
    ("/api/v1/users/{subject}/rights", "PUT"): lambda camera: {"role": "viewer", "cameras": [camera], "reason": "x"},
    ("/api/v1/tokens", "POST"): lambda camera: {"name": "new", "role": "viewer", "cameras": [camera]},
    ("/api/v1/holds", "POST"): lambda camera: {
        "cameras": [camera], "from": "2025-12-31T23:10:00Z", "to": "2025-12-31T23:20:00Z", "reason": "x",
    },
    ("/api/v1/exports", "POST"): lambda camera: {
        "cameras": [camera], "from": "2025-12-31T23:10:00Z", "to": "2025-12-31T23:20:00Z", "reason": "x",
    },
    ("/api/v1/requests", "POST"): lambda camera: {
        "camera": camera, "from": "2025-12-31T23:10:00Z", "to": "2025-12-31T23:20:00Z", "reason": "x",
    },
}  # fmt: skip
# Query parameters called `camera` that narrow a list to what the caller may see: for another's camera it is empty, not refused.
_NARROWING = {("/api/v1/holds", "GET"), ("/api/v1/requests", "GET")}
# Numbers in a path that are not a camera's, and the test that proves whose they are.
_NUMBERED = {
    "/api/v1/events/{id}": "tests/unit/web/test_events.py::test_nobody_learns_of_a_camera_that_is_not_theirs",
    "/api/v1/notifications/{id}": "tests/unit/web/test_notify.py::test_who_may_not_see_it_all_acknowledges_no_message",
    "/api/v1/notify/channels/{name}": "tests/unit/web/test_notify.py::test_channels_are_an_admins",
    "/api/v1/notify/recipients/{name}": "tests/unit/web/test_notify.py::test_channels_are_an_admins",
    "/api/v1/me/push/{id}": "tests/unit/web/test_notify.py::test_a_browser_is_its_users_alone",
    "/api/v1/alarms/{id}/acknowledge": "tests/unit/web/test_alarms.py::test_rights_come_before_bodies_also_where_the_alarm_says_whose_camera_it_is",
    "/api/v1/holds/{id}": "tests/unit/web/test_guard.py::test_whoever_is_confined_learns_of_no_number_whether_it_is_there",
    "/api/v1/exports/{id}": "tests/unit/web/test_exports.py::test_one_reaches_ones_own_and_of_those_what_one_may_still_see",
    "/api/v1/users/{subject}": "tests/unit/web/test_accounts.py::test_who_is_confined_reaches_no_account_beyond_their_cameras",
    "/api/v1/tokens/{subject}": "tests/unit/web/test_accounts.py::test_who_is_confined_reaches_no_account_beyond_their_cameras",
    "/api/v1/me/": "tests/unit/web/test_profile.py::test_nobody_reaches_what_is_somebody_elses",
    "/api/v1/upgrades/": "tests/unit/web/test_upgrades.py::test_upgrades_are_for_admins_of_every_camera",
    "/api/v1/settings/": "tests/unit/web/test_settings.py::test_it_is_for_whoever_administers_every_camera",
    "/api/v1/posts/": "tests/unit/web/test_posts.py::test_who_may_not_see_a_post_does_not_learn_that_it_is_there",
    "/api/v1/requests/": "tests/unit/web/test_requests.py::test_who_is_confined_reaches_only_requests_of_their_cameras",
    "/api/v1/ledger/tile/": "tests/unit/web/test_ledger.py",  # tiles are about the whole post
}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory):
    """One for all tests here: none of them changes what another needs."""
    async with running_site(tmp_path_factory.mktemp("guard")) as running, pooled() as pool:
        _POOL.append(pool)
        yield running
        _POOL.clear()


@pytest_asyncio.fixture(loop_scope="module")
async def untouched(tmp_path: Path, site: Running):
    """One where nobody has made an export or a hold yet: those are not everybody's, whatever their role."""
    async with running_site(tmp_path) as running:
        yield running


_POOL: list[httpx.AsyncClient] = []


@contextlib.asynccontextmanager
async def pooled() -> AsyncIterator[httpx.AsyncClient]:
    """One client for thousands of calls; it keeps no cookie."""
    async with httpx.AsyncClient(timeout=20) as client:
        yield client


def table(site: Running) -> list[tuple[str, str, Policy]]:
    """(path with its parameters, method or WS, policy) of every route."""
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
    """An address of this route. What is no camera is number 1."""
    of_camera = "/cameras/{id}" in path or "/camera/{id}" in path
    return re.sub(r"\{id\}", camera if of_camera else "1", re.sub(r"\{(?!id\})[^}]*\}", "1", path))


async def answer(
    site: Running, path: str, method: str, headers: dict[str, str] | None = None, body: dict[str, Any] | None = None
) -> int:
    """The status of a call. Rights come before parameters and bodies, so most have nothing else in them."""
    if method != "WS":
        _POOL[0].cookies.clear()
        return (await _POOL[0].request(method, site.base + path, headers=headers, json=body)).status_code
    try:
        async with websockets.connect(site.ws + path, additional_headers=headers):
            return 101
    except websockets.InvalidStatus as refused:
        return refused.response.status_code


async def refused_everywhere(site: Running, headers: dict[str, str], status: int = 401) -> None:
    """By every route that is not public."""
    tried = 0
    for path, method, _ in protected(site):
        assert await answer(site, at(path), method, headers) == status, (path, method, headers)
        tried += 1
    assert tried >= 60


def bearer(site: Running, name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {site.tokens[name]}"}


async def login(site: Running, name: str = "ada") -> dict[str, str]:
    token, _ = await site.accounts.login(name, PASSWORD, "10.0.0.1")
    return {"Cookie": f"longwatch={token}"}


async def someone(site: Running, name: str) -> tuple[dict[str, str], int]:
    """A new administrator: signed in, and their subject."""
    row = await site.accounts.add_user(name, PASSWORD, Role.ADMIN)
    headers = await login(site, name)
    assert await answer(site, "/api/v1/me", "GET", headers) == 200
    return headers, row.subject


async def test_what_is_public_is_listed_here(site: Running) -> None:
    assert {(path, method) for path, method, policy in table(site) if policy.public} == _PUBLIC
    assert len(protected(site)) >= 60


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic YTpi"}, {"Cookie": "longwatch=x"}],
    ids=["none", "nonsense", "basic", "cookie"],
)
async def test_no_login(site: Running, headers: dict[str, str]) -> None:
    await refused_everywhere(site, headers)


async def test_an_expired_login(site: Running) -> None:
    cookie = await login(site)
    assert await answer(site, "/api/v1/me", "GET", cookie) == 200
    site.clock.tick(15 * 86_400_000_000)
    await refused_everywhere(site, cookie)


async def test_a_login_that_was_signed_out_here(site: Running) -> None:
    headers, _ = await someone(site, "out")
    assert await answer(site, "/api/v1/logout", "POST", headers) == 204
    await refused_everywhere(site, headers)


async def test_a_login_that_was_signed_out_elsewhere(site: Running) -> None:
    headers, subject = await someone(site, "elsewhere")
    await Administration(site.accounts).sign_out(subject, Who(0), "lost telephone")
    await refused_everywhere(site, headers)


async def test_a_login_whose_password_changed_elsewhere(site: Running) -> None:
    headers, subject = await someone(site, "changed")
    _, here = await site.accounts.login("changed", PASSWORD, "10.0.0.2")
    who = Who(subject, user="changed")
    assert await OwnAccount(site.accounts).set_password(here, PASSWORD, "another good one", who)
    await refused_everywhere(site, headers)
    assert await site.accounts.still(here) is not None


async def test_a_disabled_user(site: Running) -> None:
    headers, subject = await someone(site, "disabled")
    await Administration(site.accounts).set_disabled(subject, Who(0), "left", disabled=True)
    await refused_everywhere(site, headers)


async def test_a_removed_user(site: Running) -> None:
    headers, _ = await someone(site, "removed")
    await site.accounts.remove("user", "removed")
    await refused_everywhere(site, headers)


async def test_a_removed_token(site: Running) -> None:
    headers = {"Authorization": f"Bearer {await site.accounts.add_token('passing', Role.ADMIN)}"}
    assert await answer(site, "/api/v1/me", "GET", headers) == 200
    await site.accounts.remove("token", "passing")
    await refused_everywhere(site, headers)


async def test_an_expired_token(site: Running) -> None:
    until_us = site.clock.wall_us() + 1_000_000
    token = await site.accounts.add_token("brief", Role.ADMIN, expires_us=until_us)
    headers = {"Authorization": f"Bearer {token}"}
    assert await answer(site, "/api/v1/me", "GET", headers) == 200
    site.clock.tick(1_000_000)
    await refused_everywhere(site, headers)


async def test_the_wrong_role(site: Running) -> None:
    tried = 0
    for path, method, policy in protected(site):
        for role in Role:
            if policy.right not in RIGHTS[role]:
                assert await answer(site, at(path), method, bearer(site, role)) == 403, (path, method, role)
                tried += 1
    assert tried >= 40


async def test_the_right_role_is_let_in(untouched: Running) -> None:
    """The other side of the table, so that refusing everything does not pass."""
    site = untouched
    for path, method, policy in protected(site):
        if path == "/api/v1/logout":
            continue
        for role in Role:
            if policy.right in RIGHTS[role]:
                status = await answer(site, at(path), method, bearer(site, role))
                assert status not in {401, 403}, (path, method, role, status)


async def test_another_cameras_rights_in_the_path(site: Running) -> None:
    headers = bearer(site, "gate-only")
    tried = 0
    for path, method, policy in protected(site):
        if policy.camera is None:
            continue
        tried += 1
        assert await answer(site, at(path), method, headers) != 403, (path, method)
        for camera in ("yard", "no-such-camera", "%2e%2e", "GATE", "gate%00"):
            assert await answer(site, at(path, camera), method, headers) == 403, (path, method, camera)
    assert tried >= 10


async def test_another_cameras_rights_in_the_query(site: Running) -> None:
    headers = bearer(site, "gate-only")
    tried = 0
    for path, method, policy in protected(site):
        if policy.asked is None:
            continue
        tried += 1
        assert await answer(site, f"{at(path)}?{policy.asked}=gate&{_HOUR}", method, headers) != 403, (path, method)
        for asked in ("yard", "no-such-camera", f"yard&{policy.asked}=gate", f"gate&{policy.asked}=yard", ""):
            status = await answer(site, f"{at(path)}?{policy.asked}={asked}&{_HOUR}", method, headers)
            assert status == 403, (path, method, asked)
    assert tried >= 3


async def test_another_cameras_rights_in_the_body(site: Running) -> None:
    headers = bearer(site, "gate-only")
    for (path, method), body in _BODIES.items():
        assert await answer(site, at(path), method, headers, body("gate")) != 403, (path, method)
        for camera in ("yard", "no-such-camera"):
            status = await answer(site, at(path), method, headers, body(camera))
            assert status == 403, (path, method, camera, status)


async def test_no_route_names_a_camera_where_no_case_reaches(site: Running) -> None:
    """By the OpenAPI: parameters and bodies with a `camera` in them, and numbers in a path."""
    described = (await _POOL[0].get(site.base + "/api/v1/openapi.json")).json()
    policies = {(path.replace(":path", ""), method.lower()): policy for path, method, policy in table(site)}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            policy = policies[path, method]
            if policy.public:
                continue
            place = (path, method.upper())
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "query" and parameter["name"] in {"camera", "cameras", "id"}:
                    assert policy.asked == parameter["name"] or place in _NARROWING, place
                if parameter["in"] == "path" and parameter["name"] not in {policy.camera, "path"}:
                    assert any(path.startswith(known) for known in _NUMBERED), f"{path}: whose is {parameter['name']}?"
            if names_in(described, operation.get("requestBody", {})) & {"camera", "cameras"}:
                assert place in _BODIES, f"{place} takes a camera in its body: add a case to _BODIES"
    for test in _NUMBERED.values():
        file, _, name = test.partition("::")
        assert name in Path(file).read_text(), test


async def test_whoever_is_confined_learns_of_no_number_whether_it_is_there(site: Running) -> None:
    headers = bearer(site, "gate-only")
    for path in ("/api/v1/holds/{id}", "/api/v1/alarms/{id}/acknowledge"):
        method = "DELETE" if "holds" in path else "POST"
        assert await answer(site, at(path), method, headers, {"reason": "x"}) == 403, path


def names_in(described: dict[str, Any], schema: Any, seen: frozenset[str] = frozenset()) -> set[str]:
    """Every property that a body may have, however deep."""
    if isinstance(schema, list):
        return set().union(*(names_in(described, one, seen) for one in schema))
    if not isinstance(schema, dict):
        return set()
    names = set(schema.get("properties", {}))
    reference = schema.get("$ref", "")
    if reference and reference not in seen:
        target = described["components"]["schemas"][reference.rpartition("/")[2]]
        names |= names_in(described, target, seen | {reference})
    return names.union(*(names_in(described, value, seen) for value in schema.values()))


async def test_a_foreign_origin(site: Running) -> None:
    cookie = await login(site)
    writes = [(path, method) for path, method, _ in table(site) if method not in {"GET", "HEAD"}]
    assert len(writes) >= 30
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
        for origin in foreign if path.endswith(("/live", "/logout")) else foreign[:2]:
            status = await answer(site, at(path), method, {**cookie, "Origin": origin})
            assert status == 403, (path, method, origin)
        for headers in (bearer(site, "admin"), {}):
            assert await answer(site, at(path), method, {**headers, "Origin": foreign[0]}) == 403, (path, method)
        if method != "WS":
            assert await answer(site, at(path), method, {**cookie, "Sec-Fetch-Site": "cross-site"}) == 403
    assert await answer(site, "/api/v1/cameras/gate/try-now", "POST", {**cookie, "Origin": site.base}) == 202
    assert await answer(site, "/api/v1/cameras/gate/live", "WS", {**cookie, "Origin": site.base}) == 101


async def test_the_wrong_method(site: Running) -> None:
    by_path: dict[str, set[str]] = {}
    for path, _, _ in table(site):
        methods: set[str] = set()
        for route in site.app.routes:
            assert isinstance(route, Route | WebSocketRoute)
            if route.path_regex.match(at(path)) and isinstance(route, Route):
                methods |= set(route.methods or ())
        by_path[path] = methods
    for path, methods in by_path.items():
        for method in set(_METHODS) - methods - {"HEAD"}:
            status = await answer(site, at(path), method, bearer(site, "admin"))
            assert status == 405 if methods else status in {404, 405}, (path, method, status)


async def test_signed_urls_that_are_not_right(site: Running) -> None:
    """Forged, over, of another camera, of an owner who may no more; and none opens what does not take them."""
    now_us = site.clock.wall_us()
    good = Grant("gate", T0_US - 3_600_000_000, T0_US, "user:ada", now_us + VALID_US)
    signature = site.accounts.signer.sign(good)
    payload, _, mac = signature.partition(".")
    _, subject = await someone(site, "signer")
    await Administration(site.accounts).set_disabled(subject, Who(0), "left", disabled=True)

    def signed(**change: Any) -> str:
        fields = {name: getattr(good, name) for name in Grant.__slots__} | change
        return site.accounts.signer.sign(Grant(**fields))

    wrong = {
        "empty": "", "nonsense": "x", "no mac": payload, "another mac": f"{payload}.{mac[::-1]}", "only a mac": f".{mac}",
        "another payload": f"{payload}x.{mac}", "over": signed(expires_us=now_us), "far ahead": signed(expires_us=now_us + 2 * VALID_US),
        "another camera": signed(camera="yard"), "a disabled owner": signed(owner="user:signer"),
        "nobody": signed(owner="user:nobody"), "a token that is gone": signed(owner="token:passing"),
    }  # fmt: skip
    taking = [(path, method) for path, method, policy in protected(site) if policy.signed]
    assert len(taking) >= 4
    for path, method in taking:
        for name, bad in wrong.items():
            assert await answer(site, f"{at(path)}?sig={bad}&{_HOUR}", method) == 401, (path, method, name)
        assert await answer(site, f"{at(path, 'yard')}?sig={signature}&{_HOUR}", method) == 401
        assert await answer(site, f"{at(path)}?sig={signature}&{_HOUR}", method) not in {401}, (path, method)
    for path, method, policy in protected(site):
        if not policy.signed:
            assert await answer(site, f"{at(path)}?sig={signature}", method) == 401, (path, method)


@pytest.mark.parametrize("how", ["disabled", "signed out", "removed", "confined", "logout"])
async def test_every_open_websocket_ends_with_the_right(site: Running, how: str) -> None:
    headers, subject = await someone(site, f"watcher {how}")
    people, post = Administration(site.accounts), Who(0)
    sockets = [at(path) for path, method, _ in table(site) if method == "WS"]
    assert sockets
    async with contextlib.AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(websockets.connect(site.ws + path, additional_headers=headers)) for path in sockets]  # fmt: skip
        if how == "disabled":
            await people.set_disabled(subject, post, "left", disabled=True)
        elif how == "signed out":
            await people.sign_out(subject, post, "lost telephone")
        elif how == "removed":
            await people.remove("user", subject, post, "left")
        elif how == "confined":
            await people.set_rights(subject, Role.VIEWER, frozenset({"yard"}), post, "less")
        else:
            assert await answer(site, "/api/v1/logout", "POST", headers) == 204
        for socket in opened:
            async with asyncio.timeout(10):
                with contextlib.suppress(websockets.ConnectionClosed):
                    while True:
                        await socket.recv()
            assert socket.close_code == 4401


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
