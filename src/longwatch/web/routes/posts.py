"""Posts of a hub: how each stands, and who may belong to it. docs/design/enrolment.md."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import Principal, Right
from longwatch.base.rfc3339 import format_us
from longwatch.base.secrets import scrub
from longwatch.web import models_posts as models
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps, Posts
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.people import who_of
from longwatch.web.policy import ADMINISTER, SIGNED_IN

PostId = Annotated[str, Path(alias="id", description="as in /api/v1/posts", max_length=40, pattern="^[a-z0-9-]+$")]
_NONE: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}
_TEXT: dict[str, Any] = {"content": {"text/plain": {}}}


def register(api: Api, deps: Deps) -> None:
    """posts, invite, revoke."""

    @api.get("/api/v1/posts", SIGNED_IN, responses={200: {"model": models.Posts}, **_NONE})
    async def posts(
        request: Request,
        since: Annotated[
            str, Query(max_length=40, description="`cursor` of the answer before: only what changed since")
        ] = "",
    ) -> Response:
        """At a hub: its posts, by id. At a post: 404. A page that shows a thousand reads all of them once, and then what changed. When a connected post was heard last is no change: that is now."""
        hub, principal = _hub(deps), _principal(request)
        items, cursor, whole = hub.changes(since)
        shown = [_told(item) for item in items if _seen(principal, item)]
        return JSONResponse({"items": shown, "next": None, "cursor": cursor, "whole": whole})

    @api.get("/api/v1/posts/{id}", SIGNED_IN, responses={200: {"model": models.Post}, **_NONE})
    async def post(request: Request, post_id: PostId) -> Response:
        """One of them."""
        return JSONResponse(_told(_one(deps, _principal(request), post_id)))

    @api.get("/api/v1/posts/{id}/checkpoint", SIGNED_IN, response_class=Response, responses={200: _TEXT, **_NONE})
    async def checkpoint(request: Request, post_id: PostId) -> Response:
        """The newest head of its ledger that was verified here, with this hub's countersignature (c2sp.org/tlog-cosignature)."""
        _one(deps, _principal(request), post_id)
        text = _hub(deps).checkpoint(post_id)
        if text is None:
            raise RefusedError(
                404, f"nothing of the ledger of {post_id} was verified yet", remedy="wait until it was in touch"
            )
        return Response(text, media_type="text/plain; charset=utf-8")

    @api.post(
        "/api/v1/posts/{id}/invite", ADMINISTER, status_code=201, responses={201: {"model": models.Invited}, **_NONE}
    )
    async def invite(request: Request, post_id: PostId, body: models.InviteRequest) -> Response:
        """A one-time code with which this post joins, within a day. Its entry is durable before it is shown; codes from before are void."""
        hub = _hub(deps)
        _check_all(_principal(request))
        code, expires_us = await hub.invite(post_id, who_of(request), body.reason or "")
        return JSONResponse({"code": code, "expires": format_us(expires_us)}, 201, {"Cache-Control": "no-store"})

    @api.post(
        "/api/v1/posts/{id}/statement", ADMINISTER, response_class=Response,
        responses={200: {"content": {"application/zip": {}}}, **_NONE},
    )  # fmt: skip
    async def statement(request: Request, post_id: PostId, body: models.StatementRequest) -> Response:
        """What of this post existed, what of it is safe here, what is lost: HTML and JSON with their proof, in a zip. Its making is an entry of this hub's ledger."""
        hub, principal = _hub(deps), _principal(request)
        _check_all(principal)
        _one(deps, principal, post_id)
        made = await hub.statement(post_id, who_of(request), body.reason)
        named = {"Content-Disposition": f'attachment; filename="{post_id}-statement.zip"', "Cache-Control": "no-store"}
        return Response(made, media_type="application/zip", headers=named)

    @api.delete("/api/v1/posts/{id}", ADMINISTER, status_code=204, response_class=Response, responses=_NONE)
    async def revoke(request: Request, post_id: PostId, body: models.RevokeRequest) -> Response:
        """Take nothing from this post any more: its connection ends at once. What it told stays."""
        hub, principal = _hub(deps), _principal(request)
        _check_all(principal)
        found = _one(deps, principal, post_id)
        if "enrolled" not in found:
            raise RefusedError(404, f"{post_id} has not joined", remedy="its code ends by itself, or with a newer one")
        await hub.revoke(post_id, who_of(request), body.reason)
        return Response(status_code=204)


def _hub(deps: Deps) -> Posts:
    if deps.posts is None:
        raise RefusedError(404, "this is a post, and has none of its own", remedy="ask the hub that it has joined")
    return deps.posts


def _principal(request: Request) -> Principal:
    principal = principal_of(request)
    assert principal is not None
    return principal


def _check_all(principal: Principal) -> None:
    """Who belongs to the network is for those whose rights have no cameras named."""
    if principal.cameras is not None:
        raise RefusedError(
            403,
            f"{principal.role} {principal.name!r} may not say who belongs here",
            remedy="ask an admin of all cameras",
        )


def _one(deps: Deps, principal: Principal, post_id: str) -> dict[str, Any]:
    """The same answer whether it may not be seen or does not exist."""
    found = _hub(deps).item(post_id)
    if found is None or not _seen(principal, found):
        raise RefusedError(404, f"there is no post {post_id}", remedy="see /api/v1/posts")
    return found


def _seen(principal: Principal, item: dict[str, Any]) -> bool:
    if principal.cameras is None:
        return True
    mine = f"{item['id']}."
    return any(camera.startswith(mine) and principal.may(Right.VIEW, camera) for camera in principal.cameras)


def _told(item: dict[str, Any]) -> dict[str, Any]:
    """What a post said of its troubles may hold what was typed there."""
    said = dict(item)
    for key in ("problems",):
        if key in said:
            said[key] = [{name: scrub(text) for name, text in problem.items()} for problem in said[key]]
    return said
