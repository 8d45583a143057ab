"""Our questions to net-snmp's agent, and net-snmp's to our simulated switch."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.netns import in_namespaces, network

from longwatch.simulate.switch import SimulatedSwitch

SNMPD = shutil.which("snmpd") or next((p for p in ("/usr/sbin/snmpd",) if Path(p).exists()), None)
ADMIN, DETECTION = "1.3.6.1.2.1.105.1.1.1.3.1", "1.3.6.1.2.1.105.1.1.1.6.1"
USER = ["-v3", "-u", "lw", "-l", "authPriv", "-a", "SHA-256", "-A", "12345678", "-x", "AES", "-X", "abcdefgh"]
V2C = ["-v2c", "-c", "public"]


async def run(*words: str) -> tuple[int, str]:
    """Its code, and all that it said besides that it made itself a folder, as these tools do when they are used for the first time."""
    child = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out, _ = await asyncio.wait_for(child.communicate(), 180)
    assert child.returncode is not None
    said = [line for line in out.decode().splitlines(keepends=True) if not line.startswith("Created directory:")]
    return child.returncode, "".join(said)


@pytest.fixture
async def switch() -> AsyncIterator[SimulatedSwitch]:
    async with SimulatedSwitch(4, user="lw", auth_password="12345678", privacy_password="abcdefgh") as made:
        yield made


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("snmpset") is None, reason="snmp (net-snmp's tools) is not installed")
@pytest.mark.parametrize("login", [V2C, USER], ids=["v2c", "v3"])
async def test_net_snmp_reads_and_switches_the_simulated_switch(switch: SimulatedSwitch, login: list[str]) -> None:
    _, said = await run("snmpbulkwalk", *login, "-On", switch.address, DETECTION)
    assert [line.split()[-1] for line in said.splitlines()[:4]] == ["3"] * 4
    code, _ = await run("snmpset", *login, switch.address, f"{ADMIN}.2", "i", "2")
    assert code == 0
    assert not switch.ports.ports[2].delivers
    _, said = await run("snmpget", *login, "-On", switch.address, f"{DETECTION}.2", "1.3.6.1.2.1.2.2.1.8.2")
    assert [line.split()[-1] for line in said.splitlines()] == ["1", "2"]
    for name, value in ((f"{DETECTION}.2", "3"), (f"{ADMIN}.9", "1"), (f"{ADMIN}.2", "7")):
        code, said = await run("snmpset", *login, switch.address, name, "i", value)
        assert code != 0, said
        assert "notWritable" in said
    assert not switch.ports.ports[2].delivers


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("snmpget") is None, reason="snmp (net-snmp's tools) is not installed")
async def test_a_stranger_learns_nothing(switch: SimulatedSwitch) -> None:
    code, _ = await run("snmpget", "-v2c", "-c", "guess", "-t", "0.3", "-r", "0", switch.address, "1.3.6.1.2.1.1.3.0")
    assert code != 0


ASK = """
import asyncio, json, sys
from longwatch.base.clock import SystemClock
from longwatch.surroundings.options import Snmp, SwitchPort
from longwatch.surroundings.switch import SwitchDevice
said = json.loads(sys.argv[1])
device = SwitchDevice("real", Snmp("127.0.0.1", 1161, **said["login"]), (("gate", SwitchPort(1, said["port"])),), SystemClock())
asyncio.run(device.run_once())
feed = device.feed("gate")
print(json.dumps([feed.power, feed.link, feed.started_boot_us is not None]))
"""


@in_namespaces
@pytest.mark.skipif(SNMPD is None, reason="snmpd is not installed")
async def test_net_snmps_agent_tells_of_a_real_link(tmp_path: Path) -> None:
    """IF-MIB of a namespace, by v2c and v3: its cable is pulled. It has no POWER-ETHERNET-MIB: power stays unknown."""
    (tmp_path / "snmpd.conf").write_text(
        "rocommunity public 127.0.0.1\ncreateUser lw SHA-256 12345678 AES abcdefgh\nrouser lw priv\nagentAddress udp:127.0.0.1:1161\n"
    )
    logins = (
        {"community": "public"},
        {
            "version": "3",
            "user": "lw",
            "auth": "sha256",
            "auth_password": "12345678",
            "privacy": "aes",
            "privacy_password": "abcdefgh",
        },
    )
    with network() as net:
        net.switch("switch")
        net.host("agent")
        net.cable("agent", "eth0", "switch", "10.77.0.1/24")
        index = await run("ip", "-n", net.name("agent"), "-o", "link", "show", "eth0")
        port = int(index[1].split(":")[0])
        agent = await asyncio.create_subprocess_exec(
            *net.inside("agent", str(SNMPD), "-f", "-Lf", str(tmp_path / "log"), "-C", "-c", str(tmp_path / "snmpd.conf"), "-p", str(tmp_path / "pid")),
            env={"SNMP_PERSISTENT_DIR": str(tmp_path), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        )  # fmt: skip
        try:
            for login, on in ((logins[0], True), (logins[0], False), (logins[1], False)):
                net.link("agent", "eth0", on=on)
                wanted = json.dumps(["unknown", "on" if on else "off", True])
                said = await _asked(net.inside("agent", sys.executable, "-c", ASK), login, port, wanted)
                assert said == wanted
        finally:
            agent.terminate()
            await agent.wait()


async def _asked(inside: list[str], login: dict[str, str], port: int, wanted: str) -> str:
    """The agent reads its interfaces anew every few seconds."""
    said = ""
    for _ in range(30):
        code, said = await run(*inside, json.dumps({"login": login, "port": port}))
        said = said.strip().splitlines()[-1] if said.strip() else ""
        if code == 0 and said == wanted:
            break
        await asyncio.sleep(1)  # between two looks, at most thirty
    return said
