"""Recorded video, as one mp4, as HLS and as a still; and signed URLs for players that send no header."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import Grant
from longwatch.accounts.signing import VALID_US
from longwatch.base.rfc3339 import format_us
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import GapSpan
from longwatch.playback import (
    StoredBytes,
    TableCache,
    VideoFile,
    VideoRequest,
    open_part,
    open_playlist,
    open_video,
)
from longwatch.timeline import State
from longwatch.web.api import Api
from longwatch.web.deps import Deps
from longwatch.web.guard import grant_of, principal_of
from longwatch.web.models import SignedUrl, SignedUrlRequest
from longwatch.web.places import CameraId, StreamName, check_grant, check_part_grant, stream_key
from longwatch.web.policy import PLAY_CAMERA, VIEW_CAMERA
from longwatch.web.ranges import serve
from longwatch.web.routes.timeline import tiles_of
from longwatch.web.times import From, To, moment_us, span_us

_MP4: dict[int | str, dict[str, Any]] = {
    200: {"content": {"video/mp4": {}}},
    206: {"content": {"video/mp4": {}}},
    304: {},
    416: {},
}
_OURS = frozenset({"stream", "sig"})
_HLS = "application/vnd.apple.mpegurl"
Run = Annotated[int | None, Query(ge=0, lt=1 << 62, description="a run that is shown in `also` of the timeline")]


def register(api: Api, deps: Deps) -> None:
    """video.mp4, playlist.m3u8 and its segment.mp4, still.jpg, signed-url."""
    cache = TableCache()

    @api.get("/api/v1/cameras/{id}/video.mp4", PLAY_CAMERA, head=True, response_class=Response, responses=_MP4)
    async def video(
        request: Request, camera: CameraId, from_: From, to: To, stream: StreamName = "main", run: Run = None
    ) -> Response:
        """One mp4 of the stretch, moov first, from the stored bytes."""
        from_us, to_us = span_us(from_, to)
        check_grant(request, from_us, to_us)
        key = await stream_key(deps, camera, stream)
        file = await deps.read(_open, deps, cache, VideoRequest(key, from_us, to_us, run))
        headers = {"X-Longwatch-Start": format_us(file.start_wall_us), "X-Longwatch-Gaps": file.gaps_header}
        return serve(deps, request, file, headers)

    @api.get(
        "/api/v1/cameras/{id}/playlist.m3u8", PLAY_CAMERA, head=True, response_class=Response,
        responses={200: {"content": {_HLS: {}}}},
    )  # fmt: skip
    async def playlist(
        request: Request, camera: CameraId, from_: From, to: To, stream: StreamName = "main", run: Run = None
    ) -> Response:
        """HLS of the same; its media are ranges of segment.mp4 beside it."""
        from_us, to_us = span_us(from_, to)
        check_grant(request, from_us, to_us)
        key = await stream_key(deps, camera, stream)
        signed = _part_signer(deps, request, stream)
        text = await deps.read(_playlist, deps, cache, VideoRequest(key, from_us, to_us, run), signed)
        return Response(text, media_type=_HLS, headers={"Cache-Control": "private, no-cache"})

    @api.get("/api/v1/cameras/{id}/segment.mp4", PLAY_CAMERA, head=True, response_class=Response, responses=_MP4)
    async def segment(request: Request, camera: CameraId, stream: StreamName = "main") -> Response:
        """A part of a playlist; its URL stands there."""
        params = {name: value for name, value in request.query_params.items() if name not in _OURS}
        check_part_grant(request, _part_query(params))
        key = await stream_key(deps, camera, stream)
        return serve(deps, request, await deps.read(_part, deps, cache, key, params), {})

    @api.get(
        "/api/v1/cameras/{id}/still.jpg", VIEW_CAMERA, response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}},
    )  # fmt: skip
    async def still(
        camera: CameraId,
        at: Annotated[str | None, Query(description="RFC 3339; default: now")] = None,
        stream: StreamName = "main",
        width: Annotated[int | None, Query(ge=16, le=3840)] = None,
    ) -> Response:
        """The picture of that moment, from what is stored."""
        at_us = None if at is None else moment_us(at)
        key = await stream_key(deps, camera, stream)
        if at_us is None:
            at_us = await deps.read(deps.index.accounted_until_us)
        picture = await deps.stills.still(deps.index, key, at_us, width=width)
        headers = {"X-Longwatch-Start": format_us(picture.wall_us), "Cache-Control": "private, no-cache"}
        return Response(picture.jpeg, media_type="image/jpeg", headers=headers)

    @api.post("/api/v1/cameras/{id}/signed-url", VIEW_CAMERA, responses={200: {"model": SignedUrl}})
    async def signed_url(request: Request, camera: CameraId, body: SignedUrlRequest) -> Response:
        """A URL for a player that sends no header: ten minutes, this camera and span."""
        from_us, to_us = span_us(body.from_, body.to)
        await stream_key(deps, camera, body.stream or "main")
        principal = principal_of(request)
        assert principal is not None
        expires_us = deps.clock.wall_us() + VALID_US
        grant = Grant(camera, from_us, to_us, f"{principal.kind}:{principal.name}", expires_us)
        query = {"from": format_us(from_us), "to": format_us(to_us)}
        if body.stream is not None:
            query["stream"] = body.stream
        query["sig"] = deps.accounts.signer.sign(grant)
        url = f"/api/v1/cameras/{camera}/{body.what}?{urlencode(query)}"
        return JSONResponse({"url": url, "expires": format_us(expires_us)})


def _part_query(params: dict[str, str]) -> str:
    return urlencode(sorted(params.items()))


def _part_signer(deps: Deps, request: Request, stream: str) -> Callable[[str], str]:
    """Adds to a part's URL its stream and, where the playlist came by a signed URL, a signature for that part alone."""
    grant = grant_of(request)

    def signed(url: str) -> str:
        path, _, query = url.partition("?")
        more = {"stream": stream}
        if grant is not None:
            part = _part_query(dict(parse_qsl(query)))
            more["sig"] = deps.accounts.signer.sign(dataclasses.replace(grant, part=part))
        return f"{path}?{query}&{urlencode(more)}"

    return signed


def _open(deps: Deps, cache: TableCache, request: VideoRequest) -> VideoFile:
    tiles, accounted_until_us = tiles_of(deps.index, request.key, request.from_us, request.to_us)
    gaps = [
        GapSpan(item.from_us, item.to_us, item.cause, dict(item.evidence))
        for item in tiles
        if item.state is State.GAP and item.cause is not None
    ]
    return open_video(deps.index, request, accounted_until_us=accounted_until_us, gaps=gaps, cache=cache)


def _playlist(deps: Deps, cache: TableCache, request: VideoRequest, part_url: Callable[[str], str]) -> str:
    until_us = deps.index.accounted_until_us()
    return open_playlist(deps.index, request, accounted_until_us=until_us, part_url=part_url, cache=cache)


def _part(deps: Deps, cache: TableCache, key: StreamKey, params: dict[str, str]) -> StoredBytes:
    return open_part(deps.index, key, params, cache=cache)
