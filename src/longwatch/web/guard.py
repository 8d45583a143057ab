"""Rights before bodies: the guard stands in front of every endpoint, before anything of the request is parsed.

Order: set up at all (403), Origin of writes and WebSockets (403), who it is (401), the right and the camera (403).
A camera that the caller may not see is refused the same whether it exists or not.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from longwatch.accounts import Accounts, Grant, Principal
from longwatch.base.clock import Clock
from longwatch.web import errors
from longwatch.web.errors import RefusedError
from longwatch.web.policy import Policy, declared

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def cookie_name(connection: HTTPConnection) -> str:
    """`__Host-` binds the cookie to this host and to TLS; browsers refuse it without TLS, so loopback drops the prefix."""
    return "__Host-longwatch" if is_secure(connection) else "longwatch"


def is_secure(connection: HTTPConnection) -> bool:
    """Whether the browser's connection is encrypted (a trusted proxy's word included)."""
    return connection.url.scheme in {"https", "wss"}


def principal_of(connection: HTTPConnection) -> Principal | None:
    """Whoever the guard let in; None on public routes without a login, and with a signed URL."""
    found = connection.scope.get("longwatch.principal")
    return found if isinstance(found, Principal) else None


def grant_of(connection: HTTPConnection) -> Grant | None:
    """The grant of a signed URL, where that is what opened the door."""
    found = connection.scope.get("longwatch.grant")
    return found if isinstance(found, Grant) else None


class UnguardedRouteError(Exception):
    """A route that anybody could call by mistake. The app does not start with one."""


class Guard:
    """Wraps the app of one route."""

    def __init__(self, app: ASGIApp, policy: Policy, accounts: Accounts, clock: Clock) -> None:
        self.policy = policy
        self._app = app
        self._accounts = accounts
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        try:
            await self._admit(connection)
        except RefusedError as refusal:
            if scope["type"] == "websocket":
                await WebSocket(scope, receive, send).send_denial_response(errors.answer_to(refusal))
            else:
                await errors.answer_to(refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _admit(self, connection: HTTPConnection) -> None:
        policy = self.policy
        if not policy.before_set_up and not self._accounts.is_set_up:
            raise RefusedError(403, "this post is not set up yet", remedy="open it in a browser with its set-up code")
        if connection.scope["type"] == "websocket" or connection.scope["method"] not in _SAFE:
            _check_origin(connection)
        principal = await self._principal(connection)
        connection.scope["longwatch.principal"] = principal
        if policy.right is None:
            return
        camera = connection.path_params[policy.camera] if policy.camera else None
        asked: list[str | None] = [camera]
        if policy.asked is not None:
            asked = [*connection.query_params.getlist(policy.asked)] or [None]
        if principal is None:
            if policy.signed and camera is not None and await self._signed(connection, camera):
                return
            raise RefusedError(401, "this needs a login", remedy="sign in, or send a bearer token")
        if not all(principal.may(policy.right, one) for one in asked):
            where = " for this camera" if principal.may(policy.right) else ""
            raise RefusedError(
                403, f"{principal.role} {principal.name!r} has no right to {policy.right}{where}", remedy="ask an admin"
            )

    async def _principal(self, connection: HTTPConnection) -> Principal | None:
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return await self._accounts.by_token(token.strip())
        cookie = connection.cookies.get(cookie_name(connection))
        return await self._accounts.by_session(cookie) if cookie else None

    async def _signed(self, connection: HTTPConnection, camera: str) -> bool:
        signature = connection.query_params.get("sig")
        grant = self._accounts.signer.read(signature, self._clock.wall_us()) if signature else None
        if grant is None or grant.camera != camera:
            return False
        subject = await self._accounts.owner_subject(grant.owner, camera)
        connection.scope["longwatch.grant"] = grant
        connection.scope["longwatch.signer"] = subject
        return subject is not None


def _check_origin(connection: HTTPConnection) -> None:
    """Browsers say where a write or a WebSocket comes from; programs say nothing, and carry no one else's cookie."""
    origin = connection.headers.get("origin")
    if origin is None:
        if connection.headers.get("sec-fetch-site", "none") in {"none", "same-origin"}:
            return
    else:
        place = _place(origin)
        if place is not None and place == _place(f"{connection.url.scheme}://{connection.headers.get('host', '')}"):
            return
    raise RefusedError(403, "this request comes from another site", why=f"Origin is {(origin or '')[:200]!r}")


def _place(url: str) -> tuple[bool, str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return None
    return parts.scheme in {"https", "wss"}, parts.hostname, port or _DEFAULT_PORTS[parts.scheme]


def guard_all(app: FastAPI, accounts: Accounts, clock: Clock) -> None:
    """Put a guard before every route. Raises UnguardedRouteError for a route that has no policy, so the app does not start."""
    for route in app.routes:
        if not isinstance(route, Route | WebSocketRoute):
            raise UnguardedRouteError(f"{route!r} is a kind of route that cannot be guarded")
        policy = declared(route.endpoint)
        if policy is None:
            raise UnguardedRouteError(f"{route.path} has no policy")
        if policy.camera is not None and policy.camera not in route.param_convertors:
            raise UnguardedRouteError(f"{route.path} has no parameter {policy.camera!r}")
        route.app = Guard(route.app, policy, accounts, clock)
