"""Frames of the socket between recorder and server (and between a verb and either).

Headers are JSON objects with a `type`. Requests carry `id`; the answer carries the same `id` and either `result` or
`error` ({what, why, remedy, exit_code}). Bodies hold media. Sizes are capped: a neighbour is trusted, its bugs are not.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

from longwatch.base.errors import LongwatchError

VERSION = (1, 0)
MAX_HEADER_BYTES = 4 << 20
MAX_BODY_BYTES = 64 << 20
_LENGTHS = struct.Struct(">II")
_said = json.JSONEncoder(separators=(",", ":")).encode
_heard = json.JSONDecoder().decode
"""Made once: `json.dumps` with separators makes an encoder for each frame, and `json.loads` guesses in which encoding bytes are."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: `header["type"]` says which."""

    header: dict[str, Any]
    body: bytes = b""

    @property
    def type(self) -> str:
        return str(self.header["type"])


def encode(header: dict[str, Any], body: bytes = b"") -> bytes:
    """The bytes of one frame."""
    text = _said(header).encode()
    return _LENGTHS.pack(len(text), len(body)) + text + body


def hello(role: str) -> bytes:
    """What both sides say first. role: recorder, server, supervisor or verb."""
    return encode({"type": "hello", "version": list(VERSION), "role": role})


def check_hello(frame: Frame) -> None:
    """Raises LongwatchError where the neighbour cannot be understood."""
    version = frame.header.get("version") if frame.header.get("type") == "hello" else None
    if not (
        isinstance(version, list) and len(version) == 2 and version[0] == VERSION[0] and isinstance(version[1], int)
    ):
        raise LongwatchError(
            f"the neighbour on the socket speaks version {version}, this one {list(VERSION)}",
            remedy="upgrade the older of the two processes",
        )


class Decoder:
    """Bytes in, frames out. Raises LongwatchError on a frame that cannot be, after which the connection is to be closed."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """All frames that are whole now."""
        held = self._buffer
        if held:
            held += data
        source: bytes | bytearray = held or data  # a frame that comes whole is not copied into the buffer first
        frames, at, size = [], 0, len(source)
        while size - at >= 8:
            header_bytes, body_bytes = _LENGTHS.unpack_from(source, at)
            if header_bytes > MAX_HEADER_BYTES or body_bytes > MAX_BODY_BYTES:
                raise LongwatchError(
                    f"a frame of {header_bytes}+{body_bytes} bytes on the socket", why="beyond the limit"
                )
            body_at = at + 8 + header_bytes
            end = body_at + body_bytes
            if size < end:
                break
            try:
                header = _heard(str(source[at + 8 : body_at], "utf-8"))
            except (ValueError, RecursionError) as error:
                raise LongwatchError("a frame on the socket is not JSON", why=str(error)) from error
            if not isinstance(header, dict) or not isinstance(header.get("type"), str):
                raise LongwatchError("a frame on the socket has no type")
            frames.append(Frame(header, bytes(source[body_at:end])))
            at = end
        if source is held:
            del held[:at]
        else:
            held += data[at:]
        return frames
