"""How looking at pictures goes: per camera, who is behind and by how much; and what moved where."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import Right
from longwatch.base.rfc3339 import format_us
from longwatch.base.secrets import scrub
from longwatch.detection.heat_hours import HOURS
from longwatch.model.sessions import StreamKey
from longwatch.model.watching import DetectionState, Doing, ModelState, Moved, WatcherState
from longwatch.web.api import Api
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.models_detection import Detection, Movement, UnlookedCameras
from longwatch.web.places import CameraId
from longwatch.web.policy import SIGNED_IN, VIEW_ASKED, VIEW_CAMERA
from longwatch.web.times import From, To, span_us, written

MOST_STRETCHES = 50


def register(api: Api, deps: Deps) -> None:
    """Detection."""

    @api.get("/api/v1/detection", SIGNED_IN, responses={200: {"model": Detection}})
    async def detection(request: Request) -> Response:
        """Of the cameras that the caller may see; of the processes only those hear who may see every camera."""
        principal = principal_of(request)
        assert principal is not None
        known = deps.detection
        states = [] if known is None else known.states()
        items = [_told(state) for state in states if principal.may(Right.VIEW, state.camera)]
        watcher = None if known is None or principal.cameras is not None else _watcher(known.watcher)
        model = _model(ModelState() if known is None else known.watcher.model)
        return JSONResponse({"items": items, "model": model, "watcher": watcher, "next": None})

    @api.get("/api/v1/detection/unlooked", VIEW_ASKED, responses={200: {"model": UnlookedCameras}})
    async def unlooked(
        request: Request,
        from_: From,
        to: To,
        camera: Annotated[
            list[str] | None, Query(description="may be repeated; none: all that the caller may see")
        ] = None,
    ) -> Response:
        """When a camera was recorded and nobody looked at it: the newest of it, at most 50 stretches a camera. The newest minute is not judged yet. At a hub, empty."""
        from_us, to_us = span_us(from_, to)
        principal = principal_of(request)
        assert principal is not None
        states = [] if deps.detection is None else deps.detection.states()
        asked = [
            each for each in states if principal.may(Right.VIEW, each.camera) and (not camera or each.camera in camera)
        ]
        items = [await _unlooked(deps, state, from_us, to_us) for state in asked]
        return JSONResponse({"items": [item for item in items if item["off"] or item["stretches"]], "next": None})

    @api.get("/api/v1/cameras/{id}/movement", VIEW_CAMERA, responses={200: {"model": Movement}})
    async def movement(
        camera: CameraId,
        hours: Annotated[int, Query(ge=1, le=HOURS, description="clock hours, the one that is now among them")] = 24,
    ) -> Response:
        """What moved where in its picture, on a coarse grid: to help draw zones and masks. Nothing is known where nobody looks."""
        if deps.site().camera(camera) is None:
            raise RefusedError(404, f"there is no camera {camera[:80]!r}", remedy="see /api/v1/cameras")
        known = deps.detection
        moved = Moved(0, 0, 0.0, 0, (), ()) if known is None else await known.moved(camera, hours)
        state = None if known is None else known.state(camera)
        return JSONResponse(
            {
                "camera": camera, "span_hours": hours, "doing": str(Doing.OFF if state is None else state.doing),
                "columns": moved.columns, "rows": moved.rows, "looked_s": moved.looked_s, "looked_hours": moved.looked_hours,
                "seconds": [round(each, 1) for each in moved.seconds], "hours": moved.hours,
            }
        )  # fmt: skip


async def _unlooked(deps: Deps, state: DetectionState, from_us: int, to_us: int) -> dict[str, Any]:
    found: list[tuple[int, int]] = []
    if deps.looked is not None and state.doing is not Doing.OFF:
        key = StreamKey(state.camera, "main")
        recorded = [
            (span.from_us, span.to_us) for span in await deps.read_long(deps.index.recorded_spans, key, from_us, to_us)
        ]
        found = deps.looked.unlooked(state.camera, recorded, from_us, to_us)
    return {
        "camera": state.camera, "off": state.doing is Doing.OFF, "seconds": round(sum(b - a for a, b in found) / 1e6, 3),
        "stretches": [{"from": format_us(a), "to": format_us(b)} for a, b in found[-MOST_STRETCHES:]],
    }  # fmt: skip


def _told(state: DetectionState) -> dict[str, Any]:
    whole_us = state.open_us + state.closed_us
    return {
        "camera": state.camera,
        "doing": str(state.doing),
        "stream": state.stream,
        "why": scrub(state.why),
        "gate": state.gate,
        "sizes_tell": state.sizes_tell,
        "level": state.level,
        "behind_s": round(state.behind_us / 1e6, 2),
        "looked_until": written(state.looked_until_us or None),
        "samples": state.told,
        "pictures": state.pictures,
        "decoded": state.decoded,
        "skipped": state.skipped,
        "missed": state.missed,
        "failed": state.failed,
        "child_deaths": state.deaths,
        "vectors_asked": state.vectors_asked,
        "objects_asked": state.objects_asked,
        "objects_skipped": state.objects_skipped,
        "cpu_s": round(state.cpu_us / 1e6, 3),
        "open_share": round(state.open_us / whole_us, 4) if whole_us else 0.0,
    }


def _model(model: ModelState) -> dict[str, Any]:
    return {
        "doing": model.doing, "why": scrub(model.why), "name": model.name, "version": model.version, "licence": model.licence,
        "finds": list(model.finds), "ask_s": round(model.ask_us / 1e6, 4), "deaths": model.deaths,
    }  # fmt: skip


def _watcher(watcher: WatcherState) -> dict[str, Any]:
    return {
        "running": watcher.running,
        "resident_bytes": watcher.rss_bytes,
        "cpu_s": round(watcher.cpu_us / 1e6, 3),
        "restarts": watcher.restarts,
        "children": [
            {
                "pid": child["pid"], "resident_bytes": child["rss_bytes"], "cpu_s": round(child["cpu_us"] / 1e6, 3),
                "deaths": child["deaths"],
            }
            for child in watcher.children
        ],
    }  # fmt: skip
