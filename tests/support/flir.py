"""Radiometric JPEGs as FLIR's cameras write them, put together by the layout that ExifTool documents; checked by ExifTool itself where it is installed."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_PIECE = 65_000


@dataclass(frozen=True)
class Said:
    """CameraInfo, with the constants that Thermimage's documentation takes for its example."""

    r1: float = 21106.77
    b: float = 1501.0
    f: float = 1.0
    o: int = -7340
    r2: float = 0.012545258
    emissivity: float = 1.0
    distance: float = 1.0
    reflected: float = 20.0
    atmosphere: float = 20.0
    window: float = 20.0
    transmission: float = 1.0
    humidity: float = 0.5


def camera_info(said: Said) -> bytes:
    info = bytearray(0x400)
    struct.pack_into("<H", info, 0, 2)
    kelvin = 273.15
    for at, value in (
        (0x20, said.emissivity), (0x24, said.distance), (0x28, said.reflected + kelvin), (0x2C, said.atmosphere + kelvin),
        (0x30, said.window + kelvin), (0x34, said.transmission), (0x3C, said.humidity), (0x58, said.r1), (0x5C, said.b), (0x60, said.f),
        (0x70, 0.006569), (0x74, 0.01262), (0x78, -0.002276), (0x7C, -0.00667), (0x80, 1.9), (0x30C, said.r2),
    ):  # fmt: skip
        struct.pack_into("<f", info, at, value)
    struct.pack_into("<i", info, 0x308, said.o)
    return bytes(info)


def raw_data(raw: NDArray[np.uint16], *, png: bool = False, swapped: bool = True) -> bytes:
    """png: as one, its bytes the wrong way round where `swapped`, as most cameras write it."""
    height, width = raw.shape
    head = struct.pack("<HHH", 2, width, height) + bytes(26)
    if not png:
        return head + raw.astype("<u2").tobytes()
    made, data = cv2.imencode(".png", raw.byteswap() if swapped else raw)
    assert made
    return head + data.tobytes()


def fff(records: list[tuple[int, bytes]]) -> bytes:
    """Big endian, as in a JPEG."""
    directory = 0x40
    at = directory + 0x20 * len(records)
    head = struct.pack(">4s16sIIII", b"FFF\0", b"CAMCTRL", 101, directory, len(records), 2).ljust(0x40, b"\0")
    entries, bodies = b"", b""
    for kind, body in records:
        entries += struct.pack(">HHIIIIIII", kind, 2 if kind == 1 else 1, 100, 1, at + len(bodies), len(body), 0, 0, 0)
        bodies += body
    return head + entries + bodies


def jpeg(content: bytes, *, piece: int = _PIECE) -> bytes:
    """A picture with FLIR's segments before it."""
    made, plain = cv2.imencode(".jpg", np.zeros((12, 16), np.uint8))
    assert made
    pieces = [content[at : at + piece] for at in range(0, len(content), piece)]
    segments = b"".join(
        b"\xff\xe1" + (len(each) + 10).to_bytes(2, "big") + b"FLIR\0\x01" + bytes([number, len(pieces) - 1]) + each
        for number, each in enumerate(pieces)
    )
    return plain[:2].tobytes() + segments + plain[2:].tobytes()


def still(raw: NDArray[np.uint16], said: Said | None = None, *, png: bool = False, swapped: bool = True) -> bytes:
    """All of it."""
    return jpeg(fff([(1, raw_data(raw, png=png, swapped=swapped)), (0x20, camera_info(said or Said()))]))


def celsius(raw: float, said: Said) -> float:
    """Of one value, by the formula as Thermimage's `raw2temp` documents it: written apart from what is tested."""
    vapour = said.humidity * math.exp(
        1.5587 + 0.06939 * said.atmosphere - 0.00027816 * said.atmosphere**2 + 0.00000068455 * said.atmosphere**3
    )
    tau = 1.9 * math.exp(-math.sqrt(said.distance / 2) * (0.006569 - 0.002276 * math.sqrt(vapour))) - 0.9 * math.exp(
        -math.sqrt(said.distance / 2) * (0.01262 - 0.00667 * math.sqrt(vapour))
    )

    def radiance(temperature: float) -> float:
        return said.r1 / (said.r2 * (math.exp(said.b / (temperature + 273.15)) - said.f)) - said.o

    e, irt = said.emissivity, said.transmission
    seen = raw / e / tau / irt / tau
    seen -= (1 - tau) / e / tau * radiance(said.atmosphere)
    seen -= (1 - tau) / e / tau / irt / tau * radiance(said.atmosphere)
    seen -= (1 - irt) / e / tau / irt * radiance(said.window)
    seen -= (1 - e) / e * radiance(said.reflected)
    return said.b / math.log(said.r1 / (said.r2 * (seen + said.o)) + said.f) - 273.15
