"""The clear text behind entries about people: taken in with them, and erased so that nothing of it is left in the file.

A deleted row is not gone: SQLite leaves its bytes in its page, in pages that were split from it, and in the log of writes. So
an erasure copies what stays into a new table, puts that in the place of the old one (one transaction, with the entry
`personal_erased`), and then empties and drops the old one under `secure_delete`, which writes zeros over every page that it had.
`purge` does the second half, folds the log of writes into the file and cuts it to nothing, again and again until no reader
is in its way. All of it goes in steps of some milliseconds, since ticks wait for the same thread; a cut between two steps
leaves tables that `purge` finds and clears. Blocks that the file system or the disk keeps of a cut file are beyond us.

Owner: the index thread. Steps of two erasures never mix: `Archive` sees to that.
"""

from __future__ import annotations

import enum
import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from longwatch.archive import ops
from longwatch.archive.index import Index
from longwatch.archive.rows import enter
from longwatch.ledger import kinds

DAY_US = 86_400_000_000
MOST_KEYS = 1_000
MOST_RUNS = 2_000  # ranges of seqs in one `personal_erased`; an entry is at most 65,535 bytes
_EARLIEST_US = 1_704_067_200_000_000  # of 2024: a clock that says less was never set
_HOUR_US = 3_600_000_000
_PURGE = "personal_in_log"
STEP_ROWS = 2_000
_INDEXES = {
    "personal_by_age": "CREATE INDEX personal_by_age ON personal (wall_us)",
    "personal_by_subject": "CREATE INDEX personal_by_subject ON personal (subject, seq)",
}


@dataclass(frozen=True, slots=True)
class Keyed:
    """An entry from elsewhere. key: the same each time it is handed over."""

    key: str
    entry: ops.Entry


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did. count: entries whose text went. seq: the first entry that says so; None where there was nothing."""

    count: int
    seq: int | None


def take(index: Index, items: Sequence[Keyed]) -> list[int]:
    """Enter what was not taken before, all in one transaction. The number of each, whenever it was entered."""
    seqs = []
    with index.transaction() as db:
        for item in items:
            known = db.execute("SELECT seq FROM receipt WHERE key = ?", (item.key,)).fetchone()
            if known is None:
                seqs.append(enter(index, item.entry))
                db.execute("INSERT INTO receipt VALUES (?, ?)", (item.key, seqs[-1]))
            else:
                seqs.append(int(known[0]))
        db.execute(
            "DELETE FROM receipt WHERE seq <= (SELECT seq FROM receipt ORDER BY seq DESC LIMIT 1 OFFSET ?)",
            (MOST_KEYS,),
        )
    return seqs


@dataclass(frozen=True, slots=True)
class Choice:
    """What goes. which, values: a condition on rows of `personal`. why: age or asked. by: who asked, with a reason."""

    which: str
    values: tuple[int, ...]
    why: str
    subject: int | None = None
    by: ops.Person | None = None


def of_subject(subject: int, by: ops.Person) -> Choice:
    """All there is of one person."""
    return Choice("subject = ?", (subject,), "asked", subject, by)


def too_old(index: Index, max_age_us: int, now_us: int, *, may_leap: bool) -> tuple[Choice | None, str]:
    """What is older than max_age_us, by whole days, so that it goes once a day and nothing is ever older; and why nothing may go,
    "" where it may. Call only while time is trusted. may_leap: more than a day's worth may go at once.

    What was written while the clock was never set, or lay ahead, ages from now on: its own time says nothing.
    """
    db = index.connection
    odd, limits = "wall_us < ? OR wall_us > ?", (_EARLIEST_US, now_us + _HOUR_US)
    if db.execute(f"SELECT 1 FROM personal WHERE {odd} LIMIT 1", limits).fetchone():  # noqa: S608  # a constant
        with index.transaction():
            db.execute(f"UPDATE personal SET wall_us = ? WHERE {odd}", (now_us, *limits))  # noqa: S608  # a constant
    oldest = db.execute("SELECT min(wall_us) FROM personal").fetchone()[0]
    until_us = -(-(now_us - max_age_us) // DAY_US) * DAY_US
    if oldest is None or oldest >= until_us:
        return None, ""
    if until_us - oldest > 2 * DAY_US and not may_leap:
        return None, "more than a day's worth of personal text would expire at once"
    return Choice("wall_us < ?", (until_us,), "age"), ""


# -- erasing: `begin`, `copy` until it has all, `swap`; then `purge`


def begin(index: Index) -> None:
    """An empty table for what stays. `purge` has cleared what another erasure left."""
    db = index.connection
    (text,) = db.execute("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'personal'").fetchone()
    with index.transaction():
        db.execute(re.sub(r'^CREATE TABLE "?personal"?', "CREATE TABLE personal_next", text))


def copy(index: Index, choice: Choice, after: int) -> int:
    """Some of what stays, behind entry `after` (-1 at first). The entry to go on from; -1 once there is no more."""
    db = index.connection
    (last,) = db.execute(
        "SELECT max(seq) FROM (SELECT seq FROM personal WHERE seq > ? ORDER BY seq LIMIT ?)", (after, STEP_ROWS)
    ).fetchone()
    if last is None:
        return -1
    with index.transaction():
        _copy(db, choice, after, int(last))
    return int(last)


def _copy(db: sqlite3.Connection, choice: Choice, after: int, last: int) -> None:
    db.execute(
        f"INSERT INTO personal_next SELECT * FROM personal WHERE seq > ? AND seq <= ? AND NOT ({choice.which}) ORDER BY seq",  # noqa: S608  # constants of this page
        (after, last, *choice.values),
    )


def swap(index: Index, choice: Choice, after: int) -> Erased:
    """What came meanwhile, the new table in the place of the old one, and the entry: from here on it is erased."""
    db = index.connection
    with index.transaction():
        _copy(db, choice, after, 1 << 62)
        wanted = f"SELECT seq FROM personal WHERE {choice.which} ORDER BY seq"  # noqa: S608  # constants of this page
        seqs = [row[0] for row in db.execute(wanted, choice.values)]
        for name in _INDEXES:
            db.execute(f"DROP INDEX IF EXISTS {name}")
        db.execute("ALTER TABLE personal RENAME TO personal_gone")
        db.execute("ALTER TABLE personal_next RENAME TO personal")
        first = _tell(index, seqs, choice)
        db.execute("INSERT OR REPLACE INTO meta VALUES (?, 1)", (_PURGE,))
    return Erased(len(seqs), first)


def tell_nothing(index: Index, choice: Choice) -> Erased:
    """Somebody asked, and there is nothing: that is an entry too."""
    with index.transaction():
        return Erased(0, _tell(index, (), choice))


def there_is(index: Index, choice: Choice) -> bool:
    """Whether there is anything to erase."""
    rows = index.connection.execute(f"SELECT 1 FROM personal WHERE {choice.which} LIMIT 1", choice.values)  # noqa: S608  # constants of this page
    return rows.fetchone() is not None


def _tell(index: Index, seqs: Sequence[int], choice: Choice) -> int:
    runs = _runs(seqs)
    first = None
    for at in range(0, max(1, len(runs)), MOST_RUNS):
        part = runs[at : at + MOST_RUNS]
        body: dict[str, object] = {
            "seqs": part,
            "count": sum(last - begin + 1 for begin, last in part),
            "why": choice.why,
        }
        if choice.subject is not None:
            body["subject"] = choice.subject
        seq = enter(index, ops.Entry(kinds.PERSONAL_ERASED, body, choice.by))
        first = seq if first is None else first
    assert first is not None
    return first


def _runs(seqs: Iterable[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for seq in seqs:
        if runs and runs[-1][1] == seq - 1:
            runs[-1][1] = seq
        else:
            runs.append([seq, seq])
    return runs


class Purged(enum.Enum):
    """ALL: nothing that was erased is left in the file. MORE: call again. BUSY: a reader is in the way; call again soon."""

    ALL = "all"
    MORE = "more"
    BUSY = "busy"


def purge(index: Index) -> Purged:
    """One step of clearing what erasures left: indexes, old tables, the log of writes. Never waits: ticks are behind it."""
    db = index.connection
    names = {row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'personal%'")}
    for table in ("personal_next", "personal_gone"):
        if table in names:
            _empty(index, table)
            return Purged.MORE
    for name, text in _INDEXES.items():
        if name not in names:
            with index.transaction():
                db.execute(text)
            return Purged.MORE
    if db.execute("SELECT 1 FROM meta WHERE name = ?", (_PURGE,)).fetchone() is None:
        return Purged.ALL
    if not _cut_log(db):
        return Purged.BUSY
    with index.transaction():
        db.execute("DELETE FROM meta WHERE name = ?", (_PURGE,))
    return Purged.ALL


def _empty(index: Index, table: str) -> None:
    """Some rows of a table that is not needed any more, then the table: every page that it had is zeros when it is gone."""
    db = index.connection
    db.execute("PRAGMA secure_delete = ON")
    try:
        with index.transaction():
            some = f"SELECT seq FROM {table} ORDER BY seq LIMIT {STEP_ROWS}"  # noqa: S608  # constants of this page
            if not db.execute(f"DELETE FROM {table} WHERE seq IN ({some})").rowcount:  # noqa: S608  # constants of this page
                db.execute(f"DROP TABLE {table}")
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, 1)", (_PURGE,))
    finally:
        index.connection.execute("PRAGMA secure_delete = OFF")


def _cut_log(db: sqlite3.Connection) -> bool:
    patience = db.execute("PRAGMA busy_timeout").fetchone()[0]
    db.execute("PRAGMA busy_timeout = 0")
    try:
        busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError:
        busy = 1
    finally:
        db.execute(f"PRAGMA busy_timeout = {patience}")
    return not busy


def left_behind(index: Index) -> list[str]:
    """Files beside the index that may hold what was erased from it: those of a damaged index that was moved aside."""
    return sorted(str(path) for path in Path(index.path).parent.glob(f"{index.path.name}.damaged-*"))
