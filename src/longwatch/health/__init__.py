"""Is this post recording as planned, and if not, why: rules over one snapshot, one rule a file.

Comes in: what the recorder says of itself (`Snapshot`). Goes out: `Issue`s, each of which clears itself when its rule no
longer finds it, and Prometheus metrics. State: none but the last answer of the recorder, for half a second.
"""

from longwatch.health.metrics import GapSeconds, LiveCounts, StreamTotals, exposition
from longwatch.health.rules import RULES, Issue, examine
from longwatch.health.snapshot import Snapshot, StreamState, TrackState, VolumeState
from longwatch.health.status import RecorderLink, RecorderStatus

__all__ = [
    "RULES",
    "GapSeconds",
    "Issue",
    "LiveCounts",
    "RecorderLink",
    "RecorderStatus",
    "Snapshot",
    "StreamState",
    "StreamTotals",
    "TrackState",
    "VolumeState",
    "examine",
    "exposition",
]
