"""A watch as a process of its own, so that it can stand in a network namespace.

In: JSON lines {"heard": camera} (something of it arrives from now on), {"dark": camera}, {"end": true}. First line: the options, as the
recorder gets them. Out: a JSON line for each change of what is known of a camera, with seconds since the start.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from longwatch.base.clock import SystemClock
from longwatch.model.surroundings import Surroundings
from longwatch.node.recorder.surroundings_options import decode
from longwatch.surroundings import Watch


def shown(known: Surroundings) -> dict[str, Any]:
    """What tests look at."""
    return {
        "address": str(known.address), "by": known.address_learnt.by, "answer": list(known.neighbours_answer),
        "silent": list(known.neighbours_silent), "power": str(known.port_power), "detail": known.port_detail,
    }  # fmt: skip


async def main() -> None:
    """Until told to end."""
    loop = asyncio.get_running_loop()
    first = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    clock = SystemClock()
    options = decode(first["settings"])
    streaming: set[str] = set(first.get("heard", []))
    counts: dict[str, int] = {}

    def heard(camera: str) -> int:
        if camera in streaming:
            counts[camera] = counts.get(camera, 0) + 1
        return counts.get(camera, 0)

    watch = Watch(
        options, clock, heard=heard, wall_us=clock.wall_us,
        enter=lambda entry: say({"entry": entry.kind, **entry.body}),
    )  # fmt: skip
    began = time.monotonic()
    running = asyncio.ensure_future(watch.run())
    before: dict[str, Any] = {}
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    reading = asyncio.ensure_future(lines.readline())
    while not running.done():
        for place in options.places:
            now = shown(watch.of(place.camera))
            if before.get(place.camera) != now:
                before[place.camera] = now
                say({"camera": place.camera, "at": round(time.monotonic() - began, 2), **now})
        await asyncio.wait({reading, running}, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            order = json.loads(reading.result() or b'{"end": true}')
            if "end" in order:
                break
            streaming.add(order["heard"]) if "heard" in order else streaming.discard(order["dark"])
            reading = asyncio.ensure_future(lines.readline())
    reading.cancel()
    running.cancel()
    await asyncio.gather(running, reading, return_exceptions=True)


def say(what: dict[str, Any]) -> None:
    """One line."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
