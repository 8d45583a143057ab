"""SDP (RFC 4566), read as tolerantly as real cameras need: the media of a DESCRIBE answer."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Media:
    """One `m=` section, as far as a recorder needs it.

    kind: video, audio, application or whatever stood there. encoding: the rtpmap name in upper case (from the static table
    of RFC 3551 where there is no rtpmap), "" where unknown. clock_rate: Hz; channels: 1 unless said. fmtp: keys in
    lower case. control: as written, to be resolved against the base. sendonly etc. in direction.
    """

    kind: str
    payload_type: int
    encoding: str
    clock_rate: int
    channels: int = 1
    fmtp: dict[str, str] = field(default_factory=dict)
    control: str = ""
    direction: str = ""
    payload_types: tuple[int, ...] = ()
