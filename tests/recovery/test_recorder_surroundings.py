"""The recorder as a process among simulated devices: a switch, a relay and a UPS; killed on battery; told new settings."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.recorder_post import Post
from tests.support.upsd import SimulatedUpsd
from tests.support.wait import until

from longwatch.simulate.camera import LOT, SimulatedCamera
from longwatch.simulate.relay import SimulatedRelay
from longwatch.simulate.switch import SimulatedSwitch

pytestmark = pytest.mark.slow
CANARY = "hunter2-secret"


@pytest.fixture
async def camera() -> AsyncIterator[SimulatedCamera]:
    async with SimulatedCamera(LOT) as simulated:
        yield simulated


def settings(post: Post, camera: SimulatedCamera, extra: str = "", around: str = "") -> None:
    post.config.write_text(
        f"post: {{id: post}}\ndata: {post.data}\n{around}cameras:\n  gate:\n    streams: {{main: '{camera.url}'}}\n{extra}"
    )


async def around(post: Post) -> dict[str, Any]:
    status = await post.ask("status")
    return {**status["surroundings"]["cameras"][0], **status["surroundings"], "health": status["health"]}


async def comes(post: Post, what: dict[str, Any], seconds: float = 180) -> None:
    async def there() -> bool:
        now = await around(post)
        return all(now[name] == value for name, value in what.items())

    await until(there, f"{what}", seconds)


def entries(post: Post, kind: str) -> list[dict[str, Any]]:
    return [entry["body"] for entry in post.entries(kind)]


async def test_a_port_switched_off_a_reload_and_a_cut_on_battery(post: Post, camera: SimulatedCamera) -> None:
    async with SimulatedSwitch(4, community=CANARY) as switch, SimulatedUpsd() as upsd:
        settings(post, camera)
        post.start()
        await post.recording()
        await comes(post, {"address": "answers", "address_by": "stream", "port_power": "unknown", "mains": None})
        sessions = set(camera.sessions)
        assert sessions
        settings(
            post, camera, "    behind: hut\n    port: 3\n",
            f"switches: {{hut: {{snmp: {{address: '127.0.0.1:{switch.port}', community: {CANARY}}}}}}}\n"
            f"ups: {{nut: 'ups@127.0.0.1:{upsd.port}', user: watch, password: {CANARY}}}\n",
        )  # fmt: skip
        await post.ask("reload")
        await comes(post, {"port_power": "on", "port_by": "snmp hut port 3"})
        assert sessions == set(camera.sessions), "the stream was not interrupted"
        switch.ports.switch(3, on=False)
        camera.inject("stall")
        await comes(post, {"port_power": "off"})
        await until(lambda: entries(post, "port_changed"))
        assert entries(post, "port_changed")[0]["camera"] == "gate"
        upsd.variables |= {"ups.status": "OB LB", "battery.charge": "7"}
        await until(lambda: len(entries(post, "power_changed")) == 2)
        post.signal(signal.SIGKILL)
        await post.ended()
        assert entries(post, "power_changed")[-1]["battery_percent"] == 7
        upsd.variables |= {"ups.status": "OL", "battery.charge": "9"}
        post.start()
        await until(lambda: len(entries(post, "power_changed")) == 3)
        assert entries(post, "power_changed")[-1]["mains"] == "on"
        assert CANARY not in post.log.read_text()
        assert CANARY not in json.dumps(await post.ask("status"))
        assert CANARY not in json.dumps(post.entries())


async def test_a_dead_switch_and_a_relay_that_lies_disturb_nothing(post: Post, camera: SimulatedCamera) -> None:
    async with SimulatedRelay(user="u", password=CANARY) as relay:
        settings(
            post, camera,
            "    behind: hut\n    port: 3\n"
            f"    relay: {{url: 'http://u:{CANARY}@127.0.0.1:{relay.port}/relay/0', field: ison}}\n",
            "switches: {hut: {snmp: {address: '127.0.0.1:9'}}}\nups: {nut: 'ups@127.0.0.1:9'}\n",
        )  # fmt: skip
        post.start()
        await post.recording()
        await comes(post, {"port_power": "on"})
        relay.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 200_000
        camera.inject("stall")
        await comes(post, {"port_power": "unknown"})
        relay.answer = None
        camera.inject("mend")
        await post.recording()
        await comes(post, {"port_power": "on"})
        known = await around(post)
        assert {device["by"].split()[0]: device["answers"] for device in known["devices"]} == {
            "snmp": False, "relay": True, "nut": False,
        }  # fmt: skip
        assert post.process is not None
        assert post.process.poll() is None
        assert "task_died" not in post.kinds()
        assert CANARY not in post.log.read_text()
