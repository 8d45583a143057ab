"""Users and tokens, for those who administer. Every change is an entry of the ledger.

Who is confined to some cameras sees, makes and changes only accounts that are confined to these.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import Administration, Principal, Role
from longwatch.accounts.store import TokenSeen, UserSeen
from longwatch.base.errors import UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.models_people import (
    Because,
    Code,
    Disabled,
    MadeToken,
    NewToken,
    NewUser,
    Rights,
    Tokens,
    Users,
)
from longwatch.web.people import who_of
from longwatch.web.policy import ADMINISTER
from longwatch.web.times import written

_DAY_US = 86_400_000_000
_NONE = {404: {"model": Problem}}


def register(api: Api, deps: Deps) -> None:
    """users, tokens."""
    people = Administration(deps.accounts)
    _users(api, deps, people)
    _changes(api, deps, people)
    _tokens(api, deps, people)


def _users(api: Api, deps: Deps, people: Administration) -> None:
    @api.get("/api/v1/users", ADMINISTER, responses={200: {"model": Users}})
    async def users(request: Request) -> Response:
        """Who may sign in."""
        by = _administrator(request)
        return JSONResponse({"items": [_user(one) for one in await people.users() if _reaches(by, one.cameras)]})

    @api.post("/api/v1/users", ADMINISTER, responses={200: {"model": Code}})
    async def add(request: Request, body: NewUser) -> Response:
        """Somebody new. They set their password with the code of the answer."""
        cameras = _granted(deps, _administrator(request), body.cameras)
        subject, code, until_us = await people.add_user(
            body.name, Role(body.role), cameras, who_of(request), body.reason
        )
        return JSONResponse({"subject": subject, "code": code, "until": format_us(until_us)})


def _changes(api: Api, deps: Deps, people: Administration) -> None:
    async def target(request: Request, subject: int) -> int:
        """Raises RefusedError 404: not there, or not within the caller's cameras."""
        by = _administrator(request)
        if not any(one.subject == subject and _reaches(by, one.cameras) for one in await people.users()):
            raise RefusedError(404, f"there is no user with the number {subject}", remedy="see /api/v1/users")
        return subject

    @api.put("/api/v1/users/{subject}/rights", ADMINISTER, status_code=204, response_class=Response, responses=_NONE)
    async def rights(request: Request, subject: int, body: Rights) -> Response:
        """Role and cameras. What they have open is checked again at once."""
        cameras = _granted(deps, _administrator(request), body.cameras)
        await people.set_rights(
            await target(request, subject), Role(body.role), cameras, who_of(request), _asked(body.reason)
        )
        return Response(status_code=204)

    @api.put("/api/v1/users/{subject}/disabled", ADMINISTER, status_code=204, response_class=Response, responses=_NONE)
    async def disabled(request: Request, subject: int, body: Disabled) -> Response:
        """Let nobody in by this account, or let them in again."""
        who, reason = who_of(request), _asked(body.reason)
        await people.set_disabled(await target(request, subject), who, reason, disabled=body.disabled)
        return Response(status_code=204)

    @api.post("/api/v1/users/{subject}/reset", ADMINISTER, responses={200: {"model": Code}, **_NONE})
    async def reset(request: Request, subject: int, body: Because) -> Response:
        """The password opens nothing any more; the code of the answer lets its user set a new one. All logins end."""
        code, until_us = await people.reset(await target(request, subject), who_of(request), _asked(body.reason))
        return JSONResponse({"subject": subject, "code": code, "until": format_us(until_us)})

    @api.post("/api/v1/users/{subject}/sign-out", ADMINISTER, status_code=204, response_class=Response, responses=_NONE)
    async def sign_out(request: Request, subject: int, body: Because) -> Response:
        """End all logins of a user."""
        await people.sign_out(await target(request, subject), who_of(request), _asked(body.reason))
        return Response(status_code=204)

    @api.post("/api/v1/users/{subject}/remove", ADMINISTER, status_code=204, response_class=Response, responses=_NONE)
    async def remove(request: Request, subject: int, body: Because) -> Response:
        """The account goes; what the ledger has of it stays."""
        await people.remove("user", await target(request, subject), who_of(request), _asked(body.reason))
        return Response(status_code=204)


def _tokens(api: Api, deps: Deps, people: Administration) -> None:
    @api.get("/api/v1/tokens", ADMINISTER, responses={200: {"model": Tokens}})
    async def tokens(request: Request) -> Response:
        """Which programs may come in."""
        by = _administrator(request)
        return JSONResponse({"items": [_token(one) for one in await people.tokens() if _reaches(by, one.cameras)]})

    @api.post("/api/v1/tokens", ADMINISTER, responses={200: {"model": MadeToken}})
    async def add(request: Request, body: NewToken) -> Response:
        """A bearer token, said this once."""
        cameras = _granted(deps, _administrator(request), body.cameras)
        until_us = None if body.days is None else deps.clock.wall_us() + body.days * _DAY_US
        token = await deps.accounts.add_token(
            body.name, Role(body.role), cameras, who_of(request), until_us, body.reason
        )
        return JSONResponse({"name": body.name, "token": token})

    @api.post("/api/v1/tokens/{subject}/remove", ADMINISTER, status_code=204, response_class=Response, responses=_NONE)
    async def remove(request: Request, subject: int, body: Because) -> Response:
        """It opens nothing any more, at once."""
        by = _administrator(request)
        if not any(one.subject == subject and _reaches(by, one.cameras) for one in await people.tokens()):
            raise RefusedError(404, f"there is no token with the number {subject}", remedy="see /api/v1/tokens")
        await people.remove("token", subject, who_of(request), _asked(body.reason))
        return Response(status_code=204)


def _administrator(request: Request) -> Principal:
    principal = principal_of(request)
    assert principal is not None
    return principal


def _reaches(by: Principal, cameras: frozenset[str] | None) -> bool:
    """Whether an account with these cameras is within those of whoever asks."""
    return by.cameras is None or (cameras is not None and cameras <= by.cameras)


def _granted(deps: Deps, by: Principal, cameras: list[str] | None) -> frozenset[str] | None:
    """The cameras of an account to be. Raises RefusedError 403 beyond one's own, UsageError for one that there is not."""
    wanted = None if cameras is None else frozenset(cameras)
    if not _reaches(by, wanted):
        raise RefusedError(403, "nobody gives rights that they have not", remedy="choose among your own cameras")
    unknown = sorted(camera for camera in wanted or () if deps.site().camera(camera) is None)
    if unknown:
        raise UsageError(f"there is no camera {unknown[0][:80]!r}", remedy="see /api/v1/cameras")
    return wanted


def _asked(reason: str) -> str:
    if not reason.strip():
        raise UsageError("this asks for a reason", remedy="say why; it is kept beside the ledger")
    return reason


def _user(one: UserSeen) -> dict[str, object]:
    return {
        "subject": one.subject, "name": one.name, "role": str(one.role),
        "cameras": None if one.cameras is None else sorted(one.cameras), "disabled": one.disabled,
        "created": format_us(one.created_us), "has_password": one.has_password, "passkey_only": one.passkey_only,
        "passkeys": one.passkeys, "issuers": list(one.issuers), "sessions": one.sessions,
        "code_until": written(one.code_until_us),
    }  # fmt: skip


def _token(one: TokenSeen) -> dict[str, object]:
    return {
        "subject": one.subject, "name": one.name, "role": str(one.role),
        "cameras": None if one.cameras is None else sorted(one.cameras), "created": format_us(one.created_us),
        "expires": written(one.expires_us),
    }  # fmt: skip
