"""What waits for the hub, in `server.db`: so that a start does not have to look through index and media for it. docs/design/uplink.md.

Written behind: the queue in memory is what counts, and a row that was not written is found again by whoever filled it, or by the hub's word. Here too
are the bytes spent by hour, day and month. Calls block; run them on the thread of `ServerDb`. Owner of the rows: the uplink.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from longwatch.model.uplink import Class, ObjectInfo
from longwatch.replication.planner import SPANS
from longwatch.replication.queue import Change, Item
from longwatch.server_db.schema import counters, uplink_objects


class Outbox:
    """The rows."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def load(self) -> list[Item]:
        """All that waits. What cannot be read is left out, and goes."""
        found, broken = [], []
        with self._engine.begin() as connection:
            for row in connection.execute(sa.select(uplink_objects)):
                try:
                    info = ObjectInfo.from_json(json.loads(row.info))
                    found.append(Item(info, Class(row.rank), row.order, row.request))
                except ValueError:
                    broken.append(row.sha256)
            if broken:
                connection.execute(sa.delete(uplink_objects).where(uplink_objects.c.sha256.in_(broken)))
        return found

    def keep(self, changes: Sequence[Change]) -> None:
        """Write down what became of objects, in one transaction."""
        last = {change.item.info.sha256: change for change in changes}
        stay = [change.item for change in last.values() if change.what in {"added", "moved"}]
        with self._engine.begin() as connection:
            for start in range(0, len(last), 500):
                part = list(last)[start : start + 500]
                connection.execute(sa.delete(uplink_objects).where(uplink_objects.c.sha256.in_(part)))
            if stay:
                connection.execute(sa.insert(uplink_objects), [_row(item) for item in stay])

    def spent(self) -> dict[str, tuple[int, int]]:
        """By span, when it began and what was spent in it."""
        names = [f"uplink_{span}{end}" for span in SPANS for end in ("", "_begun_us")]
        with self._engine.connect() as connection:
            query = sa.select(counters.c.name, counters.c.value).where(counters.c.name.in_(names))
            kept: dict[str, int] = {row.name: row.value for row in connection.execute(query)}
        return {
            span: (kept[f"uplink_{span}_begun_us"], kept[f"uplink_{span}"])
            for span in SPANS
            if f"uplink_{span}" in kept and f"uplink_{span}_begun_us" in kept
        }

    def keep_spent(self, spent: Mapping[str, tuple[int, int]]) -> None:
        """The reverse."""
        rows = [{"name": f"uplink_{span}_begun_us", "value": begun} for span, (begun, _) in spent.items()]
        rows += [{"name": f"uplink_{span}", "value": value} for span, (_, value) in spent.items()]
        if not rows:
            return
        with self._engine.begin() as connection:
            connection.execute(sa.delete(counters).where(counters.c.name.in_([row["name"] for row in rows])))
            connection.execute(sa.insert(counters), rows)


def _row(item: Item) -> dict[str, object]:
    return {
        "sha256": item.info.sha256, "rank": int(item.cls), "order": item.order, "request": item.request,
        "info": json.dumps(item.info.as_json(), separators=(",", ":")),
    }  # fmt: skip
