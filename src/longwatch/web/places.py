"""Which stream a request means, and whether its signed URL covers what it asks for."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from starlette.requests import HTTPConnection

from longwatch.accounts import Principal, Right
from longwatch.base.ids import is_camera_id, is_slug
from longwatch.model.sessions import StreamKey
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.guard import grant_of

CameraId = Annotated[str, Path(alias="id", description="as in /api/v1/cameras")]
StreamName = Annotated[str, Query(max_length=40, pattern="^[a-z0-9-]+$", description="main, unless it says otherwise")]


async def stream_key(deps: Deps, camera: str, stream: str) -> StreamKey:
    """The stream, of the settings or of the archive (a camera taken out of the settings keeps its footage).

    Raises RefusedError 404. Nothing that is not a slug gets further than this.
    """
    if is_camera_id(camera) and is_slug(stream):
        known = deps.site().camera(camera)
        if known is not None and stream in known.streams:
            return StreamKey(camera, stream)
        if (camera, stream) in {(row[0], row[1]) for row in await deps.read(deps.index.cameras)}:
            return StreamKey(camera, stream)
    raise RefusedError(
        404, f"there is no stream {stream[:80]!r} of a camera {camera[:80]!r}", remedy="see /api/v1/cameras"
    )


async def check_camera(deps: Deps, principal: Principal, camera: str) -> None:
    """Of the settings or of the archive, and allowed. Raises RefusedError 403, then 404."""
    if not principal.may(Right.VIEW, camera):
        raise RefusedError(
            403, f"{principal.role} {principal.name!r} has no right to this camera", remedy="ask an admin"
        )
    if deps.site().camera(camera) is None and camera not in {row[0] for row in await deps.read(deps.index.cameras)}:
        raise RefusedError(404, f"there is no camera {camera[:80]!r}", remedy="see /api/v1/cameras")


def check_grant(connection: HTTPConnection, from_us: int, to_us: int, *, exact: bool = False) -> None:
    """Raises RefusedError 403 where a signed URL was made for another span, or for less than what is asked for. exact: nothing from before the span is asked for."""
    grant = grant_of(connection)
    if grant is not None and grant.exact and not exact:
        raise RefusedError(403, "this signed URL is for video.mp4 with exact=1", remedy="use it as it is")
    if grant is not None and (grant.part or not grant.from_us <= from_us < to_us <= grant.to_us):
        raise RefusedError(403, "this signed URL is for another span", remedy="ask for a new one")


def check_part_grant(connection: HTTPConnection, query: str) -> None:
    """Raises RefusedError 403 where a signed URL was made for something else than this one part of a playlist."""
    grant = grant_of(connection)
    if grant is not None and grant.part != query:
        raise RefusedError(403, "this signed URL is for something else", remedy="take the URLs of the playlist")
