"""Radiometric JPEG of FLIR: what stands in its APP1 segments beside the picture that people see.

Layout as ExifTool's FLIR tables tell it (exiftool.org/TagNames/FLIR.html): segments of the name FLIR make one FFF file when joined; of its records, RawData holds what
the sensor read at each pixel, raw or as PNG, and CameraInfo what makes temperatures of it. Pure; whatever is wrong with the bytes is a ValueError.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from math import isfinite

_RAW_DATA, _CAMERA_INFO = 1, 0x20
_MOST_RECORDS = 256
_MOST_SIDE = 4096
_ORDERS = {2: "<", 0x0200: ">"}
_KELVIN_AT_0 = 273.15
_PNG = b"\x89PNG\r\n\x1a\n"
_SIGNATURE = b"FLIR\0"
_START, _END, _SCAN, _APP1 = 0xD8, 0xD9, 0xDA, 0xE1


@dataclass(frozen=True, slots=True)
class Calibration:
    """CameraInfo: Planck's constants of this camera, and what lay between it and what it saw. Temperatures: degrees Celsius. distance: metres.
    humidity: 0 to 1.
    """

    r1: float
    r2: float
    b: float
    f: float
    o: float
    emissivity: float
    distance: float
    reflected: float
    atmosphere: float
    window: float
    window_transmission: float
    humidity: float
    alpha: tuple[float, float]
    beta: tuple[float, float]
    x: float


@dataclass(frozen=True, slots=True)
class FlirStill:
    """What the sensor read. data: a PNG, or rows of 16 bits, in `order` ("<" or ">")."""

    width: int
    height: int
    data: bytes = field(repr=False)
    is_png: bool
    order: str
    calibration: Calibration


def parse(jpeg: bytes) -> FlirStill | None:
    """None where the JPEG has no such segments: an ordinary picture. Raises ValueError where they cannot be read."""
    fff = _joined(jpeg)
    if fff is None:
        return None
    records = _records(fff)
    if _RAW_DATA not in records or _CAMERA_INFO not in records:
        raise ValueError("a radiometric JPEG without raw data or without calibration")
    raw, info = records[_RAW_DATA], records[_CAMERA_INFO]
    order = _order(raw, "raw data")
    width, height = struct.unpack_from(order + "HH", raw, 2)
    data = raw[32:]
    is_png = data.startswith(_PNG)
    if not (0 < width <= _MOST_SIDE and 0 < height <= _MOST_SIDE):
        raise ValueError(f"raw data of {width}x{height}")
    if not is_png and len(data) != width * height * 2:
        raise ValueError(f"raw data of {len(data)} bytes for {width}x{height}")
    return FlirStill(width, height, data, is_png, order, _calibration(info))


def _joined(jpeg: bytes) -> bytes | None:
    """The segments up to the picture itself, those of FLIR joined in their order."""
    if jpeg[:2] != b"\xff\xd8":
        raise ValueError("no JPEG")
    chunks: dict[int, bytes] = {}
    total: int | None = None
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF:
        marker = jpeg[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in {_END, _SCAN}:
            break
        if marker == 0x01 or 0xD0 <= marker <= _START:
            at += 2
            continue
        size = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        body = jpeg[at + 4 : at + 2 + size]
        if size < 2 or len(body) != size - 2:
            raise ValueError("a segment of the JPEG is cut off")
        if marker == _APP1 and body.startswith(_SIGNATURE) and len(body) >= 8:
            number, last = body[6], body[7]
            if (total is not None and total != last + 1) or number in chunks:
                raise ValueError("segments of FLIR that do not belong together")
            total = last + 1
            chunks[number] = body[8:]
        at += 2 + size
    if total is None:
        return None
    if sorted(chunks) != list(range(total)):
        raise ValueError(f"{len(chunks)} of {total} segments of FLIR")
    return b"".join(chunks[number] for number in range(total))


def _records(fff: bytes) -> dict[int, bytes]:
    """The first record of each kind."""
    if len(fff) < 0x40 or fff[:4] not in {b"FFF\0", b"AFF\0"}:
        raise ValueError("the segments of FLIR are no FFF")
    order = next((o for o in "><" if 100 <= struct.unpack_from(o + "I", fff, 0x14)[0] < 200), None)
    if order is None:
        raise ValueError("an FFF of a version that is not known")
    directory, count = struct.unpack_from(order + "II", fff, 0x18)
    if count > _MOST_RECORDS or directory + count * 0x20 > len(fff):
        raise ValueError("an FFF without its directory")
    found: dict[int, bytes] = {}
    for entry in range(count):
        kind, _, _, _, offset, size = struct.unpack_from(order + "HHIIII", fff, directory + entry * 0x20)
        if kind not in {_RAW_DATA, _CAMERA_INFO} or kind in found:
            continue
        if offset + size > len(fff):
            raise ValueError("a record of the FFF is cut off")
        found[kind] = fff[offset : offset + size]
    return found


def _order(record: bytes, name: str) -> str:
    if len(record) < 32:
        raise ValueError(f"{name} is cut off")
    order = _ORDERS.get(int.from_bytes(record[:2], "little"))
    if order is None:
        raise ValueError(f"{name} of a byte order that is not known")
    return order


def _calibration(info: bytes) -> Calibration:
    order = _order(info, "calibration")
    if len(info) < 0x310:
        raise ValueError("calibration is cut off")

    def real(at: int) -> float:
        value: float = struct.unpack_from(order + "f", info, at)[0]
        if not isfinite(value):
            raise ValueError("calibration with a number that is none")
        return value

    humidity = real(0x3C)
    o: int = struct.unpack_from(order + "i", info, 0x308)[0]
    said = Calibration(
        r1=real(0x58), r2=real(0x30C), b=real(0x5C), f=real(0x60), o=float(o), emissivity=real(0x20), distance=real(0x24),
        reflected=real(0x28) - _KELVIN_AT_0, atmosphere=real(0x2C) - _KELVIN_AT_0, window=real(0x30) - _KELVIN_AT_0,
        window_transmission=real(0x34), humidity=humidity / 100 if humidity > 2 else humidity,
        alpha=(real(0x70), real(0x74)), beta=(real(0x78), real(0x7C)), x=real(0x80),
    )  # fmt: skip
    if not (
        said.r1 > 0 and said.r2 > 0 and said.b > 0 and 0 < said.emissivity <= 1 and 0 < said.window_transmission <= 1
    ):
        raise ValueError("calibration that no temperature follows from")
    return said
