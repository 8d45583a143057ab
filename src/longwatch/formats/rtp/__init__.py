"""RTP (RFC 3550): packets of one track to samples. No I/O, no clock.

`receiver_for` picks the receiver of a track that SDP announces; `TrackReceiver` is what it returns: `push` packets, get
`Sample`, `Loss` and `TrackFormat` in order; `push_rtcp`, `receiver_report`, `flush`. One module per payload format;
`packetize` is the other direction, for simulated cameras and tests. Nothing here raises on what a camera sends.
"""

from __future__ import annotations

from longwatch.formats.rtp import aac, g711, h264, h265, latm, mjpeg, onvif_metadata, opus
from longwatch.formats.rtp.receiver import MAX_ACCESS_UNIT_BYTES, Output, TrackReceiver
from longwatch.formats.sdp import Media

__all__ = ["MAX_ACCESS_UNIT_BYTES", "Output", "TrackReceiver", "receiver_for"]


def receiver_for(track: int, media: Media, *, reorder: bool) -> TrackReceiver | None:
    """The receiver of a track; None for an encoding that we do not take, or one whose description cannot be used.

    track: its number in the session, as samples will carry it. reorder: packets may overtake each other (UDP).
    """
    match media.encoding.upper():
        case "H264":
            return h264.receiver(track, media, reorder=reorder)
        case "H265":
            return h265.receiver(track, media, reorder=reorder)
        case "MPEG4-GENERIC":
            return aac.receiver(track, media, reorder=reorder)
        case "MP4A-LATM":
            return latm.receiver(track, media, reorder=reorder)
        case "PCMU" | "PCMA":
            return g711.receiver(track, media, reorder=reorder)
        case "OPUS":
            return opus.receiver(track, media, reorder=reorder)
        case "JPEG":
            return mjpeg.receiver(track, media, reorder=reorder)
        case "VND.ONVIF.METADATA":
            return onvif_metadata.receiver(track, media, reorder=reorder)
        case _:
            return None
