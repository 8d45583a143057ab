"""What Hikvision's thermal cameras answer to `/ISAPI/Thermal/channels/N/thermometry/jpegPicWithAppendData?format=json`: parts of a multipart body, a JSON that
says what follows, the JPEG that people see, and degrees Celsius of each pixel, as 32-bit floats, little endian.

Pure; whatever is wrong with the bytes is a ValueError.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

_MOST_PARTS = 16
_MOST_SIDE = 4096
_MOST_SAID = 65_536
_JPEG = b"\xff\xd8"
_NAME = "JpegPictureWithAppendData"


@dataclass(frozen=True, slots=True)
class HikvisionStill:
    """celsius: rows of 32-bit floats, little endian."""

    width: int
    height: int
    celsius: bytes = field(repr=False)


def is_it(data: bytes) -> bool:
    """Whether the body begins as a multipart does."""
    return data.lstrip(b"\r\n")[:2] == b"--"


def parse(data: bytes) -> HikvisionStill:
    """The temperatures. Raises ValueError where there are none, or they are of a form that is not known."""
    body = data.lstrip(b"\r\n")
    delimiter, found, _ = body.partition(b"\r\n")
    if not is_it(data) or not found or not 3 <= len(delimiter) <= 80:
        raise ValueError("no multipart body")
    said: dict[str, Any] | None = None
    at = len(delimiter)
    for _ in range(_MOST_PARTS):
        head_end = body.find(b"\r\n\r\n", at)
        if head_end < 0:
            break
        content = head_end + 4
        if said is not None and b"octet-stream" in body[at:head_end].lower() and body[content : content + 2] != _JPEG:
            return _still(said, body, content)
        end = body.find(delimiter, content)
        if end < 0:
            break
        if said is None:
            said = _said(body[content:end])
        at = end + len(delimiter)
    raise ValueError("a multipart body without temperatures")


def _said(text: bytes) -> dict[str, Any]:
    try:
        whole, _ = json.JSONDecoder().raw_decode(text[:_MOST_SAID].decode().strip())
    except (ValueError, RecursionError) as error:
        raise ValueError("the first part is no JSON") from error
    said = whole.get(_NAME) if isinstance(whole, dict) else None
    if isinstance(said, dict):
        return said
    raise ValueError(f"the first part says no {_NAME}")


def _still(said: dict[str, Any], body: bytes, at: int) -> HikvisionStill:
    width, height, size = (said.get(name) for name in ("jpegPicWidth", "jpegPicHeight", "p2pDataLen"))
    if type(width) is not int or type(height) is not int or not (0 < width <= _MOST_SIDE and 0 < height <= _MOST_SIDE):
        raise ValueError("the first part says no size")
    if said.get("temperatureDataLength") != 4:
        raise ValueError("temperatures of 4 bytes each are read, and no others")
    if size != width * height * 4 or at + size > len(body):
        raise ValueError("the temperatures are cut off, or not of the size that is said")
    return HikvisionStill(width, height, body[at : at + size])
