"""JPEG over RTP (RFC 2435): fragments of a scan to whole pictures, with the headers that RTP leaves out."""

from __future__ import annotations

from longwatch.formats.codecs import mjpeg as codec
from longwatch.formats.codecs.bits import CodecError
from longwatch.formats.rtp.frames import FrameReceiver
from longwatch.formats.rtp.receiver import MAX_ACCESS_UNIT_BYTES, Buffer
from longwatch.formats.sdp import Media


class MjpegReceiver(FrameReceiver):
    """Types 0, 1, 64 and 65 (baseline, 4:2:2 and 4:2:0, with and without restart markers). A picture with a fragment
    missing is dropped. Its format is known with the first whole picture, and changes with the size.
    """

    def __init__(self, track: int, payload_type: int, clock_rate: int, *, reorder: bool) -> None:
        super().__init__(track, payload_type, clock_rate, reorder=reorder)
        self._parts: list[bytes] = []
        self._size = 0
        self._timestamp = -1
        self._header: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)  # type, Q, width, height, restart interval
        self._tables: dict[int, bytes] = {}
        self._marker_seen = False

    def _drop(self) -> None:
        self._parts, self._size = [], 0

    def _end(self) -> None:
        if not self._marker_seen:
            self._picture()
        self._drop()

    def _payload(self, buffer: Buffer, start: int, end: int, timestamp: int, marker: bool) -> None:
        if timestamp != self._timestamp:
            if not self._marker_seen:
                self._picture()
            self._drop()
            self._timestamp = timestamp
        if end - start < 8:
            self.malformed += 1
            self._drop()
            return
        offset = int.from_bytes(buffer[start + 1 : start + 4], "big")
        kind, quality = buffer[start + 4], buffer[start + 5]
        width, height = buffer[start + 6] * 8, buffer[start + 7] * 8
        at, restart = start + 8, 0
        if 64 <= kind <= 127:
            restart = int.from_bytes(buffer[at : at + 2], "big")
            at += 4
        if offset == 0:
            self._drop()
            at = self._tables_at(buffer, at, end, quality)
            self._header = kind, quality, width, height, restart
        if offset != self._size or at > end:
            # Its beginning or middle is missing: forget what there was, and the rest as it comes.
            self._drop()
            return
        self._parts.append(bytes(buffer[at:end]))
        self._size += end - at
        if self._size > MAX_ACCESS_UNIT_BYTES:
            self.note("a picture was larger than 16 MiB and was dropped")
            self._drop()
        elif marker:
            self._marker_seen = True
            self._picture()

    def _tables_at(self, buffer: Buffer, at: int, end: int, quality: int) -> int:
        """Read the quantization tables in front of a picture (3.1.8), where there are any. Returns where the scan is."""
        if quality < 128 or at + 4 > end:
            return at
        precision = buffer[at + 1]
        size = int.from_bytes(buffer[at + 2 : at + 4], "big")
        at += 4
        if at + size > end:
            return end + 1
        if size and precision == 0 and size in {64, 128}:
            self._tables[quality] = bytes(buffer[at : at + size])
        elif size:
            self._tables.pop(quality, None)  # 16-bit tables: no baseline picture
        return at + size

    def _picture(self) -> None:
        if not self._parts:
            return
        kind, quality, width, height, restart = self._header
        scan = b"".join(self._parts)
        self._drop()
        tables = self._tables.get(quality) if quality >= 128 else codec.quantization(quality) if quality else None
        if tables is None or kind & 0x3F > 1 or kind > 127:
            self.malformed += 1
            self.note("JPEG of a type that RFC 2435 does not define, or without its tables")
            return
        try:
            if self.format is None or (self.format.width, self.format.height) != (width, height):
                self.format = codec.track_format(width, height)
                self._out.append(self.format)
        except CodecError:
            self.malformed += 1
            self.note("JPEG without a size (pictures wider than 2040 cannot be told by RFC 2435)")
            return
        data = codec.headers(width, height, tables, subsampled=kind & 1 == 1, restart=restart) + scan
        if not scan.endswith(b"\xff\xd9"):
            data += b"\xff\xd9"
        self._frame(self._media_time(self._timestamp), data)


def receiver(track: int, media: Media, *, reorder: bool) -> MjpegReceiver:
    """The receiver for a JPEG rtpmap (or the static payload type 26)."""
    return MjpegReceiver(track, media.payload_type, 90_000, reorder=reorder)
