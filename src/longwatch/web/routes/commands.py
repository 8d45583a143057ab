"""What people at a hub tell its posts to do. docs/design/command.md."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounting.reasons import reason_of
from longwatch.base.rfc3339 import format_us
from longwatch.config import schema
from longwatch.web import models_commands as models
from longwatch.web.api import Api, Problem
from longwatch.web.deps import CommandDesk, Deps
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.models_settings import Checked
from longwatch.web.people import who_of
from longwatch.web.policy import ADMINISTER
from longwatch.web.routes.posts import PostId

EXPIRES_US = 30 * 86_400_000_000
_LONGEST_TRIAL_S = 7 * 86_400
Number = Annotated[str, Path(alias="number", pattern="^[0-9]{1,9}$")]
_NONE: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}


def register(api: Api, deps: Deps) -> None:
    """posts/{id}/commands: list, give, withdraw; posts/{id}/settings: form, check."""

    @api.get("/api/v1/posts/{id}/commands", ADMINISTER, responses={200: {"model": models.Commands}, **_NONE})
    async def listed(request: Request, post_id: PostId) -> Response:
        """The newest hundred."""
        rows = await _desk(deps, request, post_id).listed(post_id)
        return JSONResponse({"items": [_told(row) for row in rows], "next": None})

    @api.post(
        "/api/v1/posts/{id}/commands", ADMINISTER, status_code=201, responses={201: {"model": models.Command}, **_NONE},
        max_body_size=1 << 20,
    )  # fmt: skip
    async def give(request: Request, post_id: PostId, body: models.Give) -> Response:
        """Tell the post; it waits for one that is off. Entered here and signed before it leaves, entered there before it takes effect. Settings that cut the post off from this hub are put back there by itself."""
        desk = _desk(deps, request, post_id)
        if body.kind == "settings_read":
            return JSONResponse(_told(await desk.read(post_id, who_of(request), body.reason)), 201)
        if body.text is None or body.revision is None:
            raise RefusedError(422, "settings come with `text` and `revision`", remedy="read them from the post first")
        reason = reason_of(body.reason, needed=True) or ""
        return JSONResponse(_told(await desk.save(post_id, body.text, body.revision, who_of(request), reason)), 201)

    @api.get("/api/v1/posts/{id}/settings/form", ADMINISTER, responses={200: {"model": models.SettingsForm}, **_NONE})
    async def form(request: Request, post_id: PostId) -> Response:
        """What an editor offers. The settings themselves are told by the post: `settings_read`."""
        _desk(deps, request, post_id)
        return JSONResponse({"schema": schema()})

    @api.post(
        "/api/v1/posts/{id}/settings/check", ADMINISTER, responses={200: {"model": Checked}, **_NONE}, max_body_size=1 << 20
    )  # fmt: skip
    async def check(request: Request, post_id: PostId, body: models.CheckAfar) -> Response:
        """What is wrong with a text, and what saving it would change there, as far as it is known here: the post itself asks its disks and secrets."""
        return JSONResponse(await _desk(deps, request, post_id).check(post_id, body.text, body.revision))

    @api.delete(
        "/api/v1/posts/{id}/commands/{number}", ADMINISTER, status_code=204, response_class=Response, responses=_NONE
    )
    async def withdraw(request: Request, post_id: PostId, number: Number) -> Response:
        """One that the post has not heard of."""
        await _desk(deps, request, post_id).withdraw(post_id, int(number), who_of(request))
        return Response(status_code=204)


def _desk(deps: Deps, request: Request, post_id: str) -> CommandDesk:
    principal = principal_of(request)
    if principal is None or principal.cameras is not None:
        raise RefusedError(403, "this is about every camera", remedy="ask an admin of all cameras")
    if deps.commands is None or deps.posts is None or deps.posts.item(post_id) is None:
        raise RefusedError(404, f"there is no post {post_id}", remedy="see /api/v1/posts")
    return deps.commands


def _told(row: Any) -> dict[str, Any]:
    return {
        "id": row.id, "post": row.post, "kind": row.kind, "by": row.by, "reason": row.reason, "state": row.state,
        "given": format_us(row.created_us), "changed": format_us(row.changed_us), "expires": format_us(row.created_us + EXPIRES_US),
        "trial_until": _trial_until(row), "difference": row.body.get("difference"), "answer": dict(row.answer),
    }  # fmt: skip


def _trial_until(row: Any) -> str | None:
    """return_s: as the post said it."""
    return_s = row.answer.get("return_s")
    if row.state != "trial" or type(return_s) is not int or not 0 <= return_s <= _LONGEST_TRIAL_S:
        return None
    return format_us(row.changed_us + return_s * 1_000_000)
