"""What a process of the post holds in memory, said from inside it. For `benchmarks.soak --inside`, never for a running post.

Python imports this at its start where the folder is in PYTHONPATH. Once a minute a line of JSON is added to
`$LONGWATCH_INSIDE/<pid>.jsonl`: what the kernel counts, what SQLite holds, what malloc holds and has free, and how many objects of
each type there are. With LONGWATCH_TRACE=1 also which lines allocated what is held (tracemalloc; it costs about as much time again).
With LONGWATCH_CACHE_KIB the recorder's index has another page cache, to see what of its memory that is.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import sys
import threading
import time
import tracemalloc
from collections import Counter
from pathlib import Path

EVERY_S = 60.0
_MALLINFO2 = ["arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"]


class _Mallinfo2(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_size_t) for name in _MALLINFO2)


def malloc_mb() -> dict[str, float]:
    """What glibc took from the kernel, and how much of it is in use and free. Of the main arena and the mapped blocks."""
    ask = ctypes.CDLL(None).mallinfo2
    ask.restype = _Mallinfo2
    said = ask()
    return {name: round(getattr(said, name) / 1e6, 3) for name in ("arena", "hblkhd", "uordblks", "fordblks")}


def sqlite_mb() -> float:
    """What SQLite holds in all, its page caches included."""
    used = ctypes.CDLL("libsqlite3.so.0").sqlite3_memory_used
    used.restype = ctypes.c_int64
    return round(float(used()) / 1e6, 3)


def anonymous_mb() -> float:
    """Memory of the process's own, by the kernel."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss_Anon:"):
            return round(int(line.split()[1]) / 1024, 3)
    return float("nan")


def said() -> dict[str, object]:
    """One moment."""
    gc.collect()
    objects = gc.get_objects()
    types = Counter(type(thing).__qualname__ for thing in objects)
    found: dict[str, object] = {
        "at": round(time.monotonic(), 1),
        "rss_mb": anonymous_mb(),
        "sqlite_mb": sqlite_mb(),
        "malloc": malloc_mb(),
        "blocks": sys.getallocatedblocks(),
        "threads": threading.active_count(),
        "objects": len(objects),
        "types": dict(types.most_common(60)),
    }
    if tracemalloc.is_tracing():
        lines = tracemalloc.take_snapshot().statistics("lineno")
        found["traced_mb"] = round(tracemalloc.get_traced_memory()[0] / 1e6, 3)
        found["lines"] = {str(line.traceback[0]): line.size for line in lines[:60]}
    return found


def keep_saying(folder: Path) -> None:
    """For ever."""
    while True:
        time.sleep(EVERY_S)
        with contextlib.suppress(Exception), (folder / f"{os.getpid()}.jsonl").open("a") as file:
            print(json.dumps(said()), file=file, flush=True)


_folder = os.environ.get("LONGWATCH_INSIDE")
if _folder and any(name.startswith("longwatch.node.") for name in sys.orig_argv):
    if os.environ.get("LONGWATCH_TRACE"):
        tracemalloc.start()
    if os.environ.get("LONGWATCH_CACHE_KIB") and "longwatch.node.recorder" in sys.orig_argv:
        from longwatch.archive import index

        index.CACHE_KIB = int(os.environ["LONGWATCH_CACHE_KIB"])
    threading.Thread(target=keep_saying, args=(Path(_folder),), daemon=True).start()
