"""A thin link between two network namespaces, packet by packet: rate, queue, delay, loss, doubles, reordering, cuts whole and one-way.

What `tc netem` and `tbf` do, for kernels that lack them: a TUN device in each namespace, and a process that carries packets from one to the other.
`python -m tests.support.link_emulator NAMESPACE_A NAMESPACE_B FILE`: FILE is JSON, as `Conditions`, read again five times a second. Needs root.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import heapq
import itertools
import json
import os
import random
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
ADDRESS_A, ADDRESS_B = "10.98.0.1", "10.98.0.2"
MTU = 1400
_READ_AGAIN_S = 0.2


@dataclass
class Conditions:
    """rate_bits_s: each way; 0 for no limit. queue_s: a packet that would wait longer is dropped. down: nobody; down_a, down_b: what comes from there."""

    rate_bits_s: int = 0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    double: float = 0.0
    reorder: float = 0.0
    queue_s: float = 2.0
    down: bool = False
    down_a: bool = False
    down_b: bool = False

    def save(self, path: Path) -> None:
        """For the emulator, which reads it within a moment."""
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self)))
        fresh.replace(path)


def open_tun(namespace: str, device: str, address: str) -> int:
    """A TUN device in a namespace, up, with its address; its descriptor stays good here. No other address: with one of IPv6 the kernel looks for routers, and that counts as ours."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/var/run/netns/{namespace}", os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH14x", device.encode(), IFF_TUN | IFF_NO_PI))
        for words in (
            ["link", "set", device, "addrgenmode", "none"],
            ["addr", "add", f"{address}/24", "dev", device],
            ["link", "set", device, "up", "mtu", str(MTU)],
        ):
            subprocess.run(["ip", *words], check=True)
        return tun
    finally:
        libc.setns(home, CLONE_NEWNET)
        os.close(home)
        os.close(there)


class Emulator:
    """Carries packets until it is killed."""

    def __init__(self, a: int, b: int, file: Path) -> None:
        self.a, self.b, self.file = a, b, file
        self.conditions = Conditions()
        self._read_at = 0.0
        self._free_at = {a: 0.0, b: 0.0}
        self._due: list[tuple[float, int, int, bytes]] = []
        self._numbers = itertools.count()
        self._dice = random.Random(1)

    def run(self) -> None:
        while True:
            now = time.monotonic()
            if now - self._read_at > _READ_AGAIN_S:
                self._read_at = now
                with contextlib.suppress(OSError, ValueError):
                    self.conditions = Conditions(**json.loads(self.file.read_text()))
            wait = min(_READ_AGAIN_S, max(0.0, self._due[0][0] - now)) if self._due else _READ_AGAIN_S
            for tun in select.select([self.a, self.b], [], [], wait)[0]:
                for packet in _packets(tun):
                    self._take(tun, packet)
            self._give()

    def _take(self, tun: int, packet: bytes) -> None:
        now, it = time.monotonic(), self.conditions
        if it.down or (it.down_a and tun == self.a) or (it.down_b and tun == self.b) or self._dice.random() < it.loss:
            return
        begin = max(now, self._free_at[tun])
        if it.rate_bits_s:
            if begin - now > it.queue_s:
                return
            self._free_at[tun] = begin + len(packet) * 8 / it.rate_bits_s
            begin = self._free_at[tun]
        for _ in range(2 if self._dice.random() < it.double else 1):
            late = 0.2 if self._dice.random() < it.reorder else 0.0
            due = begin + it.delay_s + self._dice.uniform(0, it.jitter_s) + late
            heapq.heappush(self._due, (due, next(self._numbers), self.b if tun == self.a else self.a, packet))

    def _give(self) -> None:
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            _, _, tun, packet = heapq.heappop(self._due)
            with contextlib.suppress(OSError):
                os.write(tun, packet)


def _packets(tun: int) -> Iterator[bytes]:
    for _ in range(64):
        try:
            yield os.read(tun, 65536)
        except BlockingIOError:
            return


def main() -> None:
    a, b, file = sys.argv[1:4]
    tuns = open_tun(a, "link0", ADDRESS_A), open_tun(b, "link0", ADDRESS_B)
    print("ready", flush=True)
    Emulator(*tuns, Path(file)).run()


if __name__ == "__main__":
    main()
