"""Signing in and out, and first set-up."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import Principal
from longwatch.accounts.roles import RIGHTS
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.guard import cookie_name, is_secure, principal_of
from longwatch.web.models import Login, Me, Post, SetUp, SetUpState
from longwatch.web.policy import ALWAYS, PUBLIC, SIGNED_IN

_TRIES = {401: {"model": Problem}, 429: {"model": Problem}}


def _post(deps: Deps) -> dict[str, object]:
    site = deps.site()
    return {"id": site.id, "name": site.name, "timezone": site.timezone, "version": deps.options.version}


def _told(principal: Principal, deps: Deps) -> dict[str, object]:
    return {
        "name": principal.name,
        "role": str(principal.role),
        "rights": sorted(RIGHTS[principal.role]),
        "cameras": None if principal.cameras is None else sorted(principal.cameras),
        "post": _post(deps),
    }


def _signed_in(
    request: Request, found: tuple[str, Principal] | None, deps: Deps, *, wrong: str, remedy: str
) -> Response:
    if found is None:
        raise RefusedError(401, wrong, remedy=remedy)
    token, principal = found
    answer = JSONResponse(_told(principal, deps))
    assert principal.expires_us is not None
    age_s = max(0, (principal.expires_us - deps.clock.wall_us()) // 1_000_000)
    answer.set_cookie(
        cookie_name(request),
        token,
        max_age=age_s,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="strict",
    )
    return answer


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def register(api: Api, deps: Deps) -> None:
    """login, logout, me, setup, post."""

    @api.post("/api/v1/login", PUBLIC, responses={200: {"model": Me}, **_TRIES})
    async def login(request: Request, body: Login) -> Response:
        found = await deps.accounts.login(body.name, body.password, _address(request))
        return _signed_in(request, found, deps, wrong="name or password is wrong", remedy="try again")

    @api.post("/api/v1/logout", SIGNED_IN, status_code=204, response_class=Response)
    async def logout(request: Request) -> Response:
        principal = principal_of(request)
        assert principal is not None
        await deps.accounts.logout(principal)
        answer = Response(status_code=204)
        answer.delete_cookie(
            cookie_name(request), path="/", secure=is_secure(request), httponly=True, samesite="strict"
        )
        return answer

    @api.get("/api/v1/me", SIGNED_IN, responses={200: {"model": Me}})
    async def me(request: Request) -> Response:
        principal = principal_of(request)
        assert principal is not None
        return JSONResponse(_told(principal, deps))

    @api.get("/api/v1/setup", ALWAYS, responses={200: {"model": SetUpState}})
    async def setup_state() -> Response:
        return JSONResponse({"needed": not deps.accounts.is_set_up})

    @api.post("/api/v1/setup", ALWAYS, responses={200: {"model": Me}, **_TRIES})
    async def setup(request: Request, body: SetUp) -> Response:
        found = await deps.accounts.set_up(body.code, body.name, body.password, _address(request))
        remedy = "read it from the file setup-code in the data folder"
        return _signed_in(request, found, deps, wrong="the set-up code is wrong", remedy=remedy)

    @api.get("/api/v1/post", SIGNED_IN, responses={200: {"model": Post}})
    async def post() -> Response:
        return JSONResponse(_post(deps))
