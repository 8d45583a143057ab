"""A post and a hub in network namespaces, with a link between them that can be made thin, cut and mended."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.link_emulator import ADDRESS_B, Conditions
from tests.support.netns import Network
from tests.support.uplink_pair import hub_keys, joined

PORT = 8461
_TCP_BYTES = 20 + 20 + 12
"""Before the data of each packet: IP, TCP and its time stamps."""
_TOLD_TWICE_BYTES = _TCP_BYTES + 12
"""That something came twice (RFC 2883)."""


class Process:
    """A process that prints JSON lines."""

    def __init__(self, namespace: str, *words: str, env: dict[str, str] | None = None) -> None:
        self.lines: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", namespace, sys.executable, "-m", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
        self._fresh: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):
                self.lines.append(json.loads(line))
                self._fresh.put(self.lines[-1])

    def wait(self, seconds: float = 180.0, **wanted: Any) -> dict[str, Any]:
        """The first line from now on that says this."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._fresh.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"not within {seconds} s: {wanted}; last {self.lines[-1:]}") from None
            if all(line.get(name) == value for name, value in wanted.items()):
                return line

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


class Link:
    """The two ends and the emulator between them."""

    def __init__(self, folder: Path, network: Network) -> None:
        self.folder = folder
        self.network = network
        self.conditions = Conditions()
        self.file = folder / "link.json"
        self.post_name, self.hub_name = network.host("post"), network.host("hub")
        self.set()
        self.emulator = subprocess.Popen(
            [sys.executable, "-m", "tests.support.link_emulator", self.post_name, self.hub_name, str(self.file)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.emulator.stdout is not None
        assert self.emulator.stdout.readline().strip() == "ready"
        authority = hub_keys(folder / "hq")
        joined(folder / "north", authority, "north", f"{ADDRESS_B}:{PORT}")
        self.hub = Process(self.hub_name, "tests.rig.link_ends", "hub", str(folder / "hq"), f"{ADDRESS_B}:{PORT}")
        self.hub.wait(what="ready")
        self.post: Process = self.start_post()

    def start_post(self, **policy: Any) -> Process:
        process = Process(
            self.post_name,
            "tests.rig.link_ends",
            "post",
            str(self.folder / "north"),
            "-",
            env={"LINK_POLICY": json.dumps(policy)},
        )
        process.wait(what="ready")
        return process

    def set(self, **changed: Any) -> None:
        """Other conditions from now on (within 0.2 s)."""
        for name, value in changed.items():
            setattr(self.conditions, name, value)
        self.conditions.save(self.file)
        time.sleep(0.3)  # the link looks at its file every 0.2 s, and tells nobody that it did

    def state(self) -> dict[str, Any]:
        self.post.say("state")
        return self.post.wait(what="state")

    def connected(self, seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while self.state()["state"] != "connected":
            assert time.monotonic() < deadline, self.state()
            time.sleep(0.1)  # between two questions, with a deadline

    def wire_bytes(self) -> tuple[int, int]:
        """Bytes that the post's device sent and received, IP headers and all."""
        shown = subprocess.run(
            ["ip", "-n", self.post_name, "-s", "-j", "link", "show", "link0"],
            capture_output=True,
            text=True,
            check=True,
        )
        numbers = json.loads(shown.stdout)[0]["stats64"]
        return numbers["tx"]["bytes"], numbers["rx"]["bytes"]

    def bytes_again(self) -> int:
        """What of these bytes TCP sent a second time, or told of such, at both ends. The link loses none by itself: on a busy machine what carries the packets comes late, and
        the kernels take them for lost.
        """
        found = 0
        for name in (self.post_name, self.hub_name):
            shown = subprocess.run(
                ["ip", "netns", "exec", name, "ss", "-tinHO"], capture_output=True, text=True, check=True, timeout=60
            ).stdout
            times = sum(int(number) for number in re.findall(r"\bretrans:\d+/(\d+)", shown))
            data = sum(int(number) for number in re.findall(r"\bbytes_retrans:(\d+)", shown))
            found += data + times * (_TCP_BYTES + _TOLD_TWICE_BYTES)
        return found

    def close(self) -> None:
        self.post.end()
        self.hub.end()
        self.emulator.kill()
        self.emulator.wait()


@contextlib.contextmanager
def link(folder: Path) -> Iterator[Link]:
    network = Network()
    made = None
    try:
        made = Link(folder, network)
        yield made
    finally:
        if made is not None:
            made.close()
        network.close()
