"""Dragging over a day of nine cameras: how long a pause waits for its pictures, over HTTP; and what a strip picture costs to make.

python -m benchmarks.dragging
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
import zlib
from pathlib import Path

import httpx
from tests.support.memory_index import Totals
from tests.support.site import T0_US, Running, running_site

from benchmarks.old_archive import Row, figures
from benchmarks.post import drop_caches, evict
from longwatch.accounts import Role
from longwatch.base.rfc3339 import format_us
from longwatch.model.sessions import StreamKey
from longwatch.playback import Stills
from longwatch.playback.stills import find_still
from longwatch.playback.tables import TableCache
from longwatch.strips import Options, Shelf, Strips
from longwatch.strips.day_index import ROW
from longwatch.strips.shelf import DAY_US, day_name

CAMERAS = tuple(f"cam{n}" for n in range(9))
PICTURE_BYTES = 3_000
EVERY_US = 10_000_000


def fill(folder: Path, seed: int) -> None:
    """A whole day of every camera, written as the shelf writes it, in one piece."""
    chance = random.Random(seed)
    day = T0_US // DAY_US - 1
    for camera in CAMERAS:
        (folder / camera).mkdir(parents=True)
        rows, media, at = [], [], 0
        for n in range(DAY_US // EVERY_US):
            jpeg = chance.randbytes(chance.randint(PICTURE_BYTES // 2, PICTURE_BYTES * 3 // 2))
            rows.append(ROW.pack(day * DAY_US + n * EVERY_US, at, len(jpeg), zlib.crc32(jpeg), 1, 0))
            media.append(jpeg)
            at += len(jpeg)
        (folder / camera / f"{day_name(day)}.idx").write_bytes(b"".join(rows))
        (folder / camera / f"{day_name(day)}.jpgs").write_bytes(b"".join(media))


async def pauses(site: Running, folder: Path, seed: int) -> list[Row]:
    """`at=` of nine cameras at a random moment of the day; and a whole day by quarters of an hour."""
    rng = random.Random(seed)
    rows: list[Row] = []
    token = await site.accounts.add_token("bench", Role.ADMIN)
    async with httpx.AsyncClient(
        base_url=site.base, headers={"Authorization": f"Bearer {token}"}, timeout=60
    ) as client:

        async def pause() -> None:
            at = format_us(T0_US - DAY_US + rng.randrange(DAY_US))
            (await client.get("/api/v1/strips", params={"camera": CAMERAS, "at": at})).raise_for_status()

        async def day() -> None:
            params = {"camera": CAMERAS, "from": format_us(T0_US - DAY_US), "to": format_us(T0_US), "step": 900}
            (await client.get("/api/v1/strips", params=params)).raise_for_status()

        for name, work, count in (("a pause, 9 cameras", pause, 200), ("a day by 15 min, 9 cameras", day, 30)):
            for cache in ("all dropped", "strips evicted", "warm"):
                values = []
                for _ in range(count if cache == "warm" else count // 10):
                    if cache == "all dropped":
                        drop_caches()
                    elif cache == "strips evicted":
                        evict(folder)
                    assert site.deps.strips is not None
                    if cache != "warm":
                        site.deps.strips.shelf._known.clear()
                    start = time.perf_counter()
                    await work()
                    values.append(1000 * (time.perf_counter() - start))
                rows.append(figures(name, cache, values))
    return rows


async def run(seed: int) -> list[Row]:
    """The table."""
    with tempfile.TemporaryDirectory(prefix="bench-") as where:
        folder = Path(where)
        fill(folder / "strips", seed)
        async with running_site(folder / "data") as site:
            site.index.set_up = [(camera, stream, 0) for camera in CAMERAS for stream in ("main", "sub")]
            site.index.stats = lambda key: Totals(first_us=0)  # type: ignore[method-assign]
            options = Options(EVERY_US, cameras=dict.fromkeys(CAMERAS, ("sub", "main")))
            site.deps.strips = Strips(Shelf(folder / "strips"), site.index, Stills(), site.clock, lambda: options)  # type: ignore[arg-type]
            return await pauses(site, folder / "strips", seed)


async def cost(data: Path) -> None:
    """Of a recorded folder: milliseconds that the child takes for a strip picture of each stream."""
    from longwatch.archive import ArchiveReader

    reader, cache = ArchiveReader([data]), TableCache()
    until_us = reader.accounted_until_us()
    for camera, stream, _ in reader.cameras():
        try:
            _, format_, sample = find_still(reader, cache, StreamKey(camera, stream), until_us)
        except Exception as error:
            print(camera, stream, error)
            continue
        stills = Stills(rough=True)
        jpeg = await stills.decoded(format_, sample, 160)
        times = []
        for _ in range(20):
            start = time.perf_counter()
            await stills.decoded(format_, sample, 160)
            times.append(1000 * (time.perf_counter() - start))
        await stills.aclose()
        size = f"{format_.width}x{format_.height} {format_.codec}"
        print(camera, stream, size, f"median {statistics.median(times):.1f} ms, {len(jpeg)} bytes")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(cost(Path(sys.argv[1])))
    else:
        seed = random.SystemRandom().randrange(1 << 30)
        print(f"seed {seed}")
        asyncio.run(run(seed))
