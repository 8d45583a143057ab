"""Cameras, as they are now; and "try now"."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import Right
from longwatch.base.rfc3339 import format_us
from longwatch.base.secrets import scrub
from longwatch.health import Snapshot, StreamState
from longwatch.model.sessions import StreamKey
from longwatch.web.api import Api
from longwatch.web.deps import Deps, Index, SiteCamera
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.models import Cameras
from longwatch.web.places import CameraId
from longwatch.web.policy import OPERATE_CAMERA, SIGNED_IN
from longwatch.web.times import written

_FEW = 50


def register(api: Api, deps: Deps) -> None:
    """cameras, try-now."""

    @api.get("/api/v1/cameras", SIGNED_IN, responses={200: {"model": Cameras}})
    async def cameras(
        request: Request,
        post: Annotated[str | None, Query(max_length=40, description="at a hub: of that post only")] = None,
    ) -> Response:
        principal = principal_of(request)
        assert principal is not None
        snapshot = await deps.camera_states()
        shown = [
            camera
            for camera in deps.site().cameras
            if principal.may(Right.VIEW, camera.id) and (post is None or camera.id.startswith(f"{post}."))
        ]
        silent = [camera.id for camera in shown if not _acked(snapshot, camera.id)]
        few = None if len(shown) > _FEW else [camera.id for camera in shown]
        set_up, stored = await deps.read(_kept, deps.index, few, silent)
        items = [_told(camera, snapshot, set_up.get((camera.id, "main")), stored.get(camera.id)) for camera in shown]
        # To the microsecond, unlike Date: a page tells the age of a live picture by it.
        now = {"X-Longwatch-Now": format_us(deps.clock.wall_us())}
        return JSONResponse({"items": items, "next": None}, headers=now)

    @api.post("/api/v1/cameras/{id}/try-now", OPERATE_CAMERA, status_code=202)
    async def try_now(camera: CameraId) -> Response:
        """Connect at once instead of waiting for the next attempt."""
        if deps.site().camera(camera) is None:
            raise RefusedError(404, f"there is no camera {camera[:80]!r}", remedy="see /api/v1/cameras")
        await deps.recorder.request("try_now", camera=camera)
        return JSONResponse({}, 202)


def _acked(snapshot: Snapshot, camera: str) -> int | None:
    """Until when the recorder that runs made it durable; None where it has said nothing of it yet."""
    main = snapshot.by_key.get(StreamKey(camera, "main"))
    return main.acked_wall_us if main is not None else None


def _kept(
    index: Index, shown: list[str] | None, silent: list[str]
) -> tuple[dict[tuple[str, str], int | None], dict[str, int | None]]:
    """Since when the main streams of the shown cameras (None: all) are set up; and until when there is media of the silent ones, as the archive knows it. Blocks."""
    if shown is None:
        set_up = {(camera, stream): at_us for camera, stream, at_us in index.cameras()}
    else:  # a hub knows ten thousand, and a page asks for those of one post
        set_up = {(camera, "main"): index.set_up_us(StreamKey(camera, "main")) for camera in shown}
    return set_up, {camera: index.stats(StreamKey(camera, "main")).last_us for camera in silent}


def _told(
    camera: SiteCamera, snapshot: Snapshot, set_up_us: int | None, stored_until_us: int | None
) -> dict[str, object]:
    streams = {name: snapshot.by_key.get(StreamKey(camera.id, name)) for name in camera.streams}
    main = streams.get("main")
    return {
        "id": camera.id,
        "name": camera.name,
        "kind": camera.kind,
        "state": _state(camera, snapshot, main),
        "reason": _reason(snapshot, main),
        "since": written(main.since_wall_us if main else None),
        "next_attempt": written(main.next_attempt_wall_us if main else None),
        "recorded_until": written(_acked(snapshot, camera.id) or stored_until_us),
        "set_up": written(set_up_us),
        "pause": _pause(main),
        "masks": camera.masks,
        "shades": [{"name": area.name, "polygon": [list(point) for point in area.points]} for area in camera.shaded],
        "zones": camera.zones,
        "lines": camera.lines,
        "stills": camera.stills,
        "streams": [_stream(camera, name, snapshot, state) for name, state in streams.items()],
    }


def _pause(stream: StreamState | None) -> dict[str, object] | None:
    pause = stream.pause if stream is not None else None
    if pause is None:
        return None
    return {"kind": pause.kind, "since": written(pause.since_us), "until": written(pause.until_us)}


def _state(camera: SiteCamera, snapshot: Snapshot, stream: StreamState | None) -> str:
    if stream is not None and stream.recording:
        return "recording"
    if not snapshot.running:
        return "recorder_failed"
    if camera.record == "never":
        return "not_scheduled"
    if stream is not None and not stream.planned:
        return stream.cause or "not_scheduled"  # paused, outside the schedule, off by the power plan
    if stream is None:
        return "unknown"
    return stream.cause or stream.fault or stream.activity


def _reason(snapshot: Snapshot, stream: StreamState | None) -> str | None:
    if not snapshot.running:
        return scrub(snapshot.why_not)
    if stream is None:
        return "the recorder does not know it yet"
    return None if stream.recording else scrub(stream.detail) or None


def _stream(camera: SiteCamera, name: str, snapshot: Snapshot, state: StreamState | None) -> dict[str, object]:
    tracks = state.tracks if state else ()
    video = next((track for track in tracks if track.kind == "video"), None)
    audio = next((track for track in tracks if track.kind == "audio"), None)
    return {
        "name": name,
        "state": _state(camera, snapshot, state),
        "recording": state.recording if state else False,
        "detail": scrub(state.detail) if state else "",
        "codec": video.codec if video else None,
        "width": video.width if video else None,
        "height": video.height if video else None,
        "fps": video.fps if video else None,
        "bitrate": video.bitrate if video else None,
        "audio": audio.codec if audio else None,
    }
