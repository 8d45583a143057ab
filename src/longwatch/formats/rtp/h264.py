"""H.264 over RTP (RFC 6184): single NAL units, STAP-A and FU-A (packetization modes 0 and 1)."""

from __future__ import annotations

from longwatch.formats.codecs import h264 as codec
from longwatch.formats.codecs.bits import CodecError
from longwatch.formats.rtp.clock import DecodeTimes, PictureOrder
from longwatch.formats.rtp.nal_video import NalVideoReceiver, announced_sets
from longwatch.formats.rtp.receiver import Buffer
from longwatch.formats.sdp import Media

_STAP_A, _FU_A = 24, 28
_MAX_SETS = 32
# Dropped: delimiters, filler, and layers of scalable and multiview video that the base layer plays without (Annex G, H).
_DROPPED = frozenset({9, 10, 11, 12, 13, 14, 15, 20, 21})
_PICTURE = frozenset({1, 5})
_SETS = frozenset({7, 8})
_STARTS_ACCESS_UNIT = frozenset({9, 14, 15, 16, 17, 18})


class H264Receiver(NalVideoReceiver):
    """Sync samples: IDR pictures, and pictures with a recovery point SEI (D.1.8): open GOPs and gradual refresh, which
    decoders can begin with. A stream with neither for 10 s is begun at any picture made of I slices alone.
    """

    def __init__(self, track: int, payload_type: int, clock_rate: int, *, reorder: bool) -> None:
        super().__init__(track, payload_type, clock_rate, reorder=reorder)
        self._sps: dict[int, bytes] = {}
        self._pps: dict[int, bytes] = {}
        self._parsed: codec.Sps | None = None
        self._order: PictureOrder | None = None
        self._recovery: int | None = None
        self._open_gop = False
        self._heal_in = -1  # pictures until a gradual refresh is complete

    @classmethod
    def of(cls, track: int, media: Media, *, reorder: bool) -> H264Receiver:
        """The receiver of a track as SDP announces it. Parameter sets that cannot be used wait for those in-band."""
        receiver = cls(track, media.payload_type, media.clock_rate or 90_000, reorder=reorder)
        for nal in announced_sets(media.fmtp.get("sprop-parameter-sets", ""), _MAX_SETS):
            receiver._parameter_set(nal)
        receiver.announced()
        return receiver

    # -- RFC 6184 ----------------------------------------------------------------------------------------------------

    def _payload(self, buffer: Buffer, start: int, end: int, timestamp: int, marker: bool) -> None:
        if timestamp != self._timestamp:
            self._at(timestamp)
        if start < end:
            kind = buffer[start] & 0x1F
            if kind == _FU_A:
                self._fu_a(buffer, start, end)
            else:
                self._cut_short()
                if kind == _STAP_A:
                    self._stap_a(buffer, start + 1, end)
                else:
                    self._unit(bytes(buffer[start:end]))
        if marker:
            self._marker()

    def _fu_a(self, buffer: Buffer, start: int, end: int) -> None:
        if end - start < 2:
            self.malformed += 1
            return
        indicator, header = buffer[start], buffer[start + 1]
        nal_header = bytes((indicator & 0xE0 | header & 0x1F,))
        self._fragment(buffer, start + 2, end, nal_header, header, indicator << 8 | header & 0x1F)

    def _stap_a(self, buffer: Buffer, at: int, end: int) -> None:
        while at + 2 <= end:
            size = buffer[at] << 8 | buffer[at + 1]
            at += 2
            if at + size > end:
                self.malformed += 1
                self._break()
                return
            if size:
                self._unit(bytes(buffer[at : at + size]))
            at += size

    # -- NAL units ---------------------------------------------------------------------------------------------------

    def _is_slice(self, nal: bytes) -> bool:
        return 1 <= nal[0] & 0x1F <= 5

    def _nal(self, nal: bytes) -> None:
        kind = nal[0] & 0x1F
        if kind in _PICTURE:
            first = len(nal) > 1 and nal[1] >= 0x80
            self._add_slice(nal, first=first, sync=kind == 5 or self._recovery is not None)
        elif kind == 6:
            self._before_slices()
            recovery = codec.recovery_point(nal)
            if recovery is not None:
                self._recovery = recovery
            self._add(nal)
        elif kind in _SETS:
            self._before_slices()
            self._parameter_set(nal)
        elif kind in _STARTS_ACCESS_UNIT:
            self._before_slices()
        elif kind not in _DROPPED:
            self.malformed += 1
            self.note("H.264 payloads that we do not take (interleaved mode, data partitions)")

    def _parameter_set(self, nal: bytes) -> None:
        """Keep an SPS or PPS; where it is new, the format changes at the next sync sample."""
        try:
            if nal[:1] and nal[0] & 0x1F == 7:
                key, sets = codec.parse_sps(nal).id, self._sps
            elif nal[:1] and nal[0] & 0x1F == 8:
                key, sets = codec.parse_pps_ids(nal)[0], self._pps
            else:
                return
        except CodecError:
            self.note("invalid parameter sets")
            return
        if not self._keep(sets, key, nal, _MAX_SETS):
            return
        try:  # the newest first: its size is what counts
            self._pending = codec.track_format(list(self._sps.values())[::-1], list(self._pps.values())[::-1])
        except CodecError:
            return  # an SPS without PPS, or the other way round: wait for the other one

    def _is_next_picture(self) -> bool:
        # Two fields of one frame have one timestamp, and both begin with macroblock 0.
        return self._parsed is None or self._parsed.frame_mbs_only

    def _is_leading(self, pts: int) -> bool:
        # Behind an IDR picture nothing is shown before it; behind a recovery point of an open GOP there may be.
        return self._open_gop and pts < self._sync_pts

    # -- order and sync ----------------------------------------------------------------------------------------------

    def _format_changed(self) -> None:
        sps = codec.parse_sps(next(reversed(self._sps.values())))
        self._parsed = sps
        frame = round(self._rate / sps.fps) if sps.fps else self._rate // 25
        last = self._times.last
        self._times = DecodeTimes(sps.reorder or 0, max(1, frame))
        self._times.last = last
        self._learns_order = sps.reorder is None and sps.poc_type == 0
        self._order = PictureOrder(sps.max_ref_frames) if self._learns_order else None

    def _learn_order(self, pts: int) -> None:
        order, sps = self._order, self._parsed
        if order is None or sps is None:
            return
        try:
            head = codec.parse_slice(self._slice, sps)
        except CodecError:
            return
        if head.poc_lsb is None or head.field:
            return
        depth = order.see(pts, head.poc_lsb, sps.log2_poc, idr=self._slice[0] & 0x1F == 5)
        self._learns_order = not order.settled
        if depth > self._times.depth:
            self._times.grow(depth)
        elif depth < self._times.depth:
            self._times.restart(depth)

    def _disordered(self) -> None:
        if self._order is not None:
            self._order.begin_again()
            self._learns_order = True

    def _next_picture(self) -> None:
        self._recovery = None
        if self._heal_in > 0:
            self._heal_in -= 1
            if self._heal_in == 0:
                self._heal_in = -1
                self._damaged = False

    def _after_loss(self) -> None:
        self._heal_in = -1
        if self._order is not None:
            self._order.lost()

    def _still_damaged(self) -> bool:
        self._open_gop = self._slice[0] & 0x1F != 5
        if self._recovery and self._open_gop:
            if self._damaged and self._heal_in < 0:
                self._heal_in = min(self._recovery, 1 << 16)
            return self._damaged
        return False

    def _accept_as_sync(self) -> bool:
        if not self._waited_long():
            return False
        try:
            sps = self._parsed or codec.parse_sps(next(reversed(self._sps.values())))
            if codec.parse_slice(self._slice, sps).type not in {2, 4}:
                return False
        except (CodecError, StopIteration):
            return False
        self.note("no IDR picture and no recovery point: begun at an I picture")
        return True


def receiver(track: int, media: Media, *, reorder: bool) -> H264Receiver:
    """The receiver for an H264 rtpmap."""
    return H264Receiver.of(track, media, reorder=reorder)
