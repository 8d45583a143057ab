"""nats-server with JetStream for a test: one node, or a cluster of three; each can be killed and started again with what it had."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from tests.support.ports import free_port

SERVER = Path(sys.executable).parent / "nats-server"
CONFIG = Path(__file__).parents[2] / "deploy" / "nats.conf"
USER, PASSWORD = "longwatch", "hunter4/w@w"
_READY_S = 60.0


class Nats:
    """folder: of settings and stores. Each node runs with the shipped settings file, and its own ports and names before it."""

    def __init__(self, folder: Path, nodes: int) -> None:
        self.folder = folder
        self.ports, self._routes = [free_port() for _ in range(nodes)], [free_port() for _ in range(nodes)]
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def address(self) -> str:
        """As `broker` of a hub's settings names it."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"nats://{USER}:{quote(PASSWORD, safe='')}@{hosts}"

    def start(self, node: int) -> None:
        """Up to its first line to a client."""
        routes = ", ".join(f"nats://127.0.0.1:{port}" for port in self._routes)
        config = self.folder / f"{node}.conf"
        cluster = (
            f"cluster: {{name: test, listen: 127.0.0.1:{self._routes[node]}, no_advertise: true, routes: [{routes}]}}\n"
        )
        config.write_text(
            f"server_name: n{node}\nlisten: 127.0.0.1:{self.ports[node]}\n"
            f"authorization: {{user: {USER}, password: {PASSWORD}}}\n"
            + (cluster if len(self.ports) > 1 else "")
            + CONFIG.read_text().replace("/var/lib/nats", str(self.folder / f"store{node}"))
        )
        with (self.folder / "log").open("ab") as log:
            self._running[node] = subprocess.Popen(
                [SERVER, "-c", config], stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + _READY_S
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.ports[node]), 5) as said:
                    assert said.recv(4) == b"INFO"
                    return
            except (OSError, AssertionError) as error:
                if time.monotonic() > until or self._running[node].poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()[-3000:]) from error
                time.sleep(0.05)  # another process begins to listen in its own time

    def kill(self, node: int) -> None:
        """SIGKILL."""
        process = self._running.pop(node, None)
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.wait()

    def close(self) -> None:
        for node in list(self._running):
            self.kill(node)


@contextlib.contextmanager
def nats(nodes: int = 1) -> Iterator[Nats]:
    """Running, and away with all of it."""
    with tempfile.TemporaryDirectory(prefix="nats") as folder:
        made = Nats(Path(folder), nodes)
        try:
            for node in range(nodes):
                made.start(node)
            yield made
        finally:
            made.close()
