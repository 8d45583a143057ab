"""Opening the index of a data folder: as it is, new, or made again from the files where it is lost.

A damaged index is moved aside, never removed. Owner: the index thread.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from longwatch.archive.index import Index
from longwatch.archive.options import Options
from longwatch.archive.rebuild import rebuild
from longwatch.archive.recovery import Recovery, RecoveryReport
from longwatch.archive.retention import Keeper
from longwatch.archive.volumes import MEDIA, Identity, Place
from longwatch.base.clock import Clock
from longwatch.base.errors import LongwatchError

_log = structlog.get_logger(__name__)
_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Opening:
    """An index that is open, and what is still to be done before it serves. known: volume id to the path seen last."""

    def __init__(self, index: Index, known: Mapping[str, str], options: Options, *, lost: bool) -> None:
        self.index = index
        self.known = known
        self._options = options
        self._lost = lost

    def register(self, places: Sequence[Place]) -> list[int]:
        """The row of each place's volume; 0 for a place that holds none of ours."""
        rows = []
        with self.index.transaction() as db:
            for place in places:
                if place.identity is None:
                    rows.append(0)
                    continue
                row = db.execute(
                    "INSERT INTO volume (uuid, path) VALUES (?, ?) ON CONFLICT DO UPDATE SET path = excluded.path RETURNING id",
                    (place.identity.volume_id, str(place.path)),
                ).fetchone()
                rows.append(int(row[0]))
        return rows

    def recover(self, volumes: Mapping[int, Path]) -> RecoveryReport:
        """Rebuild where the index was lost; finish removals; mend what a cut left open."""
        began = time.monotonic_ns()
        flushing = self._options.flushing
        unclosed = []
        lost = self._lost and any((path / MEDIA).is_dir() for path in volumes.values())
        if lost:
            _log.warning("the index is lost and is made again from the files")
            unclosed = rebuild(self.index, volumes).unclosed
        finished = Keeper(self.index, volumes, self._options).finish()
        report = Recovery(self.index, volumes, flushing).run(unclosed)
        report.rebuilt = lost
        report.removals_finished = finished
        report.recover_us = (time.monotonic_ns() - began) // 1000
        return report


def open_index(path: Path, identity: Identity, clock: Clock, boot: str, options: Options) -> Opening:
    """The index of the folder `identity` names. Raises LongwatchError where it belongs to another, or is of a newer format."""
    lost = not path.exists()
    index = Index(path, boot, clock, options.flushing)
    try:
        known = _read(index, identity)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _BROKEN:
            raise
        index.close()
        _move_aside(path, clock.wall_us(), str(error))
        lost = True
        index = Index(path, boot, clock, options.flushing)
        known = _read(index, identity)
    if lost:
        options.flushing.flush_directory(path.parent)
    return Opening(index, known, options, lost=lost)


def _read(index: Index, identity: Identity) -> dict[str, str]:
    db = index.connection
    row = db.execute("SELECT value FROM meta WHERE name = 'data_id'").fetchone()
    if row is None:
        with index.transaction():
            db.execute("INSERT INTO meta VALUES ('data_id', ?)", (identity.data_id,))
    elif row[0] != identity.data_id:
        raise LongwatchError(
            f"{index.path} belongs to data folder {row[0]}, its volume to {identity.data_id}",
            remedy="put the right index back, or move this one away: it is then made again from the files",
        )
    return {str(uuid): str(path) for uuid, path in db.execute("SELECT uuid, path FROM volume")}


def _move_aside(path: Path, wall_us: int, why: str) -> None:
    _log.error("the index is damaged and is moved aside", path=str(path), why=why)
    for suffix in ("", "-wal", "-shm"):
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.rename(path.with_name(f"{path.name}.damaged-{wall_us}{suffix}"))
