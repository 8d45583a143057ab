"""AAC in LATM over RTP (RFC 6416, MP4A-LATM), with its configuration in SDP (cpresent=0): raw frames behind their lengths."""

from __future__ import annotations

from longwatch.formats.codecs import aac as codec
from longwatch.formats.codecs.bits import CodecError
from longwatch.formats.rtp.frames import FrameReceiver
from longwatch.formats.rtp.receiver import Buffer
from longwatch.formats.sdp import Media

_MAX_ELEMENT_BYTES = 1 << 17


class LatmReceiver(FrameReceiver):
    """An AudioMuxElement may span packets; the marker ends it. frames: how many one element holds."""

    _leans_on_previous = True

    def __init__(
        self, track: int, payload_type: int, clock_rate: int, *, reorder: bool, frames: int, frame_ticks: int
    ) -> None:
        super().__init__(track, payload_type, clock_rate, reorder=reorder)
        self._frames = frames
        self._frame_ticks = frame_ticks
        self._element = bytearray()
        self._timestamp = -1
        self._skip = False  # the rest of an element whose beginning is gone

    def _drop(self) -> None:
        self._element.clear()
        self._skip = True

    def _payload(self, buffer: Buffer, start: int, end: int, timestamp: int, marker: bool) -> None:
        if timestamp != self._timestamp:
            self._element.clear()
            self._skip = False
            self._timestamp = timestamp
        if not self._skip:
            self._element += buffer[start:end]
            if len(self._element) > _MAX_ELEMENT_BYTES:
                self.malformed += 1
                self._drop()
        if marker:
            if self._element:
                self._take_apart(bytes(self._element), self._media_time(timestamp))
            self._element.clear()
            self._skip = False

    def _take_apart(self, element: bytes, media: int) -> None:
        """PayloadLengthInfo and payload of each frame (1.7.3.1): the length is the sum of bytes up to one below 255."""
        at = 0
        for number in range(self._frames):
            size = 0
            while at < len(element) and element[at] == 255:
                size += 255
                at += 1
            if at >= len(element) or at + 1 + size + element[at] > len(element):
                self.malformed += 1
                return
            size += element[at]
            at += 1
            if size:
                self._frame(media + number * self._frame_ticks, element[at : at + size])
            at += size


def receiver(track: int, media: Media, *, reorder: bool) -> LatmReceiver | None:
    """The receiver for an MP4A-LATM rtpmap; None where its configuration stands in-band or cannot be used."""
    if media.fmtp.get("cpresent", "1") != "0":
        return None
    try:
        config, frames = codec.parse_mux_config(bytes.fromhex(media.fmtp.get("config", "")))
        audio = codec.parse_config(config)
        rate = media.clock_rate or audio.rate
        track_format = codec.track_format(config, rate, media.channels)
    except (CodecError, ValueError):
        return None
    ticks = audio.frame * rate // audio.rate
    built = LatmReceiver(track, media.payload_type, rate, reorder=reorder, frames=frames, frame_ticks=ticks)
    built.format = track_format
    return built
