"""AAC over RTP (RFC 3640), modes AAC-hbr and AAC-lbr: several frames in a packet, or one frame in several packets."""

from __future__ import annotations

from longwatch.formats.codecs import aac as codec
from longwatch.formats.codecs.bits import CodecError
from longwatch.formats.rtp.frames import FrameReceiver
from longwatch.formats.rtp.receiver import Buffer
from longwatch.formats.sdp import Media

_MAX_FRAME_BYTES = 1 << 16
_MAX_FRAMES = 64


class AacReceiver(FrameReceiver):
    """size_bits, index_bits, delta_bits: lengths of the AU header's fields (3.2.1); interleaving is not taken."""

    _leans_on_previous = True

    def __init__(
        self,
        track: int,
        payload_type: int,
        clock_rate: int,
        *,
        reorder: bool,
        size_bits: int,
        index_bits: int,
        delta_bits: int,
        frame_ticks: int,
    ) -> None:
        super().__init__(track, payload_type, clock_rate, reorder=reorder)
        self._bits = size_bits, index_bits, delta_bits
        self._frame_ticks = frame_ticks
        self._partial = bytearray()
        self._partial_size = 0
        self._partial_timestamp = -1

    def _drop(self) -> None:
        self._partial.clear()
        self._partial_size = 0

    def _payload(self, buffer: Buffer, start: int, end: int, timestamp: int, marker: bool) -> None:  # noqa: ARG002 (the AU headers say where a frame ends)
        sizes, at = self._headers(buffer, start, end)
        if not sizes:
            self.malformed += 1
            return
        if len(sizes) == 1 and sizes[0] > end - at:
            self._part(bytes(buffer[at:end]), sizes[0], timestamp)
            return
        if self._partial:
            if len(sizes) == 1 and timestamp == self._partial_timestamp:
                self._part(bytes(buffer[at:end]), self._partial_size, timestamp)
                return
            self._drop()
        media = self._media_time(timestamp)
        for number, size in enumerate(sizes):
            if at + size > end:
                self.malformed += 1
                return
            if size:
                self._frame(media + number * self._frame_ticks, bytes(buffer[at : at + size]))
            at += size

    def _headers(self, buffer: Buffer, start: int, end: int) -> tuple[list[int], int]:
        """The frames' sizes, and where the first begins. Empty where the headers make no sense."""
        size_bits, index_bits, delta_bits = self._bits
        if end - start < 2:
            return [], start
        total = buffer[start] << 8 | buffer[start + 1]
        at = start + 2 + (total + 7) // 8
        if at > end or total < size_bits + index_bits:
            return [], start
        value = int.from_bytes(buffer[start + 2 : at], "big") >> (-total % 8)
        sizes: list[int] = []
        left, index = total, index_bits
        while left >= size_bits + index and len(sizes) < _MAX_FRAMES:
            left -= size_bits
            sizes.append(value >> left & ((1 << size_bits) - 1))
            left -= index
            if value >> left & ((1 << index) - 1):
                self.note("interleaved AAC is not taken")
                return [], start
            index = delta_bits
        return sizes, at

    def _part(self, part: bytes, size: int, timestamp: int) -> None:
        if self._partial and (timestamp != self._partial_timestamp or size != self._partial_size):
            self._drop()
        if size > _MAX_FRAME_BYTES:
            self.malformed += 1
            return
        self._partial_timestamp, self._partial_size = timestamp, size
        self._partial += part
        if len(self._partial) >= size:
            frame = bytes(self._partial[:size])
            self._drop()
            self._frame(self._media_time(timestamp), frame)


def receiver(track: int, media: Media, *, reorder: bool) -> AacReceiver | None:
    """The receiver for an MPEG4-GENERIC rtpmap; None where its configuration cannot be used."""
    fmtp = media.fmtp
    try:
        config = bytes.fromhex(fmtp.get("config", ""))
        audio = codec.parse_config(config)
        low = fmtp.get("mode", "").lower() == "aac-lbr"
        sizes = [
            int(fmtp.get(name, default))
            for name, default in (
                ("sizelength", "6" if low else "13"),
                ("indexlength", "2" if low else "3"),
                ("indexdeltalength", "2" if low else "3"),
            )
        ]
        rate = media.clock_rate or audio.rate
        track_format = codec.track_format(config, rate, media.channels)
    except (CodecError, ValueError):
        return None
    if not 1 <= sizes[0] <= 32 or not all(0 <= size <= 32 for size in sizes):
        return None
    built = AacReceiver(
        track, media.payload_type, rate, reorder=reorder,
        size_bits=sizes[0], index_bits=sizes[1], delta_bits=sizes[2], frame_ticks=audio.frame * rate // audio.rate,
    )  # fmt: skip
    built.format = track_format
    return built
