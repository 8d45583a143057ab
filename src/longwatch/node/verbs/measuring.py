"""What masks cost, for a verb: measured as the page has it measured."""

from __future__ import annotations

import asyncio
from typing import Any

from longwatch.archive import ArchiveReader
from longwatch.base.clock import SystemClock
from longwatch.config import Settings
from longwatch.config.model import Camera
from longwatch.model.sessions import StreamKey
from longwatch.node.server.options import site_of
from longwatch.pictures import Slots
from longwatch.playback import Recoder, TableCache, newest_footage
from longwatch.web.routes.masks import MEASURED_S, measured


async def mask_cost(settings: Settings, camera: Camera) -> dict[str, Any]:
    """As `POST /api/v1/cameras/{id}/masks/cost`. Raises LongwatchError, NoVideoError where nothing of it is recorded."""
    site = site_of(settings).camera(camera.id)
    assert site is not None, "the camera is one of these settings"
    reader = ArchiveReader(settings.volumes)
    recoder = Recoder(Slots(1, SystemClock()))
    try:
        until_us = await asyncio.to_thread(reader.accounted_until_us)
        key = StreamKey(camera.id, "main")
        footage = await asyncio.to_thread(newest_footage, reader, key, until_us, TableCache(), MEASURED_S)
        return await measured(recoder, site, site.masked, footage)
    finally:
        await recoder.aclose()
        reader.close()
