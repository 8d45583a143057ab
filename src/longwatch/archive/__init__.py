"""The only room that touches a post's media, index and ledger: volumes, segment files, SQLite, recovery, retention, check.

Comes in: `ops` (what the recorder wants to be durable), one batch per volume and tick. Promises: what a `TickResult`
acknowledges is never lost (docs/design/segment-lifecycle.md, numbered steps); no media is deleted in an error path.
One writer: the recorder process, through `Archive`; everyone else reads through `ArchiveReader`, read-only.
"""

from longwatch.base import log  # noqa: F401 - first, in verbs too, which mostly come by here: see there

# isort: split
from longwatch.archive.act_rows import KeptActs
from longwatch.archive.archive import Archive, Volume
from longwatch.archive.checking import CheckReport, Finding, Mode
from longwatch.archive.correcting import Corrected, Correction
from longwatch.archive.flushing import Flushing
from longwatch.archive.ledger_reading import LedgerReader, LogRow
from longwatch.archive.options import CameraRetention, Options, Retention
from longwatch.archive.personal import Erased, Keyed
from longwatch.archive.reader import ArchiveReader, CameraRow, LedgerRow, NotReadyError, StreamStats, VolumeRow
from longwatch.archive.recovery import RecoveredSegment, RecoveryReport, StreamTail
from longwatch.archive.retention import Discard, Removal, RetentionReport, RetentionTime
from longwatch.archive.time_review import Doubt, review, stated, suggested
from longwatch.archive.volumes import VolumeState
from longwatch.model.audit import Mention, Question

__all__ = [
    "Archive",
    "ArchiveReader",
    "CameraRetention",
    "CameraRow",
    "CheckReport",
    "Corrected",
    "Correction",
    "Discard",
    "Doubt",
    "Erased",
    "Finding",
    "Flushing",
    "KeptActs",
    "Keyed",
    "LedgerReader",
    "LedgerRow",
    "LogRow",
    "Mention",
    "Mode",
    "NotReadyError",
    "Options",
    "Question",
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
    "review",
    "stated",
    "suggested",
]
