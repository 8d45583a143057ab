"""Single rows of the index: how a run, a segment, a seal, a span or a gap is written. Used by ticks, recovery and rebuild alike.

Every function works within the caller's transaction, on the index thread.
"""

from __future__ import annotations

import os
import sqlite3
from typing import NamedTuple

from longwatch.archive import ops
from longwatch.archive.clock_rows import note_clock
from longwatch.archive.index import Index
from longwatch.archive.mentions import remember
from longwatch.archive.segment_files import SegmentState
from longwatch.archive.supply import note_mains
from longwatch.ledger import kinds, people
from longwatch.model.sessions import StreamKey

SEALED, DAMAGED, RECOVERED, UNVERIFIED, ABANDONED = 1, 2, 4, 8, 16


class GapPlace(NamedTuple):
    """Where a gap's row stands."""

    id: int
    stream_id: int
    from_us: int


def run_row(db: sqlite3.Connection, boot: str, number: int, stream: int, start_boot_us: int | None) -> int:
    """The row of a run, made where there is none."""
    db.execute("INSERT OR IGNORE INTO boot (boot) VALUES (?)", (boot,))
    row = db.execute(
        "SELECT run.id FROM run JOIN boot ON boot.id = run.boot_id WHERE number = ? AND boot = ?", (number, boot)
    ).fetchone()
    if row is None:
        row = db.execute(
            "INSERT INTO run (boot_id, number, stream_id, start_boot_us)"
            " VALUES ((SELECT id FROM boot WHERE boot = ?), ?, ?, ?) RETURNING id",
            (boot, number, stream, start_boot_us),
        ).fetchone()
    return int(row[0])


def segment_flags(state: SegmentState) -> int:
    """The `flags` of a segment's row."""
    return (
        (SEALED if state.sealed else 0)
        | (DAMAGED if state.damaged else 0)
        | (RECOVERED if state.recovered else 0)
        | (ABANDONED if state.abandoned else 0)
    )


def insert_segment(db: sqlite3.Connection, state: SegmentState, stream: int, run: int, flags: int) -> int:
    """A new row; returns its id."""
    opened = state.opened
    row = db.execute(
        "INSERT INTO segment (stream_id, run_id, sequence, volume_id, flags, provenance, fragments, header_bytes, durable_bytes,"
        " file_bytes, start_90k, duration_90k, wall_start_us, wall_duration_us)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            stream, run, opened.sequence, state.volume, flags, int(opened.provenance), state.count, state.header_bytes,
            state.durable_bytes, state.file_bytes, opened.start_90k, state.end_90k - opened.start_90k, opened.wall_start_us,
            max(0, state.wall_end_us - opened.wall_start_us),
        ),
    ).fetchone()  # fmt: skip
    return int(row[0])


def seal_rows(index: Index, db: sqlite3.Connection, segment: int, state: SegmentState, stream: int) -> None:
    """What a seal adds: the fragment table, the holding, and the ledger's entry."""
    db.execute("DELETE FROM open_segment WHERE segment_id = ?", (segment,))
    db.execute("INSERT OR REPLACE INTO fragment_table VALUES (?, ?, ?)", (segment, state.root, state.fragments))
    hold(db, stream, state.volume, 1, state.file_bytes)
    opened = state.opened
    body = kinds.sealed(
        opened.key, state.boot, opened.run, opened.sequence, state.root, state.count, state.durable_bytes,
        opened.wall_start_us, state.wall_end_us, opened.provenance.name.lower(), closing=state.closing_sha256,
        recovered=state.recovered, damaged=state.damaged,
    )  # fmt: skip
    index.append(kinds.SEGMENT_SEALED, body)


def set_up(index: Index, stream: int, key: StreamKey, at_us: int) -> None:
    """From at_us on the recorder answers for a stream; the first word stands, and is an entry."""
    first = index.connection.execute(
        "UPDATE stream SET set_up_us = ? WHERE id = ? AND set_up_us IS NULL", (at_us, stream)
    ).rowcount
    if first:
        index.append(kinds.STREAM_SET_UP, {"camera": key.camera, "stream": key.stream, "at_us": at_us})


def hold(db: sqlite3.Connection, stream: int, volume: int, segments: int, size: int) -> None:
    """Change what a volume holds of a stream."""
    db.execute(
        "INSERT INTO holding VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " segments = segments + excluded.segments, bytes = bytes + excluded.bytes",
        (stream, volume, segments, size),
    )


def note_longest(db: sqlite3.Connection, wall_us: int) -> int:
    """Remember the longest segment. Rounded up to whole minutes, so that it is seldom written."""
    wanted = -(-wall_us // 60_000_000) * 60_000_000
    db.execute(
        "INSERT INTO meta VALUES ('longest_segment_us', ?) ON CONFLICT DO UPDATE SET value = excluded.value"
        " WHERE excluded.value > value",
        (wanted,),
    )
    return int(db.execute("SELECT value FROM meta WHERE name = 'longest_segment_us'").fetchone()[0])


def extend_span(db: sqlite3.Connection, stream: int, run: int, from_us: int, to_us: int, provenance: int) -> None:
    """The span that begins at from_us now ends at to_us; one of no length has no row."""
    if to_us <= from_us:
        db.execute(
            "DELETE FROM recorded_span WHERE stream_id = ? AND from_us = ? AND run_id = ?", (stream, from_us, run)
        )
        return
    db.execute(
        "INSERT INTO recorded_span VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " to_us = excluded.to_us, provenance = excluded.provenance",
        (stream, from_us, run, to_us, provenance),
    )


def next_commit(db: sqlite3.Connection) -> int:
    """The number of this transaction among those of ticks."""
    row = db.execute(
        "INSERT INTO meta VALUES ('commits', 1) ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value"
    ).fetchone()
    return int(row[0])


def next_gap(db: sqlite3.Connection) -> int:
    """A number for a gap, never used before."""
    row = db.execute(
        "INSERT INTO meta VALUES ('next_gap', 2) ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value"
    ).fetchone()
    return int(row[0]) - 1


def close_gap(index: Index, db: sqlite3.Connection, place: GapPlace, to_us: int) -> None:
    """The gap ends; one that ends before it began never was, and the ledger keeps the story."""
    never_was = to_us <= place.from_us
    if never_was:
        db.execute(
            "DELETE FROM gap WHERE stream_id = ? AND from_us = ? AND id = ?", (place.stream_id, place.from_us, place.id)
        )
    else:
        db.execute(
            "UPDATE gap SET to_us = ? WHERE stream_id = ? AND from_us = ? AND id = ?",
            (to_us, place.stream_id, place.from_us, place.id),
        )
    index.append(kinds.GAP_CLOSED, kinds.gap_closed(place.id, to_us, never_was=never_was))


def enter(index: Index, entry: ops.Entry) -> int:
    """One entry, and the clear text behind its commitment beside it. Returns its number."""
    person = entry.person
    if person is None:
        seq = index.append(entry.kind, entry.body)
        note_clock(index.connection, seq, index.boot, entry.kind, entry.body)
        note_mains(index.connection, seq, entry.kind)
        return seq
    salt = os.urandom(people.SALT_BYTES)
    seq = index.append(entry.kind, {**entry.body, "person": people.mention(person.subject, salt, person.text)})
    wall_us = index.wall_us()
    index.connection.execute(
        "INSERT INTO personal VALUES (?, ?, ?, ?, ?)", (seq, person.subject, wall_us, salt, person.text)
    )
    remember(index.connection, seq, entry.kind, entry.body, person.subject, wall_us)
    return seq
