"""When the next frame may be handed to the kernel: as late as the link allows, so that an alarm finds no queue before it.

A socket that takes all it is given lets the buffers of kernel and modem fill: at 64 kbit/s, 64 KiB are eight seconds that no alarm overtakes. So bytes
handed over and not yet acknowledged are held to what the way itself holds (rate times the shortest round trip) and QUEUE_US more. The rate is what was
acknowledged, the best of the last samples; while the way is not full the bound grows by itself, as the queue it allows shows no delay.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import termios
from collections import deque
from dataclasses import dataclass

QUEUE_US = 200_000
QUANTUM_US = 300_000  # a frame takes about so long
LEAST_BYTES = 6 << 10  # on the way, before anything is known of it
_PACKET_BYTES = 1400  # on a thin link one packet takes longer than the round trip of a small one
_FIRST_RATE = 32_000  # bytes a second
_SAMPLE_US = 1_000_000
_SAMPLES = 6
_TCP_INFO = struct.Struct("8B24I8Q")  # up to tcpi_sndbuf_limited; Linux >= 4.19 has more behind it
_BYTES_SENT = struct.Struct("QQ")
_TCP_NOTSENT_LOWAT = 25
_HEADERS = 52  # of a packet: IPv4 and TCP with time stamps
SEND_BUFFER_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class TcpNumbers:
    """What the kernel says of a connection. outstanding: bytes handed over and not acknowledged. wire: bytes of both ways since it began, headers too."""

    outstanding: int
    acked: int
    min_rtt_us: int
    rtt_us: int
    wire: int


def prepare(sock: socket.socket) -> None:
    """Small buffers, no waiting for more."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, 16 << 10)


def cork(sock: socket.socket, *, on: bool) -> None:
    """While on, the kernel waits for a whole packet (0.2 s at most): small frames that belong together share one."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, int(on))


def numbers(sock: socket.socket) -> TcpNumbers | None:
    """Of a connected TCP socket on Linux; None where it is closed."""
    try:
        raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        (outstanding,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))
    except (OSError, ValueError):  # ValueError: it was closed between the two, and has no descriptor any more
        return None
    if len(raw) < 216:
        return None
    field32 = struct.unpack_from("24I", raw, 8)  # tcpi_rto first
    rtt_us, total_acked, received = field32[15], *struct.unpack_from("QQ", raw, 120)
    segments_out, segments_in, _, min_rtt_us = struct.unpack_from("4I", raw, 136)
    (sent,) = struct.unpack_from("Q", raw, 200)
    wire = sent + received + _HEADERS * (segments_out + segments_in)
    return TcpNumbers(outstanding, total_acked, min_rtt_us if min_rtt_us != 0xFFFFFFFF else rtt_us, rtt_us, wire)


class Pace:
    """Of one connection. Times are CLOCK_BOOTTIME. Pure: the numbers are handed in."""

    def __init__(self, rate_bytes_s: int | None = None) -> None:
        """rate_bytes_s: a cap from the settings, if there is one: frames are cut for it from the start."""
        self._cap = rate_bytes_s
        self._samples: deque[int] = deque(maxlen=_SAMPLES)
        self._since_us: int | None = None
        self._acked = 0
        self._min_rtt_us = 0

    @property
    def rate(self) -> int:
        """Bytes a second that the link carries, as far as is known."""
        measured = max(self._samples, default=_FIRST_RATE if self._cap is None else self._cap)
        return max(300, measured)

    @property
    def quantum(self) -> int:
        """Bytes of a frame."""
        rate = self.rate if self._cap is None else min(self.rate, self._cap)
        return rate * QUANTUM_US // 1_000_000

    @property
    def bound(self) -> int:
        """Bytes that may be on the way."""
        if not self._samples:
            return LEAST_BYTES
        return _PACKET_BYTES + self.rate * (self._min_rtt_us + QUEUE_US) // 1_000_000

    def see(self, found: TcpNumbers, boot_us: int) -> None:
        """Take what the kernel says now."""
        self._min_rtt_us = found.min_rtt_us
        if self._since_us is None:
            self._since_us, self._acked = boot_us, found.acked
        elapsed = boot_us - self._since_us
        if elapsed >= _SAMPLE_US + 2 * found.min_rtt_us:
            rate = (found.acked - self._acked) * 1_000_000 // elapsed
            if found.outstanding or rate > self.rate:  # else nothing was asked of the link, and it says nothing of it
                self._samples.append(rate)
            self._since_us, self._acked = boot_us, found.acked

    def has_room(self, found: TcpNumbers) -> bool:
        """Whether another frame may be handed over."""
        return found.outstanding <= self.bound

    def wait_s(self, found: TcpNumbers) -> float:
        """When to look again, where there is no room."""
        return min(0.1, max(0.002, (found.outstanding - self.bound) / self.rate))
