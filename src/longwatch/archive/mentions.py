"""Which entries speak of whom: written with them, read by the audit.

A row outlives the clear text behind its entry: it holds nothing that the ledger does not. Written on the index thread;
`find` reads in any process.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from longwatch.model.audit import Mention, Question

MOST_AT_ONCE = 1_000


def remember(
    db: sqlite3.Connection, seq: int, kind: str, body: Mapping[str, object], subject: int, wall_us: int
) -> None:
    """Within the transaction of the entry. wall_us: when it was written, for an entry that does not say when it happened."""
    at_us, camera = body.get("at_us"), body.get("camera")
    db.execute(
        "INSERT OR REPLACE INTO mention VALUES (?, ?, ?, ?, ?)",
        (seq, at_us if isinstance(at_us, int) else wall_us, subject, kind, camera if isinstance(camera, str) else ""),
    )


def remember_entry(db: sqlite3.Connection, entry: Mapping[str, Any]) -> None:
    """The same for an entry that is read back (a ledger restored from its bundles); one about nobody is left out."""
    body = entry.get("body")
    person = body.get("person") if isinstance(body, Mapping) else None
    if isinstance(body, Mapping) and isinstance(person, Mapping) and isinstance(person.get("subject"), int):
        remember(db, entry["seq"], entry["kind"], body, person["subject"], entry["wall_us"])


def find(rows: Callable[[str, Sequence[Any]], list[Any]], asked: Question) -> list[Mention]:
    """In the order they happened, or the newest first; at most `limit`, and at most MOST_AT_ONCE. rows: carries out one query."""
    where, values = _where(asked)
    by = "mention_by_subject" if asked.subject is not None else "mention_by_time"
    way = "DESC" if asked.newest else "ASC"
    found = rows(
        f"SELECT m.seq, m.at_us, m.subject, m.kind, l.entry, p.text FROM mention m INDEXED BY {by}"  # noqa: S608  # no word of it is the caller's
        f" JOIN ledger l ON l.seq = m.seq LEFT JOIN personal p ON p.seq = m.seq WHERE {where}"
        f" ORDER BY m.at_us {way}, m.seq {way} LIMIT ?",
        [*values, min(asked.limit, MOST_AT_ONCE)],
    )
    return [
        Mention(seq, at, subject, kind, json.loads(entry)["body"], text)
        for seq, at, subject, kind, entry, text in found
    ]


def _where(asked: Question) -> tuple[str, list[Any]]:
    terms, values = ["m.at_us >= ?", "m.at_us < ?"], [asked.from_us, asked.to_us]

    def narrow(term: str, *given: Any) -> None:
        terms.append(term)
        values.extend(given)

    if asked.after is not None:
        narrow(f"(m.at_us, m.seq) {'<' if asked.newest else '>'} (?, ?)", *asked.after)
    if asked.subject is not None:
        narrow("m.subject = ?", asked.subject)
    if asked.camera is not None:
        narrow("m.camera = ?", asked.camera)
    if asked.kinds is not None:
        narrow(f"m.kind IN ({_marks(asked.kinds)})", *asked.kinds)
    if asked.own_subject is not None and asked.private_kinds:
        listed = _marks(asked.private_kinds)
        narrow(f"(m.kind NOT IN ({listed}) OR m.subject = ?)", *asked.private_kinds, asked.own_subject)
    if asked.cameras is not None:
        own = asked.own_subject if asked.own_subject is not None else asked.subject
        only = sorted(asked.cameras)
        narrow(f"(m.camera IN ({_marks(only)}) OR m.subject = ?)", *only, -1 if own is None else own)
    return " AND ".join(terms), values


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values)) if values else "NULL"
