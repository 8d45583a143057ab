"""How a ledger ends: with a stop, and of what kind. What a hub reads of its posts, and a post of itself before it goes."""

from __future__ import annotations

import json

from longwatch.ledger import kinds
from longwatch.model.silence import Stop

LAST_ENTRIES = 300
"""So many from the end are read."""
_BY_REASON = {"asked by a person": Stop.ASKED, "the host is shutting down": Stop.HOST}


def last_words(entries: list[bytes]) -> tuple[Stop, int | None]:
    """How a ledger ends: with a stop, or not; and when, by the post's clock."""
    for raw in reversed(entries):
        entry = json.loads(raw)
        if entry["kind"] == kinds.START:
            break
        if entry["kind"] == kinds.STOP_ASKED:
            return Stop.ASKED, int(entry["wall_us"])
        if entry["kind"] == kinds.STOP:
            return _BY_REASON.get(str(entry["body"].get("reason")), Stop.SIGNAL), int(entry["wall_us"])
    return Stop.NONE, None
