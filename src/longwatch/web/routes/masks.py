"""What masks would cost, and which transcodes run: all that decodes and encodes for somebody."""

from __future__ import annotations

import os

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.accounts import Right
from longwatch.model.areas import Area, wrong_with
from longwatch.model.sessions import StreamKey
from longwatch.playback import Footage, Recoder, TableCache, newest_footage
from longwatch.web.api import Api
from longwatch.web.deps import Deps, SiteCamera
from longwatch.web.errors import RefusedError
from longwatch.web.guard import principal_of
from longwatch.web.models_masks import AreaOfPicture, CostRequest, MaskCost, Transcodes
from longwatch.web.places import CameraId
from longwatch.web.policy import SIGNED_IN, Policy
from longwatch.web.times import written

MEASURED_S = 4.0
SUB_HEIGHT = 360
ADMINISTER_CAMERA = Policy(Right.ADMINISTER, camera="id")


def register(api: Api, deps: Deps) -> None:
    """masks/cost, transcodes."""
    cache = TableCache()

    @api.post("/api/v1/cameras/{id}/masks/cost", ADMINISTER_CAMERA, responses={200: {"model": MaskCost}})
    async def cost(camera: CameraId, body: CostRequest) -> Response:
        """What masking this camera takes of a core, measured now on what was recorded of it."""
        known = deps.site().camera(camera)
        if known is None:
            raise RefusedError(404, f"there is no camera {camera[:80]!r}", remedy="see /api/v1/cameras")
        areas = known.masked if body.masks is None else tuple(_area(area) for area in body.masks)
        footage = await deps.read(_newest, deps, camera, cache)
        return JSONResponse(await measured(recoder_of(deps), known, areas, footage))

    @api.get("/api/v1/transcodes", SIGNED_IN, responses={200: {"model": Transcodes}})
    async def transcodes(request: Request) -> Response:
        """How many there may be, and which there are."""
        principal = principal_of(request)
        assert principal is not None
        slots = recoder_of(deps).slots
        running = [
            {"camera": slot.camera, "stream": slot.stream, "kind": slot.kind, "since": written(slot.since_us)}
            for slot in slots.running
            if slot.camera and principal.may(Right.VIEW, slot.camera)
        ]
        return JSONResponse(
            {"limit": slots.limit, "used": len(slots.running), "running": running, "refused": slots.refused}
        )


def recoder_of(deps: Deps) -> Recoder:
    """Raises RefusedError where this server makes no other encodings."""
    if deps.recoder is None:
        raise RefusedError(503, "this server makes no other encodings", remedy="use what the camera sends")
    return deps.recoder


async def measured(
    recoder: Recoder, camera: SiteCamera, areas: tuple[Area, ...], footage: Footage
) -> dict[str, object]:
    """The answer: as the masking child would work."""
    outputs = [{"name": name, "max_height": None if name == "main" else SUB_HEIGHT} for name in camera.streams]
    found = await recoder.cost(footage, areas, outputs)
    seconds = max(found.media_us, 1) / 1e6
    return {
        "seconds": round(seconds, 1),
        "pictures": found.pictures,
        "percent_of_core": round(found.cpu_us / 1e4 / seconds, 1),
        "cores": os.cpu_count() or 1,
        "bitrate_before": round(found.in_bytes * 8 / seconds),
        "bitrate_after": round(found.out_bytes * 8 / seconds),
        "streams": list(camera.streams),
    }


def _area(told: AreaOfPicture) -> Area:
    points = tuple((point[0], point[1]) for point in told.polygon)
    wrong = wrong_with(points)
    if wrong:
        raise RefusedError(422, f"{told.name}: {wrong}", remedy="draw it again")
    return Area(told.name, points)


def _newest(deps: Deps, camera: str, cache: TableCache) -> Footage:
    key = StreamKey(camera, "main")
    return newest_footage(deps.index, key, deps.index.accounted_until_us(key), cache, MEASURED_S)
