"""The child that reads thermal stills: a camera's files meet a decoder here, and nowhere in the server.

It reads requests from standard input and writes answers to standard output (`heat_wire`), an empty one first, once it is there. After start-up it can open
no descriptor (so no file, no socket), write no file and start no process; memory and processor time are limited. Whoever started it kills it when it takes too
long.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import BinaryIO

import av
import cv2

from longwatch.model.heat import HeatPart, HeatScale
from longwatch.pictures import confine
from longwatch.pictures.thermal import read
from longwatch.playback.heat_wire import LENGTHS, MOST_SAID, MOST_STILL, packed

_MEMORY_BYTES = 1 << 30
_CPU_SECONDS = 600
_NICE = 10


def answer(said: bytes, data: bytes) -> bytes:
    """To one request."""
    try:
        asked = json.loads(said)
        parts = [HeatPart(str(name), tuple((float(x), float(y)) for x, y in points)) for name, points in asked["parts"]]
        picture = read(data, HeatScale(asked["gain"], float(asked["offset"])))
        reads = [[each.name, each.highest, each.lowest, each.mean, list(each.hottest)] for each in picture.reads(parts)]
    except Exception as error:  # noqa: BLE001  the boundary: whatever a decoder says of hostile bytes is an answer
        return packed({"error": f"{type(error).__name__}: {error}"[:500]}, b"")
    height, width = picture.levels.shape
    told = {"width": width, "height": height, "gain": picture.gain, "offset": picture.offset, "reads": reads}
    return packed(told, picture.levels.astype("<u2").tobytes() if asked.get("picture") else b"")


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until standard input ends."""
    while len(head := requests.read(LENGTHS.size)) == LENGTHS.size:
        said_bytes, still_bytes = LENGTHS.unpack(head)
        if said_bytes > MOST_SAID or still_bytes > MOST_STILL:
            return
        said, data = requests.read(said_bytes), requests.read(still_bytes)
        answers.write(answer(said, data))
        answers.flush()


def main() -> None:
    """For as long as somebody asks."""
    av.logging.set_level(av.logging.PANIC)
    cv2.setNumThreads(1)
    os.nice(_NICE)
    with contextlib.suppress(BrokenPipeError):
        confine(memory_bytes=_MEMORY_BYTES, descriptors=3, cpu_seconds=_CPU_SECONDS)
        sys.stdout.buffer.write(packed({}, b""))
        sys.stdout.buffer.flush()
        serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
