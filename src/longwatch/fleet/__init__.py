"""What a hub knows of its posts and holds for them: ledgers as they were verified, an index made of them, objects by content hash.

SQLite or PostgreSQL, one schema for both; media in a directory or in S3. One writer per row: the hub process that holds the post's connection.
Comes in: entries, heads and objects, as an uplink or a courier brings them (`Fleet`). Goes out: the timeline, media and alarms of every post
(`FleetIndex`), to whom the web serves them. Promise: what is answered as held or confirmed is committed, and the bytes are durable.
docs/design/fleet.md.
"""

from longwatch.fleet.answers import (
    CommandRow,
    ContactRow,
    Doubt,
    EvidenceRow,
    InviteRow,
    LogRow,
    PostRow,
    ProcessRow,
    RequestRow,
)
from longwatch.fleet.engine import FleetDb
from longwatch.fleet.events import FleetEvents
from longwatch.fleet.fleet import Fleet
from longwatch.fleet.index import FleetIndex, OwnIndex
from longwatch.fleet.logs import Cosign
from longwatch.fleet.processes import Processes, Reached
from longwatch.fleet.retention import FleetRetention, HubKeeping, Removed
from longwatch.fleet.store import ObjectStore
from longwatch.fleet.wide import WideDays

__all__ = [
    "CommandRow", "ContactRow", "Cosign", "Doubt", "EvidenceRow", "Fleet", "FleetDb", "FleetEvents", "FleetIndex", "FleetRetention", "HubKeeping", "InviteRow", "LogRow", "ObjectStore",
    "OwnIndex", "PostRow", "ProcessRow", "Processes", "Reached", "Removed", "RequestRow", "WideDays",
]  # fmt: skip
