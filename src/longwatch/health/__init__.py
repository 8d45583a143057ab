"""Is this post recording as planned, and if not, why: rules over one snapshot, one rule a file.

Comes in: what the recorder says of itself (`Snapshot`). Goes out: `Issue`s, each of which clears itself when its rule no
longer finds it, and Prometheus metrics. State: none but the last answer of the recorder, for half a second.
"""

from longwatch.health.doors import DoorState
from longwatch.health.metrics import (
    AlarmCounts,
    GapSeconds,
    LiveCounts,
    StreamTotals,
    StripCounts,
    StripWork,
    TranscodeCounts,
    exposition,
)
from longwatch.health.notifying import BrokerState, ChannelState, Telling
from longwatch.health.rules import RULES, Issue, examine, is_ready
from longwatch.health.snapshot import Snapshot, StreamState, TrackState, VolumeState
from longwatch.health.status import RecorderLink, RecorderStatus

__all__ = [
    "RULES",
    "AlarmCounts",
    "BrokerState",
    "ChannelState",
    "DoorState",
    "GapSeconds",
    "Issue",
    "LiveCounts",
    "RecorderLink",
    "RecorderStatus",
    "Snapshot",
    "StreamState",
    "StreamTotals",
    "StripCounts",
    "StripWork",
    "Telling",
    "TrackState",
    "TranscodeCounts",
    "VolumeState",
    "examine",
    "exposition",
    "is_ready",
]
