"""New versions for the posts of a hub. docs/design/upgrades.md."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from longwatch.accounting.reasons import reason_of
from longwatch.base.rfc3339 import format_us
from longwatch.trust.release import ReleaseError
from longwatch.trust.wheels import normal
from longwatch.web import models_upgrades as models
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps, UpgradeDesk
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.people import who_of
from longwatch.web.policy import ADMINISTER
from longwatch.wire.uplink import MAX_OBJECT_BYTES

Sha256 = Annotated[str, Path(alias="sha256", pattern="^[0-9a-f]{64}$")]
Number = Annotated[str, Path(alias="number", pattern="^[0-9]{1,9}$")]
_NONE: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}
_FILE = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_SECURITY: dict[str, Any] = {"security": [{"bearer": []}, {"cookie": []}]}


def register(api: Api, deps: Deps) -> None:
    """upgrades: releases and roll-outs."""

    @api.get("/api/v1/upgrades", ADMINISTER, responses={200: {"model": models.Upgrades}, **_NONE})
    async def upgrades(request: Request) -> Response:
        """What this hub was given for its posts, and where it is. At a post: 404."""
        desk = _desk(deps, request)
        rollouts = [_rollout(row, stages) for row, stages in await desk.rollouts()]
        return JSONResponse({"releases": [_release(row) for row in await desk.releases()], "rollouts": rollouts})

    @api.post(
        "/api/v1/upgrades/releases", ADMINISTER, status_code=201, responses={201: {"model": models.Release}, **_NONE},
        max_body_size=MAX_OBJECT_BYTES, openapi_extra={**_SECURITY, **_FILE},
    )  # fmt: skip
    async def add(
        request: Request, reason: Annotated[str, Query(max_length=500, description="why; kept beside the ledger")] = ""
    ) -> Response:
        """A bundle that `longwatch upgrade pack` made, as the body. Its form and hashes are proven here; whose signature it bears, each post judges. Entered before it is shown."""
        desk = _desk(deps, request)
        said = reason_of(reason, needed=False)
        path = await asyncio.to_thread(desk.incoming, secrets.token_hex(8))
        try:
            await _received(request, path)
            row = await desk.add(path, who_of(request), said, move=True)
        except ReleaseError as error:
            raise RefusedError(422, error.what, why=error.why, remedy=error.remedy) from error
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        return JSONResponse(_release(row), 201)

    @api.delete(
        "/api/v1/upgrades/releases/{sha256}", ADMINISTER, status_code=204, response_class=Response, responses=_NONE
    )
    async def remove(request: Request, sha256: Sha256, body: models.Reason) -> Response:
        """It is sent to nobody any more. Not while a roll-out of it runs."""
        await _desk(deps, request).remove(sha256, who_of(request), reason_of(body.reason))
        return Response(status_code=204)

    @api.get(
        "/api/v1/upgrades/releases/{sha256}/posts", ADMINISTER, responses={200: {"model": models.Candidates}, **_NONE}
    )
    async def posts(request: Request, sha256: Sha256) -> Response:
        """Which posts this release can be sent to, and why not to the others."""
        return JSONResponse({"items": await _desk(deps, request).posts(sha256), "next": None})

    @api.post(
        "/api/v1/upgrades/rollouts", ADMINISTER, status_code=201, responses={201: {"model": models.Rollout}, **_NONE}
    )
    async def roll(request: Request, body: models.Order) -> Response:
        """Send a release to posts. The first of them tries it for all: the others are told once it was kept there, and the first that goes back stops the rest."""
        desk = _desk(deps, request)
        made = await desk.roll(body.sha256, body.posts, who_of(request), reason_of(body.reason))
        stages = next((stages for row, stages in await desk.rollouts() if row.id == made.id), [])
        return JSONResponse(_rollout(made, stages), 201)

    @api.delete(
        "/api/v1/upgrades/rollouts/{number}", ADMINISTER, status_code=204, response_class=Response, responses=_NONE
    )
    async def stop(request: Request, number: Number, body: models.Reason) -> Response:
        """Send it to nobody more. What travels ends; a post that has all of it goes on by itself."""
        await _desk(deps, request).stop(int(number), who_of(request), reason_of(body.reason))
        return Response(status_code=204)


async def _received(request: Request, path: FilePath) -> None:
    """The body, into a file. Raises RefusedError where it is none, or too large."""
    size = 0
    file = await asyncio.to_thread(path.open, "xb")
    try:
        async for part in request.stream():
            size += len(part)
            if size > MAX_OBJECT_BYTES:
                raise RefusedError(
                    413, "this is too large to be sent to posts", why=f"at most {MAX_OBJECT_BYTES} bytes"
                )
            await asyncio.to_thread(file.write, part)
    except ClientDisconnect as error:
        raise RefusedError(400, "the upload ended before it was whole", remedy="try again") from error
    finally:
        await asyncio.to_thread(file.close)
    if not size:
        raise RefusedError(422, "the bundle is missing", remedy="send the file as the body")


def _desk(deps: Deps, request: Request) -> UpgradeDesk:
    principal = principal_of(request)
    if principal is None or principal.cameras is not None:
        raise RefusedError(403, "this is about every camera", remedy="ask an admin of all cameras")
    if deps.upgrades is None:
        raise RefusedError(404, "this is a post, and has none of its own", remedy="ask the hub that it has joined")
    return deps.upgrades


def _release(row: Any) -> dict[str, Any]:
    carried = {normal(file["name"].partition("-")[0]) for file in row.manifest["files"]}
    return {
        "sha256": row.sha256.hex(), "version": row.version, "size": row.size, "wheels": len(carried),
        "needs": len(set(row.manifest["requires"]) - carried),
        "signers": list(row.signers), "by": row.by, "added": format_us(row.added_us),
    }  # fmt: skip


def _rollout(row: Any, stages: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": row.id, "sha256": row.sha256.hex(), "version": row.version, "state": row.state, "why": row.why, "by": row.by, "reason": row.reason,
        "ordered": format_us(row.created_us), "changed": format_us(row.changed_us), "posts": stages,
    }  # fmt: skip
