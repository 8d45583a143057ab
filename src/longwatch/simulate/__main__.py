"""`python -m longwatch.simulate`: several cameras in one process.

One line of JSON comes in on standard input: a list of {"files": {stream: path}, "offset_s", "user", "password",
"faults", ...}, the arguments of `SimulatedCamera`. One line of JSON goes out: for each camera {stream: URL without
login}. It ends by SIGTERM, or when standard input ends.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from longwatch.simulate.camera import SimulatedCamera
from longwatch.simulate.serving import serve


def first_line() -> bytes:
    """The first line, read without buffering: the rest of the pipe is for noticing its end."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line


def main() -> None:
    """Serve what the first line asks for."""
    wanted: list[dict[str, Any]] = json.loads(first_line())
    cameras = [SimulatedCamera(entry.pop("files"), **entry) for entry in wanted]

    def ready() -> None:
        urls = [{name: camera.url_of(name, login=False) for name in camera.streams} for camera in cameras]
        sys.stdout.write(json.dumps(urls) + "\n")
        sys.stdout.flush()

    serve(cameras, ready, until_end_of=0)


if __name__ == "__main__":
    main()
