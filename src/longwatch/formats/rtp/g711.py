"""G.711 over RTP (RFC 3551, 4.5.14): every packet is a sample entry's worth of bytes, one a sample and channel."""

from __future__ import annotations

from longwatch.formats.codecs import g711 as codec
from longwatch.formats.codecs.bits import CodecError
from longwatch.formats.media import Codec
from longwatch.formats.rtp.frames import FrameReceiver
from longwatch.formats.rtp.receiver import Buffer
from longwatch.formats.sdp import Media


class G711Receiver(FrameReceiver):
    """PCMU and PCMA. What is missing is missing; what follows is whole."""

    def _drop(self) -> None:
        pass

    def _payload(self, buffer: Buffer, start: int, end: int, timestamp: int, marker: bool) -> None:  # noqa: ARG002 (the marker begins a talkspurt, which a recorder does not care about)
        if start < end:
            self._frame(self._media_time(timestamp), bytes(buffer[start:end]))


def receiver(track: int, media: Media, *, reorder: bool) -> G711Receiver | None:
    """The receiver for a PCMU or PCMA rtpmap (or the static payload types 0 and 8)."""
    kind = Codec.PCMU if media.encoding.upper() == "PCMU" else Codec.PCMA
    rate = media.clock_rate or 8000
    try:
        track_format = codec.track_format(kind, rate, media.channels or 1)
    except CodecError:
        return None
    built = G711Receiver(track, media.payload_type, rate, reorder=reorder)
    built.format = track_format
    return built
