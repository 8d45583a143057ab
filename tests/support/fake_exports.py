"""A maker of exports that writes a few known bytes, and neighbours that ask for nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from longwatch.exports import ExportedFile, Job, Options
from longwatch.exports.jobs import Part

NO_LIMIT = Options(keep_free=lambda _: 0)


def content(camera: str) -> bytes:
    """What is in the file of a camera."""
    return f"pictures of {camera} ".encode() * 1000


class FakeMaker:
    """At once, and the same each time."""

    async def make(self, job: Job, part: Part, out: Path, said: Callable[[str, int, int], None]) -> ExportedFile:
        data = content(part.camera)
        out.write_bytes(data)
        said("video", 1, 1)
        digest = hashlib.sha256(data).hexdigest()
        return ExportedFile(out.name, part.camera, part.from_us, part.to_us, len(data), digest, {"entry": 7})


class NoNeighbours:
    """No recorder, no law."""

    async def protect(self, job: Job, for_s: int) -> None:
        return

    async def removed(self, job: Job, why: str) -> None:
        return

    async def law_us(self, job: Job) -> int | None:
        return None

    async def time_is_trusted(self) -> bool:
        return False
