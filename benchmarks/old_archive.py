"""Seeks, timelines and start-up on an archive of ten million segments, page cache dropped and warm.

The archive is made by `tests.support.big_archive` (100 cameras, 69 days each, one-minute segments; the newest segments of the
first camera are real files). It is asked over HTTP as a browser would, and in process where the figure is the query's.
"""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.support.big_archive import END_US, key_of, make, make_days

from benchmarks.post import Post, drop_caches, evict, percentile, post
from longwatch.archive import ArchiveReader
from longwatch.base import starting
from longwatch.base.errors import LongwatchError
from longwatch.base.rfc3339 import format_us
from longwatch.model.sessions import StreamKey
from longwatch.timeline import Tile, Tiling, tile
from longwatch.timeline.wide import WideRows, pieces_of

DAY_US = 86_400_000_000
KEEP = "retention: {max_age: 36500d, keep_free: 0%}"
COLD = 300  # looks, as many as seeks: of fewer p99 is the slowest
Row = dict[str, object]


def figures(name: str, cache: str, values_ms: list[float]) -> Row:
    """One row of the table."""
    row: Row = {
        "what": name, "cache": cache, "n": len(values_ms), "median_ms": round(percentile(values_ms, 0.5), 2),
        "p99_ms": round(percentile(values_ms, 0.99), 2), "most_ms": round(max(values_ms), 2),
    }  # fmt: skip
    print(row, flush=True)
    return row


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def open_at(running: Post, path: str, size: int) -> tuple[float, float]:
    """Milliseconds to the first byte of the body, and to its first `size` bytes (moov and the first picture)."""
    request = urllib.request.Request(running.base + path, headers={"Authorization": f"Bearer {running.token}"})
    start = time.perf_counter()
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read(1)
        first = time.perf_counter()
        answer.read(size - 1)
    return 1000 * (first - start), 1000 * (time.perf_counter() - start)


def seeks(running: Post, reader: ArchiveReader, folder: Path, rng: random.Random) -> list[Row]:
    """video.mp4 from anywhere in the real footage: its first byte, and moov with the first group of pictures."""
    segments = reader.segments(key_of(0), END_US - DAY_US, END_US + DAY_US)
    real = [segment for segment in segments if Path(segment.path).exists()]
    begin_us, end_us = real[0].wall_start_us, real[-1].wall_end_us - 3_000_000
    rows = []
    for cache, count in (("all dropped", 300), ("archive evicted", 150), ("warm", 250)):
        firsts, pictures = [], []
        for _ in range(count):
            if cache == "all dropped" and not drop_caches():
                break
            if cache == "archive evicted":
                evict(folder)
            at_us = rng.randrange(begin_us, end_us)
            span = f"from={format_us(at_us)}&to={format_us(min(at_us + 60_000_000, end_us + 3_000_000))}"
            first, picture = open_at(running, f"/api/v1/cameras/{key_of(0).camera}/video.mp4?{span}", 64_000)
            firsts.append(first)
            pictures.append(picture)
        if firsts:
            rows.append(figures("seek: first byte", cache, firsts))
            rows.append(figures("seek: moov and first pictures", cache, pictures))
    return rows


def everyone(folder: Path, keys: Sequence[StreamKey], from_us: int, to_us: int) -> list[Tiling]:
    """In one question, as a server's first: connection and schema included. Tiles in columns, as whoever shows them reads them."""
    reader = ArchiveReader([folder])
    tilings = [tiles for _, tiles in reader.tilings(keys, from_us, to_us)]
    reader.close()
    return tilings


def one_after_another(folder: Path, keys: Sequence[StreamKey], from_us: int, to_us: int) -> list[list[Tile]]:
    """The same from the rows of each camera: how it was asked before there were days of tiles."""
    reader = ArchiveReader([folder])
    until_us = reader.accounted_until_us()
    set_up = {StreamKey(row.camera, row.stream): row.set_up_us for row in reader.cameras()}
    tilings = []
    for key in keys:
        spans = reader.recorded_spans(key, from_us, to_us)
        gaps = reader.gaps_of(key, from_us, to_us)
        tilings.append(tile(spans, gaps, from_us, to_us, until_us, set_up[key]))
    reader.close()
    return tilings


def hold_against_rows(folder: Path, keys: Sequence[StreamKey], stretch: Callable[[], tuple[int, int]]) -> None:
    """Three stretches, before anything is timed. Raises AssertionError."""
    for _ in range(3):
        asked = stretch()
        if everyone(folder, keys, *asked) != one_after_another(folder, keys, *asked):
            raise AssertionError(f"days of tiles say something else than the rows do: {asked}")


def in_each_cache(name: str, folder: Path, work: Callable[[], object], cold: int) -> list[Row]:
    """All dropped, archive evicted and warm; of 300 looks p99 is the third slowest, of a hundred or fewer the slowest."""
    rows = []
    for cache, forget in (("all dropped", drop_caches), ("archive evicted", lambda: evict(folder))):
        values = []
        for _ in range(cold):
            forget()
            values.append(timed(work))
        rows.append(figures(name, cache, values))
    rows.append(figures(name, "warm", [timed(work) for _ in range(max(100, cold))]))
    return rows


def anywhere(rng: random.Random) -> tuple[int, int]:
    """30 days that end at any time in the last 20."""
    to_us = END_US - rng.randrange(20 * DAY_US)
    return to_us - 30 * DAY_US, to_us


def timelines(folder: Path, cameras: int, rng: random.Random, *, cold: int = COLD) -> list[Row]:
    """Of all cameras, in process, from index to tiles. Nobody records meanwhile: a recorder that is started on this archive makes the ten months since."""
    keys = [key_of(number) for number in range(cameras)]

    def stretch() -> tuple[int, int]:
        return anywhere(rng)

    starting.is_over()  # as the server does once it is up: else this process looks through all that it ever imported, in the midst of a question
    hold_against_rows(folder, keys, stretch)
    name = "timelines, 30 days, 100 cameras"
    return [
        *in_each_cache(name, folder, lambda: everyone(folder, keys, *stretch()), cold),
        *in_each_cache(f"{name}, each tile made", folder, lambda: [list(of) for of in everyone(folder, keys, *stretch())], 20),
        *in_each_cache(f"{name}, one after another", folder, lambda: one_after_another(folder, keys, *stretch()), 20),
    ]  # fmt: skip


def one_camera(running: Post, folder: Path, cameras: int, rng: random.Random) -> list[Row]:
    """A timeline over HTTP."""

    def one() -> None:
        from_us, to_us = anywhere(rng)
        span = f"from={format_us(from_us)}&to={format_us(to_us)}"
        json.loads(running.get(f"/api/v1/cameras/{key_of(rng.randrange(cameras)).camera}/timeline?{span}"))

    return in_each_cache("timeline, 30 days, 1 camera, HTTP", folder, one, 40)


@contextlib.contextmanager
def day_that_is_not_over(folder: Path) -> Iterator[None]:
    """The last day of the archive as the one that is running: accounted for but for its last microsecond, and without what is made
    once it is over. Nobody records meanwhile.
    """
    with contextlib.closing(sqlite3.connect(folder / "index.db", isolation_level=None)) as db:
        (until_us,) = db.execute("SELECT accounted_until_us FROM heartbeat").fetchone()
        db.execute("UPDATE heartbeat SET accounted_until_us = ?", (END_US - 1,))
        db.execute("DELETE FROM wide_day WHERE day >= ?", (END_US // DAY_US - 1,))
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    try:
        yield
    finally:
        with contextlib.closing(sqlite3.connect(folder / "index.db", isolation_level=None)) as db:
            db.execute("UPDATE heartbeat SET accounted_until_us = ?", (until_us,))
        make_days(folder)


def up_to_now(folder: Path, cameras: int, rng: random.Random, *, cold: int = COLD) -> list[Row]:
    """What is asked most: 30 days of all cameras that end at any time of the day that is running; in process, from index to tiles, and
    to the pieces of a wide view.
    """
    keys = [key_of(number) for number in range(cameras)]

    def stretch() -> tuple[int, int]:
        to_us = END_US - 1 - rng.randrange(DAY_US - 1)
        return to_us - 30 * DAY_US, to_us

    def wide_view(from_us: int, to_us: int) -> WideRows:
        reader = ArchiveReader([folder])
        found = reader.wide(keys, from_us, to_us)
        reader.close()
        return found

    starting.is_over()  # as in `timelines`
    with day_that_is_not_over(folder):
        hold_against_rows(folder, keys, stretch)
        asked = stretch()
        if wide_view(*asked).pieces != [pieces_of(tiles) for tiles in one_after_another(folder, keys, *asked)]:
            raise AssertionError(f"a wide view says something else than the rows do: {asked}")
        return [
            *in_each_cache("timelines, 30 days up to now, 100 cameras", folder, lambda: everyone(folder, keys, *stretch()), cold),
            *in_each_cache("wide view, 30 days up to now, 100 cameras, in process", folder, lambda: wide_view(*stretch()), cold),
        ]  # fmt: skip


def wide(running: Post, folder: Path, rng: random.Random) -> list[Row]:
    """Over HTTP, of all cameras at once: 30 days that end at any time in the last 20, 30 days up to now, a year; and a month's calendar."""

    def view(days: int, back_days: int) -> object:
        to_us = END_US - (rng.randrange(back_days * DAY_US) if back_days else 0)
        span = f"from={format_us(to_us - days * DAY_US)}&to={format_us(to_us)}&width=1440"
        return running.get(f"/api/v1/timelines?{span}")

    rows = []
    for name, work, cold in (
        ("wide view, 30 days, 100 cameras, HTTP", lambda: view(30, 20), 50),
        ("wide view, 30 days up to now, 100 cameras, HTTP", lambda: view(30, 0), 50),
        ("wide view, a year, 100 cameras, HTTP", lambda: view(365, 0), 20),
        ("calendar, a month, 100 cameras, HTTP", lambda: running.get("/api/v1/calendar?month=2025-12"), 20),
    ):
        rows += in_each_cache(name, folder, work, cold)
    return rows


def starts(config: Path, data: Path) -> Row:
    """Process start to a recorder that answers and records, after a kill -9, caches dropped."""
    import asyncio

    from longwatch.node.link import LinkClient, socket_path

    async def answers() -> bool:
        client = LinkClient(socket_path(data, "recorder"), "verb")
        try:
            await client.connect()
            await client.request("status")
        except (LongwatchError, OSError):
            return False
        finally:
            await client.aclose()
        return True

    values = []
    for _ in range(8):
        drop_caches()
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "longwatch.node.recorder", "--config", str(config)])
        while not asyncio.run(answers()):
            if time.perf_counter() - start > 60:
                raise TimeoutError("the recorder does not answer")
        values.append(1000 * (time.perf_counter() - start))
        process.send_signal(signal.SIGKILL)
        process.wait()
    return figures("recorder: process start to ready, after kill -9", "all dropped", values)


def run(rows: int) -> list[Row]:
    """The table."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}, {rows} rows", flush=True)
    table: list[Row] = []
    try:
        data = folder / "data"
        data.mkdir()
        make(data, rows, cameras=100, seed=seed, media_segments=5)
        table += up_to_now(data, 100, random.Random(seed))
        table += timelines(data, 100, random.Random(seed))
        rng = random.Random(seed)
        with post(folder, [], retention=KEEP) as running:
            reader = ArchiveReader([data])
            table += seeks(running, reader, data, rng)
            reader.close()
            table += one_camera(running, data, 100, rng)
        # begun again: after a minute its recorder makes the days since the archive's last, ten months of them
        with post(folder, [], retention=KEEP) as running:
            table += wide(running, data, rng)
            config = running.config
        with contextlib.suppress(FileNotFoundError):
            table.append(starts(config, data))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return table


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000)
