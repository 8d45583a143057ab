"""Fuzz targets of thermal stills: whatever a camera gives is a picture of finite numbers, or is refused; in bounded time and memory."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
from tests.support import flir
from tests.support.thermal_camera import centikelvin, png, scene, tiff

from longwatch.formats import flir_jpeg, hikvision_thermal
from longwatch.model.heat import HeatPart
from longwatch.pictures.thermal import MOST_PIXELS
from longwatch.playback.heat_child import answer
from longwatch.playback.heat_wire import LENGTHS

_PARTS = [HeatPart("Area", ((0.1, 0.1), (0.9, 0.2), (0.5, 0.8))), HeatPart("Spot", ((1.0, 0.0),))]
_ASKED = {
    "gain": 0.01, "offset": -273.15, "picture": True, "parts": [[part.name, [list(point) for point in part.points]] for part in _PARTS],
}  # fmt: skip
_SMALL = scene(60.0, width=24, height=18)
_RAW = np.linspace(13_000, 30_000, 24 * 18).reshape(18, 24).astype(np.uint16)


def still(data: bytes) -> None:
    """Any bytes are a file: the child answers, with numbers or with why not."""
    told = answer(json.dumps(_ASKED).encode(), data)
    said_bytes, level_bytes = LENGTHS.unpack_from(told)
    said = json.loads(told[LENGTHS.size : LENGTHS.size + said_bytes])
    if "error" in said:
        assert level_bytes == 0
        assert len(said["error"]) <= 500
        return
    assert level_bytes == 2 * said["width"] * said["height"] <= 2 * MOST_PIXELS
    assert [each[0] for each in said["reads"]] == ["picture", "Area", "Spot"]
    assert all(math.isfinite(value) for each in said["reads"] for value in each[1:4])
    assert all(0 <= part <= 1 for each in said["reads"] for part in each[4])


def asked(data: bytes) -> None:
    """Any bytes are what is asked: of a child that was taken over nothing else is at stake, and of the server's own words it falls over none."""
    told = answer(data, png(_RAW))
    assert len(told) < 1 << 20


def segments(data: bytes) -> None:
    """Any bytes are a JPEG of FLIR."""
    try:
        found = flir_jpeg.parse(data)
    except ValueError:
        return
    if found is not None and not found.is_png:
        assert len(found.data) == 2 * found.width * found.height


def parts(data: bytes) -> None:
    """Any bytes are an answer of Hikvision."""
    try:
        found = hikvision_thermal.parse(data)
    except ValueError:
        return
    assert len(found.celsius) == 4 * found.width * found.height


def _hikvision() -> bytes:
    raw = _SMALL.astype("<f4").tobytes()
    said = {"jpegPicWidth": 24, "jpegPicHeight": 18, "p2pDataLen": len(raw), "temperatureDataLength": 4}
    head = json.dumps({"JpegPictureWithAppendData": said}).encode()
    return (
        b"--b\r\nContent-Type: application/json\r\n\r\n" + head + b"\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n" + raw
        + b"\r\n--b--\r\n"
    )  # fmt: skip


_FLIR = [flir.still(_RAW), flir.still(_RAW, flir.Said(emissivity=0.9, transmission=0.8), png=True)]
TARGETS: dict[str, Callable[[bytes], None]] = {"still": still, "asked": asked, "segments": segments, "parts": parts}
SEEDS: dict[str, list[bytes]] = {
    "still": [*_FLIR, _hikvision(), png(centikelvin(_SMALL)), tiff(centikelvin(_SMALL)), tiff(_RAW, 5), tiff(_RAW, 8)],
    "asked": [json.dumps(_ASKED).encode()],
    "segments": _FLIR,
    "parts": [_hikvision()],
}
