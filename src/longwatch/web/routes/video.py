"""Recorded video, as one mp4, as HLS and as a still; and signed URLs for players that send no header."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode

from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import Grant, Right
from longwatch.accounts.signing import VALID_US
from longwatch.base.rfc3339 import format_us
from longwatch.live.remote import RemoteLive
from longwatch.model.clips import clip_of
from longwatch.model.sessions import StreamKey
from longwatch.playback import (
    PART_PARAMETERS,
    HeldBytes,
    StoredBytes,
    TableCache,
    VideoFile,
    VideoRequest,
    open_part,
    open_playlist,
    part_span,
)
from longwatch.strips.distant import DistantStrips
from longwatch.web.api import Api, Problem
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.footage import open_exact_footage, open_footage
from longwatch.web.guard import grant_of, principal_of
from longwatch.web.models import SignedUrl, SignedUrlRequest
from longwatch.web.people import enter_look, enter_part, enter_video
from longwatch.web.places import CameraId, StreamName, check_grant, check_part_grant, stream_key
from longwatch.web.policy import PLAY_CAMERA, SIGNED_IN, VIEW_CAMERA
from longwatch.web.ranges import serve
from longwatch.web.routes.events import EventId, event_for
from longwatch.web.routes.masks import recoder_of
from longwatch.web.times import From, To, moment_us, span_us
from longwatch.wire.strip_pack import StripPicture

_MP4: dict[int | str, dict[str, Any]] = {
    200: {"content": {"video/mp4": {}}},
    206: {"content": {"video/mp4": {}}},
    304: {},
    416: {},
    429: {"model": Problem},
    503: {"model": Problem},
}
_STRIP_FROM_US = 60_000_000
_HLS = "application/vnd.apple.mpegurl"
Run = Annotated[int | None, Query(ge=0, lt=1 << 62, description="a run that is shown in `also` of the timeline")]


Transcode = Annotated[Literal["h264"] | None, Query(description="for a browser that does not play what was stored")]
Exact = Annotated[
    bool,
    Query(
        description="the pictures from `from` up to the next key picture are encoded anew, which takes one of the transcodes of the server and some seconds; "
        "503 where all are in use, or it cannot be done"
    ),
]


def register(api: Api, deps: Deps) -> None:
    """video.mp4, playlist.m3u8 and its segment.mp4, still.jpg, signed-url; clip.mp4 of an event."""
    cache = TableCache()

    @api.get("/api/v1/cameras/{id}/video.mp4", PLAY_CAMERA, head=True, response_class=Response, responses=_MP4)
    async def video(
        request: Request,
        camera: CameraId,
        from_: From,
        to: To,
        stream: StreamName = "main",
        run: Run = None,
        exact: Exact = False,
    ) -> Response:
        """One mp4 of the stretch, moov first, from the stored bytes. It begins at the last key picture at or before `from`; what comes before `from` is hidden by an edit
        list. exact: it begins with the first picture at or after `from`, and nothing from before that is in it; see `X-Longwatch-Start`.
        """
        from_us, to_us = span_us(from_, to)
        check_grant(request, from_us, to_us, exact=exact)
        key = await stream_key(deps, camera, stream)
        asked = VideoRequest(key, from_us, to_us, run)
        if exact:
            file = await _exact(deps, cache, asked)
        else:
            file = await deps.read(open_footage, deps.index, cache, asked)
        headers = {"X-Longwatch-Start": format_us(file.start_wall_us), "X-Longwatch-Gaps": file.gaps_header}
        answer = serve(deps, request, file, headers, camera, ahead=file)
        await enter_video(deps, request, answer, key, from_us, to_us)
        return answer

    @api.get(
        "/api/v1/cameras/{id}/playlist.m3u8", PLAY_CAMERA, head=True, response_class=Response,
        responses={200: {"content": {_HLS: {}}}},
    )  # fmt: skip
    async def playlist(
        request: Request,
        camera: CameraId,
        from_: From,
        to: To,
        stream: StreamName = "main",
        run: Run = None,
        transcode: Transcode = None,
    ) -> Response:
        """HLS of the same; its media are ranges of segment.mp4 beside it. transcode: its parts are made H.264 when they are asked for."""
        from_us, to_us = span_us(from_, to)
        check_grant(request, from_us, to_us)
        key = await stream_key(deps, camera, stream)
        signed = _part_signer(deps, request, stream, transcode)
        text = await deps.read(_playlist, deps, cache, VideoRequest(key, from_us, to_us, run), signed)
        if request.method != "HEAD":
            await enter_look(deps, request, key, "playlist", from_us, to_us)
        return Response(text, media_type=_HLS, headers={"Cache-Control": "private, no-cache"})

    @api.get("/api/v1/cameras/{id}/segment.mp4", PLAY_CAMERA, head=True, response_class=Response, responses=_MP4)
    async def segment(
        request: Request, camera: CameraId, stream: StreamName = "main", transcode: Transcode = None
    ) -> Response:
        """A part of a playlist; its URL stands there."""
        params = {name: request.query_params[name] for name in PART_PARAMETERS if name in request.query_params}
        check_part_grant(request, _part_query(params))
        key = await stream_key(deps, camera, stream)
        part: StoredBytes | HeldBytes
        if transcode is not None:
            part = await recoder_of(deps).part(deps.index, key, params)
        else:
            part = await deps.read(_part, deps, cache, key, params)
        if request.method != "HEAD" and params.get("part") == "media":
            shown = await deps.read(_shown, deps, cache, key, params)
            if shown is not None:
                await enter_part(deps, request, key, *shown)
        return serve(deps, request, part, {}, camera)

    @api.get(
        "/api/v1/cameras/{id}/still.jpg", VIEW_CAMERA, response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}, 304: {}},
    )  # fmt: skip
    async def still(
        request: Request,
        camera: CameraId,
        at: Annotated[str | None, Query(description="RFC 3339; default: now")] = None,
        stream: StreamName = "main",
        width: Annotated[int | None, Query(ge=16, le=3840)] = None,
        fresh: Annotated[
            bool, Query(description="at a hub: the post is asked for one; for whoever may operate")
        ] = False,
    ) -> Response:
        """The picture of that moment, from what is stored: 304 where If-None-Match names it, for thin links. At a hub: of what is here, and the small picture
        of a strip (`X-Longwatch-Picture: strip`) where that is newer by a minute. `X-Longwatch-Start` says of when it is.
        """
        at_us = None if at is None else moment_us(at)
        key = await stream_key(deps, camera, stream)
        if fresh and at is None and deps.remote is not None:
            return await _fresh(deps, deps.remote, request, key, width)
        strip = await _strip(deps, key, at_us)
        if strip is not None:
            await enter_look(deps, request, key, "still", strip.at_us, strip.at_us, goes_on=at is None)
            headers = {
                "X-Longwatch-Start": format_us(strip.at_us), "X-Longwatch-Picture": "strip", "Cache-Control": "private, no-cache",
                "ETag": f'"strip.{strip.at_us}"',
            }  # fmt: skip
            if request.headers.get("if-none-match") == headers["ETag"]:
                return Response(status_code=304, headers=headers)
            return Response(strip.jpeg, media_type="image/jpeg", headers=headers)
        if at_us is None:
            at_us = await deps.read(deps.index.accounted_until_us, key)
        known_us = _known_still(request, stream, width)
        picture = await deps.stills.still(deps.index, key, at_us, width=width, known_us=known_us)
        await enter_look(deps, request, key, "still", picture.wall_us, picture.wall_us, goes_on=at is None)
        headers = {"X-Longwatch-Start": format_us(picture.wall_us), "Cache-Control": "private, no-cache"}
        headers["ETag"] = _still_tag(picture.wall_us, stream, width)
        if not picture.jpeg:
            return Response(status_code=304, headers=headers)
        return Response(picture.jpeg, media_type="image/jpeg", headers=headers)

    @api.get(
        "/api/v1/events/{id}/clip.mp4",
        SIGNED_IN,
        head=True,
        response_class=Response,
        responses=_MP4 | {404: {"model": Problem}},
    )
    async def clip(request: Request, number: EventId, stream: StreamName = "main") -> Response:
        """An event as a short film: `clip` of what is said of it, with five seconds before and after, at most half a minute. It is footage, as video.mp4
        of that stretch: as long as that is held, and whoever looks is entered. While the event goes on it grows.
        """
        event = (await event_for(deps, request, number, Right.VIEW)).event
        from_us, to_us = clip_of(event)
        key = await stream_key(deps, event.camera, stream)
        file = await deps.read(open_footage, deps.index, cache, VideoRequest(key, from_us, to_us))
        headers = {"X-Longwatch-Start": format_us(file.start_wall_us), "X-Longwatch-Gaps": file.gaps_header}
        answer = serve(deps, request, file, headers, event.camera, ahead=file)
        await enter_video(deps, request, answer, key, from_us, to_us)
        return answer

    @api.post("/api/v1/cameras/{id}/signed-url", VIEW_CAMERA, responses={200: {"model": SignedUrl}})
    async def signed_url(request: Request, camera: CameraId, body: SignedUrlRequest) -> Response:
        """A URL for a player that sends no header: ten minutes, this camera and span. exact: and it opens nothing from before the span, which playlists and files without
        `exact` have in them.
        """
        from_us, to_us = span_us(body.from_, body.to)
        if body.exact and body.what != "video.mp4":
            raise RefusedError(422, "a playlist cannot begin exactly", remedy="ask for video.mp4")
        await stream_key(deps, camera, body.stream or "main")
        principal = principal_of(request)
        assert principal is not None
        expires_us = deps.clock.wall_us() + VALID_US
        grant = Grant(camera, from_us, to_us, f"{principal.kind}:{principal.name}", expires_us, exact=body.exact)
        query = {"from": format_us(from_us), "to": format_us(to_us)}
        if body.exact:
            query["exact"] = "1"
        if body.stream is not None:
            query["stream"] = body.stream
        query["sig"] = deps.accounts.signer.sign(grant)
        url = f"/api/v1/cameras/{camera}/{body.what}?{urlencode(query)}"
        return JSONResponse({"url": url, "expires": format_us(expires_us)})


async def _exact(deps: Deps, cache: TableCache, asked: VideoRequest) -> VideoFile:
    """Raises LongwatchError: RefusedError where this server encodes nothing, SlotsFullError where all its transcodes are in use."""
    opened = await deps.read(open_exact_footage, deps.index, cache, asked)
    made = None if opened.anew is None else await recoder_of(deps).exact(deps.index, asked.key, opened.anew)
    return await deps.read(opened.file, made)


async def _fresh(deps: Deps, remote: RemoteLive, request: Request, key: StreamKey, width: int | None) -> Response:
    """A picture that a post sends now, over its link."""
    principal = principal_of(request)
    assert principal is not None
    if not principal.may(Right.OPERATE, key.camera):
        raise RefusedError(
            403, "a fresh picture takes the post's link", remedy="ask somebody who may operate this camera"
        )
    jpeg, wall_us = await remote.still(key, width, principal.name)
    await enter_look(deps, request, key, "still", wall_us, wall_us)
    headers = {"X-Longwatch-Start": format_us(wall_us), "Cache-Control": "private, no-store"}
    return Response(jpeg, media_type="image/jpeg", headers=headers)


async def _strip(deps: Deps, key: StreamKey, at_us: int | None) -> StripPicture | None:
    """At a hub: the newest small picture by that moment, where no footage that is here comes near it."""
    if not isinstance(deps.strips, DistantStrips):
        return None
    until_us = deps.clock.wall_us() if at_us is None else at_us
    found = await deps.read(deps.strips.shelf.newest, key.camera, until_us)
    if found is None:
        return None
    held = await deps.read(deps.index.sync_before, key, until_us)
    return found if held is None or held.wall_end_us + _STRIP_FROM_US < found.at_us else None


def _still_tag(wall_us: int, stream: str, width: int | None) -> str:
    return f'"{wall_us}-{stream}-{width or 0}"'


def _known_still(request: Request, stream: str, width: int | None) -> int | None:
    """When the picture was taken that the caller has, of this stream and width."""
    told = request.headers.get("if-none-match", "").strip().removeprefix("W/")
    taken, _, _ = told.strip('"').partition("-")
    if not taken.isascii() or not taken.isdigit() or len(taken) > 19:
        return None
    return int(taken) if _still_tag(int(taken), stream, width) == told else None


def _part_query(params: dict[str, str]) -> str:
    return urlencode(sorted(params.items()))


def _part_signer(deps: Deps, request: Request, stream: str, transcode: str | None) -> Callable[[str], str]:
    """Adds to a part's URL its stream, how it is to be made, and, where the playlist came by a signed URL, a signature for that part alone."""
    grant = grant_of(request)

    def signed(url: str) -> str:
        path, _, query = url.partition("?")
        more = {"stream": stream, **({} if transcode is None else {"transcode": transcode})}
        if grant is not None:
            part = _part_query(dict(parse_qsl(query)))
            more["sig"] = deps.accounts.signer.sign(dataclasses.replace(grant, part=part))
        return f"{path}?{query}&{urlencode(more)}"

    return signed


def _playlist(deps: Deps, cache: TableCache, request: VideoRequest, part_url: Callable[[str], str]) -> str:
    until_us = deps.index.accounted_until_us(request.key)
    return open_playlist(deps.index, request, accounted_until_us=until_us, part_url=part_url, cache=cache)


def _part(deps: Deps, cache: TableCache, key: StreamKey, params: dict[str, str]) -> StoredBytes:
    return open_part(deps.index, key, params, cache=cache)


def _shown(deps: Deps, cache: TableCache, key: StreamKey, params: dict[str, str]) -> tuple[int, int] | None:
    return part_span(deps.index, key, params, cache=cache)
