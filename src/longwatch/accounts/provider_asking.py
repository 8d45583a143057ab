"""An OpenID Connect provider, asked over HTTPS: who it is, its keys, and what a code is worth (OpenID Connect Core 1.0, 3.1).

Only what settings name is asked, and only when somebody signs in by it: its issuer is pinned, no redirect is followed, no proxy
of the environment is used, and what it answers is bounded. Whatever goes wrong is a ProviderError: signing in by a password goes on.

Imported where settings name a provider: Authlib, joserfc and httpx are 150 modules, and most posts have none.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]  # Authlib has no types
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]  # Authlib has no types
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from longwatch.accounts.provider import ProviderError, ProviderOptions, is_safe
from longwatch.base.certificates import client_context
from longwatch.base.clock import Clock

PATIENCE_S = 10.0
MOST_BYTES = 256 << 10
_KNOWN_FOR_US = 3_600_000_000
_LEEWAY_S = 120
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


@dataclass(frozen=True, slots=True)
class _Metadata:
    """What discovery said, and when."""

    authorization: str
    token: str
    jwks: str
    methods: tuple[str, ...]
    at_us: int


class Provider:
    """One provider. What it said of itself is known for an hour. Used on one event loop."""

    def __init__(self, options: ProviderOptions, clock: Clock) -> None:
        self.options = options
        self._clock = clock
        self._metadata: _Metadata | None = None
        self._keys: KeySet | None = None
        self._turn = asyncio.Lock()

    async def address(self, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Where a browser goes to sign in: authorization code with PKCE. Raises ProviderError."""
        metadata = await self._discovered()
        asked = {
            "response_type": "code", "client_id": self.options.client_id, "redirect_uri": redirect_uri,
            "scope": " ".join(self.options.scopes), "state": state, "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier), "code_challenge_method": "S256",
        }  # fmt: skip
        return f"{metadata.authorization}{'&' if '?' in metadata.authorization else '?'}{urlencode(asked)}"

    async def claims(self, code: str, redirect_uri: str, nonce: str, verifier: str) -> dict[str, Any]:
        """Of the ID token that this code is worth, checked. Raises ProviderError."""
        metadata = await self._discovered()
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier,
        }  # fmt: skip
        basic = "client_secret_basic" in metadata.methods
        if not basic:
            form |= {"client_id": self.options.client_id, "client_secret": self.options.client_secret}
        answer = await self._ask(metadata.token, form=form, basic=basic)
        token, access = answer.get("id_token"), answer.get("access_token")
        if not isinstance(token, str):
            raise ProviderError("refused", "the provider sent no ID token", why=str(answer.get("error", ""))[:80])
        return await self._checked(token, access if isinstance(access, str) else None, nonce)

    async def _checked(self, token: str, access: str | None, nonce: str) -> dict[str, Any]:
        decoded = await self._decoded(token)
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            options={
                "iss": {"essential": True, "value": self.options.issuer},
                "aud": {"essential": True, "value": self.options.client_id},
            },
            params={"nonce": nonce, "client_id": self.options.client_id, "access_token": access},
        )
        try:
            claims.validate(now=self._clock.wall_us() // 1_000_000, leeway=_LEEWAY_S)
        except (JoseError, TypeError, ValueError) as error:
            raise ProviderError("refused", "the provider's ID token does not hold", why=str(error)[:200]) from error
        return dict(decoded.claims)

    async def _decoded(self, token: str) -> jwt.Token:
        """Its signature is good, by a key that the provider publishes; those are asked for anew where it is by none we know."""
        for again in (False, True):
            keys = await self._published(anew=again)
            try:
                return jwt.decode(token, keys, algorithms=_ALGORITHMS)
            except (JoseError, TypeError, ValueError, KeyError) as error:
                if again:
                    raise ProviderError(
                        "refused", "the provider's ID token does not hold", why=str(error)[:200]
                    ) from error
        raise AssertionError

    async def _published(self, *, anew: bool) -> KeySet:
        if self._keys is None or anew:
            metadata = await self._discovered()
            try:
                self._keys = KeySet.import_key_set(await self._ask(metadata.jwks))  # type: ignore[arg-type]  # checked by what it raises
            except (JoseError, TypeError, ValueError, KeyError) as error:
                raise ProviderError("away", "the provider's keys cannot be read", why=str(error)[:200]) from error
        return self._keys

    async def _discovered(self) -> _Metadata:
        async with self._turn:
            now_us = self._clock.boottime_us()
            if self._metadata is None or now_us - self._metadata.at_us > _KNOWN_FOR_US:
                said = await self._ask(self.options.issuer.rstrip("/") + "/.well-known/openid-configuration")
                self._metadata, self._keys = self._read(said, now_us), None
            return self._metadata

    def _read(self, said: dict[str, Any], now_us: int) -> _Metadata:
        if said.get("issuer") != self.options.issuer:
            raise ProviderError(
                "away", "the provider says that it is another",
                why=f"its issuer is {str(said.get('issuer'))[:200]!r}", remedy="write web.oidc.issuer as the provider does",
            )  # fmt: skip
        places = [said.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        if not all(is_safe(place) for place in places):
            raise ProviderError("away", "the provider names places that are not safe", why="each has to be https")
        methods = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        listed = tuple(str(one) for one in methods) if isinstance(methods, list) else ()
        return _Metadata(str(places[0]), str(places[1]), str(places[2]), listed, now_us)

    async def _ask(self, url: str, form: dict[str, str] | None = None, *, basic: bool = False) -> dict[str, Any]:
        """One JSON object. A refusal of the token endpoint (400, 401) is one too."""
        auth = None
        if basic:  # RFC 6749, 2.3.1: form-encoded first
            auth = httpx.BasicAuth(quote_plus(self.options.client_id), quote_plus(self.options.client_secret))
        try:
            verify: ssl.SSLContext | bool = True
            if self.options.ca is not None:
                verify = await asyncio.to_thread(client_context, self.options.ca)
            async with (
                asyncio.timeout(PATIENCE_S),
                httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=PATIENCE_S, verify=verify) as client,
                client.stream(
                    "GET" if form is None else "POST", url, data=form, auth=auth, headers={"Accept": "application/json"}
                ) as answer,
            ):
                body = b""
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise ProviderError("away", "the provider's answer is too large")
                if answer.status_code != 200 and not (form is not None and answer.status_code in {400, 401}):
                    raise ProviderError("away", "the provider does not answer as one", why=f"{answer.status_code}")
                said = httpx.Response(200, content=body).json()
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, ValueError, RecursionError) as error:
            raise ProviderError(
                "away", "the provider cannot be asked", why=str(error)[:200] or type(error).__name__,
                remedy="sign in with your password meanwhile",
            ) from error  # fmt: skip
        if not isinstance(said, dict):
            raise ProviderError("away", "the provider does not answer as one", why="no JSON object")
        return said
