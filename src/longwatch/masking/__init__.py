"""Masks: a child of the recorder per camera that has some, and delivers the only samples the recorder ever sees of it.

In the recorder: `Masking` hands out a source (model.sessions.SampleSource) for each stream of such a camera, and starts, watches, kills
and restarts the child. In the child (`longwatch.node.children.masking`): `relay`, which decodes, paints over and encodes what the
RTSP client takes in. Promises: the unmasked stream never enters the recorder's process; while the child does not work there is
a gap, with a cause. This package does not import PyAV; `relay` does.
"""

from longwatch.masking.source import Job, Masking

__all__ = ["Job", "Masking"]
