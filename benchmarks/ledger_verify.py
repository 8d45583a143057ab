"""What `longwatch verify` costs besides hashing: one camera-day, 1,440 segments of 100 fragments.

    python benchmarks/ledger_verify.py [SEGMENTS] [FRAGMENT_BYTES]

Prints the processor time (of one core, so that a busy machine does not count) to read and hash every media file plainly, that of a whole verification, and the difference: the goal is one second
a camera-day. Media is small here, so that reading does not hide what is measured; bytes beyond that cost what hashing costs.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support import archive_case as case  # the path above

from longwatch.archive.verifying import verify_folder  # the path above

FRAGMENTS = 100


async def record(folder: Path, segments: int, sample_bytes: int) -> None:
    """One camera's segments, each in one tick."""
    async with case.opened([folder]) as (archive, _):
        source = case.stream(archive)
        source.sample_bytes = sample_bytes
        for _ in range(segments):
            result = await archive.tick(archive.volumes[0], source.tick(fragments=FRAGMENTS, seal=True, reopen=True))
            assert result.index_committed


def plain(folder: Path) -> tuple[float, int]:
    """Read and hash every media file, one after another."""
    began, total = time.process_time(), 0
    for path in sorted(folder.rglob("*.mp4")):
        data = path.read_bytes()
        hashlib.sha256(data).digest()
        total += len(data)
    return time.process_time() - began, total


def main() -> None:
    """Best of three, warm."""
    segments = int(sys.argv[1]) if len(sys.argv) > 1 else 1440
    fragment_bytes = int(sys.argv[2]) if len(sys.argv) > 2 else 3400
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        asyncio.run(record(folder, segments, max(4, fragment_bytes // 17)))
        hashing, total = min(plain(folder) for _ in range(3))
        took = []
        for _ in range(3):
            began = time.process_time()
            verdict = verify_folder(folder)
            took.append(time.process_time() - began)
            assert verdict.ok, verdict.blamed[:3]
        best = min(took)
        print(f"{segments} segments, {segments * FRAGMENTS} fragments, {total / 1e6:.0f} MB, {verdict.entries} entries")
        print(f"plain hashing {hashing:.2f} s, verification {best:.2f} s: {best / hashing:.1f} x")
        print(
            f"besides hashing: {best - hashing:.2f} s, {1440 * (best - hashing) / segments:.2f} s a camera-day (goal 1 s)"
        )


if __name__ == "__main__":
    main()
