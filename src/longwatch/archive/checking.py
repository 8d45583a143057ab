"""Index against files, at three costs, and what can be mended.

`size`: every row has its file, as long as it should be, and every file a row. `hash`: also every fragment's SHA-256, and each
root. `ledger`: entries without a hole, each with its leaf hash, each seal equal to its row, the published files of every volume, and
the days for wide views against what they are made of.
Reads on its own read-only connection; mends through the index thread (published files: `Publisher.republish`). No file is ever
removed.
"""

from __future__ import annotations

import enum
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from longwatch.archive import fragment_table, names
from longwatch.archive.checking_published import check_published
from longwatch.archive.index import Index
from longwatch.archive.reader import connect_to_read
from longwatch.archive.recovery import adopt, listed, stream_folders
from longwatch.archive.retention import Doomed, add_gone, drop_segment, tell_removed
from longwatch.archive.rows import UNVERIFIED, hold
from longwatch.archive.wide_days import drop_days, wrong_days
from longwatch.ledger import kinds, leaf_hash, segment_root
from longwatch.model.sessions import StreamKey

PUBLISHED = "published"
_CHUNK = 1 << 20
Mend = Callable[[Callable[[Index], None]], None]
Progress = Callable[[int, int], None]


class Mode(enum.StrEnum):
    """How much is read."""

    SIZE = "size"
    HASH = "hash"
    LEDGER = "ledger"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be. kind: missing, short, longer, orphan, changed, root, hole, leaf, seal, published,
    wide.

    camera: "" where it concerns none. mended: what was done about it, "" where nothing could be.
    """

    kind: str
    what: str
    detail: str
    camera: str = ""
    mended: str = ""


@dataclass(slots=True)
class CheckReport:
    """What a check saw. verified: segments that a rebuild had left unverified, and whose media was now read and is right."""

    mode: Mode
    segments: int = 0
    bytes: int = 0
    entries: int = 0
    verified: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing is wrong, or all of it is mended."""
        return all(finding.mended for finding in self.findings)


_ROWS = (
    "SELECT s.id, st.camera, st.name, b.boot, r.number, s.sequence, s.volume_id, s.flags, s.header_bytes, s.durable_bytes,"
    " s.file_bytes, s.wall_start_us, s.wall_duration_us, s.stream_id, s.run_id, s.confirmed, f.root, f.fragments,"
    " coalesce(n.wall_us, s.wall_start_us)"
    " FROM segment s CROSS JOIN stream st ON st.id = s.stream_id CROSS JOIN run r ON r.id = s.run_id"
    " CROSS JOIN boot b ON b.id = r.boot_id LEFT JOIN fragment_table f ON f.segment_id = s.id LEFT JOIN named n ON n.segment_id = s.id"
    " WHERE s.flags & 1 AND s.id > ? ORDER BY s.id LIMIT 1000"
)


class _Check:
    def __init__(
        self,
        db: sqlite3.Connection,
        volumes: Mapping[int, Path],
        report: CheckReport,
        mend: Mend | None,
        progress: Progress | None,
    ) -> None:
        self._db = db
        self._volumes = volumes
        self._report = report
        self._mend = mend
        self._progress = progress

    def _found(
        self,
        kind: str,
        what: str,
        detail: str,
        camera: str = "",
        repair: tuple[str, Callable[[Index], None]] | None = None,
    ) -> None:
        mended = ""
        if repair is not None and self._mend is not None:
            self._mend(repair[1])
            mended = repair[0]
        self._report.findings.append(Finding(kind, what, detail, camera, mended))

    # -- files

    def files(self, *, read: bool) -> None:
        """Every sealed row against its file; then every file against the rows."""
        count = self._db.execute("SELECT coalesce(sum(segments), 0) FROM holding").fetchone()[0]
        for row in self._segments():
            self._report.segments += 1
            self._one(row, read=read)
            if self._progress is not None and self._report.segments % 100 == 0:
                self._progress(self._report.segments, count)
        self._orphans()

    def _segments(self) -> Iterator[Sequence[Any]]:
        last = 0
        while rows := self._db.execute(_ROWS, (last,)).fetchall():
            yield from rows
            last = rows[-1][0]

    def _one(self, row: Sequence[Any], *, read: bool) -> None:
        key = StreamKey(row[1], row[2])
        folder = self._volumes.get(row[6])
        if folder is None:
            return
        relative = names.segment_path(key, row[3], row[4], row[5], row[18])
        path = folder / relative
        try:
            size = path.stat().st_size
        except OSError as error:
            if self._still_there(row[0]):
                self._found(
                    "missing",
                    str(path),
                    error.strerror or "",
                    key.camera,
                    ("its row says gone", _forget(row, key, relative)),
                )
            return
        self._report.bytes += size
        if size < row[9]:
            self._found("short", str(path), f"{size} bytes, {row[9]} were acknowledged", key.camera)
        elif size != row[10]:
            self._found(
                "longer" if size > row[10] else "short",
                str(path),
                f"{size} bytes, the index says {row[10]}",
                key.camera,
            )
        elif read:
            self._read(row, path, key)

    def _still_there(self, segment: int) -> bool:
        """Retention may have removed it since the row was read."""
        row = self._db.execute(
            "SELECT 1 FROM segment WHERE id = ? AND id NOT IN (SELECT segment_id FROM removal)", (segment,)
        )
        return row.fetchone() is not None

    def _read(self, row: Sequence[Any], path: Path, key: StreamKey) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            header = hashlib.sha256(os.pread(descriptor, row[8], 0)).digest()
            fragments = fragment_table.unpack(row[17] or b"", row[8])
            wrong = [n for n, f in enumerate(fragments) if _digest(descriptor, f.offset, f.size) != f.sha256]
        except OSError as error:
            self._found("changed", str(path), f"cannot be read: {error.strerror}", key.camera)
            return
        finally:
            os.close(descriptor)
        if wrong:
            self._found("changed", str(path), f"fragments {wrong} are not what was recorded", key.camera)
        elif segment_root(header, (f.sha256 for f in fragments)) != row[16]:
            self._found("root", str(path), "the header is not what was recorded", key.camera)
        elif row[7] & UNVERIFIED and self._mend is not None:
            self._mend(lambda index, segment=row[0]: _verified(index, segment))  # type: ignore[misc]  # bound at once
            self._report.verified += 1

    def _orphans(self) -> None:
        """Files of runs that are over, and no row: a cut while the index was away, or a person's copy."""
        for volume, folder in self._volumes.items():
            for stream in stream_folders(folder):
                for day in sorted(listed(stream)):
                    for name in sorted(listed(stream / day)):
                        self._maybe_orphan(volume, folder, stream / day / name)

    def _maybe_orphan(self, volume: int, folder: Path, path: Path) -> None:
        name = names.parse_name(path.name)
        if name is None:
            self._found("orphan", str(path), "not a name of ours")
            return
        rows = self._db.execute(
            "SELECT r.id, r.end_boot_us, (SELECT id FROM segment WHERE run_id = r.id AND sequence = ?)"
            " FROM run r JOIN boot b ON b.id = r.boot_id WHERE r.number = ? AND substr(b.boot, 1, 8) = ?",
            (name.sequence, name.run, name.boot8),
        ).fetchall()
        if any(row[2] is not None or row[1] is None for row in rows):
            return
        last = self._db.execute("SELECT max(number) FROM run").fetchone()[0] or 0
        if not rows and name.run > last:
            return  # of a run that begins at this moment
        detail = "a file without a row"
        camera = path.parent.parent.parent.name
        done: list[bool] = []
        if self._mend is not None:
            self._mend(lambda index: done.append(adopt(index, {volume: folder}, volume, path)))
        adopted = "adopted" if done and done[0] else ""
        self._report.findings.append(Finding("orphan", str(path), detail, camera, adopted))

    def wide(self) -> None:
        """Every day for wide views against the rows that it is made of."""
        names_of = dict(self._db.execute("SELECT id, camera FROM stream"))
        for wrong in wrong_days(self._db):
            repair = ("made again", partial(drop_days, wrong=[wrong]))
            what = f"day {wrong.day} since 1970 of the wide view"
            self._found("wide", what, "not what spans and gaps say", names_of.get(wrong.stream_id, ""), repair)

    # -- ledger

    def ledger(self) -> None:
        """Every entry, in order; every seal against its row."""
        expected = 0
        for seq, leaf, entry in self._db.execute("SELECT seq, leaf, entry FROM ledger ORDER BY seq"):
            self._report.entries += 1
            if seq != expected:
                self._found("hole", f"ledger entry {expected}", f"the next one is {seq}")
            expected = seq + 1
            if leaf_hash(entry) != leaf:
                self._found("leaf", f"ledger entry {seq}", "its leaf hash is not that of its bytes")
                continue
            self._entry(seq, entry)
            if self._progress is not None and self._report.entries % 10_000 == 0:
                self._progress(self._report.entries, self._report.entries)

    def published(self) -> None:
        """The ledger's files."""
        for what, detail in check_published(self._db, self._volumes):
            self._found(PUBLISHED, what, detail)

    def _entry(self, seq: int, entry: bytes) -> None:
        try:
            content = json.loads(entry)
            number, kind, body = content["seq"], content["kind"], content["body"]
        except (ValueError, KeyError, TypeError):
            self._found("leaf", f"ledger entry {seq}", "is not an entry")
            return
        if number != seq:
            self._found("leaf", f"ledger entry {seq}", f"calls itself {number}")
        if kind == kinds.SEGMENT_SEALED:
            row = self._db.execute(
                "SELECT f.root, s.durable_bytes, s.fragments FROM segment s JOIN run r ON r.id = s.run_id"
                " JOIN boot b ON b.id = r.boot_id JOIN fragment_table f ON f.segment_id = s.id"
                " WHERE r.number = ? AND b.boot = ? AND s.sequence = ?",
                (body["run"], body["boot"], body["sequence"]),
            ).fetchone()
            said = (body["root"], body["durable_bytes"], body["fragments"])
            if row is not None and (row[0].hex(), row[1], row[2]) != said:
                what = f"{body['camera']}/{body['stream']} run {body['run']} sequence {body['sequence']}"
                self._found("seal", what, f"its row differs from its seal, ledger entry {seq}", str(body["camera"]))


def _digest(descriptor: int, offset: int, size: int) -> bytes:
    digest = hashlib.sha256()
    end = offset + size
    while offset < end:
        part = os.pread(descriptor, min(_CHUNK, end - offset), offset)
        if not part:
            break
        digest.update(part)
        offset += len(part)
    return digest.digest()


def _verified(index: Index, segment: int) -> None:
    with index.transaction() as db:
        db.execute("UPDATE segment SET flags = flags & ? WHERE id = ?", (~UNVERIFIED, segment))


def _forget(row: Sequence[Any], key: StreamKey, path: str) -> Callable[[Index], None]:
    """What is recorded and no longer there is `gone`, and the ledger says that nobody of ours removed it."""
    doomed = Doomed(
        row[0],
        row[13],
        key,
        row[14],
        row[5],
        row[6],
        path,
        row[11],
        row[11] + row[12],
        row[10],
        bool(row[15]),
        "missing",
    )

    def forget(index: Index) -> None:
        with index.transaction() as db:
            if db.execute("SELECT 1 FROM segment WHERE id = ?", (doomed.id,)).fetchone() is None:
                return
            drop_segment(db, doomed.id)
            hold(db, doomed.stream, doomed.volume, -1, -doomed.bytes)
            add_gone(db, doomed)
            tell_removed(index, [doomed])

    return forget


def still_wrong(index: Path, volumes: Mapping[int, Path]) -> set[str]:
    """The published files that are not what the index says, by path."""
    db = connect_to_read(index)
    try:
        return {what for what, _ in check_published(db, volumes)}
    finally:
        db.close()


def run_check(
    index: Path,
    volumes: Mapping[int, Path],
    mode: Mode,
    progress: Progress | None = None,
    *,
    repair: Mend | None = None,
) -> CheckReport:
    """The check itself, blocking. volumes: row to path. repair: carries out a repair on the index thread; None: only look.

    A row whose media was read and is right loses its mark "unverified" where repair is given.
    """
    report = CheckReport(mode)
    db = connect_to_read(index)
    try:
        check = _Check(db, volumes, report, repair, progress)
        if mode is Mode.LEDGER:
            check.ledger()
            check.published()
            check.wide()
        else:
            check.files(read=mode is Mode.HASH)
    finally:
        db.close()
    return report
