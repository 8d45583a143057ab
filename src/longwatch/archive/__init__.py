"""The only room that touches a post's media, index and ledger: volumes, segment files, SQLite, recovery, retention, check.

Comes in: `ops` (what the recorder wants to be durable), one batch per volume and tick. Promises: what a `TickResult`
acknowledges is never lost (docs/design/segment-lifecycle.md, numbered steps); no media is deleted in an error path.
One writer: the recorder process, through `Archive`; everyone else reads through `ArchiveReader`, read-only.
"""

from longwatch.archive.archive import Archive, Volume
from longwatch.archive.checking import CheckReport, Finding, Mode
from longwatch.archive.flushing import Flushing
from longwatch.archive.options import CameraRetention, Options, Retention
from longwatch.archive.reader import ArchiveReader, CameraRow, LedgerRow, StreamStats, VolumeRow
from longwatch.archive.recovery import RecoveredSegment, RecoveryReport, StreamTail
from longwatch.archive.retention import Removal, RetentionReport, RetentionTime
from longwatch.archive.volumes import VolumeState

__all__ = [
    "Archive",
    "ArchiveReader",
    "CameraRetention",
    "CameraRow",
    "CheckReport",
    "Finding",
    "Flushing",
    "LedgerRow",
    "Mode",
    "Options",
    "RecoveredSegment",
    "RecoveryReport",
    "Removal",
    "Retention",
    "RetentionReport",
    "RetentionTime",
    "StreamStats",
    "StreamTail",
    "Volume",
    "VolumeRow",
    "VolumeState",
]
