"""A data folder as verification finds it: its volumes, its index, the heads and keys of its logs. Reads only."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from longwatch.archive.log_files import CHECKPOINT, KEY, log_folder, log_numbers
from longwatch.archive.verifying_log import Head, LogCopies, Volume, head_of, read_head, read_key
from longwatch.archive.verifying_rows import IndexLook
from longwatch.archive.volumes import IDENTITY, INDEX, Identity, read_identity
from longwatch.base.errors import LongwatchError, UsageError
from longwatch.base.rfc3339 import format_us
from longwatch.ledger.findings import Kind
from longwatch.ledger.judging_index import IndexFacts

Say = Callable[[Kind, str, str], None]


class Folder:
    """What is there. say: takes what is wrong with it. more: where other volumes may be, besides where they were seen last and beside
    it. index: None where there is none that can be read.
    """

    def __init__(self, path: Path, more: Sequence[Path], say: Say, *, without_index: bool = False) -> None:
        self._path = path
        self._say = say
        self._identity = _identity(path)
        self.facts = IndexFacts()
        self._row: tuple[int, str, bytes, int, bytes, str] | None = None
        self.volumes = self._find_volumes(path, more)
        self.index = None if without_index else self._open_index()

    def close(self) -> None:
        """Let go of the index."""
        if self.index is not None:
            self.index.close()

    def _find_volumes(self, path: Path, more: Sequence[Path]) -> list[Volume]:
        identity = self._identity
        if identity is None and not any((path / name).exists() for name in ("media", "ledger", INDEX)):
            raise UsageError(
                f"{path} is neither a data folder nor an evidence package", remedy="give the folder with volume.json"
            )
        if identity is None:
            self._say(Kind.REMOVED, "volume.json", "the folder does not say which volume it is")
            return [Volume("", path, path.name)]
        found = {identity.volume_id: Volume(identity.volume_id, path, path.name or str(path))}
        for other in [*more, *_siblings(path)]:
            self._add_volume(found, other, identity.data_id)
        return list(found.values())

    def _add_volume(self, found: dict[str, Volume], path: Path, data_id: str) -> None:
        identity = _identity(path)
        if identity is not None and identity.data_id == data_id and identity.volume_id not in found:
            found[identity.volume_id] = Volume(identity.volume_id, path, path.name or str(path))

    def _open_index(self) -> IndexLook | None:
        places = [self._path, *(volume.path for volume in self.volumes)]
        path = next((place / INDEX for place in places if (place / INDEX).exists()), None)
        if path is None:
            self._say(Kind.NOT_HERE, INDEX, "there is no index: log and media alone were judged")
            return None
        index = None
        try:
            index = IndexLook(path)
            known, data_id = index.volumes(), index.data_id()
        except (sqlite3.Error, OSError, TypeError, ValueError) as error:
            if index is not None:
                index.close()
            self._unreadable(error)
            return None
        if self._identity is not None:
            found = {volume.uuid: volume for volume in self.volumes}
            for where in known.values():
                self._add_volume(found, Path(where), self._identity.data_id)
            self.volumes = list(found.values())
            if data_id != self._identity.data_id:
                self._say(Kind.CHANGED, INDEX, f"it is the index of another folder: {data_id}")
        return index

    def read_rows(self, number: int) -> LogCopies:
        """The rows that the ledger judges, and the rows of the ledger that judges them, as of one moment: a recorder may be at work.

        number: of the log. Heads are read before: then no head is newer than these rows.
        """
        if self.index is None:
            return LogCopies(self.volumes, None, number)
        with self.index.standing_still():
            if self._read_facts(self.index):
                return LogCopies(self.volumes, self.index, number)
        self.index.close()
        self.index = None
        return LogCopies(self.volumes, None, number)

    def _read_facts(self, index: IndexLook) -> bool:
        """False where they cannot be read."""
        try:
            self.facts, wrong = index.facts(), index.wrong_days()
        except (sqlite3.Error, TypeError, ValueError) as error:
            self._unreadable(error)
            return False
        for camera, stream, day_us in wrong:
            what = f"index, wide view of {camera}/{stream}, {format_us(day_us)[:10]}"
            self._say(Kind.CHANGED, what, f"{camera}: it is not what spans and gaps of that day say")
        return True

    def _unreadable(self, error: Exception) -> None:
        self._say(Kind.CHANGED, INDEX, f"the index cannot be read: {error}")

    def absent(self) -> list[str]:
        """Volumes of the folder that are not here."""
        here = {volume.uuid for volume in self.volumes}
        return [] if self._identity is None else [uuid for uuid in self._identity.volumes if uuid not in here]

    def heads(self) -> Iterator[Head]:
        """Every checkpoint that stands somewhere, whoever signed it."""
        for volume in self.volumes:
            for number in log_numbers(volume.path):
                what = f"{volume.label}/ledger/{number}/{CHECKPOINT}"
                head = read_head(log_folder(volume.path, number) / CHECKPOINT, what, number)
                if head is not None:
                    yield head
        row = self.log_row()
        if row is not None and row[5]:
            head = head_of(row[5].encode(), "index row of the log", row[0])
            if head is not None:
                yield head

    def keys(self, number: int) -> list[bytes]:
        """Public keys that are found beside a log, each as often as it is found."""
        found = [read_key(log_folder(volume.path, number) / KEY) for volume in self.volumes]
        row = self.log_row()
        if row is not None and row[0] == number:
            found.append(bytes(row[2]))
        return [key for key in found if key is not None]

    def log_row(self) -> tuple[int, str, bytes, int, bytes, str] | None:
        """The row that keeps the largest head ever signed, as it was when it was first asked for."""
        if self.index is None:
            return None
        if self._row is None:
            self._row = self.index.log()
        return self._row

    def numbers(self) -> list[int]:
        """Of the logs that volumes have files of."""
        return [number for volume in self.volumes for number in log_numbers(volume.path)]


def _identity(path: Path) -> Identity | None:
    try:
        return read_identity(path)
    except LongwatchError as error:
        if "newer version" in str(error):
            raise
        return None


def _siblings(path: Path) -> list[Path]:
    """Folders beside it: where a copy of all volumes has them."""
    try:
        return sorted(entry for entry in path.resolve().parent.iterdir() if (entry / IDENTITY).is_file())
    except OSError:
        return []
