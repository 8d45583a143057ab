"""The real nut-server of Debian with its dummy driver, in a folder of the test's own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.ports import free_port
from tests.support.wait import until_now

FOLDER = Path("/lib/nut")
needs_nut = pytest.mark.skipif(
    not (FOLDER / "upsd").exists() or not (FOLDER / "dummy-ups").exists(), reason="nut-server is not installed"
)


class RealNut:
    """upsd and dummy-ups at 127.0.0.1:port, a UPS called `ups`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = folder / "state"
        self._device = folder / "ups.dev"
        self._children: list[subprocess.Popen[bytes]] = []
        self.port = free_port()

    def say(self, status: str, charge: int, runtime_s: int = 1000) -> None:
        """What the driver reads of its UPS from now on."""
        # the status last: the driver tells upsd line by line, and who asks between two of them is to be told of the charge that belongs to it
        text = f"battery.charge: {charge}\nbattery.runtime: {runtime_s}\nups.status: {status}\n"
        fresh = self._device.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self._device)

    def start(self) -> None:
        """Both processes; returns once upsd listens."""
        self._state.mkdir()
        (self._folder / "ups.conf").write_text(
            f"[ups]\n  driver = dummy-ups\n  port = {self._device}\n  mode = dummy-once\n  pollinterval = 1\n"
        )
        (self._folder / "upsd.conf").write_text(f"LISTEN 127.0.0.1 {self.port}\nMAXAGE 5\n")
        (self._folder / "upsd.users").write_text("")
        for name in ("ups.conf", "upsd.conf", "upsd.users"):
            (self._folder / name).chmod(0o640)
        self.say("OL", 100)
        self._run("dummy-ups", "-a", "ups")
        until_now(lambda: (self._state / "dummy-ups-ups").exists(), "the driver listens")
        self._run("upsd")
        until_now(self._listens, "upsd listens")

    def stop_driver(self) -> None:
        """The cable to the UPS is pulled: upsd says DATA-STALE."""
        self._children[0].kill()
        self._children[0].wait()

    def close(self) -> None:
        """End both."""
        for child in reversed(self._children):
            child.terminate()
        for child in self._children:
            try:
                child.wait(60)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def _run(self, *words: str) -> None:
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        env = os.environ | {"NUT_CONFPATH": str(self._folder), "NUT_STATEPATH": str(self._state)}
        command = [str(FOLDER / words[0]), *words[1:], "-u", user, "-F"]
        log = (self._folder / f"{words[0]}.log").open("wb")
        self._children.append(subprocess.Popen(command, env=env, stdout=log, stderr=log))
        log.close()

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


@contextlib.contextmanager
def real_nut(folder: Path) -> Iterator[RealNut]:
    """For one test. The socket's path is short: sun_path holds 108 bytes."""
    made = RealNut(folder)
    try:
        made.start()
        yield made
    finally:
        made.close()
