"""The index made again from the files alone: head and tail of each, never the media between.

What the closing boxes say is believed and marked unverified until `check --hash` has read the media. Gaps and what is gone cannot
be read from media: the restored ledger tells them (`restoring_meaning`); where that is lost too, the timeline shows `unknown` there.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from longwatch.archive import fragment_table, names
from longwatch.archive.index import Index
from longwatch.archive.recovery import listed, stream_folders
from longwatch.archive.retention import drop_segment
from longwatch.archive.rows import (
    DAMAGED,
    RECOVERED,
    SEALED,
    UNVERIFIED,
    extend_span,
    hold,
    note_longest,
    run_row,
)
from longwatch.base.errors import LongwatchError
from longwatch.formats import bmff
from longwatch.ledger import kinds, segment_root
from longwatch.model.sessions import StreamKey

_THREADS = 16
_HEAD_BYTES = 8 << 10
_TAIL_BYTES = 32 << 10
_LARGEST_HEAD = 1 << 20
_JOINED_90K = 90_000  # what a sample may cover at least: a shorter pause is no gap


@dataclass(slots=True)
class Rebuilt:
    """segments: rows made. unclosed: files without a closing box, with their volume, for recovery. strangers: not ours."""

    segments: int = 0
    unclosed: list[tuple[int, Path]] = field(default_factory=list)
    strangers: int = 0


@dataclass(frozen=True, slots=True)
class _File:
    volume: int
    identity: bmff.SegmentIdentity
    header_sha256: bytes
    header_bytes: int
    file_bytes: int
    closing: bmff.Closing


@dataclass(slots=True)
class ClosedFiles:
    """What the files of a folder say, read before a transaction begins."""

    files: list[_File] = field(default_factory=list)
    unclosed: list[tuple[int, Path]] = field(default_factory=list)
    strangers: int = 0


def read_closed_files(volumes: Mapping[int, Path]) -> ClosedFiles:
    """Head and tail of every file, by run and sequence."""
    result = ClosedFiles()
    files = result.files
    with ThreadPoolExecutor(_THREADS, "rebuild") as pool:
        for (volume, path), read in pool.map(lambda item: (item, _read(*item)), _every_file(volumes), chunksize=1):
            if read is None:
                result.strangers += 1
            elif isinstance(read, _File):
                files.append(read)
            else:
                result.unclosed.append((volume, path))
    files.sort(key=lambda f: (f.identity.boot, f.identity.run, f.identity.sequence))
    return result


def rebuild(index: Index, found: ClosedFiles) -> Rebuilt:
    """Rows of every closed segment, with an `index_rebuilt` entry, within the caller's transaction. Raises sqlite3.Error."""
    files = list(_unknown(index.connection, found.files))
    _insert(index.connection, files)
    index.append(kinds.INDEX_REBUILT, {"segments": len(files), "unclosed": len(found.unclosed)})
    return Rebuilt(len(files), found.unclosed, found.strangers)


def _unknown(db: sqlite3.Connection, files: list[_File]) -> Iterator[_File]:
    """Those without a row. A row that is still open is older than its file, and goes."""
    known = {
        (boot, number, sequence): (segment, flags)
        for boot, number, sequence, segment, flags in db.execute(
            "SELECT b.boot, r.number, s.sequence, s.id, s.flags FROM segment s JOIN run r ON r.id = s.run_id"
            " JOIN boot b ON b.id = r.boot_id"
        )
    }
    for file in files:
        row = known.get((file.identity.boot, file.identity.run, file.identity.sequence))
        if row is None:
            yield file
        elif not row[1] & SEALED:
            drop_segment(db, row[0])
            yield file


def _every_file(volumes: Mapping[int, Path]) -> Iterator[tuple[int, Path]]:
    for volume, folder in volumes.items():
        for stream in stream_folders(folder):
            for day in sorted(listed(stream)):
                if names.is_date(day):
                    for name in sorted(listed(stream / day)):
                        if names.parse_name(name) is not None:
                            yield volume, stream / day / name


def _read(volume: int, path: Path) -> _File | bool | None:
    """A closed file of ours; True where it is ours and not closed; None where it is not ours."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        size = os.fstat(descriptor).st_size
        head = os.pread(descriptor, _HEAD_BYTES, 0)
        try:
            header = bmff.parse_header(head)
        except bmff.BmffError:
            head = os.pread(descriptor, _LARGEST_HEAD, 0)
            header = bmff.parse_header(head)
        tail = os.pread(descriptor, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
        length = bmff.closing_size(tail)
        if length is not None and len(tail) < length <= size:
            tail = os.pread(descriptor, length, size - length)
        closing = bmff.parse_closing(tail)
    except (OSError, bmff.BmffError):
        return None
    finally:
        os.close(descriptor)
    if closing is None:
        return True
    identity = header.identity
    try:
        key = StreamKey(identity.camera, identity.stream)
        home = names.segment_path(key, identity.boot, identity.run, identity.sequence, identity.wall_start_us)
    except LongwatchError:
        return None
    if not str(path).endswith(home):
        return None
    digest = hashlib.sha256(head[: header.header_bytes]).digest()
    return _File(volume, identity, digest, header.header_bytes, size, closing)


def _insert(db: sqlite3.Connection, files: list[_File]) -> None:
    segments, tables = [], []
    holdings: dict[tuple[int, int], list[int]] = {}
    runs: dict[tuple[str, int], tuple[int, int]] = {}
    longest_us = 0
    spans: dict[tuple[int, int, int], tuple[int, int]] = {}
    last: dict[int, tuple[int, int]] = {}
    next_id = 1 + (db.execute("SELECT max(id) FROM segment").fetchone()[0] or 0)
    for number, file in enumerate(files, next_id):
        identity, closing = file.identity, file.closing
        stream, run = _run_of(db, identity, runs)
        rows = closing.fragments
        end_90k = rows[-1].end_90k if rows else identity.start_90k
        placed_us = identity.wall_start_us + (end_90k - identity.start_90k) * 100 // 9
        wall_end_us = closing.wall_end_us if closing.wall_end_us is not None else placed_us
        longest_us = max(longest_us, wall_end_us - identity.wall_start_us)
        flags = SEALED | UNVERIFIED | (DAMAGED if closing.damaged else 0) | (RECOVERED if closing.recovered else 0)
        durable = rows[-1].offset + rows[-1].size if rows else file.header_bytes
        segments.append((
            number, stream, run, identity.sequence, file.volume, flags, identity.provenance, len(rows), file.header_bytes, durable,
            file.file_bytes, identity.start_90k, end_90k - identity.start_90k, identity.wall_start_us,
            max(0, wall_end_us - identity.wall_start_us),
        ))  # fmt: skip
        root = segment_root(file.header_sha256, (row.sha256 for row in rows))
        tables.append((number, root, fragment_table.pack(rows, file.header_bytes)))  # type: ignore[arg-type]  # same fields
        held = holdings.setdefault((stream, file.volume), [0, 0])
        held[0] += 1
        held[1] += file.file_bytes
        _spans(spans, last, stream, run, identity, closing, wall_end_us - placed_us)
    db.executemany(
        "INSERT INTO segment (id, stream_id, run_id, sequence, volume_id, flags, provenance, fragments, header_bytes,"
        " durable_bytes, file_bytes, start_90k, duration_90k, wall_start_us, wall_duration_us)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        segments,
    )
    db.executemany("INSERT INTO fragment_table VALUES (?, ?, ?)", tables)
    for (stream, volume), (count, size) in holdings.items():
        hold(db, stream, volume, count, size)
    for (stream, run, from_us), (to_us, provenance) in spans.items():
        extend_span(db, stream, run, from_us, to_us, provenance)
    db.execute(
        "UPDATE stream SET set_up_us = (SELECT min(from_us) FROM recorded_span WHERE stream_id = stream.id)"
        " WHERE set_up_us IS NULL"
    )  # it was set up by then; when exactly, the media does not say
    if longest_us:
        note_longest(db, longest_us)


def _run_of(
    db: sqlite3.Connection, identity: bmff.SegmentIdentity, runs: dict[tuple[str, int], tuple[int, int]]
) -> tuple[int, int]:
    known = runs.get((identity.boot, identity.run))
    if known is not None:
        return known
    key = (identity.camera, identity.stream)
    db.execute("INSERT OR IGNORE INTO stream (camera, name) VALUES (?, ?)", key)
    db.execute("INSERT OR IGNORE INTO camera VALUES (?, ?)", (identity.camera, identity.camera))
    stream = int(db.execute("SELECT id FROM stream WHERE camera = ? AND name = ?", key).fetchone()[0])
    run = run_row(db, identity.boot, identity.run, stream, None)
    db.execute(
        "UPDATE run SET end_boot_us = 0, detail = 'rebuilt from files' WHERE id = ? AND end_boot_us IS NULL", (run,)
    )
    if db.execute("SELECT 1 FROM placement WHERE run_id = ?", (run,)).fetchone() is None:
        db.execute(
            "INSERT INTO placement (run_id, at_90k, wall_us, rate_ppb, provenance, reason) VALUES (?, ?, ?, 0, ?, 'rebuilt')",
            (run, identity.start_90k, identity.wall_start_us, identity.provenance),
        )
    runs[identity.boot, identity.run] = (stream, run)
    return stream, run


def _spans(
    spans: dict[tuple[int, int, int], tuple[int, int]], last: dict[int, tuple[int, int]], stream: int, run: int,
    identity: bmff.SegmentIdentity, closing: bmff.Closing, drift_us: int,
) -> None:  # fmt: skip
    """Draw out the run's spans over one segment's fragments. last: by run, where its span begins and its media ended."""
    for n, row in enumerate(closing.fragments):
        start_us = identity.wall_start_us + (row.start_90k - identity.start_90k) * 100 // 9
        end_us = identity.wall_start_us + (row.end_90k - identity.start_90k) * 100 // 9
        if n == len(closing.fragments) - 1:
            end_us += drift_us
        before = last.get(run)
        begin_us = before[0] if before is not None and row.start_90k - before[1] <= _JOINED_90K else start_us
        last[run] = (begin_us, row.end_90k)
        spans[stream, run, begin_us] = (end_us, identity.provenance)
