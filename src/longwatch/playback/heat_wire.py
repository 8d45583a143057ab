"""What the server and the child that reads thermal stills say to each other, over pipes."""

from __future__ import annotations

import json
import struct
from typing import Any

LENGTHS = struct.Struct(">II")
"""Bytes of a JSON object, and of what follows it: a request is {gain, offset, parts: [[name, [[x, y], ...]], ...], picture} and a still, an answer
{width, height, gain, offset, reads: [[name, highest, lowest, mean, [x, y]], ...]} and the levels (little endian; none where no picture was wanted), or {error}.
"""

MOST_SAID = 1 << 20
MOST_STILL = 4 << 20
MOST_LEVELS = 4 << 20


def packed(said: dict[str, Any], body: bytes) -> bytes:
    """One message."""
    text = json.dumps(said, separators=(",", ":")).encode()
    return LENGTHS.pack(len(text), len(body)) + text + body
