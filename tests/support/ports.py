"""Ports for servers that read theirs from a settings file, and take it again each time they are started."""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Iterator

_FROM, _TO = 20_000, 32_000
"""Below those that a system hands out by itself (Linux: 32768 to 60999): whoever asks for any port is never given one of these, however long its server is down."""
_WORKERS = 4


def _in_turn() -> Iterator[int]:
    """Of this process: workers of one run have their own part each, and two runs on one machine begin anywhere."""
    worker = int("".join(filter(str.isdigit, os.environ.get("PYTEST_XDIST_WORKER", ""))) or 0) % _WORKERS
    size = (_TO - _FROM) // _WORKERS
    begin = random.SystemRandom().randrange(size)
    return (_FROM + worker * size + (begin + n) % size for n in itertools.count())


_ports = _in_turn()


def free_port() -> int:
    """One that nobody listens at. It is handed out once in a process, for as long as there are others."""
    for port in _ports:
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise AssertionError("ports never end")
