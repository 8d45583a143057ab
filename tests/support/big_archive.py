"""An archive of any age, made in seconds: a real index of N plausible rows, and a few real media files.

    python -m tests.support.big_archive FOLDER --rows 10000000 --cameras 100 --seed 1

Each camera has one stream of one-minute segments, back from `END_US`, in runs of about a day with a gap between them (and
a few short `packets_lost` gaps in them). Runs are numbered as they begin,
whichever camera's they are, as in life. Rows, spans, gaps, runs, placements, holdings and ledger entries agree with each other.
The newest `media_segments` of the first camera are real files with real closing boxes, so that playback has something to
play; of the others the fragment table has no row unless asked for (`tables`), which is said here because it makes the
file smaller than life: with it, about 3 kB a segment.

`sparse_files` makes files instead: real headers and closing boxes around a hole, for the rebuild of 33,000.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import random
import sqlite3
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.fake_stream import TRACK, FakeStream

from longwatch.archive import Archive, Flushing, Options, Retention, fragment_table, names
from longwatch.archive.index import Index
from longwatch.archive.log_key import make_key
from longwatch.archive.wide_days import WideDays
from longwatch.base.clock import ManualClock
from longwatch.formats import bmff
from longwatch.ledger import entry_bytes, kinds, leaf_hash, segment_root
from longwatch.ledger.checkpoint import Checkpoint, sign
from longwatch.ledger.tiles import Frontier, bundle, tiles_of
from longwatch.model.sessions import StreamKey
from longwatch.model.stores import FragmentRow, Provenance

BOOT = "0123456789abcdef" * 2
END_US = 1_767_225_600_000_000
MINUTE_US = 60_000_000
RUN_SEGMENTS = 1440
SEGMENT_BYTES = 30_000_000


def key_of(camera: int) -> StreamKey:
    return StreamKey(f"cam{camera:03d}", "main")


def make(
    folder: Path,
    rows: int,
    *,
    cameras: int = 100,
    seed: int = 1,
    media_segments: int = 3,
    ledger: int = 100_000,
    tables: int = 0,
) -> None:
    """A closed data folder with `rows` segments. Its last recorder stopped in order at END_US."""
    asyncio.run(_real_media(folder, cameras, media_segments))
    per_camera = rows // cameras
    db = sqlite3.connect(folder / "index.db", isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA journal_mode = MEMORY")
    db.execute("PRAGMA cache_size = -400000")
    db.execute("BEGIN")
    indexes = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'segment'").fetchall()
    for name, _ in indexes:
        db.execute(f"DROP INDEX {name}")
    chance = random.Random(seed)
    boot = db.execute(
        "INSERT INTO boot (boot) VALUES (?) ON CONFLICT DO UPDATE SET boot = boot RETURNING id", (BOOT,)
    ).fetchone()[0]
    run_id = (db.execute("SELECT max(id) FROM run").fetchone()[0] or 0) + 1
    number = (db.execute("SELECT max(number) FROM run").fetchone()[0] or 0) + 1
    begin_us = END_US - (per_camera + per_camera // RUN_SEGMENTS + 2) * MINUTE_US
    runs = [list(_runs(chance, per_camera, begin_us)) for _ in range(cameras)]
    place = {
        key: n for n, key in enumerate(sorted((run[0], camera) for camera in range(cameras) for run in runs[camera]))
    }
    for camera in range(cameras):
        key = key_of(camera)
        stream = db.execute("SELECT id FROM stream WHERE camera = ? AND name = ?", key).fetchone()[0]
        db.execute("UPDATE stream SET set_up_us = ? WHERE id = ?", (begin_us, stream))
        places = [place[start_us, camera] for start_us, _ in runs[camera]]
        _insert(db, runs[camera], stream, boot, [(run_id + n, number + n) for n in places], chance)
        db.execute("INSERT INTO holding VALUES (?, 1, ?, ?) ON CONFLICT DO UPDATE SET segments = segments + excluded.segments,"
                   " bytes = bytes + excluded.bytes", (stream, per_camera, per_camera * SEGMENT_BYTES))  # fmt: skip
    for _, sql in indexes:
        db.execute(sql)
    db.execute(
        "INSERT INTO meta VALUES ('longest_segment_us', ?) ON CONFLICT DO UPDATE SET value = max(value, ?)",
        (MINUTE_US,) * 2,
    )
    _tables(db, tables)
    _ledger(db, ledger)
    db.execute("COMMIT")
    db.execute("PRAGMA journal_mode = WAL")
    db.close()
    make_days(folder)


def make_days(folder: Path) -> None:
    """Days for wide views and of tiles that are wanting, as a recorder has made them by then."""
    index = Index(folder / "index.db", BOOT, ManualClock(END_US), Flushing())
    days = WideDays(index)
    while days.step():
        pass
    index.close()


def _runs(chance: random.Random, segments: int, begin_us: int) -> Iterator[tuple[int, int]]:
    """(wall start, segments) of each run; a pause of up to a minute between them."""
    at_us = begin_us
    while segments > 0:
        count = min(segments, chance.randint(RUN_SEGMENTS // 2, RUN_SEGMENTS * 3 // 2))
        yield at_us, count
        segments -= count
        at_us += count * MINUTE_US + chance.randint(1_000_000, MINUTE_US // 2)


def _insert(
    db: sqlite3.Connection,
    runs: Sequence[tuple[int, int]],
    stream: int,
    boot: int,
    numbers: Sequence[tuple[int, int]],
    chance: random.Random,
) -> None:
    gap = db.execute("SELECT coalesce(max(id), 0) + 1 FROM gap").fetchone()[0]
    run_rows, placements, spans, gaps, segments = [], [], [], [], []
    before: int | None = None
    for n, ((start_us, count), (run, number)) in enumerate(zip(runs, numbers, strict=True)):
        end_us = start_us + count * MINUTE_US
        run_rows.append((run, boot, number, stream, n, n + 1, "camera closed the session"))
        placements.append((run, 0, start_us, 0, 0, "start"))
        if before is not None:
            gaps.append((gap, stream, before, start_us, "camera_unreachable", '{"detail":"connection refused"}'))
            gap += 1
        lost_us = start_us + chance.randint(1, count * 60 - 2) * 1_000_000
        spans += [(stream, start_us, run, lost_us, 0), (stream, lost_us + 400_000, run, end_us, 0)]
        gaps.append((gap, stream, lost_us, lost_us + 400_000, "packets_lost", '{"packets":3}'))
        gap += 1
        before = end_us
        segments += [
            (
                stream, run, sequence, 1, 1, 0, 86, 860, SEGMENT_BYTES - 6000, SEGMENT_BYTES, sequence * 5_400_000, 5_400_000,
                start_us + sequence * MINUTE_US, MINUTE_US,
            )
            for sequence in range(count)
        ]  # fmt: skip
    db.executemany("INSERT INTO run VALUES (?, ?, ?, ?, ?, ?, ?)", run_rows)
    db.executemany(
        "INSERT INTO placement (run_id, at_90k, wall_us, rate_ppb, provenance, reason) VALUES (?, ?, ?, ?, ?, ?)",
        placements,
    )
    db.executemany("INSERT OR IGNORE INTO recorded_span VALUES (?, ?, ?, ?, ?)", spans)
    db.executemany("INSERT INTO gap VALUES (?, ?, ?, ?, ?, ?)", gaps)
    db.executemany(
        "INSERT INTO segment (stream_id, run_id, sequence, volume_id, flags, provenance, fragments, header_bytes, durable_bytes,"
        " file_bytes, start_90k, duration_90k, wall_start_us, wall_duration_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        segments,
    )
    db.execute("INSERT INTO meta VALUES ('next_gap', ?) ON CONFLICT DO UPDATE SET value = excluded.value", (gap,))


def _tables(db: sqlite3.Connection, count: int) -> None:
    """Fragment tables for the `count` newest made-up segments."""
    rows = [
        FragmentRow(860 + n * 348_000, 348_000, n * 62_790, (n + 1) * 62_790, (0,), hashlib.sha256(bytes([n])).digest())
        for n in range(86)
    ]
    table = fragment_table.pack(rows, 860)
    db.execute(
        "INSERT OR IGNORE INTO fragment_table SELECT id, ?, ? FROM segment ORDER BY id DESC LIMIT ?",
        (bytes(32), table, count),
    )


def _ledger(db: sqlite3.Connection, count: int) -> None:
    first = db.execute("SELECT coalesce(max(seq), -1) + 1 FROM ledger").fetchone()[0]

    def entries() -> Iterator[tuple[int, bytes, bytes]]:
        for seq in range(first, first + count):
            entry = entry_bytes(seq, END_US, BOOT, "made_up", {"number": seq})
            yield seq, leaf_hash(entry), entry

    db.executemany("INSERT INTO ledger VALUES (?, ?, ?)", entries())


async def _real_media(folder: Path, cameras: int, segments: int) -> None:
    """The streams, and real files for the first of them, right up to END_US."""
    clock = ManualClock(END_US - segments * 30 * 680_000)
    archive, _ = await Archive.open([folder], Options(Retention(max_age_us=None, keep_free_fraction=0)), clock, BOOT)
    for camera in range(cameras):
        await archive.camera_set_up(key_of(camera).camera, f"Camera {camera}", ["main"], clock.wall_us())
    source = FakeStream(key_of(0), archive.next_run_number(), BOOT, clock, 0)
    for _ in range(segments):
        for n in range(30):
            await archive.tick(archive.volumes[0], source.tick(seal=n == 29, reopen=n == 0))
    await archive.close()


def sparse_files(
    folder: Path, count: int, *, cameras: int = 20, size_bytes: int = SEGMENT_BYTES, ledger: bool = False
) -> None:
    """`count` segment files of a closed data folder without an index: real heads and tails, holes between. ledger: with the published
    files of a ledger that tells of each, and of a gap every hundred segments.
    """
    folder.mkdir(parents=True, exist_ok=True)
    identity = {"format": 1, "data_id": "d" * 8, "volume_id": "v" * 8, "volumes": ["v" * 8]}
    (folder / "volume.json").write_text(json.dumps(identity))
    per_camera = -(-count // cameras)
    digests = [hashlib.sha256(bytes([n])).digest() for n in range(86)]
    made = 0
    told: list[tuple[str, dict[str, object]]] = []
    for camera in range(cameras):
        key = key_of(camera)
        told.append((kinds.STREAM_SET_UP, {"camera": key.camera, "stream": key.stream, "at_us": 1}))
        for sequence in range(min(per_camera, count - made)):
            made += 1
            wall_us = END_US - (per_camera - sequence) * MINUTE_US
            start = sequence * 5_400_000
            identity_box = bmff.SegmentIdentity(
                "longwatch test", "post", *key, BOOT, camera + 1, sequence, start, wall_us, int(Provenance.NTP)
            )
            header = bmff.segment_header(identity_box, [TRACK])
            step = size_bytes // 86 // 8 * 8
            rows = []
            for n in range(86):
                end_90k = start + (5_400_000 if n == 85 else (n + 1) * 62_790)
                offset = len(header) + n * step + bmff.GUARD_BYTES
                size = step - bmff.GUARD_BYTES
                rows.append(FragmentRow(offset, size, start + n * 62_790, end_90k, (0,), digests[n]))
            closing = bmff.closing(rows, os.urandom(9000), wall_end_us=wall_us + MINUTE_US)
            path = folder / names.segment_path(key, BOOT, camera + 1, sequence, wall_us)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.write(header)
                file.seek(rows[-1].offset + rows[-1].size)
                file.write(struct.pack(">I4s", bmff.GUARD_BYTES, b"free") + closing)
            if not ledger:
                continue
            if sequence % 100 == 50:
                gap, lost_us = camera * per_camera + sequence, wall_us + 10_000_000
                told.append((kinds.GAP_OPENED, kinds.gap_opened(key, gap, lost_us, "packets_lost", {"packets": 3})))
                told.append((kinds.GAP_CLOSED, kinds.gap_closed(gap, lost_us + 400_000)))
            root = segment_root(hashlib.sha256(header).digest(), digests)
            body = kinds.sealed(
                key, BOOT, camera + 1, sequence, root, 86, rows[-1].offset + rows[-1].size, wall_us, wall_us + MINUTE_US, "ntp",
                closing=hashlib.sha256(closing).digest(),
            )  # fmt: skip
            told.append((kinds.SEGMENT_SEALED, body))
    if ledger:
        publish(folder, told)


def publish(folder: Path, told: Sequence[tuple[str, dict[str, object]]]) -> None:
    """The files of a log that tells this, signed, and its key."""
    key = make_key(folder, Flushing())
    log, origin, frontier = folder / "ledger" / "1", "longwatch/post/dddddddd/1", Frontier()
    entries = [entry_bytes(seq, END_US, BOOT, kind, body) for seq, (kind, body) in enumerate(told)]
    tiles = frontier.extend(leaf_hash(entry) for entry in entries)
    for tile in tiles_of(0, len(entries)):
        path = log / tile.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tiles.get(tile) or bundle(entries[tile.leaves.start : tile.leaves.stop]))
    (log / "key.pem").write_text(key.pem)
    head = Checkpoint(origin, len(entries), frontier.root())
    (log / "checkpoint").write_text(sign(head, key.sign, key.public), encoding="utf-8")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--cameras", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tables", type=int, default=0)
    parser.add_argument("--sparse-files", type=int, default=0)
    args = parser.parse_args()
    began = time.monotonic()
    if args.sparse_files:
        sparse_files(args.folder, args.sparse_files, cameras=args.cameras)
    else:
        make(args.folder, args.rows, cameras=args.cameras, seed=args.seed, tables=args.tables)
    print(f"{time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
