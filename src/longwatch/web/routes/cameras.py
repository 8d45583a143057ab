"""Cameras, as they are now; and "try now"."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import Right
from longwatch.base.secrets import scrub
from longwatch.health import Snapshot, StreamState
from longwatch.model.sessions import StreamKey
from longwatch.web.api import Api
from longwatch.web.deps import Deps, SiteCamera
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.models import Cameras
from longwatch.web.places import CameraId
from longwatch.web.policy import OPERATE_CAMERA, SIGNED_IN
from longwatch.web.times import written


def register(api: Api, deps: Deps) -> None:
    """cameras, try-now."""

    @api.get("/api/v1/cameras", SIGNED_IN, responses={200: {"model": Cameras}})
    async def cameras(request: Request) -> Response:
        principal = principal_of(request)
        assert principal is not None
        snapshot = await deps.status.now()
        set_up = {(camera, stream): at_us for camera, stream, at_us in await deps.read(deps.index.cameras)}
        items = [
            _told(camera, snapshot, set_up.get((camera.id, "main")))
            for camera in deps.site().cameras
            if principal.may(Right.VIEW, camera.id)
        ]
        return JSONResponse({"items": items, "next": None})

    @api.post("/api/v1/cameras/{id}/try-now", OPERATE_CAMERA, status_code=202)
    async def try_now(camera: CameraId) -> Response:
        """Connect at once instead of waiting for the next attempt."""
        if deps.site().camera(camera) is None:
            raise RefusedError(404, f"there is no camera {camera[:80]!r}", remedy="see /api/v1/cameras")
        await deps.recorder.request("try_now", camera=camera)
        return JSONResponse({}, 202)


def _told(camera: SiteCamera, snapshot: Snapshot, set_up_us: int | None) -> dict[str, object]:
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
        "recorded_until": written(main.acked_wall_us if main else None),
        "set_up": written(set_up_us),
        "streams": [_stream(camera, name, snapshot, state) for name, state in streams.items()],
    }


def _state(camera: SiteCamera, snapshot: Snapshot, stream: StreamState | None) -> str:
    if stream is not None and stream.recording:
        return "recording"
    if not snapshot.running:
        return "recorder_failed"
    if camera.record == "never" or (stream is not None and not stream.planned):
        return "not_scheduled"
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
