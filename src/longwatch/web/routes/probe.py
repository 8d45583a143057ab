"""Trying a camera by its address before it is set up. docs/design/settings.md says what may be tried, and where passwords go."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import ThrottledError
from longwatch.accounts.limits import Limiter
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.config import naming
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.models_settings import Makes, Probed, ProbeRequest
from longwatch.web.policy import ADMINISTER

_BURST, _REFILL_S = 8, 6.0
_SCHEMES = ("rtsp://", "rtsps://")
_HOST = re.compile(r"\[(?P<six>[^\]]+)\]|(?P<name>[^:/?#]+)")


def register(api: Api, deps: Deps) -> None:
    """probe, probe/makes."""
    limiter = Limiter(deps.clock, _BURST, _REFILL_S)

    @api.post("/api/v1/probe", ADMINISTER, responses={200: {"model": Probed}, 429: {"model": Problem}})
    async def probe(request: Request, body: ProbeRequest) -> Response:
        """Connect to a camera, say what it sends and what is wrong with it. Within ten seconds; nothing is kept."""
        principal = principal_of(request)
        if principal is None or principal.cameras is not None:
            raise RefusedError(403, "this is about every camera", remedy="ask somebody who administers all of them")
        if deps.probing is None or deps.settings is None:
            raise LongwatchError("this server tries no cameras")
        wait_s = limiter.take(f"{principal.kind}:{principal.id}")
        if wait_s:
            raise ThrottledError(wait_s)
        check_address(body.url)
        login = None if body.login is None else (body.login.user, body.login.password)
        address = await deps.settings.address_of(_with_login(body.url, login))
        said = await deps.probing.probe(address, body.transport, verify_certificate=body.verify_certificate)
        return JSONResponse(said)

    @api.get("/api/v1/probe/makes", ADMINISTER, responses={200: {"model": Makes}})
    async def known_makes() -> Response:
        """Where cameras of common makes have their streams."""
        from longwatch.ingest.makes import makes  # its room is what a recorder does, and the server does none of it

        return JSONResponse({"items": list(makes()), "next": None})


def _with_login(url: str, login: tuple[str, str | None] | None) -> str:
    parts = naming.split(url)
    if login is None or parts.user or parts.password is not None or parts.named:
        return url
    user, password = login
    return parts.with_login(user, quote(password, safe="") if password else "")


def check_address(url: str) -> None:
    """Only what a camera's address may be: RTSP, and one host. Raises UsageError, which quotes nothing of it."""
    bare = naming.split(url).bare
    if not bare.lower().startswith(_SCHEMES):
        raise UsageError(
            "this is no camera's address",
            why="only rtsp:// and rtsps:// are",
            remedy="write it as rtsp://10.0.0.5/stream1",
        )
    match = _HOST.match(bare.partition("://")[2])
    if match is None:
        raise UsageError("this address names no host", remedy="write it as rtsp://10.0.0.5/stream1")
    try:
        host = ipaddress.ip_address((match["six"] or match["name"]).partition("%")[0])
    except ValueError:
        return
    if host.is_multicast or host.is_unspecified or str(host) == "255.255.255.255":
        raise UsageError("this is the address of no single camera", remedy="write it as rtsp://10.0.0.5/stream1")
