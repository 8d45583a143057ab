"""`longwatch check` at a hub: what it holds of its posts. Apart from `check`, which the recorder imports too."""

from __future__ import annotations

from typing import Any

from longwatch.archive import Mode
from longwatch.base.clock import SystemClock
from longwatch.config import Settings
from longwatch.fleet.checking import Checked, check_ledgers, check_objects
from longwatch.node.hub.part import open_fleet


def check_fleet(settings: Settings, mode: Mode) -> dict[str, Any]:
    """At a hub, beside its own ledger: what it holds of its posts. As `check`; nothing is mended. Raises LongwatchError."""
    _, fleet, store = open_fleet(settings, SystemClock(), "spool-check")
    checked = Checked()
    try:
        found = (
            list(check_ledgers(fleet, checked))
            if mode is Mode.LEDGER
            else list(check_objects(fleet, store, checked, whole=mode is Mode.HASH))
        )
    finally:
        fleet.db.close()
    return {
        "ok": not found, "objects": checked.objects, "bytes": checked.bytes, "entries": checked.entries,
        "findings": [
            {"kind": one.kind, "what": one.what, "detail": one.detail, "camera": f"{one.post}.{one.camera}" if one.camera else one.post, "mended": ""}
            for one in found
        ],
    }  # fmt: skip
