"""The ledger for those who only read: entries by what they hold, leaf hashes, the personal text beside them. mode=ro."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from longwatch.archive.reader import LedgerRow, connect_to_read
from longwatch.archive.volumes import INDEX
from longwatch.base.errors import LongwatchError
from longwatch.ledger import kinds

_SEAL = f'"kind":"{kinds.SEGMENT_SEALED}"'.encode()  # in the last 120 bytes of a seal: canonical keys are sorted


class LogRow(NamedTuple):
    """The log of this folder. number: of its folder `ledger/NUMBER` on every volume. key: the raw public key."""

    number: int
    origin: str
    key: bytes


class LedgerReader:
    """Looks at the ledger of one data folder. For one thread. Raises LongwatchError where there is no index to read."""

    def __init__(self, volumes: Sequence[Path]) -> None:
        self.volumes = tuple(volumes)
        self._db = connect_to_read(volumes[0] / INDEX)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise LongwatchError("the ledger cannot be read", why=str(error)) from error

    def size(self) -> int:
        """How many entries there are."""
        last = self._rows("SELECT max(seq) FROM ledger")[0][0]
        return 0 if last is None else int(last) + 1

    def speaking_of(self, camera: str, first: int, end: int) -> list[LedgerRow]:
        """Of the entries [first, end), in order: those that name a camera, and all that are no seal, whatever they name.

        Each row of that range is looked at, a million in a second or two: ask in parts.
        """
        named = f'"camera":{json.dumps(camera)}'.encode()
        rows = self._rows(
            "SELECT seq, leaf, entry FROM ledger WHERE seq >= ? AND seq < ?"
            " AND (instr(substr(entry, -120), ?) = 0 OR instr(entry, ?)) ORDER BY seq",
            (first, end, _SEAL, named),
        )
        return [LedgerRow(*row) for row in rows]

    def leaves(self, first: int, end: int) -> list[bytes]:
        """The leaf hashes of the entries [first, end). Raises LongwatchError where one is missing."""
        found = [
            row[0]
            for row in self._rows("SELECT leaf FROM ledger WHERE seq >= ? AND seq < ? ORDER BY seq", (first, end))
        ]
        if len(found) != max(0, end - first):
            raise LongwatchError(
                f"the ledger has a hole between entry {first} and {end}", remedy="run `longwatch check --ledger`"
            )
        return found

    def personal(self, seq: int) -> tuple[bytes, str] | None:
        """Salt and text behind the commitment of an entry; None where it has none, or they were erased."""
        rows = self._rows("SELECT salt, text FROM personal WHERE seq = ?", (seq,))
        return None if not rows else (rows[0][0], rows[0][1])

    def log(self) -> LogRow | None:
        """The log that is written now; None before the first checkpoint."""
        rows = self._rows("SELECT number, origin, key FROM log")
        return None if not rows else LogRow(*rows[0])

    def head(self) -> tuple[int, str] | None:
        """The largest head signed so far: its size and the signed note. None before the first."""
        rows = self._rows("SELECT signed_size, checkpoint FROM log")
        return (int(rows[0][0]), str(rows[0][1])) if rows and rows[0][1] else None

    def of_clock(self, from_us: int, to_us: int) -> list[LedgerRow]:
        """Starts, steps of the clock and corrections of time that were told in [from_us, to_us), by number. A start or a step is placed by
        the clock as it was believed from then on, corrected since.
        """
        sql = (
            "SELECT l.seq, l.leaf, l.entry FROM ledger l JOIN clock c ON c.seq = l.seq"
            " WHERE c.boot_us + c.offset_us + c.shift_us >= ?1 AND c.boot_us + c.offset_us + c.shift_us < ?2"
            " UNION SELECT l.seq, l.leaf, l.entry FROM ledger l JOIN mention m ON m.seq = l.seq"
            " WHERE m.kind = 'time_corrected' AND m.at_us >= ?1 AND m.at_us < ?2 ORDER BY 1"
        )
        return [LedgerRow(*row) for row in self._rows(sql, (from_us, to_us))]
