"""Opus over RTP (RFC 7587): every packet is one Opus packet; the clock is always 48 kHz."""

from __future__ import annotations

from longwatch.formats.codecs import opus as codec
from longwatch.formats.codecs.bits import CodecError
from longwatch.formats.rtp.frames import FrameReceiver
from longwatch.formats.rtp.receiver import Buffer
from longwatch.formats.sdp import Media


class OpusReceiver(FrameReceiver):
    """Packets whose table of contents makes no sense are dropped and counted as malformed."""

    _leans_on_previous = True

    def _drop(self) -> None:
        pass

    def _payload(self, buffer: Buffer, start: int, end: int, timestamp: int, marker: bool) -> None:  # noqa: ARG002 (the marker says that silence is over; times say it too)
        data = bytes(buffer[start:end])
        try:
            codec.duration(data)
        except CodecError:
            self.malformed += 1
            return
        self._frame(self._media_time(timestamp), data)


def receiver(track: int, media: Media, *, reorder: bool) -> OpusReceiver | None:
    """The receiver for an OPUS rtpmap. rtpmap always says two channels; `sprop-stereo=0` says there is one."""
    channels = 1 if media.fmtp.get("sprop-stereo") == "0" else media.channels or 2
    try:
        track_format = codec.track_format(channels)
    except CodecError:
        return None
    built = OpusReceiver(track, media.payload_type, codec.RATE, reorder=reorder)
    built.format = track_format
    return built
