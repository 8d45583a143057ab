"""Whether the kernel believes its clock: adjtimex(2), read-only. Thin on purpose; what follows from it is `host_time`'s."""

from __future__ import annotations

import ctypes

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5


class _Timex(ctypes.Structure):
    """struct timex of <sys/timex.h>; only `status` is read, the rest gives the size (208 bytes on 64-bit Linux)."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


class KernelTime:
    """Asks the kernel whether something disciplines its clock (ntpd, chrony, systemd-timesyncd, PTP)."""

    def __init__(self) -> None:
        self._timex = _Timex()
        self._adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex  # the C library this process runs on

    def synchronised(self) -> bool:
        """True while the clock is disciplined. False where the kernel does not say."""
        self._timex.modes = 0
        state = int(self._adjtimex(ctypes.byref(self._timex)))
        return 0 <= state != _TIME_ERROR and not self._timex.status & _STA_UNSYNC
