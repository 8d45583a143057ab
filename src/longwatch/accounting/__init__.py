"""What the post knows each second becomes recorded spans, gaps and causes, handed to the archive with each tick.

`stream` the state machine of one stream; `schedule` when recording is wanted. Promises: from the moment a stream is set up
to `accounted_until_us`, every microsecond is in a recorded span or in a gap with its cause. Takes values and gives operations
of `archive.ops`; no I/O. One owner of the state: the recorder's loop.
"""

from longwatch.accounting.schedule import Schedule, Window
from longwatch.accounting.stream import StreamAccount, Tail

__all__ = ["Schedule", "StreamAccount", "Tail", "Window"]
