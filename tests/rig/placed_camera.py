"""Simulated cameras that live in other network namespaces than the test: in this process, or in one of their own."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from longwatch.simulate.camera import LOT, SimulatedCamera

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread makes its sockets there. They stay there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(there)
        try:
            yield
        finally:
            _enter(home)
    finally:
        os.close(home)
        os.close(there)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class PlacedCamera(SimulatedCamera):
    """A camera over TCP whose address is in a namespace."""

    def __init__(self, namespace: str, host: str, media: Path = LOT, **more: Any) -> None:
        super().__init__(media, host=host, port=8554, transports=("tcp",), **more)
        self._namespace = namespace

    def _bind(self) -> None:
        with inside(self._namespace):
            super()._bind()


class ChildCamera:
    """A camera that is a process. words: what runs it in a namespace."""

    def __init__(self, words: Sequence[str], host: str, faults: Sequence[str] = ()) -> None:
        self._words = [*words, sys.executable, "-m", "longwatch.simulate"]
        self._asked = json.dumps([{"files": {"main": str(LOT)}, "host": host, "port": 8554, "faults": list(faults)}])
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"rtsp://{host}:8554/main"

    def start(self) -> None:
        self._process = subprocess.Popen(self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(self._asked.encode() + b"\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
