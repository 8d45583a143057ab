"""Whether cameras answer, on real links: namespaces, a bridge, a router. Docs: docs/design/surroundings.md."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.support.measured import within
from tests.support.netns import Network, ip, needs_namespaces, network

pytestmark = needs_namespaces
KNOWN_WITHIN_S = 5.0


def settings(hosts: dict[str, str], behind: str = "hut") -> dict[str, Any]:
    """The resolved settings as far as the watch reads them."""
    cameras = [
        {"id": name, "behind": behind, "streams": {"main": f"rtsp://{host}:554/x"}} for name, host in hosts.items()
    ]
    return {"cameras": cameras, "switches": {behind: None}}


class Watching:
    """A watch in a namespace, and what it said."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child
        self.lines: list[dict[str, Any]] = []

    def tell(self, **order: Any) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(order).encode() + b"\n")

    async def until(self, camera: str, right: Callable[[dict[str, Any]], bool], seconds: float = 180) -> dict[str, Any]:
        """The next line about a camera that is right; lines before it are dropped."""
        assert self._child.stdout is not None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    line = await self._child.stdout.readline()
                    assert line, "the watch ended"
                    said = json.loads(line)
                    self.lines.append(said)
                    if said.get("camera") == camera and right(said):
                        return said
        except TimeoutError:
            raise AssertionError(f"{camera}: not within {seconds} s; said {self.lines[-8:]}") from None


@contextlib.asynccontextmanager
async def watching(
    net: Network, hosts: dict[str, str], *, privileged: bool = True, heard: list[str] | None = None
) -> AsyncIterator[Watching]:
    """privileged: whether it keeps CAP_NET_RAW."""
    drop = () if privileged else ("setpriv", "--bounding-set", "-net_raw")
    child = await asyncio.create_subprocess_exec(
        *net.inside("post", *drop, sys.executable, "-m", "tests.support.watching"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    watch = Watching(child)
    watch.tell(settings=settings(hosts), heard=list(hosts) if heard is None else heard)
    try:
        yield watch
        watch.tell(end=True)
        async with asyncio.timeout(60):
            await child.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


@pytest.fixture
def net() -> Any:
    with network() as made:
        made.switch("switch")
        made.host("post")
        made.cable("post", "eth0", "switch", "10.77.0.1/24", "fd77::1/64")
        yield made


def is_(answer: str, by: str | None = None) -> Callable[[dict[str, Any]], bool]:
    return lambda said: said["address"] == answer and by in {None, said["by"]}


@pytest.mark.parametrize(("prefix", "by"), [("10.77.0.", "arp"), ("fd77::", "ndp")])
async def test_a_camera_without_power_is_silent_within_five_seconds_while_its_neighbour_answers(
    net: Network, prefix: str, by: str
) -> None:
    hosts = {}
    for number, name in ((5, "gate"), (6, "mast")):
        net.host(name)
        net.cable(name, "eth0", "switch", f"{prefix}{number}/{24 if by == 'arp' else 64}")
        hosts[name] = f"{prefix}{number}" if by == "arp" else f"[{prefix}{number}]"
    async with watching(net, hosts) as watch:
        await watch.until("gate", is_("answers", "stream"))
        net.link("gate", "eth0", on=False)
        watch.tell(dark="gate")
        with within(KNOWN_WITHIN_S):
            await watch.until("gate", lambda said: is_("silent", by)(said) and said["answer"] == ["mast"])
        net.link("gate", "eth0", on=True)
        await watch.until("gate", is_("answers", by))  # its network lives again, and nothing is delivered yet
        watch.tell(heard="gate")
        await watch.until("gate", is_("answers", "stream"))


async def test_a_camera_whose_program_hangs_still_answers(net: Network) -> None:
    net.host("gate")
    net.cable("gate", "eth0", "switch", "10.77.0.5/24")
    async with watching(net, {"gate": "10.77.0.5"}) as watch:
        await watch.until("gate", is_("answers", "stream"))
        watch.tell(dark="gate")
        await watch.until("gate", is_("answers", "arp"))


async def test_a_dead_cable_to_several_cameras_leaves_no_neighbour_that_answers(net: Network) -> None:
    net.switch("hut")
    net.host("uplink")
    trunk = net.cable("uplink", "eth0", "switch")
    net.cable("uplink", "eth1", "hut")
    ip("-n", net.name("uplink"), "link", "add", "name", "br0", "type", "bridge")
    ip("-n", net.name("uplink"), "link", "set", "br0", "up")
    for device in ("eth0", "eth1"):
        ip("-n", net.name("uplink"), "link", "set", device, "master", "br0")
    hosts = {}
    for number, name in ((5, "gate"), (6, "mast"), (7, "yard")):
        net.host(name)
        net.cable(name, "eth0", "hut", f"10.77.0.{number}/24")
        hosts[name] = f"10.77.0.{number}"
    async with watching(net, hosts) as watch:
        await watch.until("gate", is_("answers", "stream"))
        net.plug("switch", trunk, on=False)
        for name in hosts:
            watch.tell(dark=name)
        with within(KNOWN_WITHIN_S + 1):
            said = await watch.until("gate", lambda said: said["silent"] == ["mast", "yard"])
        assert said["address"] == "silent"
        assert not any(line["answer"] for line in watch.lines if line.get("address") == "silent")


@pytest.mark.parametrize(
    # IPv6 on the wire: test_a_camera_without_power...; its table is the same one of the kernel
    "address",
    ["10.77.0.5", pytest.param("[fd77::5]", marks=pytest.mark.long)],
)
async def test_the_kernels_table_says_it_too_and_a_stale_entry_is_no_answer(net: Network, address: str) -> None:
    """Without CAP_NET_RAW. The kernel's times are shortened here; by default they add up to a minute."""
    for version in ("ipv4", "ipv6"):
        net.sysctl("post", f"net.{version}.neigh.eth0.base_reachable_time_ms", 800)
        net.sysctl("post", f"net.{version}.neigh.eth0.delay_first_probe_time", 1)
        net.sysctl("post", f"net.{version}.neigh.eth0.retrans_time_ms", 300)
    net.host("gate")
    net.cable("gate", "eth0", "switch", "10.77.0.5/24", "fd77::5/64")
    by = "ndp" if ":" in address else "arp"
    async with watching(net, {"gate": address}, privileged=False) as watch:
        await watch.until("gate", is_("answers", "stream"))
        watch.tell(dark="gate")
        said = await watch.until("gate", lambda said: said["address"] == "answers" and said["by"] != "stream")
        assert said["by"] in {by, "udp 554"}
        net.link("gate", "eth0", on=False)
        await watch.until("gate", is_("silent", by))


async def test_through_a_router_its_port_is_asked(net: Network) -> None:
    net.switch("far")
    net.host("router")
    net.sysctl("router", "net.ipv4.ip_forward", 1)
    net.cable("router", "eth0", "switch", "10.77.0.254/24")
    net.cable("router", "eth1", "far", "10.78.0.254/24")
    net.route("post", "10.78.0.0/24", "via", "10.77.0.254")
    hosts = {}
    for number, name in ((5, "gate"), (6, "mast")):
        net.host(name)
        net.cable(name, "eth0", "far", f"10.78.0.{number}/24")
        net.route(name, "default", "via", "10.78.0.254")
        hosts[name] = f"10.78.0.{number}"
    async with watching(net, hosts) as watch:
        await watch.until("gate", is_("answers", "stream"))
        watch.tell(dark="gate")
        await watch.until("gate", is_("answers", "tcp 554"))  # refused: there is somebody
        net.link("gate", "eth0", on=False)
        await watch.until("gate", lambda said: is_("silent", "tcp 554")(said) and said["answer"] == ["mast"])


async def test_without_a_route_nothing_is_claimed(net: Network) -> None:
    async with watching(net, {"gate": "10.99.0.5"}, heard=[]) as watch:
        said = await watch.until("gate", is_("unknown"))
        assert not said["by"]
        with pytest.raises(AssertionError, match="not within"):
            await watch.until("gate", lambda said: said["address"] != "unknown", 4)


async def test_nothing_is_sent_to_any_other_address(net: Network) -> None:
    """Figure 17: what leaves the post is for the dark camera alone, and nothing while both deliver."""
    for number, name in ((5, "gate"), (6, "mast")):
        net.host(name)
        net.cable(name, "eth0", "switch", f"10.77.0.{number}/24")
    sniffer = await asyncio.create_subprocess_exec(
        *net.inside("post", sys.executable, "-u", "-c", SNIFF), stdout=subprocess.PIPE
    )
    assert sniffer.stdout is not None
    try:
        assert (await sniffer.stdout.readline()).strip() == b"ready"
        async with watching(net, {"gate": "10.77.0.5", "mast": "10.77.0.6"}) as watch:
            await watch.until("gate", is_("answers", "stream"))
            await asyncio.sleep(2)  # the stretch in which nothing may be asked is what is watched here
            watch.tell(dark="gate")
            await watch.until("gate", is_("answers", "arp"))
    finally:
        sniffer.terminate()
        said = (await sniffer.stdout.read()).decode().split()
        await sniffer.wait()
    assert said, "the question was on the wire"
    assert set(said) == {"10.77.0.5"}


SNIFF = """
import ipaddress, signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
sock.bind(("eth0", 3))
print("ready", flush=True)
while True:
    data, (_, kind, direction, *_) = sock.recvfrom(2048)
    if direction != 4:  # PACKET_OUTGOING
        continue
    if kind == 0x0806:
        if data[6:8] == b"\\0\\x01":
            print(ipaddress.ip_address(data[24:28]), flush=True)
    elif kind == 0x0800:
        print(ipaddress.ip_address(data[16:20]), flush=True)
"""
