"""What happens to a stream, from its source to whoever records it."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from longwatch.formats.media import Loss, Sample, SenderReport, TrackFormat


class StreamKey(NamedTuple):
    """One encoding of one camera: ("gate", "main")."""

    camera: str
    stream: str


class Fault(enum.StrEnum):
    """Why a stream does not deliver samples, as its source saw it. `causes` makes a cause of it."""

    UNREACHABLE = "unreachable"  # no route, connection refused, name not found, connect timed out
    LOGIN_REFUSED = "login_refused"  # 401 after credentials, 403
    REFUSED = "refused"  # the camera said no for another reason: 404, 453, 503, a redirect, no video in its SDP
    PROTOCOL_ERROR = "protocol_error"  # it spoke, and not RTSP; or an answer that cannot be used
    DISCONNECTED = "disconnected"  # it ended a session that worked: closed, reset
    TIMED_OUT = "timed_out"  # it accepted the connection and then stopped answering requests
    SILENT = "silent"  # connected and playing, and no packet comes
    AUDIO_ONLY = "audio_only"  # packets come, and none of video
    FROZEN = "frozen"  # the same picture for ever
    MASKING = "masking"  # the child that masks its pictures ended, hangs, or does not keep up
    NO_SECRET = "no_secret"  # noqa: S105 - no password: the settings name a secret that is missing: nobody asks the camera
    UNUSABLE = "unusable"  # samples come, and none can be stored (no parameter sets, no sync sample)


class Activity(enum.StrEnum):
    """What the owner of a stream is doing about it."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    WAITING = "waiting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """The state of a stream's source. `detail` is for people, without secrets.

    fault: why it does not stream; None while it does. since_boot_us: when this state began.
    next_attempt_boot_us: when the next attempt begins, while waiting. attempt: how many failed in a row.
    """

    activity: Activity
    since_boot_us: int
    fault: Fault | None = None
    detail: str = ""
    next_attempt_boot_us: int | None = None
    attempt: int = 0
    server: str = ""  # the camera's Server header, as told


class StreamSink(Protocol):
    """Whoever takes in what a source delivers. Called on the event loop; every method returns at once.

    Order of a session: `opened`, then any of `samples`, `lost`, `sender_report`, `formats_changed`, then `closed`.
    `status` may come at any time. A sink never raises; it never keeps the list it is handed.
    """

    def opened(self, tracks: tuple[TrackFormat, ...]) -> None:
        """A session begins; its first video sample is a sync sample."""
        ...

    def samples(self, batch: Sequence[Sample]) -> None:
        """Samples in decode order within each track."""
        ...

    def lost(self, loss: Loss) -> None: ...

    def sender_report(self, report: SenderReport) -> None: ...

    def formats_changed(self, tracks: tuple[TrackFormat, ...]) -> None:
        """The parameters changed; the next video sample is a sync sample of the new format."""
        ...

    def closed(self, fault: Fault | None, detail: str) -> None:
        """The session is over; no fault where we ended it ourselves."""
        ...

    def status(self, status: StreamStatus) -> None: ...


class SampleSource(Protocol):
    """A source of samples: an RTSP camera, or a masking child that stands in front of one."""

    async def run(self, sink: StreamSink) -> None:
        """For ever, with back-off. Ends only by cancellation, after `closed` of an open session."""
        ...

    async def run_once(self, sink: StreamSink) -> None:
        """One attempt: from connecting to the end of that session. Raises nothing but cancellation."""
        ...

    def try_now(self) -> None:
        """Do not wait for the next attempt."""
        ...

    def hurry(self, on: bool) -> None:
        """Whether somebody watches live: until told otherwise nobody does, and samples may come in larger batches, by 0.1 s."""
        ...
