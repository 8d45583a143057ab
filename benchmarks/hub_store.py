"""A hub's store on this machine: the wide view of a month of a hundred cameras, the timeline of a day, and entries taken a second.

    .venv/bin/python benchmarks/hub_store.py [--database postgresql://...] [--posts 10] [--days 30]

Makes its own rows in a temporary folder. Prints a table for docs/performance.md.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa
from tests.support.fleet_case import Ledger

from longwatch.fleet import Fleet, FleetDb, FleetIndex, ObjectStore, WideDays
from longwatch.fleet.schema import gaps, held, posts, runs, spans, streams
from longwatch.ledger import kinds
from longwatch.model.sessions import StreamKey
from longwatch.timeline import tile

DAY = 86_400_000_000
T0 = 1_767_225_600_000_000
CAMERAS = 10  # of a post


def fill(db: FleetDb, many: int, days: int) -> None:
    """Posts of ten cameras; each camera with five outages a day, a new run after each, and a tenth of it held here."""
    draw = random.Random(1)
    with db.write() as connection:
        for post in range(1, many + 1):
            connection.execute(
                sa.insert(posts).values(
                    number=post, id=f"post-{post}", name=f"Post {post}", serial="", origin=f"longwatch/post-{post}/x/1", key=bytes(32), via="[]",
                    era=1, enrolled_us=T0, revoked_us=None, revoked_why="", site="{}", status="{}", status_us=None, settings="{}", told_us=T0 + days * DAY,
                )
            )  # fmt: skip
            for camera in range(CAMERAS):
                _fill_stream(connection, draw, post, camera, days)


def _fill_stream(connection: sa.Connection, draw: random.Random, post: int, camera: int, days: int) -> None:
    stream = post * 100 + camera
    end_us = T0 + days * DAY
    connection.execute(
        sa.insert(streams).values(
            id=stream, post=post, camera=f"cam-{camera}", name="main", set_up_us=T0, until_us=end_us, open_us=None, sealed_seq=0,
            longest_us=60_000_000, first_us=T0, last_us=end_us, segments_here=0, bytes_here=0,
        )
    )  # fmt: skip
    told: dict[sa.Table, list[dict[str, object]]] = {spans: [], gaps: [], held: [], runs: []}
    at_us, number = T0, 1
    while at_us < end_us:
        to_us = min(end_us, at_us + round(draw.expovariate(5) * DAY) + 60_000_000)
        run = stream * 10_000 + number
        told[runs].append(
            {
                "id": run,
                "post": post,
                "boot": "b" * 32,
                "number": run,
                "stream": stream,
                "shift_us": 0,
                "provenance": None,
            }
        )
        told[spans].append(
            {
                "post": post,
                "stream": stream,
                "from_us": at_us,
                "run": run,
                "to_us": to_us,
                "reach_us": to_us,
                "provenance": 0,
            }
        )
        if number % 10 == 0:
            told[held].append({"post": post, "stream": stream, "from_us": at_us, "run": run, "to_us": to_us})
        gap_us = min(end_us, to_us + draw.randrange(1_000_000, 600_000_000))
        if gap_us > to_us:
            told[gaps].append({
                "post": post, "stream": stream, "from_us": to_us, "era": 1, "id": number, "to_us": gap_us, "cause": "camera_unreachable",
                "evidence": '{"detail":"no answer"}', "opened_seq": number,
            })  # fmt: skip
        at_us, number = gap_us, number + 1
    for table, values in told.items():
        if values:
            connection.execute(sa.insert(table), values)


def timed(what: str, times: int, call: object) -> None:
    """The median and the slowest."""
    took, cpu = [], []
    for _ in range(times):
        began, spent = time.perf_counter(), time.process_time()
        call()  # type: ignore[operator]
        took.append((time.perf_counter() - began) * 1000)
        cpu.append((time.process_time() - spent) * 1000)
    print(f"| {what} | {statistics.median(took):.1f} ms | {max(took):.1f} ms | {statistics.median(cpu):.1f} ms |")


def entries_a_second(fleet: Fleet) -> None:
    """Ten thousand seals and gaps of one post, in heads of twenty."""
    log = Ledger(post="busy")
    log.enrol(fleet)
    log.add(kinds.STREAM_SET_UP, {"camera": "gate", "stream": "main", "at_us": T0})
    key = StreamKey("gate", "main")
    for n in range(4_000):
        body = kinds.sealed(
            key,
            "b" * 32,
            1,
            n,
            bytes(32),
            60,
            1,
            T0 + n * 60_000_000,
            T0 + (n + 1) * 60_000_000,
            "ntp",
            closing=bytes(32),
        )
        log.add(kinds.SEGMENT_SEALED, body, T0 + n * 60_000_000)
    sizes = list(range(20, len(log.entries), 20))
    notes = [log.note(size) for size in sizes]
    began, spent = time.perf_counter(), time.process_time()
    for size, note in zip(sizes, notes, strict=True):
        fleet.take_entries("busy", 1, fleet.cursor("busy", 1), log.entries[size - 20 : size])
        fleet.take_head("busy", 1, note, log.public)
    took, spent = time.perf_counter() - began, time.process_time() - spent
    each = spent / sizes[-1] * 1e6
    rates = f"{sizes[-1] / took:.0f} a second | {len(sizes) / took:.0f} heads a second | {each:.0f} us each"
    print(f"| entries taken, verified and told, heads of 20 | {rates} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="")
    parser.add_argument("--posts", type=int, default=10)
    parser.add_argument("--days", type=int, default=30)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        db = FleetDb(asked.database or folder / "fleet.db")
        store = ObjectStore(folder / "media", folder / "spool")
        fill(db, asked.posts, asked.days)
        index = FleetIndex(db, store)
        keys = [
            StreamKey(f"post-{post}.cam-{camera}", "main")
            for post in range(1, asked.posts + 1)
            for camera in range(CAMERAS)
        ][:100]
        last = T0 + asked.days * DAY
        print(
            f"{len(keys)} cameras of {asked.posts} posts, {asked.days} days\n\n| what | median | slowest | of a core |\n|---|---|---|---|"
        )
        timed("wide view of it all, nothing packed", 3, lambda: index.wide(keys, T0, last, whole_quarters=True))
        days = WideDays(db)
        began = time.perf_counter()
        while days.step():
            pass
        packed = time.perf_counter() - began
        timed("wide view of it all", 20, lambda: index.wide(keys, T0, last, whole_quarters=True))
        timed("the same, not on quarters of an hour", 20, lambda: index.wide(keys, T0 + 12_345, last - 54_321))

        def day() -> None:
            from_us, to_us = last - DAY, last
            until_us = index.accounted_until_us(keys[0])
            tile(
                index.recorded_spans(keys[0], from_us, to_us),
                index.gaps_of(keys[0], from_us, to_us),
                from_us,
                to_us,
                until_us,
                T0,
            )

        timed("timeline of a day of one camera", 50, day)
        timed("gaps of a day over all cameras", 10, lambda: index.gaps(None, last - DAY, last))
        print(f"| packing {asked.days} days of {len(keys)} cameras | {packed * 1000:.0f} ms | | |")
        entries_a_second(Fleet(db, store))
        db.close()


if __name__ == "__main__":
    main()
