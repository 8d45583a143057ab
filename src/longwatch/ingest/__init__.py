"""Cameras to samples: one owner task per stream, over RTSP by TCP, UDP or TLS. Knows nothing of files.

`CameraUrl` where, and who we are; `Options` how; `RtspSource` a stream for ever (model.sessions.SampleSource); `probe`
what a camera sends. Promises: reconnects for ever without hammering, always says why there is no video and when the next
attempt is, never follows a redirect, and no camera can hang the loop.
"""

from longwatch.ingest.camera_url import CameraUrl
from longwatch.ingest.options import Options
from longwatch.ingest.probe import ProbedTrack, ProbeReport, probe
from longwatch.ingest.source import RtspSource
from longwatch.ingest.thermal_stills import StillSource

__all__ = ["CameraUrl", "Options", "ProbeReport", "ProbedTrack", "RtspSource", "StillSource", "probe"]
