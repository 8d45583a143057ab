"""A still of a thermal camera to what was measured at each pixel. Only children import this: the bytes are a camera's.

What is taken: PNG and TIFF of 16-bit grey (values, and temperatures by the scale of the settings), radiometric JPEG of FLIR, and Hikvision's JPEG with
temperatures behind it. Whatever else it is, or is wrong with it, is a ValueError or an error of libav.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from longwatch.formats import flir_jpeg, hikvision_thermal, whole_still
from longwatch.formats.flir_jpeg import Calibration, FlirStill
from longwatch.model.heat import WHOLE, HeatPart, HeatRead, HeatScale

MOST_PIXELS = 1 << 21
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_TIFFS = (b"II*\0", b"MM\0*")
_GREY_16 = frozenset({"gray16le", "gray16be", "gray14le", "gray12le", "gray10le"})
_KELVIN_AT_0 = 273.15
_FINEST = 0.01
_LEVELS = 65_535
_MOST_CELSIUS = 5000.0
Levels = NDArray[np.uint16]
Celsius = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class HeatPicture:
    """levels: height x width. Degrees Celsius are level x gain + offset; gain None: they are values without a scale."""

    levels: Levels
    gain: float | None
    offset: float

    def reads(self, parts: Sequence[HeatPart]) -> list[HeatRead]:
        """What was measured: of the whole, then of each part."""
        height, width = self.levels.shape
        whole = self._read(WHOLE, np.ones((height, width), np.bool_))
        return [whole, *(self._read(part.name, _mask(part, width, height)) for part in parts)]

    def _read(self, name: str, mask: NDArray[np.bool_]) -> HeatRead:
        inside = self.levels[mask]
        low, high, mean = float(inside.min()), float(inside.max()), float(inside.mean(dtype=np.float64))
        row, column = np.unravel_index(int(np.argmax(np.where(mask, self.levels.astype(np.int32), -1))), mask.shape)
        if self.gain is not None and self.gain < 0:
            low, high = high, low
            row, column = np.unravel_index(
                int(np.argmin(np.where(mask, self.levels.astype(np.int32), 1 << 17))), mask.shape
            )
        height, width = mask.shape
        point = ((int(column) + 0.5) / width, (int(row) + 0.5) / height)
        return HeatRead(name, self.value(high), self.value(low), self.value(mean), point)

    def value(self, level: float) -> float:
        """Degrees Celsius, or the level itself."""
        return level if self.gain is None else level * self.gain + self.offset


def _mask(part: HeatPart, width: int, height: int) -> NDArray[np.bool_]:
    """A spot is the nine pixels around it; an area what its polygon covers, and at least where its first point lies."""
    mask = np.zeros((height, width), np.uint8)
    x, y = (min(int(part.points[0][0] * width), width - 1), min(int(part.points[0][1] * height), height - 1))
    if len(part.points) < 3:
        mask[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = 1
        return mask.astype(np.bool_)
    corners = [[round(px * width - 0.5), round(py * height - 0.5)] for px, py in part.points]
    cv2.fillPoly(mask, [np.array(corners, np.int32)], (1,))
    if not mask.any():
        mask[y, x] = 1
    return mask.astype(np.bool_)


def read(data: bytes, scale: HeatScale) -> HeatPicture:
    """The still. scale: of the settings, for one that says none itself."""
    if data.startswith(_PNG):
        return HeatPicture(_grey(data, "png"), scale.gain, scale.offset)
    if data.startswith(_TIFFS):
        return HeatPicture(_grey(data, "tiff"), scale.gain, scale.offset)
    if data.startswith(_JPEG):
        still = flir_jpeg.parse(data)
        if still is None:
            raise ValueError("an ordinary JPEG: nothing that was measured stands in it")
        return _of_celsius(celsius_of(_raw(still), still.calibration))
    if hikvision_thermal.is_it(data):
        said = hikvision_thermal.parse(data)
        _check_size(said.width, said.height)
        return _of_celsius(np.frombuffer(said.celsius, "<f4").reshape(said.height, said.width).astype(np.float32))
    raise ValueError("neither a PNG, a TIFF, a JPEG of FLIR nor an answer of Hikvision")


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise ValueError(f"a still of {width}x{height}")


def _grey(data: bytes, codec: str) -> Levels:
    """A decoder gives zeros for rows that are missing: a file that is not whole is none, and not a cold one."""
    if codec == "png":
        data = whole_still.plain_png(data, MOST_PIXELS)
    else:
        whole_still.check_tiff(data, MOST_PIXELS)
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    decoder.options = {
        "max_pixels": str(2 * MOST_PIXELS)
    }  # it counts with what it rounds up to; the true size was asked above
    frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    if not frames:
        raise ValueError("the file holds no picture")
    frame = frames[0]
    _check_size(frame.width, frame.height)
    if frame.format.name not in _GREY_16:
        raise ValueError(f"a picture of {frame.format.name} and not of 16-bit grey: nothing that was measured")
    return np.ascontiguousarray(frame.to_ndarray()).astype(np.uint16)


def _raw(still: FlirStill) -> Levels:
    _check_size(still.width, still.height)
    if not still.is_png:
        return np.frombuffer(still.data, still.order + "u2").reshape(still.height, still.width).astype(np.uint16)
    levels = _grey(still.data, "png")
    if levels.shape != (still.height, still.width):
        raise ValueError("the PNG of the raw data is of another size than is said")
    swapped = levels.byteswap()
    # Most of these cameras write the PNG's bytes the wrong way round (ExifTool, FLIR tags). The right one is the smoother one.
    return min((levels, swapped), key=_roughness)


def _roughness(levels: Levels) -> int:
    deep = levels.astype(np.int32)
    return int(np.abs(np.diff(deep, axis=1)).sum(dtype=np.int64) + np.abs(np.diff(deep, axis=0)).sum(dtype=np.int64))


def _of_celsius(celsius: Celsius) -> HeatPicture:
    """As levels: of a hundredth of a degree where that is enough for all of it."""
    if not np.isfinite(celsius).any():
        raise ValueError("no pixel has a temperature")
    coldest = float(np.nanmin(np.where(np.isfinite(celsius), celsius, np.nan)))
    celsius = np.clip(np.where(np.isfinite(celsius), celsius, coldest), -_KELVIN_AT_0, _MOST_CELSIUS)
    low, high = float(celsius.min()), float(celsius.max())
    gain = max(_FINEST, (high - low) / _LEVELS)
    offset = low if high > -_KELVIN_AT_0 + _LEVELS * _FINEST else -_KELVIN_AT_0
    return HeatPicture(
        np.rint((celsius.astype(np.float64) - offset) / gain).clip(0, _LEVELS).astype(np.uint16), gain, offset
    )


def celsius_of(raw: Levels, said: Calibration) -> Celsius:
    """Degrees Celsius of what the sensor read: Planck's law with the camera's own constants, less what the air, a window before the camera and the
    surroundings that the object mirrors add to it (Minkina and Dudzik, Infrared Thermography: Errors and Uncertainties, 2009).
    """
    with np.errstate(all="ignore"):  # constants that no temperature follows from make numbers that are none
        return _celsius(raw.astype(np.float64), said)


def _celsius(raw: NDArray[np.float64], said: Calibration) -> Celsius:
    vapour = said.humidity * np.exp(
        1.5587 + 0.06939 * said.atmosphere - 0.00027816 * said.atmosphere**2 + 0.00000068455 * said.atmosphere**3
    )
    # The window is taken to stand half-way; each half of the air lets the same part through.
    half, damp = np.sqrt(max(0.0, said.distance) / 2), np.sqrt(max(0.0, float(vapour)))
    (alpha1, alpha2), (beta1, beta2) = said.alpha, said.beta
    air = said.x * np.exp(-half * (alpha1 + beta1 * damp)) + (1 - said.x) * np.exp(-half * (alpha2 + beta2 * damp))
    e, window = said.emissivity, said.window_transmission

    def reads(celsius: float) -> float:
        return float(said.r1 / (said.r2 * (np.exp(said.b / (celsius + _KELVIN_AT_0)) - said.f)) - said.o)

    atmosphere = reads(said.atmosphere)
    added = (
        (1 - air) / (e * air) * atmosphere
        + (1 - air) / (e * air * air * window) * atmosphere
        + (1 - window) / (e * air * window) * reads(said.window)
        + (1 - e) / e * reads(said.reflected)
    )
    own = raw / (e * air * window * air) - added
    inside = said.r1 / (said.r2 * (own + said.o)) + said.f
    celsius = said.b / np.log(inside) - _KELVIN_AT_0
    return np.where(inside > 1, celsius, np.nan).astype(np.float32)
