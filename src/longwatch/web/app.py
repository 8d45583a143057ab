"""The app: all routes, each with its policy, behind one guard."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.responses import JSONResponse, Response

from longwatch.web import errors
from longwatch.web.api import Api
from longwatch.web.deps import Deps
from longwatch.web.guard import guard_all
from longwatch.web.headers import SecurityHeaders
from longwatch.web.policy import PUBLIC
from longwatch.web.routes import (
    accounts,
    alarms,
    audit,
    cameras,
    commands,
    condition,
    detection,
    events,
    exports,
    health,
    holds,
    ledger,
    link,
    live,
    masks,
    notice,
    notify,
    posts,
    probe,
    profile,
    reports,
    requests,
    retention,
    session,
    settings,
    static,
    strips,
    temperatures,
    timeline,
    upgrades,
    verification,
    video,
    ways_in,
    wide,
)

_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "__Host-longwatch"},
    "signed": {"type": "apiKey", "in": "query", "name": "sig"},
}


def create_app(deps: Deps) -> FastAPI:
    """Raises UnguardedRouteError where a route has no policy."""
    app = FastAPI(
        title="Longwatch", version=deps.options.version or "0", openapi_url=None, docs_url=None, redoc_url=None
    )
    app.router.redirect_slashes = False
    errors.install(app)
    app.add_middleware(SecurityHeaders)
    deps.accounts.also_refuse(lambda: (deps.site().id, deps.site().name))
    api = Api(app)
    for room in (
        health,
        session,
        ways_in,
        profile,
        accounts,
        cameras,
        commands,
        alarms,
        timeline,
        wide,
        strips,
        temperatures,
        video,
        live,
        masks,
        retention,
        holds,
        events,
        exports,
        audit,
        settings,
        probe,
        ledger,
        condition,
        detection,
        reports,
        verification,
        posts,
        upgrades,
        link,
        requests,
        notify,
        notice,
    ):
        room.register(api, deps)
    _describe(api)
    static.register(api, deps)  # last: it takes every name at the root that is left
    guard_all(app, deps.accounts, deps.clock)
    return app


def _describe(api: Api) -> None:
    @api.get("/api/v1/openapi.json", PUBLIC, include_in_schema=False)
    async def openapi() -> Response:
        described = api.described()
        described.setdefault("components", {})["securitySchemes"] = _SECURITY
        return JSONResponse(described)
