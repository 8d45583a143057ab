"""Interleaved binary data (RFC 2326, 10.12): packets and messages on one connection, told apart in place.

The hot path of a recorder: no packet is copied and none becomes an object; each is one (start, end) in a list of its
channel. At 4 Mbit/s a camera sends 360 packets a second.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from longwatch.formats.rtsp.messages import MAX_MESSAGE_BYTES, Message, RtspError, decode

MAX_ITEM_BYTES = max(MAX_MESSAGE_BYTES, 4 + 0xFFFF)
"""What a read buffer must hold: the largest message, or the largest packet with its header."""

_HEADER = struct.Struct(">HH")
_DOLLAR = 0x24
_LINE_BREAKS = (0x0D, 0x0A)


class Demultiplexer:
    """Splits what a camera sends into packets by channel, and messages.

    lanes: the spans found so far by channel, for the channels that were opened; the owner takes them out and clears the
    lists. strays: packets on channels that nobody opened, dropped (live555 goes on sending a stale session's packets to
    the next connection).
    """

    __slots__ = ("_by_header", "lanes", "strays")

    def __init__(self) -> None:
        self.lanes: dict[int, list[tuple[int, int]]] = {}
        self._by_header: dict[int, list[tuple[int, int]]] = {}
        self.strays = 0

    def open(self, channel: int) -> list[tuple[int, int]]:
        """Take packets of this channel from now on. The list returned is the lane, for good."""
        if not 0 <= channel <= 255:
            raise RtspError(f"channel {channel} does not exist")
        lane = self.lanes.setdefault(channel, [])
        self._by_header[_DOLLAR << 8 | channel] = lane
        return lane

    def split(self, buffer: bytes | bytearray | memoryview, start: int, end: int) -> tuple[int, Message | None]:
        """Go through buffer[start:end] up to its end or to the first message.

        Returns where it stopped, and the message if there was one: handle it and call again from there, since it may
        open channels. Without a message, what lies between the place returned and `end` is not whole yet.
        Raises RtspError on bytes that are neither.
        """
        at = start
        while True:
            at = self._packets(buffer, at, end)
            while at < end and buffer[at] in _LINE_BREAKS:
                at += 1
            if at >= end:
                return at, None
            if buffer[at] == _DOLLAR:
                if self._whole(buffer, at, end):
                    continue
                return at, None
            found = decode(buffer, at, end)
            if found is None:
                return at, None
            return found[1], found[0]

    def _packets(self, buffer: bytes | bytearray | memoryview, at: int, end: int) -> int:
        unpack = _HEADER.unpack_from
        last_header = end - 4
        current = -1
        append: Callable[[tuple[int, int]], None] = self._drop
        while at <= last_header:
            header, size = unpack(buffer, at)
            first = at + 4
            after = first + size
            if header != current:
                if header >> 8 != _DOLLAR:
                    return at
                lane = self._by_header.get(header)
                append = self._drop if lane is None else lane.append
                current = header
            if after > end:
                return at
            append((first, after))
            at = after
        return at

    def _drop(self, _: tuple[int, int]) -> None:
        self.strays += 1

    @staticmethod
    def _whole(buffer: bytes | bytearray | memoryview, at: int, end: int) -> bool:
        return end - at >= 4 and at + 4 + int(_HEADER.unpack_from(buffer, at)[1]) <= end
