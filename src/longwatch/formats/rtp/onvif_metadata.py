"""ONVIF metadata over RTP (ONVIF Streaming Specification, 5.2.1.1): XML in pieces, the marker ends a document."""

from __future__ import annotations

from longwatch.formats.codecs import onvif_metadata as codec
from longwatch.formats.rtp.frames import FrameReceiver
from longwatch.formats.rtp.receiver import Buffer
from longwatch.formats.sdp import Media

MAX_DOCUMENT_BYTES = 1 << 20


class MetadataReceiver(FrameReceiver):
    """The text is not parsed here. A document over 1 MiB, or with a packet missing, is dropped."""

    def __init__(self, track: int, payload_type: int, clock_rate: int, *, reorder: bool) -> None:
        super().__init__(track, payload_type, clock_rate, reorder=reorder)
        self._parts: list[bytes] = []
        self._size = 0
        self._skip = False  # the rest of a document whose beginning is gone

    def _drop(self) -> None:
        self._skip = True
        self._parts, self._size = [], 0

    def _payload(self, buffer: Buffer, start: int, end: int, timestamp: int, marker: bool) -> None:
        part = bytes(buffer[start:end])
        if self._skip and part.lstrip()[:5] == b"<?xml":
            self._skip = False
        if not self._skip:
            self._parts.append(part)
            self._size += len(part)
            if self._size > MAX_DOCUMENT_BYTES:
                self.note("a metadata document was larger than 1 MiB and was dropped")
                self._drop()
        if not marker:
            return
        if not self._skip and self._size:
            self._frame(self._media_time(timestamp), b"".join(self._parts))
        self._skip = False
        self._parts, self._size = [], 0


def receiver(track: int, media: Media, *, reorder: bool) -> MetadataReceiver:
    """The receiver for a VND.ONVIF.METADATA rtpmap (plain XML; the compressed variants are not taken)."""
    rate = media.clock_rate or 90_000
    built = MetadataReceiver(track, media.payload_type, rate, reorder=reorder)
    built.format = codec.track_format(rate)
    return built
