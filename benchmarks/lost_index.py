"""Figure 10: an index that is lost, made again from 33,000 files with real boxes and from the ledger's bundles, cold cache.

    python -m benchmarks.lost_index [FILES] [FOLDER]

Prints seconds, and whether all came back: every segment, every entry, every gap.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from tests.support.big_archive import BOOT, sparse_files

from benchmarks.post import drop_caches
from longwatch.archive import Archive, Options, Retention
from longwatch.base.clock import SystemClock

FILES = 33_000


async def opened(folder: Path) -> float:
    """Seconds from nothing to an archive that is open."""
    began = time.monotonic()
    archive, report = await Archive.open([folder], Options(Retention(None, keep_free_fraction=0)), SystemClock(), BOOT)
    took_s = time.monotonic() - began
    print(f"{report.entries_restored} entries, another log: {archive.ledger.begun or 'no'}")
    await archive.close()
    return took_s


def main() -> None:
    """The command."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else FILES
    folder = Path(tempfile.mkdtemp(dir=sys.argv[2] if len(sys.argv) > 2 else None))
    try:
        sparse_files(folder, count, ledger=True)
        cold = drop_caches()
        took_s = asyncio.run(opened(folder))
        db = sqlite3.connect(folder / "index.db")
        counts = {
            table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("segment", "gap", "ledger")
        }
        db.close()
        print(f"{count} files, {'cold' if cold else 'warm'} cache: {took_s:.1f} s; {counts}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
