"""Causes that lie with a camera, its cable, its switch or an order, each by really doing it: the recorder's process in one network
namespace, cameras in others, a simulated switch that can be asked, all at once in one post.

    post ── switch "hut" ──┬ killed, cut, neighbour, poe, back, and the switch's own agent
         └─ switch "mast" ─┴ mast-a, mast-b (its cable to the post is pulled)
    on the post's own loopback: cameras that refuse, stall, lose packets, are paused, planned away

Figure 11: every second of every camera is recorded or a gap with a cause, to the microsecond.
"""

import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.rig.causes_post import RigPost
from tests.rig.placed_camera import ChildCamera, PlacedCamera, inside
from tests.support.netns import Network, needs_namespaces, network
from tests.support.upsd import SimulatedUpsd
from tests.support.wait import until

from longwatch.base.clock import SystemClock
from longwatch.ledger import canonical
from longwatch.simulate.camera import LOT, ROOM, SimulatedCamera
from longwatch.simulate.switch import SimulatedSwitch
from longwatch.timeline import State, Tile

pytestmark = [*needs_namespaces, pytest.mark.timeout(900), pytest.mark.xdist_group("rig")]
SECOND = 1_000_000
RESTART_US = 400 * SECOND
"""In place of 90 s: where the machine is slow, it takes longer than that until a camera is told to be off."""
HUT = {"killed": 11, "cut": 12, "neighbour": 13, "poe": 14, "back": 15}
MAST = {"mast-a": 11, "mast-b": 12}
LOCAL = ["password", "refusing", "garbage", "stalled", "sound", "frozen", "losing", "paused", "private"]


@dataclass
class Site:
    """Everything there is."""

    net: Network
    post: RigPost
    cameras: dict[str, SimulatedCamera]
    killed: ChildCamera
    losing: ChildCamera
    switch: SimulatedSwitch
    ups: SimulatedUpsd
    mast: str  # the post's end of the cable to the mast


def _wire(net: Network) -> str:
    net.switch("hut")
    net.switch("mast")
    net.host("post")
    net.cable("post", "eth0", "hut", "10.77.1.1/24")
    mast = net.cable("post", "eth1", "mast", "10.77.2.1/24")
    net.host("agent")
    net.cable("agent", "eth0", "hut", "10.77.1.2/24")
    for switch, third, cameras in (("hut", 1, HUT), ("mast", 2, MAST)):
        for name, last in cameras.items():
            net.host(name)
            net.cable(name, "eth0", switch, f"10.77.{third}.{last}/24")
    return mast


def _settings(cameras: dict[str, SimulatedCamera], children: dict[str, ChildCamera]) -> dict[str, str]:
    """The inner part of each camera's mapping."""
    listed = {}
    for name, place in {**cameras, **children}.items():
        listed[name] = f"streams: {{main: '{place.url}'}}"
        if name in HUT:
            listed[name] += ", behind: hut"
        if name in MAST:
            listed[name] += ", behind: mast"
    listed["poe"] += ", port: 3"
    listed["losing"] += ", transport: udp"
    minute = SystemClock().wall_us() // 60_000_000 % 1440
    later = [f"'{(minute + n) % 1440 // 60:02d}:{(minute + n) % 60:02d}'" for n in (240, 300)]
    window = f"[{{from: {later[0]}, to: {later[1]}}}]"
    listed["asleep"] = f"streams: {{main: 'rtsp://127.0.0.1:9/x'}}, power_windows: {window}"
    listed["unplanned"] = f"streams: {{main: 'rtsp://127.0.0.1:9/x'}}, schedule: {window}"
    listed["awake"] = f"streams: {{main: '{cameras['paused'].url}'}}, power_windows: {window}"
    return listed


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with contextlib.AsyncExitStack() as stack:
        net = stack.enter_context(network())
        mast = _wire(net)
        places = {name: (name, f"10.77.1.{n}") for name, n in HUT.items() if name != "killed"}
        places |= {name: (name, f"10.77.2.{n}") for name, n in MAST.items()}
        places |= {name: ("post", f"127.0.0.{n}") for n, name in enumerate(LOCAL, 11) if name != "losing"}
        cameras: dict[str, SimulatedCamera] = {}
        for name, (host, address) in places.items():
            login = {"user": "owner", "password": "first-secret"} if name == "password" else {}
            media = LOT if name == "sound" else ROOM
            cameras[name] = await stack.enter_async_context(PlacedCamera(net.name(host), address, media, **login))
        killed = ChildCamera(net.inside("killed"), f"10.77.1.{HUT['killed']}")
        losing = ChildCamera(net.inside("post"), "127.0.0.99", ["loss:10,600@8"])
        switch = SimulatedSwitch(host="10.77.1.2")
        switch._began_us -= 3600 * SECOND  # it has been on for an hour
        with inside(net.name("agent")):
            switch.start()
        stack.callback(switch.stop)
        for child in (killed, losing):
            stack.callback(child.kill)
            child.start()
        ups = SimulatedUpsd()
        with inside(net.name("post")):
            await ups.start()
        stack.push_async_callback(ups.stop)
        post = RigPost(tmp_path, net.inside("post"))
        post.sooner = {"longwatch.causes.decision": f"RESTART_US = {RESTART_US}"}
        stack.callback(post.kill)
        listed = _settings(cameras, {"killed": killed, "losing": losing})
        around = f"switches: {{hut: {{snmp: {{address: '{switch.address}'}}}}, mast: {{}}}}\n"
        post.settings(listed, f"{around}ups: {{nut: ups@127.0.0.1:{ups.port}}}\n")
        post.start()
        yield Site(net, post, cameras, killed, losing, switch, ups, mast)


def _said(gap: Tile, *names: str) -> list[object]:
    return [gap.evidence.get(name) for name in names]


async def test_every_cause_of_a_camera_and_of_an_order_comes_out_as_what_it_is(site: Site) -> None:
    post, net, cameras = site.post, site.net, site.cameras
    await post.records(*HUT, *MAST, *LOCAL, "awake")

    # -- all at once
    site.killed.kill()
    net.link("cut", "eth0", on=False)
    site.switch.ports.switch(3, on=False)
    net.link("poe", "eth0", on=False)
    net.plug("mast", site.mast, on=False)
    net.link("back", "eth0", on=False)
    await cameras["back"].stop()  # its sessions go with its power
    went_us = SystemClock().boottime_us()
    cameras["password"].password = "second-secret"
    cameras["password"].inject("drop")
    cameras["refusing"].inject("refuse", 453)
    cameras["garbage"].inject("garbage", 70_000)
    cameras["stalled"].inject("stall")
    cameras["sound"].inject("audio-only")
    cameras["frozen"].inject("freeze")
    person = {"subject": 0, "text": '{"reason":"visitors","user":"test"}'}
    for camera, privacy in (("paused", False), ("private", True)):
        await post.ask("pause", camera=camera, privacy=privacy, for_s=3600, reason="visitors", person=person)

    # -- back before too long
    await post.tells("back", "camera_switched_off", inferred=True)
    await cameras["back"].start()
    net.link("back", "eth0", on=True)
    assert SystemClock().boottime_us() - went_us < RESTART_US
    back = await post.tells("back", "camera_unreachable", restarted=True)
    assert "inferred" not in back.evidence
    assert post.causes("back") == ["camera_unreachable"]

    # -- a hand, or not a hand
    cut = await post.tells("cut", "camera_switched_off", inferred=True)
    assert _said(cut, "address", "address_by", "switch") == ["silent", "arp", "hut"]
    assert "neighbour" in str(cut.evidence["neighbours_answer"])
    poe = await post.tells("poe", "camera_switched_off", port_power="off")
    assert "inferred" not in poe.evidence
    assert "port 3" in str(poe.evidence["port_by"])
    for one, other in (("mast-a", "mast-b"), ("mast-b", "mast-a")):
        dead = await post.tells(one, "camera_unreachable", neighbours_silent=[other])
        assert dead.evidence["finding"] == "no camera behind mast answers"
    killed = await post.tells("killed", "camera_unreachable", address="answers")
    assert "camera without power" not in str(killed.evidence["cannot_tell_apart"])
    assert post.causes("neighbour") == []

    # -- what a camera says or does
    assert (await post.tells("password", "camera_refused")).evidence["fault"] == "login_refused"
    assert (await post.tells("refusing", "camera_refused")).evidence["fault"] == "refused"
    await post.tells("stalled", "stream_stalled", fault="silent")
    await post.tells("sound", "stream_stalled", fault="audio_only")
    await post.tells("frozen", "stream_stalled", fault="frozen")
    await post.tells("losing", "packets_lost")
    assert set(post.causes("garbage")) <= {"camera_refused", "camera_unreachable", "stream_stalled", "packets_lost"}

    # -- orders and plans
    for camera, cause in (("paused", "paused_by_operator"), ("private", "privacy_pause")):
        gap = await post.tells(camera, cause)
        assert post.entries()[int(str(gap.evidence["entry"]))]["kind"] == "paused"
    await post.tells("asleep", "power_plan")
    assert post.causes("asleep") == ["power_plan"]
    assert post.causes("unplanned") == ["not_scheduled"]
    assert post.causes("awake") == [], "what a camera delivers outside of its power windows is recorded"

    # -- the mains fail, and the post goes on by its battery: no hand
    site.ups.variables |= {"ups.status": "OB DISCHRG", "battery.charge": "90"}
    await until(
        lambda: any(entry["kind"] == "power_changed" and entry["body"]["mains"] == "off" for entry in post.entries())
    )
    net.link("neighbour", "eth0", on=False)
    unfed = await post.tells("neighbour", "camera_unreachable", address="silent", mains="off")
    assert "fed by the mains that failed" in str(unfed.evidence["cannot_tell_apart"])
    assert post.causes("poe") == ["camera_switched_off"], "what was ordered has nothing to do with it"
    site.ups.variables["ups.status"] = "OL"
    net.link("neighbour", "eth0", on=True)
    await post.records("neighbour")
    assert set(post.causes("neighbour")) <= {"camera_unreachable", "stream_stalled"}

    # -- the post goes down in the middle of it, and the story goes on
    assert await post.end(signal.SIGTERM) == 0
    post.start()
    await post.records("neighbour", "awake")
    await post.tells("cut", "camera_switched_off")
    assert "post_stopped" in post.causes("cut")
    await post.tells("poe", "camera_switched_off", port_power="off")
    await post.tells("private", "privacy_pause")

    assert post.unexplained_us() == 0
    _never_more_than_two_kilobytes(post)
    _nothing_unknown(post)


def _never_more_than_two_kilobytes(post: RigPost) -> None:
    told = [entry for entry in post.entries() if entry["kind"] in {"gap_opened", "gap_refined"}]
    assert max(len(canonical(entry)) for entry in told) < 2048
    refined: dict[int, int] = {}
    for entry in told:
        if entry["kind"] == "gap_refined":
            refined[entry["body"]["gap"]] = refined.get(entry["body"]["gap"], 0) + 1
    assert max(refined.values()) <= 5, "no storm"


def _nothing_unknown(post: RigPost) -> None:
    for camera in [*HUT, *MAST, *LOCAL, "asleep", "unplanned", "awake"]:
        unknown = [t for t in post.tiles(camera) if t.state is State.GAP and t.cause == "unknown"]
        assert all("clock_step_us" in t.evidence for t in unknown), (camera, unknown)
