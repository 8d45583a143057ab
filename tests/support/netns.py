"""A small network of our own: namespaces, a bridge as the switch, cables that can be pulled. Needs root; cleans up after itself."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

needs_namespaces = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]


def in_namespaces(test: Callable[..., Any]) -> Callable[..., Any]:
    """The same marks for one test."""
    for mark in needs_namespaces:
        test = mark(test)
    return test


_numbers = itertools.count(1)


def ip(*arguments: str) -> None:
    """Run `ip`; its words are in the error."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr.strip()}"


class Network:
    """Namespaces by short names. Everything begun here is ended by `aclose`."""

    def __init__(self) -> None:
        self._prefix = f"lw{os.getpid()}x{next(_numbers)}"
        self._made: list[str] = []
        self._cables = itertools.count(1)

    def name(self, host: str) -> str:
        """The whole name of a namespace."""
        return f"{self._prefix}{host}"

    def host(self, host: str) -> str:
        """A new namespace with its loopback up."""
        whole = self.name(host)
        ip("netns", "add", whole)
        self._made.append(whole)
        ip("-n", whole, "link", "set", "lo", "up")
        self.sysctl(host, "net.ipv6.conf.all.accept_dad", 0)
        self.sysctl(host, "net.ipv6.conf.default.accept_dad", 0)
        self.sysctl(host, "net.ipv6.conf.all.keep_addr_on_down", 1)
        return whole

    def switch(self, host: str) -> None:
        """A namespace that is a bridge."""
        whole = self.host(host)
        ip("-n", whole, "link", "add", "name", "br0", "type", "bridge")
        ip("-n", whole, "link", "set", "br0", "up")

    def cable(self, host: str, device: str, switch: str, *addresses: str) -> str:
        """Plug `device` of a host into a switch; the name of the switch's end."""
        end = f"p{next(self._cables)}"
        ip(
            "link",
            "add",
            device,
            "netns",
            self.name(host),
            "type",
            "veth",
            "peer",
            "name",
            end,
            "netns",
            self.name(switch),
        )
        ip("-n", self.name(switch), "link", "set", end, "master", "br0", "up")
        for address in addresses:
            ip("-n", self.name(host), "addr", "add", address, "dev", device, *(["nodad"] if ":" in address else []))
        ip("-n", self.name(host), "link", "set", device, "up")
        return end

    def plug(self, switch: str, end: str, *, on: bool) -> None:
        """Pull a cable out of the switch, or put it back."""
        ip("-n", self.name(switch), "link", "set", end, "up" if on else "down")

    def link(self, host: str, device: str, *, on: bool) -> None:
        """A host's own end: down is a host without power."""
        ip("-n", self.name(host), "link", "set", device, "up" if on else "down")

    def route(self, host: str, *words: str) -> None:
        """A route of a host."""
        ip("-n", self.name(host), "route", "add", *words)

    def sysctl(self, host: str, name: str, value: int) -> None:
        """A kernel parameter within a namespace."""
        place = "/proc/sys/" + name.replace(".", "/")
        done = subprocess.run(
            ["ip", "netns", "exec", self.name(host), "sh", "-c", f"echo {value} > {place}"],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def inside(self, host: str, *command: str) -> list[str]:
        """The words that run a command there."""
        return ["ip", "netns", "exec", self.name(host), *command]

    def close(self) -> None:
        """Every namespace goes, and its devices with it."""
        for whole in reversed(self._made):
            subprocess.run(["ip", "netns", "del", whole], capture_output=True, check=False)


def _tidy() -> None:
    """Namespaces of tests that were killed: their process is gone."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    for line in listed.splitlines():
        found = re.match(r"lw(\d+)x\d", line)
        if found is not None and not Path(f"/proc/{found[1]}").exists():
            subprocess.run(["ip", "netns", "del", line.split()[0]], capture_output=True, check=False)


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """A network for one test."""
    _tidy()
    made = Network()
    try:
        yield made
    finally:
        made.close()
