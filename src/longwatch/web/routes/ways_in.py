"""Ways in beside the password: passkeys, a provider of identities, one-time codes; and which of them somebody has."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from longwatch.accounts import OwnAccount, Principal
from longwatch.accounts.identities import Identities
from longwatch.accounts.passkeys import Passkeys
from longwatch.accounts.provider import ProviderError
from longwatch.base.errors import LongwatchError
from longwatch.base.rfc3339 import format_us
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.guard import is_secure, principal_of
from longwatch.web.models import Me
from longwatch.web.models_people import (
    Asked,
    CodeLogin,
    GoTo,
    MadePasskey,
    MakePasskey,
    OwnPasskey,
    OwnWays,
    PasskeyLogin,
    PasskeyOnly,
    Ways,
)
from longwatch.web.passkey_place import needed_place, place_of
from longwatch.web.people import address_of, agent_of, who_of
from longwatch.web.policy import ALWAYS, PUBLIC, SIGNED_IN
from longwatch.web.routes.session import set_session, signed_in
from longwatch.web.times import written

_TRIES = {401: {"model": Problem}, 429: {"model": Problem}}
_FRESH_US = 900_000_000
CALLBACK = "/api/v1/login/oidc/callback"
_log = structlog.get_logger(__name__)


def _signed_in(request: Request) -> Principal:
    principal = principal_of(request)
    assert principal is not None
    return principal


def _offer(request: Request, name: str) -> dict[str, object]:
    place, why = place_of(request)
    return {"offered": place is not None, "why": why, "host": place.host if place is not None else name}


def _binding_cookie(request: Request) -> str:
    return "__Host-longwatch-oidc" if is_secure(request) else "longwatch-oidc"


def _bound(request: Request, address: str, binding: str) -> Response:
    """The way back from the provider is a navigation from another site: `lax`, where the session's own cookie is `strict`."""
    answer = JSONResponse({"address": address})
    answer.set_cookie(
        _binding_cookie(request),
        binding,
        max_age=600,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )
    return answer


def _back(request: Request) -> str:
    """Where the provider sends the browser back to."""
    return f"{request.url.scheme}://{request.url.netloc}{CALLBACK}"


def register(api: Api, deps: Deps) -> None:
    """login/*, me/ways, me/passkeys, me/identities."""
    passkeys = Passkeys(deps.accounts)
    identities = Identities(deps.accounts, deps.options.provider)
    _login(api, deps, passkeys)
    _provider(api, deps, identities)
    _own_passkeys(api, deps, passkeys)
    _own_ways(api, deps, passkeys, identities)


def _login(api: Api, deps: Deps, passkeys: Passkeys) -> None:
    own = OwnAccount(deps.accounts)

    @api.post("/api/v1/login/passkey/options", PUBLIC, responses={200: {"model": Asked}, 429: {"model": Problem}})
    async def asked(request: Request) -> Response:
        """What `navigator.credentials.get` is to be asked."""
        return JSONResponse(passkeys.asked_to_enter(needed_place(request), address_of(request)))

    @api.post("/api/v1/login/passkey", PUBLIC, responses={200: {"model": Me}, **_TRIES})
    async def entered(request: Request, body: PasskeyLogin) -> Response:
        """Sign in by what the device answered."""
        found = await passkeys.login(body.id, body.credential, address_of(request), agent_of(request))
        return signed_in(request, found, deps, wrong="this passkey is not known here", remedy="try another way")

    @api.post("/api/v1/login/code", PUBLIC, responses={200: {"model": Me}, **_TRIES})
    async def code(request: Request, body: CodeLogin) -> Response:
        """Set a password with a one-time code, and sign in."""
        found = await own.with_code(body.code, body.password, address_of(request), agent_of(request))
        wrong = "this code is wrong, used or too old"
        return signed_in(request, found, deps, wrong=wrong, remedy="ask an administrator for a new one")


def _provider(api: Api, deps: Deps, identities: Identities) -> None:
    @api.get("/api/v1/login/ways", ALWAYS, responses={200: {"model": Ways}})
    async def ways(request: Request) -> Response:
        """How to sign in at this address."""
        return JSONResponse({"passkey": _offer(request, deps.options.name), "provider": identities.name})

    @api.post("/api/v1/login/oidc", PUBLIC, responses={200: {"model": GoTo}, 429: {"model": Problem}})
    async def begin(request: Request) -> Response:
        """Where the browser goes to sign in by the provider."""
        address, binding = await identities.begin(_back(request), address_of(request))
        return _bound(request, address, binding)

    @api.post("/api/v1/me/identities", SIGNED_IN, responses={200: {"model": GoTo}, 429: {"model": Problem}})
    async def link(request: Request) -> Response:
        """Where the browser goes to bind an identity of the provider to this account."""
        principal = _signed_in(request)
        _person(principal)
        _fresh(principal, deps)
        address, binding = await identities.begin(_back(request), address_of(request), principal)
        return _bound(request, address, binding)

    @api.delete("/api/v1/me/identities/{number}", SIGNED_IN, status_code=204, response_class=Response)
    async def unlink(request: Request, number: int) -> Response:
        await identities.remove(_person(_signed_in(request)), _small(number), who_of(request))
        return Response(status_code=204)

    @api.get(CALLBACK, PUBLIC, include_in_schema=False, response_class=Response)
    async def back(request: Request) -> Response:
        """The way back from the provider: a page, whatever came of it."""
        binding = request.cookies.get(_binding_cookie(request), "")
        said: Mapping[str, str] = {name: value[:4000] for name, value in request.query_params.items()}
        place = "/#/profile"
        found = None
        try:
            found = await identities.finish(said, binding, address_of(request), agent_of(request))
        except LongwatchError as error:
            _log.info("nobody came in by the provider", reason=str(error))
            why = error.code if isinstance(error, ProviderError) else "refused"
            place = f"/#/profile?way={why}" if why == "taken" else f"/?way={why}"
        answer = RedirectResponse("/?way=in" if found is not None else place, 303)
        answer.delete_cookie(
            _binding_cookie(request), path="/", secure=is_secure(request), httponly=True, samesite="lax"
        )
        if found is not None:
            set_session(request, answer, found, deps)
        return answer


def _own_passkeys(api: Api, deps: Deps, passkeys: Passkeys) -> None:
    @api.post("/api/v1/me/passkeys/options", SIGNED_IN, responses={200: {"model": Asked}, 429: {"model": Problem}})
    async def asked(request: Request, body: MakePasskey) -> Response:
        """What `navigator.credentials.create` is to be asked; the password first, where there is one."""
        principal = _person(_signed_in(request))
        await _shown_again(deps, request, principal, body.password)
        return JSONResponse(await passkeys.asked_to_make(principal, needed_place(request), deps.site().name))

    @api.post("/api/v1/me/passkeys", SIGNED_IN, responses={200: {"model": OwnPasskey}})
    async def made(request: Request, body: MadePasskey) -> Response:
        """Keep the key that the device made."""
        principal = _person(_signed_in(request))
        one = await passkeys.made(principal, body.id, body.credential, body.name, who_of(request))
        return JSONResponse({
            "id": one.id, "name": one.name, "host": one.host, "here": True, "synced": one.synced,
            "created": format_us(one.created_us), "used": None,
        })  # fmt: skip

    @api.delete("/api/v1/me/passkeys/{number}", SIGNED_IN, status_code=204, response_class=Response)
    async def removed(request: Request, number: int) -> Response:
        await passkeys.remove(_person(_signed_in(request)), _small(number), who_of(request))
        return Response(status_code=204)

    @api.put("/api/v1/me/passkey-only", SIGNED_IN, status_code=204, response_class=Response)
    async def only(request: Request, body: PasskeyOnly) -> Response:
        """Whether the password shall open nothing."""
        await passkeys.set_only_way(_person(_signed_in(request)), who_of(request), only=body.only)
        return Response(status_code=204)


def _own_ways(api: Api, deps: Deps, passkeys: Passkeys, identities: Identities) -> None:
    @api.get("/api/v1/me/ways", SIGNED_IN, responses={200: {"model": OwnWays}})
    async def own(request: Request) -> Response:
        """The ways in of whoever asks."""
        principal = _person(_signed_in(request))
        user = await deps.accounts.db.call(deps.accounts.store.user_of, principal.subject)
        offer = _offer(request, deps.options.name)
        return JSONResponse({
            "has_password": user is not None and bool(user.password),
            "passkey_only": user is not None and user.passkey_only,
            "passkeys": [
                {
                    "id": one.id, "name": one.name, "host": one.host, "here": one.host == offer["host"], "synced": one.synced,
                    "created": format_us(one.created_us), "used": written(one.used_us),
                }
                for one in await passkeys.listed(principal)
            ],
            "identities": [
                {
                    "id": one.id, "issuer": one.issuer, "provisioned": one.provisioned, "created": format_us(one.created_us),
                }
                for one in await identities.listed(principal)
            ],
            "passkey": offer,
            "provider": identities.name,
        })  # fmt: skip


def _person(principal: Principal) -> Principal:
    """Raises RefusedError 422 for a token."""
    if principal.kind != "user":
        raise RefusedError(422, "a token is no person", why="this is about how a person signs in", remedy="sign in")
    return principal


def _small(number: int) -> int:
    """A row's number; SQLite has none beyond 63 bits."""
    return number if 0 <= number < 1 << 53 else -1


def _fresh(principal: Principal, deps: Deps) -> None:
    """Raises RefusedError 422 where somebody signed in a while ago: a page that is found open is not enough."""
    if not 0 <= deps.clock.wall_us() - principal.begun_us <= _FRESH_US:
        raise RefusedError(
            422,
            "this login is too old for this",
            why="a new way in is added soon after signing in",
            remedy="sign in again",
        )


async def _shown_again(deps: Deps, request: Request, principal: Principal, password: str) -> None:
    """The password, or where there is none a fresh login. Raises RefusedError 422."""
    user = await deps.accounts.db.call(deps.accounts.store.user_of, principal.subject)
    if user is None or not user.password or user.passkey_only:
        _fresh(principal, deps)
    elif not await deps.accounts.is_password(user, password, address_of(request), agent_of(request)):
        raise RefusedError(422, "the password is wrong", remedy="try again")
