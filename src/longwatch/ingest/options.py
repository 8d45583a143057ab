"""How streams are taken in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of one camera's streams. Seconds throughout.

    transport: where packets come; rtsps always takes the connection. audio, metadata: whether such tracks are set up at
    all. verify_certificate: of rtsps. silent_s: without any packet, audio_only_s: without one of video, unusable_s: with
    packets of video and no sample that can be stored, frozen_s: of the same picture, until each is a fault.
    """

    transport: Literal["tcp", "udp"] = "tcp"
    audio: bool = True
    metadata: bool = False
    verify_certificate: bool = True
    connect_timeout_s: float = 2.2
    answer_timeout_s: float = 10.0
    silent_s: float = 10.0
    audio_only_s: float = 10.0
    unusable_s: float = 30.0
    frozen_s: float = 15.0
    reconnect_frozen_s: float = 300.0
    report_every_s: float = 5.0
