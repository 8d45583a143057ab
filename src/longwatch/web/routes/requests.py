"""Stretches that people want at this hub: asked for with a reason, told how far they are, withdrawn. docs/design/media-at-a-hub.md."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import Principal, Right
from longwatch.base.rfc3339 import format_us
from longwatch.base.secrets import scrub
from longwatch.web import models_requests as models
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps, StretchDesk
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.people import who_of
from longwatch.web.places import stream_key
from longwatch.web.policy import OPERATE, SIGNED_IN
from longwatch.web.times import span_us, written

RequestId = Annotated[str, Path(alias="id", description="as in /api/v1/requests", pattern="^[0-9]{1,15}$")]
_Text = Annotated[str | None, Query(max_length=81)]


def register(api: Api, deps: Deps) -> None:
    """requests: list, make, withdraw."""

    @api.get("/api/v1/requests", SIGNED_IN, responses={200: {"model": models.AskedList}, 404: {"model": Problem}})
    async def requests(request: Request, camera: _Text = None, post: _Text = None, state: _Text = None) -> Response:
        """Stretches that were asked for, the newest first; of the cameras that the caller may see."""
        principal = _principal(request)
        items = [_told(one, principal) for one in await _desk(deps).listed()]
        kept = [
            item for item in items
            if principal.may(Right.VIEW, item["camera"]) and camera in {None, item["camera"]} and post in {None, item["post"]}
            and state in {None, item["state"]}
        ]  # fmt: skip
        return JSONResponse({"items": kept, "next": None})

    @api.post(
        "/api/v1/requests", OPERATE, status_code=201, responses={201: {"model": models.Asked}, 404: {"model": Problem}}
    )
    async def make(request: Request, body: models.RequestBody) -> Response:
        """Ask the post for a stretch. It waits for a post that is off; the post's settings may refuse it. Asks for the right to operate the camera."""
        principal = _principal(request)
        _check(principal, body.camera)
        desk = _desk(deps)
        key = await stream_key(deps, body.camera, body.stream)
        made = await desk.make(key, *span_us(body.from_, body.to), who_of(request), body.reason)
        return JSONResponse(_told(made, principal), 201)

    @api.delete("/api/v1/requests/{id}", OPERATE, status_code=204, responses={404: {"model": Problem}})
    async def withdraw(request: Request, number: RequestId) -> Response:
        """It is wanted no more. What came of it stays here."""
        principal = _principal(request)
        desk = _desk(deps)
        found = await desk.one(int(number))
        if found is None and principal.cameras is not None:
            _check(principal, "")  # whoever may not see all cameras does not learn which numbers there are
        if found is not None:
            _check(principal, f"{found.row.post}.{found.row.camera}")
        if found is None:
            raise RefusedError(404, f"there is no request {number}", remedy="see /api/v1/requests")
        await desk.withdraw(int(number), who_of(request))
        return Response(status_code=204)


def _desk(deps: Deps) -> StretchDesk:
    if deps.requests is None:
        raise RefusedError(404, "this is a post", why="all that it recorded is here", remedy="ask for video.mp4")
    return deps.requests


def _principal(request: Request) -> Principal:
    principal = principal_of(request)
    assert principal is not None
    return principal


def _check(principal: Principal, camera: str) -> None:
    if not principal.may(Right.OPERATE, camera):
        raise RefusedError(
            403, f"{principal.role} {principal.name!r} has no right to operate this camera", remedy="ask an admin"
        )


def _told(asked: Any, principal: Principal) -> dict[str, Any]:
    row = asked.row
    open_to = principal.may(Right.OPERATE) or principal.may(Right.INSPECT)
    left_s = None if row.eta_s is None or asked.state not in {"queued", "coming"} else row.eta_s
    return {
        "id": row.id, "post": row.post, "camera": f"{row.post}.{row.camera}", "stream": row.stream, "from": format_us(row.from_us),
        "to": format_us(row.to_us), "by": (scrub(asked.by) or None) if open_to else None,
        "reason": (scrub(row.reason) or None) if open_to else None, "asked": format_us(row.created_us), "state": asked.state,
        "bytes": row.bytes or None, "done_bytes": asked.done_bytes,
        "eta": written(None if left_s is None else row.changed_us + left_s * 1_000_000), "why": scrub(asked.why) or None,
    }  # fmt: skip
