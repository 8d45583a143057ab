"""Temperatures that a thermal camera measures, as they are now."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from longwatch.base.secrets import scrub
from longwatch.web.api import Api
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.models_thermal import TemperatureList
from longwatch.web.places import CameraId
from longwatch.web.policy import VIEW_CAMERA


def register(api: Api, deps: Deps) -> None:
    """Temperatures."""

    @api.get("/api/v1/cameras/{id}/temperatures", VIEW_CAMERA, responses={200: {"model": TemperatureList}})
    async def temperatures(camera: CameraId) -> Response:
        """Of the spots and boxes that the camera sends; none where it sends none, or none is asked of it (`radiometry`)."""
        if deps.site().camera(camera) is None:
            raise RefusedError(404, f"there is no camera {camera[:80]!r}", remedy="see /api/v1/cameras")
        known = deps.temperatures
        readings = {} if known is None else known.now(camera)
        items = [
            {
                "item": scrub(item), "name": scrub(reading.name), "highest": round(reading.highest, 2),
                "lowest": round(reading.lowest, 2), "mean": None if reading.mean is None else round(reading.mean, 2),
            }
            for item, reading in sorted(readings.items())
        ]  # fmt: skip
        return JSONResponse({"items": items, "unreadable": 0 if known is None else known.unread(camera), "next": None})
