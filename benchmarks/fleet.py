"""A hub with many posts: what a post costs it, and how long it takes from a post to the page. The table of docs/performance.md.

    python -m benchmarks.fleet [--posts 10,100,1000] [--cameras 10] [--seconds 45] [--postgres] [--returning 0]

For each number: a hub of its own (`longwatch run`, real processes and disk), a simulated fleet in this process, until all have joined and told what they began with;
then it is measured for so many seconds, and then the page is asked for half as long. Cost is processor time by the kernel's accounts, of the hub's processes alone (with --postgres: and of the database), so that
other work on the machine changes it little; times are wall time, and lie where the machine is busy: the load is printed beside them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvloop
from tests.support.network import Hub, network
from tests.support.postgres import postgres

from benchmarks.__main__ import machine
from benchmarks.processes import children, cpu_seconds, memory_bytes
from longwatch.base.clock import SystemClock
from longwatch.config import load
from longwatch.node.demo.fleet import Fleet, Simulation, codes_of_hub
from longwatch.node.demo.fleet_page import PageWatch, percentile

SETTLED_S = 240.0
JOINED = 2.0  # entries on their way per post at which what they began with is through: in the long run it is about one
HEAD = "| posts | heads/s | entries/s | hub, of a core | a post, of a core | a head | hub's memory | a post | held p50, p99 | page p50, p99 (n) | wait | fleet, of a core | load |"


@dataclass(frozen=True, slots=True)
class Spent:
    """Of the hub's server, of its recorder, of a database beside it, and of this process: processor seconds so far."""

    server: float
    recorder: float
    database: float
    own: float


def spent(hub: Hub, database: int | None) -> Spent:
    """By now."""
    assert hub.server_pid is not None
    assert hub.recorder_pid is not None
    beside = 0.0 if database is None else sum(cpu_seconds(pid) for pid in children(database))
    return Spent(cpu_seconds(hub.server_pid), cpu_seconds(hub.recorder_pid), beside, time.process_time())


async def measure(hub: Hub, fleet: Fleet, seconds: float, database: int | None) -> str:
    """One row."""
    settings = load(hub.config)
    page = PageWatch(hub.base, hub.token, a_second=4.0)
    before = memory_bytes(hub.server_pid or 0)
    simulation = Simulation(
        fleet, codes_of_hub(settings), SystemClock(), lambda text: print(text, file=sys.stderr), page
    )
    ended = asyncio.Event()
    async with simulation.joined(ended):
        simulation.start()
        until_s = time.monotonic() + SETTLED_S
        while time.monotonic() < until_s:
            await asyncio.sleep(1)
            if simulation.numbers.connected >= fleet.posts * 0.95 and simulation.backlog[0] <= JOINED * fleet.posts:
                break
        print(simulation.line(), file=sys.stderr)
        page.looking = False  # asking costs a hub more than a hundred posts do
        await asyncio.sleep(5)
        simulation.numbers.held_s.clear()
        numbers, held, from_, began_s = (
            replace(simulation.numbers),
            simulation.held,
            spent(hub, database),
            time.monotonic(),
        )
        await asyncio.sleep(seconds)
        took_s, to = time.monotonic() - began_s, spent(hub, database)
        many, held = simulation.numbers.heads - numbers.heads, simulation.held - held
        for seen in page.seen_s.values():
            seen.clear()
        page.looking = True
        await asyncio.sleep(seconds / 2)
        row = table_row(simulation, page, (many, held), from_, to, took_s, before, hub)
        print(simulation.line(), file=sys.stderr)
    await page.aclose()
    return row


def table_row(
    simulation: Simulation, page: PageWatch, taken: tuple[int, int], from_: Spent, to: Spent, took_s: float, before: int, hub: Hub
) -> str:  # fmt: skip
    """As it stands in the table. taken: heads and entries in took_s."""
    posts = len(simulation.posts)
    cpu = (to.server - from_.server + to.recorder - from_.recorder + to.database - from_.database) / took_s
    many, held = taken
    memory = memory_bytes(hub.server_pid or 0)
    shown = [s for seen in page.seen_s.values() for s in seen]
    return (
        f"| {posts} | {many / took_s:.0f} | {held / took_s:.0f} | {cpu * 100:.1f} % | {cpu / posts * 100:.3f} % |"
        f" {cpu * took_s / max(1, many) * 1000:.1f} ms | {memory / 1e6:.0f} MB | {(memory - before) / posts / 1e3:.0f} kB |"
        f" {times(simulation.numbers.held_s)} | {times(shown)} ({len(shown)}) | {simulation.backlog[0]} |"
        f" {(to.own - from_.own) / took_s * 100:.0f} % | {os.getloadavg()[0]:.1f} |"
    )


def times(values: list[float]) -> str:
    """p50 and p99."""
    half, most = percentile(values, 0.5), percentile(values, 0.99)
    return "-" if half is None or most is None else f"{half:.2f}, {most:.2f} s"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", default="10,100,1000")
    parser.add_argument("--cameras", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=45.0)
    parser.add_argument("--returning", type=int, default=0, help="so many come back with a week while it is measured")
    parser.add_argument("--postgres", action="store_true", help="a PostgreSQL of its own instead of SQLite")
    asked = parser.parse_args()
    counts = [int(text) for text in asked.posts.split(",")]
    print(machine())
    print(
        f"{asked.cameras} cameras a post, {'PostgreSQL' if asked.postgres else 'SQLite'}, {asked.seconds:.0f} s each\n\n{HEAD}\n{'|---' * HEAD.count(' | ')}|---|",
        flush=True,
    )
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(postgres(fsync=True)) if asked.postgres else None
        for count in counts:
            more: dict[str, Any] = {} if server is None else {"database": server.database()}
            with tempfile.TemporaryDirectory() as made, network(Path(made)) as net:
                hub = net.hub("hq", **more)
                fleet = Fleet(count, asked.cameras, ramp_s=min(60.0, count / 50), returning=min(asked.returning, count))
                database = None if server is None or server.process is None else server.process.pid
                print(uvloop.run(measure(hub, fleet, asked.seconds, database)), flush=True)


if __name__ == "__main__":
    main()
