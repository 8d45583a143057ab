"""The real recorder process, on a host of which a test decides the boot id, the clock and the disks.

    python -m tests.rig.rigged_recorder RIG.json --config FILE

RIG.json: {"boot": 32 hex digits, "clock_us": what is added to the host's clock, "errno": 0 or what writes below "where" say}.
It is read at the start, and again by SIGUSR1.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from longwatch.archive import Flushing
from longwatch.base.clock import SystemClock
from longwatch.node.recorder import process as recorder
from longwatch.node.recorder.options import RecorderOptions, resolve

_rig: dict[str, Any] = {}


class RiggedClock(SystemClock):
    """The host's, set by the test."""

    def wall_us(self) -> int:
        return super().wall_us() + int(_rig["clock_us"])


class RiggedDisk(Flushing):
    """Writes to files below a place fail."""

    def write(self, descriptor: int, parts: Sequence[bytes], offset: int) -> int:
        if _rig["errno"] and _rig["where"] in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(_rig["errno"], os.strerror(_rig["errno"]))
        return super().write(descriptor, parts, offset)


async def _resolve(config: Path) -> RecorderOptions:
    options = await resolve(config)
    return replace(options, archive=replace(options.archive, flushing=RiggedDisk()))


def main() -> int:
    """As the recorder's own."""
    place = Path(sys.argv.pop(1))

    def read(*_: object) -> None:
        _rig.update(json.loads(place.read_text()))

    read()
    signal.signal(signal.SIGUSR1, read)
    recorder.SystemClock = RiggedClock  # type: ignore[misc]  # the host is the test's
    recorder.boot_id = lambda: str(_rig["boot"])
    recorder.resolve = _resolve
    return recorder.main()


if __name__ == "__main__":
    raise SystemExit(main())
