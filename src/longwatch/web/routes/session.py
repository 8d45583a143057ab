"""Signing in and out, and first set-up."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import Principal
from longwatch.accounts.roles import RIGHTS
from longwatch.base.rfc3339 import format_us
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.guard import cookie_name, is_secure, principal_of
from longwatch.web.models import Login, Me, Post, SetUp, SetUpState
from longwatch.web.people import address_of, agent_of
from longwatch.web.policy import ALWAYS, PUBLIC, SIGNED_IN

FORGOTTEN = {"Clear-Site-Data": '"cache"'}
"""What a browser kept of pictures and answers goes with the login: the next one at this machine is somebody else (W3C Clear Site Data)."""
_TRIES = {401: {"model": Problem}, 429: {"model": Problem}}


def _post(deps: Deps) -> dict[str, object]:
    site = deps.site()
    role = "post" if deps.posts is None else "hub"
    return {"id": site.id, "name": site.name, "timezone": site.timezone, "version": deps.options.version, "role": role}


def told(principal: Principal, deps: Deps) -> dict[str, object]:
    """`Me`."""
    return {
        "kind": principal.kind,
        "subject": principal.subject,
        "name": principal.name,
        "role": str(principal.role),
        "rights": sorted(RIGHTS[principal.role]),
        "cameras": None if principal.cameras is None else sorted(principal.cameras),
        "begun": format_us(principal.begun_us),
        "expires": None if principal.expires_us is None else format_us(principal.expires_us),
        "post": _post(deps),
    }


def signed_in(
    request: Request, found: tuple[str, Principal] | None, deps: Deps, *, wrong: str, remedy: str
) -> Response:
    """The answer to a login: who it is, and the cookie. found: None for a wrong one."""
    if found is None:
        raise RefusedError(401, wrong, remedy=remedy)
    answer = JSONResponse(told(found[1], deps))
    set_session(request, answer, found, deps)
    return answer


def set_session(request: Request, answer: Response, found: tuple[str, Principal], deps: Deps) -> None:
    """The cookie of a session that begins."""
    token, principal = found
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


def register(api: Api, deps: Deps) -> None:
    """login, logout, me, setup, post."""

    @api.post("/api/v1/login", PUBLIC, responses={200: {"model": Me}, **_TRIES})
    async def login(request: Request, body: Login) -> Response:
        found = await deps.accounts.login(body.name, body.password, address_of(request), agent_of(request))
        return signed_in(request, found, deps, wrong="name or password is wrong", remedy="try again")

    @api.post("/api/v1/logout", SIGNED_IN, status_code=204, response_class=Response)
    async def logout(request: Request) -> Response:
        principal = principal_of(request)
        assert principal is not None
        await deps.accounts.logout(principal, address_of(request), agent_of(request))
        answer = Response(status_code=204, headers=FORGOTTEN)
        answer.delete_cookie(
            cookie_name(request), path="/", secure=is_secure(request), httponly=True, samesite="strict"
        )
        return answer

    @api.get("/api/v1/me", SIGNED_IN, responses={200: {"model": Me}})
    async def me(request: Request) -> Response:
        principal = principal_of(request)
        assert principal is not None
        return JSONResponse(told(principal, deps))

    @api.get("/api/v1/setup", ALWAYS, responses={200: {"model": SetUpState}})
    async def setup_state() -> Response:
        return JSONResponse({"needed": not deps.accounts.is_set_up})

    @api.post("/api/v1/setup", ALWAYS, responses={200: {"model": Me}, **_TRIES})
    async def setup(request: Request, body: SetUp) -> Response:
        found = await deps.accounts.set_up(body.code, body.name, body.password, address_of(request), agent_of(request))
        remedy = "read it from the file setup-code in the data folder"
        return signed_in(request, found, deps, wrong="the set-up code is wrong", remedy=remedy)

    @api.get("/api/v1/post", SIGNED_IN, responses={200: {"model": Post}})
    async def post() -> Response:
        return JSONResponse(_post(deps))
