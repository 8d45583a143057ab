"""What the post knows each second becomes recorded spans, gaps and causes, handed to the archive with each tick.

`stream` the state machine of one stream, `silence` what it remembers from the end of footage to its return; `schedule` when
recording is wanted, and when a camera has power; `alarms` what is raised, said again and over, `alarm_words` what it says;
`settings_change` what a change of settings takes away, `reasons` what a person gives for it. Promises: from the moment a stream is set up
to `accounted_until_us`, every microsecond is in a recorded span or in a gap with its cause. Takes values and gives operations
of `archive.ops`; no I/O. One owner of the state: the recorder's loop.
"""

from longwatch.accounting.schedule import PowerPlan, Schedule, Window
from longwatch.accounting.silence import Known, Tail
from longwatch.accounting.stream import StreamAccount

__all__ = ["Known", "PowerPlan", "Schedule", "StreamAccount", "Tail", "Window"]
