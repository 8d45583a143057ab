"""The clock of a host that is the test's: a library that the test builds and a process is started with.

Setting the machine's own clock would harm everything else on it, and `unshare --time` shifts every clock but the wall's.
"""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
import time
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
_FORM = "=qqqq64s"
_BOOT_PATH = 63


def why_not() -> str:
    """Why it cannot be built here; "" where it can."""
    return "" if shutil.which("gcc") else "gcc is not there to build the clock"


class HostClock:
    """One host's clock, mapped by every process started with `environment`. Owner: the test."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.library = folder / "clock_shim.so"
        self._file = folder / "clock"
        self._boot_id = folder / "boot"
        self._boots = 0
        assert len(str(self._boot_id)) <= _BOOT_PATH, "the path of the boot id is too long for the shim"
        subprocess.run(
            ["gcc", "-O1", "-Wall", "-shared", "-fPIC", "-o", str(self.library), str(SOURCE)], check=True, timeout=180
        )
        self._file.write_bytes(bytes(struct.calcsize(_FORM)))
        with self._file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), 0)
        self.offset_s = 0.0
        self._set(0, synchronised=True)
        self.new_boot()

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self.library), "LONGWATCH_CLOCK": str(self._file)}

    def new_boot(self) -> None:
        """The host starts anew: another boot id."""
        self._boots += 1
        digits = f"{self._boots:032x}"
        self._boot_id.write_text(f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}\n")

    def set(self, offset_s: float, *, synchronised: bool) -> None:
        """The clock is set: it differs from the true one by so much. synchronised: NTP vouches for it."""
        self._set(0, synchronised=synchronised, offset_s=offset_s)

    def run_fast(self, times: int) -> None:
        """From now on it runs so many times too fast."""
        self._set(times - 1, synchronised=False, offset_s=self.offset_s)

    def _set(self, rate: int, *, synchronised: bool, offset_s: float = 0.0) -> None:
        self.offset_s = offset_s
        base_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        packed = struct.pack(
            _FORM, round(offset_s * 1e9), rate, base_ns, int(synchronised), str(self._boot_id).encode()
        )
        self._map[:] = packed
