"""The row of table `log`: which log this folder keeps, and the largest head ever signed of it.

Committed before a checkpoint leaves the process, so that nothing smaller and nothing else is ever signed after it. Where a log
cannot be kept (its key is lost, or what was signed is not what the index holds), another begins: a new number, a new origin, and an
entry that names the old one. Its tree is that of the whole table `ledger`: an entry's number is its leaf in every log of the
folder. Owner: the index thread.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from longwatch.archive.index import Index
from longwatch.ledger import EMPTY_ROOT, kinds
from longwatch.ledger.checkpoint import Checkpoint, origin_of, vkey


class LogChangedError(Exception):
    """The head that was to be noted is not one that may be signed any more: another log began, or a larger head was signed."""


@dataclass(frozen=True, slots=True)
class SignedLog:
    """The row. text: the checkpoint of `size` entries as it was signed; "" before the first."""

    number: int
    origin: str
    key: bytes
    size: int = 0
    root: bytes = EMPTY_ROOT
    text: str = ""

    @property
    def head(self) -> dict[str, object]:
        """What a log that follows says of this one."""
        return {"origin": self.origin, "size": self.size, "root": self.root.hex()}


def read_log(db: sqlite3.Connection) -> SignedLog | None:
    """The row; None where no log was begun."""
    row = db.execute("SELECT number, origin, key, signed_size, signed_root, checkpoint FROM log").fetchone()
    return None if row is None else SignedLog(*row)


def write_log(db: sqlite3.Connection, log: SignedLog) -> None:
    """The row, whatever it was before; within the caller's transaction."""
    db.execute(
        "INSERT OR REPLACE INTO log VALUES (1, ?, ?, ?, ?, ?, ?)",
        (log.number, log.origin, log.key, log.size, log.root, log.text),
    )


def begin_log(
    index: Index, post: str, data_id: str, number: int, key: bytes, previous: dict[str, object] | None, why: str
) -> SignedLog:
    """Another log, with its entry; within the caller's transaction. previous: `SignedLog.head` of the one before, as far as it is
    known. why: for people.
    """
    origin = origin_of(post, data_id, number)
    log = SignedLog(number, origin, key)
    write_log(index.connection, log)
    body = {"origin": origin, "key": vkey(origin, key), "previous": previous, "why": why}
    index.append(kinds.LOG_BEGUN, body)
    return log


def begin_next(index: Index, before: SignedLog, key: bytes, why: str) -> SignedLog:
    """The log after `before`, in a transaction of its own. Raises sqlite3.Error."""
    post, data_id, number = before.origin.removeprefix("longwatch/").rsplit("/", 2)
    with index.transaction("P1", "P2"):
        return begin_log(index, post, data_id, int(number) + 1, key, before.head, why)


def note_signed(index: Index, log: SignedLog, signed: Checkpoint, text: str) -> SignedLog:
    """The largest head signed is now this one: durable when this returns. Raises sqlite3.Error, and LogChangedError where it may not
    be: then `text` must not leave the process.
    """
    with index.transaction("P1", "P2") as db:
        changed = db.execute(
            "UPDATE log SET signed_size = ?, signed_root = ?, checkpoint = ? WHERE number = ? AND key = ? AND"
            " (signed_size < ? OR (signed_size = ? AND signed_root = ?))",
            (signed.size, signed.root, text, log.number, log.key, signed.size, signed.size, signed.root),
        ).rowcount
        if changed != 1:
            raise LogChangedError(f"a head of {signed.size} entries of {log.origin} may not be signed")
    return SignedLog(log.number, log.origin, log.key, signed.size, signed.root, text)
