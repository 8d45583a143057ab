"""A small OpenID Connect provider on loopback: it signs its tokens with a real key, checks PKCE and the client's secret, and can be
told to do wrong.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from tests.support.wait import until

from longwatch.base.clock import Clock
from longwatch.base.tasks import Tasks

CLIENT, SECRET = "longwatch", "a client's secret: &=%"
_KEY = RSAKey.generate_key(2048, {"kid": "first", "alg": "RS256", "use": "sig"})


@dataclass
class FakeProvider:
    """claims: of whoever signs in next. wrong: overrides in the token; say: of its own metadata. asked: what came, by path."""

    base: str
    clock: Clock
    claims: dict[str, Any] = field(
        default_factory=lambda: {"sub": "u-1", "preferred_username": "oda", "groups": ["rangers"]}
    )
    wrong: dict[str, Any] = field(default_factory=dict)
    say: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    refuses: bool = False
    basic: bool = True
    key: RSAKey = field(default_factory=lambda: _KEY)
    signs_with: RSAKey | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return self.base

    def app(self) -> Starlette:
        return Starlette(routes=[
            Route("/.well-known/openid-configuration", self._metadata), Route("/keys", self._keys), Route("/authorize", self._authorize),
            Route("/token", self._token, methods=["POST"]),
        ])  # fmt: skip

    async def _metadata(self, _: Request) -> Response:
        self.asked.append("metadata")
        methods = ["client_secret_basic"] if self.basic else ["client_secret_post"]
        return JSONResponse({
            "issuer": self.issuer, "authorization_endpoint": f"{self.base}/authorize", "token_endpoint": f"{self.base}/token",
            "jwks_uri": f"{self.base}/keys", "token_endpoint_auth_methods_supported": methods, **self.say,
        })  # fmt: skip

    async def _keys(self, _: Request) -> Response:
        self.asked.append("keys")
        return JSONResponse(KeySet([self.key]).as_dict(private=False))

    async def _authorize(self, request: Request) -> Response:
        """As if somebody had signed in there."""
        asked = dict(request.query_params)
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        back = {"state": asked["state"], "iss": self.issuer}
        if self.refuses:
            return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({**back, 'error': 'access_denied'})}", 302)
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({**back, 'code': code})}", 302)

    async def _token(self, request: Request) -> Response:
        self.asked.append("token")
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if not self._is_client(request, form):
            return JSONResponse({"error": "invalid_client"}, 401)
        asked = self.codes.pop(form.get("code", ""), None)
        if (
            asked is None
            or form["redirect_uri"] != asked["redirect_uri"]
            or _challenge(form["code_verifier"]) != asked["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = self.clock.wall_us() // 1_000_000
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.claims,
            **self.wrong,
        }
        header = {"alg": "RS256", "kid": self.key.kid}
        token = jwt.encode(
            header, {name: value for name, value in claims.items() if value is not None}, self.signs_with or self.key
        )
        return JSONResponse({"id_token": token, "access_token": "a", "token_type": "Bearer", "expires_in": 300})

    def _is_client(self, request: Request, form: dict[str, str]) -> bool:
        if not self.basic:
            return (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)
        scheme, _, said = request.headers.get("authorization", "").partition(" ")
        return scheme == "Basic" and [unquote_plus(one) for one in base64.b64decode(said).decode().split(":")] == [
            CLIENT,
            SECRET,
        ]


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@contextlib.asynccontextmanager
async def running_provider(clock: Clock) -> AsyncIterator[FakeProvider]:
    """Serve until the block ends."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    provider = FakeProvider(f"http://127.0.0.1:{listening.getsockname()[1]}", clock)
    server = uvicorn.Server(uvicorn.Config(provider.app(), log_config=None, lifespan="off"))
    server.install_signal_handlers = lambda: None
    tasks = Tasks("provider")
    serving = tasks.start("http", server.serve(sockets=[listening]))
    await until(lambda: server.started)
    try:
        yield provider
    finally:
        server.should_exit = True
        await serving
        await tasks.aclose()
