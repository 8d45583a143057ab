"""Opening the index of a data folder: as it is, new, or made again from the files where it is lost.

A damaged index is moved aside, never removed. Owner: the index thread.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from longwatch.archive.index import Index
from longwatch.archive.log_files import LEDGER
from longwatch.archive.log_opening import OpenedLog, open_log
from longwatch.archive.options import Options
from longwatch.archive.rebuild import read_closed_files, rebuild
from longwatch.archive.recovery import Recovery, RecoveryReport
from longwatch.archive.restoring_meaning import retell
from longwatch.archive.retention import Keeper
from longwatch.archive.volumes import (
    INDEX,
    MEDIA,
    Identity,
    Lock,
    Place,
    VolumeState,
    classify,
    create_first,
    join_volume,
    read_identity,
    survey,
)  # fmt: skip
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

    def recover(self, volumes: Mapping[int, Path], first: Identity, absent: int) -> tuple[RecoveryReport, OpenedLog]:
        """Hold the ledger against its files; rebuild where the index was lost; finish removals; mend what a cut left open.

        absent: how many volumes of the folder are not there.
        """
        began = time.monotonic_ns()
        flushing = self._options.flushing
        unclosed: list[tuple[int, Path]] = []
        lost = self._lost and any((path / MEDIA).is_dir() or (path / LEDGER).is_dir() for path in volumes.values())
        found = read_closed_files(volumes) if lost else None
        with self.index.transaction("L1", "L2") as db:
            log = open_log(
                self.index, volumes, self.index.path.parent, self._options.post, first.data_id, absent, flushing, index_lost=lost
            )  # fmt: skip
            restored = log.restored
            if restored is not None and restored.entries and found is None:
                found = read_closed_files(
                    volumes
                )  # the index is older than the ledger's files: media may be there that it lacks
            if found is not None:
                _log.warning("rows are made again from the files", index_lost=lost)
                unclosed = rebuild(self.index, found).unclosed
            if restored is not None and restored.entries:
                end = restored.after_size + restored.entries
                retell(self.index, restored.after_size, end, all_here=absent == 0)
            db.execute("DELETE FROM meta WHERE name = 'lost'")
        finished = Keeper(self.index, volumes, self._options).finish()
        report = Recovery(self.index, volumes, flushing).run(unclosed)
        report.rebuilt = lost
        report.entries_restored = log.restored.entries if log.restored is not None else 0
        report.removals_finished = finished
        report.recover_us = (time.monotonic_ns() - began) // 1000
        return report, log


def open_index(path: Path, identity: Identity, clock: Clock, boot: str, options: Options) -> Opening:
    """The index of the folder `identity` names. Raises LongwatchError where it belongs to another, or is of a newer format."""
    index = Index(path, boot, clock, options.flushing)
    try:
        known = _read(index, identity)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _BROKEN:
            raise
        index.close()
        _move_aside(path, clock.wall_us(), str(error))
        index = Index(path, boot, clock, options.flushing)
        known = _read(index, identity)
    lost = index.connection.execute("SELECT 1 FROM meta WHERE name = 'lost'").fetchone() is not None
    if lost:
        options.flushing.flush_directory(path.parent)
    return Opening(index, known, options, lost=lost)


def _read(index: Index, identity: Identity) -> dict[str, str]:
    db = index.connection
    row = db.execute("SELECT value FROM meta WHERE name = 'data_id'").fetchone()
    if row is None:  # `lost` goes with the transaction that fills it: a start that is cut begins again
        with index.transaction():
            db.execute("INSERT INTO meta VALUES ('data_id', ?), ('lost', 1)", (identity.data_id,))
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


@dataclass(frozen=True, slots=True)
class OpenedFolder:
    """A data folder that is locked, indexed and recovered. rows: of each place's volume in the index; 0 where it holds none of ours."""

    index: Index
    report: RecoveryReport
    places: list[Place]
    rows: list[int]
    locks: list[Lock]
    log: OpenedLog


def open_folder(paths: list[Path], options: Options, clock: Clock, boot: str) -> OpenedFolder:
    """Survey, lock, index, recovery: on the index thread. Raises LongwatchError."""
    try:
        return _open_folder(paths, options, clock, boot)
    except (OSError, sqlite3.Error) as error:
        raise LongwatchError(
            f"the data folder {paths[0]} cannot be opened",
            why=str(error),
            remedy="see that its disk is there and writable, and that it belongs to the user that runs this",
        ) from error


def _open_folder(paths: list[Path], options: Options, clock: Clock, boot: str) -> OpenedFolder:
    flushing = options.flushing
    found = survey(paths)
    fresh = found[0] is None
    if fresh:
        paths[0].mkdir(parents=True, exist_ok=True)
    locks = [Lock(paths[0])]
    opening = None
    try:
        first = found[0] or read_identity(paths[0]) or create_first(paths[0], flushing)
        locks.extend(
            Lock(p) for p, i in zip(paths[1:], found[1:], strict=True) if i is not None and i.data_id == first.data_id
        )
        opening = open_index(paths[0] / INDEX, first, clock, boot, options)
        places = classify(paths, found, first, opening.known)
        for n, place in enumerate(places):
            if place.state is VolumeState.OK and place.identity is None:
                others = [(p.path, p.identity) for p in places if p.identity is not None]
                places[n] = Place(place.path, join_volume(place.path, others, flushing), VolumeState.OK)
                places = [
                    p if p.identity is None else Place(p.path, read_identity(p.path), p.state, p.detail) for p in places
                ]
                locks.append(Lock(place.path))
        rows = opening.register(places)
        well = {row: p.path for row, p in zip(rows, places, strict=True) if p.state is VolumeState.OK}
        here = {p.identity.volume_id for p in places if p.identity is not None and p.state is VolumeState.OK}
        report, log = opening.recover(well, first, len(set(first.volumes) - here))
        report.fresh = fresh
        report.warnings.extend(f"{p.path}: {p.detail}" for p in places if p.state is not VolumeState.OK)
        return OpenedFolder(opening.index, report, places, rows, locks, log)
    except BaseException:
        if opening is not None:
            opening.index.close()
        for lock in locks:
            lock.release()
        raise
