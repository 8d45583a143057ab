"""What a thermal camera measures: its temperatures as they are now, and its stills, of which each pixel can be read."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from longwatch.base.rfc3339 import format_us
from longwatch.base.secrets import scrub
from longwatch.model.heat import HeatPart, StillNews
from longwatch.model.sessions import StreamKey
from longwatch.playback.heat import HeatStill
from longwatch.web.api import Api
from longwatch.web.deps import Deps
from longwatch.web.errors import RefusedError
from longwatch.web.models_thermal import TemperatureList
from longwatch.web.people import enter_look
from longwatch.web.places import CameraId
from longwatch.web.policy import VIEW_CAMERA
from longwatch.web.times import moment_us, written

MEDIA_TYPE = "application/vnd.longwatch.thermal"
_LEAST_BACK_US = 600_000_000


def register(api: Api, deps: Deps) -> None:
    """temperatures, thermal."""

    @api.get("/api/v1/cameras/{id}/temperatures", VIEW_CAMERA, responses={200: {"model": TemperatureList}})
    async def temperatures(camera: CameraId) -> Response:
        """Of the spots and boxes that the camera sends, and of those in its stills; none where it sends none, or none is asked of it (`radiometry`)."""
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
        unread = 0 if known is None else known.unread(camera)
        return JSONResponse({"items": items, "unreadable": unread, "stills": _stills(deps, camera), "next": None})

    @api.get(
        "/api/v1/cameras/{id}/thermal", VIEW_CAMERA, response_class=Response,
        responses={200: {"content": {MEDIA_TYPE: {}}}},
    )  # fmt: skip
    async def thermal(
        request: Request,
        camera: CameraId,
        at: Annotated[str | None, Query(description="RFC 3339; default: now")] = None,
    ) -> Response:
        """The thermal still of that moment, as it was recorded: four bytes N (little endian), N bytes of JSON {at, width, height, gain, offset, reads}, then the
        levels, two bytes each (little endian), row by row. Degrees Celsius are level x gain + offset; `gain` is null where they are values without a scale.
        """
        at_us = None if at is None else moment_us(at)
        asked = None if deps.temperatures is None else deps.temperatures.still_options(camera)
        if asked is None or deps.heat_stills is None:
            raise RefusedError(
                404, f"the camera {camera[:80]!r} gives no thermal stills", remedy="set `radiometry: {stills: ...}`"
            )
        until_us = deps.clock.wall_us() if at_us is None else at_us
        back_us = max(_LEAST_BACK_US, 3 * asked.every_us)
        wall_us, data = await deps.read(deps.heat_stills.find, deps.index, camera, until_us, back_us)
        still = await deps.heat_stills.read(camera, data, asked.scale, asked.parts)
        await enter_look(deps, request, StreamKey(camera, "main"), "still", wall_us, wall_us, goes_on=at is None)
        return Response(
            _packed(wall_us, still, asked.parts),
            media_type=MEDIA_TYPE,
            headers={"X-Longwatch-Start": format_us(wall_us), "Cache-Control": "private, no-cache"},
        )


def _stills(deps: Deps, camera: str) -> dict[str, Any] | None:
    known = deps.temperatures
    asked = None if known is None else known.still_options(camera)
    if known is None or asked is None:
        return None
    news = known.still_news(camera) or StillNews(None, "", {})
    return {"every_s": asked.every_us / 1e6, "last": written(news.at_us), "trouble": scrub(news.trouble)}


def _packed(wall_us: int, still: HeatStill, parts: tuple[HeatPart, ...]) -> bytes:
    points = {part.name: [list(point) for point in part.points] for part in parts}
    said = {
        "at": format_us(wall_us), "width": still.width, "height": still.height, "gain": still.gain, "offset": still.offset,
        "reads": [
            {
                "name": scrub(each.name), "highest": each.highest, "lowest": each.lowest, "mean": each.mean,
                "hottest": list(each.hottest), "points": points.get(each.name, []),
            }
            for each in still.reads
        ],
    }  # fmt: skip
    text = json.dumps(said, separators=(",", ":")).encode()
    return len(text).to_bytes(4, "little") + text + still.levels
