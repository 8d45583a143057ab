"""What the ledger said last of the post's own supply, found without reading the ledger through. Owner: the index thread.

The row `mains` of table meta names the newest `power_changed`, written in that entry's transaction: a start after a cut asks how
the one before ended.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from longwatch.ledger import kinds
from longwatch.model.surroundings import MainsState, Power

_ROW = "mains"


def note_mains(db: sqlite3.Connection, seq: int, kind: str) -> None:
    """An entry was written, or read back from its bundle."""
    if kind == kinds.POWER_CHANGED:
        db.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (_ROW, seq))


def last_mains(db: sqlite3.Connection) -> MainsState | None:
    """What the newest entry says; None where there never was one."""
    row = db.execute("SELECT entry FROM ledger WHERE seq = (SELECT value FROM meta WHERE name = ?)", (_ROW,)).fetchone()
    return None if row is None else mains_of(json.loads(row[0])["body"])


def mains_of(body: Mapping[str, Any]) -> MainsState:
    """The body of `power_changed` as a value."""
    return MainsState(
        mains=Power(body["mains"]),
        battery_percent=body.get("battery_percent"),
        runtime_s=body.get("runtime_s"),
        by=str(body.get("by", "")),
        since_wall_us=int(body.get("since_us", 0)),
        low_battery=bool(body.get("low_battery")),
        forced_shutdown=bool(body.get("forced_shutdown")),
    )
