"""Samples to fragments, segments and runs, placed on the wall. One writer of its streams' state: the recorder's loop.

`intake` keeps what a source delivers (a StreamSink), `stream` works it off at each tick; `segments` its files; `audio` what lies beside video;
`placement` and `host_time` where media time stands on the wall (docs/design/time.md); `ntp` asks the kernel;
`live_tap` hands samples on to viewers. Comes in: what a SampleSource delivers. Goes out: operations of `archive.ops` and
the stretches that are covered.
"""

from longwatch.recording.host_time import STEPS_TOLERATED, HostTime, Step
from longwatch.recording.live_tap import LiveTap
from longwatch.recording.ntp import KernelTime
from longwatch.recording.options import Budget, Options
from longwatch.recording.runs import Collected, Stretch
from longwatch.recording.stream import StreamRecorder

__all__ = [
    "STEPS_TOLERATED",
    "Budget",
    "Collected",
    "HostTime",
    "KernelTime",
    "LiveTap",
    "Options",
    "Step",
    "StreamRecorder",
    "Stretch",
]
