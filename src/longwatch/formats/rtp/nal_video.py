"""What H.264 (RFC 6184) and H.265 (RFC 7798) have in common: NAL units to access units, fragments, decode times, loss.

The common case, the middle of a fragmented unit, costs one `unpack_from`, three comparisons and one copy a packet. All
else takes the careful path. An access unit ends at the marker, or where the timestamp or the NAL units say so: some
cameras never set the marker (FLIR M400), some set it on an SEI or on every slice.
"""

from __future__ import annotations

import base64
import binascii
import struct
from abc import abstractmethod
from collections.abc import Iterator, Sequence

from longwatch.formats.media import Sample, TrackFormat
from longwatch.formats.rtp.clock import DecodeTimes
from longwatch.formats.rtp.receiver import MAX_ACCESS_UNIT_BYTES, Buffer, Output, TrackReceiver

_MIDDLE = struct.Struct(">IQI")  # first two bytes and sequence number; timestamp and SSRC; fragment headers
_LENGTH = struct.Struct(">I")
_MAX_NALS = 1024
_MAX_FRAGMENTS = 1 << 16  # each costs some 70 bytes beside its payload, which may be empty
_START_CODE = b"\x00\x00\x01"
_START_CODES = (_START_CODE, b"\x00\x00\x00\x01")
_MARKER = 0x80_0000  # in the first four bytes
_SSRC = 0xFFFF_FFFF
_NO_MIDDLE = -2
_WAIT_FOR_SYNC_US = 10_000_000


def announced_sets(text: str, most: int) -> Iterator[bytes]:
    """The parameter sets of an `sprop-` parameter: at most `most` in base64, with commas between. What is no base64 is passed
    over; sets that a camera wrote with start codes in one are taken apart.
    """
    for coded in text.split(",")[:most]:
        try:
            nals = base64.b64decode(coded.strip() + "==", validate=False)
        except (binascii.Error, ValueError):
            continue
        for nal in nals.split(_START_CODE):
            yield nal.rstrip(b"\x00")


class NalVideoReceiver(TrackReceiver):
    """State of one access unit being put together, and of what has been promised to whoever stores it.

    Before the first sync sample nothing is delivered; after a loss samples are `damaged` up to the next one. A change of
    parameter sets takes effect at the next sync sample. In-band parameter sets go to the sample entry, not to samples.
    """

    _fragment_shift = 16  # of the four bytes behind the RTP header, how many are payload
    _learns_order = False  # whether `_learn_order` has anything to find out
    _fragment_bytes = 2  # FU indicator and FU header

    def __init__(self, track: int, payload_type: int, clock_rate: int, *, reorder: bool) -> None:
        super().__init__(track, payload_type, clock_rate, reorder=reorder)
        self._nals: list[bytes] = []
        self._size = 0
        self._slices = 0
        self._timestamp = -1
        self._delivered_timestamp = -1
        self._broken = False
        self._sync = False
        self._slice = b""  # the first one of the access unit
        self._fragments: list[Buffer] = []
        self._fragments_size = 0
        self._middle = _NO_MIDDLE
        self._marker_seen = False
        self._marker_lies = False
        self._started = False
        self._damaged = False
        self._announced = False
        self._leading_lost = True  # pictures shown before the last sync sample need what was never received
        self._leading_damaged = False
        self._sync_pts = 0
        self._unit_us = 0  # when the last unit of this access unit came
        self._delivered_us = 0
        self._last_timestamp = -1
        self._waiting_since_us: int | None = None
        self._pending: TrackFormat | None = None
        self._times = DecodeTimes(0, clock_rate // 25)

    # -- packets -----------------------------------------------------------------------------------------------------

    def push(self, buffer: Buffer, spans: Sequence[tuple[int, int]], arrival_boot_us: int) -> Output:
        """See TrackReceiver.push."""
        if type(buffer) is memoryview:
            buffer = bytes(buffer)
        self._arrival_us = arrival_boot_us
        unpack = _MIDDLE.unpack_from
        shift = self._fragment_shift
        skip = 12 + self._fragment_bytes
        plain = (0x8000 | self._payload_type) << 16
        append = self._fragments.append
        middle = self._middle
        source = self._timestamp << 32 | self._ssrc
        expected = self._expected(plain)
        fast = 0
        for start, end in spans:
            try:
                order, origin, fragment = unpack(buffer, start)
            except struct.error:  # shorter than 16 bytes, at the very end of the buffer
                order = origin = fragment = -3
            if fragment >> shift == middle and order == expected and origin == source:
                append(buffer[start + skip : end])
                expected += 1
                fast += 1
                continue
            if order & ~_MARKER == expected and origin & _SSRC == self._ssrc and not (self._window or self._probation):
                # In order and without options; all it lacks is being the middle of a fragment.
                expected += 1
                fast += 1
                self._payload(buffer, start + 12, end, origin >> 32, order & _MARKER > 0)
            else:
                self._advance(expected, plain)
                self._packet(buffer, start, end)
                expected = self._expected(plain)
            append = self._fragments.append
            middle = self._middle
            source = self._timestamp << 32 | self._ssrc
        self._advance(expected, plain)
        if fast:
            self.packets += fast
            if self._fragments:
                self._fragments_size += spans[-1][1] - spans[0][0]  # at most that
                if self._fragments_size > MAX_ACCESS_UNIT_BYTES or len(self._fragments) > _MAX_FRAGMENTS:
                    self._too_large()
        return self._take()

    def _expected(self, plain: int) -> int:
        """The first four bytes of the next packet in order without a marker; a carry out of the number is a wrap."""
        return plain | self._seq if self._seq >= 0 else -1

    def _advance(self, expected: int, plain: int) -> None:
        if expected >= 0:
            if (expected ^ plain) >> 16:
                self._cycles += 1
            self._seq = expected & 0xFFFF

    def announced(self) -> None:
        """SDP gave what it has: a format that it gave is known before the first packet."""
        if self._pending is not None:
            self.format, self._pending = self._pending, None
            self._announced = True
            self._format_changed()

    def _keep(self, sets: dict[int, bytes], key: int, nal: bytes, most: int) -> bool:
        """Keep a parameter set as the newest of its kind; False where it is known already."""
        if sets.get(key) == nal:
            return False
        if key not in sets and len(sets) >= most:
            sets.clear()
        sets.pop(key, None)
        sets[key] = nal
        if self._started:
            self._damaged = True
        return True

    def _cut_short(self) -> None:
        """Another kind of payload comes before the last fragment did."""
        if self._fragments:
            self._break()
            self._drop_fragments()

    def _too_large(self) -> None:
        self._drop_fragments()
        self._nals = []
        self._size = 0
        self._break()
        self.note("an access unit was larger than 16 MiB and was dropped")

    def _drop_fragments(self) -> None:
        self._fragments = []
        self._fragments_size = 0
        self._middle = _NO_MIDDLE

    def _break(self) -> None:
        """The access unit is not whole: it will not be delivered, and what depends on it is damaged."""
        self._broken = True
        self._damaged = True

    def _gap(self) -> None:
        if self._fragments or self._nals:
            self._break()
        self._drop_fragments()
        self._damaged = True
        self._after_loss()

    def _end(self) -> None:
        # Without its marker nobody can say that an access unit is whole: its last slice may be among what never came.
        self._drop_fragments()
        self._clear()

    def _at(self, timestamp: int) -> None:
        """The next payload has another timestamp, this one: the access unit before it is over."""
        self._cut_short()
        if self._nals or self._broken:
            self._finish()
        self._timestamp = timestamp

    def _marker(self) -> None:
        self._marker_seen = True
        if self._slices and not self._marker_lies and not self._fragments:
            self._finish()

    # -- fragments and units -----------------------------------------------------------------------------------------

    def _fragment(self, buffer: Buffer, start: int, end: int, header: bytes, flags: int, middle: int) -> None:
        """A fragmentation unit whose payload is [start, end). header: of the NAL unit it is part of.

        Start and end in one are tolerated (CostarHD), and a type that changes on the way (Tiandy): the first one counts.
        """
        if flags & 0x80:
            if self._fragments:
                self._break()
            self._fragments = [header]
            self._fragments_size = 0
            self._middle = middle
        elif not self._fragments:
            self._break()  # its beginning is missing
            return
        self._fragments.append(buffer[start:end])
        self._fragments_size += end - start
        if flags & 0x40:
            nal = b"".join(self._fragments)
            self._drop_fragments()
            self._unit(nal)
        elif self._fragments_size > MAX_ACCESS_UNIT_BYTES or len(self._fragments) > _MAX_FRAGMENTS:
            self._too_large()

    def _unit(self, nal: bytes) -> None:
        """One NAL unit as it was sent. Annex B inside (V380) is taken apart: start codes, several units in one."""
        if not nal:
            return
        if (not nal[0] and nal.startswith(_START_CODES)) or (not self._is_slice(nal) and _START_CODE in nal):
            self.note("Annex B start codes inside RTP")
            for part in nal.split(_START_CODE):
                stripped = part.rstrip(b"\x00")
                if stripped:
                    self._nal(stripped)
        else:
            self._nal(nal)

    def _add(self, nal: bytes) -> None:
        self._size += len(nal) + 4
        if self._size > MAX_ACCESS_UNIT_BYTES or len(self._nals) >= 2 * _MAX_NALS:
            self._too_large()
            return
        self._unit_us = self._arrival_us
        self._nals += (_LENGTH.pack(len(nal)), nal)

    def _add_slice(self, nal: bytes, *, first: bool, sync: bool) -> None:
        """A coded slice. first: it begins a picture."""
        if not self._slices:
            if not first:
                if self._timestamp == self._delivered_timestamp:
                    self._marker_lies = True
                    self.note("the marker bit is set inside an access unit")
                self._break()  # the picture's beginning is missing
            self._slice, self._sync = nal, sync
        elif first and self._is_next_picture():
            self._finish()
            self._slice, self._sync = nal, sync
        self._slices += 1
        self._add(nal)

    def _before_slices(self) -> None:
        """A unit that can only stand before the slices of a picture: behind slices, it begins the next access unit."""
        if self._slices:
            self._finish()

    # -- access units ------------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        self._nals = []
        self._size = 0
        self._slices = 0
        self._broken = False
        self._sync = False
        self._slice = b""

    def _finish(self) -> None:
        nals, sync, broken, slices = self._nals, self._sync, self._broken, self._slices
        self._delivered_timestamp = self._timestamp
        if slices and not broken:
            self._deliver(nals, sync)
        elif broken:
            self.note("access units were incomplete")
        self._clear()
        self._next_picture()

    def _deliver(self, nals: list[bytes], sync: bool) -> None:
        pts = self._media_time(self._timestamp)
        if not sync and not self._started:
            sync = self._accept_as_sync()
        if sync:
            self._begin_with_sync()
        leading = not sync and self._times.depth > 0 and self._is_leading(pts)
        if not self._started or (leading and self._leading_lost):
            return
        pts, dts = self._times_of(pts)
        data = b"".join(nals)
        self.bytes += len(data)
        self._delivered_us = self._arrival_us
        damaged = self._damaged or (leading and self._leading_damaged)
        self._out.append(Sample(self.track, dts, pts - dts, sync, data, self._unit_us, damaged))
        if sync:
            self._sync_pts = pts

    def _begin_with_sync(self) -> None:
        """A sync sample is next: what was pending takes effect. Without parameter sets it begins nothing."""
        self._leading_lost = not self._started
        self._leading_damaged = self._damaged
        if self._pending is not None:
            changed, self._pending = self._pending, None
            if changed != self.format:
                self.format = changed
                self._announced = False
                self._leading_lost = True
                self._format_changed()
        if self.format is None:
            self.note("no parameter sets that could be used")
            return
        if not self._announced:
            self._announced = True
            self._out.append(self.format)
        self._started = True
        self._damaged = self._still_damaged()

    def _waited_long(self) -> bool:
        """Whether no sync sample has come for 10 s of access units."""
        if self._waiting_since_us is None:
            self._waiting_since_us = self._arrival_us
        return self._arrival_us - self._waiting_since_us > _WAIT_FOR_SYNC_US

    def _times_of(self, pts: int) -> tuple[int, int]:
        """Display and decode time.

        A display time at or before the last decode time cannot be. Less than 0.1 s back is a camera's jitter: that sample
        alone is moved. More, or a time that stands still, moves all that follow: on by the time that passed since.
        """
        if self._learns_order:
            self._learn_order(pts)
        times = self._times
        dts = times.next(pts)
        if dts is not None:
            return pts, dts
        last = times.last
        assert last is not None
        self.note("timestamps went back or stood still")
        self._disordered()
        elapsed = (self._arrival_us - self._delivered_us) * self._rate // 1_000_000
        still = self._timestamp == self._last_timestamp
        self._last_timestamp = self._timestamp
        if pts > last - self._rate // 10 and not still:
            times.last = last + 1
            return last + 1, last + 1
        times.restart()
        moved = last + max(1, min(elapsed, self._rate)) + times.depth * times.frame_ticks
        self.clock.shift(moved - pts)
        dts = times.next(moved)
        assert dts is not None
        return moved, dts

    # -- what a codec says -------------------------------------------------------------------------------------------

    @abstractmethod
    def _nal(self, nal: bytes) -> None:
        """A whole NAL unit, at least one byte."""

    @abstractmethod
    def _is_slice(self, nal: bytes) -> bool:
        """Whether it is coded video rather than a parameter set, SEI or delimiter."""

    def _is_next_picture(self) -> bool:
        """Whether a slice that begins a picture, behind slices of the same timestamp, begins another access unit."""
        return True

    def _next_picture(self) -> None:
        """An access unit is over."""

    def _after_loss(self) -> None:
        """Packets are missing."""

    def _accept_as_sync(self) -> bool:
        """Whether a stream that has no sync sample may begin with this access unit."""
        return False

    def _still_damaged(self) -> bool:
        """Whether a sync sample leaves damage behind."""
        return False

    def _is_leading(self, pts: int) -> bool:
        """Whether this picture may need one from before the last sync sample, which is shown after it."""
        return pts < self._sync_pts

    def _learn_order(self, pts: int) -> None:
        """Find out how far pictures are reordered."""

    def _disordered(self) -> None:
        """A display time lies before a decode time that was given out."""

    def _format_changed(self) -> None:
        """`format` is a new one."""
