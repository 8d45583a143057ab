"""What a looker has learnt, as bytes and back: a short JSON head, then the arrays. Pure.

The bytes come back from a process that decodes a stranger's stream: nothing in them is believed. No pickle, no code, no size that is not checked.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"LWLOOK1\n"
MOST_BYTES = 4 << 20
MOST_ARRAYS = 64
_DTYPES: dict[str, np.dtype[Any]] = {
    "f2": np.dtype("<f2"),
    "f4": np.dtype("<f4"),
    "u1": np.dtype("u1"),
    "i8": np.dtype("<i8"),
    "u8": np.dtype("<u8"),
}


class StateError(ValueError):
    """Saved bytes that no looker of this version wrote."""


def packed(head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """head: what JSON can carry. arrays: by name, of one of the few types of numbers that are known here."""
    listed = [(name, _code(array), list(array.shape)) for name, array in arrays.items()]
    text = json.dumps({"head": head, "arrays": listed}, separators=(",", ":"), allow_nan=False).encode()
    body = b"".join(np.ascontiguousarray(each).tobytes() for each in arrays.values())
    return b"".join((MAGIC, struct.pack("<I", len(text)), text, zlib.compress(body, 1)))


def unpacked(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The head and the arrays, which own their memory. Raises StateError for anything that `packed` did not write."""
    if len(data) > MOST_BYTES or data[: len(MAGIC)] != MAGIC or len(data) < len(MAGIC) + 4:
        raise StateError("these bytes are not a looker's")
    (length,) = struct.unpack_from("<I", data, len(MAGIC))
    start = len(MAGIC) + 4
    try:
        said = json.loads(data[start : start + length], parse_constant=_no_constant)
        head, listed = said["head"], said["arrays"]
        wanted = [(str(name), _DTYPES[code], tuple(int(side) for side in shape)) for name, code, shape in listed]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StateError("the head of a looker's bytes cannot be read") from error
    if not isinstance(head, dict) or len(wanted) > MOST_ARRAYS:
        raise StateError("the head of a looker's bytes has another form")
    body = _inflated(data[start + length :])
    arrays: dict[str, NDArray[Any]] = {}
    at = 0
    for name, dtype, shape in wanted:
        count = 1
        for side in shape:
            if not 0 <= side <= MOST_BYTES:
                raise StateError("an array of a looker's bytes has an impossible size")
            count *= side
        end = at + count * dtype.itemsize
        if end > len(body):
            raise StateError("a looker's bytes end too early")
        arrays[name] = np.frombuffer(body[at:end], dtype).reshape(shape).copy()
        at = end
    if at != len(body):
        raise StateError("a looker's bytes have a tail")
    return head, arrays


def _inflated(data: bytes) -> bytes:
    """At most MOST_BYTES, whatever they promise."""
    inflate = zlib.decompressobj()
    try:
        body = inflate.decompress(data, MOST_BYTES)
    except zlib.error as error:
        raise StateError("the arrays of a looker's bytes cannot be read") from error
    if not inflate.eof or inflate.unused_data:
        raise StateError("a looker's bytes end too early, or have a tail")
    return body


def _no_constant(said: str) -> float:
    raise ValueError(f"{said} is no number")


def _code(array: NDArray[Any]) -> str:
    for code, dtype in _DTYPES.items():
        if array.dtype == dtype:
            return code
    raise TypeError(f"arrays of {array.dtype} are not saved")
