"""What somebody does to their own account: password, open logins, preferences."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body, Path
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import OwnAccount, Preferences, Principal
from longwatch.base.rfc3339 import format_us
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.models_people import OwnSessions, PasswordChange, SignOut
from longwatch.web.people import who_of
from longwatch.web.policy import SIGNED_IN
from longwatch.web.routes.session import FORGOTTEN

PreferenceName = Annotated[str, Path(max_length=40, pattern="^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]


def _person(request: Request) -> Principal:
    """Raises RefusedError 422 for a token."""
    principal = principal_of(request)
    assert principal is not None
    if principal.kind != "user":
        raise RefusedError(422, "a token is no person", why="this is about a person's own account", remedy="sign in")
    return principal


def register(api: Api, deps: Deps) -> None:
    """me/password, me/sessions, me/sign-out, me/preferences."""
    own = OwnAccount(deps.accounts)
    preferences = Preferences(deps.accounts)

    @api.post(
        "/api/v1/me/password", SIGNED_IN, status_code=204, response_class=Response, responses={429: {"model": Problem}}
    )
    async def password(request: Request, body: PasswordChange) -> Response:
        """A new password; all other logins end."""
        if not await own.set_password(_person(request), body.old, body.new, who_of(request)):
            raise RefusedError(422, "the password is wrong", remedy="try again")
        return Response(status_code=204)

    @api.get("/api/v1/me/sessions", SIGNED_IN, responses={200: {"model": OwnSessions}})
    async def sessions(request: Request) -> Response:
        """The open logins of whoever asks."""
        items = [
            {
                "id": one.id, "here": here, "created": format_us(one.created_us), "seen": format_us(one.seen_us),
                "expires": format_us(one.expires_us), "by": one.by, "address": one.address, "agent": one.agent,
            }
            for one, here in await own.sessions(_person(request))
        ]  # fmt: skip
        return JSONResponse({"items": items})

    @api.delete("/api/v1/me/sessions/{session}", SIGNED_IN, status_code=204, response_class=Response)
    async def end(request: Request, session: Annotated[str, Path(max_length=40)]) -> Response:
        """End one of them."""
        await own.end_session(_person(request), session, who_of(request))
        return Response(status_code=204)

    @api.post("/api/v1/me/sign-out", SIGNED_IN, status_code=204, response_class=Response)
    async def everywhere(request: Request, body: SignOut) -> Response:
        """End all of them, or all but this one."""
        await own.sign_out_everywhere(_person(request), who_of(request), keep_this=body.keep_this)
        return Response(status_code=204, headers={} if body.keep_this else FORGOTTEN)

    @api.get("/api/v1/me/preferences/{name}", SIGNED_IN, responses={200: {"model": Any}})
    async def preference(request: Request, name: PreferenceName) -> Response:
        """What was kept under this name; null where nothing was."""
        return JSONResponse(await preferences.get(_person(request), name))

    @api.put("/api/v1/me/preferences/{name}", SIGNED_IN, status_code=204, response_class=Response)
    async def keep(request: Request, name: PreferenceName, value: Annotated[Any, Body()]) -> Response:
        """Keep any JSON of at most 64 KiB."""
        await preferences.put(_person(request), name, value)
        return Response(status_code=204)

    @api.delete("/api/v1/me/preferences/{name}", SIGNED_IN, status_code=204, response_class=Response)
    async def drop(request: Request, name: PreferenceName) -> Response:
        """Forget it."""
        await preferences.drop(_person(request), name)
        return Response(status_code=204)
