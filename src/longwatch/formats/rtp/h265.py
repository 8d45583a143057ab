"""H.265 over RTP (RFC 7798): single NAL units, aggregation packets and fragmentation units, with and without DONL."""

from __future__ import annotations

from longwatch.formats.codecs import h265 as codec
from longwatch.formats.codecs.bits import CodecError
from longwatch.formats.rtp.clock import DecodeTimes
from longwatch.formats.rtp.nal_video import NalVideoReceiver, announced_sets
from longwatch.formats.rtp.receiver import Buffer
from longwatch.formats.sdp import Media

_AGGREGATION, _FRAGMENT = 48, 49
_MAX_SETS = 16
_PARAMETER_SETS = ("sprop-vps", "sprop-sps", "sprop-pps")


class H265Receiver(NalVideoReceiver):
    """Sync samples: all IRAP pictures (IDR, BLA, CRA). RASL pictures behind the CRA that a session begins with are not
    delivered, since they need pictures from before it; behind a CRA that follows a loss they are damaged.
    """

    _fragment_shift = 8
    _fragment_bytes = 3

    def __init__(
        self, track: int, payload_type: int, clock_rate: int, *, reorder: bool, numbered: bool = False
    ) -> None:
        """numbered: decoding order numbers are sent (sprop-max-don-diff > 0). They are passed over: no camera that we
        know of sends units out of decoding order.
        """
        super().__init__(track, payload_type, clock_rate, reorder=reorder)
        self._numbered = numbered
        self._vps: dict[int, bytes] = {}
        self._sps: dict[int, bytes] = {}
        self._pps: dict[int, bytes] = {}

    @classmethod
    def of(cls, track: int, media: Media, *, reorder: bool) -> H265Receiver:
        """The receiver of a track as SDP announces it. Parameter sets that cannot be used wait for those in-band."""
        try:
            numbered = int(media.fmtp.get("sprop-max-don-diff", "0")) > 0
        except ValueError:
            numbered = False
        receiver = cls(track, media.payload_type, media.clock_rate or 90_000, reorder=reorder, numbered=numbered)
        for name in _PARAMETER_SETS:
            for nal in announced_sets(media.fmtp.get(name, ""), _MAX_SETS):
                receiver._parameter_set(nal)
        receiver.announced()
        return receiver

    # -- RFC 7798 ----------------------------------------------------------------------------------------------------

    def _payload(self, buffer: Buffer, start: int, end: int, timestamp: int, marker: bool) -> None:
        if timestamp != self._timestamp:
            self._at(timestamp)
        if end - start > 2:
            kind = buffer[start] >> 1 & 0x3F
            if kind == _FRAGMENT:
                self._fragment_unit(buffer, start, end)
            else:
                self._cut_short()
                if kind == _AGGREGATION:
                    self._aggregation(buffer, start + 2, end)
                else:
                    # 4.4.1: behind the two bytes of the header stands the decoding order number
                    number = 2 if self._numbered else 0
                    self._unit(bytes(buffer[start : start + 2]) + bytes(buffer[start + 2 + number : end]))
        if marker:
            self._marker()

    def _fragment_unit(self, buffer: Buffer, start: int, end: int) -> None:
        first, second, flags = buffer[start], buffer[start + 1], buffer[start + 2]
        header = bytes((first & 0x81 | (flags & 0x3F) << 1, second))
        middle = first << 16 | second << 8 | flags & 0x3F
        number = 2 if self._numbered and flags & 0x80 else 0
        self._fragment(buffer, start + 3 + number, end, header, flags, middle)

    def _aggregation(self, buffer: Buffer, at: int, end: int) -> None:
        if self._numbered:
            at += 2
        while at + 2 <= end:
            size = buffer[at] << 8 | buffer[at + 1]
            at += 2
            if at + size > end:
                self.malformed += 1
                self._break()
                return
            self._unit(bytes(buffer[at : at + size]))
            at += size + (1 if self._numbered else 0)

    # -- NAL units ---------------------------------------------------------------------------------------------------

    def _is_slice(self, nal: bytes) -> bool:
        return nal[0] >> 1 & 0x3F < 32

    def _nal(self, nal: bytes) -> None:
        if len(nal) < 3 or nal[0] & 1 or nal[1] >> 3:
            return  # other layers (Annex F) are no part of what we record
        kind = nal[0] >> 1 & 0x3F
        if kind < 32:
            first = nal[2] >= 0x80
            self._add_slice(nal, first=first, sync=16 <= kind <= 23)
        elif kind in {32, 33, 34}:
            self._before_slices()
            self._parameter_set(nal)
        elif kind == 39:
            self._before_slices()
            self._add(nal)
        elif kind == 40:
            if self._slices:
                self._add(nal)
        elif kind == 35:
            self._before_slices()

    def _parameter_set(self, nal: bytes) -> None:
        """Keep a parameter set; where it is new, the format changes at the next sync sample."""
        if len(nal) < 3:
            return
        try:
            kind = codec.nal_type(nal)
            if kind == codec.NAL_VPS:
                key, sets = codec.parse_vps(nal)[0], self._vps
            elif kind == codec.NAL_SPS:
                key, sets = codec.parse_sps(nal).id, self._sps
            elif kind == codec.NAL_PPS:
                key, sets = codec.parse_pps_ids(nal)[0], self._pps
            else:
                return
        except CodecError:
            self.note("invalid parameter sets")
            return
        if not self._keep(sets, key, nal, _MAX_SETS):
            return
        try:  # the newest first: its size is what counts
            self._pending = codec.track_format(
                list(self._vps.values())[::-1], list(self._sps.values())[::-1], list(self._pps.values())[::-1]
            )
        except CodecError:
            return  # not complete yet

    # -- order -------------------------------------------------------------------------------------------------------

    def _format_changed(self) -> None:
        assert self.format is not None
        frame = round(self._rate / self.format.fps) if self.format.fps else self._rate // 25
        last = self._times.last
        self._times = DecodeTimes(self.format.reorder_depth, max(1, frame))
        self._times.last = last

    def _is_leading(self, pts: int) -> bool:  # noqa: ARG002 (the type says it better than the time)
        return self._slice[0] >> 1 & 0x3F in {8, 9}


def receiver(track: int, media: Media, *, reorder: bool) -> H265Receiver:
    """The receiver for an H265 rtpmap."""
    return H265Receiver.of(track, media, reorder=reorder)
