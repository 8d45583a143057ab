"""What the RTSP client asks of whoever drives it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from longwatch.formats.rtsp.transport import TrackStart, Transport
from longwatch.formats.sdp import Description


class End(enum.Enum):
    """Why a session is over, as far as its conversation tells."""

    LOGIN_REFUSED = "login refused"
    REFUSED = "refused"
    STALE_SESSION = "stale session"
    PROTOCOL_ERROR = "protocol error"
    TIMED_OUT = "timed out"
    ENDED_BY_CAMERA = "ended by the camera"


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Described:
    """The camera said what it has. Answer with `Client.set_up`."""

    description: Description
    server: str


@dataclass(frozen=True, slots=True)
class TrackReady:
    """A track is set up; its packets may come from now on. media: index into the description's media."""

    media: int
    transport: Transport


@dataclass(frozen=True, slots=True)
class Playing:
    """The camera agreed to play. keep_alive_s: how often we say that we are still here."""

    session: str
    keep_alive_s: float
    starts: tuple[TrackStart, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """The conversation is over; close the connection (what was to be sent has been asked for before).

    status: of the answer that ended it. retry_after_s: how long to leave the camera alone, where that is known.
    """

    end: End
    detail: str
    status: int | None = None
    retry_after_s: float | None = None


Command = Send | Described | TrackReady | Playing | Ended
