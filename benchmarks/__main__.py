"""`make bench`: every figure in one run, as tables.

python -m benchmarks [cost] [latency] [archive] [start]      all four where none is named
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import platform
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import cost, latency, old_archive, starts

COUNTS = (10, 50, 200)
ROWS = 10_000_000


def machine() -> str:
    """What the figures were measured on."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        "",
    )
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    day = dt.datetime.now(dt.UTC).date()
    return f"{day}, {os.cpu_count()} cores of {cpu}, {memory_gb:.0f} GB, Linux {platform.release()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"


def show(title: str, rows: list[dict[str, object]]) -> None:
    """One table; rows of other shapes get a table of their own."""
    console = Console(width=160)
    table = Table(title=title)
    for name in rows[0]:
        table.add_column(name.replace("_", " "), justify="left" if isinstance(rows[0][name], str) else "right")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    console.print(table)


def main() -> None:
    """Run what is named."""
    chosen = set(sys.argv[1:]) or {"cost", "latency", "archive", "start"}
    print(machine(), flush=True)
    if "cost" in chosen:
        show("cost per recorded camera, 1080p25, 4 Mbit/s, TCP", asyncio.run(cost.run(COUNTS)))
    if "latency" in chosen:
        show("added live latency, camera's socket to WebSocket", asyncio.run(latency.run((1, 50))))
    if "archive" in chosen:
        show(f"an archive of {ROWS} segments", old_archive.run(ROWS))
    if "start" in chosen:
        show("starting each process, medians", starts.run())


if __name__ == "__main__":
    main()
